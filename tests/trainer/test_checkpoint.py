"""Checkpoints: another run's, another network's, a damaged one; and what is averaged."""

from pathlib import Path

import keras
import numpy as np
import pytest

from trainer.config import Config, TrainConfig
from trainer.errors import InputError
from trainer.training.callbacks import Average, Finite
from trainer.training.checkpoint import Checkpoint, load_weights_of_part


def network(width: int = 64) -> keras.Model:
    """Return a compiled network with a normalisation."""
    pixels = keras.Input((8,))
    x = keras.layers.Dense(width, name="hidden")(pixels)
    x = keras.layers.BatchNormalization(momentum=0.5, name="norm")(x)
    model = keras.Model(pixels, keras.layers.Dense(1, name="out")(x))
    model.compile(keras.optimizers.AdamW(0.1), loss="mse")
    return model


def fitted(model: keras.Model, epochs: int, *callbacks: keras.callbacks.Callback) -> keras.Model:
    random = np.random.default_rng(0)
    x, y = random.normal(size=(32, 8)), random.normal(size=(32, 1))
    model.fit(x, y, batch_size=16, epochs=epochs, shuffle=False, verbose=0, callbacks=callbacks)
    return model


def test_another_run_s_checkpoint_is_refused_with_the_setting_that_differs(tmp_path: Path) -> None:
    fitted(network(), 1, Checkpoint(tmp_path, Config()))
    other = Config(train=TrainConfig(learning_rate=0.5))
    with pytest.raises(
        InputError,
        match=r"another run: train.learning_rate is 0.0015 there and 0.5 here. .* move .* away",
    ):
        Checkpoint(tmp_path, other).restore(network())


def test_the_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    fitted(network(), 1, Checkpoint(tmp_path, Config()))
    with pytest.raises(InputError, match=r"00001.npz: the weights of another network"):
        Checkpoint(tmp_path, Config()).restore(network(width=32))


def test_a_trained_network_becomes_part_of_a_larger_one_but_of_no_other(tmp_path: Path) -> None:
    path, small, larger = tmp_path / "small.keras", fitted(network(), 1), network()
    small.save(path)
    more = keras.layers.Dense(64, name="more")(larger.get_layer("norm").output)
    larger = keras.Model(larger.input, larger.get_layer("out")(more))
    load_weights_of_part(larger, path)
    for ours, theirs in zip(larger.get_layer("hidden").weights, small.weights[:2], strict=True):
        np.testing.assert_array_equal(ours, theirs)
    with pytest.raises(InputError, match=r"small.keras: the weights of another network"):
        load_weights_of_part(network(width=32), path)
    larger.save(tmp_path / "larger.keras")
    with pytest.raises(InputError, match=r"larger.keras: the weights of another network"):
        load_weights_of_part(network(), tmp_path / "larger.keras")


def test_a_damaged_checkpoint_is_named(tmp_path: Path) -> None:
    fitted(network(), 1, Checkpoint(tmp_path, Config()))
    path = tmp_path / "00001.npz"
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(InputError, match=r"00001.npz: cannot be read .* delete it"):
        Checkpoint(tmp_path, Config()).restore(network())


def test_the_average_is_of_all_weights_and_of_the_normalisation_s_statistics() -> None:
    class Steps(keras.callbacks.Callback):  # type: ignore[misc]
        def on_train_batch_end(self, batch: int, logs: object = None) -> None:
            del batch, logs
            seen.append([np.array(weight) for weight in self.model.get_weights()])

    seen: list[list[np.ndarray]] = []
    model, averaged = network(), network()
    averaged.set_weights(model.get_weights())
    expected = [np.array(weight) for weight in model.get_weights()]
    fitted(model, 2, Steps(), Average(averaged, 0.2))
    assert len(seen) == 4
    for step, weights in enumerate(seen):
        kept = min(0.2, (1 + step) / (10 + step))
        expected = [kept * e + (1 - kept) * w for e, w in zip(expected, weights, strict=True)]
    for ours, theirs in zip(averaged.get_weights(), expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)
    statistics = averaged.get_layer("norm").moving_mean
    assert not np.allclose(statistics, model.get_layer("norm").moving_mean)


def test_the_average_survives_a_restart(tmp_path: Path) -> None:
    def run(folder: Path, *stops: int) -> keras.Model:
        keras.utils.set_random_seed(1)
        first = network()
        for epochs in stops:
            model, averaged = network(), network()
            checkpoint = Checkpoint(folder, Config(), averaged)
            model.set_weights(first.get_weights())
            averaged.set_weights(first.get_weights())
            done = checkpoint.restore(model)
            random = np.random.default_rng(0)
            x, y = random.normal(size=(32, 8)), random.normal(size=(32, 1))
            model.fit(
                x,
                y,
                epochs=epochs,
                initial_epoch=done,
                shuffle=False,
                verbose=0,
                callbacks=[Average(averaged, 0.9), checkpoint],
            )
        return averaged

    whole, halves = run(tmp_path / "whole", 4), run(tmp_path / "halves", 2, 4)
    for ours, theirs in zip(whole.get_weights(), halves.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-6)


def test_a_diverged_training_ends_in_a_sentence() -> None:
    model = network()
    model.compile(keras.optimizers.SGD(1e30), loss="mse")
    with pytest.raises(InputError, match=r"epoch \d: the loss is (nan|inf).*learning_rate"):
        fitted(model, 3, Finite())
