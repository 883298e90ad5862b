"""What the config subentry of a camera says: which camera, and how it is watched."""

from collections.abc import Mapping
from typing import Any

from homeassistant.config_entries import ConfigEntry, ConfigSubentry
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import entity_registry as er

from .const import (
    CONF_CAMERA,
    CONF_MIN_FACE_SIZE,
    CONF_MOTION_SENSOR,
    CONF_MOTION_SENSOR_ID,
    CONF_REGION,
    CONF_SENSITIVITY,
    SENSITIVITY,
)
from .vision.region import Region
from .vision.watch import WatchSettings


@callback
def unique_id(hass: HomeAssistant, entity_id: str, *, unregistered: str | None = None) -> str:
    """Return what identifies an entity even when its entity id changes.

    Of one that is not registered that is ``unregistered``, or just its entity id.
    """
    registered = er.async_get(hass).async_get(entity_id)
    return registered.id if registered else unregistered or entity_id


@callback
def camera_entity(hass: HomeAssistant, subentry: ConfigSubentry) -> str:
    """Return the entity id of the camera, wherever it was moved.

    A camera that was removed and came back is another one in the registry; it is known by
    the entity id it had.
    """
    return _entity_id(hass, subentry.unique_id, subentry.data[CONF_CAMERA])


@callback
def follow(hass: HomeAssistant, entry: ConfigEntry) -> None:
    """Take up what cameras and motion sensors are called now, and what identifies them."""
    for subentry in tuple(entry.subentries.values()):
        camera = camera_entity(hass, subentry)
        data = {**subentry.data, CONF_CAMERA: camera}
        if sensor := data.get(CONF_MOTION_SENSOR):
            before = data.get(CONF_MOTION_SENSOR_ID)
            sensor = data[CONF_MOTION_SENSOR] = _entity_id(hass, before, sensor)
            data[CONF_MOTION_SENSOR_ID] = unique_id(hass, sensor, unregistered=before)
        identity = unique_id(hass, camera, unregistered=subentry.unique_id)
        taken = any(other.unique_id == identity for other in entry.subentries.values())
        hass.config_entries.async_update_subentry(
            entry,
            subentry,
            data=data,
            # By this camera already, or by one that took the name of another.
            unique_id=subentry.unique_id if taken else identity,
        )


@callback
def _entity_id(hass: HomeAssistant, known: str | None, last: str) -> str:
    """Return the entity id of what is identified so, or the last one if it is gone."""
    return er.async_resolve_entity_id(er.async_get(hass), known or "") or last


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
