"""What models cost, counted by hand."""

import time
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

from trainer import config
from trainer.evaluation.cost import Cost, budget, milliseconds, network_multiply_adds
from trainer.run import BUDGET, CONFIG
from trainer.training.callbacks import Budget
from trainer.training.pretrain import encoder_weights


def network(shape: tuple[int, ...], *stack: layers.Layer) -> keras.Model:
    return keras.Sequential([keras.Input(shape), *stack])


@pytest.mark.parametrize(
    ("shape", "layer", "multiplications"),
    [
        ((8, 8, 3), layers.Conv2D(4, 3, strides=2, padding="same"), 3 * 3 * 3 * 4 * 4 * 4),
        ((8, 8, 6), layers.Conv2D(4, 3, groups=2), 3 * 3 * 3 * 4 * 6 * 6),
        ((8, 8, 3), layers.DepthwiseConv2D(3, depth_multiplier=2), 3 * 3 * 3 * 2 * 6 * 6),
        ((8, 8, 3), layers.SeparableConv2D(5, 3), (3 * 3 * 3 + 3 * 5) * 6 * 6),
        ((4, 4, 3), layers.Conv2DTranspose(2, 4, strides=2), 4 * 4 * 3 * 2 * 4 * 4),
        ((10,), layers.Dense(7), 70),
        ((4, 4, 10), layers.Dense(7), 70 * 16),
        ((20, 6), layers.LSTM(5), 20 * (6 * 4 * 5 + 5 * 4 * 5)),
        ((20, 6), layers.Bidirectional(layers.GRU(5)), 2 * 20 * (6 * 3 * 5 + 5 * 3 * 5)),
        ((20, 6), layers.TimeDistributed(layers.Dense(5)), 20 * 6 * 5),
        ((8, 8, 3), layers.BatchNormalization(), 0),
        ((8, 8, 3), layers.MaxPooling2D(), 0),
    ],
    ids=lambda value: value.name if isinstance(value, layers.Layer) else "",
)
def test_multiply_adds_of_a_layer(
    shape: tuple[int, ...], layer: layers.Layer, multiplications: int
) -> None:
    model, two = network(shape, layer), np.zeros((2, *shape), np.float32)
    assert network_multiply_adds(model, two) == 2 * multiplications
    assert network_multiply_adds(model, two[:1]) == multiplications  # and leaves no trace


def test_networks_inside_a_network_count_each_time_they_look() -> None:
    inner = network((8, 8, 3), layers.Conv2D(4, 8), layers.Flatten())
    look = 8 * 8 * 3 * 4
    once = network((8, 8, 3), inner, layers.Dense(2))
    assert network_multiply_adds(once, np.zeros((1, 8, 8, 3), np.float32)) == look + 4 * 2
    five = np.zeros((1, 5, 8, 8, 3), np.float32)
    frames = network((5, 8, 8, 3), layers.TimeDistributed(inner), layers.LSTM(3))
    steps = 5 * (4 * 12 + 3 * 12)
    assert network_multiply_adds(frames, five) == 5 * look + steps
    rows = keras.Input((5, 8, 8, 3))
    features = inner(keras.ops.reshape(rows, (-1, 8, 8, 3)))
    answer = layers.LSTM(3)(keras.ops.reshape(features, (-1, 5, 4)))
    assert network_multiply_adds(keras.Model(rows, answer), five) == 5 * look + steps


def test_a_resumed_training_counts_no_epoch_twice(tmp_path: Path) -> None:
    config.save(config.load(None, ['data.manifests=["gone"]']), tmp_path / CONFIG)
    scratch = budget(tmp_path)
    assert scratch is not None
    assert scratch.views == 128 * 50 * 120
    (tmp_path / "pretrain").mkdir()
    encoder_weights(tmp_path).touch()
    before = budget(tmp_path)
    assert before is not None
    assert before.labelled is None
    assert before.cpu_minutes is None  # it stands in no log: all epochs of the settings
    assert before.views == 128 * (50 * 120 + (4 * 2 + 8) * 100)
    for part, epochs in (("pretrain stack", [0]), ("train", [0, 1, 2]), ("train", [1, 2])):
        log = Budget(tmp_path / BUDGET, part, views=100)
        for epoch in epochs:
            log.on_epoch_end(epoch)
    after = budget(tmp_path)
    assert after is not None
    assert after.views == 400
    assert after.cpu_minutes is not None


def test_models_are_timed_in_turn_and_the_first_round_does_not_count() -> None:
    asked = []

    def model(name: str, seconds: float) -> Cost:
        def look() -> None:
            time.sleep(seconds if name in asked else 0.2)
            asked.append(name)

        return Cost(0, 0, 0, look)

    found = milliseconds({"slow": model("slow", 0.02), "fast": model("fast", 0.0)}, rounds=3)
    assert asked == ["slow", "fast"] * 4
    assert found["slow"] >= 20
    assert found["fast"] < found["slow"]
    assert np.isfinite(list(found.values())).all()
