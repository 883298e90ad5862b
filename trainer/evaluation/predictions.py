"""What a model says about faces, before anyone asks whether it is right."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from trainer.models.heads import Head, probabilities

YEARS = 101


@dataclass(frozen=True)
class Predictions:
    """A model's answers for N faces.

    Attributes
    ----------
    ages
        float (N, A): probability of each year of age from 0 on, rows sum to 1; NaN from a
        model without a head `age`.
    p_female
        float (N,) in [0, 1]; NaN from a model without a head `gender`.
    attributes
        Every other head's answers by its name: (N, K) probabilities of its classes; of a
        binary one the negative class comes first.
    """

    ages: NDArray[np.float64]
    p_female: NDArray[np.float64]
    attributes: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)

    @classmethod
    def from_outputs(
        cls,
        heads: Mapping[str, Head],
        outputs: Mapping[str, NDArray[np.float32]],
        temperatures: Mapping[str, float] | None = None,
    ) -> Predictions:
        """Make predictions of the heads' outputs (N, K).

        Parameters
        ----------
        heads, outputs
            By name, see :mod:`trainer.models.heads`.
        temperatures
            `NAME_temperature` that softens the head's answers; 1 where absent.
        """
        found = {
            name: probabilities(
                heads[name].description,
                output,
                (temperatures or {}).get(f"{name}_temperature", 1.0),
            )
            for name, output in outputs.items()
        }
        faces = len(next(iter(found.values())))
        unknown = np.full((faces, YEARS), np.nan)
        ages, gender = found.pop("age", unknown), found.pop("gender", unknown)
        return cls(ages, gender[:, 1], found)

    def subset(self, indices: NDArray[np.int64]) -> Predictions:
        """Return the answers for the faces at `indices`, in that order."""
        attributes = {name: answer[indices] for name, answer in self.attributes.items()}
        return Predictions(self.ages[indices], self.p_female[indices], attributes)

    @property
    def age(self) -> NDArray[np.float64]:
        """Expected age in years, (N,)."""
        return self.ages @ np.arange(self.ages.shape[1])

    def interval(self, share: float = 0.8) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the central interval holding `share` of the probability: low, high (N,)."""
        cumulative = np.cumsum(self.ages, axis=1)
        low = np.argmax(cumulative >= (1 - share) / 2, axis=1)
        high = np.argmax(cumulative >= 1 - (1 - share) / 2, axis=1)
        return low.astype(np.float64), high.astype(np.float64)
