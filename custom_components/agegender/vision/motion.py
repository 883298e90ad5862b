"""Whether a camera's frame is worth looking at: something moved, or it is time to."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from .detector import Box

Thumbnail = NDArray[np.uint8]  # (h, w), grey
Mask = NDArray[np.bool_]  # (h, w), of a thumbnail's cells
_SIZES = 4  # enough to know how much noise changes what a still scene compresses to


class MotionGate:
    """Lets a frame pass if it differs from the last one that passed.

    Compared is with that frame, not with a background learnt over time: what is still
    as it was then would be judged as it was then, and slow motion adds up until it
    counts. A change of light all at once, as when a camera switches to infrared, passes
    once.

    Parameters
    ----------
    threshold
        Least change, in grey levels of the mean over nine cells of a thumbnail.
    further
        How many frames pass after the last one that differed.
    still_seconds
        The longest time that none passes.
    """

    def __init__(self, threshold: float, further: int, still_seconds: float) -> None:
        """Start open."""
        self._threshold = threshold
        self._further = further
        self._still_seconds = still_seconds
        self._passed: Thumbnail | None = None
        self._passed_at = -math.inf
        self._due = 0
        self.moved: Mask | None = None
        """Where the last frame differed; None if there was nothing to compare it with."""

    def passes(self, small: Thumbnail, time: float) -> bool:
        """Tell whether to look at the frame of this thumbnail, taken at ``time`` (seconds)."""
        before, self.moved = self._passed, None
        if before is not None and before.shape == small.shape:
            self.moved = changes(before, small, self._threshold)
        if self.moved is None or self.moved.any():
            self._due = self._further + 1
        if not self._due and time - self._passed_at < self._still_seconds:
            return False
        self._due = max(0, self._due - 1)
        self._passed, self._passed_at = small, time
        return True


class SizeGate:
    """Lets a frame go unopened if its file is as long as a still scene's have been.

    What a picture compresses to hardly depends on a sensor's noise, and a lot on what comes
    into view. But not always, and some cameras fill all files to one length: so that this
    delays a glance, by less than the time that is given, and replaces none.

    Parameters
    ----------
    seconds
        From a glance on, the time in which frames may be let go; 0 for none.
    """

    def __init__(self, seconds: float) -> None:
        """Start without anything known, which lets no frame go."""
        self._seconds = seconds
        self._sizes: deque[int] = deque(maxlen=_SIZES)
        self._glanced_at = -math.inf

    def lets_go(self, size: int, time: float) -> bool:
        """Tell whether a file of ``size`` bytes, taken at ``time`` (seconds), needs no glance."""
        if len(self._sizes) < _SIZES or time - self._glanced_at >= self._seconds:
            return False
        least, most = min(self._sizes), max(self._sizes)
        # Four values of a normal distribution span two of its standard deviations.
        margin = most - least
        return least - margin <= size <= most + margin

    def glanced(self, size: int, time: float, *, still: bool) -> None:
        """Learn the size of a file that was glanced at, and whether anything moved there."""
        if not still:
            self._sizes.clear()
        self._sizes.append(size)
        self._glanced_at = time


def changes(before: Thumbnail, now: Thumbnail, threshold: float) -> Mask:
    """Tell in which cells two thumbnails differ.

    What all cells have in common, up to the threshold, is light and no motion. Means over
    three by three cells are compared: a cell is a mean of some 64 pixels already, so that
    little is left of noise and compression, while a face is several cells wide.

    Parameters
    ----------
    before, now
        (h, w), uint8, of the same shape.
    threshold
        Least change that counts, in grey levels.

    Returns
    -------
    ndarray
        (h, w), bool; False along the edges, which have no nine cells around.
    """
    difference = np.subtract(now, before, dtype=np.int16)
    # The median of every fourth cell each way; all of them, and np.median's own care,
    # would take as long as all the rest.
    some = np.sort(difference[::4, ::4], axis=None)
    light = min(max(float(some[some.size // 2]), -threshold), threshold)
    rows = difference[:-2] + difference[1:-1] + difference[2:]
    sums = rows[:, :-2] + rows[:, 1:-1] + rows[:, 2:]
    mask = np.zeros(now.shape, bool)
    np.greater(np.abs(sums - np.int16(9 * light)), 9 * threshold, out=mask[1:-1, 1:-1])
    return mask


def outside(mask: Mask, boxes: Iterable[Box]) -> bool:
    """Tell whether any marked cell lies outside all boxes, which are in cells."""
    rest = mask.copy()
    for left, top, width, height in boxes:
        rows = slice(max(0, math.floor(top)), max(0, math.ceil(top + height)))
        columns = slice(max(0, math.floor(left)), max(0, math.ceil(left + width)))
        rest[rows, columns] = False
    return bool(rest.any())
