"""FER-2013: one table of emotions and grey pixels, `emotion,pixels,Usage`.

Goodfellow et al., "Challenges in representation learning: a report on three machine learning
contests", ICONIP 2013. It has no ages and no genders: the emotion is a column of the manifest.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from trainer.data.csv_file import table
from trainer.data.sample import LabelError, Rejected, Sample
from trainer.errors import InputError

EMOTIONS = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
"""What the numbers 0 to 6 mean."""
SPLITS = {"Training": "train", "PublicTest": "val", "PrivateTest": "test"}
SIDE = 48
COLUMNS = {"emotion", "pixels", "Usage"}


def samples(source: Path) -> Iterator[Sample | Rejected]:
    """Yield the face of each line, in the order of the table.

    Parameters
    ----------
    source
        `fer2013.csv`, or a folder with that table only.

    Raises
    ------
    InputError
        There is no such table, or its columns are others.
    """
    path = table(source)
    with path.open(newline="", encoding="utf-8-sig") as lines:
        rows = csv.DictReader(lines)
        try:
            names = rows.fieldnames or []
            if not set(names) >= COLUMNS:
                raise InputError(
                    f"{path}: not FER-2013's table, whose header is emotion,pixels,Usage; "
                    f"this one's is {','.join(names)}."
                )
            for number, row in enumerate(rows, start=1):
                file = f"{number:05d}.png"
                try:
                    yield _sample(file, row)
                except LabelError as error:
                    yield Rejected(file, f"{path.name}, line {number + 1}: {error}")
        except (UnicodeDecodeError, csv.Error) as error:
            msg = f"{path}: not a readable CSV file ({error}). Download it again."
            raise InputError(msg) from error


def _sample(file: str, row: dict[str, str | None]) -> Sample:
    emotion, usage = row["emotion"] or "", row["Usage"] or ""
    if emotion not in map(str, range(len(EMOTIONS))):
        raise LabelError(f"emotion {emotion!r} is none of 0 to {len(EMOTIONS) - 1}")
    if usage not in SPLITS:
        raise LabelError(f"Usage {usage!r} is none of {', '.join(SPLITS)}")
    return Sample(
        file,
        split=SPLITS[usage],
        place="aligned",
        attributes={"emotion": EMOTIONS[int(emotion)]},
        data=_png(row["pixels"] or ""),
    )


def _png(pixels: str) -> bytes:
    """Return a picture of grey values that are written one after the other."""
    try:
        values = np.array(pixels.split(), np.uint8)
    except (ValueError, OverflowError) as error:
        raise LabelError(f"the pixels are not whole numbers from 0 to 255 ({error})") from error
    if values.size != SIDE * SIDE:
        raise LabelError(f"{values.size} pixels instead of {SIDE} x {SIDE}")
    file = io.BytesIO()
    Image.fromarray(values.reshape(SIDE, SIDE)).save(file, "PNG")
    return file.getvalue()
