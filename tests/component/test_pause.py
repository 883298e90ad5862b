"""A paused camera is left alone, whatever happens meanwhile, and goes on when it is told to."""

import pytest
from homeassistant.const import STATE_UNKNOWN
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.setup import async_setup_component

from .conftest import (
    HOME,
    INTERVAL,
    NOBODY,
    PUBLIC,
    WOMAN,
    AddCamera,
    PassTime,
    Watch,
    WilfulCamera,
    next_frame,
    our_log,
    settle,
    side_by_side,
)


async def test_a_paused_camera_is_not_asked_for_frames(
    hass: HomeAssistant, wilful: WilfulCamera, watch: Watch, caplog: pytest.LogCaptureFixture
) -> None:
    camera = wilful.watched
    await watch(camera)
    assert camera.status() == "counting"

    await camera.pause(on=True)
    asked = wilful.requests
    for _ in range(3):
        await next_frame(hass)
    assert wilful.requests == asked
    assert camera.status() == "paused"
    counts = camera.counts()
    # Nobody knows who is in view; that she was there, a visitor, was counted.
    assert counts["People in view"] == STATE_UNKNOWN
    assert counts["Children"] == STATE_UNKNOWN
    assert counts["Visitors today"] == "1"

    await camera.pause(on=False)
    assert wilful.requests == asked + 1
    assert camera.status() == "counting"
    assert camera.counts()["People in view"] == "1"
    await next_frame(hass)
    assert wilful.requests == asked + 2
    assert our_log(caplog) == []


async def test_an_update_that_is_asked_for_does_not_end_a_pause(
    hass: HomeAssistant, wilful: WilfulCamera, watch: Watch
) -> None:
    camera = wilful.watched
    await watch(camera)
    await camera.pause(on=True)
    asked = wilful.requests
    assert await async_setup_component(hass, "homeassistant", {})
    await hass.services.async_call(
        "homeassistant",
        "update_entity",
        {"entity_id": camera.sensor("People in view")},
        blocking=True,
    )
    await next_frame(hass)
    assert wilful.requests == asked
    assert camera.status() == "paused"
    assert camera.counts()["People in view"] == STATE_UNKNOWN


@pytest.mark.parametrize("failure", [None, OSError("the cable is out")])
async def test_a_frame_that_arrives_after_the_pause_is_not_looked_at(
    hass: HomeAssistant,
    wilful: WilfulCamera,
    watch: Watch,
    caplog: pytest.LogCaptureFixture,
    failure: Exception | None,
) -> None:
    camera = wilful.watched
    wilful.delivers.clear()
    await watch(camera, wait=False)
    await hass.services.async_call(
        "switch", "turn_on", {"entity_id": "switch.hall_pause"}, blocking=True
    )

    wilful.failure = failure
    wilful.delivers.set()
    await settle(hass)
    assert camera.status() == "paused"
    assert camera.counts()["People in view"] == STATE_UNKNOWN
    assert camera.counts()["Visitors today"] == "0"
    assert our_log(caplog) == []


@pytest.mark.parametrize("engine", [HOME, PUBLIC])
async def test_a_pause_outlasts_a_reload(
    hass: HomeAssistant, wilful: WilfulCamera, watch: Watch, engine: dict[str, str]
) -> None:
    entry = await watch(wilful.watched, engine=engine)
    await wilful.watched.pause(on=True)
    asked = wilful.requests

    await hass.config_entries.async_reload(entry.entry_id)
    await settle(hass)
    await next_frame(hass)
    assert wilful.requests == asked
    assert wilful.watched.status() == "paused"

    await wilful.watched.pause(on=False)
    assert wilful.requests == asked + 1


async def test_a_camera_that_delivers_nothing_can_be_paused_and_set_back(
    add_camera: AddCamera, watch: Watch, caplog: pytest.LogCaptureFixture
) -> None:
    camera = await add_camera("hall", b"no picture")
    await watch(camera)
    assert camera.status() == "no_frame"
    assert not camera.available()

    await camera.pause(on=True)
    assert camera.status() == "paused"
    assert camera.counts()["Visitors today"] == "0"
    await camera.pause(on=False)
    assert camera.status() == "no_frame"
    # One line when an outage begins, and one when it is over.
    (_, paused), *_ = our_log(caplog)[1:]
    assert paused == "camera.hall is paused: whether it delivers is not known"
    assert [level for level, _ in our_log(caplog)] == ["ERROR", "INFO", "ERROR"]


async def test_a_scan_of_a_paused_camera_counts_faces_and_leaves_it_paused(
    hass: HomeAssistant, wilful: WilfulCamera, watch: Watch
) -> None:
    camera = wilful.watched
    wilful.frame = NOBODY
    await watch(camera)
    await camera.pause(on=True)

    async def scan() -> dict[str, object]:
        answer = await hass.services.async_call(
            "agegender",
            "scan",
            {"device_id": camera.device_id()},
            blocking=True,
            return_response=True,
        )
        assert answer is not None
        return dict(answer)

    wilful.frame = side_by_side(WOMAN, WOMAN)
    answer = await scan()
    assert answer["people"] == 2
    assert answer["by_gender"] == {"female": 2, "male": 0, "unknown": 0}
    assert camera.status() == "paused"
    assert camera.counts()["People in view"] == STATE_UNKNOWN
    assert camera.counts()["Visitors today"] == "0"

    wilful.failure = OSError("the cable is out")
    with pytest.raises(HomeAssistantError, match=r"Hall could not be looked at.*cable is out"):
        await scan()
    wilful.failure, wilful.frame = None, b"no picture"
    with pytest.raises(HomeAssistantError, match=r"Hall could not be looked at.*not a picture"):
        await scan()
    assert camera.status() == "paused"


async def test_the_button_begins_today_anew(
    hass: HomeAssistant, add_camera: AddCamera, watch: Watch
) -> None:
    hall, garden = await add_camera("hall"), await add_camera("garden")
    await watch(hall, garden)
    await next_frame(hass)
    assert hall.counts()["Visitors today"] == "1"

    await hass.services.async_call(
        "button", "press", {"entity_id": "button.hall_reset_totals"}, blocking=True
    )
    assert hall.counts()["Visitors today"] == "0"
    assert garden.counts()["Visitors today"] == "1"


async def test_in_public_windows_go_on_while_the_camera_is_paused(
    add_camera: AddCamera, watch: Watch, pass_time: PassTime
) -> None:
    camera = await add_camera("hall", side_by_side(*[WOMAN] * 6))
    await watch(camera, engine=PUBLIC)
    await pass_time(60)
    await camera.pause(on=True)
    assert set(camera.counts().values()) == {STATE_UNKNOWN}

    for _ in range(14):
        await pass_time(INTERVAL)
    assert camera.counts()["Visitors in the last window"] == "6"
    assert camera.status() == "paused"
