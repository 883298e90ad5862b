"""What all entities of a camera have in common."""

from typing import override

from homeassistant.helpers.device_registry import DeviceEntryType, DeviceInfo
from homeassistant.helpers.entity import EntityDescription
from homeassistant.helpers.update_coordinator import CoordinatorEntity

from .const import DOMAIN
from .coordinator import CameraCoordinator


class AgeGenderEntity(CoordinatorEntity[CameraCoordinator]):
    """An entity of the service device that stands for one camera."""

    _attr_has_entity_name = True

    def __init__(self, coordinator: CameraCoordinator, description: EntityDescription) -> None:
        """Bind the entity to its camera."""
        super().__init__(coordinator)
        self.entity_description = description
        subentry = coordinator.subentry
        self._attr_unique_id = f"{subentry.subentry_id}_{description.key}"
        # A device of our own: the camera's belongs to the camera's integration.
        self._attr_device_info = DeviceInfo(
            entry_type=DeviceEntryType.SERVICE,
            identifiers={(DOMAIN, subentry.subentry_id)},
            model=coordinator.config_entry.runtime_data.engine.model_name,
            name=subentry.title,
        )

    @property
    @override
    def available(self) -> bool:
        """Whether the camera's latest frame was counted."""
        # Before the first frame there is no failure yet, and no data either.
        return super().available and self.coordinator.data is not None
