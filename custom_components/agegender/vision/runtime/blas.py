"""Keeps NumPy's matrix products on the calling thread.

OpenBLAS splits a product over all cores and waits for each of them. Where something
else runs beside it, as in any Home Assistant, the slowest core decides: many small
products then took twenty times as long as on one thread.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from importlib import import_module

# OpenBLAS as in NumPy's own wheels, and as distributions build it.
_NAMES = (
    "scipy_openblas_{}_num_threads64_",
    "scipy_openblas_{}_num_threads",
    "openblas_{}_num_threads64_",
    "openblas_{}_num_threads",
)


@contextmanager
def one_thread() -> Iterator[None]:
    """Multiply on one thread inside the block; does nothing without OpenBLAS.

    The setting is the process's, so it is put back afterwards.
    """
    get, put = _controls()
    before = get()
    put(1)
    try:
        yield
    finally:
        put(before)


def thread_count() -> int:
    """Return how many threads a matrix product may use; 1 without OpenBLAS."""
    return _controls()[0]()


@cache
def _controls() -> tuple[Callable[[], int], Callable[[int], object]]:
    # Looking a symbol up in NumPy's extension looks in the libraries it is linked to.
    path = import_module("numpy._core._multiarray_umath").__file__
    try:
        library = ctypes.CDLL(path)
    except OSError:
        return lambda: 1, lambda _: None
    for name in _NAMES:
        try:
            return library[name.format("get")], library[name.format("set")]
        except AttributeError:
            continue
    return lambda: 1, lambda _: None
