"""What is kept of a training, so that kill -9 costs one epoch and a full disk nothing."""

from __future__ import annotations

import io
import warnings
import zipfile
from pathlib import Path
from typing import Any

import keras
import numpy as np

from trainer.config import Config, difference
from trainer.errors import InputError
from trainer.files import atomically

SETTINGS = "settings"
"""Name of the run's settings in a checkpoint, beside the numbers of the variables."""


class Checkpoint(keras.callbacks.Callback):  # type: ignore[misc]
    """Saves weights and optimizer state after every epoch.

    The file's name holds the number of finished epochs; it appears by renaming, so that a
    half-written file is never found, and the one before is dropped only then. It is NumPy's:
    HDF5, which Keras saves weights to, takes the whole process down when a disk is full.

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
        return max((_epochs(path) for path in self._files()), default=0)

    def restore(self, model: keras.Model) -> int:
        """Load the newest checkpoint into a compiled model; return the finished epochs.

        Raises
        ------
        InputError
            The checkpoint is of a run with other settings, of another network, or damaged.
        """
        path = max(self._files(), key=_epochs, default=None)
        if path is None:
            return 0
        model.optimizer.build(model.trainable_variables)
        if path.suffix == ".npz":
            self._load(model, path)
        else:  # until November 2026
            load_weights(model, path)
        if self.average is not None:
            load_weights(self.average, self._average(_epochs(path)))
        return _epochs(path)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Write the checkpoint, then drop older ones."""
        del logs
        older = self._files()
        if self.average is not None:
            atomically(self._average(epoch + 1), self.average.save)
        new = self.folder / f"{epoch + 1:05d}.npz"
        values: dict[str, Any] = {SETTINGS: np.array(self.config.model_dump_json())}
        for number, variable in enumerate(_variables(self.model)):
            values[f"{number:04d}"] = variable.numpy()
        content = io.BytesIO()
        np.savez(content, **values)
        atomically(new, lambda partial: partial.write_bytes(content.getvalue()))
        for path in older:
            if path != new:
                path.unlink(missing_ok=True)
                self._average(_epochs(path)).unlink(missing_ok=True)

    def _load(self, model: keras.Model, path: Path) -> None:
        try:
            with np.load(path) as saved:
                values = {name: saved[name] for name in saved.files}
            settings = str(values.pop(SETTINGS))
        except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
            raise InputError(_damaged(path, error)) from error
        if found := difference(Config.model_validate_json(settings), self.config):
            msg = (
                f"{path}: a checkpoint of another run: {found}. Continue the run that it belongs "
                f"to, or move {self.folder} away to begin anew."
            )
            raise InputError(msg)
        variables = _variables(model)
        found_shapes = [value.shape for value in values.values()]
        if found_shapes != [tuple(variable.shape) for variable in variables]:
            raise InputError(_of_another_network(path))
        for variable, value in zip(variables, values.values(), strict=True):
            variable.assign(value)

    def _files(self) -> list[Path]:
        """Return all checkpoints, those of earlier versions too."""
        names = [*self.folder.glob("*.npz"), *self.folder.glob("*.weights.h5")]
        return [path for path in names if path.name[0].isdigit()]

    def _average(self, epochs: int) -> Path:
        return self.folder / f"average-{epochs:05d}.keras"


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


def load_weights(model: keras.Model, path: Path) -> None:
    """Load the weights of a file that Keras wrote.

    Raises
    ------
    InputError
        The file is missing or damaged, or its weights are another network's.
    """
    try:
        model.load_weights(path)
    except (OSError, zipfile.BadZipFile) as error:
        raise InputError(_damaged(path, error)) from error
    except (ValueError, KeyError) as error:
        raise InputError(_of_another_network(path)) from error


def load_weights_of_part(model: keras.Model, path: Path) -> None:
    """Load a trained network into one that has its layers, and perhaps others beside them.

    Those others stay as they are (Net2Net, Chen, Goodfellow and Shlens, ICLR 2016, grows
    networks so): our encoders' additional pairs begin as the identity.

    Raises
    ------
    InputError
        The file is missing or damaged, or a layer in it has another shape here, or no place.
    """
    try:
        with warnings.catch_warnings(action="ignore"):  # of what it then raises an error for
            load_weights(model, path)
    except InputError:
        found = {variable.path: variable for variable in _network(path).weights}
        own = {variable.path: variable for variable in model.weights}
        if any(name not in own or own[name].shape != found[name].shape for name in found):
            raise
        for name, variable in found.items():
            own[name].assign(variable)


def _network(path: Path) -> keras.Model:
    try:
        return keras.saving.load_model(path, compile=False)
    except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
        raise InputError(_damaged(path, error)) from error


def _epochs(path: Path) -> int:
    return int(path.name.split(".")[0])


def _variables(model: keras.Model) -> list[keras.Variable]:
    """Return what a training goes on from, always in the same order."""
    return [*model.weights, *model.optimizer.variables]


def _damaged(path: Path, error: Exception) -> str:
    return (
        f"{path}: cannot be read ({error}). If it is damaged, delete it; training then goes on "
        "from an older one where there is one, and from the beginning otherwise."
    )


def _of_another_network(path: Path) -> str:
    return (
        f"{path}: the weights of another network than these settings make. Give the run that "
        "they belong to, or the settings that they were trained with."
    )
