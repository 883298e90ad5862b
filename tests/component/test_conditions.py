"""Conditions about people: when they hold."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from homeassistant.core import HomeAssistant
from homeassistant.helpers.condition import async_get_all_descriptions

from custom_components.agegender.const import CONF_WINDOW, DOMAIN

from .automation import automate
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
ABOVE_ONE = {"threshold": {"type": "above", "value": {"number": 1}}}


async def checks(
    hass: HomeAssistant, condition: str, **config: Any
) -> Callable[[], Awaitable[bool]]:
    """Return what tells whether a condition of ours holds now."""
    events = await automate(
        hass,
        triggers=[{"trigger": "event", "event_type": "check"}],
        conditions=[{"condition": f"{DOMAIN}.{condition}", **config}],
        actions=[{"event": "fired"}],
    )

    async def holds() -> bool:
        events.clear()
        hass.bus.async_fire("check")
        await hass.async_block_till_done()
        return bool(events)

    return holds


async def test_every_condition_is_described(
    hass: HomeAssistant, add_camera: AddCamera, watch: Watch
) -> None:
    await watch(await add_camera())
    descriptions = await async_get_all_descriptions(hass)
    ours = {name for name in descriptions if name.startswith(f"{DOMAIN}.")}
    assert ours == {
        "agegender.are_children_in_view",
        "agegender.is_count",
        "agegender.is_majority",
    }
    assert all(descriptions[name] for name in ours)


async def test_a_device_stands_for_its_people_in_view(
    hass: HomeAssistant, add_camera: AddCamera, watch: Watch
) -> None:
    camera = await add_camera("hall", TWO)
    await watch(camera)
    holds = await checks(
        hass, "is_count", target={"device_id": camera.device_id()}, options=ABOVE_ONE
    )
    assert await holds()

    camera.show(WOMAN)
    for _ in range(3):  # who is hidden for a moment stays in view
        await next_frame(hass)
    # The visitors of today still are more than one.
    assert int(camera.counts()["Visitors today"]) > 1
    assert not await holds()


async def test_any_count_can_be_named(
    hass: HomeAssistant, add_camera: AddCamera, watch: Watch
) -> None:
    camera = await add_camera("hall", TWO)
    await watch(camera)
    target = {"entity_id": camera.sensor("Men and boys")}
    holds = await checks(hass, "is_count", target=target, options=ABOVE_ONE)
    assert camera.counts()["People in view"] == "2"
    assert not await holds()


async def test_in_public_a_device_stands_for_its_last_window(
    hass: HomeAssistant, add_camera: AddCamera, watch: Watch, pass_time: PassTime
) -> None:
    camera = await add_camera("hall", side_by_side(*[WOMAN] * 6))
    await watch(camera, engine={**PUBLIC, CONF_WINDOW: 5})
    holds = await checks(
        hass, "is_count", target={"device_id": camera.device_id()}, options=ABOVE_ONE
    )
    for _ in range(4):
        await pass_time(60)
    assert not await holds()
    await pass_time(60)  # the window is over
    assert await holds()


@pytest.mark.parametrize(
    ("entity", "majority", "expected"),
    [
        ("Age band of most", ["20-39"], True),
        ("Age band of most", ["0-12", "20-39"], True),
        ("Age band of most", "13-19", False),
        ("Gender of most", "female", True),
        ("Gender of most", "male", False),
    ],
)
async def test_the_majority_is_one_of_those_asked_for(
    hass: HomeAssistant,
    add_camera: AddCamera,
    watch: Watch,
    entity: str,
    majority: Any,
    expected: bool,
) -> None:
    camera = await add_camera("hall", side_by_side(WOMAN, WOMAN, OLDER_WOMAN))
    await watch(camera)
    holds = await checks(
        hass,
        "is_majority",
        target={"entity_id": camera.sensor(entity)},
        options={"majority": majority},
    )
    assert await holds() is expected


async def test_a_device_stands_for_its_age_band_of_most(
    hass: HomeAssistant, add_camera: AddCamera, watch: Watch
) -> None:
    camera = await add_camera("hall", WOMAN)
    await watch(camera)
    target = {"device_id": camera.device_id()}
    holds = await checks(hass, "is_majority", target=target, options={"majority": "female"})
    assert camera.counts()["Gender of most"] == "female"
    assert not await holds()


async def test_a_majority_has_to_be_named(
    hass: HomeAssistant,
    add_camera: AddCamera,
    watch: Watch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    camera = await add_camera("hall", NOBODY)
    await watch(camera)
    with pytest.raises(AssertionError):
        await checks(
            hass,
            "is_majority",
            target={"device_id": camera.device_id()},
            options={"majority": []},
        )
    assert "length of value must be at least 1" in caplog.text


@pytest.mark.data
async def test_children_are_in_view(
    hass: HomeAssistant, children: bytes, add_camera: AddCamera, watch: Watch
) -> None:
    camera = await add_camera("hall", children)
    await watch(camera)
    target = {"device_id": camera.device_id()}
    holds = await checks(hass, "are_children_in_view", target=target)
    assert await holds()
    camera.show(NOBODY)
    for _ in range(3):
        await next_frame(hass)
    assert not await holds()
