"""Who is who by embedding distance: figures worked out by hand, and the commands."""

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image, ImageOps

from trainer.data import manifest
from trainer.errors import InputError
from trainer.evaluation import verification
from trainer.evaluation.verification import identify, pairs, roc, wrong_elsewhere

from .conftest import ASTRONAUT, HOPPER, NO_FACE, ROOT, agegender

MODEL = ROOT / "models" / "research"


def test_the_curve_of_four_pairs() -> None:
    """Nearest first: one person, strangers, one person, strangers."""
    curve = roc(np.array([0.3, 0.1, 0.2, 0.4]), np.array([True, True, False, False]))
    assert curve.false_accepts.tolist() == [0, 0, 0.5, 0.5, 1]
    assert curve.true_accepts.tolist() == [0, 0.5, 0.5, 1, 1]
    assert curve.area == 0.75
    assert curve.equal == (0.5, 0.25)
    assert curve.accepted(0.1) == 0.5
    assert curve.accepted(0.5) == 1.0


def test_errors_are_equal_between_two_thresholds() -> None:
    """At 0.25 no stranger and two thirds are accepted; at 0.35 one stranger of two."""
    distance = np.array([0.1, 0.2, 0.4, 0.3, 0.5])
    curve = roc(distance, np.array([True, True, True, False, False]))
    rate, threshold = curve.equal
    # FAR rises from 0 to 1/2 while FRR stays 1/3: they meet two thirds of the way.
    assert rate == pytest.approx(1 / 3)
    assert threshold == pytest.approx(0.25 + 2 / 3 * 0.1)


def test_perfect_and_meaningless_distances() -> None:
    same = np.array([True, True, False])
    perfect, meaningless = roc(np.array([0.1, 0.2, 0.9]), same), roc(np.ones(3), same)
    assert (perfect.equal[0], perfect.area, perfect.accepted(0)) == (0, 1, 1)
    assert (meaningless.equal[0], meaningless.area, meaningless.accepted(0.1)) == (0.5, 0.5, 0)


def test_a_pair_that_counts_twice_is_as_two_pairs() -> None:
    distance, same = np.array([0.1, 0.2, 0.3]), np.array([True, False, True])
    once = roc(np.append(distance, 0.3), np.append(same, True))
    twice = roc(distance, same, np.array([1.0, 1, 2]))
    assert once.true_accepts.tolist() == twice.true_accepts.tolist()
    assert once.area == twice.area


def test_pairs_are_all_there_are_or_a_fair_draw() -> None:
    people = np.array(["b", "a", "b", "b"], object)
    found = pairs(people)
    both = {(int(i), int(j)): bool(s) for i, j, s in zip(*vars(found).values(), strict=True)}
    stranger = {(0, 1): False, (1, 2): False, (1, 3): False}
    assert both == {(0, 2): True, (0, 3): True, (2, 3): True} | stranger
    few = pairs(np.repeat(np.arange(40), 5), most=100)
    assert np.bincount(few.same).tolist() == [100, 100]
    assert np.array_equal(few.first // 5 == few.second // 5, few.same)


@pytest.mark.parametrize("people", [["a", "a"], ["a", "b"], []])
def test_pairs_of_one_person_and_of_strangers_are_needed(people: list[str]) -> None:
    with pytest.raises(InputError, match=r"two people at least.*FG-NET"):
        pairs(np.array(people, object))


def test_identification_searches_every_face_in_a_gallery_of_one_each() -> None:
    """Ann's faces are alike, both of Ben's look more like Ann's; Cy is there once only."""
    angles = np.radians([0, 0, 90, -30, 200])
    features = np.column_stack([np.cos(angles), np.sin(angles)])
    people = np.array(["ann", "ann", "ben", "ben", "cy"], object)
    # Whichever of Ben's is in the gallery, the other is nearer to Ann's; Ann is always found.
    assert identify(features, people).tolist() == [0.5, 1.0]


def test_the_threshold_is_judged_on_people_it_was_not_chosen_on() -> None:
    """Everybody's faces are at one place, and nobody's near another's."""
    people = np.repeat(np.arange(10), 2)
    found = pairs(people)
    apart = np.where(found.same, 0.1, 0.9)
    assert wrong_elsewhere(apart, found, people) == 0
    assert wrong_elsewhere(1 - apart, found, people) == 1
    assert np.isnan(wrong_elsewhere(apart[:3], pairs(np.array([1, 1, 2])), np.array([1, 1, 2])))


def test_the_interval_is_over_people() -> None:
    rng = np.random.default_rng(0)
    people = np.repeat(np.arange(12), 4)
    features = rng.normal(size=(12, 8))[people] + 1.5 * rng.normal(size=(48, 8))
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    figures, _, _ = verification.judge(features, people)
    assert figures["eer_low"] < figures["eer"] < figures["eer_high"]
    again, _, _ = verification.judge(features, people)
    assert figures == again


@pytest.fixture(scope="module")
def people(two_faces: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two people, each with a second picture: darker, and as in a mirror."""
    folder = tmp_path_factory.mktemp("people")
    rows = []
    for name in ("collins", "hopper"):
        face = Image.open(two_faces / f"{name}.png")
        for number, picture in enumerate((face, ImageOps.mirror(face.point(lambda v: v * 0.9)))):
            picture.save(folder / f"{name}{number}.png")
            label = {"gender": "female", "sha256": "", "split": "test", "subject": name}
            rows.append({"file": f"{name}{number}.png", **label})
    table = pd.DataFrame(rows).assign(age=None, age_low=np.nan, age_high=np.nan)
    manifest.write(table, folder / "manifest.csv")
    return folder


def test_a_threshold_chosen_on_pairs_tells_two_people_apart(
    people: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = tmp_path / "model"
    model.mkdir()
    for name in ("config.toml", "checkpoint.keras", "calibration.json"):
        (model / name).symlink_to(MODEL / name)
    monkeypatch.chdir(people)
    refused = agegender("verify", "collins0.png", "hopper0.png", "--model", model, check=False)
    assert re.search(r"verify-pairs .* or give --threshold", refused.stderr)

    printed = agegender("verify-pairs", model, "--manifest", people).stdout
    assert "4 faces of 2 people: 2 pairs of one person, 4 of strangers" in printed
    figures = json.loads((model / "verification.json").read_text())
    assert (figures["eer"], figures["auc"], figures["rank_1"]) == (0, 1, 1)
    assert (model / "verification.png").stat().st_size > 10_000

    aligned = ("--model", model, "--detector", "none")
    same, other = (
        json.loads(agegender("verify", "collins0.png", second, *aligned).stdout)
        for second in ("collins1.png", "hopper0.png")
    )
    assert same["same"]
    assert not other["same"]
    assert same["distance"] < same["threshold"] < other["distance"]

    ranked = agegender("identify", "hopper1.png", people, *aligned).stdout.splitlines()
    files = [Path(json.loads(line)["file"]).name for line in ranked]
    assert files[:2] == ["hopper1.png", "hopper0.png"]
    assert len(files) == 4


def test_faces_are_found_and_aligned_in_photographs() -> None:
    said = agegender("verify", ASTRONAUT, HOPPER, "--model", MODEL, "--threshold", 0.0)
    answer = json.loads(said.stdout)
    assert not answer["same"]
    assert 0.05 < answer["distance"] < 1


def test_a_picture_without_a_face_is_named() -> None:
    asked = ("verify", ASTRONAUT, NO_FACE, "--model", MODEL, "--threshold", 0.1)
    assert re.search(r"coffee\.png: no face found", agegender(*asked, check=False).stderr)


def test_an_unknown_layer_is_answered_with_those_there_are(people: Path) -> None:
    asked = ("verify-pairs", MODEL, "--manifest", people, "--layer", "neck")
    refused = agegender(*asked, check=False).stderr
    assert re.search(r"'neck'; there are .*encoder.*neck_dense", refused)
