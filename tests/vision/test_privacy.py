"""What may be seen, and what cannot be worked out from it.

The attacker of these tests sees everything that is published in the whole day, knows the
rule and *k*, and reasons exactly: about each window it writes down what the published
numbers say about the hidden ones, as equations and bounds between whole numbers, and asks
an integer program for the least and the greatest value of each hidden cell.
"""

import random
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from fractions import Fraction
from functools import cached_property
from itertools import product
from math import exp
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, sparse, stats

from agegender_vision.census import GENDERS, UNKNOWN, AgeBands, Census, CensusError, Counts, count
from agegender_vision.engine import Engine
from agegender_vision.estimator import Estimate
from agegender_vision.evidence import UNJUDGED
from agegender_vision.privacy import (
    SYSTEM_RANDOM,
    Home,
    Mode,
    Public,
    Publication,
    discrete_laplace,
)
from agegender_vision.watch import Watch
from benchmarks import tracking

HOUSEHOLD = AgeBands.preset("household")
BERLIN = ZoneInfo("Europe/Berlin")
WINDOW = timedelta(minutes=15)
NOON = datetime(2026, 11, 23, 12, 0, tzinfo=BERLIN)


def person(age: float | None, p_female: float) -> Estimate:
    """Somebody of a certain age, or of an unknown one."""
    if age is None:
        return Estimate(UNJUDGED.ages, 50, 0, 100, p_female)
    return Estimate(np.ones(1, np.float32), age, age, age, p_female, first_year=age)


WOMAN, MAN, GIRL, BOY = person(30, 1), person(30, 0), person(7, 1), person(7, 0)
SOMEBODY = UNJUDGED


def table(bands: Sequence[int], genders: Sequence[int]) -> Counts:
    """Counts of two age bands and the unknown, and of women, men and the unknown."""
    return Counts(
        sum(bands),
        dict(zip(("0-17", "18+", UNKNOWN), bands, strict=True)),
        dict(zip((*GENDERS, UNKNOWN), genders, strict=True)),
    )


# The rule, by hand


@pytest.mark.parametrize(
    ("counted", "published"),
    [
        # Few, and nobody, look the same.
        (table((0, 0, 0), (0, 0, 0)), table((0, 0, 0), (0, 0, 0))),
        (table((1, 3, 0), (2, 2, 0)), table((0, 0, 0), (0, 0, 0))),
        # A crowd of whom nothing can be told.
        (table((4, 4, 1), (4, 4, 1)), table((0, 0, 9), (0, 0, 9))),
        # One more than the stated ones would be one man, one child: they are left out.
        (table((1, 9, 0), (9, 1, 0)), table((0, 9, 0), (9, 0, 0))),
        # The genders tell of more people than the bands.
        (table((4, 8, 0), (7, 5, 0)), table((0, 8, 4), (7, 5, 0))),
        # Enough are left in both tables: the number of people is exact.
        (table((4, 8, 2), (8, 4, 2)), table((0, 8, 6), (8, 0, 6))),
        # Unknown people are never stated, however many.
        (table((6, 6, 9), (6, 6, 9)), table((6, 6, 9), (6, 6, 9))),
        (table((6, 6, 4), (6, 6, 4)), table((6, 6, 0), (6, 6, 0))),
    ],
)
def test_crowds_are_stated_and_the_others_are_not(counted: Counts, published: Counts) -> None:
    assert Public(k=5).suppress(counted) == published


cells = st.integers(0, 12)


@st.composite
def tables(draw: st.DrawFn) -> Counts:
    """Counts as a window may have, their cells around *k*."""
    bands = draw(st.lists(cells, min_size=6, max_size=6))
    women = draw(st.integers(0, sum(bands)))
    men = draw(st.integers(0, sum(bands) - women))
    return Counts(
        sum(bands),
        dict(zip((*HOUSEHOLD.labels, UNKNOWN), bands, strict=True)),
        {"female": women, "male": men, UNKNOWN: sum(bands) - women - men},
    )


sizes = st.integers(2, 8)


def known(table: Mapping[str, int]) -> dict[str, int]:
    return {label: number for label, number in table.items() if label != UNKNOWN}


@given(tables(), sizes)
def test_what_is_published_sums_up_and_is_at_most_a_few_people_short(
    counted: Counts, k: int
) -> None:
    published = Public(k).suppress(counted)
    assert sum(published.by_band.values()) == sum(published.by_gender.values()) == published.people
    assert counted.people - (k - 1) <= published.people <= counted.people
    for shown, true in (
        (published.by_band, counted.by_band),
        (published.by_gender, counted.by_gender),
    ):
        for label, number in known(shown).items():
            assert number == (true[label] if true[label] >= k else 0)


@given(tables(), sizes, st.data())
def test_all_that_is_hidden_could_be_otherwise(
    counted: Counts, k: int, data: st.DataObject
) -> None:
    """The proof of the module's promise: whatever one thinks up, some window is like that.

    Every hidden cell is given any number, together less than k in each table; the unknown
    make up the difference; and the window publishes the same.
    """
    published = Public(k).suppress(counted)

    def otherwise(shown: Mapping[str, int]) -> dict[str, int]:
        left, made_up = k - 1, known(shown)
        for label in data.draw(st.permutations([key for key, n in made_up.items() if not n])):
            made_up[label] = data.draw(st.integers(0, left))
            left -= made_up[label]
        return made_up

    bands, genders = otherwise(published.by_band), otherwise(published.by_gender)
    largest = max(sum(known(published.by_band).values()), sum(known(published.by_gender).values()))
    # The number of people is stated exactly, or up to k - 1 too low.
    people = published.people if published.people > largest else largest + k - 1
    other = Counts(
        people,
        {**bands, UNKNOWN: people - sum(bands.values())},
        {**genders, UNKNOWN: people - sum(genders.values())},
    )
    assert min(other.by_band[UNKNOWN], other.by_gender[UNKNOWN]) >= 0
    assert Public(k).suppress(other) == published


def compositions(people: int) -> Iterator[tuple[int, int, int]]:
    for first in range(people + 1):
        for second in range(people + 1 - first):
            yield first, second, people - first - second


def ambiguity(publish: Callable[[Counts], object], k: int, largest: int) -> set[tuple[int, ...]]:
    """Try all windows of up to so many people; return what their small cells could be.

    For each band and gender of which a window has less than k people: the numbers that it
    has in all windows that publish the same.
    """
    alike: defaultdict[str, list[Counts]] = defaultdict(list)
    for people in range(largest + k):  # lookalikes may have k - 1 people more
        for bands, genders in product(compositions(people), repeat=2):
            counts = table(bands, genders)
            alike[repr(publish(counts))].append(counts)
    found: set[tuple[int, ...]] = set()
    for windows in alike.values():
        if windows[0].people > largest:
            continue
        for kind in ("by_band", "by_gender"):
            for label in known(getattr(windows[0], kind)):
                values = sorted({getattr(window, kind)[label] for window in windows})
                if values[0] < k:
                    found.add(tuple(values))
    return found


@pytest.mark.parametrize(("k", "largest"), [(2, 6), (3, 7)])
def test_trying_all_small_windows_finds_none_that_gives_a_cell_away(k: int, largest: int) -> None:
    found = ambiguity(Public(k).suppress, k, largest)
    assert found == {tuple(range(k))}


def test_trying_all_small_windows_finds_what_naive_suppression_gives_away() -> None:
    def naive(counts: Counts) -> object:
        shown = [n if n >= 3 else 0 for n in (*counts.by_band.values(), *counts.by_gender.values())]
        return counts.people, shown

    assert {(0,), (1,), (2,)} <= ambiguity(naive, 3, 7)


# The attacker


Cell = tuple[int, str]
"""Window and label."""


class Attacker:
    """Bounds the cells of a day, whole numbers of at least 0, by what is known of them."""

    def __init__(self) -> None:
        self._columns: dict[Cell, int] = {}
        self._rows: list[tuple[dict[int, int], float, float]] = []

    def learn(
        self, terms: Iterable[Cell], low: float, high: float, minus: Iterable[Cell] = ()
    ) -> None:
        """The sum of some cells, less the sum of others, lies between two numbers."""
        row: dict[int, int] = defaultdict(int)
        for sign, cells in ((1, terms), (-1, minus)):
            for cell in cells:
                row[self._columns.setdefault(cell, len(self._columns))] += sign
        self._rows.append((row, low, high))

    def bounds(self, *cells: Cell) -> tuple[int, float]:
        """The least and the greatest sum that some cells may have."""
        least, greatest = self._extreme(cells, 1), -self._extreme(cells, -1)
        return round(least), greatest

    @cached_property
    def _known(self) -> optimize.LinearConstraint:
        matrix = sparse.lil_array((len(self._rows), len(self._columns)))
        for index, (row, _, _) in enumerate(self._rows):
            for column, factor in row.items():
                matrix[index, column] = factor
        low, high = (np.array([row[bound] for row in self._rows]) for bound in (1, 2))
        return optimize.LinearConstraint(matrix.tocsr(), low, high)

    def _extreme(self, cells: Iterable[Cell], sign: int) -> float:
        cost = np.zeros(len(self._columns))
        cost[[self._columns[cell] for cell in cells]] = sign
        found = optimize.milp(cost, integrality=np.ones(len(cost), int), constraints=self._known)
        unbounded = 3
        if found.status == unbounded:
            return -np.inf
        assert found.success, found.message
        return float(np.round(found.fun))


PEOPLE = "people"


def names_of(counts: Counts) -> list[str]:
    return [*known(counts.by_band), *known(counts.by_gender)]


def learn_tables(attacker: Attacker, at: int, counts: Counts) -> None:
    """Everybody has one band and one gender, or is unknown."""
    for kind, table in (("band", counts.by_band), ("gender", counts.by_gender)):
        parts = [(at, label) for label in known(table)]
        attacker.learn([*parts, (at, f"unknown {kind}")], 0, 0, minus=[(at, PEOPLE)])


def learn_cells(attacker: Attacker, at: int, counts: Counts, k: int) -> None:
    """A stated number is the number, a hidden one is less than k."""
    for label, number in (known(counts.by_band) | known(counts.by_gender)).items():
        attacker.learn([(at, label)], number, number or k - 1)


Seen = Sequence[tuple[datetime, Publication]]


def windows_of(history: Seen) -> list[Counts]:
    """All windows that were ever shown, in order."""
    ends: dict[datetime, Counts] = {}
    for _, shown in history:
        if shown.current is not None and shown.end is not None:
            assert ends.setdefault(shown.end, shown.current) == shown.current
    return list(ends.values())


def attack_public(history: Seen, k: int) -> tuple[Attacker, list[Counts]]:
    """Write down what a day of the public mode says, the rule and its decisions included."""
    attacker, windows = Attacker(), windows_of(history)
    for at, shown in enumerate(windows):
        learn_tables(attacker, at, shown)
        learn_cells(attacker, at, shown, k)
        sums = [sum(known(shown.by_band).values()), sum(known(shown.by_gender).values())]
        exact = shown.people > max(sums)
        attacker.learn([(at, PEOPLE)], shown.people, shown.people + (0 if exact else k - 1))
    # Every total is the sum of windows already seen, and so says nothing new.
    total = Counts.nobody(HOUSEHOLD)
    ends: set[datetime] = set()
    for _, publication in history:
        current, today = publication.current, publication.today
        if publication.end and publication.end not in ends and current and today:
            ends.add(publication.end)
            assert today == total + current
            total = today
    return attacker, windows


def recovered(attacker: Attacker, windows: Sequence[Counts], k: int) -> list[tuple[int, str, int]]:
    """All cells that can be nothing else than one number below k."""
    found = []
    for at, shown in enumerate(windows):
        for label in names_of(shown):
            low, high = attacker.bounds((at, label))
            if low == high < k:
                found.append((at, label, low))
    return found


def watch_day(mode: Mode, moments: Iterable[tuple[datetime, Sequence[Estimate]]]) -> Seen:
    """Let a camera count, and write down what is shown at every moment and every minute."""
    history: list[tuple[datetime, Publication]] = []
    census: Census | None = None
    for now, votes in moments:
        census = mode.advance(census or mode.start(HOUSEHOLD, now), votes, now)
        history.append((now, mode.publish(census, votes)))
    assert census is not None
    end = now + timedelta(minutes=census.minutes)
    history.append((end, mode.publish(mode.advance(census, (), end), ())))
    return history


# Few enough kinds of people that their numbers come close to k.
visitors = st.sampled_from([WOMAN, MAN, GIRL, BOY, SOMEBODY, person(None, 0), person(70, 0.5)])
busy_windows = st.lists(st.lists(visitors, max_size=22), min_size=1, max_size=4)


def quarters(windows: Iterable[Sequence[Estimate]]) -> list[tuple[datetime, Sequence[Estimate]]]:
    return [(NOON + index * WINDOW, votes) for index, votes in enumerate(windows)]


@settings(max_examples=20)
@given(busy_windows, st.integers(2, 6))
def test_no_day_gives_a_small_cell_away(windows: list[list[Estimate]], k: int) -> None:
    history = watch_day(Public(k), quarters(windows))
    attacker, shown = attack_public(history, k)
    assert len(shown) == len(windows)
    for at, (seen, votes) in enumerate(zip(shown, windows, strict=True)):
        true = count(votes, HOUSEHOLD)
        truth = {**true.by_band, **true.by_gender}
        for label in names_of(seen):
            low, high = attacker.bounds((at, label))
            assert low <= truth[label] <= high  # the attacker reasons soundly
            if truth[label] < k:
                assert (low, high) == (0, k - 1), "nothing more than that it is below k"
        # All bands that are not stated, together, and all genders.
        for table in (seen.by_band, seen.by_gender):
            hidden = [(at, label) for label, number in known(table).items() if not number]
            if hidden:
                low, high = attacker.bounds(*hidden)
                assert low == 0
                assert high >= k - 1
        low, high = attacker.bounds((at, PEOPLE))
        assert low < high or low >= k
        for kind in ("band", "gender"):
            low, high = attacker.bounds((at, f"unknown {kind}"))
            assert low < high or low >= k


# The same attacker, against what others do


def attack_naive(windows: Sequence[Counts], k: int, *, people: bool, total: bool) -> Attacker:
    """Cells below k hidden in each window, and exact numbers of people or totals beside it."""
    attacker = Attacker()
    for at, counts in enumerate(windows):
        learn_tables(attacker, at, counts)
        stated = Counts(
            counts.people,
            {label: n if n >= k else 0 for label, n in counts.by_band.items()},
            {label: n if n >= k else 0 for label, n in counts.by_gender.items()},
        )
        learn_cells(attacker, at, stated, k)
        for kind, table in (("band", counts.by_band), ("gender", counts.by_gender)):
            unknown = table[UNKNOWN]
            attacker.learn(
                [(at, f"unknown {kind}")], *(unknown, unknown) if unknown >= k else (0, k - 1)
            )
        if people:
            attacker.learn([(at, PEOPLE)], counts.people, counts.people)
    if total:
        for label in names_of(windows[0]):
            sum_of_label = sum({**c.by_band, **c.by_gender}[label] for c in windows)
            attacker.learn([(at, label) for at in range(len(windows))], sum_of_label, sum_of_label)
    return attacker


def test_the_attacker_subtracts_the_bands_from_the_number_of_people() -> None:
    windows = [count([WOMAN] * 9, HOUSEHOLD)]
    attacker = attack_naive(windows, 5, people=True, total=False)
    assert (0, "0-12", 0) in recovered(attacker, windows, 5)


def test_the_attacker_subtracts_one_table_from_the_other() -> None:
    # No number of people is told. The stated genders are 24, the stated band is 16, so the
    # two cells below 5 that are left are 4 each.
    everyone = [WOMAN] * 12 + [MAN] * 4 + [person(70, 0)] * 4 + [person(None, 0)] * 4
    windows = [count(everyone, AgeBands.parse("65"))]
    attacker = attack_naive(windows, 5, people=False, total=False)
    assert recovered(attacker, windows, 5) == [(0, "65+", 4)]


def test_the_attacker_subtracts_windows_from_the_total_of_the_day() -> None:
    windows = [count(votes, HOUSEHOLD) for votes in ([WOMAN] * 6, [WOMAN] * 7 + [GIRL] * 3)]
    attacker = attack_naive(windows, 5, people=False, total=True)
    assert (0, "13-19", 0) in recovered(attacker, windows, 5)
    assert attacker.bounds((0, "0-12"), (1, "0-12")) == (3, 3)


@settings(max_examples=10)
@given(busy_windows, st.integers(5, 20))
def test_the_attacker_breaks_naive_suppression_on_any_day_with_one_group_alone(
    windows: list[list[Estimate]], size: int
) -> None:
    days = [count(votes, HOUSEHOLD) for votes in (*windows, [WOMAN] * size)]
    found = recovered(attack_naive(days, 5, people=True, total=False), days, 5)
    assert (len(windows), "0-12", 0) in found


# The public mode in the course of a day


@given(busy_windows, sizes)
def test_numbers_are_zero_or_of_a_crowd_and_totals_only_grow(
    windows: list[list[Estimate]], k: int
) -> None:
    total = Counts.nobody(HOUSEHOLD)
    for _, shown in watch_day(Public(k), quarters(windows)):
        if shown.current is None or shown.today is None:
            assert shown == Publication(None, None)
            continue
        for counts in (shown.current, shown.today):
            numbers = [counts.people, *(known(counts.by_band) | known(counts.by_gender)).values()]
            assert all(number == 0 or number >= k for number in numbers)
        assert shown.today.people >= total.people
        total = shown.today


@given(st.lists(visitors), st.lists(visitors), st.integers(0, 899))
def test_until_its_end_a_window_shows_nothing(
    before: list[Estimate], now: list[Estimate], second: int
) -> None:
    mode = Public()
    census = mode.advance(mode.start(HOUSEHOLD, NOON), before, NOON)
    census = mode.advance(census, (), NOON + WINDOW)
    shown = mode.publish(census, None)
    later = mode.advance(census, now, NOON + WINDOW + timedelta(seconds=second))
    assert mode.publish(later, now) == shown


def test_a_window_is_shown_with_its_bounds() -> None:
    mode = Public()
    census = mode.advance(mode.start(HOUSEHOLD, NOON), [WOMAN] * 6, NOON)
    shown = mode.publish(mode.advance(census, (), NOON + WINDOW), None)
    assert shown.current is not None
    assert (shown.current.people, shown.start, shown.end) == (6, NOON, NOON + WINDOW)


def test_the_total_of_a_day_stays_until_the_first_window_of_the_next() -> None:
    mode = Public()
    evening = datetime(2026, 11, 23, 23, 45, tzinfo=BERLIN)
    census = mode.advance(mode.start(HOUSEHOLD, evening), [WOMAN] * 6, evening)
    shown = mode.publish(mode.advance(census, (), evening + WINDOW), None)
    assert shown.today is not None
    assert shown.today.people == 6
    shown = mode.publish(mode.advance(census, (), evening + 2 * WINDOW), None)
    assert shown.today is not None
    assert shown.today.people == 0


def test_after_a_pause_the_total_has_what_the_last_window_would_have_shown() -> None:
    mode = Public()
    votes = [WOMAN] * 6 + [GIRL] * 3
    census = mode.advance(mode.start(HOUSEHOLD, NOON), votes, NOON)
    shown = mode.publish(mode.advance(census, (), NOON + 4 * WINDOW), None)
    assert shown.current == Counts.nobody(HOUSEHOLD)
    assert shown.today == mode.suppress(count(votes, HOUSEHOLD))


def test_a_completed_window_is_forgotten_but_for_what_is_published() -> None:
    mode = Public()
    census = mode.advance(mode.start(HOUSEHOLD, NOON), [WOMAN] * 6 + [BOY] * 3, NOON)
    census = mode.advance(census, (), NOON + WINDOW)
    one_less = mode.advance(mode.start(HOUSEHOLD, NOON), [WOMAN] * 6 + [BOY] * 2, NOON)
    assert mode.advance(one_less, (), NOON + WINDOW).to_dict() == census.to_dict()


# Restarts


def test_the_open_window_goes_on_after_a_restart() -> None:
    mode = Public()
    census = mode.advance(mode.start(HOUSEHOLD, NOON), [WOMAN] * 3, NOON)
    soon = NOON + timedelta(minutes=2)
    census = mode.advance(mode.restore(census.to_dict(), HOUSEHOLD, soon), [WOMAN] * 3, soon)
    shown = mode.publish(mode.advance(census, (), NOON + WINDOW), None)
    assert shown.current is not None
    assert shown.current.people == 6


def test_a_window_is_never_published_twice() -> None:
    """What was saved may be older than what was shown: a crash, or a backup."""
    mode = Public()
    saved = mode.advance(mode.start(HOUSEHOLD, NOON), [WOMAN] * 6, NOON)
    shown = mode.publish(mode.advance(saved, [WOMAN], NOON + WINDOW), None)
    assert shown.today is not None
    assert shown.today.people == 6

    late = NOON + timedelta(hours=2)
    restored = mode.restore(saved.to_dict(), HOUSEHOLD, late)
    shown = mode.publish(restored, None)
    assert shown.today is not None
    assert (shown.today.people, restored.window.counts.people) == (0, 0)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (Home(), Public()),
        (Public(), Home()),
        (Public(k=5), Public(k=3)),
        (Public(minutes=15), Public(minutes=60)),
        (Public(), Public(epsilon=1)),
    ],
)
def test_no_number_of_one_mode_is_taken_into_another(before: Mode, after: Mode) -> None:
    census = before.advance(before.start(HOUSEHOLD, NOON), [WOMAN] * 8, NOON)
    census = before.advance(census, [WOMAN] * 8, NOON + WINDOW)
    later = NOON + WINDOW + timedelta(minutes=1)
    assert after.restore(census.to_dict(), HOUSEHOLD, later) == after.start(HOUSEHOLD, later)


@pytest.mark.parametrize("mode", [Home(), Public()])
def test_other_bands_leave_the_visitors_of_today(mode: Mode) -> None:
    census = mode.advance(mode.start(HOUSEHOLD, NOON), [WOMAN] * 8, NOON)
    census = mode.advance(census, (), NOON + WINDOW)
    decades = AgeBands.preset("decades")
    later = NOON + WINDOW + timedelta(minutes=1)
    shown = mode.publish(mode.restore(census.to_dict(), decades, later), ())
    assert shown.today is not None
    assert (shown.today.people, shown.today.by_band[UNKNOWN]) == (8, 8)
    assert shown.today.by_gender["female"] == 8


@pytest.mark.parametrize("mode", [Home(), Public()])
def test_what_is_damaged_is_not_restored(mode: Mode) -> None:
    data: dict[str, Any] = mode.start(HOUSEHOLD, NOON).to_dict()
    del data["window"]
    with pytest.raises(CensusError, match="window is an object, got None"):
        mode.restore(data, HOUSEHOLD, NOON)


# At home


def test_at_home_everything_is_shown_at_once() -> None:
    mode = Home()
    census = mode.advance(mode.start(HOUSEHOLD, NOON), [WOMAN], NOON)
    shown = mode.publish(census, [WOMAN, GIRL])
    assert shown.current == count([WOMAN, GIRL], HOUSEHOLD)
    assert shown.today == count([WOMAN], HOUSEHOLD)
    assert not shown.noisy


def test_at_home_the_totals_stay_while_the_camera_shows_nothing() -> None:
    mode = Home()
    census = mode.advance(mode.start(HOUSEHOLD, NOON), [WOMAN], NOON)
    shown = mode.publish(census, None)
    assert shown.current is None
    assert shown.today == count([WOMAN], HOUSEHOLD)


# Noise


@pytest.mark.parametrize("parameters", [{"k": 1}, {"epsilon": 0}, {"epsilon": float("nan")}])
def test_what_is_no_privacy_is_refused(parameters: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="got"):
        Public(**parameters)  # type: ignore[arg-type]


def fits_discrete_laplace(draws: Sequence[int], scale: float) -> float:
    """The p-value of a chi-square test."""
    ratio = exp(-1 / scale)
    edge = 12
    inside = [(1 - ratio) / (1 + ratio) * ratio ** abs(z) for z in range(-edge, edge + 1)]
    expected = np.array([*inside, 1 - sum(inside)]) * len(draws)
    values = np.array(draws)
    observed = [int((values == z).sum()) for z in range(-edge, edge + 1)]
    observed.append(len(draws) - sum(observed))
    return float(stats.chisquare(observed, expected).pvalue)


@pytest.mark.parametrize("scale", [Fraction(3), Fraction(7, 3), Fraction(3) / Fraction(0.8)])
def test_noise_is_distributed_as_promised(scale: Fraction) -> None:
    source = random.Random(2026)  # noqa: S311
    draws = [discrete_laplace(scale, source) for _ in range(20_000)]
    assert fits_discrete_laplace(draws, float(scale)) > 0.01


def test_the_test_of_the_distribution_tells_it_from_rounded_laplace_noise() -> None:
    rounded = np.random.default_rng(2026).laplace(scale=3, size=20_000).round().astype(int)
    assert fits_discrete_laplace(rounded.tolist(), 3) < 0.001


def test_noise_comes_from_the_operating_system() -> None:
    assert isinstance(SYSTEM_RANDOM, random.SystemRandom)
    mode = Public(epsilon=0.5)
    counted = count([WOMAN] * 100, HOUSEHOLD)
    assert len({mode.close(counted).people for _ in range(50)}) > 5


@given(tables(), sizes, st.sampled_from([0.1, 1, 3]), st.integers())
def test_noise_changes_no_more_than_what_is_stated(
    counted: Counts, k: int, epsilon: float, seed: int
) -> None:
    exact = Public(k).suppress(counted)
    noisy = Public(k, epsilon=epsilon).close(counted, random.Random(seed))  # noqa: S311
    assert sum(noisy.by_band.values()) == sum(noisy.by_gender.values()) == noisy.people
    for blurred, stated in ((noisy.by_band, exact.by_band), (noisy.by_gender, exact.by_gender)):
        for label, number in known(blurred).items():
            assert number == 0 if stated[label] == 0 else number >= k


def test_noise_is_labelled_and_drawn_once_for_each_window() -> None:
    mode = Public(epsilon=0.2)
    assert mode.publish(mode.start(HOUSEHOLD, NOON), None).noisy
    census = mode.advance(mode.start(HOUSEHOLD, NOON), [WOMAN] * 50, NOON)
    census = mode.advance(census, (), NOON + WINDOW)
    shown = mode.publish(census, None)
    assert shown.noisy
    for minutes in range(16, 30):
        census = mode.advance(census, (), NOON + timedelta(minutes=minutes))
        assert mode.publish(census, None) == shown


# Recorded days


@pytest.fixture(scope="module")
def clips(detection_data: Path) -> list[list[tuple[float, tuple[Estimate, ...]]]]:
    """Who was counted in each of some clips, and at what second, by the whole engine."""
    engine = Engine.load(min_face_size=tracking.SETTINGS.min_face_size)
    recorded = []
    for file in sorted((detection_data / "video").glob("intel_*.mp4")):
        watch = Watch(engine, tracking.SETTINGS)
        votes = []
        for _, second, image in tracking.frames(file, rate=4):
            votes.append((second, watch.look(image, second).counted))
        for later, grey in ((60, 50), (120, 150), (180, 250)):  # everybody leaves
            empty = np.full_like(image, grey)
            votes.append((second + later, watch.look(empty, second + later).counted))
        recorded.append(votes)
    return recorded


@pytest.mark.data
@pytest.mark.parametrize("k", [3, 5])
def test_no_recorded_day_gives_a_small_cell_away(
    clips: list[list[tuple[float, tuple[Estimate, ...]]]], k: int
) -> None:
    # Each clip is played every so many minutes, from two to six in the afternoon.
    begin, end = NOON + timedelta(hours=2), NOON + timedelta(hours=6)
    moments: list[tuple[datetime, Sequence[Estimate]]] = []
    for number, clip in enumerate(clips):
        played = begin + timedelta(minutes=number)
        while played < end:
            moments += [(played + timedelta(seconds=second), votes) for second, votes in clip]
            played += timedelta(minutes=4 + 3 * number)
    moments.sort(key=lambda moment: moment[0])
    history = watch_day(Public(k), moments)
    attacker, windows = attack_public(history, k)

    assert len(windows) >= 16
    stated = [
        sum(map(bool, [*known(w.by_band).values(), *known(w.by_gender).values()])) for w in windows
    ]
    assert sum(stated) >= 10, "a day of which nothing is published proves nothing"
    assert recovered(attacker, windows, k) == []
    for at, seen in enumerate(windows):
        for label in names_of(seen):
            low, high = attacker.bounds((at, label))
            assert low >= k or (low, high) == (0, k - 1)

    # The same day, suppressed naively, gives itself away.
    true: defaultdict[datetime, list[Estimate]] = defaultdict(list)
    for now, votes in moments:
        true[begin + (now - begin) // WINDOW * WINDOW] += votes
    days = [count(votes, HOUSEHOLD) for votes in true.values()]
    assert recovered(attack_naive(days, k, people=True, total=True), days, k)
