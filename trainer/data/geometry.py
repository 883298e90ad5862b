"""Where the parts of a face lie in the images that manifests list."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from agegender_vision.align import CropGeometry, align

GEOMETRY = CropGeometry(
    left_eye=(0.306, 0.296),
    right_eye=(0.701, 0.297),
    nose=(0.50, 0.53),
    mouth_left=(0.32, 0.70),
    mouth_right=(0.68, 0.70),
)
"""Where the landmarks lie in the faces of our manifests, as fractions of the side."""


def centre(share: float) -> CropGeometry:
    """Return where the landmarks lie in the middle of a face, `share` of its side wide."""
    points = ((GEOMETRY.points(1) - 0.5) / share + 0.5).round(6).tolist()
    left_eye, right_eye, nose, mouth_left, mouth_right = ((x, y) for x, y in points)
    return CropGeometry(left_eye, right_eye, nose, mouth_left, mouth_right)


def aligned(
    face: NDArray[np.uint8], size: int, geometry: CropGeometry = GEOMETRY
) -> NDArray[np.uint8]:
    """Bring a face that is aligned already to another size, by the engine's own resampling.

    Parameters
    ----------
    face
        RGB (H, W, 3), cut to :data:`GEOMETRY`.
    size
        Side of the result in pixels.
    geometry
        Where the landmarks are to lie in it.

    Returns
    -------
    numpy.ndarray
        uint8 (size, size, 3).
    """
    height, width = face.shape[:2]
    return align(face, GEOMETRY.points(1) * (width, height) - 0.5, geometry, size)
