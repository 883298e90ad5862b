"""Which runtime executes the networks: the fastest that answers as NumPy does.

An accelerator is code that we did not write and that may have been built for another
processor. So it is tried in a process of its own first, where it can crash as it likes,
and each network it compiles is then compared with NumPy's, before any frame is seen.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from .. import artefact
from ..graph import Graph, GraphError, Weights
from ..plugins import PluginError
from . import ACCELERATORS, Network, Runtime, runtimes

AUTO = "auto"

TOLERANCE = 1e-3
"""Largest difference from NumPy's answer that is not an error, absolute and relative."""

_REFERENCE = "numpy"
_VISION = Path(__file__).parents[1]
_TRIAL_SECONDS = 120  # a trial takes under a second; a board that is starting has much to do
_TRIAL = """
import json, sys
from importlib.util import module_from_spec, spec_from_file_location

name, folder, sys.path[:] = json.loads(sys.argv[1])
spec = spec_from_file_location(
    "agegender_vision", folder + "/__init__.py", submodule_search_locations=[folder]
)
sys.modules["agegender_vision"] = package = module_from_spec(spec)
spec.loader.exec_module(package)
from agegender_vision.runtime.choice import try_bundled

try_bundled(name)
"""


class RefusedError(Exception):
    """A runtime that cannot be used here; the message says why."""


def names() -> list[str]:
    """Return what `choose` takes: ``auto`` and every runtime, loads nothing."""
    return [AUTO, *runtimes.names()]


def choose(name: str = AUTO) -> Choice:
    """Choose what executes the networks.

    Parameters
    ----------
    name
        A runtime, or ``auto``: the accelerators that are installed, the fastest first.
        NumPy takes the place of what does not work here.

    Raises
    ------
    PluginError
        No runtime has that name.
    """
    if name == AUTO:
        return Choice([key for key, package in ACCELERATORS.items() if find_spec(package)])
    if name == _REFERENCE:
        return Choice([])  # without reading what every installed package offers
    if name not in runtimes.names():
        runtimes.get(name)  # says which there are
    return Choice([name])


class Choice:
    """A runtime that compiles each network with the first accelerator that gets it right.

    Parameters
    ----------
    accelerators
        Names of runtimes, best first. One that fails for one network is not asked again.
    """

    def __init__(self, accelerators: list[str]) -> None:
        """Load nothing yet."""
        self._accelerators = accelerators
        self._rejected: dict[str, str] = {}
        self._used: dict[str, None] = {}
        self._failed: set[str] = set()  # in use, after they had passed every test

    @property
    def name(self) -> str:
        """The runtimes in use, separated by commas; before the first network, NumPy."""
        return ", ".join(name for name in self._used if name not in self._failed) or _REFERENCE

    @property
    def rejected(self) -> Mapping[str, str]:
        """Accelerators that are not used, with the reason as a sentence's end."""
        return MappingProxyType(self._rejected)

    def compile(self, graph: Graph, weights: Weights) -> Network:
        """Prepare a graph for execution."""
        reference = runtimes.get(_REFERENCE).compile(graph, weights)
        for name in tuple(self._accelerators):
            try:
                network = _tried(name).compile(graph, weights)
                _compare(network, reference, graph, weights)
            except Exception as error:  # noqa: BLE001  whatever it raises, NumPy goes on
                self._accelerators.remove(name)
                self._rejected[name] = _said(error)
            else:
                self._used[name] = None
                return self._guarded(name, network, graph, weights)
        self._used[_REFERENCE] = None
        return reference

    def _guarded(self, name: str, network: Network, graph: Graph, weights: Weights) -> Network:
        """Return a network that NumPy takes over as soon as its accelerator fails in use."""
        reserve: Network | None = None

        def run(batch: NDArray[np.float32]) -> tuple[NDArray[np.float32], ...]:
            nonlocal reserve
            if name not in self._failed:
                try:
                    return network(batch)
                except Exception as error:  # noqa: BLE001  whatever it raises, NumPy goes on
                    self._reject_in_use(name, error)
            # Not before: its scratch memory would lie idle.
            if reserve is None:
                reserve = runtimes.get(_REFERENCE).compile(graph, weights)
            return reserve(batch)

        return run

    def _reject_in_use(self, name: str, error: Exception) -> None:
        if name in self._accelerators:
            self._accelerators.remove(name)
        self._failed.add(name)
        self._rejected[name] = f"it failed in use ({_said(error)})"
        self._used[_REFERENCE] = None


def try_bundled(name: str) -> None:
    """Compare a runtime with NumPy on every bundled network; exit with what went wrong.

    The main program of the process in which an accelerator is tried.
    """
    try:
        runtime, reference = runtimes.get(name), runtimes.get(_REFERENCE)
        for description in sorted(_VISION.glob(f"model/*/{artefact.DESCRIPTION}")):
            loaded = artefact.load(description.parent)
            for graph in loaded.graphs.values():
                ours = reference.compile(graph, loaded.weights)
                _compare(runtime.compile(graph, loaded.weights), ours, graph, loaded.weights)
    except Exception as error:  # noqa: BLE001  handed to the parent process
        print(_said(error))  # noqa: T201
        sys.exit(1)


def _tried(name: str) -> Runtime:
    """Return a runtime that a process of its own has survived, once for every process."""
    package = ACCELERATORS.get(name)
    if package and not find_spec(package):
        raise RefusedError(f"the package {package} is not installed")
    if reason := _failure(json.dumps([name, str(_VISION), sys.path])):
        raise RefusedError(reason)
    return runtimes.get(name)


@cache
def _failure(arguments: str) -> str | None:
    """Run a trial; returns why the runtime cannot be used here, or None."""
    try:
        trial = subprocess.run(  # noqa: S603  our own interpreter
            [sys.executable, "-IB", "-c", _TRIAL, arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_TRIAL_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"it did not answer within {_TRIAL_SECONDS} seconds"
    except OSError as error:
        return f"it could not be tried: {error}"
    if trial.returncode < 0:
        number = -trial.returncode
        return f"it crashed ({signal.strsignal(number) or f'signal {number}'})"
    if trial.returncode:
        said = (trial.stdout or trial.stderr).strip().splitlines()
        return said[-1] if said else f"it ended with status {trial.returncode}"
    return None


def _compare(network: Network, reference: Network, graph: Graph, weights: Weights) -> None:
    """Raise unless both networks answer alike, for several sizes where they take them."""
    side = graph.smallest_side(weights)
    random = np.random.default_rng(0)
    for shape in ((2, side, side, 3), (1, 3 * side, 2 * side + 1, 3), (1, side, side, 3)):
        try:
            graph.shapes(weights, *shape[1:3])
        except GraphError:
            continue
        image = random.uniform(-1, 1, shape).astype(np.float32)
        for name, got, expected in zip(
            graph.outputs, network(image), reference(image), strict=True
        ):
            if got.shape != expected.shape:
                raise RefusedError(
                    f"its output {name} has shape {got.shape}, NumPy's {expected.shape}"
                )
            difference = float(np.max(np.abs(got - expected) / (1 + np.abs(expected))))
            if not difference <= TOLERANCE:  # so that NaN fails
                raise RefusedError(f"its output {name} differs from NumPy's by {difference:.2g}")


def _said(error: Exception) -> str:
    own = isinstance(error, (RefusedError, PluginError))
    return str(error) if own else f"{type(error).__name__}: {error}"
