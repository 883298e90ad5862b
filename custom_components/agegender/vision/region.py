"""The part of a picture that is looked at."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LEAST_SIDE = 0.1
"""Shortest side of a region, as a fraction of the picture's."""


@dataclass(frozen=True, slots=True)
class Region:
    """A rectangle, as fractions of the picture from its upper left corner.

    Parameters
    ----------
    left, top, right, bottom
        From 0 to 1; by default the whole picture.

    Raises
    ------
    ValueError
        It reaches beyond the picture, or a side is shorter than `LEAST_SIDE`.
    """

    left: float = 0.0
    top: float = 0.0
    right: float = 1.0
    bottom: float = 1.0

    def __post_init__(self) -> None:
        """Check the sides."""
        for start, end in ((self.left, self.right), (self.top, self.bottom)):
            # Written so that NaN fails; percentages leave rounding errors.
            if not (start >= 0 and end <= 1 and end - start >= LEAST_SIDE - 1e-9):
                raise ValueError(
                    f"a region goes from left to right and from top to bottom, at least "
                    f"{LEAST_SIDE:.0%} of the picture each, got {self}"
                )

    def corner(self, width: int, height: int) -> tuple[int, int]:
        """Return the pixel (x, y) at which it begins, in a picture of that size."""
        return round(self.left * width), round(self.top * height)

    def cut(self, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return its part of a picture, (H, W) or (H, W, 3), as a view."""
        height, width = picture.shape[:2]
        left, top = self.corner(width, height)
        return picture[top : round(self.bottom * height), left : round(self.right * width)]

    def coverage(self, cells: int = 3) -> list[list[float]]:
        """Return how much of each cell of a grid over the picture it covers.

        Parameters
        ----------
        cells
            Along each side.

        Returns
        -------
        list of list of float
            From 0 to 1; the upper row first, each from the left.

        Examples
        --------
        >>> Region(left=0.5).coverage(2)
        [[0.0, 1.0], [0.0, 1.0]]
        """
        return [
            [
                _overlap(self.left, self.right, column, cells)
                * _overlap(self.top, self.bottom, row, cells)
                for column in range(cells)
            ]
            for row in range(cells)
        ]


def _overlap(start: float, end: float, cell: int, cells: int) -> float:
    return min(max(min(end * cells - cell, 1.0) - max(start * cells - cell, 0.0), 0.0), 1.0)
