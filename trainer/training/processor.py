"""How a training makes the most of a processor."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # of mallopt(3)


def jit_compile() -> bool | Literal["auto"]:
    """Return what a model is to be compiled with: True by XLA, "auto" as Keras chooses.

    On a processor TensorFlow's own kernels train faster than those XLA makes.
    """
    import keras  # noqa: PLC0415  (see :func:`prepare`)

    if keras.backend.backend() != "tensorflow":
        return "auto"
    import tensorflow as tf  # noqa: PLC0415  (absent where Keras runs on another backend)

    return "auto" if tf.config.list_physical_devices("GPU") else False


@contextmanager
def computing_in(precision: str) -> Iterator[None]:
    """Let layers that are made inside compute in `precision`, such as "bfloat16".

    Their weights stay float32 (Micikevicius et al., ICLR 2018), so that a network of another
    precision takes them as they are. bfloat16 has float32's range: no loss is scaled.
    """
    import keras  # noqa: PLC0415  (see :func:`prepare`)

    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(precision if precision == "float32" else f"mixed_{precision}")
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def prepare() -> None:
    """Make training fast; to be called before Keras is imported."""
    # TensorFlow leaves oneDNN to processors with AVX-512 unless asked; one with AVX2 alone
    # trains much faster with it, too: see benchmarks/kernels.py.
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    _keep_freed_memory()


def _keep_freed_memory() -> None:
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
