"""Your own pictures in folders whose names are the labels."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from trainer.data import sample
from trainer.data.manifest import SPLITS
from trainer.data.sample import LabelError, Rejected, Sample, files
from trainer.errors import InputError

SUFFIXES = {".bmp", ".gif", ".jpeg", ".jpg", ".png", ".webp"}


def samples(source: Path) -> Iterator[Sample | Rejected]:
    """Yield a face for each picture below `source`, at any depth and in any order of folders.

    A folder's name is a gender (`female`), an age (`31`, `20-29`), a split (`train`), or a
    column and its value: `subject=anna`, `eyeglasses=yes`. Any other name rejects what is in
    it. Pictures without any label are `unlabeled`, for pretraining.
    """
    found = False
    for file in files(source):
        path = Path(file)
        if path.suffix.lower() not in SUFFIXES:
            yield Rejected(file, f"not a picture ({', '.join(sorted(SUFFIXES))})")
            continue
        found = True
        try:
            said = _labels(path.parts[:-1])
        except LabelError as error:
            yield Rejected(file, str(error))
            continue
        yield Sample(file, **({"split": "unlabeled"} | said if _unlabeled(said) else said))
    if not found:
        msg = f"{source}: holds no picture ({', '.join(sorted(SUFFIXES))})."
        raise InputError(msg)


def _unlabeled(said: dict[str, Any]) -> bool:
    return not {"age", "gender", "attributes"} & said.keys()


def _labels(names: tuple[str, ...]) -> dict[str, Any]:
    said: dict[str, Any] = {}
    for name in names:
        column, equals, value = name.partition("=")
        found: dict[str, Any]
        if equals and column in {"subject", "split"}:
            found = {column: value}
        elif equals and column == "age":
            found = {"age": sample.age(value)}
        elif equals and column == "gender":
            found = {"gender": sample.gender(value)}
        elif equals:
            found = {"attributes": said.pop("attributes", {}) | {column: value}}
        elif name in SPLITS:
            found = {"split": name}
        elif name.lower() in sample.GENDERS:
            found = {"gender": sample.gender(name)}
        elif name[:1].isdigit():
            found = {"age": sample.age(name)}
        else:
            raise LabelError(
                f"the folder {name!r} is neither gender, age nor split; write column=value for "
                "another label, such as eyeglasses=yes"
            )
        if twice := said.keys() & found.keys():
            raise LabelError(f"two folders give its {twice.pop()}")
        said |= found
    return said
