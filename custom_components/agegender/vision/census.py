"""Estimates become anonymous counts."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from .estimator import Estimate

GENDERS = ("female", "male")


@dataclass(frozen=True, slots=True)
class AgeBands:
    """Consecutive age bands; the last one is open.

    Parameters
    ----------
    starts
        First year of each band, rising from 0.

    Raises
    ------
    ValueError
        The starts do not rise from 0.

    Examples
    --------
    >>> AgeBands.preset("household").labels
    ('0-12', '13-19', '20-39', '40-59', '60+')
    """

    starts: tuple[int, ...]

    def __post_init__(self) -> None:
        """Check the starts."""
        rising = all(a < b for a, b in zip(self.starts, self.starts[1:], strict=False))
        if not self.starts or self.starts[0] != 0 or not rising:
            raise ValueError(f"age bands start at 0 and rise, got {list(self.starts)}")

    @classmethod
    def preset(cls, name: str = "household") -> AgeBands:
        """Return the bands called ``name``, a key of `PRESETS`.

        Raises
        ------
        ValueError
            There is no such preset.
        """
        try:
            return PRESETS[name]
        except KeyError:
            raise ValueError(
                f"no age bands are called {name!r}; there are: {', '.join(PRESETS)}"
            ) from None

    @property
    def labels(self) -> tuple[str, ...]:
        """One label for each band, such as ``13-19`` and ``60+``."""
        closed = zip(self.starts, self.starts[1:], strict=False)
        return (
            *(f"{start}-{following - 1}" for start, following in closed),
            f"{self.starts[-1]}+",
        )

    def index(self, age: float) -> int:
        """Return the position of the band that holds ``age`` (years, at least 0).

        A band holds its last year to the birthday: 12.9 belongs to ``0-12``.

        Raises
        ------
        ValueError
            The age is negative or not a number.
        """
        if not age >= 0:
            raise ValueError(f"an age is at least 0, got {age}")
        return bisect_right(self.starts, age) - 1


PRESETS: Mapping[str, AgeBands] = {
    "household": AgeBands((0, 13, 20, 40, 60)),
    "fairface": AgeBands((0, 3, 10, 20, 30, 40, 50, 60, 70)),
    "decades": AgeBands((0, 10, 20, 30, 40, 50, 60, 70, 80, 90)),
}


@dataclass(frozen=True, slots=True)
class Counts:
    """How many people, and of which kinds.

    Attributes
    ----------
    people
        All people counted.
    by_band
        Band label to number; every band is there.
    by_gender
        ``female`` and ``male`` to number.
    """

    people: int
    by_band: dict[str, int]
    by_gender: dict[str, int]


def count(estimates: Iterable[Estimate], bands: AgeBands) -> Counts:
    """Count people by the band of their mean age and their likelier gender.

    Parameters
    ----------
    estimates
        One for each person.
    bands
        The age bands to sort them into.
    """
    labels = bands.labels
    by_band = dict.fromkeys(labels, 0)
    by_gender = dict.fromkeys(GENDERS, 0)
    people = 0
    for estimate in estimates:
        people += 1
        by_band[labels[bands.index(estimate.age)]] += 1
        by_gender["female" if estimate.p_female >= 0.5 else "male"] += 1
    return Counts(people, by_band, by_gender)
