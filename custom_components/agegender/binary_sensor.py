"""Whether children are in view, per camera; at home only."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import override

from homeassistant.components.binary_sensor import (  # type: ignore[attr-defined]
    BinarySensorDeviceClass,
    BinarySensorEntity,
    BinarySensorEntityDescription,
)
from homeassistant.const import Platform
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .coordinator import AgeGenderConfigEntry, CameraCoordinator, Live
from .entity import AgeGenderEntity, add_entities
from .vision.privacy import Home

# Entities only show what their coordinator has; nothing to limit.
PARALLEL_UPDATES = 0


@dataclass(frozen=True, kw_only=True)
class AgeGenderBinarySensorDescription(BinarySensorEntityDescription):
    """A binary sensor and how to read its value."""

    value_fn: Callable[[Live], bool]


BINARY_SENSORS: tuple[AgeGenderBinarySensorDescription, ...] = (
    AgeGenderBinarySensorDescription(
        key="children",
        translation_key="children",
        device_class=BinarySensorDeviceClass.OCCUPANCY,
        value_fn=lambda live: live.children,
    ),
)


async def async_setup_entry(
    hass: HomeAssistant,
    entry: AgeGenderConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Set up the binary sensors of every camera."""
    at_home = isinstance(entry.runtime_data.mode, Home)

    def make(coordinator: CameraCoordinator) -> Iterator[AgeGenderBinarySensor]:
        for description in BINARY_SENSORS if at_home else ():
            yield AgeGenderBinarySensor(coordinator, description)

    add_entities(hass, entry, Platform.BINARY_SENSOR, async_add_entities, make)


class AgeGenderBinarySensor(AgeGenderEntity, BinarySensorEntity):
    """Something that is so or not in the camera's latest frame."""

    entity_description: AgeGenderBinarySensorDescription

    @property
    @override
    def is_on(self) -> bool | None:
        """Whether it is so in the latest reading."""
        live = self.coordinator.data.live
        return None if live is None else self.entity_description.value_fn(live)
