"""The manifest: one CSV that lists the labelled faces of one data set.

Columns: `file` (relative to the manifest's folder), `subject` (empty: unknown),
`age` (years) or `age_low` and `age_high` (inclusive years), `gender` (`female`, `male` or
empty), `split` (`train`, `val`, `test`, `unlabeled`), `sha256` of the file, and any other
column, such as `group`, which evaluation can slice by. Empty labels are normal.
"""

from __future__ import annotations

import csv
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from trainer.data.table import refuse_long_lines
from trainer.errors import InputError

NAME = "manifest.csv"
COLUMNS = ("file", "subject", "age", "age_low", "age_high", "gender", "split", "sha256")
SPLITS = ("train", "val", "test", "unlabeled")
MAX_AGE = 120.0
TEXT = dict.fromkeys(("file", "subject", "gender", "split", "sha256"), str)


def folder(path: Path) -> Path:
    """Return the folder of a manifest, given as that folder or as the CSV in it."""
    return path if path.is_dir() else path.parent


def read(path: Path) -> pd.DataFrame:
    """Read and check a manifest.

    Parameters
    ----------
    path
        The CSV, or the folder that holds a `manifest.csv`.

    Returns
    -------
    pandas.DataFrame
        All columns of the file. `file` is absolute; `age_low` and `age_high` are float
        years, equal where the age is exact, NaN where unknown.

    Raises
    ------
    InputError
        The file is missing, lacks a column, or holds a label outside its range; the
        message gives the first bad line.
    """
    return pd.concat(stream(path), ignore_index=True)


def stream(path: Path, rows: int = 20_000) -> Iterator[pd.DataFrame]:
    """Read a manifest in tables of so many rows each, as by `read`; only one is in memory.

    Raises
    ------
    InputError
        As by `read`, when the line is reached; a subject in two splits is known at the end.
    """
    path = path / NAME if path.is_dir() else path
    if not path.is_file():
        msg = (
            f"{path}: no such manifest. Make one with `agegender data prepare`, "
            "or give the folder that holds manifest.csv."
        )
        raise InputError(msg)
    subjects = _Subjects(path)
    try:
        # Only an empty cell is unknown: `NaN` is a mistake.
        for table in pd.read_csv(
            path, dtype=TEXT, chunksize=rows, keep_default_na=False, na_values=[""]
        ):
            yield _checked(path, table, subjects)
    except (ValueError, MemoryError) as error:
        if isinstance(error, InputError):
            raise
        msg = f"{path}: not a readable CSV file ({error!s:.200})."
        raise InputError(msg) from error
    subjects.refuse_leaks()


def _checked(path: Path, table: pd.DataFrame, subjects: _Subjects) -> pd.DataFrame:
    refuse_long_lines(path, table)
    missing = [name for name in COLUMNS if name not in table]
    if missing:
        msg = (
            f"{path}: column {missing[0]!r} is missing; the header is "
            f"{', '.join(map(str, table)):.200}. "
            f"A manifest has the columns {', '.join(COLUMNS)}."
        )
        raise InputError(msg)
    _refuse(path, table, "file", table["file"].isna(), "the path of a picture")
    for name in ("age", "age_low", "age_high"):
        numbers = pd.to_numeric(table[name], errors="coerce")
        _refuse(path, table, name, table[name].notna() & numbers.isna(), "a number of years")
        _refuse(path, table, name, (numbers < 0) | (numbers > MAX_AGE), f"within 0-{MAX_AGE:g}")
        table[name] = numbers.astype(float)
    table["age_low"] = table["age"].fillna(table["age_low"])
    table["age_high"] = table["age"].fillna(table["age_high"])
    half = table["age_low"].isna() != table["age_high"].isna()
    _refuse(path, table, "age_low", half, "given where age_high is, and empty where that is")
    _refuse(path, table, "age_low", table["age_low"] > table["age_high"], "no higher than age_high")
    known = table["gender"].isna() | table["gender"].isin(["female", "male"])
    _refuse(path, table, "gender", ~known, "female, male or empty")
    _refuse(path, table, "split", ~table["split"].isin(SPLITS), "one of " + ", ".join(SPLITS))
    subjects.add(table)
    table["file"] = [str(path.parent / name) for name in table["file"]]
    return table


def write(table: pd.DataFrame, path: Path) -> None:
    """Write a manifest atomically; `file` must be relative to `path`'s folder."""
    blank = table.astype(object).where(table.notna(), None)
    extra = [str(name) for name in table if name not in COLUMNS]
    write_rows(blank.to_dict("records"), extra, path)


def write_rows(rows: Iterable[Mapping[Any, object]], extra: Sequence[str], path: Path) -> None:
    """Write a manifest atomically, row by row.

    Parameters
    ----------
    rows
        Values by column; what is None or not there is left empty.
    extra
        The columns beside `COLUMNS`.
    path
        The file, to whose folder `file` must be relative.

    Raises
    ------
    InputError
        There is no room for it; an earlier manifest is as it was.
    """
    partial = path.with_suffix(".partial")
    try:
        with partial.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, [*COLUMNS, *extra], lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
        partial.replace(path)
    except OSError as error:
        msg = f"{path}: cannot be written ({error.strerror}). Make room and try again."
        raise InputError(msg) from error


def _refuse(path: Path, table: pd.DataFrame, column: str, bad: pd.Series, want: str) -> None:
    if bad.any():
        row = int(bad.to_numpy().argmax())
        line = int(table.index[row]) + 2
        msg = (
            f"{path}, line {line}: {column} is '{table[column].iloc[row]}', it must be "
            f"{want} ({int(bad.sum())} such lines). Correct or empty the cell."
        )
        raise InputError(msg)


class _Subjects:
    """Who is in which split, in a temporary file: there may be as many people as rows."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._base = sqlite3.connect("")
        self._base.execute(
            "CREATE TABLE seen (subject TEXT, split TEXT, PRIMARY KEY (subject, split))"
        )

    def add(self, table: pd.DataFrame) -> None:
        known = table.loc[table["subject"].notna(), ["subject", "split"]].drop_duplicates()
        self._base.executemany(
            "INSERT OR IGNORE INTO seen VALUES (?, ?)", known.itertuples(index=False, name=None)
        )

    def refuse_leaks(self) -> None:
        """Refuse a person seen in training and in evaluation: it would flatter."""
        shared = self._base.execute(
            "SELECT subject, group_concat(split, ' and ') FROM"
            " (SELECT * FROM seen ORDER BY split) GROUP BY subject HAVING count(*) > 1"
        ).fetchall()
        if shared:
            subject, splits = shared[0]
            msg = (
                f"{self._path}: subject {subject!r} is in the splits {splits} "
                f"({len(shared)} such subjects). Put each subject into one split, or draw them "
                "anew with `agegender data split`."
            )
            raise InputError(msg)
