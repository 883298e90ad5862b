"""Accelerators that are broken, each in its own way: NumPy computes, and the reason is told."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from agegender_vision import artefact
from agegender_vision.engine import BUNDLED_MODEL
from agegender_vision.plugins import PluginError
from agegender_vision.runtime import ACCELERATORS, Network, runtimes
from agegender_vision.runtime.choice import AUTO, Choice, choose, names

RUNTIMES = """
import ctypes
from agegender_vision.runtime.numpy_ import NumpyRuntime

class Runtime:
    def __init__(self, name, change):
        self.name = name
        self.change = change

    def compile(self, graph, weights):
        network = NumpyRuntime().compile(graph, weights)
        return lambda batch: tuple(map(self.change, network(batch)))

def crash(answer):
    ctypes.string_at(0)

right = Runtime("right", lambda answer: answer + 1e-6)
wrong = Runtime("wrong", lambda answer: answer * 1.01)
nan = Runtime("nan", lambda answer: answer * float("nan"))
short = Runtime("short", lambda answer: answer[:, :-1])
crashing = Runtime("crashing", crash)
"""


@pytest.fixture(autouse=True)
def other_distribution(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another package that brings runtimes, as an installer leaves it."""
    (tmp_path / "brought.py").write_text(RUNTIMES)
    (tmp_path / "unimportable.py").write_text("raise OSError('libfast.so.1: no such file')\n")
    information = tmp_path / "brought-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: brought\nVersion: 1.0\n")
    brought = [
        f"{name} = brought:{name}" for name in ("right", "wrong", "nan", "short", "crashing")
    ]
    lines = ["[agegender.runtimes]", *brought, "unimportable = unimportable:runtime", ""]
    (information / "entry_points.txt").write_text("\n".join(lines))
    monkeypatch.syspath_prepend(tmp_path)


def compiled(choice: Choice) -> Network:
    model = artefact.load(BUNDLED_MODEL)
    return choice.compile(model.graphs["estimator"], model.weights)


def test_a_runtime_that_agrees_is_used() -> None:
    choice = choose("right")
    compiled(choice)
    assert choice.name == "right"
    assert not choice.rejected


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("unimportable", "failed to load: libfast.so.1: no such file"),
        ("crashing", "it crashed (Segmentation fault)"),
        ("wrong", "differs from NumPy's by"),
        ("nan", "differs from NumPy's by nan"),
        ("short", "has shape"),
    ],
)
def test_a_broken_one_is_not_used_and_the_reason_is_told(name: str, reason: str) -> None:
    choice = choose(name)
    network = compiled(choice)
    assert choice.name == "numpy"
    assert list(choice.rejected) == [name]
    assert reason in choice.rejected[name]
    model = artefact.load(BUNDLED_MODEL)
    size = model.metadata["input"]["size"]
    face = np.linspace(-1, 1, size * size * 3, dtype=np.float32).reshape(1, size, size, 3)
    reference = runtimes.get("numpy").compile(model.graphs["estimator"], model.weights)
    for got, expected in zip(network(face), reference(face), strict=True):
        np.testing.assert_array_equal(got, expected)


def test_numpy_takes_over_from_one_that_fails_in_use(monkeypatch: pytest.MonkeyPatch) -> None:
    choice = choose("right")
    network = compiled(choice)
    assert choice.name == "right"

    def fail(_: object) -> None:
        raise RuntimeError("the device is lost")

    monkeypatch.setattr(runtimes.get("right"), "change", fail)
    model = artefact.load(BUNDLED_MODEL)
    size = model.metadata["input"]["size"]
    face = np.linspace(-1, 1, size * size * 3, dtype=np.float32).reshape(1, size, size, 3)
    reference = runtimes.get("numpy").compile(model.graphs["estimator"], model.weights)
    for _ in range(2):
        for got, expected in zip(network(face), reference(face), strict=True):
            np.testing.assert_array_equal(got, expected)
    assert choice.name == "numpy"
    assert choice.rejected == {"right": "it failed in use (RuntimeError: the device is lost)"}


def test_the_next_best_one_is_used_instead() -> None:
    choice = Choice(["wrong", "right"])
    compiled(choice)
    assert choice.name == "right"
    assert list(choice.rejected) == ["wrong"]


def test_numpy_needs_no_trial() -> None:
    choice = choose("numpy")
    compiled(choice)
    assert choice.name == "numpy"
    assert not choice.rejected


def test_auto_takes_an_accelerator_where_one_is_installed() -> None:
    choice = choose(AUTO)
    compiled(choice)
    installed = [name for name, package in ACCELERATORS.items() if find_spec(package)]
    assert choice.name == (installed or ["numpy"])[0]
    assert not choice.rejected


def test_auto_goes_on_without_accelerators_that_are_broken(tmp_path: Path) -> None:
    (tmp_path / "ncnn.py").write_text("import os, signal; os.kill(os.getpid(), signal.SIGILL)")
    (tmp_path / "ai_edge_litert.py").write_text("raise ImportError('libstdc++.so.6: too old')")
    choice = choose(AUTO)
    compiled(choice)
    assert choice.name == "numpy"
    assert choice.rejected == {
        "litert": "ImportError: libstdc++.so.6: too old",
        "ncnn": "it crashed (Illegal instruction)",
    }


def test_one_that_is_not_installed_is_missed_only_when_asked_for() -> None:
    missing = {name: package for name, package in ACCELERATORS.items() if not find_spec(package)}
    if not missing:
        pytest.skip("every accelerator is installed here")
    for name, package in missing.items():
        choice = choose(name)
        compiled(choice)
        assert choice.rejected == {name: f"the package {package} is not installed"}


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(PluginError, match=r"no runtime is called 'tpu'; there are: .*numpy"):
        choose("tpu")
    assert {AUTO, "numpy", "right"} <= set(names())
