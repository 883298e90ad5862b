"""Data sets from a pack of aligned faces: an `index.csv` beside zip shards.

The faces are aligned already and their splits are fixed; what remains is to translate
the labels.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from trainer.data import sample
from trainer.data.sample import LabelError, Rejected, Sample
from trainer.data.table import read_table
from trainer.errors import InputError

INDEX = "index.csv"
_COLUMNS = {
    *("source", "split", "shard", "file", "age", "age_lo", "age_hi", "gender", "subject_id"),
    *("race_src", "gender_suspect_p"),
}


@dataclass(frozen=True)
class Pack:
    """One data set inside a pack: the rows of `index.csv` whose `source` is `name`."""

    name: str

    def samples(self, source: Path) -> Iterator[Sample | Rejected]:
        """Yield the faces, those of `test` and `val` first.

        Raises
        ------
        InputError
            `source` is not such a pack, its index cannot be read, or a shard is missing.
        """
        path = source / INDEX
        if not path.is_file():
            msg = f"{path}: no such file. --source must be the folder with {INDEX} and its shards."
            raise InputError(msg)
        index = read_table(path, _COLUMNS)
        index = index[index["source"] == self.name]
        if index.empty:
            msg = f"{path}: holds no rows of source {self.name!r}."
            raise InputError(msg)
        for shard in index["shard"].unique():
            if not (source / shard).is_file():
                msg = f"{source / shard}: no such shard. Copy the pack again."
                raise InputError(msg)
        # So that of two equal pictures the one in training leaves.
        order = index["split"].map({"test": 0, "val": 1}).fillna(2).argsort(kind="stable")
        for row in index.iloc[order].to_dict("records"):
            # A name in a table must not leave the folder.
            file = f"{row['shard']}/{PurePosixPath(row['file']).name}"
            try:
                yield Sample(
                    file,
                    age=_age(row),
                    gender=sample.gender(row["gender"]),
                    subject=row["subject_id"] or None,
                    split=row["split"],
                    place="aligned",
                    attributes={
                        "group": row["race_src"] or None,
                        "gender_suspect": row["gender_suspect_p"] or None,
                    },
                )
            except LabelError as error:
                yield Rejected(file, str(error))


def _age(row: dict[Any, str]) -> tuple[float, float] | None:
    exact = sample.age(row["age"])
    low, high = sample.age(row["age_lo"]), sample.age(row["age_hi"])
    return exact or (low and high and (low[0], high[1]))
