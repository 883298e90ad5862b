"""In public only crowds are shown, and only when their window of time is over."""

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from freezegun.api import FrozenDateTimeFactory
from homeassistant.const import EVENT_STATE_CHANGED, EVENT_STATE_REPORTED, STATE_UNKNOWN
from homeassistant.core import Event, HomeAssistant, callback
from homeassistant.helpers import entity_registry as er

from custom_components.agegender.const import CONF_NOISE, CONF_WINDOW, DOMAIN

from .conftest import (
    NOBODY,
    PUBLIC,
    WOMAN,
    AddCamera,
    PassTime,
    Watch,
    settle,
    side_by_side,
)

CROWD = side_by_side(*[WOMAN] * 6)
FEW = side_by_side(*[WOMAN] * 3)
BANDS = ("0-12", "13-19", "20-39", "40-59", "60+")
WINDOW = [
    "Visitors in the last window",
    *(f"Visitors aged {band} in the last window" for band in BANDS),
    "Visitors of unknown age in the last window",
    "Women and girls in the last window",
    "Men and boys in the last window",
    "Visitors of unknown gender in the last window",
]
TODAY = [
    "Visitors today",
    *(f"Visitors aged {band} today" for band in BANDS),
    "Women and girls today",
    "Men and boys today",
]
END = "End of the last window"


async def test_there_is_nothing_live(
    hass: HomeAssistant,
    entity_registry: er.EntityRegistry,
    add_camera: AddCamera,
    watch: Watch,
    pass_time: PassTime,
) -> None:
    camera = await add_camera("hall", CROWD)
    entry = await watch(camera, engine=PUBLIC)
    # The disabled ones too.
    for registered in er.async_entries_for_config_entry(entity_registry, entry.entry_id):
        entity_registry.async_update_entity(registered.entity_id, disabled_by=None)
    await hass.config_entries.async_reload(entry.entry_id)
    await settle(hass)
    for _ in range(3):
        await pass_time(60)

    names = [*WINDOW, *TODAY, "Visitors of unknown age today", "Visitors of unknown gender today"]
    assert camera.counts() == dict.fromkeys((*names, END), STATE_UNKNOWN)


async def test_a_crowd_appears_when_its_window_is_over(
    add_camera: AddCamera, watch: Watch, pass_time: PassTime
) -> None:
    camera = await add_camera("hall", CROWD)
    await watch(camera, engine=PUBLIC)
    for _ in range(14):
        await pass_time(60)
    assert set(camera.counts().values()) == {STATE_UNKNOWN}

    await pass_time(60)  # it is 10:15:30
    counts = camera.counts()
    assert counts[END] == "2026-06-15T08:15:00+00:00"
    assert counts["Visitors in the last window"] == "6"
    assert counts["Women and girls in the last window"] == "6"
    assert counts["Visitors today"] == "6"

    camera.show(NOBODY)
    for _ in range(15):
        await pass_time(60)
    counts = camera.counts()
    assert counts[END] == "2026-06-15T08:30:00+00:00"
    assert counts["Visitors in the last window"] == "0"
    assert counts["Visitors today"] == "6"
    assert "noise" not in camera.states()["Visitors today"].attributes


async def test_few_people_look_like_nobody(
    add_camera: AddCamera, watch: Watch, pass_time: PassTime
) -> None:
    hall, garden = await add_camera("hall", FEW), await add_camera("garden", NOBODY)
    await watch(hall, garden, engine=PUBLIC)
    for _ in range(16):
        await pass_time(60)

    assert hall.counts() == garden.counts()
    assert hall.counts() == {
        **dict.fromkeys((*WINDOW, *TODAY), "0"),
        END: "2026-06-15T08:15:00+00:00",
    }


async def test_within_a_window_nothing_tells_whether_somebody_is_there(
    hass: HomeAssistant,
    add_camera: AddCamera,
    watch: Watch,
    pass_time: PassTime,
    caplog: pytest.LogCaptureFixture,
) -> None:
    camera = await add_camera("hall", NOBODY)
    await watch(camera, engine=PUBLIC)
    events: list[str] = []

    @callback
    def keep(event: Event[Any]) -> None:
        events.append(str(event.event_type))

    @callback
    def ours(data: Mapping[str, Any]) -> bool:
        return str(data["entity_id"]).startswith("sensor.hall")

    hass.bus.async_listen(EVENT_STATE_CHANGED, keep, event_filter=ours)
    # Home Assistant also tells when a state was written again, unchanged.
    hass.bus.async_listen(EVENT_STATE_REPORTED, keep, event_filter=ours)
    caplog.set_level(logging.DEBUG)
    caplog.clear()
    for content in (NOBODY, CROWD, NOBODY, FEW):
        camera.show(content)
        for _ in range(3):
            await pass_time(60)
    assert events == []
    assert [each for each in caplog.records if "agegender" in each.name] == []

    for _ in range(3):
        await pass_time(60)
    assert camera.counts()["Visitors in the last window"] == "9"
    assert events


async def test_the_clock_ends_a_window_and_no_frame(
    add_camera: AddCamera,
    watch: Watch,
    freezer: FrozenDateTimeFactory,
    pass_time: PassTime,
) -> None:
    """The moment of it would tell how long the frame took, and so of the faces in it."""
    camera = await add_camera("hall", CROWD)
    entry = await watch(camera, engine=PUBLIC)
    for _ in range(14):
        await pass_time(60)
    before = camera.counts()
    freezer.tick(30.01)  # the minute's timers are a moment late, and here is a frame
    for coordinator in entry.runtime_data.cameras.values():
        await coordinator.async_refresh()
    assert camera.counts() == before

    await pass_time(1)
    assert camera.counts()[END] == "2026-06-15T08:15:00+00:00"
    assert camera.counts()["Visitors in the last window"] == "6"


async def test_a_window_is_saved_before_it_is_shown(
    hass: HomeAssistant, add_camera: AddCamera, watch: Watch, pass_time: PassTime
) -> None:
    """After a crash it must not come back, to be shown again with fewer people."""
    camera = await add_camera("hall", CROWD)
    entry = await watch(camera, engine=PUBLIC)
    for _ in range(14):
        await pass_time(60)
    file = Path(hass.config.path(".storage", f"{DOMAIN}.{entry.entry_id}"))
    saved: list[int] = []

    @callback
    def look(_: Event[Any]) -> None:
        [census] = json.loads(file.read_bytes()).values()
        saved.append(census["last"]["counts"]["people"])

    @callback
    def visitors(data: Mapping[str, Any]) -> bool:
        return bool(data["entity_id"] == camera.sensor("Visitors today"))

    hass.bus.async_listen(EVENT_STATE_CHANGED, look, event_filter=visitors)
    await pass_time(60)
    assert camera.counts()["Visitors today"] == "6"
    assert saved == [6]


async def test_a_window_ends_though_the_camera_is_seldom_asked(
    add_camera: AddCamera, watch: Watch, pass_time: PassTime
) -> None:
    camera = await add_camera("hall", NOBODY)
    await watch(camera, engine={**PUBLIC, CONF_WINDOW: 5}, interval=3600)
    for _ in range(5):
        await pass_time(60)
    assert camera.counts()[END] == "2026-06-15T08:05:00+00:00"


async def test_windows_end_though_the_camera_delivers_nothing(
    add_camera: AddCamera, watch: Watch, pass_time: PassTime
) -> None:
    camera = await add_camera("hall", b"not a picture")
    await watch(camera, engine={**PUBLIC, CONF_WINDOW: 5})
    for _ in range(6):
        await pass_time(60)
    assert not camera.available()

    camera.show(NOBODY)
    await pass_time(60)
    assert camera.counts()[END] == "2026-06-15T08:05:00+00:00"


async def test_noise_is_labelled(add_camera: AddCamera, watch: Watch, pass_time: PassTime) -> None:
    camera = await add_camera("hall", CROWD)
    await watch(camera, engine={**PUBLIC, CONF_NOISE: "light"})
    for _ in range(16):
        await pass_time(60)

    states = camera.states()
    # Never below the crowd's least size, whatever the noise.
    assert int(states["Visitors in the last window"].state) >= 5
    assert {state.attributes.get("noise") for state in states.values()} == {True}


async def test_a_window_that_cannot_be_saved_is_not_shown(
    hass: HomeAssistant, add_camera: AddCamera, watch: Watch, pass_time: PassTime
) -> None:
    camera = await add_camera("hall", CROWD)
    entry = await watch(camera, engine={**PUBLIC, CONF_WINDOW: 5})
    file = Path(hass.config.path(".storage", f"{DOMAIN}.{entry.entry_id}"))
    full = file.with_name(f"{file.name}.new")
    full.symlink_to("/dev/full")
    for _ in range(6):
        await pass_time(60)
    assert set(camera.counts().values()) == {STATE_UNKNOWN}

    full.unlink()
    await pass_time(60)
    assert camera.counts()["Visitors in the last window"] == "6"

    # Nor after a restart, as long as the disk is full.
    full.symlink_to("/dev/full")
    await hass.config_entries.async_reload(entry.entry_id)
    await settle(hass)
    assert set(camera.counts().values()) == {STATE_UNKNOWN}
    full.unlink()
    await pass_time(60)
    assert camera.counts()["Visitors today"] == "6"
