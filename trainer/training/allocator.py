"""Memory that stays with the process from one training step to the next."""

from __future__ import annotations

import ctypes

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # of mallopt(3)


def keep_freed_memory() -> None:
    """Tell glibc to keep freed memory instead of handing it back to the kernel.

    A step frees and takes hundreds of megabytes. By default glibc maps and unmaps each
    large block, and the kernel clears every page anew: on two cores that was half of all
    processor time. Does nothing where the C library is another one.
    """
    try:
        libc = ctypes.CDLL("libc.so.6")
        libc.mallopt(M_MMAP_MAX, 0)
        libc.mallopt(M_TRIM_THRESHOLD, -1)
    except (OSError, AttributeError):
        return
