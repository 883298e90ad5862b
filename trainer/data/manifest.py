"""The manifest: one CSV that lists the labelled faces of one data set.

Columns: `file` (relative to the manifest's folder), `subject` (empty: unknown),
`age` (years) or `age_low` and `age_high` (inclusive years), `gender` (`female`, `male` or
empty), `split` (`train`, `val`, `test`, `unlabeled`), `sha256` of the file, and any other
column, such as `group`, which evaluation can slice by. Empty labels are normal.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from trainer.errors import InputError

COLUMNS = ("file", "subject", "age", "age_low", "age_high", "gender", "split", "sha256")
SPLITS = ("train", "val", "test", "unlabeled")
MAX_AGE = 120.0


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
    path = path / "manifest.csv" if path.is_dir() else path
    if not path.is_file():
        msg = (
            f"{path}: no such manifest. Make one with `agegender data prepare`, "
            "or give the folder that holds manifest.csv."
        )
        raise InputError(msg)
    try:
        text = {"file": str, "subject": str, "gender": str, "split": str, "sha256": str}
        table = pd.read_csv(path, dtype=text)
    except (ValueError, UnicodeDecodeError) as error:
        msg = f"{path}: not a readable CSV file ({error})."
        raise InputError(msg) from error
    missing = [name for name in COLUMNS if name not in table]
    if missing:
        msg = (
            f"{path}: column {missing[0]!r} is missing; the header is "
            f"{', '.join(map(str, table))}. "
            f"A manifest has the columns {', '.join(COLUMNS)}."
        )
        raise InputError(msg)
    for name in ("age", "age_low", "age_high"):
        numbers = pd.to_numeric(table[name], errors="coerce")
        _refuse(path, table, name, table[name].notna() & numbers.isna(), "a number of years")
        _refuse(path, table, name, (numbers < 0) | (numbers > MAX_AGE), f"within 0-{MAX_AGE:g}")
        table[name] = numbers
    table["age_low"] = table["age"].fillna(table["age_low"])
    table["age_high"] = table["age"].fillna(table["age_high"])
    _refuse(path, table, "age_low", table["age_low"] > table["age_high"], "no higher than age_high")
    known = table["gender"].isna() | table["gender"].isin(["female", "male"])
    _refuse(path, table, "gender", ~known, "female, male or empty")
    _refuse(path, table, "split", ~table["split"].isin(SPLITS), "one of " + ", ".join(SPLITS))
    _refuse_leaks(path, table)
    table["file"] = [str(path.parent / name) for name in table["file"]]
    return table


def write(table: pd.DataFrame, path: Path) -> None:
    """Write a manifest atomically; `file` must be relative to `path`'s folder."""
    extra = [name for name in table if name not in COLUMNS]
    partial = path.with_suffix(".partial")
    table[[*COLUMNS, *extra]].to_csv(partial, index=False)
    partial.replace(path)


def _refuse(path: Path, table: pd.DataFrame, column: str, bad: pd.Series, want: str) -> None:
    if bad.any():
        row = int(bad.to_numpy().argmax())
        msg = (
            f"{path}, line {row + 2}: {column} is '{table[column].iloc[row]}', it must be "
            f"{want} ({int(bad.sum())} such lines). Correct or empty the cell."
        )
        raise InputError(msg)


def _refuse_leaks(path: Path, table: pd.DataFrame) -> None:
    """Refuse a person seen in training and in evaluation: it would flatter."""
    splits = table[table["subject"].notna()].groupby("subject")["split"].nunique()
    if (splits > 1).any():
        subject = splits.idxmax()
        found = sorted(table.loc[table["subject"] == subject, "split"].unique())
        msg = (
            f"{path}: subject {subject!r} is in the splits {' and '.join(found)} "
            f"({int((splits > 1).sum())} such subjects). Put each subject into one split."
        )
        raise InputError(msg)
