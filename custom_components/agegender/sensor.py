"""Counts of the people in view, per camera."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import override

from homeassistant.components.sensor import (
    SensorDeviceClass,
    SensorEntity,
    SensorEntityDescription,
    SensorStateClass,
)
from homeassistant.const import EntityCategory, UnitOfTime
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .coordinator import AgeGenderConfigEntry, CameraCoordinator
from .entity import AgeGenderEntity
from .worker import Reading

# Entities only show what their coordinator has; nothing to limit.
PARALLEL_UPDATES = 0


@dataclass(frozen=True, kw_only=True)
class AgeGenderSensorDescription(SensorEntityDescription):
    """A sensor and how to read its value."""

    value_fn: Callable[[Reading], datetime | float]
    placeholders: Mapping[str, str] = field(default_factory=dict)


SENSORS: tuple[AgeGenderSensorDescription, ...] = (
    AgeGenderSensorDescription(
        key="people",
        translation_key="people",
        state_class=SensorStateClass.MEASUREMENT,
        value_fn=lambda reading: reading.counts.people,
    ),
    AgeGenderSensorDescription(
        key="female",
        translation_key="female",
        state_class=SensorStateClass.MEASUREMENT,
        value_fn=lambda reading: reading.counts.by_gender["female"],
    ),
    AgeGenderSensorDescription(
        key="male",
        translation_key="male",
        state_class=SensorStateClass.MEASUREMENT,
        value_fn=lambda reading: reading.counts.by_gender["male"],
    ),
    AgeGenderSensorDescription(
        key="processing_time",
        translation_key="processing_time",
        device_class=SensorDeviceClass.DURATION,
        entity_category=EntityCategory.DIAGNOSTIC,
        entity_registry_enabled_default=False,
        native_unit_of_measurement=UnitOfTime.MILLISECONDS,
        state_class=SensorStateClass.MEASUREMENT,
        suggested_display_precision=0,
        value_fn=lambda reading: reading.processing_ms,
    ),
    AgeGenderSensorDescription(
        key="last_frame",
        translation_key="last_frame",
        device_class=SensorDeviceClass.TIMESTAMP,
        entity_category=EntityCategory.DIAGNOSTIC,
        entity_registry_enabled_default=False,
        value_fn=lambda reading: reading.taken,
    ),
)


def age_band_sensor(band: str) -> AgeGenderSensorDescription:
    """Describe the sensor of an age band."""
    return AgeGenderSensorDescription(
        key=f"age_{band}",
        translation_key="age_band",
        placeholders={"band": band},
        state_class=SensorStateClass.MEASUREMENT,
        value_fn=lambda reading: reading.counts.by_band[band],
    )


async def async_setup_entry(
    hass: HomeAssistant,
    entry: AgeGenderConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Set up the sensors of every camera."""
    descriptions = (*SENSORS, *map(age_band_sensor, entry.runtime_data.bands.labels))
    current: set[str | None] = set()
    for subentry_id, coordinator in entry.runtime_data.cameras.items():
        sensors = [AgeGenderSensor(coordinator, each) for each in descriptions]
        current.update(sensor.unique_id for sensor in sensors)
        async_add_entities(sensors, config_subentry_id=subentry_id)

    # Sensors of age bands that were configured before would stay unavailable forever.
    registry = er.async_get(hass)
    for registered in er.async_entries_for_config_entry(registry, entry.entry_id):
        if registered.unique_id not in current:
            registry.async_remove(registered.entity_id)


class AgeGenderSensor(AgeGenderEntity, SensorEntity):
    """A number read from the camera's latest frame."""

    entity_description: AgeGenderSensorDescription

    def __init__(
        self, coordinator: CameraCoordinator, description: AgeGenderSensorDescription
    ) -> None:
        """Bind the sensor to its camera."""
        super().__init__(coordinator, description)
        self._attr_translation_placeholders = dict(description.placeholders)

    @property
    @override
    def native_value(self) -> datetime | float:
        """The value in the latest reading."""
        return self.entity_description.value_fn(self.coordinator.data)
