"""Actions for automations and people: look now, and count anew."""

import voluptuous as vol
from homeassistant.const import ATTR_DEVICE_ID
from homeassistant.core import (
    HomeAssistant,
    ServiceCall,
    ServiceResponse,
    SupportsResponse,
    callback,
)
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers.update_coordinator import UpdateFailed

from .const import DOMAIN
from .coordinator import AgeGenderConfigEntry, CameraCoordinator
from .vision.census import Counts
from .vision.frame import FrameError
from .vision.privacy import Home

SCAN = "scan"
RESET_TOTALS = "reset_totals"
SCAN_SCHEMA = vol.Schema({vol.Required(ATTR_DEVICE_ID): cv.string})
RESET_TOTALS_SCHEMA = vol.Schema(
    {vol.Required(ATTR_DEVICE_ID): vol.All(cv.ensure_list, vol.Length(min=1), [cv.string])}
)


@callback
def async_setup_actions(hass: HomeAssistant) -> None:
    """Register the actions, whether or not there is a config entry."""
    # Home Assistant puts its own validator in voluptuous's place; the types know only that.
    hass.services.async_register(
        DOMAIN,
        SCAN,
        _async_scan,
        SCAN_SCHEMA,  # type: ignore[arg-type]
        supports_response=SupportsResponse.ONLY,
    )
    hass.services.async_register(
        DOMAIN,
        RESET_TOTALS,
        _async_reset_totals,
        RESET_TOTALS_SCHEMA,  # type: ignore[arg-type]
    )


async def _async_scan(call: ServiceCall) -> ServiceResponse:
    """Look at a new frame, and answer with the counts of those in view."""
    camera = _camera(call.hass, call.data[ATTR_DEVICE_ID])
    # Before a frame is fetched: in public even the time until the answer would tell whether
    # there are faces.
    if not isinstance(camera.config_entry.runtime_data.mode, Home):
        raise ServiceValidationError(
            translation_domain=DOMAIN,
            translation_key="scan_in_public",
            translation_placeholders={"camera": camera.subentry.title},
        )
    counts, error = await _async_counts(camera)
    if counts is None:
        raise HomeAssistantError(
            translation_domain=DOMAIN,
            translation_key="scan_failed",
            translation_placeholders={"camera": camera.subentry.title, "error": str(error)},
        )
    return {
        "people": counts.people,
        "by_age_band": {**counts.by_band},
        "by_gender": {**counts.by_gender},
    }


async def _async_counts(camera: CameraCoordinator) -> tuple[Counts | None, BaseException | None]:
    """Return who is in view right now, or what went wrong."""
    if not camera.resting:
        await camera.async_refresh()
        if not camera.last_update_success:
            return None, camera.last_exception
        return camera.data.shown.current, None
    try:
        return await camera.async_examine(), None
    except (UpdateFailed, FrameError) as error:
        return None, error


async def _async_reset_totals(call: ServiceCall) -> None:
    """Begin today's totals of cameras anew."""
    # All or none: a wrong device is found before the first camera is reset.
    cameras = [_camera(call.hass, device_id) for device_id in call.data[ATTR_DEVICE_ID]]
    for camera in cameras:
        await camera.async_reset()


def _camera(hass: HomeAssistant, device_id: str) -> CameraCoordinator:
    """Return the camera that a device of ours stands for."""
    entries: list[AgeGenderConfigEntry] = hass.config_entries.async_loaded_entries(DOMAIN)
    cameras = {
        (DOMAIN, camera): coordinator
        for entry in entries
        for camera, coordinator in entry.runtime_data.cameras.items()
    }
    device = dr.async_get(hass).async_get(device_id)
    for identifier in device.identifiers if device else ():
        if identifier in cameras:
            return cameras[identifier]
    raise ServiceValidationError(
        translation_domain=DOMAIN,
        translation_key="camera_not_watched",
        translation_placeholders={"device": (device and device.name) or device_id},
    )
