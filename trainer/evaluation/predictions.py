"""What a model says about faces, before anyone asks whether it is right."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from agegender_vision.census import AgeBands
from agegender_vision.estimator import Estimate, summarize
from trainer.models import reading
from trainer.models.bands import Bands, years
from trainer.models.heads import Head

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
    banded
        Of a model that tells ages in bands: the bands and their probabilities (N, B), which
        `ages` spreads over the years.
    undefined
        (N,): where the model says that this is no face; None from one that cannot.
    """

    ages: NDArray[np.float64]
    p_female: NDArray[np.float64]
    attributes: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    banded: tuple[AgeBands, NDArray[np.float64]] | None = None
    undefined: NDArray[np.bool_] | None = None

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
            name: reading.probabilities(
                heads[name].description,
                output,
                (temperatures or {}).get(f"{name}_temperature", 1.0),
            )
            for name, output in outputs.items()
        }
        faces = len(next(iter(found.values())))
        unknown = np.full((faces, YEARS), np.nan)
        p_female = found.pop("gender", unknown)[:, 1]
        banded = _banded(heads, found, p_female)
        ages = years(*banded, YEARS) if banded else found.pop("age", unknown)
        return cls(ages, p_female, found, banded, _undefined(heads, outputs))

    def subset(self, indices: NDArray[np.int64]) -> Predictions:
        """Return the answers for the faces at `indices`, in that order."""
        attributes = {name: answer[indices] for name, answer in self.attributes.items()}
        banded = self.banded and (self.banded[0], self.banded[1][indices])
        undefined = None if self.undefined is None else self.undefined[indices]
        return Predictions(
            self.ages[indices], self.p_female[indices], attributes, banded, undefined
        )

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

    def probabilities(self, name: str) -> NDArray[np.float64]:
        """Return the answers of the head called `name`, (N, C); no columns without the head."""
        if name == "age":
            return self.ages
        if name == "gender":
            return np.stack([1 - self.p_female, self.p_female], axis=1)
        return self.attributes.get(name, np.empty((len(self.p_female), 0)))

    @property
    def estimates(self) -> list[Estimate]:
        """The same as the engine has it, N of them, with 80 % intervals of the age."""
        pairs = zip(self.ages.astype(np.float32), self.p_female, strict=True)
        return [summarize(ages, float(p_female)) for ages, p_female in pairs]

    def bands(self, bands: AgeBands) -> NDArray[np.int64]:
        """Return the position of the band of each face, (N,).

        That of its expected age; of a model that answers in these very bands the likeliest.
        """
        if self.banded and self.banded[0] == bands:
            return self.banded[1].argmax(axis=1)
        return np.array([bands.of(one)[0] for one in self.estimates], np.int64)


def _banded(
    heads: Mapping[str, Head], found: dict[str, NDArray[np.float64]], p_female: NDArray[np.float64]
) -> tuple[AgeBands, NDArray[np.float64]] | None:
    """Take the answers in age bands out of `found`; None if there are none.

    Of two heads that answer for one gender each, the one of the gender said counts.
    """
    asked = {
        head.given: (name, head.age_bands)
        for name, head in heads.items()
        if isinstance(head, Bands) and (name == "age" or head.given is not None)
    }
    if not asked:
        return None
    answers = {given: found.pop(name) for given, (name, _) in asked.items()}
    _, bands = next(iter(asked.values()))
    if None in answers:
        return bands, answers[None]
    said = (p_female >= 0.5)[:, None]
    return bands, np.where(said, answers["female"], answers["male"])


def _undefined(
    heads: Mapping[str, Head], outputs: Mapping[str, NDArray[np.float32]]
) -> NDArray[np.bool_] | None:
    """Return where any head sees no face, (N,); None if none of them can tell."""
    said = [
        reading.undefined(heads[name].description, output)
        for name, output in outputs.items()
        if reading.refuses(heads[name].description)
    ]
    return np.any(said, axis=0) if said else None
