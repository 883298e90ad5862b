"""Runtimes: what executes a `Graph`. One protocol, chosen by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ..graph import Graph, Weights
from ..plugins import Registry
from .litert_ import LitertRuntime
from .ncnn_ import NcnnRuntime
from .numpy_ import NumpyRuntime


class Network(Protocol):
    """A compiled graph. Not safe to call from two threads at once."""

    def __call__(self, batch: NDArray[np.float32]) -> tuple[NDArray[np.float32], ...]:
        """Run the network.

        Parameters
        ----------
        batch
            Images (N, H, W, 3), N at least 1, float32, scaled as the artefact asks.

        Returns
        -------
        tuple of ndarray
            The graph's outputs in its order, float32, (N, H, W, C) or (N, C),
            owned by the caller.
        """


class Runtime(Protocol):
    """Turns graphs into networks."""

    @property
    def name(self) -> str:
        """The name it is registered under."""

    def compile(self, graph: Graph, weights: Weights) -> Network:
        """Prepare a graph for execution."""


runtimes: Registry[Runtime] = Registry(
    "runtime", {"litert": LitertRuntime(), "ncnn": NcnnRuntime(), "numpy": NumpyRuntime()}
)

ACCELERATORS: Mapping[str, str] = {"litert": "ai_edge_litert", "ncnn": "ncnn"}
"""Our compiled runtimes, the fastest first, and the package that each needs."""
