"""The system information page tells how it runs, and nothing that a camera saw."""

from typing import Any

from homeassistant.components.system_health import get_info
from homeassistant.core import HomeAssistant
from homeassistant.setup import async_setup_component

from custom_components.agegender.const import DOMAIN

from .conftest import PUBLIC, AddCamera, Watch, settle
from .test_diagnostics import ENGINE


async def told(hass: HomeAssistant) -> dict[str, Any]:
    assert await async_setup_component(hass, "system_health", {})
    await settle(hass)
    return dict((await get_info(hass))[DOMAIN])


async def test_cameras_that_count_pause_and_fail(
    hass: HomeAssistant, add_camera: AddCamera, watch: Watch
) -> None:
    garden = await add_camera("garden")
    entry = await watch(await add_camera("hall"), garden, await add_camera("shed", b"no picture"))
    await garden.pause(on=True)

    assert await told(hass) == {
        "loaded": True,
        "model": ENGINE["model"],
        "runtime": "numpy",
        "cameras": 3,
        "cameras_paused": 1,
        "cameras_without_frame": 1,
        "load": "0%",
    }
    await hass.config_entries.async_unload(entry.entry_id)
    assert await told(hass) == {"loaded": False}


async def test_in_public_not_how_long_frames_take(
    hass: HomeAssistant, add_camera: AddCamera, watch: Watch
) -> None:
    await watch(await add_camera("hall"), engine=PUBLIC)
    assert "load" not in await told(hass)
