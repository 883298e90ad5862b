"""CORAL: its loss by hand, its ranks in order, its answers the same wherever it runs."""

from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest

from agegender_vision import artefact
from trainer import config
from trainer.data import faces
from trainer.data.geometry import GEOMETRY
from trainer.errors import InputError
from trainer.evaluation import models
from trainer.export.artefact import write
from trainer.models import heads, recipes
from trainer.models.coral import Coral, Ranks, importance, rank_loss
from trainer.models.heads import HeadLoss
from trainer.models.reading import probabilities
from trainer.recipes.resnet34 import CROP, FEATURES

from .conftest import agegender, options

NAN = float("nan")
SMALL = (
    "recipe=resnet34-coral",
    "model.size=32",
    "model.channels=[4, 4, 8, 8]",
    "options.blocks=[1, 1, 1, 1]",
    "train.epochs=2",
    "train.steps=4",
    "train.batch_size=4",
    "train.learning_rate=0.01",
)


def ages(*labels: list[float]) -> pd.DataFrame:
    return pd.DataFrame(labels, columns=["age_low", "age_high"])


def test_the_loss_is_the_cross_entropy_of_each_rank_s_question() -> None:
    logits = np.log(np.array([[0.9 / 0.1, 0.6 / 0.4, 0.2 / 0.8]], np.float32))
    labels = np.array([[2, 2]], np.float32)  # older than 0 and 1, not older than 2
    by_hand = -np.log(0.9) - np.log(0.6) - np.log(0.8)
    assert float(rank_loss(labels, logits)[0]) == pytest.approx(by_hand, rel=1e-5)
    weighted = -1.0 * np.log(0.9) - 0.5 * np.log(0.6) - 0.25 * np.log(0.8)
    assert float(rank_loss(labels, logits, (1, 0.5, 0.25))[0]) == pytest.approx(weighted, rel=1e-5)


def test_a_band_answers_the_questions_outside_of_it_only() -> None:
    logits = np.log(np.array([[0.9 / 0.1, 0.6 / 0.4, 0.2 / 0.8]] * 2, np.float32))
    labels = np.array([[1, 2], [NAN, NAN]], np.float32)
    found = np.asarray(rank_loss(labels, logits))
    np.testing.assert_allclose(found, [-np.log(0.9) - np.log(0.8), 0], rtol=1e-5)


def test_an_unknown_age_leaves_the_gradient_finite() -> None:
    model = keras.Sequential([keras.Input((2,)), Ranks(3)])
    model.compile(keras.optimizers.SGD(0.1), loss=HeadLoss(Coral(name="age", years=4)))
    model.train_on_batch(np.ones((2, 2)), np.array([[NAN, NAN], [1, 1]], np.float32))
    assert all(np.isfinite(weight).all() for weight in model.get_weights())


def test_importance_is_the_root_of_the_commoner_answer_s_number() -> None:
    # Of nine faces 9, 4 and 0 are older than 0, 1 and 2 years: the commoner answers are 9, 5, 9.
    labels = np.array([[1, 1]] * 5 + [[2, 2]] * 4, np.float32)
    assert importance(labels, 4) == pytest.approx((1, np.sqrt(5) / 3, 1), abs=1e-4)
    band = np.array([[0, 2], [3, 3]], np.float32)  # the first leaves all but the last open
    assert importance(band, 4) == (1, 1, 1)


def test_the_run_names_the_importance_that_its_faces_gave() -> None:
    settings = config.load(None, ["recipe=resnet34-coral", "heads.age.years=4"])
    table = ages(*[[1.0, 1.0]] * 5, *[[2.0, 2.0]] * 4).assign(gender="female")
    resolved = heads.resolve(settings, table)
    assert resolved.heads["age"].options["importance"] == pytest.approx(
        (1, np.sqrt(5) / 3, 1), abs=1e-4
    )
    assert config.difference(resolved, settings) is None
    equal = config.load(None, ["recipe=resnet34-coral", "heads.age.weighted=false"])
    assert "importance" not in heads.resolve(equal, table).heads["age"].options


def test_ranks_stay_in_order_whatever_is_learnt() -> None:
    keras.utils.set_random_seed(1)
    random = np.random.default_rng(1)
    model = keras.Sequential([keras.Input((8,)), Ranks(20)])
    head = Coral(name="age", years=21)
    features = random.normal(size=(64, 8)).astype(np.float32)

    def falls() -> bool:
        return bool((np.diff(np.asarray(model(features)), axis=1) <= 0).all())

    assert falls(), "with random weights"
    model.compile(keras.optimizers.SGD(1.0), loss=HeadLoss(head))
    low = random.integers(0, 21, (64, 1))  # nothing to learn, and steps that are far too long
    band = np.minimum(low + random.integers(0, 9, (64, 1)), 20)
    for _ in range(20):
        model.train_on_batch(features, np.hstack([low, band]).astype(np.float32))
        assert falls()
    assert np.ptp(model.get_weights()[1]) > 0


def test_ranks_read_as_probabilities_of_years() -> None:
    about = Coral(name="age", years=4).description
    logits = np.log(np.array([[0.9 / 0.1, 0.6 / 0.4, 0.2 / 0.8]]))
    np.testing.assert_allclose(probabilities(about, logits), [[0.1, 0.3, 0.4, 0.2]])


@pytest.fixture(scope="module")
def run(two_faces: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "coral"
    agegender("train", "--run", folder, *options(two_faces, *SMALL))
    return folder


def test_the_network_has_34_layers() -> None:
    published = config.load(None, ["recipe=resnet34-coral"])
    assert published.model.channels == (64, 128, 256, 512)
    settings = config.load(None, ["recipe=resnet34-coral", "model.channels=[4, 4, 4, 8]"])
    system = recipes.recipe(settings.recipe)
    model = system.build(settings, heads.of(settings))
    shapes = {name: output.shape for name, output in model.output.items()}
    assert (model.input_shape[1:], shapes) == (
        (120, 120, 3),
        {"age": (None, 100), "gender": (None, 1)},
    )
    assert model.get_layer(FEATURES).output.shape == (None, 8)
    convolutions = [
        layer
        for layer in model.layers
        if isinstance(layer, keras.layers.Conv2D) and "short" not in layer.name
    ]
    assert len(convolutions) + 1 == 34
    crowded = config.load(None, ["recipe=resnet34-coral", "model.channels=[4, 8]"])
    with pytest.raises(InputError, match=r"channels names 2 widths, options\.blocks 4 stages"):
        system.build(crowded, heads.of(crowded))


def test_crops_are_drawn_by_chance() -> None:
    settings = config.load(None, ["recipe=resnet34-coral"])
    system = recipes.recipe(settings.recipe)
    face = np.random.default_rng(1).integers(0, 256, (96, 96, 3), np.uint8)
    crops = [system.views(face, settings, np.random.default_rng(seed)) for seed in range(3)]
    assert {crop.shape for crop in crops} == {(1, 120, 120, 3)}
    assert not np.array_equal(crops[0], crops[1])


def test_it_learns_and_answers_alike_in_keras_and_in_the_engine(
    run: Path, two_faces: Path, tmp_path: Path
) -> None:
    log = pd.read_csv(run / "train.csv")
    assert log["loss"].iloc[-1] < log["loss"].iloc[0]
    settings, network, temperatures = models.trained(run)
    assert len(settings.heads["age"].options["importance"]) == 100
    held_out = faces.load([two_faces], ["val"])
    shown = recipes.outputs(network, held_out, settings)
    assert (np.diff(shown["age"], axis=1) <= 0).all()

    about = {"name": "coral", "licence": "", "training_data": []}
    crop = recipes.geometry(settings)
    write(network, tmp_path, about, heads.of(settings), temperatures, geometry=crop)
    engine, keras_ = (models.load(folder).answer(held_out) for folder in (tmp_path, run))
    np.testing.assert_allclose(engine.ages, keras_.ages, atol=1e-3)
    np.testing.assert_allclose(engine.p_female, keras_.p_female, atol=1e-3)
    assert artefact.load(tmp_path).metadata["crop"]["left_eye"][0] == pytest.approx(
        (GEOMETRY.left_eye[0] - 0.5) / CROP + 0.5, abs=1e-6
    )
