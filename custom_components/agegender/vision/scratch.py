"""Memory that is kept between frames.

Allocating afresh cost more than computing: always on musl, and on glibc wherever the
arrays of a frame together exceed what it keeps for itself.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray


class Scratch:
    """Named buffers that grow to the largest size asked for, and are used again."""

    def __init__(self) -> None:
        """Hold nothing yet."""
        self._buffers: dict[object, NDArray[Any]] = {}

    def take(
        self, key: object, shape: tuple[int, ...], dtype: DTypeLike = np.float32
    ) -> NDArray[Any]:
        """Return an array with what was left in it; valid until the next call with the key."""
        size = math.prod(shape)
        buffer = self._buffers.get(key)
        if buffer is None or buffer.size < size:
            buffer = self._buffers[key] = np.empty(size, dtype)
        return buffer[:size].reshape(shape)
