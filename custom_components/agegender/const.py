"""Names and defaults that the whole integration shares."""

import logging
from typing import Final

DOMAIN: Final = "agegender"
LOGGER: Final = logging.getLogger(__package__)

# The engine, data of the config entry.
CONF_AGE_BANDS: Final = "age_bands"
"""Name of a preset of age bands, or own boundaries such as "18, 65"."""
CONF_MODEL: Final = "model"
"""Folder of a model artefact; absent for the bundled model."""
CONF_RUNTIME: Final = "runtime"
"""Name of the runtime that executes the networks, or auto."""
CONF_PRIVACY: Final = "privacy_mode"
"""home: live counts; public: crowds only, in completed windows."""
CONF_WINDOW: Final = "window"
"""In public, minutes of a window."""
CONF_CROWD: Final = "crowd"
"""In public, fewest people that a published number may stand for."""
CONF_NOISE: Final = "noise"
"""In public, how much the published numbers are randomly changed, a key of NOISE."""
CONF_ACKNOWLEDGED: Final = "acknowledged"
"""The privacy notice was read; asked for once, never stored."""

# A camera, data of a config subentry.
SUBENTRY_CAMERA: Final = "camera"
CONF_CAMERA: Final = "camera"
"""Entity id of the camera."""
CONF_INTERVAL: Final = "interval"
"""Seconds between two frames."""
CONF_MIN_FACE_SIZE: Final = "min_face_size"
"""Smallest face to look for, in pixels of a frame at most 1280 wide and high."""
CONF_MOTION_SENSOR: Final = "motion_sensor"
"""Entity id of a binary sensor: frames are taken while it is not off; absent for always."""
CONF_MOTION_SENSOR_ID: Final = "motion_sensor_id"
"""What identifies that sensor when its entity id changes; found out, never asked for."""
CONF_MOTION_SECONDS: Final = "motion_seconds"
"""So long frames are still taken after that sensor turned off."""
CONF_REGION: Final = "region"
"""The part of the picture that is looked at: left, top, right, bottom, from 0 to 1."""
CONF_SENSITIVITY: Final = "sensitivity"
"""How much has to change for a frame to be looked at, a key of SENSITIVITY."""

PRIVACY_HOME: Final = "home"
PRIVACY_PUBLIC: Final = "public"
NOISE: Final = {"off": None, "light": 3.0, "strong": 1.0}
"""Epsilon of the noise, by what it is called in the user interface."""
SENSITIVITY: Final = {"low": 12.0, "medium": 6.0, "high": 3.0, "always": 0.0}
"""Grey levels that a frame has to differ by, by what that is called in the user interface."""

DEFAULT_AGE_BANDS: Final = "household"
DEFAULT_RUNTIME: Final = "auto"
DEFAULT_WINDOW: Final = 15
DEFAULT_CROWD: Final = 5
DEFAULT_NOISE: Final = "off"
DEFAULT_INTERVAL: Final = 1
DEFAULT_MIN_FACE_SIZE: Final = 40
DEFAULT_MOTION_SECONDS: Final = 30
DEFAULT_REGION: Final = (0.0, 0.0, 1.0, 1.0)
DEFAULT_SENSITIVITY: Final = "medium"

LONGEST_INTERVAL: Final = 3600
"""Seconds between two frames at most."""

FRAME_TIMEOUT: Final = 10
"""Seconds a camera may take to deliver a frame."""
