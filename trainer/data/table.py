"""Tables of labels, as the authors of data sets publish them."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from trainer.errors import InputError


def read_table(path: Path, columns: set[str], *, separator: str = ",") -> pd.DataFrame:
    """Read a table with a header.

    Parameters
    ----------
    path
        The file.
    columns
        Those that it must have.
    separator
        Between cells.

    Returns
    -------
    pandas.DataFrame
        All columns of the file, all cells as text.

    Raises
    ------
    InputError
        It cannot be read as a table, lacks a column, or a line has more cells than the header.
    """
    try:
        table = pd.read_csv(path, sep=separator, dtype=str, keep_default_na=False)
    except (OSError, ValueError, MemoryError) as error:
        msg = f"{path}: not a readable table ({error!s:.200}). Download the file again."
        raise InputError(msg) from error
    refuse_long_lines(path, table)
    if missing := columns - set(table):
        msg = f"{path}: column {min(missing)!r} is missing. Download the file again."
        raise InputError(msg)
    # Of a line with too few cells the others are missing, whatever was asked for.
    return table.fillna("")


def refuse_long_lines(path: Path, table: pd.DataFrame) -> None:
    """Raise InputError if lines have more cells than the header: pandas makes an index of them."""
    if not isinstance(table.index, pd.RangeIndex):
        msg = f"{path}: the lines have more cells than the header. Correct the first lines."
        raise InputError(msg)
