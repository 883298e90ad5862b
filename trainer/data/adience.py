"""Adience: five published folds, one table each, and a folder of faces for each album.

Eidinger, Enbar and Hassner, "Age and gender estimation of unfiltered faces", IEEE TIFS
9(12), 2014. The split files that are often used instead are those of Levi and Hassner,
"Age and gender classification using convolutional neural networks", CVPR workshops 2015.
"""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from trainer.data import sample
from trainer.data.sample import LabelError, Rejected, Sample
from trainer.data.table import read_table
from trainer.errors import InputError

FOLDS = 5
BANDS = ((0, 2), (4, 6), (8, 12), (15, 20), (25, 32), (38, 43), (48, 53), (60, 100))
"""The benchmark's eight classes of age."""
MISSPELT = {"(25, 23)": "(25, 32)"}
"""Bands that are no bands as they stand; any other such label is rejected."""
SPLITS = {0: "test", 1: "val"}
"""A fold's split when nothing else is asked for; a cross-validation takes the column `fold`."""
LEVI_HASSNER = "train_val_txt_files_per_fold.tar.gz"
_COLUMNS = {"user_id", "original_image", "face_id", "age", "gender"}
PICTURES = ("aligned/{user_id}/landmark_aligned_face.", "faces/{user_id}/coarse_tilt_aligned_face.")


def samples(source: Path) -> Iterator[Sample | Rejected]:
    """Yield each face once, in the order of the folds, with what is known of age and gender.

    Parameters
    ----------
    source
        Folder with `fold_0_data.txt` to `fold_4_data.txt` and the folder `aligned`, or
        else `faces`, of pictures. Who is meant by `face_id` becomes the subject.

    Notes
    -----
    The published label files are older than the classes of age: beside the eight bands they
    hold other bands, single years, and `None`. A band stays the interval it is, a year is
    exact, `None` is unknown. The column `band` has the class of the benchmark, for the faces
    that have one there: those whose label is one of the eight bands to the letter.
    """
    prefix = PICTURES[0] if (source / "aligned").is_dir() else PICTURES[1]
    seen: dict[str, tuple[str, str]] = {}
    for row in labels(source).to_dict("records"):
        name = f"{row['face_id']}.{row['original_image']}"
        file = f"{prefix.format(user_id=row['user_id'])}{name}"
        said = (row["age"], row["gender"])
        if file in seen:
            again = "again" if seen[file] == said else "again, with other labels"
            yield Rejected(f"{file} (line {row['line']})", f"listed {again}")
            continue
        seen[file] = said
        try:
            years = age(row["age"])
        except LabelError as error:
            yield Rejected(file, str(error))
            continue
        yield Sample(
            file,
            age=years,
            gender=sample.GENDERS.get(row["gender"]),  # `u` and empty: could not be told
            subject=row["face_id"],
            split=SPLITS.get(row["fold"], "train"),
            place="centre",
            attributes={"fold": row["fold"], "band": band(row["age"])},
        )


def age(text: str) -> tuple[float, float] | None:
    """Read an age as Adience spells it: `(25, 32)`, `35`, or `None`.

    Raises
    ------
    LabelError
        It is none of these.
    """
    return None if text == "None" else sample.age(MISSPELT.get(text, text))


def band(text: str) -> str | None:
    """Return the benchmark's class of age, such as `25-32`; None if the label is no class."""
    return next((f"{low}-{high}" for low, high in BANDS if text == f"({low}, {high})"), None)


def labels(source: Path) -> pd.DataFrame:
    """Read the five tables, as they are: all columns are text but `fold` and `line`.

    Raises
    ------
    InputError
        A table is missing, cannot be read or lacks a column.
    """
    tables = []
    for fold in range(FOLDS):
        path = source / f"fold_{fold}_data.txt"
        if not path.is_file():
            msg = f"{path}: no such file. --source must be the folder with the five of them."
            raise InputError(msg)
        found = read_table(path, _COLUMNS, separator="\t")
        tables.append(found.assign(fold=fold, line=range(2, len(found) + 2)))
    return pd.concat(tables, ignore_index=True)


@dataclass(frozen=True)
class Count:
    """One number of the label files, and the published one if there is any."""

    what: str
    found: int
    published: int | None = None


def counts(source: Path) -> list[Count]:
    """Count the label files, and show how each published number comes about.

    Parameters
    ----------
    source
        As for `samples`; the pictures are not needed. With Levi and Hassner's
        `train_val_txt_files_per_fold.tar.gz` in it, theirs are counted too.
    """
    table = labels(source)
    picture = table["user_id"] + "/" + table["face_id"] + "." + table["original_image"]
    gendered = table["gender"].isin(["f", "m"])
    aged = table["age"] != "None"
    banded = table["age"].map(band).notna()
    both = aged & gendered
    folds = table.groupby("face_id")["fold"].nunique()
    complete = picture[both & banded]
    found = [
        Count("rows, one for each face", len(table), 19_487),
        Count("  of which repeat an earlier row", int(picture.duplicated().sum())),
        Count("  so there are pictures of faces", picture.nunique()),
        Count("subjects", table["face_id"].nunique(), 2_284),
        Count("subjects in more than one fold", int(folds.gt(1).sum())),
        Count("spellings of an age", table["age"].nunique()),
        Count("rows labelled f", int((table["gender"] == "f").sum()), 9_411),
        Count("rows labelled m", int((table["gender"] == "m").sum()), 8_192),
        Count("rows labelled u, or without gender", int((~gendered).sum())),
        Count("rows with age None", int((~aged).sum())),
        Count("rows with one of the eight bands", int(banded.sum())),
        Count("rows with a single year or another band", int((aged & ~banded).sum())),
        Count("rows with both an age and f or m", int(both.sum())),
        Count("  less those with a year or another band", -int((both & ~banded).sum())),
        Count("  less those that repeat a picture", -int(complete.duplicated().sum())),
        Count("  pictures with both labels", complete.nunique(), 16_156),
    ]
    if (source / LEVI_HASSNER).is_file():
        ages, genders = (_levi_hassner(source / LEVI_HASSNER, kind) for kind in ("age", "gender"))
        shared = ages & genders
        found += [
            Count("Levi and Hassner: pictures with an age", len(ages)),
            Count("Levi and Hassner: pictures with a gender", len(genders)),
            Count("Levi and Hassner: pictures with both", len(shared), 16_156),
            Count("  of which ours have both", len(shared & set(complete))),
        ]
    return found


def _levi_hassner(path: Path, kind: str) -> set[str]:
    """Return the pictures, `album/face_id.image`, that the split files of one kind name."""
    named = set()
    with tarfile.open(path) as archive:
        for member in archive:
            if Path(member.name).name.startswith(f"{kind}_") and (
                content := archive.extractfile(member)
            ):
                lines = content.read().decode().splitlines()
                named |= {line.split()[0].replace("landmark_aligned_face.", "") for line in lines}
    return named
