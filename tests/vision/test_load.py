"""How busy cameras keep a thread, and how far their intervals are stretched for it."""

from datetime import UTC, datetime, timedelta

import pytest

from agegender_vision.load import Load

NOON = datetime(2026, 6, 15, 12, tzinfo=UTC)


def add(load: Load, camera: str, seconds: float, frames: int = 20) -> None:
    for _ in range(frames):
        load.add(camera, seconds, 1, NOON)


def test_load_is_the_share_of_time_that_all_cameras_need() -> None:
    load = Load()
    for _ in range(20):
        load.add("hall", 0.2, 1, NOON)
        load.add("garden", 0.3, 2, NOON)
    assert load.figure == pytest.approx(0.35)
    assert load.stretch == 1

    load.drop("hall", NOON)
    assert load.figure == pytest.approx(0.15)


def test_stretched_above_four_fifths_and_not_before_three_fifths_as_it_was() -> None:
    load = Load()
    add(load, "hall", 0.79)
    assert load.stretch == 1
    add(load, "hall", 0.9)
    # So that three fifths of the time are used.
    assert load.stretch == pytest.approx(1.5)
    add(load, "hall", 0.65)
    assert 1 < load.stretch < 1.1
    add(load, "hall", 0.55)
    assert load.stretch == 1
    add(load, "hall", 0.79)
    assert load.stretch == 1


def test_the_first_frames_tell_nothing() -> None:
    load = Load()
    add(load, "hall", 5, frames=4)
    assert load.figure == 0
    add(load, "hall", 5, frames=1)
    assert load.overloaded


def test_an_overload_lasts_from_the_frame_that_began_it() -> None:
    load = Load()
    add(load, "hall", 2)
    assert not load.lasting(NOON + timedelta(minutes=4))
    assert load.lasting(NOON + timedelta(minutes=5))
    load.drop("hall", NOON)
    assert not load.lasting(NOON + timedelta(minutes=5))


def test_frames_per_minute_are_those_of_the_last_ones() -> None:
    load = Load()
    assert load.frames_per_minute("hall") is None
    load.add("hall", 0.1, 1, NOON)
    assert load.frames_per_minute("hall") is None  # of one there is no rate
    for second in range(1, 60):
        load.add("hall", 0.1, 1, NOON + timedelta(seconds=2 * second))
    assert load.frames_per_minute("hall") == pytest.approx(30)
    load.drop("hall", NOON)
    assert load.frames_per_minute("hall") is None


def test_a_camera_slower_than_its_interval_is_less_load() -> None:
    load = Load()
    for _ in range(20):
        load.add("hall", 0.5, 0.1, NOON)
        for _ in range(4):
            load.idle("hall", 0.1, NOON)
    assert load.figure == pytest.approx(1)
    load.drop("hall", NOON)
    load.idle("hall", 0.1, NOON)
    assert load.frames_per_minute("hall") is None
