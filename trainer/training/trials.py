"""Trainings to be compared: each is recorded as soon as it is finished, so that none is lost."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd

from trainer.config import Config
from trainer.data.faces import Faces
from trainer.errors import InputError
from trainer.evaluation.cost import network_multiply_adds, views
from trainer.evaluation.figures import each_dataset, figures
from trainer.evaluation.predictions import Predictions
from trainer.files import atomically
from trainer.models import heads, recipes
from trainer.training.finetune import train

MEASURES = {
    "mae": ("age MAE, years", 1.0),
    "gender": ("gender accuracy, %", 100.0),
    "fairface_exact": ("FairFace band, exact, %", 100.0),
}
"""What comparisons show of the figures: its axis label and factor."""


def refuse_knowledge(config: Config) -> None:
    """Refuse to train from, or after, models that may know the faces that are kept apart.

    Raises
    ------
    InputError
        Naming `train.initial_weights` or `train.teachers`, whichever is set.
    """
    for key in ("initial_weights", "teachers"):
        if given := getattr(config.train, key):
            names = [given] if isinstance(given, Path) else given
            msg = (
                f"train.{key} names {', '.join(map(str, names))}, which may have learned from "
                "the very faces or labels that are kept apart here. Leave the setting out: each "
                "of these trainings begins anew."
            )
            raise InputError(msg)


class Trials:
    """The trainings of a comparison, in a folder's `results.csv`.

    Parameters
    ----------
    folder
        Holds the table and the training in hand.
    held_out
        What errors are measured on.
    key
        The columns that tell one training from another.
    """

    def __init__(self, folder: Path, held_out: Faces, *key: str) -> None:
        """Go on with what an earlier process recorded."""
        self._path = folder / "results.csv"
        self._held_out = held_out
        self._key = list(key)
        self.results = (
            pd.read_csv(self._path) if self._path.exists() else pd.DataFrame(columns=self._key)
        )
        """A row for each training: the key, `labels` (faces trained on), `parameters`,
        `multiply_adds`, and the figures of :func:`trainer.evaluation.figures.figures` as
        `dataset:figure`."""

    def __contains__(self, key: Mapping[str, Any]) -> bool:
        """Tell whether a training was recorded."""
        values = [key[name] for name in self._key]
        return bool((self.results[self._key] == values).all(axis=1).any())

    def run(
        self, key: Mapping[str, Any], config: Config, faces: Faces, encoder: Path | None
    ) -> None:
        """Train, measure and record.

        Parameters
        ----------
        key
            The values of the key's columns.
        config
            Of the training, its heads resolved.
        faces
            What is learned from.
        encoder
            A pretrained encoder; None starts from random weights.
        """
        keras.backend.clear_session()
        run = self._path.parent / file_name("-".join(map(str, key.values())))
        network = keras.saving.load_model(train(config, faces, None, run, encoder))
        answers = recipes.outputs(network, self._held_out, config)
        said = Predictions.from_outputs(heads.of(config), answers)
        row = dict(key) | {"labels": len(faces), "parameters": network.count_params()}
        row["multiply_adds"] = network_multiply_adds(network, views(config))
        row |= {
            f"{name}:{figure}": value
            for name, part, found in each_dataset(self._held_out, said)
            for figure, value in figures(part, found).items()
        }
        self.results = pd.concat([self.results, pd.DataFrame([row])], ignore_index=True)
        atomically(self._path, lambda partial: self.results.to_csv(partial, index=False))
        shutil.rmtree(run)


def file_name(name: str) -> str:
    """Return what a folder is called for a name with any characters."""
    return re.sub(r"[^\w.]+", "-", name)


def spread(mean: float, deviation: float) -> str:
    """Return a mean and its standard deviation as text; NaN is that of a single value."""
    return f"{mean:.2f}" + ("" if np.isnan(deviation) else f" ± {deviation:.2f}")


def measured(results: pd.DataFrame) -> Iterator[tuple[str, str, str]]:
    """Yield the columns that comparisons show: name, data set, key of :data:`MEASURES`.

    Of a data set with exact ages not the band: it says less.
    """
    for name in map(str, results):
        dataset, _, key = name.partition(":")
        if key in MEASURES and not (key == "fairface_exact" and f"{dataset}:mae" in results):
            yield name, dataset, key
