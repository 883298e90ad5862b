"""Triggers about the people before a camera: counts, majorities and children."""

import voluptuous as vol
from homeassistant.const import CONF_FOR, CONF_OPTIONS, STATE_ON, STATE_UNAVAILABLE
from homeassistant.core import HomeAssistant
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers.trigger import (
    ENTITY_STATE_TRIGGER_SCHEMA,
    EntityNumericalStateCrossedThresholdTriggerBase,
    EntityTargetStateTriggerBase,
    EntityTriggerBase,
    Trigger,
)

from .targets import OurChildren, OurCounts, OurMajorities


class CountCrossedThreshold(OurCounts, EntityNumericalStateCrossedThresholdTriggerBase):
    """A number of people came within a range that it was not within."""


class MajorityChanged(OurMajorities, EntityTriggerBase):
    """Most people are of another age band, or gender, than before."""

    _schema = ENTITY_STATE_TRIGGER_SCHEMA.extend(
        {vol.Required(CONF_OPTIONS, default={}): {vol.Optional(CONF_FOR): cv.positive_time_period}}
    )
    # Between two majorities there often is none: the first group leaves, the second comes.
    _excluded_from_states = frozenset({STATE_UNAVAILABLE})


class ChildrenAppeared(OurChildren, EntityTargetStateTriggerBase):
    """Children came into view where there were none."""

    _to_states = {STATE_ON}  # noqa: RUF012  as Home Assistant has it


TRIGGERS: dict[str, type[Trigger]] = {
    "children_appeared": ChildrenAppeared,
    "count_crossed_threshold": CountCrossedThreshold,
    "majority_changed": MajorityChanged,
}


async def async_get_triggers(_: HomeAssistant) -> dict[str, type[Trigger]]:
    """Return the triggers by name."""
    return TRIGGERS
