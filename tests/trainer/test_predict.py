"""`agegender predict`: the contract that tools rely on, with the bundled model."""

import json
from pathlib import Path
from typing import Any

import pytest

from .conftest import ASTRONAUT, HOPPER, NO_FACE, agegender

KEYS = ["file", "box", "landmarks", "score", "age", "age_low", "age_high", "band", "p_female"]


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def test_the_two_photographs(tmp_path: Path) -> None:
    agegender("predict", "--output", tmp_path / "out.jsonl", ASTRONAUT, HOPPER)
    astronaut, hopper = read(tmp_path / "out.jsonl")
    assert list(astronaut) == KEYS
    assert astronaut["file"] == str(ASTRONAUT)
    assert 25 <= astronaut["age"] <= 45
    assert astronaut["p_female"] > 0.5
    assert astronaut["age_low"] < astronaut["age"] < astronaut["age_high"]
    assert 55 <= hopper["age"] <= 85
    assert hopper["p_female"] > 0.5
    assert hopper["band"] == "60+" or hopper["age"] < 60
    x, y, width, height = astronaut["box"]
    for landmark_x, landmark_y in astronaut["landmarks"]:
        assert x < landmark_x < x + width
        assert y < landmark_y < y + height


def test_a_bad_file_is_told_and_the_others_are_done(tmp_path: Path) -> None:
    (tmp_path / "broken.jpg").write_bytes(HOPPER.read_bytes()[:3000])
    (tmp_path / "empty.jpg").write_bytes(b"")
    out = tmp_path / "out.jsonl"
    done = agegender("predict", "--output", out, tmp_path, NO_FACE, HOPPER, check=False)
    assert done.returncode == 1
    assert "2 of the files could not be read" in done.stderr
    broken, empty, coffee, hopper = read(out)
    assert broken["error"]
    assert "broken.jpg" in broken["error"]
    assert empty["error"]
    assert coffee == {"file": str(NO_FACE), "faces": 0}
    assert hopper["age"] > 50


def test_aligned_faces_need_no_detector(two_faces: Path) -> None:
    face = two_faces / "hopper.png"
    done = agegender("predict", "--detector", "none", "--bands", "fairface", face)
    (answer,) = [json.loads(line) for line in done.stdout.splitlines()]
    assert list(answer) == KEYS
    assert answer["box"] == [0, 0, 96, 96]
    assert answer["landmarks"] is None
    assert 55 <= answer["age"] <= 85
    assert answer["band"] in {"50-59", "60-69", "70+"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--detector", "magic"), "no detector is called 'magic'; there are: mtcnn"),
        (("--runtime", "magic"), "no runtime is called 'magic'"),
        (("--bands", "magic"), "no age bands are called 'magic'"),
        (("--model", "nowhere"), "nowhere/model.json is missing"),
    ],
)
def test_a_wrong_choice_is_answered_with_a_sentence(
    arguments: tuple[str, ...], message: str
) -> None:
    done = agegender("predict", *arguments, HOPPER, check=False)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr
