"""Whether children are in view, per camera; at home only."""

from collections.abc import Iterator
from typing import override

from homeassistant.components.binary_sensor import (  # type: ignore[attr-defined]
    BinarySensorDeviceClass,
    BinarySensorEntity,
)
from homeassistant.const import Platform
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .coordinator import AgeGenderConfigEntry, CameraCoordinator
from .entity import AgeGenderEntity, add_entities
from .vision.reading import Measure, measures

# Entities only show what their coordinator has; nothing to limit.
PARALLEL_UPDATES = 0


async def async_setup_entry(
    hass: HomeAssistant,
    entry: AgeGenderConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Set up the binary sensors of every camera."""

    def make(coordinator: CameraCoordinator) -> Iterator[MeasureBinarySensor]:
        for measure in measures(coordinator.census.bands, entry.runtime_data.mode):
            if measure.platform == "binary_sensor":
                yield MeasureBinarySensor(coordinator, measure)

    add_entities(hass, entry, Platform.BINARY_SENSOR, async_add_entities, make)


class MeasureBinarySensor(AgeGenderEntity, BinarySensorEntity):
    """Something that is so or not in the camera's latest reading."""

    def __init__(self, coordinator: CameraCoordinator, measure: Measure) -> None:
        """Bind the binary sensor to its camera."""
        super().__init__(coordinator, measure)
        kind = measure.device_class
        self._attr_device_class = BinarySensorDeviceClass(kind) if kind else None
        self._read = measure.read

    @property
    @override
    def is_on(self) -> bool | None:
        """Whether it is so in the latest reading."""
        value = self._read(self.coordinator.data)
        return None if value is None else bool(value)
