"""Diagnostics by allow-list: settings and health, nothing that a camera saw."""

from typing import Any

from homeassistant.core import HomeAssistant

from .const import (
    CONF_AGE_BANDS,
    CONF_CROWD,
    CONF_INTERVAL,
    CONF_MIN_FACE_SIZE,
    CONF_MODEL,
    CONF_MOTION_SECONDS,
    CONF_MOTION_SENSOR,
    CONF_NOISE,
    CONF_PRIVACY,
    CONF_REGION,
    CONF_RUNTIME,
    CONF_SENSITIVITY,
    CONF_WINDOW,
)
from .coordinator import AgeGenderConfigEntry, CameraCoordinator
from .vision.privacy import Home
from .vision.reading import Reading

SETTINGS = (CONF_PRIVACY, CONF_WINDOW, CONF_CROWD, CONF_NOISE, CONF_AGE_BANDS, CONF_RUNTIME)
"""What is told of the config entry; not the model's folder, which may name a person."""


async def async_get_config_entry_diagnostics(
    hass: HomeAssistant,  # noqa: ARG001  Home Assistant passes it
    entry: AgeGenderConfigEntry,
) -> dict[str, Any]:
    """Return what a bug report needs."""
    engine = entry.runtime_data.engine
    at_home = isinstance(entry.runtime_data.mode, Home)
    return {
        "settings": {key: entry.data[key] for key in SETTINGS if key in entry.data},
        "engine": {
            "model": engine.model_name,
            "licence": engine.licence,
            "bundled": not entry.data.get(CONF_MODEL),
            "runtime": engine.runtime_name,
            "rejected": dict(engine.rejected),
        },
        # In public not this: with faces, a frame takes longer.
        **({"load": entry.runtime_data.load.figure} if at_home else {}),
        "cameras": [_camera(camera) for camera in entry.runtime_data.cameras.values()],
    }


def _camera(coordinator: CameraCoordinator) -> dict[str, Any]:
    settings = coordinator.subentry.data
    error = coordinator.last_exception
    reading: Reading | None = coordinator.data  # None before the first good frame
    told = {
        CONF_INTERVAL: settings[CONF_INTERVAL],
        CONF_MIN_FACE_SIZE: settings[CONF_MIN_FACE_SIZE],
        CONF_REGION: settings[CONF_REGION],
        CONF_SENSITIVITY: settings[CONF_SENSITIVITY],
        CONF_MOTION_SENSOR: CONF_MOTION_SENSOR in settings,
        CONF_MOTION_SECONDS: settings[CONF_MOTION_SECONDS],
        "status": coordinator.status,
        # The kind of failure only: its message may quote an address or a password.
        "last_error": getattr(error, "translation_key", type(error).__name__) if error else None,
    }
    # In public not even this: with faces, a frame takes longer.
    if reading and reading.live:
        told["processing_ms"] = reading.live.processing_ms
        told["frames_per_minute"] = reading.live.frames_per_minute
    return told
