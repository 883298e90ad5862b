"""Diagnostics tell settings and health, and nothing that a camera saw."""

from pathlib import Path
from unittest.mock import ANY

from homeassistant.core import HomeAssistant

from custom_components.agegender.const import CONF_MODEL
from custom_components.agegender.diagnostics import async_get_config_entry_diagnostics

from .conftest import HOME, INTERVAL, PUBLIC, AddCamera, Watch

SETTINGS = {
    "interval": INTERVAL,
    "min_face_size": 40,
    "motion_sensor": False,
    "motion_seconds": 30,
    "region": [0, 0, 1, 1],
    "sensitivity": "medium",
}
ENGINE = {
    "model": ANY,
    "licence": ANY,
    "bundled": True,
    "runtime": "numpy",
    "rejected": {},
}


async def test_a_healthy_and_a_failing_camera(
    hass: HomeAssistant, add_camera: AddCamera, watch: Watch
) -> None:
    entry = await watch(await add_camera("hall"), await add_camera("garden", b"no picture"))

    told = await async_get_config_entry_diagnostics(hass, entry)
    assert told == {
        "settings": HOME,
        "engine": ENGINE,
        "load": 0,
        "cameras": [
            {
                **SETTINGS,
                "status": "counting",
                "last_error": None,
                "processing_ms": ANY,
                "frames_per_minute": None,
            },
            {**SETTINGS, "status": "no_frame", "last_error": "frame_unusable"},
        ],
    }
    assert told["cameras"][0]["processing_ms"] > 0


async def test_in_public_nothing_is_told_that_depends_on_who_is_there(
    hass: HomeAssistant, add_camera: AddCamera, watch: Watch
) -> None:
    entry = await watch(await add_camera("hall"), engine=PUBLIC)

    told = await async_get_config_entry_diagnostics(hass, entry)
    assert told == {
        "settings": PUBLIC,
        "engine": ENGINE,
        "cameras": [{**SETTINGS, "status": "counting", "last_error": None}],
    }


async def test_where_another_model_lies_is_not_told(
    hass: HomeAssistant, watch: Watch, model_folder: Path
) -> None:
    entry = await watch(engine={**HOME, CONF_MODEL: str(model_folder)})

    told = await async_get_config_entry_diagnostics(hass, entry)
    assert told == {
        "settings": HOME,
        "engine": {**ENGINE, "bundled": False},
        "load": 0,
        "cameras": [],
    }
    assert str(model_folder) not in str(told)
