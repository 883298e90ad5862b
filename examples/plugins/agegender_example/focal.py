"""A head for what is rare: the focal loss (Lin et al., ICCV 2017) of a yes-or-no column."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import pandas as pd
from keras import layers, ops
from numpy.typing import NDArray

from trainer.models.heads import WORDS, labels


@dataclass(frozen=True)
class Focal:
    """One logit; faces that are judged well already count little.

    Attributes
    ----------
    name
        The head's; comes first, the others are options: `heads.hat.gamma = 3`.
    column
        Of the manifest, with yes and no; left out: the head's name.
    gamma
        How much less they count; 0 is the plain cross-entropy.
    """

    name: str
    column: str | None = None
    gamma: float = 2.0

    def __post_init__(self) -> None:
        """Refuse what makes no sense; the command line adds which head it was."""
        if self.gamma < 0:
            raise ValueError(f"gamma is {self.gamma}, it must not be negative")

    @property
    def description(self) -> Mapping[str, Any]:
        """Every runtime knows how to read a logit."""
        return {"type": "logit", "positive": "yes"}

    def outputs(self, features: keras.KerasTensor) -> keras.KerasTensor:
        """Return the logit (N, 1); the layer is called as the head is."""
        return layers.Dense(1, name=self.name)(features)

    def targets(self, table: pd.DataFrame) -> NDArray[np.float32]:
        """Return (N, 1): 1 for yes, 0 for no, NaN where there is neither."""
        words = labels(table, self.column or self.name)
        return words.str.lower().map(WORDS).to_numpy(np.float32)[:, None]

    def loss(self, targets: Any, outputs: Any) -> Any:
        """Return (N,): (1 - p)^gamma times -log p, for p of the right answer; 0 if unknown."""
        known = ops.logical_not(ops.isnan(targets))
        sign = ops.where(known, 2 * targets - 1, ops.zeros_like(targets))
        log_p = -ops.softplus(-sign * outputs)
        missed = ops.maximum(1 - ops.exp(log_p), keras.config.epsilon())
        loss = -ops.power(missed, self.gamma) * log_p
        return ops.where(known, loss, ops.zeros_like(loss))[:, 0]
