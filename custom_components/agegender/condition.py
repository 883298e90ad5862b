"""Conditions about the people before a camera: counts, majorities and children."""

import voluptuous as vol
from homeassistant.const import CONF_OPTIONS, STATE_ON
from homeassistant.core import HomeAssistant
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers.condition import (
    ENTITY_STATE_CONDITION_SCHEMA_ANY_ALL,
    Condition,
    ConditionConfig,
    EntityNumericalConditionBase,
    EntityStateConditionBase,
)

from .targets import OurChildren, OurCounts, OurMajorities

CONF_MAJORITY = "majority"
"""Age bands or genders; one of them is that of most people."""


class IsCount(OurCounts, EntityNumericalConditionBase):
    """A number of people is within a range."""


class IsMajority(OurMajorities, EntityStateConditionBase):
    """Most people are of certain age bands, or of a gender."""

    _schema = ENTITY_STATE_CONDITION_SCHEMA_ANY_ALL.extend(
        {
            vol.Required(CONF_OPTIONS): {
                vol.Required(CONF_MAJORITY): vol.All(cv.ensure_list, vol.Length(min=1), [cv.string])
            }
        }
    )

    def __init__(self, hass: HomeAssistant, config: ConditionConfig) -> None:
        """Take over the age bands or genders asked for."""
        super().__init__(hass, config)
        assert config.options  # noqa: S101  the schema requires them
        self._states = set(config.options[CONF_MAJORITY])


class ChildrenAreInView(OurChildren, EntityStateConditionBase):
    """Children are in view."""

    _states = {STATE_ON}  # noqa: RUF012  as Home Assistant has it


CONDITIONS: dict[str, type[Condition]] = {
    "are_children_in_view": ChildrenAreInView,
    "is_count": IsCount,
    "is_majority": IsMajority,
}


async def async_get_conditions(_: HomeAssistant) -> dict[str, type[Condition]]:
    """Return the conditions by name."""
    return CONDITIONS
