"""What every face detector offers, and where they register."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


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

    box: tuple[float, float, float, float]
    score: float
    landmarks: NDArray[np.float32]


class FaceDetector(Protocol):
    """Finds faces."""

    def detect(self, image: NDArray[np.uint8]) -> list[Detection]:
        """Find the faces of an image (H, W, 3), uint8, RGB; best score first."""
