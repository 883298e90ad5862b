"""The plugin that the documentation shows, installed as a package."""

import shutil
import tomllib
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from agegender_vision.census import GENDER_CONFIDENCE
from agegender_vision.engine import Engine, detectors

EXAMPLE = Path(__file__).parents[2] / "examples" / "plugins"


@pytest.fixture
def example_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What an installer leaves of the example, as its pyproject.toml says."""
    project = tomllib.loads((EXAMPLE / "pyproject.toml").read_text("utf-8"))["project"]
    shutil.copytree(EXAMPLE / "agegender_example", tmp_path / "agegender_example")
    information = tmp_path / "example.dist-info"
    information.mkdir()
    (information / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    )
    (information / "entry_points.txt").write_text(
        "\n".join(
            line
            for group, entries in project["entry-points"].items()
            for line in (f"[{group}]", *(f"{name} = {value}" for name, value in entries.items()))
        )
    )
    monkeypatch.syspath_prepend(tmp_path)


@pytest.mark.usefixtures("example_installed")
def test_the_example_judges_a_face_that_was_cut_out(astronaut: NDArray[np.uint8]) -> None:
    ((found, estimate),) = Engine.load().analyze(astronaut)
    left, top, width, height = (round(value) for value in found.box)
    cut_out = astronaut[top : top + height, left : left + width]

    assert "whole-face" in detectors.names()
    ((face, again),) = Engine.load(detector="whole-face").analyze(cut_out)
    assert list(face.box) == [0, 0, width, height]
    assert again.p_female > 1 - GENDER_CONFIDENCE  # cut out roughly, it may be in doubt
    assert estimate.age_low < again.age < estimate.age_high


@pytest.mark.usefixtures("example_installed")
def test_the_example_finds_no_face_in_a_picture_smaller_than_one() -> None:
    assert not Engine.load(detector="whole-face").analyze(np.zeros((30, 30, 3), np.uint8))
