"""An image at ever smaller sizes, averaged exactly, by matrix products.

Each cell of a smaller image is the mean of the part of the image it covers, fractions of
pixels included. Rows and columns separate, and a few neighbouring cells cover a few
neighbouring pixels: so a level is some tens of small products with matrices that depend
on the sizes alone, and a camera's frames are all of one size.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .runtime.blas import one_thread
from .scratch import Scratch

PLANE = "plane"  # the largest scratch memory, free again after `levels`

_BAND_ROWS = 4  # cells averaged by one product: fewer means more calls,
_BAND_COLUMNS = 16  # more means more zeros among the weights


class _Band(NamedTuple):
    """The weights by which the cells ``cells`` average the pixels ``pixels``."""

    cells: slice
    pixels: slice
    weights: NDArray[np.float32]  # (cells, pixels)


def levels(
    image: NDArray[np.uint8], scales: Sequence[float], scratch: Scratch
) -> list[tuple[NDArray[np.float32], float]]:
    """Make the image at each scale.

    Parameters
    ----------
    image
        (H, W, 3), uint8.
    scales
        Each above 0 and at most 1, so large that no side becomes 0.
    scratch
        Memory to work in.

    Returns
    -------
    list of (level, scale)
        Levels are (h, w, 3), float32, values -1..1: the mean pixel less 127.5, by 128;
        ``h`` and ``w`` are rounded down. Valid until the next call.
    """
    height, width = image.shape[:2]
    # One channel at a time: the whole image in floats is the most memory of all.
    plane = scratch.take(PLANE, (height, width))
    made = [
        scratch.take(("level", number), (3, int(height * scale), int(width * scale)))
        for number, scale in enumerate(scales)
    ]
    with one_thread():
        for channel in range(3):
            np.copyto(plane, image[:, :, channel])
            for level in made:
                _average(plane, level[channel], scratch)
        for level in made:
            np.subtract(level, 127.5, out=level)
            np.divide(level, 128, out=level)
    return [(level.transpose(1, 2, 0), scale) for level, scale in zip(made, scales, strict=True)]


def _average(plane: NDArray[np.float32], cells: NDArray[np.float32], scratch: Scratch) -> None:
    """Average a plane (H, W) to cells (h, w)."""
    (height, width), (rows, columns) = plane.shape, cells.shape
    low = scratch.take("low", (rows, width))
    for band in _bands(height, rows, _BAND_ROWS):
        np.matmul(band.weights, plane[band.pixels], out=low[band.cells])
    for band in _bands(width, columns, _BAND_COLUMNS):
        np.matmul(low[:, band.pixels], band.weights.T, out=cells[:, band.cells])


@lru_cache(maxsize=256)
def _bands(pixels: int, cells: int, step: int) -> tuple[_Band, ...]:
    """Return the weights that average a line of ``pixels`` into one of ``cells``."""
    edges = np.linspace(0, pixels, cells + 1)
    bands = []
    for start in range(0, cells, step):
        stop = min(start + step, cells)
        first, last = int(edges[start]), min(int(np.ceil(edges[stop])), pixels)
        pixel = np.arange(first, last)
        inside = np.minimum(edges[start + 1 : stop + 1, None], pixel + 1) - np.maximum(
            edges[start:stop, None], pixel
        )
        weights = (inside.clip(0) * (cells / pixels)).astype(np.float32)
        bands.append(_Band(slice(start, stop), slice(first, last), weights))
    return tuple(bands)
