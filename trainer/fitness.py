"""Whether a face shows enough to be judged."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from agegender_vision.detector import Detection
from agegender_vision.quality import sharpness, turn
from agegender_vision.watch import WatchSettings


def unclear(face: Detection, crop: NDArray[np.uint8]) -> str | None:
    """Tell why a face should not be judged; a camera's faces are held to the same limits.

    Parameters
    ----------
    face
        As it was found.
    crop
        The same face as `Engine.crop` cuts it: (S, S, 3), uint8, RGB.

    Returns
    -------
    str or None
        What the face is, such as "too small"; None if it shows enough.
    """
    limits = WatchSettings()
    if min(face.box[2:]) < limits.least_side:
        return "too small"
    if turn(face.landmarks) > limits.most_turn:
        return "turned too far to the side"
    if sharpness(crop) < limits.least_sharpness:
        return "too blurred"
    return None
