"""What a model says about faces, before anyone asks whether it is right."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from agegender_vision.census import AgeBands
from agegender_vision.estimator import Estimate, summarize
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

    @property
    def knows_age(self) -> bool:
        """Whether the model answers about ages."""
        return not np.isnan(self.ages).any()

    @property
    def knows_gender(self) -> bool:
        """Whether the model answers about gender."""
        return not np.isnan(self.p_female).any()

    @property
    def estimates(self) -> list[Estimate]:
        """The same as the engine has it, N of them, with 80 % intervals of the age."""
        pairs = zip(self.ages.astype(np.float32), self.p_female, strict=True)
        return [summarize(ages, float(p_female)) for ages, p_female in pairs]

    def bands(self, bands: AgeBands) -> NDArray[np.int64]:
        """Return the position of the band of each face, (N,)."""
        return np.array([bands.of(one)[0] for one in self.estimates], np.int64)
