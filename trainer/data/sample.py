"""What a reader of a data set finds: labelled faces, and files that it cannot use."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from agegender_vision.detector import Box
from trainer.data.manifest import MAX_AGE, SPLITS


@dataclass(frozen=True, slots=True)
class Square:
    """A part of a picture, taken as it is.

    Attributes
    ----------
    across, down
        How far from left to right and from top to bottom it lies, 0 to 1.
    side
        In relation to the picture's shorter side, above 0 up to 1.
    """

    across: float
    down: float
    side: float


Place = Literal["aligned", "centre", "single"] | Box | Square
"""Which face of a picture is the labelled one.

``aligned``: the picture is that face, cut to :data:`trainer.data.geometry.GEOMETRY`;
``centre``: the face nearest to the centre; ``single``: the only one, or by far the largest;
a box (left, top, width, height in pixels): the face nearest to it. A square holds no face.
"""

GENDERS = {"f": "female", "female": "female", "m": "male", "male": "male"}
_BAND = re.compile(r"\(?\s*(\d+)\s*(?:-|,|to)\s*(\d+)\s*\)?")


class LabelError(ValueError):
    """A label that cannot be right; the message is the reason for the list of rejected files."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One labelled face.

    Attributes
    ----------
    file
        Its picture, relative to the data set's folder; may lead into a zip file:
        ``images.zip/0001.jpg``.
    age
        Lowest and highest possible age in years, inclusive and equal where it is known
        exactly; None: unknown.
    gender
        ``female``, ``male``, or None: unknown.
    subject
        Who it is, as any string; None: unknown.
    split
        Where the data set's authors put it; None: to be drawn.
    place
        Which face of the picture is meant.
    attributes
        Further columns of the manifest.
    sha256
        Checksum that the picture must have; None: unknown.
    data
        The encoded picture itself, of a data set that keeps pictures inside of a table; None:
        it is in `file`, which otherwise is only what it will be called.
    """

    file: str
    age: tuple[float, float] | None = None
    gender: str | None = None
    subject: str | None = None
    split: str | None = None
    place: Place = "single"
    attributes: Mapping[str, str | float | None] = field(default_factory=dict)
    sha256: str | None = None
    data: bytes | None = field(default=None, repr=False)

    def fault(self) -> str | None:
        """Tell why this cannot be right, whichever reader made it; None if nothing is wrong."""
        if self.age is not None:
            low, high = self.age
            if not (math.isfinite(low) and math.isfinite(high)):
                return f"age {low:g} is no number of years"
            if not 0 <= low <= high <= MAX_AGE:
                shown = f"{low:g}" if low == high else f"{low:g}-{high:g}"
                return f"age {shown} is impossible (0-{MAX_AGE:g} are possible)"
        if self.gender not in (None, "female", "male"):
            return f"gender {self.gender!r} is neither female nor male"
        if self.split not in (None, *SPLITS):
            return f"split {self.split!r} is none of {', '.join(SPLITS)}"
        if Path(self.file).is_absolute() or ".." in Path(self.file).parts:
            return "the file lies outside of the data set's folder; give a path relative to it"
        return None


@dataclass(frozen=True, slots=True)
class Rejected:
    """A file, or a line of a table, that cannot be used, and why."""

    file: str
    reason: str


def age(text: str) -> tuple[float, float] | None:
    """Read an age: years (``31``), a band (``20-29``, ``(25, 32)``), or empty for unknown.

    Raises
    ------
    LabelError
        It is none of these.
    """
    text = text.strip()
    if not text:
        return None
    if band := _BAND.fullmatch(text):
        low, high = float(band[1]), float(band[2])
        if low > high:
            raise LabelError(f"age band {text!r} ends before it begins")
        return low, high
    try:
        years = float(text)
    except ValueError:
        raise LabelError(f"age {text!r} is neither years nor a band such as 20-29") from None
    if not math.isfinite(years):
        raise LabelError(f"age {text!r} is no number of years; leave it empty if unknown")
    return years, years


def gender(text: str) -> str | None:
    """Read a gender: ``female``, ``f``, ``male``, ``m`` in any case, or empty for unknown.

    Raises
    ------
    LabelError
        It is none of these.
    """
    text = text.strip()
    if not text:
        return None
    try:
        return GENDERS[text.lower()]
    except KeyError:
        raise LabelError(f"gender {text!r} is neither female nor male") from None


def files(source: Path) -> Iterator[str]:
    """Yield all files below a folder, relative to it, in order of name."""
    for folder, folders, names in os.walk(source):
        folders.sort()
        for name in sorted(names):
            yield (Path(folder) / name).relative_to(source).as_posix()
