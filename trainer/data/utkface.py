"""UTKFace: the labels are in the names, `[age]_[gender]_[race]_[date&time].jpg`.

Zhang, Song and Qi, "Age progression/regression by conditional adversarial autoencoder",
CVPR 2017.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from trainer.data import pack
from trainer.data.sample import Rejected, Sample, files
from trainer.errors import InputError

GENDERS = ("male", "female")
GROUPS = ("White", "Black", "Asian", "Indian", "Others")
_NAME = re.compile(r"(\d+)_([01])_([0-4])_\d+.*jpg", re.IGNORECASE)


def samples(source: Path) -> Iterator[Sample | Rejected]:
    """Yield the faces of a folder, at any depth: the cropped, the aligned or the original ones.

    A few of the published names lack the gender or the race; they are rejected, because
    what is left does not say which. A pack with UTKFace's faces is read too.
    """
    if (source / pack.INDEX).is_file():
        yield from pack.Pack("utkface").samples(source)
        return
    found = False
    for file in files(source):
        name = _NAME.fullmatch(Path(file).name)
        if name is None:
            yield Rejected(file, "the name is not [age]_[gender]_[race]_[date&time].jpg")
            continue
        found = True
        years = float(name[1])
        yield Sample(
            file,
            age=(years, years),
            gender=GENDERS[int(name[2])],
            place="centre",
            attributes={"group": GROUPS[int(name[3])]},
        )
    if not found:
        msg = (
            f"{source}: holds no file named like UTKFace's, such as "
            "26_0_2_20170104023102422.jpg. --source must be the folder with its pictures."
        )
        raise InputError(msg)
