"""Estimates become anonymous counts, and counts the totals of a day.

A person is an `Estimate` only until `count` has sorted it into a band and a gender;
what a `Census` keeps is numbers. Nothing here reads a clock: time comes in as ``now``.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .estimator import Estimate

UNKNOWN = "unknown"
"""The cell of those whose evidence is too weak, in the bands and in the genders."""
GENDERS = ("female", "male")

BAND_CONFIDENCE = 0.4
"""Least probability of a band for a person to be counted in it."""
AGE_SPREAD = 50
"""Widest 80 % interval, in years, of an age that is known at all: a wide band is likely
even for someone whose face never was judged."""
GENDER_CONFIDENCE = 0.65
"""Least probability of a gender for a person to be counted in it."""

OLDEST = 120
"""No band starts above this age, in years."""
MINUTES_A_DAY = 24 * 60


class CensusError(ValueError):
    """A stored census cannot be used; the message says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class AgeBands:
    """Consecutive age bands that leave no age out; the last one is open.

    Parameters
    ----------
    starts
        First age of each band in years, rising from 0.
    names
        What the bands are called, where their published bounds leave gaps between them;
        by default their first and last year, such as ``13-19`` and ``60+``.

    Raises
    ------
    ValueError
        There are less than two starts, or they do not rise from 0 to at most `OLDEST`, or
        the names are not as many, or not all different.

    Examples
    --------
    >>> AgeBands.preset("household").labels
    ('0-12', '13-19', '20-39', '40-59', '60+')
    >>> AgeBands.parse("18, 65").labels
    ('0-17', '18-64', '65+')
    """

    starts: tuple[float, ...]
    names: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        """Check starts and names."""
        rising = all(a < b for a, b in pairwise(self.starts))
        if not (
            len(self.starts) > 1 and self.starts[0] == 0 and rising and self.starts[-1] <= OLDEST
        ):
            raise ValueError(
                f"two or more age bands start at 0 and rise to at most {OLDEST}, "
                f"got {list(self.starts)}"
            )
        if self.names is None and any(start % 1 for start in self.starts):
            raise ValueError(f"age bands start at whole years, got {list(self.starts)}")
        if self.names is not None and (
            len(self.names) != len(self.starts)
            or len({*self.names, UNKNOWN}) != len(self.starts) + 1
        ):
            raise ValueError(
                f"{len(self.starts)} age bands need as many different names, none of them "
                f"{UNKNOWN!r}; got {list(self.names)}"
            )

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

    @classmethod
    def parse(cls, text: str) -> AgeBands:
        """Read the name of a preset, or own boundaries such as ``18, 65``.

        Parameters
        ----------
        text
            A key of `PRESETS`; or the ages, in whole years and rising, at which the second
            and every further band starts. A leading 0 may be given.

        Raises
        ------
        ValueError
            It is neither; the message says what was expected.
        """
        text = text.strip()
        if text in PRESETS:
            return PRESETS[text]
        try:
            starts = [int(part) for part in text.split(",")]
        except ValueError:
            raise ValueError(
                f"expected whole years separated by commas, such as '18, 65', or one of "
                f"{', '.join(PRESETS)}; got {text!r}"
            ) from None
        return cls((*([0] if starts[0] != 0 else []), *starts))

    @property
    def labels(self) -> tuple[str, ...]:
        """One label for each band, such as ``13-19`` and ``60+``."""
        if self.names is not None:
            return self.names
        closed = (f"{start:.0f}-{following - 1:.0f}" for start, following in pairwise(self.starts))
        return (*closed, f"{self.starts[-1]:.0f}+")

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

    def probabilities(self, estimate: Estimate) -> NDArray[np.float64]:
        """Return the probability of each band, (B,), summing to 1.

        Parameters
        ----------
        estimate
            Evidence about one person; ages below 0 count as 0.
        """
        years = np.maximum(0, estimate.first_year + np.arange(len(estimate.ages)))
        band = np.searchsorted(self.starts, years, side="right") - 1
        mass = np.bincount(band, weights=estimate.ages, minlength=len(self.starts))
        shares: NDArray[np.float64] = mass / mass.sum()
        return shares

    def of(self, estimate: Estimate) -> tuple[int, float]:
        """Return the position of the band that the mean age lies in, and its probability.

        The likeliest band is right a little more often, but also more often off by two.
        """
        position = self.index(estimate.age)
        return position, float(self.probabilities(estimate)[position])


PRESETS: Mapping[str, AgeBands] = {
    "household": AgeBands((0, 13, 20, 40, 60)),
    # Eidinger, Enbar and Hassner, TIFS 2014. Their bands leave gaps (3, 7, 13-14, ...);
    # an age in a gap belongs to the band whose bound is nearer.
    "adience": AgeBands(
        (0, 3.5, 7.5, 14, 23, 35.5, 46, 57),
        ("0-2", "4-6", "8-12", "15-20", "25-32", "38-43", "48-53", "60+"),
    ),
    # Karkkainen and Joo, WACV 2021.
    "fairface": AgeBands((0, 3, 10, 20, 30, 40, 50, 60, 70)),
    "decades": AgeBands((0, 10, 20, 30, 40, 50, 60, 70, 80, 90)),
    # The groups in which market research reports adults.
    "retail": AgeBands((0, 18, 25, 35, 45, 55, 65)),
}
CHILDREN = AgeBands((0, 13))
"""Children and everybody else."""


@dataclass(frozen=True, slots=True)
class Counts:
    """How many people, and of which kinds.

    Attributes
    ----------
    people
        All people counted.
    by_band
        Band label to number; every band is there, in order, and `UNKNOWN` last. The
        numbers sum to ``people``.
    by_gender
        ``female``, ``male`` and `UNKNOWN` to number; they sum to ``people``.
    """

    people: int
    by_band: dict[str, int]
    by_gender: dict[str, int]

    @classmethod
    def nobody(cls, bands: AgeBands) -> Counts:
        """Return zero everywhere."""
        return cls(0, dict.fromkeys((*bands.labels, UNKNOWN), 0), _genders())

    def __add__(self, other: Counts) -> Counts:
        """Add two counts of the same bands."""
        return Counts(
            self.people + other.people,
            {label: number + other.by_band[label] for label, number in self.by_band.items()},
            {label: number + other.by_gender[label] for label, number in self.by_gender.items()},
        )


def _genders() -> dict[str, int]:
    return dict.fromkeys((*GENDERS, UNKNOWN), 0)


def count(estimates: Iterable[Estimate], bands: AgeBands) -> Counts:
    """Count people by age band and gender, where the evidence is confident.

    A person belongs to the band of the mean age if its probability is at least
    `BAND_CONFIDENCE` and the 80 % interval of the age at most `AGE_SPREAD` wide, and to
    the likelier gender if its probability is at least `GENDER_CONFIDENCE`; otherwise to
    `UNKNOWN`. ``benchmarks/census.py`` prints who stays unknown for that and how much
    more often the others are right.

    Parameters
    ----------
    estimates
        One for each person; their order does not matter.
    bands
        The age bands to sort them into.
    """
    counts = Counts.nobody(bands)
    people = 0
    for estimate in estimates:
        people += 1
        counts.by_band[_band(estimate, bands)] += 1
        counts.by_gender[_gender(estimate)] += 1
    return replace(counts, people=people)


def _band(estimate: Estimate, bands: AgeBands) -> str:
    position, probability = bands.of(estimate)
    vague = estimate.age_high - estimate.age_low > AGE_SPREAD
    if vague or probability < BAND_CONFIDENCE:
        return UNKNOWN
    return bands.labels[position]


def _gender(estimate: Estimate) -> str:
    if max(estimate.p_female, 1 - estimate.p_female) < GENDER_CONFIDENCE:
        return UNKNOWN
    return "female" if estimate.p_female > 0.5 else "male"


def majority_band(counts: Counts) -> str | None:
    """Return the band with most people; None if nobody has a band or the first two tie."""
    return _majority(counts.by_band)


def majority_gender(counts: Counts) -> str | None:
    """Return the gender with most people; None if nobody has one or the two tie."""
    return _majority(counts.by_gender)


def _majority(cells: Mapping[str, int]) -> str | None:
    known = {label: number for label, number in cells.items() if label != UNKNOWN}
    most = max(known.values())
    leading = [label for label, number in known.items() if number == most]
    return leading[0] if most and len(leading) == 1 else None


def mean_age(counts: Counts, bands: AgeBands) -> float | None:
    """Return the mean age in years of those with a band, None if there is nobody.

    It is computed from the counts, everybody standing at the middle of their band, so
    that it tells no more about one person than their band does. The open band's middle
    lies half of the width of the band before it above its start.
    """
    *_, before, last = bands.starts
    middles = [(start + end) / 2 for start, end in pairwise((*bands.starts, 2 * last - before))]
    numbers = [counts.by_band[label] for label in bands.labels]
    people = sum(numbers)
    if not people:
        return None
    return sum(n * middle for n, middle in zip(numbers, middles, strict=True)) / people


def children_present(present: Iterable[Estimate]) -> bool:
    """Tell whether anybody in view is, by confident evidence, under 13.

    Parameters
    ----------
    present
        The people in view. Only for `privacy.Home`.
    """
    return count(present, CHILDREN).by_band[CHILDREN.labels[0]] > 0


@dataclass(frozen=True, slots=True)
class Window:
    """A span of time and the people counted in it.

    Attributes
    ----------
    day
        The local day it belongs to.
    start, end
        Aware, in UTC; the end is outside.
    counts
        People whose vote was cast in it.
    """

    day: date
    start: datetime
    end: datetime
    counts: Counts


def as_counted(counts: Counts) -> Counts:
    """Return the counts of a completed window unchanged."""
    return counts


@dataclass(frozen=True, slots=True)
class Census:
    """What is kept of one camera: the open window, the last one, and the day's total.

    The day is divided into windows of equal length from local midnight on, the last one
    cut at the next midnight; a day of 23 or 25 hours has fewer or more of them. A vote is
    added to the open window; when the clock has left the window it is closed, once, and
    its counts go into the total of its day.

    A clock that is set does not change what was counted:

    - forwards, the open window closes and the windows skipped are empty;
    - back by less than a window's length, the open window stays open;
    - back by more, it closes and the window of the new time is opened (again);
    - back to the day before, the later day goes on: its total neither falls nor starts
      anew when midnight passes a second time;
    - back by more than that, the clock was wrong before: another day starts at zero.

    So every vote is added exactly once, and no number of `today` falls while `day` stays
    the same, nor one of ``total`` while its day does, unless that last case intervenes.

    Attributes
    ----------
    bands
        Age bands that people are counted in.
    rule
        Whose rule closes the windows, such as ``home``; a census goes on only under the
        rule that it was started with.
    minutes
        Length of a window, a divisor of the day's 1440.
    window
        The open window, as counted.
    last
        The last completed window, as closed; None until there is one.
    total
        Sum of the completed windows, as closed, of the day of ``last``.

    See Also
    --------
    privacy.Home, privacy.Public : start, advance and publish a census.
    """

    bands: AgeBands
    rule: str
    minutes: int
    window: Window
    last: Window | None
    total: Counts

    @classmethod
    def start(cls, bands: AgeBands, now: datetime, *, rule: str, minutes: int) -> Census:
        """Return a census of nobody yet.

        Parameters
        ----------
        bands, rule, minutes
            As in `Census`.
        now
            Aware, in the user's time zone.

        Raises
        ------
        ValueError
            ``minutes`` does not divide a day, or ``now`` has no time zone.
        """
        if minutes < 1 or MINUTES_A_DAY % minutes:
            raise ValueError(f"a window's minutes divide a day's {MINUTES_A_DAY}, got {minutes}")
        nobody = Counts.nobody(bands)
        start, end = _bounds(now, minutes)
        return cls(bands, rule, minutes, Window(now.date(), start, end, nobody), None, nobody)

    @property
    def day(self) -> date:
        """The local day that is being counted."""
        return self.window.day

    @property
    def today(self) -> Counts:
        """Everybody counted since the day began, the open window included."""
        if self.last is None or self.last.day != self.day:
            return self.window.counts
        return self.total + self.window.counts

    def is_open(self, now: datetime) -> bool:
        """Tell whether the open window stays open at ``now`` (aware)."""
        length = timedelta(minutes=self.minutes)
        return self.window.start - length <= now < self.window.end

    def advance(
        self,
        counted: Iterable[Estimate],
        now: datetime,
        close: Callable[[Counts], Counts] = as_counted,
    ) -> Census:
        """Return the census at ``now``, with the votes just cast.

        Call it with no votes too, at least once a window: time alone closes windows.

        Parameters
        ----------
        counted
            People whose one vote is cast now, `Scene.counted`.
        now
            Aware, in the user's time zone.
        close
            What is kept of the counts of a completed window.

        Raises
        ------
        ValueError
            ``now`` has no time zone.
        """
        census = self._at(now, close)
        votes = count(counted, self.bands)
        if not votes.people:
            return census
        return replace(census, window=replace(census.window, counts=census.window.counts + votes))

    def _at(self, now: datetime, close: Callable[[Counts], Counts]) -> Census:
        start, end = _bounds(now, self.minutes)
        if self.is_open(now):
            return self
        nobody = Counts.nobody(self.bands)
        last = replace(self.window, counts=close(self.window.counts))
        continues = self.last is not None and self.last.day == last.day
        total = self.total + last.counts if continues else last.counts
        if start > last.end:  # windows were skipped; the latest of them is the last
            before = (start - timedelta.resolution).astimezone(now.tzinfo)
            empty = Window(_day(last.day, before.date()), *_bounds(before, self.minutes), nobody)
            total = total if empty.day == last.day else nobody
            last = empty
        day = _day(self.day, now.date())
        return replace(self, window=Window(day, start, end, nobody), last=last, total=total)

    def rebanded(self, bands: AgeBands) -> Census:
        """Return the census for other age bands; people counted before have none of them."""

        def moved(counts: Counts) -> Counts:
            nobody = Counts.nobody(bands)
            return replace(counts, by_band={**nobody.by_band, UNKNOWN: counts.people})

        if bands == self.bands:
            return self
        return replace(
            self,
            bands=bands,
            window=replace(self.window, counts=moved(self.window.counts)),
            last=self.last and replace(self.last, counts=moved(self.last.counts)),
            total=moved(self.total),
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the census as plain JSON; it holds no more than the census does."""
        return {
            "version": VERSION,
            "bands": {
                "starts": list(self.bands.starts),
                "names": None if self.bands.names is None else list(self.bands.names),
            },
            "rule": self.rule,
            "minutes": self.minutes,
            "window": _window_to_dict(self.window),
            "last": None if self.last is None else _window_to_dict(self.last),
            "total": _counts_to_dict(self.total),
        }

    @classmethod
    def from_dict(cls, data: Any) -> Census:
        """Return the census that `to_dict` described.

        Raises
        ------
        CensusError
            The data describes none; the message names the entry and what is wrong.
        """
        entries = _read_mapping(data, "the census")
        if entries.get("version") != VERSION:
            raise CensusError(
                f"the census was stored in format {entries.get('version')!r}, "
                f"this version reads {VERSION}"
            )
        bands = _read_bands(entries.get("bands"))
        rule = entries.get("rule")
        if not isinstance(rule, str):
            raise CensusError(f"rule is a text, got {rule!r}")
        minutes = _read_number(entries.get("minutes"), "minutes")
        if not minutes or MINUTES_A_DAY % minutes:
            raise CensusError(f"minutes divide a day's {MINUTES_A_DAY}, got {minutes}")
        last = entries.get("last")
        return cls(
            bands,
            rule,
            minutes,
            _read_window(entries.get("window"), "window", bands, minutes),
            None if last is None else _read_window(last, "last", bands, minutes),
            _read_counts(entries.get("total"), "total", bands),
        )


VERSION = 1
"""Of the format of `Census.to_dict`."""


def _day(current: date, today: date) -> date:
    """Return the day to count for after ``current``; just before it, the clock was set."""
    return current if current - timedelta(days=1) <= today <= current else today


def _bounds(now: datetime, minutes: int) -> tuple[datetime, datetime]:
    """Return start and end, in UTC, of the window that holds ``now``."""
    if now.tzinfo is None:
        raise ValueError("the time needs the user's time zone, got one without")
    midnight = _midnight(now.date(), now)
    length = timedelta(minutes=minutes)
    start = midnight + (now.astimezone(UTC) - midnight) // length * length
    return start, min(start + length, _midnight(now.date() + timedelta(days=1), now))


def _midnight(day: date, now: datetime) -> datetime:
    return datetime.combine(day, time.min, tzinfo=now.tzinfo).astimezone(UTC)


def _counts_to_dict(counts: Counts) -> dict[str, Any]:
    return {
        "people": counts.people,
        "by_band": dict(counts.by_band),
        "by_gender": dict(counts.by_gender),
    }


def _window_to_dict(window: Window) -> dict[str, Any]:
    return {
        "day": window.day.isoformat(),
        "start": window.start.isoformat(),
        "end": window.end.isoformat(),
        "counts": _counts_to_dict(window.counts),
    }


def _read_mapping(data: Any, at: str) -> Mapping[str, Any]:
    if not isinstance(data, Mapping):
        raise CensusError(f"{at} is an object, got {data!r}")
    return data


def _read_number(value: Any, at: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise CensusError(f"{at} is a whole number of at least 0, got {value!r}")
    return value


def _read_bands(data: Any) -> AgeBands:
    entries = _read_mapping(data, "bands")
    starts, names = entries.get("starts"), entries.get("names")
    if not isinstance(starts, list) or not all(type(start) in {int, float} for start in starts):
        raise CensusError(f"bands.starts are numbers, got {starts!r}")
    if names is not None and (
        not isinstance(names, list) or not all(isinstance(name, str) for name in names)
    ):
        raise CensusError(f"bands.names are texts, got {names!r}")
    try:
        return AgeBands(tuple(starts), None if names is None else tuple(names))
    except ValueError as error:
        raise CensusError(f"bands: {error}") from error


def _read_cells(data: Any, at: str, labels: tuple[str, ...], people: int) -> dict[str, int]:
    entries = _read_mapping(data, at)
    if set(entries) != set(labels):
        raise CensusError(f"{at} has the cells {', '.join(labels)}; got {list(entries)}")
    cells = {label: _read_number(entries[label], f"{at}.{label}") for label in labels}
    if sum(cells.values()) != people:
        raise CensusError(f"{at} sums to {sum(cells.values())}, people are {people}")
    return cells


def _read_counts(data: Any, at: str, bands: AgeBands) -> Counts:
    entries = _read_mapping(data, at)
    people = _read_number(entries.get("people"), f"{at}.people")
    return Counts(
        people,
        _read_cells(entries.get("by_band"), f"{at}.by_band", (*bands.labels, UNKNOWN), people),
        _read_cells(entries.get("by_gender"), f"{at}.by_gender", (*GENDERS, UNKNOWN), people),
    )


def _read_window(data: Any, at: str, bands: AgeBands, minutes: int) -> Window:
    entries = _read_mapping(data, at)
    try:
        day = date.fromisoformat(entries.get("day", ""))
        start = datetime.fromisoformat(entries.get("start", ""))
        end = datetime.fromisoformat(entries.get("end", ""))
    except (TypeError, ValueError) as error:
        raise CensusError(f"{at}: {error}") from error
    if start.tzinfo != UTC or end.tzinfo != UTC:
        raise CensusError(f"{at} starts and ends in UTC, got {start} to {end}")
    if not timedelta(0) < end - start <= timedelta(minutes=minutes):
        raise CensusError(f"{at} lasts up to {minutes} minutes, got {start} to {end}")
    # A zone may be a day ahead of UTC, and a clock set back another.
    if abs(start.date() - day) > timedelta(days=2) or not 2000 <= start.year < 3000:
        raise CensusError(f"{at} belongs to another day than {day}, it starts at {start}")
    return Window(day, start, end, _read_counts(entries.get("counts"), f"{at}.counts", bands))
