"""Learning from what trained models answer, beside the labels and where there are none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from keras import ops
from numpy.typing import NDArray
from rich.progress import track

from trainer.config import Config
from trainer.data.faces import Faces
from trainer.errors import InputError
from trainer.evaluation import ensemble, figures, models
from trainer.evaluation.predictions import Predictions
from trainer.models.heads import Head

CHUNK = 1024
"""Faces that the teachers are asked about at a time."""
TAUGHT = ("classes", "distribution", "logit")
"""Types of heads whose outputs are logits of classes that exclude each other."""


class Taught:
    """A head that learns from its labels and from its teachers' answers.

    Distillation (Hinton, Vinyals and Dean, arXiv:1503.02531) without a temperature of its own:
    the answers are calibrated as they come. A face without a label has the teachers alone.

    Parameters
    ----------
    head
        Whose labels and loss are taken, and whose outputs stay as they are.
    share
        Of the loss, in [0, 1], that the answers have; the labels have the rest.
    answers
        The teachers' probabilities (N, C) for the training faces, see
        :func:`trainer.models.reading.probabilities`.
    """

    def __init__(self, head: Head, share: float, answers: NDArray[np.float32]) -> None:
        self._head, self._share, self._answers = head, share, answers

    @property
    def description(self) -> Mapping[str, Any]:
        """The head's own."""
        return self._head.description

    def outputs(self, features: Any) -> Any:
        """Return the head's own outputs (N, K)."""
        return self._head.outputs(features)

    def targets(self, table: pd.DataFrame) -> NDArray[np.float32]:
        """Return the labels of the training faces and behind them the answers, (N, L + C)."""
        return np.concatenate([self._head.targets(table), self._answers], axis=1)

    def loss(self, targets: Any, outputs: Any) -> Any:
        """Return the shared loss (N,): the head's, and the cross-entropy of the answers."""
        labels = targets[:, : -self._answers.shape[1]]
        answers = targets[:, -self._answers.shape[1] :]
        logits = outputs
        if self.description["type"] == "logit":
            logits = ops.concatenate([ops.zeros_like(outputs), outputs], axis=-1)
        taught = -ops.sum(answers * ops.log_softmax(logits, axis=-1), axis=-1)
        return (1 - self._share) * self._head.loss(labels, outputs) + self._share * taught


def taught(config: Config, heads: Mapping[str, Head], faces: Faces) -> dict[str, Head]:
    """Return the heads as they learn: from `train.teachers` too, if there are any.

    Parameters
    ----------
    config
        `train.teachers` answer by the mean of their probabilities, each for the face and its
        mirror image.
    heads
        By name.
    faces
        The training faces, which the teachers are shown.

    Raises
    ------
    InputError
        A teacher cannot be opened, does not answer what a head asks, or the head is of a kind
        that learns from labels alone.
    """
    if not config.train.teachers:
        return dict(heads)
    for name, head in heads.items():
        if (kind := head.description["type"]) not in TAUGHT:
            msg = (
                f"train.teachers: the head {name!r} is of the type {kind!r}, which learns from "
                f"labels alone; those that can be taught are {', '.join(TAUGHT)}."
            )
            raise InputError(msg)
    said = _ask(config.train.teachers, heads, faces)
    return {
        name: Taught(
            head,
            config.train.teacher_weight,
            np.concatenate([one.probabilities(name) for one in said]).astype(np.float32),
        )
        for name, head in heads.items()
    }


def _ask(teachers: Sequence[Path], heads: Mapping[str, Head], faces: Faces) -> list[Predictions]:
    """Return the teachers' answers, for `CHUNK` faces after the other."""
    opened = [models.load(folder, ["model.mirror=true"]) for folder in teachers]
    parts = np.array_split(np.arange(len(faces)), -(-len(faces) // CHUNK))
    said = []
    for part in track(parts, "asking the teachers"):
        shown = faces.subset(part)
        said.append(ensemble.together([one.answer(shown) for one in opened], "mean"))
        if len(said) == 1:
            _refuse_others(heads, said[0])
    return said


def _refuse_others(heads: Mapping[str, Head], said: Predictions) -> None:
    """Raise InputError if the answers are not in a head's classes."""
    for name, head in heads.items():
        answers = said.probabilities(name)
        if answers.shape[1] != _classes(head) or np.isnan(answers).any():
            msg = (
                f"train.teachers: they do not answer what the head {name!r} asks, in its "
                f"{_classes(head)} classes. Leave the head out, or take teachers that were "
                "trained with it."
            )
            raise InputError(msg)


def _classes(head: Head) -> int:
    about = head.description
    if about["type"] == "distribution":
        first, last = about["support"]
        return int(last - first + 1)
    return len(figures.classes(head))
