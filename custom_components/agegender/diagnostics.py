"""Diagnostics by allow-list: settings and health, nothing that a camera saw."""

from typing import Any

from homeassistant.core import HomeAssistant

from .const import (
    CONF_AGE_BANDS,
    CONF_INTERVAL,
    CONF_MIN_FACE_SIZE,
    CONF_MODEL,
    CONF_RUNTIME,
)
from .coordinator import AgeGenderConfigEntry, CameraCoordinator
from .worker import Reading


async def async_get_config_entry_diagnostics(
    hass: HomeAssistant,  # noqa: ARG001  Home Assistant passes it
    entry: AgeGenderConfigEntry,
) -> dict[str, Any]:
    """Return what a bug report needs."""
    runtime_data = entry.runtime_data
    return {
        "engine": {
            "model": runtime_data.engine.model_name,
            "licence": runtime_data.engine.licence,
            # Not its path, which may name a person.
            "bundled": not entry.data.get(CONF_MODEL),
            CONF_RUNTIME: entry.data[CONF_RUNTIME],
            CONF_AGE_BANDS: entry.data[CONF_AGE_BANDS],
        },
        "cameras": [_camera(camera) for camera in runtime_data.cameras.values()],
    }


def _camera(coordinator: CameraCoordinator) -> dict[str, Any]:
    settings = coordinator.subentry.data
    error = coordinator.last_exception
    reading: Reading | None = coordinator.data  # None before the first good frame
    return {
        CONF_INTERVAL: settings[CONF_INTERVAL],
        CONF_MIN_FACE_SIZE: settings[CONF_MIN_FACE_SIZE],
        "available": coordinator.last_update_success,
        # The kind of failure only: its message may quote an address or a password.
        "last_error": getattr(error, "translation_key", type(error).__name__) if error else None,
        "processing_ms": reading.processing_ms if reading else None,
    }
