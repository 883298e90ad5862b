"""CORAL-LSTM: a frozen CNN, sequences of frames, and one look at each new frame."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import pytest

from trainer import config
from trainer.config import Config
from trainer.data import faces
from trainer.errors import InputError
from trainer.evaluation import cost, models
from trainer.models import heads, recipes
from trainer.models.heads import HeadLoss
from trainer.recipes.coral_lstm import CNN, RECURRENT, Follower
from trainer.run import CHECKPOINT

from .conftest import agegender, options

TINY = ("model.size=32", "model.channels=[4, 8]", "model.neck=4", "model.hidden=8")
QUICK = ("train.epochs=2", "train.steps=6", "train.batch_size=4", "train.learning_rate=0.01")


@pytest.fixture(scope="module")
def cnn(two_faces: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run for single faces; any recipe will do."""
    folder = tmp_path_factory.mktemp("runs") / "cnn"
    chosen = (*TINY, *QUICK, "recipe=dex")
    agegender("train", "--from-scratch", "--run", folder, *options(two_faces, *chosen))
    return folder


def settings(cnn: Path, *more: str) -> Config:
    recipe = ("recipe=coral-lstm", f"options.cnn={cnn}", "model.size=32", "model.hidden=8")
    return config.load(None, [*recipe, *more])


def built(chosen: Config) -> keras.Model:
    keras.utils.set_random_seed(1)
    return recipes.recipe(chosen.recipe).build(chosen, heads.of(chosen))


@pytest.mark.parametrize("layers", [1, 2, 3])
def test_only_the_lstm_and_its_heads_learn(cnn: Path, layers: int) -> None:
    model = built(settings(cnn, f"options.layers={layers}"))
    assert model.input_shape == (None, 20, 32, 32, 3)
    assert {name: output.shape[1] for name, output in model.output.items()} == {
        "age": 100,
        "gender": 1,
    }
    recurrent = model.get_layer(RECURRENT)
    lstm = [layer for layer in recurrent.layers if isinstance(layer, keras.layers.LSTM)]
    assert [layer.units for layer in lstm] == [8] * layers
    assert not model.get_layer(CNN).trainable_weights
    assert {id(weight) for weight in model.trainable_weights} == {
        id(weight) for weight in recurrent.trainable_weights
    }


def test_an_lstm_s_cell_and_the_loss_by_hand(cnn: Path) -> None:
    chosen = settings(cnn, "model.hidden=1", "options.frames=2", "heads.age.years=3")
    recurrent = built(chosen).get_layer(RECURRENT)
    weights = [np.full_like(weight, 0.5) for weight in recurrent.get_weights()]
    recurrent.set_weights(weights)
    row = np.zeros((1, 2, recurrent.input_shape[-1]), np.float32)
    row[0, 1, 0] = 1.0

    def sigmoid(x: float) -> float:
        return float(1 / (1 + np.exp(-x)))

    state = out = 0.0
    for x in (0.0, 1.0):
        gate = 0.5 * x + 0.5 * out + 0.5  # all four gates have the same weights
        state = sigmoid(gate) * state + sigmoid(gate) * np.tanh(gate)
        out = sigmoid(gate) * np.tanh(state)
    said = recurrent(row)
    logit = 0.5 * out + 0.5
    np.testing.assert_allclose(np.asarray(said["age"]), [[logit, logit]], rtol=1e-5)
    loss = HeadLoss(heads.of(chosen)["age"])(np.array([[1, 1]], np.float32), said["age"])
    by_hand = -np.log(sigmoid(logit)) - np.log(1 - sigmoid(logit))  # older than 0, not than 1
    assert float(loss) == pytest.approx(by_hand, rel=1e-5)


def test_a_sequence_is_one_face_disturbed_and_the_same_each_time(
    cnn: Path, two_faces: Path
) -> None:
    chosen = settings(cnn, "options.lost=0.3")
    face, other = faces.load([two_faces], ["val"]).images
    show = recipes.recipe("coral-lstm").views
    row = show(face, chosen)
    assert row.shape == (1, 20, 32, 32, 3)
    np.testing.assert_array_equal(row, show(face, chosen))
    assert not np.array_equal(row, show(other, chosen))
    assert not np.array_equal(row, show(face, chosen, np.random.default_rng(1)))
    black = (row[0] == 0).all(axis=(1, 2, 3))
    assert 0 < black.sum() < 15
    seen = row[0][~black]
    assert all(not np.array_equal(a, b) for a, b in pairwise(seen))


@pytest.fixture(scope="module")
def run(cnn: Path, two_faces: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "lstm"
    chosen = ("recipe=coral-lstm", f"options.cnn={cnn}", "model.size=32", "model.hidden=8")
    frames = ("options.frames=5", "train.steps=15")
    agegender("train", "--run", folder, *options(two_faces, *chosen, *QUICK, *frames))
    return folder


def test_frame_by_frame_says_what_the_whole_sequence_says(
    run: Path, two_faces: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen, model, _ = models.trained(run)
    face = faces.load([two_faces], ["val"]).images[0]
    longer = chosen.model_copy(update={"options": {**chosen.options, "frames": 8}})
    (frames,) = recipes.recipe("coral-lstm").views(face, longer)
    whole = {
        end: model.predict_on_batch(frames[None, end - 5 : end].astype(np.float32))
        for end in (5, 8)
    }
    looks = []
    predict = keras.Model.predict_on_batch

    def counted(self: keras.Model, given: Any) -> Any:
        if self.name == CNN:
            looks.append(given.shape)
        return predict(self, given)

    monkeypatch.setattr(keras.Model, "predict_on_batch", counted)
    follower = Follower(model)
    for number, frame in enumerate(frames, start=1):
        said = follower.see(frame)
        assert looks == [(1, 32, 32, 3)] * number, "one look at each frame"
        if number in whole:
            for name, output in whole[number].items():
                np.testing.assert_allclose(said[name], output[0], atol=1e-4)


def test_it_learns_and_is_judged_by_the_same_commands(run: Path) -> None:
    log = pd.read_csv(run / "train.csv")
    assert log["loss"].iloc[-1] < log["loss"].iloc[0]
    agegender("evaluate", run)
    assert (run / "val-two_faces0.png").exists()
    costs = cost.measure(run)
    assert costs.multiply_adds > costs.parameters, "each weight works in every frame"
    assert costs.look() is not None, "by Keras: no runtime of ours has an LSTM"


def test_a_cnn_that_is_missing_or_does_not_fit_is_told(cnn: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"options\.cnn is missing: the recipe 'coral-lstm'"):
        config.load(None, ["recipe=coral-lstm"])
    with pytest.raises(InputError, match=rf"{CHECKPOINT}: no such file\. Train a network"):
        built(settings(tmp_path))
    with pytest.raises(InputError, match=r"Set model\.size=32"):
        built(settings(cnn, "model.size=48"))
