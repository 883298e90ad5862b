"""A camera that is looked at while a motion sensor says so."""

from collections.abc import Awaitable, Callable

import pytest
from homeassistant.const import STATE_OFF, STATE_ON, STATE_UNAVAILABLE
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.agegender.const import CONF_MOTION_SECONDS, CONF_MOTION_SENSOR, DOMAIN

from .conftest import (
    NOBODY,
    PUBLIC,
    PassTime,
    Watch,
    WilfulCamera,
    our_log,
    settle,
)

SENSOR = "binary_sensor.hall_motion"
type Sense = Callable[[str], Awaitable[None]]
type Start = Callable[..., Awaitable[MockConfigEntry]]


@pytest.fixture
def sense(hass: HomeAssistant) -> Sense:
    """Have the motion sensor say something."""

    async def change(state: str) -> None:
        hass.states.async_set(SENSOR, state)
        await settle(hass)

    return change


@pytest.fixture
def watch_on_motion(watch: Watch, wilful: WilfulCamera) -> Start:
    async def start(**settings: object) -> MockConfigEntry:
        motion = {CONF_MOTION_SENSOR: SENSOR, CONF_MOTION_SECONDS: 20}
        return await watch(wilful.watched, interval=5, **motion, **settings)

    return start


async def test_frames_are_taken_from_motion_until_a_while_after(
    wilful: WilfulCamera, watch_on_motion: Start, sense: Sense, pass_time: PassTime
) -> None:
    await sense(STATE_OFF)
    await watch_on_motion()
    # The first frames show that the camera delivers.
    assert wilful.requests == 1
    assert wilful.watched.counts()["People in view"] == "1"
    await pass_time(21)
    asked = wilful.requests
    await pass_time(6)
    await pass_time(6)
    assert wilful.requests == asked
    assert wilful.watched.counts()["People in view"] == "0"
    assert wilful.watched.counts()["Children"] == STATE_OFF
    assert wilful.watched.status() == "waiting"

    await sense(STATE_ON)
    assert wilful.requests == asked + 1
    assert wilful.watched.counts()["People in view"] == "1"
    assert wilful.watched.status() == "counting"
    await pass_time(6)
    assert wilful.requests == asked + 2

    await sense(STATE_OFF)
    await pass_time(6)
    assert wilful.requests == asked + 3
    # Motion again before the time is over: looking goes on.
    await sense(STATE_ON)
    await pass_time(21)
    await pass_time(6)
    assert wilful.requests == asked + 5


async def test_who_was_seen_before_nothing_moves_is_counted(
    wilful: WilfulCamera, watch_on_motion: Start, sense: Sense, pass_time: PassTime
) -> None:
    await sense(STATE_ON)
    await watch_on_motion()
    await pass_time(6)
    await pass_time(6)
    await sense(STATE_OFF)
    wilful.frame = NOBODY
    await pass_time(21)
    await pass_time(6)
    assert wilful.watched.counts()["Visitors today"] == "1"
    assert wilful.watched.counts()["People in view"] == "0"


async def test_a_sensor_that_cannot_tell_stops_nothing(
    wilful: WilfulCamera, watch_on_motion: Start, sense: Sense, pass_time: PassTime
) -> None:
    await watch_on_motion()
    await pass_time(31)
    asked = wilful.requests
    await pass_time(6)
    assert wilful.requests == asked + 1

    await sense(STATE_OFF)
    await pass_time(21)
    await pass_time(6)
    asked = wilful.requests
    await sense(STATE_UNAVAILABLE)
    assert wilful.requests == asked + 1


async def test_an_outage_does_not_end_because_nothing_moves(
    wilful: WilfulCamera,
    watch_on_motion: Start,
    sense: Sense,
    caplog: pytest.LogCaptureFixture,
    pass_time: PassTime,
) -> None:
    await sense(STATE_ON)
    await watch_on_motion()
    wilful.failure = RuntimeError("unplugged")
    await pass_time(6)
    assert wilful.watched.counts()["People in view"] == STATE_UNAVAILABLE
    await sense(STATE_OFF)
    await pass_time(21)
    await pass_time(6)
    assert wilful.watched.counts()["People in view"] == STATE_UNAVAILABLE
    wilful.failure = None
    await sense(STATE_ON)
    assert wilful.watched.counts()["People in view"] == "1"
    assert [level for level, _ in our_log(caplog)] == ["ERROR", "INFO"]


async def test_a_frame_that_fails_when_nothing_moves_any_more_is_an_outage(
    wilful: WilfulCamera, watch_on_motion: Start, sense: Sense, pass_time: PassTime
) -> None:
    await sense(STATE_OFF)
    wilful.delivers.clear()
    await watch_on_motion(wait=False)
    wilful.failure = RuntimeError("unplugged")
    await pass_time(21)
    wilful.delivers.set()
    await pass_time(6)
    assert wilful.watched.status() == "no_frame"
    asked = wilful.requests
    await pass_time(6)
    assert wilful.requests == asked

    wilful.failure = None
    await sense(STATE_ON)
    assert wilful.watched.counts()["People in view"] == "1"


async def test_what_else_a_sensor_tells_is_no_motion(
    hass: HomeAssistant,
    wilful: WilfulCamera,
    watch_on_motion: Start,
    sense: Sense,
    pass_time: PassTime,
) -> None:
    await sense(STATE_OFF)
    await watch_on_motion()
    await pass_time(15)
    hass.states.async_set(SENSOR, STATE_OFF, {"battery": 42})
    await pass_time(6)
    asked = wilful.requests
    await pass_time(6)
    assert wilful.requests == asked
    assert wilful.watched.status() == "waiting"


async def test_a_paused_camera_stays_so_whatever_moves(
    wilful: WilfulCamera, watch_on_motion: Start, sense: Sense, pass_time: PassTime
) -> None:
    await sense(STATE_ON)
    await watch_on_motion()
    await wilful.watched.pause(on=True)
    asked = wilful.requests
    await sense(STATE_OFF)
    await pass_time(21)
    await sense(STATE_ON)
    assert wilful.requests == asked
    await wilful.watched.pause(on=False)
    assert wilful.requests == asked + 1


async def test_a_scan_looks_though_nothing_moves(
    hass: HomeAssistant,
    wilful: WilfulCamera,
    watch_on_motion: Start,
    sense: Sense,
    pass_time: PassTime,
) -> None:
    await sense(STATE_OFF)
    await watch_on_motion()
    await pass_time(21)
    await pass_time(6)
    answer = await hass.services.async_call(
        DOMAIN,
        "scan",
        {"device_id": wilful.watched.device_id()},
        blocking=True,
        return_response=True,
    )
    assert answer
    assert answer["people"] == 1


async def test_in_public_the_status_does_not_tell_of_motion(
    wilful: WilfulCamera, watch_on_motion: Start, sense: Sense, pass_time: PassTime
) -> None:
    await sense(STATE_ON)
    await watch_on_motion(engine=PUBLIC)
    before = wilful.watched.counts()
    assert wilful.watched.status() == "counting"
    await sense(STATE_OFF)
    await pass_time(21)
    await pass_time(6)
    asked = wilful.requests
    await pass_time(6)
    assert wilful.requests == asked
    assert wilful.watched.counts() == before
    assert wilful.watched.status() == "counting"


@pytest.mark.parametrize("loaded", [True, False])
async def test_a_renamed_sensor_is_followed(
    hass: HomeAssistant,
    entity_registry: er.EntityRegistry,
    wilful: WilfulCamera,
    watch_on_motion: Start,
    sense: Sense,
    pass_time: PassTime,
    loaded: bool,
) -> None:
    entity_registry.async_get_or_create(
        "binary_sensor", "demo", "motion", suggested_object_id="hall_motion"
    )
    await sense(STATE_OFF)
    entry = await watch_on_motion()
    if not loaded:
        await hass.config_entries.async_unload(entry.entry_id)
    entity_registry.async_update_entity(SENSOR, new_entity_id="binary_sensor.motion")
    hass.states.async_set("binary_sensor.motion", STATE_OFF)
    await settle(hass)
    if not loaded:
        # Another sensor that takes the old name is not the one that was chosen.
        hass.states.async_set(SENSOR, STATE_ON)
        await hass.config_entries.async_setup(entry.entry_id)
        await settle(hass)
    await pass_time(21)
    await pass_time(6)
    asked = wilful.requests
    await pass_time(6)
    assert wilful.requests == asked
    hass.states.async_set("binary_sensor.motion", STATE_ON)
    await settle(hass)
    assert wilful.requests == asked + 1
