"""Export: our graph answers as Keras does, or is not written."""

from pathlib import Path

import keras
import numpy as np
import pytest

from agegender_vision import artefact
from agegender_vision.engine import BUNDLED_MODEL
from trainer.config import Config, ModelConfig
from trainer.data import faces
from trainer.export.artefact import PARITY, ExportError, export, trace
from trainer.models import estimator, heads
from trainer.run import CHECKPOINT

from .conftest import ROOT

HEADS = heads.of(Config())
ABOUT = {"name": "test", "licence": "Apache-2.0", "training_data": []}
SHIPPED = ROOT / "models" / "research"


def untrained(hidden: int = 16) -> keras.Model:
    """A network with the normalisation statistics that a trained one would have."""
    keras.utils.set_random_seed(1)
    model = estimator.build(ModelConfig(size=32, channels=(8, 16), neck=8, hidden=hidden), HEADS)
    random = np.random.default_rng(0)
    for weight in model.weights:
        if "norm" in weight.path:
            weight.assign(random.uniform(0.5, 1.5, weight.shape))
    return model


def test_every_layer_is_carried_over(two_faces: Path, tmp_path: Path) -> None:
    model = untrained()
    images = faces.plain_views(faces.load([two_faces], ["train"]), 32).astype(np.uint8)
    assert export(model, tmp_path, ABOUT, HEADS, {}, images) <= PARITY
    loaded = artefact.load(tmp_path)
    assert loaded.metadata["crop"]["left_eye"] == [0.306, 0.296]
    assert {node.op for node in loaded.graphs["estimator"].nodes} == {
        "conv2d",
        "add",
        "flatten",
        "dense",
    }


def test_a_network_that_answers_otherwise_is_not_written(two_faces: Path, tmp_path: Path) -> None:
    images = faces.plain_views(faces.load([two_faces], ["train"]), 32).astype(np.uint8)
    model = untrained(hidden=64)
    # A head so steep that the rounding of the large layer before it changes the answer.
    head = model.get_layer("gender")
    logit = model.predict(images[:1].astype(np.float32), verbose=0)["gender"]
    head.set_weights([head.kernel.numpy() * 1e4, -logit[0] * 1e4])
    with pytest.raises(ExportError, match="differs from Keras by"):
        export(model, tmp_path / "out", ABOUT, HEADS, {}, images)
    assert not (tmp_path / "out").exists()


def test_a_layer_without_counterpart_is_named() -> None:
    image = keras.Input((8, 8, 3))
    model = keras.Model(image, {"age": keras.layers.DepthwiseConv2D(3, name="deep")(image)})
    with pytest.raises(ExportError, match="layer 'deep' is a DepthwiseConv2D"):
        trace(model)


def test_pooling_layers_and_a_separate_activation(tmp_path: Path) -> None:
    keras.utils.set_random_seed(2)
    image = keras.Input((16, 16, 3))
    x = keras.layers.Conv2D(4, 3, strides=2, padding="valid")(image)
    x = keras.layers.ReLU(name="relu")(x)
    x = keras.layers.MaxPooling2D(3, strides=2, padding="same")(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    heads = {
        "age": keras.layers.Dense(101, name="age")(x),
        "gender": keras.layers.Dense(1, name="gender")(x),
    }
    images = np.random.default_rng(0).integers(0, 256, (4, 16, 16, 3), np.uint8)
    assert export(keras.Model(image, heads), tmp_path, ABOUT, HEADS, {}, images) <= PARITY


def test_the_integration_carries_the_shipped_model() -> None:
    for name in (artefact.DESCRIPTION, artefact.WEIGHTS):
        assert (BUNDLED_MODEL / name).read_bytes() == (SHIPPED / name).read_bytes()


def test_the_shipped_model_answers_as_its_checkpoint(two_faces: Path, tmp_path: Path) -> None:
    model = keras.saving.load_model(SHIPPED / CHECKPOINT)
    size = artefact.load(SHIPPED).metadata["input"]["size"]
    images = faces.plain_views(faces.load([two_faces], ["train"]), size).astype(np.uint8)
    assert export(model, tmp_path, ABOUT, HEADS, {}, images) <= PARITY
    ours, again = (artefact.load(folder).weights for folder in (SHIPPED, tmp_path))
    assert ours.keys() == again.keys()
    for name, weight in ours.items():
        np.testing.assert_array_equal(weight, again[name])
