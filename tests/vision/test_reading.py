"""What is told of a camera: at home what happens, in public what tells of nobody."""

from datetime import UTC, datetime
from itertools import product

import pytest

from agegender_vision.census import AgeBands, Counts
from agegender_vision.privacy import Home, Mode, Public, Publication
from agegender_vision.reading import PAUSE, RESET, STATUS, Live, Reading, Status, measures

BANDS = AgeBands.preset()
NOON = datetime(2026, 6, 15, 12, tzinfo=UTC)
COUPLE = Counts(
    2,
    {**dict.fromkeys(BANDS.labels, 0), "20-39": 1, "unknown": 1},
    {"female": 2, "male": 0, "unknown": 0},
)
MODES = [Home(), Public()]


@pytest.mark.parametrize("mode", MODES)
def test_keys_are_told_apart_and_kinds_fit_their_values(mode: Mode) -> None:
    told = [*measures(BANDS, mode), STATUS, PAUSE, RESET]
    assert len({each.key for each in told}) == len(told)
    for each in told:
        assert (each.device_class == "enum") == (each.options is not None)
        assert ("age_band" in each.name) == (each.band is not None)
        # Where there are statistics, there are numbers.
        assert not (each.state_class and each.options)


def test_every_value_of_a_reading_has_its_name() -> None:
    reading = Reading(Publication(COUPLE, Counts.nobody(BANDS)), Live(False, NOON, 31.0, None))
    values = {each.key: each.read(reading) for each in measures(BANDS, Home())}
    assert values == {
        "people": 2,
        "female": 2,
        "male": 0,
        "gender_unknown": 0,
        **{f"age_{band}": int(band == "20-39") for band in BANDS.labels},
        "age_unknown": 1,
        **{
            f"today_{kind}": 0
            for kind in (
                *("people", "female", "male", "gender_unknown", "age_unknown"),
                *(f"age_{band}" for band in BANDS.labels),
            )
        },
        "majority_band": "20-39",
        "majority_gender": "female",
        "mean_age": 30.0,
        "children": False,
        "processing_time": 31.0,
        "frames_per_minute": None,
        "last_frame": NOON,
    }


@pytest.mark.parametrize("mode", MODES)
def test_without_a_frame_everything_is_unknown(mode: Mode) -> None:
    reading = Reading(Publication(None, None))
    assert {each.read(reading) for each in measures(BANDS, mode)} == {None}


def test_in_public_nothing_is_read_from_what_is_live() -> None:
    live = Reading(Publication(COUPLE, None), Live(True, NOON, 31.0, 60.0))
    without = Reading(Publication(COUPLE, None))
    for each in measures(BANDS, Public()):
        assert each.read(live) == each.read(without)


@pytest.mark.parametrize("mode", MODES)
def test_the_status_that_matters_most_is_told(mode: Mode) -> None:
    flags = ("paused", "failing", "starting", "waiting", "overloaded")
    for values in product((False, True), repeat=len(flags)):
        now = dict(zip(flags, values, strict=True))
        names = {"failing": "no_frame"}
        known = flags if isinstance(mode, Home) else flags[:3]
        worst = next((names.get(flag, flag) for flag in known if now[flag]), "counting")
        assert Status.of(mode, **now) == worst
