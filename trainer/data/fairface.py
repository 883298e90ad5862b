"""FairFace: two tables of labels beside the folders `train` and `val`.

Karkkainen and Joo, "FairFace: face attribute dataset for balanced race, gender, and age",
WACV 2021.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from trainer.data import pack, sample
from trainer.data.sample import LabelError, Rejected, Sample
from trainer.data.table import read_table
from trainer.errors import InputError

TABLES = {"fairface_label_val.csv": "test", "fairface_label_train.csv": None}
"""The published validation part is what others report on, so it is our test split."""
OLDEST = "more than 70"


def samples(source: Path) -> Iterator[Sample | Rejected]:
    """Yield the faces of both tables, or of the one that is there.

    The column `race` becomes `group`, `service_test` is kept. A pack with FairFace's faces
    is read too.
    """
    if (source / pack.INDEX).is_file():
        yield from pack.Pack("fairface").samples(source)
        return
    tables = {source / name: split for name, split in TABLES.items() if (source / name).is_file()}
    if not tables:
        msg = f"{source}: holds none of {', '.join(TABLES)}. --source must be the folder with them."
        raise InputError(msg)
    for path, split in tables.items():
        for row in read_table(path, {"file", "age", "gender", "race"}).to_dict("records"):
            try:
                years = (70.0, 100.0) if row["age"] == OLDEST else sample.age(row["age"])
                yield Sample(
                    row["file"],
                    age=years,
                    gender=sample.gender(row["gender"]),
                    split=split,
                    place="centre",
                    attributes={
                        "group": row["race"] or None,
                        "service_test": row.get("service_test") or None,
                    },
                )
            except LabelError as error:
                yield Rejected(row["file"], str(error))
