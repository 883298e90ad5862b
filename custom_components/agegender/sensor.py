"""Counts of people, per camera: in view and today, or in completed windows of time."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, override

from homeassistant.components.sensor import SensorDeviceClass, SensorEntity, SensorStateClass
from homeassistant.const import Platform
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .coordinator import AgeGenderConfigEntry, CameraCoordinator
from .entity import AgeGenderEntity, add_entities
from .vision.reading import STATUS, Description, Measure, measures

# Entities only show what their coordinator has; nothing to limit.
PARALLEL_UPDATES = 0

ATTR_NOISE = "noise"
"""The number was randomly changed; absent where it was not."""


async def async_setup_entry(
    hass: HomeAssistant,
    entry: AgeGenderConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Set up the sensors of every camera."""

    def make(coordinator: CameraCoordinator) -> Iterator[AgeGenderEntity]:
        for measure in measures(coordinator.census.bands, entry.runtime_data.mode):
            if measure.platform == "sensor":
                yield MeasureSensor(coordinator, measure)
        yield StatusSensor(coordinator, STATUS)

    add_entities(hass, entry, Platform.SENSOR, async_add_entities, make)


class AgeGenderSensor(AgeGenderEntity, SensorEntity):
    """A sensor of the service device that stands for one camera."""

    def __init__(self, coordinator: CameraCoordinator, description: Description) -> None:
        """Bind the sensor to its camera."""
        super().__init__(coordinator, description)
        if description.device_class:
            self._attr_device_class = SensorDeviceClass(description.device_class)
        if description.state_class:
            self._attr_state_class = SensorStateClass(description.state_class)
        if description.options:
            self._attr_options = list(description.options)
        self._attr_native_unit_of_measurement = description.unit
        self._attr_suggested_display_precision = description.precision


class MeasureSensor(AgeGenderSensor):
    """A value in the camera's latest reading."""

    def __init__(self, coordinator: CameraCoordinator, measure: Measure) -> None:
        """Bind the sensor to its camera."""
        super().__init__(coordinator, measure)
        self._read = measure.read

    @property
    @override
    def native_value(self) -> datetime | float | str | None:
        """The value in the latest reading."""
        return self._read(self.coordinator.data)

    @property
    @override
    def extra_state_attributes(self) -> dict[str, Any] | None:
        """Whether the number is not the one that was counted."""
        return {ATTR_NOISE: True} if self.coordinator.data.shown.noisy else None


class StatusSensor(AgeGenderSensor):
    """What the camera is doing, also while it delivers nothing."""

    @property
    @override
    def native_value(self) -> str:
        """One word of it."""
        return self.coordinator.status
