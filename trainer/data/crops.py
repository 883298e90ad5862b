"""Crops of a face somewhat larger than what a network sees."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]


def random_crop(face: Image, size: int, random: np.random.Generator) -> Image:
    """Return a square of a face (S, S, 3) from anywhere, (size, size, 3)."""
    top, left = random.integers(0, len(face) - size + 1, 2)
    return face[top : top + size, left : left + size]


def ten_crops(face: Image, size: int) -> Image:
    """Return the middle, the four corners, and their mirror images (10, size, size, 3).

    Krizhevsky, Sutskever and Hinton, NeurIPS 2012.
    """
    end = len(face) - size
    places = ((end // 2, end // 2), (0, 0), (0, end), (end, 0), (end, end))
    plain = np.stack([face[top : top + size, left : left + size] for top, left in places])
    return np.concatenate([plain, plain[:, :, ::-1]])
