"""What the system information page of Home Assistant says of us."""

from typing import Any

from homeassistant.components.system_health import SystemHealthRegistration
from homeassistant.core import HomeAssistant, callback

from .const import DOMAIN
from .coordinator import AgeGenderConfigEntry
from .vision.privacy import Home


@callback
def async_register(
    hass: HomeAssistant,  # noqa: ARG001  Home Assistant passes it
    register: SystemHealthRegistration,
) -> None:
    """Offer the information."""
    register.async_register_info(_async_info)


async def _async_info(hass: HomeAssistant) -> dict[str, Any]:
    entries: list[AgeGenderConfigEntry] = hass.config_entries.async_loaded_entries(DOMAIN)
    if not entries:
        return {"loaded": False}
    (entry,) = entries
    running = entry.runtime_data
    cameras = running.cameras.values()
    told = {
        "loaded": True,
        "model": running.engine.model_name,
        "runtime": running.engine.runtime_name,
        "cameras": len(cameras),
        "cameras_paused": sum(camera.paused for camera in cameras),
        "cameras_without_frame": sum(not camera.last_update_success for camera in cameras),
    }
    # In public not this: with faces, a frame takes longer.
    if isinstance(running.mode, Home):
        told["load"] = f"{running.load.figure:.0%}"
    return told
