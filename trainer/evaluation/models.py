"""Models as evaluation sees them, be they a run or an exported folder."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from agegender_vision import artefact
from agegender_vision.artefact import ArtefactError
from agegender_vision.estimator import Estimator
from agegender_vision.runtime import runtimes
from trainer import config
from trainer.data.faces import Faces
from trainer.data.geometry import aligned
from trainer.errors import InputError
from trainer.evaluation import ensemble
from trainer.evaluation.predictions import YEARS, Predictions
from trainer.files import existing
from trainer.models import heads as head_kinds
from trainer.models import recipes
from trainer.models.heads import Head
from trainer.run import CALIBRATION, CHECKPOINT, CONFIG

BATCH = 64
"""Faces that an exported model is shown at a time."""


@dataclass(frozen=True)
class Model:
    """Something that answers about faces.

    Attributes
    ----------
    folder
        What it was opened from; its name is the model's.
    heads
        What it is asked, by name.
    answer
        Looks at faces.
    """

    folder: Path
    heads: Mapping[str, Head]
    answer: Callable[[Faces], Predictions]

    @property
    def name(self) -> str:
        """The folder's."""
        return self.folder.name


def load(folder: Path, overrides: Sequence[str] = ()) -> Model:
    """Open a run, a folder with an exported model, or an ensemble.

    Parameters
    ----------
    folder
        What to open.
    overrides
        Other settings of a run, see :func:`trainer.config.load`: such as `options.crops=10`.

    Raises
    ------
    InputError
        It is neither, a file of it is damaged, or the checkpoint is another run's.
    """
    if (folder / CONFIG).exists() and (folder / CHECKPOINT).exists():
        return _run(folder, overrides)
    if (folder / ensemble.FILE).exists():
        return _ensemble(folder, overrides)
    if (folder / artefact.DESCRIPTION).exists():
        return _exported(folder)
    raise InputError(
        f"{folder}: neither a finished run ({CONFIG} and {CHECKPOINT}) nor an exported model "
        f"({artefact.DESCRIPTION}) or an ensemble ({ensemble.FILE}). "
        f"Train it to the end: `agegender train --run {folder} --resume`."
    )


def trained(
    folder: Path, overrides: Sequence[str] = ()
) -> tuple[config.Config, keras.Model, dict[str, Any]]:
    """Return the settings, with `overrides`, the network and the temperatures of a run.

    Raises
    ------
    InputError
        One is missing or damaged, or the network is not what the settings describe.
    """
    again = f"`agegender train --run {folder} --resume` writes it anew"
    settings = config.load(existing(folder / CONFIG, "a run's settings"), overrides)
    try:
        network = keras.saving.load_model(existing(folder / CHECKPOINT, "a trained model"))
    except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
        raise InputError(
            f"{folder / CHECKPOINT}: cannot be read as a model ({error}); {again}."
        ) from error
    size, names = network.input_shape[-2], list(network.output)
    expected = list(head_kinds.of(settings))
    if size != settings.model.size or names != expected:
        raise InputError(
            f"{folder / CHECKPOINT}: another run's. It takes faces of {size} pixels and answers "
            f"{', '.join(names)}; {folder / CONFIG} says {settings.model.size} pixels and "
            f"{', '.join(expected)}. Put the two that belong together into one folder."
        )
    try:
        text = existing(folder / CALIBRATION, "a calibration").read_text("utf-8")
        temperatures: dict[str, Any] = json.loads(text)
    except ValueError as error:
        raise InputError(f"{folder / CALIBRATION}: not JSON ({error}); {again}.") from error
    return settings, network, temperatures


def _ensemble(folder: Path, overrides: Sequence[str]) -> Model:
    about = ensemble.read(folder)
    members = [load(one, overrides) for one in about.models]
    heads = {name: head for one in reversed(members) for name, head in one.heads.items()}

    def answer(faces: Faces) -> Predictions:
        return ensemble.together([one.answer(faces) for one in members], about.rule)

    return Model(folder, heads, answer)


def _run(folder: Path, overrides: Sequence[str]) -> Model:
    settings, network, temperatures = trained(folder, overrides)
    heads = head_kinds.of(settings)

    def answer(faces: Faces) -> Predictions:
        outputs = recipes.outputs(network, faces, settings)
        for name, values in outputs.items():
            if not np.isfinite(values).all():
                raise InputError(
                    f"{folder / CHECKPOINT}: the head {name!r} answers NaN, so the training "
                    "diverged. Train again with a smaller train.learning_rate."
                )
        return Predictions.from_outputs(heads, outputs, temperatures)

    return Model(folder, heads, answer)


def _exported(folder: Path) -> Model:
    try:
        model = artefact.load(folder)
        estimator = Estimator(model, runtimes.get("numpy"))
    except ArtefactError as error:
        raise InputError(str(error)) from error
    if model.metadata["outputs"]["age"]["support"] != [0, YEARS - 1]:
        raise InputError(f"{folder}: its ages are not the years 0 to {YEARS - 1}.")

    def answer(faces: Faces) -> Predictions:
        crops = np.stack(
            [aligned(face, estimator.size, estimator.geometry) for face in faces.images]
        )
        said = [
            one
            for start in range(0, len(crops), BATCH)
            for one in estimator.estimate(crops[start : start + BATCH])
        ]
        return Predictions(
            np.stack([one.ages for one in said]).astype(np.float64),
            np.array([one.p_female for one in said]),
        )

    known = head_kinds.of(config.Config())
    return Model(folder, known, answer)
