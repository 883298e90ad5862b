"""The MobileNetV2 recipe: its two phases, its weights, and that it learns."""

import math

import keras
import numpy as np
import pytest
from PIL import Image

from trainer import config
from trainer.data.augment import Augmentation, view
from trainer.models import heads
from trainer.recipes.mobilenetv2 import RECIPE
from trainer.training.phases import phases

SMALL = (
    "recipe=mobilenetv2",
    "model.size=32",
    "options.alpha=0.35",
    "model.hidden=16",
    "train.batch_size=16",
)
ONE = (*SMALL, "heads.age.kind=none", "model.dropout=0")


def test_the_published_network_for_each_question() -> None:
    settings = config.load(None, ["recipe=mobilenetv2", "model.size=96", "model.hidden=128"])
    network = RECIPE.build(settings, heads.of(settings))
    # 3,538,984 published weights less those of the 1000 classes.
    base = 3_538_984 - (1280 + 1) * 1000
    top = (1280 + 1) * 128
    assert network.count_params() - 2 * 7 == 2 * (base + top) + (128 + 1) * (8 + 1)
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


def test_phases() -> None:
    settings = config.load(None, [*SMALL, "train.epochs=5", "train.frozen_epochs=2"])
    both = [(phase.first, phase.last, phase.frozen) for phase in phases(settings, pretrained=True)]
    assert both == [(0, 2, True), (2, 5, False)]
    (only,) = phases(settings, pretrained=False)
    assert (only.first, only.last, only.frozen) == (0, 5, False)


def test_a_sheared_view_tilts_upright_lines() -> None:
    picture = np.zeros((64, 64, 3), np.uint8)
    picture[:, 30:34] = 255
    seen = view(picture, 64, Augmentation(shear=15), np.random.default_rng(1))[..., 0]
    columns = np.arange(64)
    top, bottom = (seen[row] @ columns / seen[row].sum() for row in (4, 59))
    assert abs(top - bottom) > 4
    plain = view(picture, 64, Augmentation(), np.random.default_rng(1))
    np.testing.assert_array_equal(plain, np.asarray(Image.fromarray(picture)))
