"""What every face detector offers, and where they register."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from .plugins import PluginError

Box = tuple[float, float, float, float]  # left, top, width, height, in pixels


@dataclass(frozen=True, slots=True, eq=False)
class Detection:
    """One face in an image.

    Attributes
    ----------
    box
        Left, top, width and height, in pixels, within the image.
    score
        The detector's confidence, 0 to 1.
    landmarks
        (5, 2), float32: left eye, right eye, nose, left and right mouth corner as
        seen in the image (x grows to the right), in pixels, 0 being the centre of
        the first pixel. May lie a little outside the image.
    """

    box: Box
    score: float
    landmarks: NDArray[np.float32]


class FaceDetector(Protocol):
    """Finds faces."""

    def detect(
        self, image: NDArray[np.uint8], *, min_face_size: int | None = None
    ) -> list[Detection]:
        """Find the faces of an image.

        Parameters
        ----------
        image
            (H, W, 3), uint8, RGB.
        min_face_size
            Side of the smallest face to look for, in pixels; None for the one the
            detector was made with.

        Returns
        -------
        list of Detection
            Best score first.

        Raises
        ------
        ValueError
            ``min_face_size`` is less than the detector can find.
        """


@runtime_checkable
class RefiningDetector(FaceDetector, Protocol):
    """Can also follow faces whose places are known roughly, far cheaper than finding them."""

    def refine(self, image: NDArray[np.uint8], boxes: Sequence[Box]) -> list[Detection]:
        """Find the faces near the boxes, best score first; none near one is no error."""


def checked_size(min_face_size: int, smallest: int) -> int:
    """Return the size of the smallest face to look for; ValueError below ``smallest``."""
    if min_face_size < smallest:
        raise ValueError(f"min_face_size is at least {smallest} pixels, got {min_face_size}")
    return min_face_size


def asked_size(min_face_size: int | None, own: int, smallest: int) -> int:
    """Return the size that a call asks for, or the detector's own; errors as `checked_size`."""
    return own if min_face_size is None else checked_size(min_face_size, smallest)


def model_file(detector: str, given: Path | None, variable: str, advice: str) -> Path:
    """Return the model file of a detector that ships without one.

    Parameters
    ----------
    detector
        Who asks.
    given
        The file; None for the one that the environment ``variable`` names.
    variable, advice
        Which environment variable, and what to do where there is no such file.

    Raises
    ------
    PluginError
        There is none.
    """
    named = os.environ.get(variable)
    path = Path(named) if given is None and named else given
    if path is None or not path.is_file():
        found = f"the detector {detector!r} finds no model file{f' {path}' if path else ''}"
        raise PluginError(f"{found}: {advice}")
    return path
