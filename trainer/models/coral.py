"""CORAL: age as a row of yes-or-no questions, "older than k years?", with one common weight.

Cao, Mirjalili and Raschka, "Rank consistent ordinal regression for neural networks with
application to age estimation", Pattern Recognition Letters 140, 2020.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import pandas as pd
from keras import layers, ops
from numpy.typing import NDArray
from pydantic import Field

from trainer.models.kind import Kind

STEEPEST = 4.0
"""The first and the last bias begin here and at its negative: 98 and 2 % for a new network."""


@keras.saving.register_keras_serializable("agegender")
class NonIncreasing(keras.constraints.Constraint):  # type: ignore[misc]
    """Keeps biases in falling order, and with them the probabilities.

    At the optimum they fall by themselves (theorem 1 of the paper). On the way there, and
    where bands leave some questions open, they need not.
    """

    def __call__(self, w: Any) -> Any:
        """Return the biases (K,) in falling order."""
        return ops.flip(ops.sort(w))


@keras.saving.register_keras_serializable("agegender")
class Ranks(layers.Layer):  # type: ignore[misc]
    """The common weight of all questions, and a bias for each.

    Parameters
    ----------
    questions
        How many.
    """

    def __init__(self, questions: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.questions = questions

    def build(self, input_shape: Any) -> None:
        """Make the weights."""
        self.kernel = self.add_weight(shape=(input_shape[-1], 1), name="kernel")
        self.bias = self.add_weight(
            shape=(self.questions,),
            initializer=lambda shape, dtype: ops.cast(
                ops.linspace(STEEPEST, -STEEPEST, shape[0]), dtype
            ),
            constraint=NonIncreasing(),
            name="bias",
        )

    def call(self, inputs: Any) -> Any:
        """Return logits (N, questions) on features (N, F)."""
        return ops.matmul(inputs, self.kernel) + self.bias

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "questions": self.questions}


class Coral(Kind):
    """Age by consistent ranks; learns from exact ages and from bands.

    Attributes
    ----------
    years
        Ages from 0 that can be told apart; older ones count as the last.
    weighted
        Whether the questions count by their importance, else all alike.
    importance
        How much each of the years - 1 questions counts; left out: as the labels of the
        training faces have it, which the run's `config.toml` then names.
    """

    years: int = Field(default=101, gt=2)
    weighted: bool = True
    importance: tuple[float, ...] = ()

    @property
    def description(self) -> Mapping[str, Any]:
        """Logits of being older than each year but the last."""
        return {"type": "coral", "support": [0, self.years - 1]}

    def outputs(self, features: keras.KerasTensor) -> keras.KerasTensor:
        """Return logits (N, years - 1)."""
        return Ranks(self.years - 1, name=self.name)(features)

    def targets(self, table: pd.DataFrame) -> NDArray[np.float32]:
        """Return (N, 2): lowest and highest possible age in years."""
        return table[["age_low", "age_high"]].to_numpy(np.float32)

    def found(self, table: pd.DataFrame) -> dict[str, Any]:
        """Return the importance of the questions for these faces, where it is not given."""
        if self.importance or not self.weighted:
            return {}
        return {"importance": importance(self.targets(table), self.years)}

    def loss(self, targets: Any, outputs: Any) -> Any:
        """Return the weighted cross-entropy (N,)."""
        weights = self.importance if self.weighted and self.importance else None
        return rank_loss(targets, outputs, weights)


def rank_loss(labels: Any, logits: Any, importance: Any = None) -> Any:
    """Binary cross-entropy of the questions whose answer a label gives.

    Of a face between 20 and 29 it is known that it is older than 19, and not older than 29;
    what is in between is left open.

    Parameters
    ----------
    labels
        (N, 2): lowest and highest possible age in years, NaN where unknown; ages beyond the
        last rank count as the last.
    logits
        (N, K): of being older than 0, 1, ... K - 1 years.
    importance
        (K,): what each question's loss is multiplied with; None: 1.

    Returns
    -------
    tensor
        (N,): the sum over the questions, zero where the label is unknown.
    """
    unknown = ops.isnan(labels)
    # NaN must leave before the arithmetic: a masked NaN still has a NaN gradient.
    label = ops.where(unknown, ops.zeros_like(labels), labels)
    years = ops.expand_dims(ops.arange(logits.shape[-1], dtype=logits.dtype), 0)
    older, not_older = label[:, :1] > years, label[:, 1:] <= years
    answered = ops.logical_and(ops.logical_or(older, not_older), ops.logical_not(unknown[:, :1]))
    yes = ops.cast(older, logits.dtype)
    loss = ops.softplus(logits) - yes * logits
    if importance is not None:
        loss = loss * ops.convert_to_tensor(importance, dtype=logits.dtype)
    return ops.sum(ops.where(answered, loss, ops.zeros_like(loss)), axis=-1)


def importance(labels: NDArray[np.float32], years: int) -> tuple[float, ...]:
    """Return the importance weight of each question, (years - 1,), the largest 1.

    The square root of how many faces have the commoner answer, as in the paper; a face whose
    label leaves the question open counts for neither.
    """
    known = np.minimum(labels[~np.isnan(labels[:, 0])], years - 1)
    questions = np.arange(years - 1)
    older = (known[:, :1] > questions).sum(axis=0)
    commoner = np.sqrt(np.maximum(older, (known[:, 1:] <= questions).sum(axis=0)))
    return tuple(np.round(commoner / max(commoner.max(), 1.0), 4).tolist())
