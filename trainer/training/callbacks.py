"""What happens beside the gradient steps: progress, logs, averages, validation, stopping."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

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
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.record_writer import RecordWriter

from trainer.config import Config
from trainer.data.faces import Faces
from trainer.errors import InputError
from trainer.evaluation.figures import each_dataset, figures
from trainer.evaluation.predictions import Predictions
from trainer.files import atomically, writing
from trainer.models import recipes
from trainer.models.heads import Head

VALIDATION = "val_loss"
"""The log's column with the loss on held-out faces."""


class Finite(keras.callbacks.Callback):  # type: ignore[misc]
    """Ends a training whose loss is not a number any more, before anything is saved."""

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Raise InputError if so."""
        if logs is not None and not np.isfinite(logs["loss"]):
            msg = (
                f"epoch {epoch + 1}: the loss is {logs['loss']}, the training has diverged. "
                "Begin another run with a lower learning_rate."
            )
            raise InputError(msg)


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
        atomically(self.path, lambda partial: row.to_csv(partial, index=False))


class Budget(keras.callbacks.Callback):  # type: ignore[misc]
    """What each epoch took: views of faces, and seconds of this process on all cores.

    Parameters
    ----------
    path
        The run's CSV for it, to which each part of the training adds its rows.
    part
        Such as "train".
    views
        Views in an epoch.
    """

    def __init__(self, path: Path, part: str, views: int) -> None:
        super().__init__()
        self.path, self.part, self.views = path, part, views
        self.since = time.process_time()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Write the epoch's row, in place of one from before a resume."""
        del logs
        now = time.process_time()
        about = {"part": self.part, "epoch": epoch + 1, "views": self.views}
        row = pd.DataFrame([about | {"cpu_s": round(now - self.since, 2)}])
        self.since = now
        if self.path.exists():
            before = pd.read_csv(self.path)
            again = (before["part"] == self.part) & (before["epoch"] > epoch)
            row = pd.concat([before[~again], row])
        atomically(self.path, lambda partial: row.to_csv(partial, index=False))


class TensorBoard(keras.callbacks.Callback):  # type: ignore[misc]
    """The figures of every epoch as TensorBoard reads them, without TensorFlow.

    Keras' own callback needs TensorFlow; TensorBoard's writer has a thread that a full disk
    stops, and what is logged next waits for it for ever.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__()
        # A file for each process: one that was killed may have left a torn record behind.
        self.path = folder / f"events.out.tfevents.{time.time_ns()}"

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Append the epoch's figures."""
        values = [Summary.Value(tag=name, simple_value=x) for name, x in (logs or {}).items()]
        with writing(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("ab") as file:
                records = RecordWriter(file)
                for event in (
                    *([] if file.tell() else [Event(file_version="brain.Event:2")]),
                    Event(step=epoch + 1, summary=Summary(value=values)),
                ):
                    event.wall_time = time.time()
                    records.write(event.SerializeToString())


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
        self.started = self.images = self.speed = 0.0

    def __enter__(self) -> Self:
        """Show the bar."""
        self.task = self.progress.add_task(self.title, loss=np.nan, speed=0.0, total=None)
        self.progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Leave the bar on the screen, also of a training that failed."""
        self.progress.stop()

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
        self.speed = self.images / max(time.monotonic() - self.started, 1e-6)
        loss = (logs or {}).get("loss", 0)
        self.progress.update(self.task, advance=1, speed=self.speed, loss=loss)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Print the epoch's figures, which a log file keeps when the bar is gone."""
        shown = "  ".join(f"{key} {value:.4g}" for key, value in (logs or {}).items())
        shown += f"  {self.speed:.0f} images/s"
        self.progress.console.print(f"{self.title} epoch {epoch + 1}: {shown}", highlight=False)


class Average(keras.callbacks.Callback):  # type: ignore[misc]
    """Keeps a second model at the exponential moving average of the trained one.

    All weights are averaged, the statistics of the normalisation among them: Keras' own
    average leaves these out, and averaged weights do not fit them. In the first steps the
    average is over fewer steps, (1 + t) / (10 + t) at step t.

    Parameters
    ----------
    into
        The second model, of the same architecture; it begins at the weights it has.
    decay
        Share of the average that stays at each step; 0 copies the weights as they are.
    """

    def __init__(self, into: keras.Model, decay: float) -> None:
        super().__init__()
        self.into, self.decay = into, decay
        self.weights = [np.array(weight) for weight in into.get_weights()]
        self.epoch = 0

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Know which step it is, also after a resume."""
        del logs
        self.epoch = epoch

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Move the average a little."""
        del logs
        if not self.decay:
            return
        step = self.epoch * self.params["steps"] + batch
        share = 1 - min(self.decay, (1 + step) / (10 + step))
        for average, weight in zip(self.weights, self.model.get_weights(), strict=True):
            np.add(average, share * (weight - average), out=average)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Give the average to the second model."""
        del epoch, logs
        self.into.set_weights(self.weights if self.decay else self.model.get_weights())


class Validate(keras.callbacks.Callback):  # type: ignore[misc]
    """Adds loss and figures on held-out faces to the log every few epochs.

    Parameters
    ----------
    judged
        The model that is shown the faces: see :class:`Average`.
    faces, config, heads
        The held-out faces, the run's settings and heads.
    every
        Epochs from one validation to the next; the last epoch always has one.
    """

    def __init__(
        self,
        judged: keras.Model,
        faces: Faces,
        config: Config,
        heads: Mapping[str, Head],
        every: int,
    ) -> None:
        super().__init__()
        self.judged, self.faces, self.config = judged, faces, config
        self.heads, self.every = heads, every
        self.targets = {name: head.targets(faces.table) for name, head in heads.items()}

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Predict, and extend `logs` for the callbacks that follow."""
        if logs is None or ((epoch + 1) % self.every and epoch + 1 != self.params["epochs"]):
            return
        answers = recipes.outputs(self.judged, self.faces, self.config)
        logs[VALIDATION] = sum(
            self.config.heads[name].weight
            * float(keras.ops.mean(head.loss(self.targets[name], answers[name])))
            for name, head in self.heads.items()
        )
        found = Predictions.from_outputs(self.heads, answers)
        for name, faces, said in each_dataset(self.faces, found):
            part = figures(faces, said)
            shown = {"mae": part.get("mae"), "gender": part.get("gender")}
            if "mae" not in part:
                shown["band"] = part.get("fairface_exact")
            logs |= {f"{name}_{key}": value for key, value in shown.items() if value is not None}


class EarlyStopping(keras.callbacks.Callback):  # type: ignore[misc]
    """Stops when the loss on held-out faces has not fallen for a while, and keeps the best.

    What it knows it reads from the log, so that a resumed run stops where the uninterrupted
    one does; Keras' own callback forgets with its process.

    Parameters
    ----------
    judged
        The model that the validation saw.
    log
        The CSV of :class:`Log`, with a validation in every epoch.
    patience
        Epochs without a lower loss before the training stops.
    best
        File for the judged model after the best epoch.
    """

    def __init__(self, judged: keras.Model, log: Path, patience: int, best: Path) -> None:
        super().__init__()
        self.judged, self.log, self.patience, self.best = judged, log, patience, best

    def due(self, epochs: int) -> bool:
        """Return whether training stops after so many finished epochs."""
        return bool(epochs) and epochs - self._best_epoch(epochs) >= self.patience

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Keep the weights of the best epoch so far, or stop."""
        del logs
        if self._best_epoch(epoch + 1) == epoch + 1:
            atomically(self.best, self.judged.save)
        self.model.stop_training = self.due(epoch + 1)

    def _best_epoch(self, epochs: int) -> int:
        log = pd.read_csv(self.log)
        log = log[log["epoch"] <= epochs]
        return int(log["epoch"].to_numpy()[np.nanargmin(log[VALIDATION])])
