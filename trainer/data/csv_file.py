"""Your own pictures with a table of labels."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

from trainer.data import sample
from trainer.data.manifest import SPLITS
from trainer.data.sample import LabelError, Rejected, Sample
from trainer.errors import InputError

LABELS = ("file", "subject", "age", "age_low", "age_high", "gender", "split")
_OURS = {*LABELS, "sha256"}


def samples(source: Path) -> Iterator[Sample | Rejected]:
    """Yield a face for each line of the table.

    Parameters
    ----------
    source
        The CSV file, or a folder with only one. The column `file` is relative to its
        folder. `age` (years or a band) or `age_low` and `age_high`, `gender`, `subject` and
        `split` may be left out or empty. Any other column is kept: an attribute.

    Raises
    ------
    InputError
        There is no such table, or it has no column `file`.
    """
    path = table(source)
    with path.open(newline="", encoding="utf-8-sig") as lines:
        rows = csv.DictReader(lines)
        try:
            names = rows.fieldnames or []
            if "file" not in names:
                msg = f"{path}: has no column 'file'; the header is {', '.join(names):.200}."
                raise InputError(msg)
            for row in rows:
                yield _sample(row, rows.line_num)
        except (UnicodeDecodeError, csv.Error) as error:
            msg = f"{path}: not a readable CSV file ({error}). Save it as UTF-8."
            raise InputError(msg) from error


def table(source: Path) -> Path:
    """Return the CSV file that is meant; raises InputError if there is not exactly one."""
    if source.is_file():
        return source
    found = sorted(source.glob("*.csv"))
    if len(found) != 1:
        names = ", ".join(path.name for path in found) or "none"
        msg = f"{source}: the CSV files in it are: {names}. Name the one with --source."
        raise InputError(msg)
    return found[0]


def _sample(row: dict[str, str | None], line: int) -> Sample | Rejected:
    file = row["file"] or f"line {line}"
    if None in row or None in row.values():
        return Rejected(file, f"line {line} has more or fewer cells than the header")
    said = {name: (row.get(name) or "").strip() for name in LABELS}
    if not said["file"]:
        return Rejected(file, "the column 'file' is empty")
    split = said["split"] or None
    if split not in (None, *SPLITS):
        return Rejected(file, f"split {split!r} is none of {', '.join(SPLITS)}")
    try:
        years = sample.age(said["age"]) or _between(said["age_low"], said["age_high"])
        gender = sample.gender(said["gender"])
    except LabelError as error:
        return Rejected(file, str(error))
    return Sample(
        said["file"],
        age=years,
        gender=gender,
        subject=said["subject"] or None,
        split=split,
        attributes={name: value or None for name, value in row.items() if name not in _OURS},
    )


def _between(first: str, last: str) -> tuple[float, float] | None:
    low, high = sample.age(first), sample.age(last)
    if (low is None) != (high is None):
        raise LabelError("of age_low and age_high one is empty")
    return low and high and (low[0], high[1])
