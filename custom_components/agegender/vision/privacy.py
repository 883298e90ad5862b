"""What of a camera's counts may be seen: everything at home, crowds alone in public.

Both modes have the same five methods and are used alike::

    mode = Public(k=5, minutes=15)                    # or Home()
    census = mode.restore(stored, bands, now) if stored else mode.start(bands, now)
    census = mode.advance(census, scene.counted, now)  # after every look, and every minute
    stored = census.to_dict()                          # plain JSON, to be kept private
    shown = mode.publish(census, scene.present)        # all that entities may show

**The public rule.** What is published of a completed window, and all that is ever
published of it, follows from its counts by `Public.suppress`:

1. A band or gender is stated if at least *k* people were counted in it. Fewer, and
   nobody, look the same: 0. Those whose band or gender is unknown are never stated.
2. The number of people is stated as it is if at least *k* of them are in no stated band
   and at least *k* in no stated gender. Otherwise it is the larger one of the sums of the
   stated bands and of the stated genders, which is at most *k* - 1 too low.
3. What the stated cells lack to the number of people is shown as ``unknown``.

Day totals add up what was published of their windows, so they tell nothing new, and
windows follow the clock, not the people.

Why nothing can be subtracted: take any window of any published day, and think up any
numbers for the bands that are not stated and for the genders that are not stated, each
table's together below *k*. There is a day with just these numbers that publishes exactly
the same, because the people of unknown band and of unknown gender, whose number nobody
learns, make up the difference. So for every such cell, and every union of them, all
numbers from 0 to *k* - 1 are consistent with all that is ever seen.
``tests/vision/test_privacy.py`` shows it, and attacks the rule.

What this needs from those who use it:

- A census is saved before a window that it completed is shown. Otherwise a crash between
  the two could bring the window back and publish it again, with fewer people in it, and
  the two could be subtracted. (`Public.restore` drops an open window that has ended in
  the meantime for the same reason; a clock that is behind after the crash deceives it.)
- Nothing else that depends on the people in a frame is shown: the time that a frame took
  tells how many faces were in it. For the same reason the clock alone ends a window, not
  the next frame. Nor is the open window shown, in diagnostics for example.

What it cannot do: a count is of visits. As nobody is recognised, someone who comes and
goes *k* times within a window is a crowd of *k*, and someone whom two cameras see is
counted by both.
"""

from __future__ import annotations

import random
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from fractions import Fraction
from functools import partial
from math import inf
from typing import Any

from .census import MINUTES_A_DAY, UNKNOWN, AgeBands, Census, Counts, count
from .estimator import Estimate

SYSTEM_RANDOM: random.Random = secrets.SystemRandom()
"""Draws the noise; the operating system's generator cannot be predicted or replayed."""


@dataclass(frozen=True, slots=True)
class Publication:
    """All that may be shown of one camera.

    Attributes
    ----------
    current
        At home the people in view, None if the camera gave no picture. In public the
        people of the last completed window, None until one is completed.
    today
        Visitors of the day so far; in public those of the completed windows, and the
        day is that of the last completed window. None until there is one.
    start, end
        In public, the window of ``current``, in UTC; None at home.
    noisy
        The numbers were randomly changed.
    """

    current: Counts | None
    today: Counts | None
    start: datetime | None = None
    end: datetime | None = None
    noisy: bool = False


@dataclass(frozen=True, slots=True)
class Home:
    """Live counts and exact totals, for the people who live there."""

    @property
    def rule(self) -> str:
        """By what a census knows that it was started in this mode."""
        return "home"

    def start(self, bands: AgeBands, now: datetime) -> Census:
        """Return a census of nobody yet; also what a reset does."""
        return Census.start(bands, now, rule=self.rule, minutes=MINUTES_A_DAY)

    def restore(self, stored: Any, bands: AgeBands, now: datetime) -> Census:
        """Return the stored census at ``now``; see `restored`."""
        return restored(stored, self.start(bands, now)).advance((), now)

    def advance(self, census: Census, counted: Iterable[Estimate], now: datetime) -> Census:
        """Return the census at ``now`` with the votes just cast; see `Census.advance`."""
        return census.advance(counted, now)

    def publish(self, census: Census, present: Iterable[Estimate] | None) -> Publication:
        """Return what may be shown.

        Parameters
        ----------
        census
            The camera's state.
        present
            The people in view, `Scene.present`; None if the camera gave no picture.
        """
        current = None if present is None else count(present, census.bands)
        return Publication(current, census.today)


@dataclass(frozen=True, slots=True)
class Public:
    """Only crowds: completed windows, and in them no cell below ``k``.

    Parameters
    ----------
    k
        Fewest people that a published number may stand for, at least 2.
    minutes
        Length of a window, a divisor of the day's 1440.
    epsilon
        If given, discrete Laplace noise of this strength is added to what is published:
        P(z) is proportional to exp(-epsilon |z| / 3), a visit being part of three
        numbers at most. Smaller is noisier.

    Raises
    ------
    ValueError
        A parameter is out of its range.

    Notes
    -----
    Noise is added after suppression, to the stated numbers alone; then numbers below *k*
    are raised to *k* and the sums made to fit. It hides the exact size of a crowd from
    someone who knows all but one of it. It is no differential privacy by itself, as
    whether a number is stated still depends on the true one, and since it is computed
    from what would be published without, it cannot weaken the suppression.
    """

    k: int = 5
    minutes: int = 15
    epsilon: float | None = None

    def __post_init__(self) -> None:
        """Check the parameters."""
        if self.k < 2:
            raise ValueError(f"a crowd has at least 2 people, got k = {self.k}")
        if self.minutes < 1 or MINUTES_A_DAY % self.minutes:
            raise ValueError(
                f"a window's minutes divide a day's {MINUTES_A_DAY}, got {self.minutes}"
            )
        if self.epsilon is not None and not 0 < self.epsilon < inf:
            raise ValueError(f"epsilon is a number above 0, got {self.epsilon}")

    @property
    def rule(self) -> str:
        """By what a census knows that it was started in this mode."""
        return f"public k={self.k} minutes={self.minutes} epsilon={self.epsilon}"

    def start(self, bands: AgeBands, now: datetime) -> Census:
        """Return a census of nobody yet; also what a reset does."""
        return Census.start(bands, now, rule=self.rule, minutes=self.minutes)

    def restore(self, stored: Any, bands: AgeBands, now: datetime) -> Census:
        """Return the stored census at ``now``; see `restored`.

        An open window that has ended in the meantime is forgotten: it may be of an old
        backup, and have been published already with more people in it.
        """
        census = restored(stored, self.start(bands, now))
        if not census.is_open(now):
            census = replace(census, window=replace(census.window, counts=Counts.nobody(bands)))
        return self.advance(census, (), now)

    def advance(
        self,
        census: Census,
        counted: Iterable[Estimate],
        now: datetime,
        source: random.Random = SYSTEM_RANDOM,
    ) -> Census:
        """Return the census at ``now`` with the votes just cast; see `Census.advance`.

        A window that ends is suppressed here; its counts are forgotten.
        """
        return census.advance(counted, now, partial(self.close, source=source))

    def publish(self, census: Census, present: Iterable[Estimate] | None) -> Publication:
        """Return what may be shown.

        Parameters
        ----------
        census
            The camera's state.
        present
            Not looked at: nothing is live in public.
        """
        del present
        if census.last is None:
            return Publication(None, None, noisy=self.epsilon is not None)
        return Publication(
            census.last.counts,
            census.total,
            census.last.start,
            census.last.end,
            noisy=self.epsilon is not None,
        )

    def close(self, counts: Counts, source: random.Random = SYSTEM_RANDOM) -> Counts:
        """Return what may be published of a window's counts."""
        stated = self.suppress(counts)
        return stated if self.epsilon is None else self._blurred(stated, self.epsilon, source)

    def suppress(self, counts: Counts) -> Counts:
        """Return the counts by the public rule; see the head of this module."""
        bands, genders = self._stated(counts.by_band), self._stated(counts.by_gender)
        largest = max(sum(bands.values()), sum(genders.values()))
        exact = counts.people - largest >= self.k
        return _completed(counts.people if exact else largest, bands, genders)

    def _stated(self, cells: dict[str, int]) -> dict[str, int]:
        return {
            label: number if number >= self.k else 0
            for label, number in cells.items()
            if label != UNKNOWN
        }

    def _blurred(self, stated: Counts, epsilon: float, source: random.Random) -> Counts:
        scale = 3 / Fraction(epsilon)

        def blurred(number: int) -> int:
            return number and max(self.k, number + discrete_laplace(scale, source))

        bands, genders = (
            {label: blurred(number) for label, number in cells.items() if label != UNKNOWN}
            for cells in (stated.by_band, stated.by_gender)
        )
        return _completed(blurred(stated.people), bands, genders)


Mode = Home | Public


def restored(stored: Any, fresh: Census) -> Census:
    """Return a stored census under the bands and the rule of a fresh one.

    Other bands: the people already counted have none of them, `UNKNOWN`. Another rule:
    the fresh census, as totals of the one mode must not meet those of the other.

    Parameters
    ----------
    stored
        What `Census.to_dict` gave.
    fresh
        A census of nobody, as this mode starts it now.

    Raises
    ------
    CensusError
        What is stored describes no census; the message says why.
    """
    census = Census.from_dict(stored)
    return census.rebanded(fresh.bands) if census.rule == fresh.rule else fresh


def _completed(people: int, bands: dict[str, int], genders: dict[str, int]) -> Counts:
    people = max(people, sum(bands.values()), sum(genders.values()))
    bands, genders = (
        {**cells, UNKNOWN: people - sum(cells.values())} for cells in (bands, genders)
    )
    return Counts(people, bands, genders)


def discrete_laplace(scale: Fraction, source: random.Random) -> int:
    """Draw an integer z with probability proportional to exp(-abs(z) / scale).

    Exact, from uniform integers alone: no rounding gives anything away. Algorithm 2 of
    Canonne, Kamath and Steinke, The Discrete Gaussian for Differential Privacy, NeurIPS
    2020.

    Parameters
    ----------
    scale
        More than 0; the standard deviation is about 1.4 times as much.
    source
        Where the uniform integers come from.
    """
    t, s = scale.numerator, scale.denominator
    while True:
        below = source.randrange(t)
        if not _happens(Fraction(below, t), source):
            continue
        above = 0
        while _happens(Fraction(1), source):
            above += 1
        magnitude = (below + t * above) // s
        negative = source.randrange(2)
        if magnitude or not negative:
            return -magnitude if negative else magnitude


def _happens(gamma: Fraction, source: random.Random) -> bool:
    """Return True with probability exp(-gamma), for gamma from 0 to 1; Algorithm 1."""
    draws = 1
    while source.randrange(gamma.denominator * draws) < gamma.numerator:
        draws += 1
    return draws % 2 == 1
