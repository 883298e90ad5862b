"""Automations in a running Home Assistant, as a user writes them."""

from typing import Any

from homeassistant.core import Event, HomeAssistant
from homeassistant.setup import async_setup_component
from pytest_homeassistant_custom_component.common import async_capture_events

FIRED = {"event": "fired", "event_data": {"entity": "{{ trigger.entity_id | default }}"}}
"""An action that tells which entity triggered."""


async def automate(hass: HomeAssistant, **automation: Any) -> list[Event]:
    """Set an automation up; what it does is collected in the list, if it is `FIRED`."""
    assert await async_setup_component(
        hass, "automation", {"automation": {"alias": "Test", **automation}}
    )
    await hass.async_block_till_done()
    # One whose configuration is wrong is there, too.
    state = hass.states.get("automation.test")
    assert state
    assert state.state == "on"
    events: list[Event] = async_capture_events(hass, "fired")
    return events


def triggered(events: list[Event]) -> list[str]:
    """Which entities triggered, in turn, and forget them."""
    entities = [event.data["entity"] for event in events]
    events.clear()
    return entities
