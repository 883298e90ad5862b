"""Logits become ages and genders. The network here is one that can be computed by hand."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from agegender_vision import artefact
from agegender_vision.artefact import ArtefactError
from agegender_vision.estimator import Estimator
from agegender_vision.graph import Graph, Node
from agegender_vision.runtime import runtimes

SIZE = 4
CROP = {
    "left_eye": [0.3, 0.3],
    "right_eye": [0.7, 0.3],
    "nose": [0.5, 0.5],
    "mouth_left": [0.3, 0.7],
    "mouth_right": [0.7, 0.7],
}
METADATA: dict[str, Any] = {
    "name": "by hand",
    "kind": "estimator",
    "licence": "CC0",
    "input": {"size": SIZE, "colour": "RGB", "scale": 1 / 255, "offset": 0.0},
    "crop": CROP,
    "outputs": {
        "age": {"type": "distribution", "support": [10, 13]},
        "gender": {"type": "logit", "positive": "female"},
    },
}
GRAPH = Graph(
    ("image",),
    ("age", "gender"),
    (
        Node("global_average_pool", "mean", ("image",)),
        Node("dense", "age", ("mean",), {"kernel": "age/kernel", "bias": "age/bias"}),
        Node("dense", "gender", ("mean",), {"kernel": "gender/kernel"}),
    ),
)
# Red makes eleven likelier, blue makes female likelier; thirteen is a third as likely.
WEIGHTS = {
    "age/kernel": np.array([[0, 20, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]]),
    "age/bias": np.array([-20, np.log(3), -20, 0]),
    "gender/kernel": np.array([[0], [0], [2]]),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def estimator(folder: Path, **changes: Any) -> Estimator:
    artefact.save(folder, METADATA | changes, {"estimator": GRAPH}, WEIGHTS, half_above=math.inf)
    return Estimator(artefact.load(folder), runtimes.get("numpy"))


def crops(*colours: tuple[int, int, int]) -> NDArray[np.uint8]:
    return np.array(
        [np.broadcast_to(np.array(colour, np.uint8), (SIZE, SIZE, 3)) for colour in colours]
    )


BLACK, RED, BLUE = (0, 0, 0), (255, 0, 0), (0, 0, 255)


def test_the_age_distribution(folder: Path) -> None:
    (black,) = estimator(folder).estimate(crops(BLACK))
    assert black.ages.dtype == np.float32
    np.testing.assert_allclose(black.ages, [0, 0.75, 0, 0.25], atol=1e-6)
    assert black.age == pytest.approx(0.75 * 11 + 0.25 * 13)


def test_the_interval_holds_the_middle_80_percent(folder: Path) -> None:
    (black,) = estimator(folder).estimate(crops(BLACK))
    assert black.age_low == pytest.approx(10.5 + 0.1 / 0.75)
    assert black.age_high == pytest.approx(12.5 + 0.15 / 0.25)


def test_gender(folder: Path) -> None:
    black, blue = estimator(folder).estimate(crops(BLACK, BLUE))
    assert black.p_female == pytest.approx(0.5)
    assert blue.p_female == pytest.approx(1 / (1 + np.exp(-2)))


def test_gender_of_a_model_whose_positive_class_is_male(folder: Path) -> None:
    outputs = METADATA["outputs"] | {"gender": {"type": "logit", "positive": "male"}}
    (blue,) = estimator(folder, outputs=outputs).estimate(crops(BLUE))
    assert blue.p_female == pytest.approx(1 / (1 + np.exp(2)))


def test_further_heads_are_told_to_who_asks(folder: Path) -> None:
    graph = Graph(
        GRAPH.inputs,
        (*GRAPH.outputs, "hat", "colour", "height"),
        (
            *GRAPH.nodes,
            *(Node("dense", name, ("mean",), {"kernel": name}) for name in ("hat", "colour")),
            Node("dense", "height", ("mean",), {"kernel": "hat"}),
        ),
    )
    weights = WEIGHTS | {"hat": np.array([[4], [0], [0]]), "colour": np.eye(3) * 2}
    outputs = METADATA["outputs"] | {
        "hat": {"type": "logit", "positive": "yes"},
        "colour": {"type": "classes", "labels": ["red", "green", "blue"], "smoothing": 0.03},
        "height": {"type": "metres"},  # of a later version
    }
    metadata = METADATA | {"outputs": outputs, "calibration": {"hat_temperature": 2}}
    artefact.save(folder, metadata, {"estimator": graph}, weights, half_above=math.inf)
    loaded = artefact.load(folder)
    model = Estimator(loaded, runtimes.get("numpy"), attributes=True)
    black, red = (one.attributes for one in model.estimate(crops(BLACK, RED)))
    assert black == {
        "hat": {"yes": 0.5},
        "colour": pytest.approx({"red": 1 / 3, "green": 1 / 3, "blue": 1 / 3}),
    }
    assert red["hat"]["yes"] == pytest.approx(1 / (1 + np.exp(-2)))
    assert red["colour"]["red"] == pytest.approx((np.exp(2) / (np.exp(2) + 2) - 0.01) / 0.97)

    (unasked,) = Estimator(loaded, runtimes.get("numpy")).estimate(crops(RED))
    assert unasked.attributes == {}


def test_a_model_may_be_shown_the_mirror_image_too(tmp_path: Path) -> None:
    # Female is what is bright at the top left.
    graph = Graph(
        ("image",),
        ("age", "gender"),
        (
            Node("flatten", "pixels", ("image",)),
            Node("dense", "age", ("pixels",), {"kernel": "age/kernel"}),
            Node("dense", "gender", ("pixels",), {"kernel": "gender/kernel"}),
        ),
    )
    corner = np.zeros((SIZE * SIZE * 3, 1))
    corner[0] = 4
    weights = {"age/kernel": np.zeros((SIZE * SIZE * 3, 4)), "gender/kernel": corner}
    crop = crops(BLACK)
    crop[0, 0, 0] = 255
    for mirror, logit in ((False, 4), (True, 2)):
        metadata = METADATA | {"input": METADATA["input"] | {"mirror": mirror}}
        artefact.save(tmp_path, metadata, {"estimator": graph}, weights, half_above=math.inf)
        model = Estimator(artefact.load(tmp_path), runtimes.get("numpy"))
        black, bright = model.estimate(np.concatenate([crops(BLACK), crop]))
        assert black.p_female == pytest.approx(0.5)
        assert bright.p_female == pytest.approx(1 / (1 + np.exp(-logit)))


def test_each_crop_is_judged_alone(folder: Path) -> None:
    model = estimator(folder)
    together = model.estimate(crops(BLACK, RED, BLUE))
    for colour, one in zip((BLACK, RED, BLUE), together, strict=True):
        (alone,) = model.estimate(crops(colour))
        assert (alone.age, alone.p_female) == pytest.approx((one.age, one.p_female))


def test_no_crops(folder: Path) -> None:
    assert estimator(folder).estimate(np.empty((0, SIZE, SIZE, 3), np.uint8)) == []


def test_calibration(folder: Path) -> None:
    calibrated = estimator(
        folder,
        calibration={"age_temperature": 2.0, "gender_temperature": 4.0, "age_shift": 1.5},
    )
    (blue,) = calibrated.estimate(crops(BLUE))
    odds = np.sqrt(3)
    # A temperature of 2 takes the square root of the odds; the shift moves the mean.
    assert blue.age == pytest.approx((11 * odds + 13) / (odds + 1) + 1.5, abs=1e-3)
    assert blue.p_female == pytest.approx(1 / (1 + np.exp(-0.5)))


def test_smoothed_labels_are_allowed_for(folder: Path) -> None:
    gender = {"type": "logit", "positive": "female", "smoothing": 0.2}
    outputs = METADATA["outputs"] | {"gender": gender}
    black, blue = estimator(folder, outputs=outputs).estimate(crops(BLACK, BLUE))
    assert black.p_female == pytest.approx(0.5)
    # Of a face that is surely female 90 % of the label says so; the model says 88 %.
    said = 1 / (1 + np.exp(-2))
    assert blue.p_female == pytest.approx((said - 0.1) / 0.8, abs=1e-6)

    sure = WEIGHTS | {"gender/kernel": np.array([[0], [0], [5000]])}
    artefact.save(folder, METADATA | {"outputs": outputs}, {"estimator": GRAPH}, sure)
    (blue,) = Estimator(artefact.load(folder), runtimes.get("numpy")).estimate(crops(BLUE))
    assert 0.99 < blue.p_female < 1


def test_large_logits_do_not_overflow(folder: Path) -> None:
    weights = WEIGHTS | {"gender/kernel": np.array([[0], [0], [-5000]])}
    artefact.save(folder, METADATA, {"estimator": GRAPH}, weights, half_above=math.inf)
    model = Estimator(artefact.load(folder), runtimes.get("numpy"))
    with np.errstate(all="raise", under="ignore"):
        (blue,) = model.estimate(crops(BLUE))
    assert blue.p_female == 0


def test_geometry_and_size_come_from_the_model(folder: Path) -> None:
    model = estimator(folder)
    assert model.size == SIZE
    assert model.geometry.right_eye == (0.7, 0.3)


@pytest.mark.parametrize(
    "wrong",
    [
        np.zeros((1, SIZE, SIZE + 1, 3), np.uint8),
        np.zeros((SIZE, SIZE, 3), np.uint8),
        np.zeros((1, SIZE, SIZE, 3), np.float32),
    ],
)
def test_crops_of_another_shape_or_type(folder: Path, wrong: NDArray[np.uint8]) -> None:
    with pytest.raises(ValueError, match=r"expected uint8 crops \(N, 4, 4, 3\), got"):
        estimator(folder).estimate(wrong)


@pytest.mark.parametrize(
    "changes",
    [
        {"input": {"size": SIZE}},
        {"input": METADATA["input"] | {"colour": "BGR"}},
        {"crop": {}},
        {"outputs": {}},
        {"outputs": METADATA["outputs"] | {"age": {"support": [0, 100]}}},
        {"outputs": METADATA["outputs"] | {"gender": {"positive": "other"}}},
        {"calibration": {"age_temperature": "warm"}},
        {"outputs": METADATA["outputs"] | {"gender": {"type": "logit", "smoothing": 1}}},
    ],
)
def test_a_model_that_does_not_describe_itself(folder: Path, changes: dict[str, Any]) -> None:
    with pytest.raises(
        ArtefactError, match=r"model\.json of 'by hand' does not describe .*: export the model"
    ):
        estimator(folder, **changes)


def test_a_model_of_another_kind(folder: Path) -> None:
    with pytest.raises(ArtefactError, match="is a detector, not an estimator"):
        estimator(folder, kind="detector")


def ranked(folder: Path, kind: str) -> Estimator:
    """Older than 10 at 0.9, than 11 at 0.6, than 12 at 0.2."""
    outputs = METADATA["outputs"] | {"age": {"type": kind, "support": [10, 13]}}
    weights = WEIGHTS | {
        "age/kernel": np.zeros((3, 3)),
        "age/bias": np.log([0.9 / 0.1, 0.6 / 0.4, 0.2 / 0.8]),
    }
    metadata = METADATA | {"outputs": outputs}
    artefact.save(folder, metadata, {"estimator": GRAPH}, weights, half_above=math.inf)
    return Estimator(artefact.load(folder), runtimes.get("numpy"))


def test_ages_by_rank(folder: Path) -> None:
    (black,) = ranked(folder, "coral").estimate(crops(BLACK))
    np.testing.assert_allclose(black.ages, [0.1, 0.3, 0.4, 0.2], atol=1e-6)
    assert black.age == pytest.approx(10 + 0.9 + 0.6 + 0.2, abs=1e-5)


def test_ages_of_an_unknown_type_are_refused(folder: Path) -> None:
    with pytest.raises(ArtefactError, match="ages of the type 'unheard-of' cannot be read"):
        ranked(folder, "unheard-of")
