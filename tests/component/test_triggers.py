"""Triggers about people: what sets them off, and what does not."""

from typing import Any

import pytest
from homeassistant.core import Event, HomeAssistant
from homeassistant.helpers import area_registry as ar
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers.trigger import async_get_all_descriptions

from custom_components.agegender.const import CONF_WINDOW, DOMAIN

from .automation import FIRED, automate, triggered
from .conftest import (
    NOBODY,
    OLDER_WOMAN,
    PUBLIC,
    WOMAN,
    AddCamera,
    PassTime,
    Watch,
    next_frame,
    side_by_side,
)

TWO = side_by_side(WOMAN, WOMAN)
CROWD = side_by_side(*[WOMAN] * 6)
ABOVE_ONE = {"threshold": {"type": "above", "value": {"number": 1}}}


async def on(hass: HomeAssistant, trigger: str, **config: Any) -> list[Event]:
    """What a trigger of ours sets off."""
    return await automate(
        hass, triggers=[{"trigger": f"{DOMAIN}.{trigger}", **config}], actions=[FIRED]
    )


async def test_every_trigger_is_described(
    hass: HomeAssistant, add_camera: AddCamera, watch: Watch
) -> None:
    await watch(await add_camera())
    descriptions = await async_get_all_descriptions(hass)
    ours = {name for name in descriptions if name.startswith(f"{DOMAIN}.")}
    assert ours == {
        "agegender.children_appeared",
        "agegender.count_crossed_threshold",
        "agegender.majority_changed",
    }
    assert all(descriptions[name] for name in ours)


async def test_a_device_stands_for_its_people_in_view(
    hass: HomeAssistant, add_camera: AddCamera, watch: Watch
) -> None:
    camera = await add_camera("hall", WOMAN)
    await watch(camera)
    events = await on(
        hass,
        "count_crossed_threshold",
        target={"device_id": camera.device_id()},
        options=ABOVE_ONE,
    )

    camera.show(TWO)
    await next_frame(hass)
    # Women and girls, their band and today's visitors crossed it, too.
    assert triggered(events) == ["sensor.hall_people_in_view"]

    camera.show(side_by_side(WOMAN, WOMAN, WOMAN))
    await next_frame(hass)
    assert triggered(events) == []  # it was above before


async def test_an_area_stands_for_the_people_of_its_cameras(
    hass: HomeAssistant,
    area_registry: ar.AreaRegistry,
    device_registry: dr.DeviceRegistry,
    add_camera: AddCamera,
    watch: Watch,
) -> None:
    hall, door = await add_camera("hall", NOBODY), await add_camera("door", NOBODY)
    await watch(hall, door)
    area = area_registry.async_create("Ground floor")
    for camera in (hall, door):
        device_registry.async_update_device(camera.device_id(), area_id=area.id)
    events = await on(
        hass, "count_crossed_threshold", target={"area_id": area.id}, options=ABOVE_ONE
    )

    door.show(TWO)
    await next_frame(hass)
    assert triggered(events) == ["sensor.door_people_in_view"]


@pytest.mark.parametrize("count", ["Women and girls", "People aged 20-39", "Visitors today"])
async def test_any_count_can_be_named(
    hass: HomeAssistant, add_camera: AddCamera, watch: Watch, count: str
) -> None:
    camera = await add_camera("hall", NOBODY)
    await watch(camera)
    events = await on(
        hass,
        "count_crossed_threshold",
        target={"entity_id": camera.sensor(count)},
        options=ABOVE_ONE,
    )
    camera.show(TWO)
    await next_frame(hass)
    await next_frame(hass)  # today's visitors are counted when they were seen twice
    assert triggered(events) == [camera.sensor(count)]


async def test_what_is_no_count_of_ours_is_left_out(
    hass: HomeAssistant, add_camera: AddCamera, watch: Watch
) -> None:
    camera = await add_camera("hall", NOBODY)
    await watch(camera)
    hass.states.async_set("sensor.guests", "0")
    events = await on(
        hass,
        "count_crossed_threshold",
        target={"entity_id": ["sensor.guests", camera.sensor("Mean age")]},
        options=ABOVE_ONE,
    )
    hass.states.async_set("sensor.guests", "5")
    for content in (WOMAN, TWO):
        camera.show(content)
        await next_frame(hass)
    assert triggered(events) == []


async def test_in_public_a_device_stands_for_its_last_window(
    hass: HomeAssistant, add_camera: AddCamera, watch: Watch, pass_time: PassTime
) -> None:
    camera = await add_camera("hall", NOBODY)
    await watch(camera, engine={**PUBLIC, CONF_WINDOW: 5})
    for _ in range(5):
        await pass_time(60)
    events = await on(
        hass,
        "count_crossed_threshold",
        target={"device_id": camera.device_id()},
        options=ABOVE_ONE,
    )
    camera.show(CROWD)
    for _ in range(4):
        await pass_time(60)
    assert triggered(events) == []
    await pass_time(60)  # the window is over
    assert triggered(events) == ["sensor.hall_visitors_in_the_last_window"]


async def test_a_majority_that_follows_another_triggers(
    hass: HomeAssistant, add_camera: AddCamera, watch: Watch
) -> None:
    camera = await add_camera("hall", WOMAN)
    await watch(camera)
    events = await on(hass, "majority_changed", target={"device_id": camera.device_id()})
    majority = camera.sensor("Age band of most")

    camera.show(TWO)
    await next_frame(hass)
    assert triggered(events) == []  # the same band

    camera.show(NOBODY)
    for _ in range(3):
        await next_frame(hass)
    assert triggered(events) == []  # no majority is none

    camera.show(OLDER_WOMAN)
    await next_frame(hass)
    assert triggered(events) == [majority]


async def test_a_majority_has_to_last_if_asked_to(
    hass: HomeAssistant, add_camera: AddCamera, watch: Watch, pass_time: PassTime
) -> None:
    camera = await add_camera("hall", NOBODY)
    await watch(camera)
    gender = camera.sensor("Gender of most")
    events = await on(
        hass, "majority_changed", target={"entity_id": gender}, options={"for": "00:02:30"}
    )
    camera.show(WOMAN)
    await pass_time(60)
    await pass_time(60)
    assert triggered(events) == []
    await pass_time(60)
    await pass_time(60)
    assert triggered(events) == [gender]


@pytest.mark.data
async def test_children_trigger_when_they_appear(
    hass: HomeAssistant, children: bytes, add_camera: AddCamera, watch: Watch
) -> None:
    camera = await add_camera("hall", WOMAN)
    await watch(camera)
    events = await on(hass, "children_appeared", target={"device_id": camera.device_id()})

    camera.show(side_by_side(WOMAN, children))
    await next_frame(hass)
    assert triggered(events) == ["binary_sensor.hall_children"]
    await next_frame(hass)
    assert triggered(events) == []  # they stay


async def test_nothing_triggers_when_a_camera_comes_back(
    hass: HomeAssistant, add_camera: AddCamera, watch: Watch
) -> None:
    camera = await add_camera("hall", TWO)
    await watch(camera)
    events = await on(
        hass,
        "count_crossed_threshold",
        target={"device_id": camera.device_id()},
        options=ABOVE_ONE,
    )
    camera.show(b"no picture")
    await next_frame(hass)
    assert not camera.available()
    camera.show(TWO)
    await next_frame(hass)
    assert camera.available()
    assert triggered(events) == []
