"""Files of JSON lines that are never seen half written, and that can be continued.

They are gathered in `PATH.part`, which becomes `PATH` at the end.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from trainer.errors import InputError

_TEXT: Mapping[str, Any] = {
    "encoding": "utf-8",
    # A file's name that is not UTF-8 has surrogates; behind a backslash they are JSON.
    "errors": "backslashreplace",
}


def kept(path: Path) -> dict[str, list[str]]:
    """Return the lines of an earlier attempt that need not be made again, by their `file`.

    Left out are those of files with an `error`, and those of the file written last, which
    may be incomplete.

    Raises
    ------
    InputError
        The file holds something else.
    """
    earlier = _part(path) if _part(path).exists() else path
    if not earlier.exists():
        return {}
    by_file: dict[str, list[str]] = {}
    failed: set[str] = set()
    try:
        *lines, _half = earlier.read_text("utf-8").split("\n")
        for line in lines:
            record = json.loads(line)
            by_file.setdefault(record["file"], []).append(line + "\n")
            if "error" in record:
                failed.add(record["file"])
    except (ValueError, TypeError, KeyError) as error:
        raise InputError(
            f"{earlier}: was not written by `agegender predict`; leave out --resume"
        ) from error
    return {file: said for file, said in [*by_file.items()][:-1] if file not in failed}


@contextmanager
def writing(path: Path | None, begin: Mapping[str, list[str]]) -> Iterator[TextIO]:
    """Open a file that is complete when it appears.

    Parameters
    ----------
    path
        The file, replaced if there; None is the standard output.
    begin
        What `kept` returned: the lines to begin with.
    """
    if path is None:
        with open(sys.stdout.fileno(), "w", closefd=False, **_TEXT) as file:
            yield file
    elif path.exists() and not path.is_file():  # a pipe, or /dev/null
        with path.open("w", **_TEXT) as file:
            yield file
    else:
        part = _part(path)
        rewritten = part.with_name(part.name + ".kept")
        rewritten.write_text("".join(line for said in begin.values() for line in said), "utf-8")
        rewritten.replace(part)
        with part.open("a", **_TEXT) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)


def write(file: TextIO, record: Mapping[str, Any]) -> None:
    """Write one object, and hand it to the system at once."""
    file.write(json.dumps(record, ensure_ascii=False) + "\n")
    file.flush()


def _part(path: Path) -> Path:
    return path.with_name(path.name + ".part")
