"""What the config subentry of a camera says: which camera, and how it is watched."""

from collections.abc import Mapping
from typing import Any

from homeassistant.config_entries import ConfigSubentry
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import entity_registry as er

from .const import CONF_CAMERA, CONF_MIN_FACE_SIZE, CONF_REGION, CONF_SENSITIVITY, SENSITIVITY
from .vision.region import Region
from .vision.watch import WatchSettings


@callback
def unique_id(hass: HomeAssistant, camera: str) -> str:
    """Return what identifies a camera even when its entity id changes, if it has such."""
    registered = er.async_get(hass).async_get(camera)
    return registered.id if registered else camera


@callback
def camera_entity(hass: HomeAssistant, subentry: ConfigSubentry) -> str:
    """Return the entity id of the camera, wherever it was moved.

    A camera that was removed and came back is another one in the registry; it is known by
    the entity id it had.
    """
    registry = er.async_get(hass)
    known = er.async_resolve_entity_id(registry, subentry.unique_id or "")
    return known or str(subentry.data[CONF_CAMERA])


def watch_settings(data: Mapping[str, Any]) -> WatchSettings:
    """Return how a camera is watched whose subentry holds these data.

    Raises
    ------
    ValueError
        The region is none.
    """
    return WatchSettings(
        min_face_size=data[CONF_MIN_FACE_SIZE],
        region=Region(*data[CONF_REGION]),
        motion_threshold=SENSITIVITY[data[CONF_SENSITIVITY]],
    )
