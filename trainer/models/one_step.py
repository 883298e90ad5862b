"""Heads that answer age band and gender at once, or that this is no face at all.

Two-hot: one output for each class, each by itself yes or no; with a head for age and one for
gender two outputs are hot, and none where no face is. Tuple: a class's number is a value to be
met, -1 where no face is, and the nearest whole number counts.

A manifest says what is no face in its column `face`, see :mod:`trainer.data.noface`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import keras
import numpy as np
import pandas as pd
from keras import layers, ops
from numpy.typing import NDArray

from trainer.models.bands import Bands
from trainer.models.kind import Kind

COLUMN, NO = "face", "no"
"""What is written in which column of the manifest where a picture shows no face."""
NO_FACE = -1.0
"""The label of such a picture."""
SEXES = ("male", "female")

Encoding = Literal["two-hot", "tuple"]


class OneStepAge(Bands):
    """The age band.

    Attributes
    ----------
    encoding
        See above.
    """

    encoding: Encoding = "two-hot"

    @property
    def description(self) -> Mapping[str, Any]:
        """Logits of the bands, or the band's number."""
        return {"type": self.encoding, "labels": list(self.age_bands.labels)}

    def outputs(self, features: keras.KerasTensor) -> keras.KerasTensor:
        """Return logits (N, B), or values (N, 1)."""
        return _outputs(self.encoding, self.age_bands.labels, self.name)(features)

    def targets(self, table: pd.DataFrame) -> NDArray[np.float32]:
        """Return (N, 1): the band, -1 of no face; NaN where it is open which one it is."""
        return _without_faces(super().targets(table), table)

    def loss(self, targets: Any, outputs: Any) -> Any:
        """Return the loss (N,), see :func:`two_hot` and :func:`squared_error`."""
        return LOSSES[self.encoding](targets, outputs)


class OneStepGender(Kind):
    """Male, 0, or female, 1.

    Attributes
    ----------
    encoding
        See above.
    """

    encoding: Encoding = "two-hot"

    @property
    def description(self) -> Mapping[str, Any]:
        """Logits of the two, or the number."""
        return {"type": self.encoding, "labels": list(SEXES)}

    def outputs(self, features: keras.KerasTensor) -> keras.KerasTensor:
        """Return logits (N, 2), or values (N, 1)."""
        return _outputs(self.encoding, SEXES, self.name)(features)

    def targets(self, table: pd.DataFrame) -> NDArray[np.float32]:
        """Return (N, 1): 0 male, 1 female, -1 no face; NaN where unknown."""
        place = table["gender"].map({"male": 0.0, "female": 1.0})
        return _without_faces(place.to_numpy(np.float32)[:, None], table)

    def loss(self, targets: Any, outputs: Any) -> Any:
        """Return the loss (N,), see :func:`two_hot` and :func:`squared_error`."""
        return LOSSES[self.encoding](targets, outputs)


def two_hot(targets: Any, logits: Any) -> Any:
    """Binary cross-entropy of each class by itself, summed.

    Parameters
    ----------
    targets
        (N, 1): the class, -1 of no face, NaN where unknown.
    logits
        (N, K).

    Returns
    -------
    tensor
        (N,), zero where unknown.
    """
    hot = ops.cast(targets == ops.arange(logits.shape[-1], dtype="float32"), logits.dtype)
    loss = ops.sum(ops.softplus(logits) - hot * logits, axis=-1)
    return ops.where(ops.isnan(targets[:, 0]), ops.zeros_like(loss), loss)


def squared_error(targets: Any, values: Any) -> Any:
    """Squared distance from the class's number.

    Parameters
    ----------
    targets
        (N, 1): the class, -1 of no face, NaN where unknown.
    values
        (N, 1).

    Returns
    -------
    tensor
        (N,), zero where unknown.
    """
    unknown = ops.isnan(targets)
    # NaN must leave before the arithmetic: a masked NaN still has a NaN gradient.
    loss = ops.square(values - ops.where(unknown, ops.zeros_like(targets), targets))
    return ops.where(unknown, ops.zeros_like(loss), loss)[:, 0]


LOSSES: Mapping[Encoding, Callable[[Any, Any], Any]] = {
    "two-hot": two_hot,
    "tuple": squared_error,
}


def _outputs(encoding: Encoding, labels: Sequence[str], name: str) -> layers.Layer:
    return layers.Dense(len(labels) if encoding == "two-hot" else 1, name=name)


def _without_faces(labels: NDArray[np.float32], table: pd.DataFrame) -> NDArray[np.float32]:
    nothing = table[COLUMN] == NO if COLUMN in table else np.zeros(len(table), np.bool_)
    marked: NDArray[np.float32] = np.where(
        np.asarray(nothing)[:, None], np.float32(NO_FACE), labels
    )
    return marked
