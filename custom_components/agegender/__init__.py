"""Anonymous counts of people by age band and gender from a camera's frames."""

from homeassistant.const import EVENT_HOMEASSISTANT_CLOSE, Platform
from homeassistant.core import Event, HomeAssistant, callback
from homeassistant.exceptions import ConfigEntryError
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.event import async_track_entity_registry_updated_event
from homeassistant.helpers.start import async_at_started

from .const import (
    CONF_AGE_BANDS,
    CONF_CAMERA,
    CONF_MIN_FACE_SIZE,
    DEFAULT_MIN_FACE_SIZE,
    DOMAIN,
)
from .coordinator import AgeGenderConfigEntry, CameraCoordinator, RuntimeData
from .vision.artefact import ArtefactError
from .vision.census import AgeBands
from .vision.plugins import PluginError
from .worker import Worker

PLATFORMS = [Platform.SENSOR]


async def async_setup_entry(hass: HomeAssistant, entry: AgeGenderConfigEntry) -> bool:
    """Load the engine and start watching the cameras."""
    # Before anything is awaited: a camera that is added while the engine loads would
    # else go unnoticed.
    entry.async_on_unload(entry.add_update_listener(_async_reload))
    worker = Worker(hass, entry.data)
    entry.async_on_unload(worker.async_shutdown)
    # Closing comes after the cameras' tasks were cancelled; entries are not unloaded.
    entry.async_on_unload(
        hass.bus.async_listen_once(EVENT_HOMEASSISTANT_CLOSE, worker.async_shutdown)
    )

    cameras = entry.subentries.values()
    sizes = {camera.data[CONF_MIN_FACE_SIZE] for camera in cameras}
    try:
        engines = {size: await worker.async_load(size) for size in {DEFAULT_MIN_FACE_SIZE, *sizes}}
    except (ArtefactError, PluginError) as error:
        raise ConfigEntryError(
            translation_domain=DOMAIN,
            translation_key="engine_unusable",
            translation_placeholders={"error": str(error)},
        ) from error

    bands = AgeBands.preset(entry.data[CONF_AGE_BANDS])
    coordinators = {
        camera.subentry_id: CameraCoordinator(
            hass,
            entry,
            camera,
            worker=worker,
            engine=engines[camera.data[CONF_MIN_FACE_SIZE]],
            bands=bands,
        )
        for camera in cameras
    }
    entry.runtime_data = RuntimeData(engines[DEFAULT_MIN_FACE_SIZE], bands, coordinators)
    await hass.config_entries.async_forward_entry_setups(entry, PLATFORMS)

    @callback
    def start(hass: HomeAssistant) -> None:
        for coordinator in coordinators.values():
            entry.async_create_background_task(
                hass, coordinator.async_start(), f"{coordinator.name} first frame"
            )

    @callback
    def rename(event: Event[er.EventEntityRegistryUpdatedData]) -> None:
        change = event.data
        if change["action"] != "update" or "entity_id" not in change["changes"]:
            return
        for camera in cameras:
            if camera.data[CONF_CAMERA] == change["changes"]["entity_id"]:
                hass.config_entries.async_update_subentry(
                    entry,
                    camera,
                    data={**camera.data, CONF_CAMERA: change["entity_id"]},
                    unique_id=change["entity_id"],
                )

    # Cameras of other integrations may be set up after us: asking them earlier would
    # log an outage at every start of Home Assistant.
    entry.async_on_unload(async_at_started(hass, start))
    entry.async_on_unload(
        async_track_entity_registry_updated_event(
            hass,
            [camera.data[CONF_CAMERA] for camera in cameras],
            rename,
        )
    )
    return True


async def async_unload_entry(hass: HomeAssistant, entry: AgeGenderConfigEntry) -> bool:
    """Stop watching; the worker's thread ends with the entry's unload callbacks."""
    return await hass.config_entries.async_unload_platforms(entry, PLATFORMS)


async def _async_reload(hass: HomeAssistant, entry: AgeGenderConfigEntry) -> None:
    # Called for every change of the engine and for every camera added, reconfigured
    # or removed.
    hass.config_entries.async_schedule_reload(entry.entry_id)
