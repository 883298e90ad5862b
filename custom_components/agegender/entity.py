"""What all entities of a camera have in common."""

from collections.abc import Callable, Iterable
from typing import override

from homeassistant.const import EntityCategory, Platform
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.device_registry import DeviceEntryType, DeviceInfo
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.helpers.update_coordinator import CoordinatorEntity

from .const import DOMAIN
from .coordinator import AgeGenderConfigEntry, CameraCoordinator
from .vision.reading import Description


class AgeGenderEntity(CoordinatorEntity[CameraCoordinator]):
    """An entity of the service device that stands for one camera."""

    _attr_has_entity_name = True

    def __init__(self, coordinator: CameraCoordinator, description: Description) -> None:
        """Bind the entity to its camera."""
        super().__init__(coordinator)
        subentry = coordinator.subentry
        self._always = description.always
        self._attr_unique_id = f"{subentry.subentry_id}_{description.key}"
        self._attr_translation_key = description.name
        if description.band:
            self._attr_translation_placeholders = {"band": description.band}
        if description.category:
            self._attr_entity_category = EntityCategory(description.category)
        self._attr_entity_registry_enabled_default = description.enabled
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
        """Whether the camera's latest frame was counted, if the entity needs one."""
        # Before the first frame there is no failure yet, and no data either.
        return self._always or (super().available and self.coordinator.data is not None)


def add_entities(
    hass: HomeAssistant,
    entry: AgeGenderConfigEntry,
    platform: Platform,
    async_add_entities: AddConfigEntryEntitiesCallback,
    make: Callable[[CameraCoordinator], Iterable[AgeGenderEntity]],
) -> None:
    """Add the entities of a platform to every camera, and remove all others of it."""
    current: set[str | None] = set()
    for subentry_id, coordinator in entry.runtime_data.cameras.items():
        entities = list(make(coordinator))
        current.update(entity.unique_id for entity in entities)
        async_add_entities(entities, config_subentry_id=subentry_id)

    # Entities of another privacy mode or of other age bands would stay unavailable forever.
    registry = er.async_get(hass)
    for registered in er.async_entries_for_config_entry(registry, entry.entry_id):
        if registered.domain == platform and registered.unique_id not in current:
            registry.async_remove(registered.entity_id)
