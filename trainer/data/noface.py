"""What is no face: squares out of photographs that show none.

For the networks that say so, see :mod:`trainer.models.one_step`: without such pictures to
learn from, a network takes everything for a face.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from trainer.data.folder import SUFFIXES
from trainer.data.sample import Rejected, Sample, Square, files
from trainer.errors import InputError

SQUARES = 24
"""Taken out of each photograph."""
SIDES = (0.15, 1.0)
"""Of the smallest and the largest square, in relation to the photograph's shorter side."""


def samples(source: Path) -> Iterator[Sample | Rejected]:
    """Yield squares of random place and size, always the same, of each picture below `source`.

    A picture is a subject, so that all of its squares come into one split. That nobody is in
    the pictures is the caller's word; no detector is asked. The column `face` says no.

    Raises
    ------
    InputError
        There is no picture.
    """
    found = False
    for file in files(source):
        if Path(file).suffix.lower() not in SUFFIXES:
            yield Rejected(file, f"not a picture ({', '.join(sorted(SUFFIXES))})")
            continue
        found = True
        random = np.random.default_rng(zlib.crc32(file.encode()))
        for _ in range(SQUARES):
            across, down = random.random(2).round(3).tolist()
            side = round(float(random.uniform(*SIDES)), 3)
            yield Sample(
                file,
                subject=file,
                place=Square(across, down, side),
                attributes={"face": "no"},
            )
    if not found:
        msg = f"{source}: holds no picture ({', '.join(sorted(SUFFIXES))})."
        raise InputError(msg)
