"""Whether a face shows enough to be judged: how large, how sharp, how frontal it is."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def turn(landmarks: NDArray[np.floating]) -> float:
    """Tell how far a face is turned to a side.

    The distance of the nose from the line through the middle of the eyes and the middle
    of the mouth, in lengths of that line, which turning aside does not shorten: about
    0 from the front and 0.5 in profile.

    Parameters
    ----------
    landmarks
        (5, 2): left eye, right eye, nose, left and right mouth corner, in pixels.
    """
    left_eye, right_eye, nose, mouth_left, mouth_right = landmarks.astype(np.float64)
    eyes, mouth = (left_eye + right_eye) / 2, (mouth_left + mouth_right) / 2
    (down_x, down_y), (nose_x, nose_y) = mouth - eyes, nose - eyes
    square = down_x**2 + down_y**2
    if square == 0:
        return np.inf
    return float(abs(down_x * nose_y - down_y * nose_x) / square)


def sharpness(crop: NDArray[np.uint8]) -> float:
    """Tell how sharp an aligned crop is in its more blurred direction, rows or columns.

    Variance of the second difference over that of the picture: the variance of the
    Laplacian (Pech-Pacheco et al., "Diatom autofocusing in brightfield microscopy: a
    comparative study", ICPR 2000) freed from the contrast, and taken along each axis by
    itself, because motion blurs along one.

    Parameters
    ----------
    crop
        (S, S, 3), uint8, RGB.
    """
    grey = crop.mean(axis=2, dtype=np.float32)
    across, down = (np.diff(grey, 2, axis).var() for axis in (0, 1))
    return float(min(across, down) / max(float(grey.var()), 1.0))
