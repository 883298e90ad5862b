"""Files that are there as a whole or not at all."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from trainer.errors import InputError


def existing(path: Path, what: str) -> Path:
    """Return a path, or raise InputError saying what a folder should hold."""
    if not path.exists():
        raise InputError(f"{path}: no such file; the folder should hold {what}.")
    return path


def atomically(path: Path, write: Callable[[Path], object]) -> None:
    """Write a file beside its place, and then put it there.

    Parameters
    ----------
    path
        The file; its folder is made if absent. What it held before stays until the end.
    write
        Writes the file it is given, whose name ends as that of `path`.

    Raises
    ------
    InputError
        The file cannot be written, such as on a full disk; nothing half-written is left.
    """
    partial = path.with_name(f"partial-{path.name}")
    with writing(path):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write(partial)
            with partial.open("rb") as file:
                os.fsync(file.fileno())  # or a power cut might leave an empty file
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)


def write_json(path: Path, value: object) -> None:
    """Write a value as indented JSON, as :func:`atomically` writes."""
    text = json.dumps(value, indent=1) + "\n"
    atomically(path, lambda partial: partial.write_text(text, "utf-8"))


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Say what to do when a file of a run cannot be written: raises InputError for OSError."""
    try:
        yield
    except OSError as error:
        # HDF5 gives the number with a page of text.
        reason = os.strerror(error.errno) if error.errno else str(error)
        msg = (
            f"{path}: cannot be written ({reason}). What was saved before is unharmed: make "
            "room, or correct the permissions, and go on with --resume."
        )
        raise InputError(msg) from error
