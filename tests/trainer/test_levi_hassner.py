"""Levi and Hassner's recipe: its layers, its crops, its age bands, and that it learns."""

import math
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest

from agegender_vision.census import AgeBands
from trainer import config
from trainer.data.crops import ten_crops
from trainer.data.geometry import GEOMETRY
from trainer.errors import InputError
from trainer.evaluation.predictions import Predictions
from trainer.models import bands, heads, recipes
from trainer.models.normalisation import LocalResponseNormalization
from trainer.recipes.levi_hassner import CHAINED, RECIPE

from .learning import learnt

NAN = float("nan")


def test_the_published_network() -> None:
    settings = config.load(None, ["recipe=levi-hassner", "heads.gender.kind=none"])
    network = RECIPE.build(settings, heads.of(settings))
    sides = [layer.output.shape[1:] for layer in network.layers if "_pool" in layer.name]
    assert sides == [(28, 28, 96), (14, 14, 256), (7, 7, 384)]
    convolutions = (7 * 7 * 3 + 1) * 96 + (5 * 5 * 96 + 1) * 256 + (3 * 3 * 256 + 1) * 384
    dense = (7 * 7 * 384 + 1) * 512 + (512 + 1) * 512 + (512 + 1) * 8
    assert network.count_params() == convolutions + dense == 11_415_048


def test_each_question_has_a_network_of_its_own() -> None:
    settings = config.load(None, ["recipe=levi-hassner", "model.size=64"])
    network = RECIPE.build(settings, heads.of(settings))
    shapes = {name: output.shape for name, output in network.output.items()}
    assert shapes == {"age": (None, 8), "gender": (None, 1)}
    age = keras.Model(network.input, network.get_layer("age").output)
    assert {layer.name.split("_")[0] for layer in age.layers} == {"image", "pixels", "age"}


def test_local_response_normalisation_by_hand() -> None:
    layer = LocalResponseNormalization(size=3, alpha=3.0, beta=0.5, k=1.0)
    pixels = np.array([1.0, 2.0, 2.0, 0.0], np.float32).reshape(1, 1, 1, 4)
    expected = [1 / math.sqrt(1 + 5), 2 / math.sqrt(1 + 9), 2 / math.sqrt(1 + 8), 0]
    np.testing.assert_allclose(np.ravel(layer(pixels)), expected, rtol=1e-6)


def test_the_normalisation_is_saved_with_its_parameters(tmp_path: Path) -> None:
    network = keras.Sequential(
        [keras.Input((4, 4, 6)), LocalResponseNormalization(5, 1e-2, 0.6, 2.0)]
    )
    network.save(tmp_path / "network.keras")
    loaded = keras.saving.load_model(tmp_path / "network.keras")
    given = np.random.default_rng(1).normal(0, 9, (2, 4, 4, 6)).astype(np.float32)
    np.testing.assert_array_equal(loaded.predict(given, verbose=0), network(given))
    with pytest.raises(ValueError, match="an odd number of channels, got 4"):
        LocalResponseNormalization(4)


def test_ten_crops_of_a_face() -> None:
    face = np.arange(16, dtype=np.uint8).reshape(4, 4, 1).repeat(3, axis=2)
    crops = ten_crops(face, 2)
    assert crops.shape == (10, 2, 2, 3)
    assert [crop[0, 0, 0] for crop in crops[:5]] == [5, 0, 2, 8, 10]
    np.testing.assert_array_equal(crops[5:], crops[:5, :, ::-1])


def test_the_network_sees_crops_of_227_from_256() -> None:
    face = np.random.default_rng(2).integers(0, 256, (96, 96, 3), np.uint8)
    seen = {
        crops: RECIPE.views(
            face, config.load(None, ["recipe=levi-hassner", f"options.crops={crops}"])
        )
        for crops in (1, 10)
    }
    assert [views.shape for views in seen.values()] == [(1, 227, 227, 3), (10, 227, 227, 3)]
    settings = config.load(None, ["recipe=levi-hassner", "model.size=64"])
    drawn = [RECIPE.views(face, settings, np.random.default_rng(n))[0] for n in range(20)]
    assert {view.shape for view in drawn} == {(64, 64, 3)}
    assert len({view.tobytes() for view in drawn}) > 15


def test_the_middle_is_where_the_geometry_says_it_is() -> None:
    face = np.zeros((96, 96, 3), np.uint8)
    across, down = (round(96 * place) for place in GEOMETRY.left_eye)
    face[down - 2 : down + 2, across - 2 : across + 2] = 255
    for crops in (1, 10):
        settings = config.load(None, ["recipe=levi-hassner", f"options.crops={crops}"])
        bright = RECIPE.views(face, settings)[0, ..., 0].astype(float)
        found = [np.average(np.arange(227) + 0.5, weights=bright.sum(axis=axis)) for axis in (0, 1)]
        told = np.array(recipes.geometry(settings).left_eye) * 227
        np.testing.assert_allclose(found, told, atol=2)
        assert abs(told - np.array(GEOMETRY.left_eye) * 227).min() > 4, "not in the whole face"


def test_the_learning_rate_falls_to_a_tenth() -> None:
    for steps, falls_after in ((500, 10_000), (10, 800)):
        settings = config.load(
            None, ["recipe=levi-hassner", "model.size=32", f"train.steps={steps}"]
        )
        asked = heads.of(settings)
        network = RECIPE.build(settings, asked)
        RECIPE.compile(network, settings, asked)
        rates = []
        for step in (0, falls_after + 1):
            network.optimizer.iterations.assign(step)
            rates.append(float(network.optimizer.learning_rate))
        assert rates == pytest.approx([1e-3, 1e-4])


def labels(*ages: tuple[float, float], gender: str = "female") -> pd.DataFrame:
    return pd.DataFrame(ages, columns=["age_low", "age_high"]).assign(gender=gender)


def test_a_label_within_one_band_is_a_class() -> None:
    head = bands.Bands(name="age")
    assert head.description["labels"][4] == "25-32"
    found = head.targets(labels((0, 0), (25, 32), (3, 9), (100, 100), (NAN, NAN)))
    np.testing.assert_array_equal(found[:, 0], [0, 4, NAN, 7, NAN])
    women = bands.Bands(name="age", given="female")
    men = women.model_copy(update={"given": "male"})
    assert women.targets(labels((30, 30)))[0, 0] == 4
    assert np.isnan(men.targets(labels((30, 30)))).all()


def test_the_loss_of_a_band_by_hand() -> None:
    head = bands.Bands(name="age", bands="18, 65")
    logits = np.log(np.array([[0.2, 0.7, 0.1], [0.2, 0.7, 0.1]], np.float32))
    loss = head.loss(np.array([[1.0], [NAN]], np.float32), logits)
    np.testing.assert_allclose(loss, [-math.log(0.7), 0], rtol=1e-5)


def test_the_likeliest_band_is_the_answer_and_its_years_the_age() -> None:
    asked = {"age": bands.Bands(name="age", bands="10, 20")}
    logits = np.log(np.array([[0.45, 0.1, 0.45001]], np.float32))
    found = Predictions.from_outputs(asked, {"age": logits})
    assert found.bands(AgeBands((0, 10, 20))).tolist() == [2]
    # Their middles: 4.5, 14.5, and 50 of the years 20 to 80.
    assert found.age[0] == pytest.approx(0.45 * 4.5 + 0.1 * 14.5 + 0.45 * 50, abs=0.01)
    assert found.bands(AgeBands((0, 20, 30))).tolist() == [1]


def test_a_chain_takes_the_age_from_the_network_of_the_predicted_gender() -> None:
    settings = config.load(
        None,
        [
            "recipe=levi-hassner-chained",
            "heads.age_of_women.bands=18",
            "heads.age_of_men.bands=18",
        ],
    )
    asked = heads.of(settings)
    young, old = [9.0, 0.0], [0.0, 9.0]
    outputs = {
        "gender": [[2.0], [-2.0]],
        "age_of_women": [young, young],
        "age_of_men": [old, old],
    }
    found = Predictions.from_outputs(
        asked, {name: np.array(value, np.float32) for name, value in outputs.items()}
    )
    assert found.bands(AgeBands((0, 18))).tolist() == [0, 1]
    assert not found.attributes
    with pytest.raises(InputError, match="need another for the other gender"):
        config.load(None, ["recipe=levi-hassner-chained", "heads.age_of_men.kind=none"])


QUICK = ("model.size=32", "model.dropout=0", "train.learning_rate=0.003")


def test_a_chain_is_three_networks_of_which_two_learn_the_age() -> None:
    settings = config.load(None, ["recipe=levi-hassner-chained", *QUICK])
    network = CHAINED.build(settings, heads.of(settings))
    shapes = {name: output.shape[1] for name, output in network.output.items()}
    assert shapes == {"gender": 1, "age_of_women": 8, "age_of_men": 8}
    firsts = [layer.name for layer in network.layers if layer.name.endswith("conv1")]
    assert sorted(firsts) == sorted(f"{name}_conv1" for name in shapes)


@pytest.mark.data
def test_it_learns_the_gender_of_real_faces(few_faces: Path) -> None:
    settings = config.load(None, ["recipe=levi-hassner", "heads.age.kind=none", *QUICK])
    found = learnt(settings, few_faces, batch_size=16, epochs=10)
    assert found["gender"] > found["majority_gender"] + 0.1


@pytest.mark.data
def test_a_chain_learns_the_age_bands_of_real_faces(few_faces: Path) -> None:
    settings = config.load(None, ["recipe=levi-hassner-chained", *QUICK])
    found = learnt(settings, few_faces, batch_size=16, epochs=15)
    assert found["adience_exact"] > found["adience_commonest"] + 0.1
