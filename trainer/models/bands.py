"""Age as one class of several bands."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import keras
import numpy as np
import pandas as pd
from keras import layers
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, field_validator

from agegender_vision.census import AgeBands
from trainer.data.augment import Fraction
from trainer.errors import InputError
from trainer.models import losses
from trainer.models.kind import smoothed

LAST = 80
"""Last year of the open band, where an age in years is asked for."""


class Bands(BaseModel):
    """Age as one of consecutive bands, as benchmarks before regression had it.

    Attributes
    ----------
    name
        The head's.
    bands
        The name of a preset of :class:`agegender_vision.census.AgeBands`, or the ages at
        which bands start, such as "18, 65".
    given
        Answers for faces of one gender alone, and learns from these alone: of two such heads
        the one whose gender the head `gender` says gives the age. None: for all faces.
    smoothing
        Share of each label spread over all bands.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, coerce_numbers_to_str=True)

    name: str
    bands: str = "adience"
    given: Literal["female", "male"] | None = None
    smoothing: Fraction = 0.0

    @field_validator("bands")
    @classmethod
    def _known(cls, bands: str) -> str:
        AgeBands.parse(bands)
        return bands

    @property
    def age_bands(self) -> AgeBands:
        """The bands."""
        return AgeBands.parse(self.bands)

    @property
    def description(self) -> Mapping[str, Any]:
        """Logits over the bands."""
        about = {"type": "classes", "labels": list(self.age_bands.labels)}
        return about | smoothed(self.smoothing)

    def outputs(self, features: keras.KerasTensor) -> keras.KerasTensor:
        """Return logits (N, B)."""
        return layers.Dense(len(self.age_bands.starts), name=self.name)(features)

    def targets(self, table: pd.DataFrame) -> NDArray[np.float32]:
        """Return (N, 1): the band; NaN where the label leaves open which one it is."""
        low, high = (
            np.searchsorted(self.age_bands.starts, table[name], side="right") - 1.0
            for name in ("age_low", "age_high")
        )
        known = table["age_low"].notna() & table["age_high"].notna() & (low == high)
        if self.given is not None:
            known &= table["gender"] == self.given
        return np.where(known, low, np.nan).astype(np.float32)[:, None]

    def loss(self, targets: Any, outputs: Any) -> Any:
        """Return the cross-entropy (N,)."""
        return losses.categorical(targets, outputs, smoothing=self.smoothing)


def check(heads: Mapping[str, object]) -> None:
    """Raise InputError unless the heads for one gender each make a chain with `gender`."""
    given = {head.given: head for head in heads.values() if isinstance(head, Bands) and head.given}
    if not given:
        return
    if "gender" not in heads or "age" in heads or len(given) < 2:
        raise InputError(
            "heads that answer for one gender each (given) need another for the other gender, "
            'the head gender, and no head age: heads.age.kind="none".'
        )
    if len({head.bands for head in given.values()}) > 1:
        raise InputError("the heads for one gender each must have the same bands.")


def years(bands: AgeBands, shares: NDArray[np.float64], number: int) -> NDArray[np.float64]:
    """Spread the probability of each band evenly over its years.

    Parameters
    ----------
    bands
        The bands.
    shares
        Probability of each, (N, B).
    number
        Years from 0 in the result. The open band ends at :data:`LAST`.

    Returns
    -------
    numpy.ndarray
        (N, number); rows sum to what they did.
    """
    years = np.arange(number)
    place = np.searchsorted(bands.starts, years, side="right") - 1
    member = place[:, None] == np.arange(len(bands.starts))
    member[:, -1] &= (years <= LAST) | (years == np.ceil(bands.starts[-1]))
    spread: NDArray[np.float64] = shares @ (member / member.sum(axis=0)).T
    return spread
