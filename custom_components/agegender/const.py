"""Names and defaults that the whole integration shares."""

import logging
from typing import Final

DOMAIN: Final = "agegender"
LOGGER: Final = logging.getLogger(__package__)

# The engine, data of the config entry.
CONF_AGE_BANDS: Final = "age_bands"
"""Name of a preset of age bands: household, fairface or decades."""
CONF_MODEL: Final = "model"
"""Folder of a model artefact; absent for the bundled model."""
CONF_RUNTIME: Final = "runtime"
"""Name of the runtime that executes the networks."""
CONF_ACKNOWLEDGED: Final = "acknowledged"
"""The privacy notice was read; asked for once, never stored."""

# A camera, data of a config subentry.
SUBENTRY_CAMERA: Final = "camera"
CONF_CAMERA: Final = "camera"
"""Entity id of the camera."""
CONF_INTERVAL: Final = "interval"
"""Seconds between two frames."""
CONF_MIN_FACE_SIZE: Final = "min_face_size"
"""Smallest face to look for, in pixels of a frame reduced to FRAME_MAX_SIDE."""

DEFAULT_AGE_BANDS: Final = "household"
DEFAULT_RUNTIME: Final = "numpy"
DEFAULT_INTERVAL: Final = 5
DEFAULT_MIN_FACE_SIZE: Final = 40

FRAME_MAX_SIDE: Final = 1280
"""Frames are decoded at most this wide and high: larger ones cost time and find
hardly a face more."""
FRAME_TIMEOUT: Final = 10
"""Seconds a camera may take to deliver a frame."""
