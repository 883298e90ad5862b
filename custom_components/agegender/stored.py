"""Settings as they are stored: refused if no flow of ours can have stored them."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import callback
from homeassistant.exceptions import ConfigEntryError
from homeassistant.helpers import config_validation as cv

from .const import (
    CONF_AGE_BANDS,
    CONF_CAMERA,
    CONF_CROWD,
    CONF_INTERVAL,
    CONF_MIN_FACE_SIZE,
    CONF_MODEL,
    CONF_MOTION_SECONDS,
    CONF_MOTION_SENSOR,
    CONF_MOTION_SENSOR_ID,
    CONF_NOISE,
    CONF_PRIVACY,
    CONF_REGION,
    CONF_RUNTIME,
    CONF_SENSITIVITY,
    CONF_WINDOW,
    DOMAIN,
    LONGEST_INTERVAL,
    NOISE,
    PRIVACY_HOME,
    PRIVACY_PUBLIC,
    SENSITIVITY,
)
from .privacy import privacy_mode
from .subentry import watch_settings
from .vision.census import AgeBands

# Home Assistant 2026.9 and later put probatio in voluptuous' place, under both names.
if TYPE_CHECKING:
    import probatio as vol
else:
    import voluptuous as vol

_NUMBER = vol.Any(int, float)
_ENGINE = {
    vol.Required(CONF_PRIVACY): vol.In([PRIVACY_HOME, PRIVACY_PUBLIC]),
    vol.Required(CONF_AGE_BANDS): str,
    vol.Required(CONF_RUNTIME): str,
    vol.Optional(CONF_MODEL): str,
}
_PUBLIC = {
    vol.Required(CONF_WINDOW): _NUMBER,
    vol.Required(CONF_CROWD): _NUMBER,
    vol.Required(CONF_NOISE): vol.In(list(NOISE)),
}
_CAMERA = {
    vol.Required(CONF_CAMERA): cv.entity_id,
    vol.Required(CONF_INTERVAL): vol.All(
        _NUMBER, vol.Range(min=0, min_included=False, max=LONGEST_INTERVAL)
    ),
    vol.Optional(CONF_MOTION_SENSOR): cv.entity_id,
    vol.Optional(CONF_MOTION_SENSOR_ID): str,
    vol.Required(CONF_MOTION_SECONDS): vol.All(_NUMBER, vol.Range(min=0, max=LONGEST_INTERVAL)),
    vol.Required(CONF_REGION): [_NUMBER],
    vol.Required(CONF_MIN_FACE_SIZE): vol.All(_NUMBER, vol.Range(min=20, max=400)),
    vol.Required(CONF_SENSITIVITY): vol.In(list(SENSITIVITY)),
}


@callback
def check(entry: ConfigEntry) -> None:
    """Refuse what a damaged or edited file may hold, before anything relies on it.

    Raises
    ------
    ConfigEntryError
        A setting of the engine or of a camera is missing or impossible.
    """
    try:
        _check(entry.data, _ENGINE)
        if entry.data[CONF_PRIVACY] == PRIVACY_PUBLIC:
            _check(entry.data, _PUBLIC)
        privacy_mode(entry.data)
        AgeBands.parse(entry.data[CONF_AGE_BANDS])
        for camera in entry.subentries.values():
            _check(camera.data, _CAMERA)
            watch_settings(camera.data)
    except (vol.Invalid, TypeError, ValueError, OverflowError) as error:
        raise ConfigEntryError(
            translation_domain=DOMAIN,
            translation_key="settings_damaged",
            translation_placeholders={"error": f"{error!s:.200}"},
        ) from error


def _check(data: Mapping[str, Any], schema: dict[Any, Any]) -> None:
    vol.Schema(schema, extra=vol.ALLOW_EXTRA)(dict(data))
