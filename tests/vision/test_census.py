"""Who is counted, in which band, and what becomes of the counts in the course of a day."""

import json
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agegender_vision.census import (
    PRESETS,
    UNKNOWN,
    AgeBands,
    Census,
    CensusError,
    Counts,
    children_present,
    count,
    majority_band,
    majority_gender,
    mean_age,
)
from agegender_vision.estimator import Estimate, summarize
from agegender_vision.evidence import UNJUDGED

HOUSEHOLD = AgeBands.preset("household")
BERLIN = ZoneInfo("Europe/Berlin")
WINDOW = timedelta(minutes=15)


def person(age: float, p_female: float) -> Estimate:
    """Somebody whose age is beyond doubt."""
    return Estimate(np.ones(1, np.float32), age, age, age, p_female, first_year=age)


def looks(age: float, spread: float, p_female: float = 0.9) -> Estimate:
    """Somebody judged as by a model: a bell over the years, of this standard deviation."""
    bell = np.exp(-0.5 * ((np.arange(101) - age) / spread) ** 2)
    return summarize((bell / bell.sum()).astype(np.float32), p_female)


WOMAN, MAN, GIRL = person(30, 0.99), person(45, 0.01), person(7, 0.9)

people = st.one_of(
    st.builds(person, st.floats(0, 110), st.floats(0, 1)),
    st.builds(looks, st.floats(0, 100), st.floats(1, 30), st.floats(0, 1)),
    st.just(UNJUDGED),
)


# Age bands


@pytest.mark.parametrize(
    ("preset", "labels"),
    [
        ("household", "0-12 13-19 20-39 40-59 60+"),
        ("fairface", "0-2 3-9 10-19 20-29 30-39 40-49 50-59 60-69 70+"),
        ("adience", "0-2 4-6 8-12 15-20 25-32 38-43 48-53 60+"),
        ("retail", "0-17 18-24 25-34 35-44 45-54 55-64 65+"),
        ("decades", "0-9 10-19 20-29 30-39 40-49 50-59 60-69 70-79 80-89 90+"),
    ],
)
def test_labels_of_the_presets(preset: str, labels: str) -> None:
    assert AgeBands.preset(preset).labels == tuple(labels.split())


def test_a_band_lasts_until_the_birthday() -> None:
    ages = [0, 12, 12.99, 13, 19.99, 20, 39.5, 40, 59.99, 60, 116]
    assert [HOUSEHOLD.labels[HOUSEHOLD.index(age)] for age in ages] == (
        ["0-12", "0-12", "0-12", "13-19", "13-19", "20-39", "20-39", "40-59", "40-59", "60+", "60+"]
    )


def test_an_age_between_two_bands_belongs_to_the_nearer_one() -> None:
    bands = AgeBands.preset("adience")
    ages = [3.4, 3.6, 13.5, 14.5, 22, 24, 33, 37, 56, 58]
    assert [bands.labels[bands.index(age)] for age in ages] == (
        ["0-2", "4-6", "8-12", "15-20", "15-20", "25-32", "25-32", "38-43", "48-53", "60+"]
    )


@pytest.mark.parametrize("age", [-0.1, float("nan")])
def test_no_band_for_what_is_no_age(age: float) -> None:
    with pytest.raises(ValueError, match="an age is at least 0"):
        AgeBands.preset().index(age)


def test_who_may_be_of_either_of_two_bands_is_not_counted_between_them() -> None:
    ages = np.zeros(101, np.float32)
    ages[[16, 45]] = 0.6, 0.4
    either = summarize(ages, 0.9)
    assert HOUSEHOLD.labels[HOUSEHOLD.index(either.age)] == "20-39"
    position, probability = HOUSEHOLD.of(either)
    assert HOUSEHOLD.labels[position] == "20-39"
    assert probability == 0
    assert count([either], HOUSEHOLD).by_band["unknown"] == 1


@pytest.mark.parametrize("starts", [(), (0,), (1, 10), (0, 10, 10), (0, 20, 10), (0, 121)])
def test_bands_that_leave_someone_out(starts: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="age bands start at 0 and rise to at most 120"):
        AgeBands(starts)


@pytest.mark.parametrize("names", [("young",), ("young", "young"), ("young", "unknown")])
def test_names_that_do_not_tell_the_bands_apart(names: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="2 age bands need as many different names"):
        AgeBands((0, 30), names)


def test_an_unknown_preset_lists_the_known_ones() -> None:
    known = "household, adience, fairface, decades, retail"
    with pytest.raises(ValueError, match=f"'dogs'; there are: {known}"):
        AgeBands.preset("dogs")


@pytest.mark.parametrize("text", ["18, 65", "0,18,65", " 18 , 65 "])
def test_own_boundaries(text: str) -> None:
    assert AgeBands.parse(text).labels == ("0-17", "18-64", "65+")


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_may_stand_where_own_boundaries_may(name: str) -> None:
    assert AgeBands.parse(name) is AgeBands.preset(name)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0", r"two or more age bands start at 0"),
        ("", "whole years separated by commas, such as '18, 65', or one of household"),
        ("18; 65", "whole years separated by commas"),
        ("17.5", "whole years separated by commas"),
        ("adults", "got 'adults'"),
        ("65, 18", r"rise to at most 120, got \[0, 65, 18\]"),
        ("18, 18", "rise to at most 120"),
        ("-3", "rise to at most 120"),
        ("18, 1000", "rise to at most 120"),
    ],
)
def test_boundaries_that_make_no_bands(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        AgeBands.parse(text)


# Counting


def test_nobody() -> None:
    counts = count([], HOUSEHOLD)
    assert counts == Counts(
        people=0,
        by_band={"0-12": 0, "13-19": 0, "20-39": 0, "40-59": 0, "60+": 0, "unknown": 0},
        by_gender={"female": 0, "male": 0, "unknown": 0},
    )
    assert counts == Counts.nobody(HOUSEHOLD)


def test_a_family() -> None:
    counts = count([person(41, 0.9), person(39.9, 0.1), GIRL, person(71, 0.5)], HOUSEHOLD)
    assert counts.people == 4
    assert counts.by_band == dict(
        zip((*HOUSEHOLD.labels, UNKNOWN), (1, 0, 1, 1, 1, 0), strict=True)
    )
    assert counts.by_gender == {"female": 2, "male": 1, UNKNOWN: 1}


def test_an_age_on_the_border_of_two_bands_goes_to_the_likelier() -> None:
    assert count([looks(42, spread=6)], HOUSEHOLD).by_band["40-59"] == 1
    assert count([looks(38, spread=6)], HOUSEHOLD).by_band["20-39"] == 1


def test_an_age_that_could_be_in_any_of_three_bands_is_unknown() -> None:
    # 80 % between 16 and 36: no decade has 40 %.
    assert count([looks(26, spread=8)], AgeBands.preset("decades")).by_band["20-29"] == 1
    assert count([looks(26, spread=13)], AgeBands.preset("decades")).by_band[UNKNOWN] == 1


@pytest.mark.parametrize("bands", [*PRESETS.values(), AgeBands.parse("18")])
def test_a_face_that_was_never_judged_is_unknown_even_where_a_band_is_wide(
    bands: AgeBands,
) -> None:
    counts = count([UNJUDGED], bands)
    assert (counts.by_band[UNKNOWN], counts.by_gender[UNKNOWN]) == (1, 1)


def test_ages_count_from_the_first_year_of_the_model() -> None:
    ages = np.array([0.1, 0.8, 0.1], np.float32)
    assert count([summarize(ages, 0.9, first_year=18)], HOUSEHOLD).by_band["13-19"] == 1
    assert count([summarize(ages, 0.9, first_year=19)], HOUSEHOLD).by_band["20-39"] == 1
    assert count([summarize(ages, 0.9, first_year=-2)], HOUSEHOLD).by_band["0-12"] == 1


@given(st.lists(people, max_size=20), st.sampled_from(list(PRESETS.values())), st.randoms())
def test_everyone_is_in_one_band_and_of_one_gender_in_whatever_order_they_come(
    crowd: list[Estimate], bands: AgeBands, random: Any
) -> None:
    counts = count(crowd, bands)
    assert sum(counts.by_band.values()) == sum(counts.by_gender.values()) == counts.people
    assert counts.people == len(crowd)
    random.shuffle(crowd)
    assert count(crowd, bands) == counts


@given(st.lists(people, max_size=10), st.lists(people, max_size=10))
def test_two_cameras_add_up_to_one(left: list[Estimate], right: list[Estimate]) -> None:
    one, other = count(left, HOUSEHOLD), count(right, HOUSEHOLD)
    assert one + other == other + one == count(left + right, HOUSEHOLD)


# What follows from counts


def counts_of(**cells: int) -> Counts:
    """Counts with these numbers in ``0-12`` as ``b0``, in ``13-19`` as ``b13``, and so on."""
    by_band = {
        label: cells.get(f"b{label.split('-')[0].rstrip('+')}", 0) for label in HOUSEHOLD.labels
    }
    by_band[UNKNOWN] = cells.get("unknown", 0)
    women, men = cells.get("women", 0), cells.get("men", 0)
    people = sum(by_band.values())
    return Counts(people, by_band, {"female": women, "male": men, UNKNOWN: people - women - men})


def test_the_majority() -> None:
    counts = counts_of(b0=1, b20=3, b60=2, women=4, men=2)
    assert majority_band(counts) == "20-39"
    assert majority_gender(counts) == "female"


@pytest.mark.parametrize(
    "counts",
    [counts_of(), counts_of(unknown=3), counts_of(b0=2, b20=2, b40=1, unknown=4, women=3, men=3)],
)
def test_no_majority_of_nobody_of_unknown_people_and_in_a_tie(counts: Counts) -> None:
    assert majority_band(counts) is None
    assert majority_gender(counts) is None


def test_the_mean_age_is_that_of_the_middles_of_the_bands() -> None:
    assert mean_age(counts_of(b20=1), HOUSEHOLD) == 30
    assert mean_age(counts_of(b0=1, b20=3, unknown=5), HOUSEHOLD) == (6.5 + 3 * 30) / 4
    assert mean_age(counts_of(b60=1), HOUSEHOLD) == 70
    assert mean_age(counts_of(unknown=5), HOUSEHOLD) is None


def test_children_are_told_from_adults_whatever_the_bands() -> None:
    assert children_present([WOMAN, GIRL])
    assert children_present([looks(8, spread=4)])
    assert not children_present([WOMAN, MAN])
    assert not children_present([UNJUDGED])
    assert not children_present([])


# A day


def start(now: datetime, minutes: int = 15) -> Census:
    return Census.start(HOUSEHOLD, now, rule="home", minutes=minutes)


def test_windows_follow_the_clock() -> None:
    now = datetime(2026, 11, 23, 12, 7, tzinfo=BERLIN)
    census = start(now)
    assert census.window.start == datetime(2026, 11, 23, 12, 0, tzinfo=BERLIN)
    assert census.window.end == datetime(2026, 11, 23, 12, 15, tzinfo=BERLIN)


@pytest.mark.parametrize("minutes", [0, -15, 7, 1441])
def test_windows_divide_the_day(minutes: int) -> None:
    with pytest.raises(ValueError, match=f"divide a day's 1440, got {minutes}"):
        start(datetime(2026, 11, 23, tzinfo=BERLIN), minutes)


def test_a_time_needs_a_zone() -> None:
    naive = datetime(2026, 11, 23)  # noqa: DTZ001
    with pytest.raises(ValueError, match="time zone"):
        start(naive)
    with pytest.raises(ValueError, match="time zone"):
        start(naive.astimezone(UTC)).advance([], naive)


def test_a_vote_is_in_the_open_window_and_then_in_the_total() -> None:
    noon = datetime(2026, 11, 23, 12, 0, tzinfo=BERLIN)
    census = start(noon).advance([WOMAN, MAN], noon).advance([GIRL], noon + timedelta(minutes=14))
    assert (census.window.counts.people, census.total.people, census.today.people) == (3, 0, 3)

    census = census.advance([MAN], noon + WINDOW)
    assert census.last is not None
    assert (census.last.counts.people, census.total.people, census.today.people) == (3, 3, 4)

    census = census.advance([], noon + 2 * WINDOW)
    assert census.last is not None
    assert (census.last.counts.people, census.total.people, census.today.people) == (1, 4, 4)


def test_visitors_today_begin_at_zero_at_the_users_midnight() -> None:
    evening = datetime(2026, 11, 23, 23, 50, tzinfo=BERLIN)
    census = start(evening).advance([WOMAN, MAN], evening)
    assert census.advance([], evening + timedelta(minutes=9, seconds=59)).today.people == 2

    census = census.advance([GIRL], evening + timedelta(minutes=10))
    assert census.day == date(2026, 11, 24)
    assert census.today.people == 1
    # The last window of the day is complete, and so is the day's total.
    assert census.last is not None
    assert (census.last.day, census.total.people) == (date(2026, 11, 23), 2)


@pytest.mark.parametrize(
    ("zone", "day", "minutes", "windows"),
    [
        ("Europe/Berlin", date(2026, 11, 23), 15, 96),
        ("Europe/Berlin", date(2026, 3, 29), 15, 92),
        ("Europe/Berlin", date(2026, 10, 25), 15, 100),
        ("Europe/Berlin", date(2026, 10, 25), 1440, 2),
        ("Asia/Kathmandu", date(2026, 11, 23), 60, 24),
        ("Australia/Lord_Howe", date(2026, 4, 5), 60, 25),  # 24.5 hours
        ("America/Havana", date(2026, 3, 8), 60, 23),  # begins at one o'clock
        ("America/Havana", date(2026, 11, 1), 60, 25),  # midnight strikes twice
    ],
)
def test_windows_fill_a_day_of_any_length(zone: str, day: date, minutes: int, windows: int) -> None:
    midnight = datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone)).astimezone(UTC)
    census = start(midnight.astimezone(ZoneInfo(zone)), minutes)
    assert census.window.start == midnight
    starts = []
    while census.day == day:
        starts.append(census.window.start)
        census = census.advance([WOMAN], census.window.start.astimezone(ZoneInfo(zone)))
        census = census.advance([], census.window.end.astimezone(ZoneInfo(zone)))
    assert census.total.people == len(starts) == windows
    assert census.day == day + timedelta(days=1)
    assert census.window.start.astimezone(ZoneInfo(zone)).hour == 0
    assert census.today.people == 0


def test_hours_of_downtime_are_empty_windows() -> None:
    noon = datetime(2026, 11, 23, 12, 0, tzinfo=BERLIN)
    census = start(noon).advance([WOMAN, MAN], noon)
    census = census.advance([GIRL], noon + timedelta(hours=3, minutes=5))
    assert census.today.people == 3
    assert census.total.people == 2
    assert census.last is not None
    assert census.last.start == noon + timedelta(hours=2, minutes=45)
    assert census.last.counts.people == 0


def test_downtime_over_midnight_ends_the_day() -> None:
    evening = datetime(2026, 11, 23, 22, 0, tzinfo=BERLIN)
    census = start(evening).advance([WOMAN, MAN], evening)
    census = census.advance([GIRL], evening + timedelta(hours=10))
    assert census.day == date(2026, 11, 24)
    assert census.today.people == 1
    assert census.total.people == 0


def test_back_a_moment_over_the_end_of_a_window_changes_nothing() -> None:
    census = start(datetime(2026, 11, 23, 12, 15, tzinfo=BERLIN))
    census = census.advance([WOMAN], datetime(2026, 11, 23, 12, 15, 1, tzinfo=BERLIN))
    again = census.advance([], datetime(2026, 11, 23, 12, 14, 59, tzinfo=BERLIN))
    assert again == census


def test_back_over_midnight_neither_revives_yesterday_nor_counts_twice() -> None:
    census = start(datetime(2026, 11, 23, 23, 30, tzinfo=BERLIN))
    census = census.advance([WOMAN] * 5, datetime(2026, 11, 23, 23, 59, tzinfo=BERLIN))
    census = census.advance([MAN], datetime(2026, 11, 24, 0, 20, tzinfo=BERLIN))
    assert (census.day, census.today.people) == (date(2026, 11, 24), 1)

    census = census.advance([MAN], datetime(2026, 11, 23, 23, 20, tzinfo=BERLIN))
    assert (census.day, census.today.people) == (date(2026, 11, 24), 2)

    census = census.advance([MAN], datetime(2026, 11, 24, 0, 0, tzinfo=BERLIN))
    assert (census.day, census.today.people) == (date(2026, 11, 24), 3)

    census = census.advance([MAN], datetime(2026, 11, 25, 0, 0, tzinfo=BERLIN))
    assert (census.day, census.today.people) == (date(2026, 11, 25), 1)


def test_a_clock_that_was_years_ahead_does_not_stop_the_days() -> None:
    census = start(datetime(2038, 1, 19, 3, 14, tzinfo=BERLIN))
    census = census.advance([WOMAN], datetime(2038, 1, 19, 3, 14, tzinfo=BERLIN))
    census = census.advance([MAN], datetime(2026, 11, 23, 12, 0, tzinfo=BERLIN))
    assert (census.day, census.today.people) == (date(2026, 11, 23), 1)


def test_other_bands_keep_the_people_and_their_genders() -> None:
    noon = datetime(2026, 11, 23, 12, 0, tzinfo=BERLIN)
    census = start(noon).advance([WOMAN], noon).advance([MAN], noon + WINDOW)
    other = census.rebanded(AgeBands.preset("decades")).advance([GIRL], noon + WINDOW)
    assert other.today.people == 3
    assert other.today.by_band == {
        **dict.fromkeys(AgeBands.preset("decades").labels, 0),
        "0-9": 1,
        UNKNOWN: 2,
    }
    assert other.today.by_gender == {"female": 2, "male": 1, UNKNOWN: 0}


# Any day

steps = st.one_of(
    st.integers(0, 40).map(lambda seconds: timedelta(seconds=seconds)),
    st.integers(-30, 120).map(lambda minutes: timedelta(minutes=minutes)),
    st.integers(-40, 60).map(lambda hours: timedelta(hours=hours)),
    st.integers(-4000, 4000).map(lambda days: timedelta(days=days)),
)
zones = st.sampled_from(
    (
        "UTC",
        "Europe/Berlin",
        "Asia/Kathmandu",
        "Australia/Lord_Howe",
        "America/Havana",
        "America/St_Johns",
        "Pacific/Kiritimati",
    )
).map(ZoneInfo)
beginnings = st.one_of(
    st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1)),  # noqa: DTZ001
    # Within an hour of a change of the clock somewhere.
    st.sampled_from([(3, 29, 1), (10, 25, 0), (4, 4, 15), (3, 8, 5), (11, 1, 4)]).flatmap(
        lambda when: st.integers(-3600, 7200).map(
            lambda seconds: datetime(2026, *when) + timedelta(seconds=seconds)  # noqa: DTZ001
        )
    ),
)


@st.composite
def courses(draw: st.DrawFn) -> tuple[int, list[tuple[datetime, list[Estimate]]]]:
    """A length of windows, and moments with the people who are counted then."""
    minutes = draw(st.sampled_from([5, 15, 60, 1440]))
    zone = draw(zones)
    now = draw(beginnings).replace(tzinfo=UTC)
    moments = []
    for step, votes in draw(
        st.lists(st.tuples(steps, st.lists(people, max_size=3)), min_size=1, max_size=25)
    ):
        now += step
        moments.append((now.astimezone(zone), votes))
    return minutes, moments


def never_falls(before: Counts, after: Counts) -> bool:
    return after.people >= before.people and all(
        later[cell] >= number
        for earlier, later in (
            (before.by_band, after.by_band),
            (before.by_gender, after.by_gender),
        )
        for cell, number in earlier.items()
    )


def summed(counts: Iterable[Counts]) -> Counts:
    return sum(counts, Counts.nobody(HOUSEHOLD))


@given(courses())
def test_whatever_the_clock_does_every_vote_counts_once_and_no_total_falls(
    course: tuple[int, list[tuple[datetime, list[Estimate]]]],
) -> None:
    minutes, moments = course
    closed: list[Counts] = []

    def close(counts: Counts) -> Counts:
        closed.append(counts)
        return counts

    census = start(moments[0][0], minutes)
    cast: list[Estimate] = []
    for now, votes in moments:
        before, census = census, census.advance(votes, now, close)
        cast += votes
        assert summed([*closed, census.window.counts]) == count(cast, HOUSEHOLD)
        if before.day == census.day:
            assert never_falls(before.today, census.today)
        else:
            assert census.today == count(votes, HOUSEHOLD)
        # The day of the total; that of the open window is earlier where the clock was wrong.
        if before.last and census.last and before.day >= before.last.day == census.last.day:
            assert never_falls(before.total, census.total)
        # The same moment again, with nobody, changes nothing.
        assert census.advance([], now) == census


@given(courses(), st.randoms())
def test_people_of_one_moment_count_alike_in_any_order_and_one_by_one(
    course: tuple[int, list[tuple[datetime, list[Estimate]]]], random: Any
) -> None:
    minutes, moments = course
    together = singly = start(moments[0][0], minutes)
    for now, votes in moments:
        together = together.advance(votes, now)
        singly = singly.advance([], now)
        for vote in random.sample(votes, len(votes)):
            singly = singly.advance([vote], now)
    assert singly == together


@given(courses())
def test_a_restart_at_any_moment_loses_nothing(
    course: tuple[int, list[tuple[datetime, list[Estimate]]]],
) -> None:
    minutes, moments = course
    census = start(moments[0][0], minutes)
    for now, votes in moments:
        restarted = Census.from_dict(json.loads(json.dumps(census.to_dict())))
        assert restarted == census
        census = restarted.advance(votes, now)


# What was stored and is damaged


def stored() -> dict[str, Any]:
    noon = datetime(2026, 11, 23, 12, 0, tzinfo=BERLIN)
    data = start(noon).advance([WOMAN], noon).advance([MAN], noon + WINDOW).to_dict()
    return dict(json.loads(json.dumps(data)))


@pytest.mark.parametrize(
    ("entry", "value", "message"),
    [
        ("version", 7, "stored in format 7, this version reads 1"),
        ("bands", None, "bands is an object, got None"),
        ("bands.starts", [0, 13, "20"], "bands.starts are numbers"),
        ("bands.starts", [5, 13], "bands: two or more age bands start at 0"),
        ("bands.names", [1, 2], "bands.names are texts"),
        ("rule", None, "rule is a text, got None"),
        ("minutes", 7, "minutes divide a day's 1440, got 7"),
        ("minutes", True, "minutes is a whole number"),
        ("window", None, "window is an object, got None"),
        ("window.day", "yesterday", "window: Invalid isoformat"),
        ("window.day", "2026-12-23", "window belongs to another day than 2026-12-23"),
        ("window.start", "2026-11-23T11:15:00", "window starts and ends in UTC"),
        ("window.start", "2026-11-23T12:15:00+01:00", "window starts and ends in UTC"),
        ("window.end", "2026-11-23T11:15:00+00:00", "window lasts up to 15 minutes"),
        ("window.end", "2026-11-23T11:45:00+00:00", "window lasts up to 15 minutes"),
        ("window.counts", [], r"window.counts is an object, got \[\]"),
        ("window.counts.people", 3, "window.counts.by_band sums to 1, people are 3"),
        ("window.counts.people", -1, "window.counts.people is a whole number of at least 0"),
        ("window.counts.by_gender.male", 1.0, "by_gender.male is a whole number"),
        ("last.counts.by_gender", {"female": 1}, "has the cells female, male, unknown"),
        ("total.by_band.60+", 5, "total.by_band sums to 6, people are 1"),
    ],
)
def test_a_damaged_entry_is_named(entry: str, value: Any, message: str) -> None:
    data = stored()
    *path, last = entry.split(".")
    inner = data
    for key in path:
        inner = inner[key]
    inner[last] = value
    with pytest.raises(CensusError, match=message):
        Census.from_dict(data)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
    | st.sampled_from(["2026-11-23", "2026-11-23T11:15:00+00:00", "0001-01-01"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)  # fmt: skip


def places(data: Any, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """All paths into nested objects, the root first."""
    found = [path]
    if isinstance(data, dict):
        for key, value in data.items():
            found += places(value, (*path, key))
    return found


@settings(max_examples=300)
@given(st.sampled_from(places(stored())), anything, st.booleans())
def test_damage_anywhere_is_noticed_or_harmless(
    path: tuple[str, ...], value: Any, remove: bool
) -> None:
    data: Any = {"root": stored()}
    *outer, last = ("root", *path)
    inner = data
    for key in outer:
        inner = inner[key]
    if remove:
        del inner[last]
    else:
        inner[last] = value
    try:
        census = Census.from_dict(data.get("root"))
    except CensusError:
        return
    later = census.advance([WOMAN], datetime(2026, 11, 24, 12, 0, tzinfo=BERLIN))
    assert Census.from_dict(later.to_dict()) == later
