"""Each blueprint, imported and filled in as a user does, reacts to what a camera sees."""

import shutil
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest
from homeassistant.core import Event, HomeAssistant, ServiceCall
from pytest_homeassistant_custom_component.common import async_mock_service

from custom_components.agegender.const import CONF_WINDOW

from .automation import automate
from .conftest import (
    NOBODY,
    OLDER_WOMAN,
    PUBLIC,
    WOMAN,
    AddCamera,
    PassTime,
    Watch,
    side_by_side,
)

BLUEPRINTS = Path(__file__).parents[2] / "blueprints" / "automation" / "agegender"
THREE = side_by_side(WOMAN, WOMAN, WOMAN)
CROWD = side_by_side(*[WOMAN] * 6)


@pytest.fixture(autouse=True)
async def _imported(hass: HomeAssistant) -> AsyncGenerator[None]:
    shutil.copytree(BLUEPRINTS, hass.config.path("blueprints", "automation", "agegender"))
    yield
    # One that waits for a time of day would outlive the test.
    await hass.services.async_call(
        "automation", "turn_off", {"entity_id": "automation.test"}, blocking=True
    )


async def use(hass: HomeAssistant, blueprint: str, **inputs: Any) -> list[Event]:
    """Set an automation up from a blueprint; return what it will do."""
    return await automate(
        hass, use_blueprint={"path": f"agegender/{blueprint}.yaml", "input": inputs}
    )


def tell(what: str) -> list[dict[str, Any]]:
    """An action that tells what a template yields."""
    return [{"event": "fired", "event_data": {"told": what}}]


def told(events: list[Event]) -> list[Any]:
    """What was told, in turn; then it is forgotten."""
    what = [event.data["told"] for event in events]
    events.clear()
    return what


async def test_signage_shows_what_suits_most(
    hass: HomeAssistant, add_camera: AddCamera, watch: Watch, pass_time: PassTime
) -> None:
    camera = await add_camera("hall", NOBODY)
    await watch(camera)
    events = await use(
        hass,
        "signage",
        majority=camera.sensor("Age band of most"),
        contents={"20-39": "concerts"},
        everybody="welcome",
        settle="00:01:30",
        idle="00:03:30",
        show=tell("{{ band }}: {{ content }}"),
    )

    camera.show(THREE)
    await pass_time(60)
    assert told(events) == []  # not yet for long enough
    for _ in range(2):
        await pass_time(60)
    assert told(events) == ["20-39: concerts"]

    camera.show(OLDER_WOMAN)
    for _ in range(5):
        await pass_time(60)
    older = camera.counts()["Age band of most"]
    assert older not in ("20-39", "unknown")
    assert told(events) == [f"{older}: welcome"]  # there is no content of its own

    camera.show(NOBODY)
    for _ in range(7):
        await pass_time(60)
    assert told(events) == [": welcome"]


@pytest.mark.data
async def test_the_children_guard_holds_until_they_have_left(
    hass: HomeAssistant,
    children: bytes,
    add_camera: AddCamera,
    watch: Watch,
    pass_time: PassTime,
) -> None:
    camera = await add_camera("hall", WOMAN)
    await watch(camera)
    events = await use(
        hass,
        "children_guard",
        children="binary_sensor.hall_children",
        settle="00:00:30",
        gone="00:02:30",
        guard=tell("guard"),
        release=tell("release"),
    )

    await pass_time(60)
    assert told(events) == []  # there are adults only
    camera.show(children)
    for _ in range(2):
        await pass_time(60)
    assert told(events) == ["guard"]

    camera.show(NOBODY)
    for _ in range(3):
        await pass_time(60)
    assert camera.states()["Children"].state == "off"
    assert told(events) == []  # they might come back
    for _ in range(3):
        await pass_time(60)
    assert told(events) == ["release"]


async def test_the_digest_tells_todays_counts_at_its_time(
    hass: HomeAssistant, add_camera: AddCamera, watch: Watch, pass_time: PassTime
) -> None:
    camera = await add_camera("hall", THREE)
    await watch(camera)
    counts = [camera.sensor(name) for name in ("Visitors today", "Men and boys today")]
    events = await use(
        hass, "daily_digest", counts=counts, time="10:05:00", send=tell("{{ message }}")
    )

    for _ in range(4):
        await pass_time(60)
    assert told(events) == []
    await pass_time(60)
    assert told(events) == ["Hall Visitors today: 3\nHall Men and boys today: 0"]


async def test_the_digest_appears_in_home_assistant_unless_sent_elsewhere(
    hass: HomeAssistant, add_camera: AddCamera, watch: Watch, pass_time: PassTime
) -> None:
    camera = await add_camera("hall", NOBODY)
    await watch(camera)
    notifications: list[ServiceCall] = async_mock_service(hass, "persistent_notification", "create")
    await use(hass, "daily_digest", counts=[camera.sensor("Visitors today")], time="10:01:00")
    await pass_time(60)
    (notification,) = notifications
    assert notification.data["message"] == "Hall Visitors today: 0"


async def test_occupancy_tells_when_it_is_full_and_when_it_is_free_again(
    hass: HomeAssistant, add_camera: AddCamera, watch: Watch, pass_time: PassTime
) -> None:
    camera = await add_camera("hall", NOBODY)
    await watch(camera)
    events = await use(
        hass,
        "occupancy_above",
        count=camera.sensor("People in view"),
        limit=2,
        free=2,
        settle="00:00:30",
        full=tell("full: {{ people }}"),
        freed=tell("free: {{ people }}"),
    )
    camera.show(THREE)
    for _ in range(2):
        await pass_time(60)
    assert told(events) == ["full: 3"]
    camera.show(CROWD)
    for _ in range(2):
        await pass_time(60)
    assert told(events) == []  # it was full before
    camera.show(NOBODY)
    for _ in range(4):
        await pass_time(60)
    assert told(events) == ["free: 0"]


async def test_occupancy_in_public_goes_by_completed_windows(
    hass: HomeAssistant, add_camera: AddCamera, watch: Watch, pass_time: PassTime
) -> None:
    camera = await add_camera("hall", NOBODY)
    await watch(camera, engine={**PUBLIC, CONF_WINDOW: 5})
    events = await use(
        hass,
        "occupancy_above",
        count=camera.sensor("Visitors in the last window"),
        limit=4,
        settle="00:00:00",
        full=tell("full: {{ people }}"),
    )
    for _ in range(5):
        await pass_time(60)
    camera.show(CROWD)
    for _ in range(4):
        await pass_time(60)
    assert told(events) == []
    await pass_time(60)
    assert told(events) == ["full: 6"]


async def test_in_quiet_hours_people_are_noticed(
    hass: HomeAssistant, add_camera: AddCamera, watch: Watch, pass_time: PassTime
) -> None:
    camera = await add_camera("hall", NOBODY)
    await watch(camera)
    events = await use(
        hass,
        "quiet_hours",
        count=camera.sensor("People in view"),
        begin="10:05:00",
        end="10:12:00",
        settle="00:00:30",
        disturbed=tell("quiet, please"),
    )

    camera.show(WOMAN)
    for _ in range(4):
        await pass_time(60)  # it is 10:04:30
    assert told(events) == []
    await pass_time(60)
    assert told(events) == ["quiet, please"]  # still there as they begin
    camera.show(NOBODY)
    for _ in range(3):
        await pass_time(60)
    camera.show(WOMAN)
    for _ in range(2):
        await pass_time(60)  # 10:10:30
    assert told(events) == ["quiet, please"]  # back again

    camera.show(NOBODY)
    for _ in range(3):
        await pass_time(60)
    camera.show(WOMAN)
    for _ in range(2):
        await pass_time(60)
    assert camera.counts()["People in view"] == "1"
    assert told(events) == []  # they are over
