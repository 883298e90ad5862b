"""The privacy mode that a config entry asks for."""

from collections.abc import Mapping
from typing import Any

from .const import CONF_CROWD, CONF_NOISE, CONF_PRIVACY, CONF_WINDOW, NOISE, PRIVACY_HOME
from .vision.privacy import Home, Mode, Public


def privacy_mode(settings: Mapping[str, Any]) -> Mode:
    """Return the privacy mode that the data of a config entry describe."""
    if settings[CONF_PRIVACY] == PRIVACY_HOME:
        return Home()
    return Public(
        k=int(settings[CONF_CROWD]),
        minutes=int(settings[CONF_WINDOW]),
        epsilon=NOISE[settings[CONF_NOISE]],
    )
