"""Actions look at once, and count anew; in public they tell nothing."""

from typing import Any

import pytest
from homeassistant.const import STATE_UNKNOWN
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.helpers import device_registry as dr
from homeassistant.setup import async_setup_component
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.agegender.const import CONF_WINDOW, DOMAIN

from .conftest import (
    CLOCK,
    NOBODY,
    PUBLIC,
    WOMAN,
    AddCamera,
    PassTime,
    Watch,
    WilfulCamera,
    next_frame,
    settle,
    side_by_side,
)

BANDS = ("0-12", "13-19", "20-39", "40-59", "60+")
CROWD = side_by_side(*[WOMAN] * 6)


async def scan(hass: HomeAssistant, device_id: str) -> Any:
    return await hass.services.async_call(
        DOMAIN, "scan", {"device_id": device_id}, blocking=True, return_response=True
    )


async def reset_totals(hass: HomeAssistant, *device_ids: str) -> None:
    await hass.services.async_call(
        DOMAIN, "reset_totals", {"device_id": list(device_ids)}, blocking=True
    )


async def test_a_scan_tells_counts_of_a_new_frame_and_nothing_else(
    hass: HomeAssistant, add_camera: AddCamera, watch: Watch
) -> None:
    camera = await add_camera("hall", NOBODY)
    await watch(camera)
    assert camera.counts()["People in view"] == "0"

    camera.show(side_by_side(WOMAN, WOMAN))
    CLOCK.ahead += 10  # the interval is a minute
    answer = await scan(hass, camera.device_id())
    # The entities tell of the same frame, without waiting for the interval.
    counts = camera.counts()
    bands = {band: int(counts[f"People aged {band}"]) for band in BANDS}
    assert answer == {
        "people": 2,
        "by_age_band": {**bands, "unknown": int(counts["People of unknown age"])},
        "by_gender": {"female": 2, "male": 0, "unknown": 0},
    }
    assert sum(answer["by_age_band"].values()) == 2


async def test_a_scan_of_a_camera_that_delivers_nothing_says_why(
    hass: HomeAssistant, watch: Watch, wilful: WilfulCamera
) -> None:
    await watch(wilful.watched)
    wilful.failure = OSError("the cable is out")
    with pytest.raises(HomeAssistantError, match=r"Hall could not be looked at.*cable is out"):
        await scan(hass, wilful.watched.device_id())

    wilful.failure = None
    assert (await scan(hass, wilful.watched.device_id()))["people"] == 1


async def test_a_scan_in_public_is_refused_before_a_frame_is_fetched(
    hass: HomeAssistant, watch: Watch, wilful: WilfulCamera
) -> None:
    await watch(wilful.watched, engine=PUBLIC)
    frames = wilful.requests
    with pytest.raises(ServiceValidationError, match="nothing is live"):
        await scan(hass, wilful.watched.device_id())
    assert wilful.requests == frames


async def test_totals_begin_anew_for_the_cameras_chosen(
    hass: HomeAssistant, add_camera: AddCamera, watch: Watch
) -> None:
    hall, door, shed = [await add_camera(name) for name in ("hall", "door", "shed")]
    entry = await watch(hall, door, shed)
    for content in (NOBODY, NOBODY):  # everybody leaves and is counted
        for camera in (hall, door, shed):
            camera.show(content)
        await next_frame(hass)
    assert [c.counts()["Visitors today"] for c in (hall, door, shed)] == ["1", "1", "1"]

    await reset_totals(hass, hall.device_id(), shed.device_id())
    assert [c.counts()["Visitors today"] for c in (hall, door, shed)] == ["0", "1", "0"]
    assert hall.counts()["Women and girls today"] == "0"
    # It is on disk already: not even a power cut brings them back.
    await hass.config_entries.async_reload(entry.entry_id)
    await settle(hass)
    assert [c.counts()["Visitors today"] for c in (hall, door, shed)] == ["0", "1", "0"]


async def test_a_reset_keeps_who_is_in_view_and_counts_nobody_twice(
    hass: HomeAssistant, add_camera: AddCamera, watch: Watch
) -> None:
    camera = await add_camera("hall")
    await watch(camera)
    await next_frame(hass)
    assert camera.counts()["Visitors today"] == "1"

    await reset_totals(hass, camera.device_id())
    await next_frame(hass)
    counts = camera.counts()
    assert (counts["People in view"], counts["Visitors today"]) == ("1", "0")


async def test_a_reset_in_public_withdraws_what_was_shown_and_forgets_the_open_window(
    hass: HomeAssistant, add_camera: AddCamera, watch: Watch, pass_time: PassTime
) -> None:
    camera = await add_camera("hall", CROWD)
    await watch(camera, engine={**PUBLIC, CONF_WINDOW: 5})
    for _ in range(5):
        await pass_time(60)
    assert camera.counts()["Visitors today"] == "6"

    camera.show(NOBODY)
    await pass_time(60)
    camera.show(CROWD)
    for _ in range(2):
        await pass_time(60)
    await reset_totals(hass, camera.device_id())
    assert set(camera.counts().values()) == {STATE_UNKNOWN}
    for _ in range(2):
        await pass_time(60)
    counts = camera.counts()
    assert counts["End of the last window"] == "2026-06-15T08:10:00+00:00"
    assert (counts["Visitors in the last window"], counts["Visitors today"]) == ("0", "0")


@pytest.mark.parametrize("action", [scan, reset_totals])
async def test_other_devices_are_refused(
    hass: HomeAssistant,
    device_registry: dr.DeviceRegistry,
    add_camera: AddCamera,
    watch: Watch,
    action: Any,
) -> None:
    camera = await add_camera("hall")
    entry = await watch(camera)
    lamp_entry = MockConfigEntry(domain="lamp")
    lamp_entry.add_to_hass(hass)
    lamp = device_registry.async_get_or_create(
        config_entry_id=lamp_entry.entry_id, identifiers={("lamp", "1")}, name="Lamp"
    )
    with pytest.raises(ServiceValidationError, match="Lamp is no camera that is being watched"):
        await action(hass, lamp.id)
    with pytest.raises(ServiceValidationError, match="none is no camera that is being watched"):
        await action(hass, "none")

    ours = camera.device_id()
    await hass.config_entries.async_unload(entry.entry_id)
    with pytest.raises(ServiceValidationError, match="Hall is no camera that is being watched"):
        await action(hass, ours)


async def test_a_reset_with_one_wrong_device_resets_none(
    hass: HomeAssistant, add_camera: AddCamera, watch: Watch
) -> None:
    camera = await add_camera("hall")
    await watch(camera)
    await next_frame(hass)
    with pytest.raises(ServiceValidationError):
        await reset_totals(hass, camera.device_id(), "none")
    assert camera.counts()["Visitors today"] == "1"


async def test_actions_exist_without_a_config_entry(hass: HomeAssistant) -> None:
    assert await async_setup_component(hass, DOMAIN, {})
    assert set(hass.services.async_services_for_domain(DOMAIN)) == {"scan", "reset_totals"}
