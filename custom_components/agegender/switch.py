"""The switch that pauses a camera."""

from collections.abc import Iterator
from typing import Any, override

from homeassistant.components.switch import SwitchEntity
from homeassistant.const import STATE_ON, Platform
from homeassistant.core import HomeAssistant
from homeassistant.helpers import restore_state
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .coordinator import AgeGenderConfigEntry, CameraCoordinator
from .entity import AgeGenderEntity, add_entities
from .vision.reading import PAUSE

# On and off in the order that they were asked for.
PARALLEL_UPDATES = 1


async def async_setup_entry(
    hass: HomeAssistant,
    entry: AgeGenderConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Set up the switch of every camera."""

    def make(coordinator: CameraCoordinator) -> Iterator[PauseSwitch]:
        yield PauseSwitch(coordinator, PAUSE)

    add_entities(hass, entry, Platform.SWITCH, async_add_entities, make)


class PauseSwitch(AgeGenderEntity, SwitchEntity, restore_state.RestoreEntity):
    """While it is on, the camera is not asked for frames; a restart changes nothing."""

    @override
    async def async_added_to_hass(self) -> None:
        """Pause a camera that was paused."""
        await super().async_added_to_hass()
        last = await self.async_get_last_state()
        if last and last.state == STATE_ON:
            await self.coordinator.async_pause()

    @property
    @override
    def is_on(self) -> bool:
        """Whether the camera is paused."""
        return self.coordinator.paused

    @override
    async def async_turn_on(self, **kwargs: Any) -> None:
        """Pause the camera."""
        await self.coordinator.async_pause()
        await self._async_save()

    @override
    async def async_turn_off(self, **kwargs: Any) -> None:
        """Go on."""
        self.coordinator.resume()
        await self._async_save()

    async def _async_save(self) -> None:
        self.async_write_ha_state()
        # Else a power cut would, for a quarter of an hour, set a paused camera going.
        await restore_state.async_get(self.hass).async_dump_states()
