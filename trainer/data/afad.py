"""AFAD: one folder for each age, in it `111` for male and `112` for female.

Niu, Zhou, Wang, Gao and Hua, "Ordinal regression with multiple output CNN for age
estimation", CVPR 2016.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from trainer.data.sample import Rejected, Sample, files
from trainer.errors import InputError

GENDERS = {"111": "male", "112": "female"}


def samples(source: Path) -> Iterator[Sample | Rejected]:
    """Yield the faces of AFAD-Full or AFAD-Lite, `[age]/[gender]/[number]-[part].jpg`."""
    found = False
    for file in files(source):
        years, gender = (*Path(file).parts[-3:-1], "", "")[:2]
        if Path(file).suffix.lower() != ".jpg":
            yield Rejected(file, "not a picture of this data set, which are .jpg files")
        elif not years.isdecimal() or gender not in GENDERS:
            yield Rejected(file, "the folders are not [age]/111 (male) or [age]/112 (female)")
        else:
            found = True
            age = float(years)
            yield Sample(
                file,
                age=(age, age),
                gender=GENDERS[gender],
                subject=Path(file).stem.partition("-")[0],  # the photo, or its owner's album
                place="centre",
            )
    if not found:
        msg = f"{source}: holds no folders like 18/111 and 18/112. --source must be AFAD's folder."
        raise InputError(msg)
