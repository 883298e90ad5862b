"""Detectors and runtimes by name, our own and those of other packages."""

from pathlib import Path

import pytest

from agegender_vision.engine import detectors
from agegender_vision.mtcnn import Mtcnn
from agegender_vision.plugins import PluginError, Registry
from agegender_vision.runtime import runtimes


def test_our_own() -> None:
    assert "mtcnn" in detectors.names()
    assert detectors.get("mtcnn") is Mtcnn
    assert runtimes.get("numpy").name == "numpy"


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(PluginError, match=r"no runtime is called 'tpu'; there are: .*numpy"):
        runtimes.get("tpu")


def test_a_name_is_taken_once() -> None:
    registry = Registry("colour", {"red": 1})
    registry.register("blue", 2)
    assert registry.names() == ["blue", "red"]
    with pytest.raises(PluginError, match="two colours are called 'red'"):
        registry.register("red", 3)


@pytest.fixture
def other_distribution(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another package, as an installer leaves it."""
    (tmp_path / "lamp.py").write_text("colour = 'yellow'\n")
    (tmp_path / "broken_lamp.py").write_text("raise OSError('no bulb')\n")
    information = tmp_path / "lamp-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: lamp\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text(
        "[agegender.colours]\nlamp = lamp:colour\nbroken = broken_lamp:colour\n"
    )
    monkeypatch.syspath_prepend(tmp_path)


@pytest.mark.usefixtures("other_distribution")
def test_another_package_adds_its_own() -> None:
    registry = Registry("colour", {"red": "red"})
    assert registry.names() == ["broken", "lamp", "red"]
    assert registry.get("lamp") == "yellow"


@pytest.mark.usefixtures("other_distribution")
def test_another_package_that_fails_to_import_is_named() -> None:
    with pytest.raises(PluginError, match=r"'broken' \(broken_lamp:colour\) failed.*no bulb"):
        Registry("colour", {"red": "red"}).get("broken")
