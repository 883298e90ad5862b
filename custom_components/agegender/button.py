"""The button that sets today's totals back."""

from collections.abc import Iterator
from typing import override

from homeassistant.components.button import ButtonEntity
from homeassistant.const import Platform
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .coordinator import AgeGenderConfigEntry, CameraCoordinator
from .entity import AgeGenderEntity, add_entities
from .vision.reading import RESET

# One after the other: each saves the totals.
PARALLEL_UPDATES = 1


async def async_setup_entry(
    hass: HomeAssistant,
    entry: AgeGenderConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Set up the button of every camera."""

    def make(coordinator: CameraCoordinator) -> Iterator[ResetButton]:
        yield ResetButton(coordinator, RESET)

    add_entities(hass, entry, Platform.BUTTON, async_add_entities, make)


class ResetButton(AgeGenderEntity, ButtonEntity):
    """Begins today's totals of a camera anew."""

    @override
    async def async_press(self) -> None:
        """Set the totals back."""
        await self.coordinator.async_reset()
