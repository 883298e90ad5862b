"""The MobileNetV2 recipe: its two phases, its weights, and that it learns."""

import math
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from PIL import Image

from trainer import config
from trainer.config import Config
from trainer.data.augment import Augmentation, view
from trainer.errors import InputError
from trainer.models import heads
from trainer.recipes.mobilenetv2 import RECIPE
from trainer.training.phases import enter, phases

from .learning import learnt

SMALL = (
    "recipe=mobilenetv2",
    "model.size=32",
    "options.alpha=0.35",
    "model.hidden=64",
    "train.batch_size=16",
)
ONE = (*SMALL, "heads.age.kind=none", "model.dropout=0")


def test_the_published_network_for_each_question() -> None:
    settings = config.load(None, ["recipe=mobilenetv2", "model.size=96", "model.hidden=128"])
    network = RECIPE.build(settings, heads.of(settings))
    # 3,538,984 published weights less those of the 1000 classes.
    base = 3_538_984 - (1280 + 1) * 1000
    top = (1280 + 1) * 128
    assert network.count_params() == 2 * (base + top) + (128 + 1) * (8 + 1)
    assert network.get_layer("encoder_age").output.shape == (None, 3, 3, 1280)


def test_the_mean_is_subtracted_and_pixels_lie_within_one() -> None:
    settings = config.load(None, SMALL)
    network = RECIPE.build(settings, heads.of(settings))
    white = np.full((1, 32, 32, 3), 255, np.float32)
    pixels = keras.Model(network.input, network.get_layer("pixels").output)(white)
    expected = [(255 - mean) / 127.5 for mean in (123.68, 116.779, 103.939)]
    np.testing.assert_allclose(pixels[0, 0, 0], expected, rtol=1e-5)


def test_the_loss_of_a_first_step_by_hand() -> None:
    settings = config.load(None, ONE)
    asked = heads.of(settings)
    network = RECIPE.build(settings, asked)
    RECIPE.compile(network, settings, asked)
    face = np.zeros((1, 32, 32, 3), np.float32)
    logit = float(network(face)["gender"][0, 0])
    loss = network.evaluate(face, {"gender": np.ones((1, 1))}, verbose=0)
    # The head's labels are smoothed: 1 counts as 0.975.
    expected = 0.975 * math.log1p(math.exp(-logit)) + 0.025 * math.log1p(math.exp(logit))
    assert np.ravel(loss)[0] == pytest.approx(expected, rel=1e-4)


def rates(settings: Config, *, pretrained: bool) -> list[float]:
    """With which each phase begins."""
    asked = heads.of(settings)
    network = RECIPE.build(settings, asked)
    found = []
    for phase in phases(settings, pretrained=pretrained):
        enter(phase, network, RECIPE, settings, asked)
        found.append(float(network.optimizer.learning_rate))
    return found


def test_after_the_frozen_phase_the_rate_is_a_tenth(weights: Path) -> None:
    settings = config.load(None, [*ONE, "train.learning_rate=0.01", f'options.weights="{weights}"'])
    assert rates(settings, pretrained=True) == pytest.approx([0.01, 0.001])


def test_from_random_weights_nothing_is_frozen_and_the_rate_is_whole() -> None:
    settings = config.load(None, [*ONE, "train.learning_rate=0.01"])
    assert rates(settings, pretrained=False) == pytest.approx([0.01])


def test_a_sheared_view_tilts_upright_lines() -> None:
    picture = np.zeros((64, 64, 3), np.uint8)
    picture[:, 30:34] = 255
    seen = view(picture, 64, Augmentation(shear=15), np.random.default_rng(1))[..., 0]
    columns = np.arange(64)
    top, bottom = (seen[row] @ columns / seen[row].sum() for row in (4, 59))
    assert abs(top - bottom) > 4
    plain = view(picture, 64, Augmentation(), np.random.default_rng(1))
    np.testing.assert_array_equal(plain, np.asarray(Image.fromarray(picture)))


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of weights as Keras publishes them."""
    network = keras.applications.MobileNetV2(
        (32, 32, 3), alpha=0.35, include_top=False, weights=None
    )
    path = tmp_path_factory.mktemp("weights") / "mobilenet_v2.weights.h5"
    network.save_weights(path)
    return path


def base(*words: str) -> Any:
    settings = config.load(None, [*ONE, *words])
    return RECIPE.build(settings, heads.of(settings)).get_layer("encoder_gender").get_weights()


def test_a_base_starts_from_a_file_or_from_another_run(weights: Path, tmp_path: Path) -> None:
    given = base(f'options.weights="{weights}"')
    settings = config.load(None, [*ONE, f'options.weights="{weights}"'])
    RECIPE.build(settings, heads.of(settings)).save(tmp_path / "checkpoint.keras")
    again = base(f'options.weights="{tmp_path / "checkpoint.keras"}"')
    for ours, theirs in zip(given, again, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_weights_of_another_network_are_refused(weights: Path) -> None:
    message = r"not the weights of a MobileNetV2 .* options.alpha = 0.5"
    with pytest.raises(InputError, match=message):
        base(f'options.weights="{weights}"', "options.alpha=0.5")


def test_imagenet_without_weights_to_download_says_what_to_do() -> None:
    # For no such width: refused before anything is fetched.
    with pytest.raises(InputError, match=r"cannot be had .* leave options.weights away"):
        base("options.weights=imagenet", "options.alpha=0.4")


@pytest.mark.data
def test_it_learns_the_age_bands_of_real_faces(few_faces: Path) -> None:
    settings = config.load(
        None,
        [
            *SMALL,
            "heads.gender.kind=none",
            "model.dropout=0",
            "model.mirror=false",
            "train.epochs=1",
            "train.steps=100",
        ],
    )
    found = learnt(settings, few_faces, batch_size=32, epochs=50)
    assert found["adience_exact"] > found["adience_commonest"] + 0.2
