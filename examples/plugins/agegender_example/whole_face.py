"""A face detector for pictures that are one face each, upright and cut out roughly."""

import numpy as np
from numpy.typing import NDArray

from agegender_vision.detector import Detection
from agegender_vision.runtime import Runtime

LANDMARKS = np.array([(0.31, 0.30), (0.70, 0.30), (0.5, 0.53), (0.32, 0.7), (0.68, 0.7)])
"""Where eyes, nose and mouth corners are taken to be, as fractions of the sides."""


class WholeFace:
    """Takes the whole picture for a face; needs no network."""

    def __init__(self, *, runtime: Runtime, min_face_size: int) -> None:
        del runtime  # nothing to execute
        self._min_face_size = min_face_size

    def detect(
        self, image: NDArray[np.uint8], *, min_face_size: int | None = None
    ) -> list[Detection]:
        """Find the face, unless the picture is smaller than the smallest face."""
        height, width = image.shape[:2]
        if min(height, width) < (min_face_size or self._min_face_size):
            return []
        landmarks = (LANDMARKS * (width, height)).astype(np.float32)
        return [Detection((0, 0, width, height), score=1.0, landmarks=landmarks)]
