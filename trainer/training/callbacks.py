"""What happens beside the gradient steps: checkpoints, progress, validation."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from trainer.config import Config
from trainer.data.faces import Faces
from trainer.evaluation.predictions import Predictions
from trainer.evaluation.report import each_dataset, figures
from trainer.models import heads, recipes


class Checkpoint(keras.callbacks.Callback):  # type: ignore[misc]
    """Saves weights and optimizer state after every epoch, so that kill -9 loses one epoch.

    The file's name holds the number of finished epochs; it appears by renaming, so that a
    half-written file is never found. Dropout and noise are reseeded from (seed, epoch)
    as each epoch starts: their state need not be saved to resume identically.
    """

    def __init__(self, folder: Path, seed: int) -> None:
        super().__init__()
        self.folder, self.seed = folder, seed
        folder.mkdir(parents=True, exist_ok=True)

    def finished_epochs(self) -> int:
        """Return how many epochs the newest checkpoint has behind it; 0 without one."""
        return max((int(path.name.split(".")[0]) for path in self._files()), default=0)

    def restore(self, model: keras.Model) -> int:
        """Load the newest checkpoint into a compiled model; return the finished epochs."""
        epochs = self.finished_epochs()
        if epochs:
            model.optimizer.build(model.trainable_variables)
            model.load_weights(self._path(epochs))
        return epochs

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Reseed every source of chance inside the model."""
        del logs
        states = [v for v in self.model.variables if v.path.endswith("seed_generator_state")]
        for number, state in enumerate(states):
            words = np.random.default_rng((self.seed, epoch, number)).integers(0, 2**31, 2)
            state.assign(words.astype(str(state.dtype)))

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Write the checkpoint, then drop older ones."""
        del logs
        older = self._files()
        partial = self.folder / "partial.weights.h5"
        self.model.save_weights(partial)
        partial.replace(self._path(epoch + 1))
        for path in older:
            path.unlink(missing_ok=True)

    def _files(self) -> list[Path]:
        return [p for p in self.folder.glob("*.weights.h5") if p.name[0].isdigit()]

    def _path(self, epochs: int) -> Path:
        return self.folder / f"{epochs:05d}.weights.h5"


class Log(keras.callbacks.Callback):  # type: ignore[misc]
    """One CSV row per epoch; a resumed run continues the file without repeating a row."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Write the epoch's row."""
        row = pd.DataFrame([{"epoch": epoch + 1, **(logs or {})}])
        if self.path.exists():
            before = pd.read_csv(self.path)
            row = pd.concat([before[before["epoch"] <= epoch], row])
        partial = self.path.with_suffix(".partial")
        row.to_csv(partial, index=False)
        partial.replace(self.path)


class Bar(keras.callbacks.Callback):  # type: ignore[misc]
    """A progress bar over the whole run, with the loss, images per second and time left."""

    def __init__(self, title: str, batch_size: int) -> None:
        super().__init__()
        self.title, self.batch_size = title, batch_size
        self.progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("loss {task.fields[loss]:.4f}  {task.fields[speed]:.0f} images/s"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
        )
        self.started = self.images = 0.0

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Show the bar."""
        del logs
        self.task = self.progress.add_task(self.title, loss=np.nan, speed=0.0, total=None)
        self.progress.start()

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Place the bar, also after a resume."""
        del logs
        steps = self.params["steps"]
        total = steps * self.params["epochs"]
        self.progress.update(self.task, completed=epoch * steps, total=total)
        self.started, self.images = time.monotonic(), 0.0

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Advance the bar."""
        del batch
        self.images += self.batch_size
        speed = self.images / max(time.monotonic() - self.started, 1e-6)
        self.progress.update(self.task, advance=1, speed=speed, loss=(logs or {}).get("loss", 0))

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Print the epoch's figures, which a log file keeps when the bar is gone."""
        shown = "  ".join(f"{key} {value:.4g}" for key, value in (logs or {}).items())
        self.progress.console.print(f"{self.title} epoch {epoch + 1}: {shown}", highlight=False)

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Leave the finished bar on the screen."""
        del logs
        self.progress.stop()


class Validate(keras.callbacks.Callback):  # type: ignore[misc]
    """Adds figures on held-out faces to the log every few epochs."""

    def __init__(self, faces: Faces, config: Config, every: int) -> None:
        super().__init__()
        self.faces, self.config, self.every = faces, config, every
        self.heads = heads.of(config)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Predict, and extend `logs` for the callbacks that follow."""
        if logs is None or ((epoch + 1) % self.every and epoch + 1 != self.params["epochs"]):
            return
        answers = recipes.outputs(self.model, self.faces, self.config)
        found = Predictions.from_outputs(self.heads, answers)
        for name, faces, said in each_dataset(self.faces, found):
            part = figures(faces, said)
            shown = {"mae": part.get("mae"), "gender": part.get("gender")}
            if "mae" not in part:
                shown["band"] = part.get("fairface_exact")
            logs |= {f"{name}_{key}": value for key, value in shown.items() if value is not None}
