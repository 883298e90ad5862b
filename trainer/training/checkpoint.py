"""What is kept of a training, so that kill -9 costs one epoch and a full disk nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np

from trainer.config import Config, difference
from trainer.errors import InputError
from trainer.files import atomically

SETTINGS = "agegender_settings"
"""Attribute of a checkpoint: the settings of its run, as JSON."""


class Checkpoint(keras.callbacks.Callback):  # type: ignore[misc]
    """Saves weights and optimizer state after every epoch.

    The file's name holds the number of finished epochs; it appears by renaming, so that a
    half-written file is never found, and the one before is dropped only then.

    Parameters
    ----------
    folder
        Where the checkpoints are.
    config
        The run's settings; a checkpoint of other settings is refused.
    average
        A second model whose weights are kept beside, see
        :class:`trainer.training.callbacks.Average`.
    """

    def __init__(self, folder: Path, config: Config, average: keras.Model | None = None) -> None:
        super().__init__()
        self.folder, self.config, self.average = folder, config, average

    def finished_epochs(self) -> int:
        """Return how many epochs the newest checkpoint has behind it; 0 without one."""
        return max((int(path.name.split(".")[0]) for path in self._files()), default=0)

    def restore(self, model: keras.Model) -> int:
        """Load the newest checkpoint into a compiled model; return the finished epochs.

        Raises
        ------
        InputError
            The checkpoint is of a run with other settings, of another network, or damaged.
        """
        epochs = self.finished_epochs()
        if epochs:
            path = self._path(epochs)
            self._refuse_another_run(path)
            model.optimizer.build(model.trainable_variables)
            load_weights(model, path)
            if self.average is not None:
                load_weights(self.average, self._average(epochs))
        return epochs

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Write the checkpoint, then drop older ones."""
        del logs
        older = self._files()
        if self.average is not None:
            save_weights(self.average, self._average(epoch + 1))
        save_weights(self.model, self._path(epoch + 1), self.config)
        for path in older:
            if path != self._path(epoch + 1):
                path.unlink(missing_ok=True)
                self._average(int(path.name.split(".")[0])).unlink(missing_ok=True)

    def _refuse_another_run(self, path: Path) -> None:
        try:
            with h5py.File(path) as file:
                saved = file.attrs.get(SETTINGS)
        except OSError as error:
            raise InputError(_damaged(path, error)) from error
        if saved is None:  # written before settings were kept
            return
        found = difference(Config.model_validate_json(saved), self.config)
        if found:
            msg = (
                f"{path}: a checkpoint of another run: {found}. Continue the run that it belongs "
                f"to, or move {self.folder} away to begin anew."
            )
            raise InputError(msg)

    def _files(self) -> list[Path]:
        return [p for p in self.folder.glob("*.weights.h5") if p.name[0].isdigit()]

    def _path(self, epochs: int) -> Path:
        return self.folder / f"{epochs:05d}.weights.h5"

    def _average(self, epochs: int) -> Path:
        return self.folder / f"average-{epochs:05d}.weights.h5"


class Reseed(keras.callbacks.Callback):  # type: ignore[misc]
    """Reseeds dropout and noise from (seed, epoch) as each epoch starts.

    Their state need then not be saved to resume identically.
    """

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.seed = seed

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Reseed every source of chance inside the model."""
        del logs
        states = [v for v in self.model.variables if v.path.endswith("seed_generator_state")]
        for number, state in enumerate(states):
            words = np.random.default_rng((self.seed, epoch, number)).integers(0, 2**31, 2)
            state.assign(words.astype(str(state.dtype)))


def save_weights(model: keras.Model, path: Path, config: Config | None = None) -> None:
    """Write a model's weights, and the settings of the run that they are of.

    Raises
    ------
    InputError
        They cannot be written, such as on a full disk; a file that was there is untouched.
    """

    def write(partial: Path) -> None:
        model.save_weights(partial)
        if config is not None:
            with h5py.File(partial, "a") as file:
                file.attrs[SETTINGS] = config.model_dump_json()

    atomically(path, write)


def load_weights(model: keras.Model, path: Path) -> None:
    """Load what :func:`save_weights` wrote.

    Raises
    ------
    InputError
        The file is missing or damaged, or its weights are another network's.
    """
    try:
        model.load_weights(path)
    except OSError as error:
        raise InputError(_damaged(path, error)) from error
    except (ValueError, KeyError) as error:
        reason = str(error).splitlines()[0]
        msg = (
            f"{path}: the weights of another network ({reason}) Give the run that they "
            "belong to, or the settings that they were trained with."
        )
        raise InputError(msg) from error


def _damaged(path: Path, error: OSError) -> str:
    return (
        f"{path}: cannot be read ({error}). If it is damaged, delete it; training then goes on "
        "from an older checkpoint where there is one, and from the beginning otherwise."
    )
