"""Anonymous counts of people by age band and gender from a camera's frames."""

from collections.abc import Iterable
from datetime import datetime
from logging import DEBUG, WARNING

from homeassistant.const import EVENT_HOMEASSISTANT_CLOSE, Platform
from homeassistant.core import Event, HassJob, HomeAssistant, callback
from homeassistant.exceptions import ConfigEntryError, ConfigEntryNotReady
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.event import (
    async_call_later,
    async_track_entity_registry_updated_event,
)
from homeassistant.helpers.start import async_at_started
from homeassistant.helpers.typing import ConfigType
from homeassistant.util.hass_dict import HassKey

from .actions import async_setup_actions
from .const import (
    CONF_AGE_BANDS,
    CONF_CAMERA,
    CONF_MOTION_SECONDS,
    CONF_MOTION_SENSOR,
    CONF_PRIVACY,
    CONF_REGION,
    CONF_SENSITIVITY,
    DEFAULT_MOTION_SECONDS,
    DEFAULT_REGION,
    DEFAULT_SENSITIVITY,
    DOMAIN,
    LOGGER,
    PRIVACY_HOME,
)
from .coordinator import AgeGenderConfigEntry, CameraCoordinator, RuntimeData
from .issues import keep_cameras, report_model, report_rejected, withdraw_all
from .privacy import privacy_mode
from .store import TotalsStore
from .stored import check
from .subentry import follow, watch_settings
from .targets import COUNTS
from .vision.artefact import ArtefactError
from .vision.census import AgeBands
from .vision.plugins import PluginError
from .vision.tracker import Tracker
from .vision.watch import Watch
from .worker import Worker

CONFIG_SCHEMA = cv.config_entry_only_config_schema(DOMAIN)
KEEP_SECONDS = 30
"""How long a reload may take for people in view to stay who they are."""
KEPT_TRACKERS: HassKey[dict[tuple[str, str | None], Tracker]] = HassKey(f"{DOMAIN}_trackers")
"""Of the cameras of an entry just unloaded, by subentry and camera."""
FOLLOWED = (CONF_CAMERA, CONF_MOTION_SENSOR)
"""Settings of a camera that hold entity ids, which follow when these are renamed."""
PLATFORMS = [Platform.BINARY_SENSOR, Platform.BUTTON, Platform.SENSOR, Platform.SWITCH]


async def async_setup(hass: HomeAssistant, _: ConfigType) -> bool:
    """Offer the actions, also to automations that are checked before an entry is loaded."""
    async_setup_actions(hass)
    return True


async def async_setup_entry(hass: HomeAssistant, entry: AgeGenderConfigEntry) -> bool:
    """Load the engine and the totals, and start watching the cameras."""
    check(entry)
    follow(hass, entry)
    # Before anything is awaited: a camera that is added while the engine loads would
    # else go unnoticed.
    entry.async_on_unload(entry.add_update_listener(_async_reload))
    worker = Worker(hass, entry.data)
    entry.async_on_unload(worker.async_shutdown)
    # Closing comes after the cameras' tasks were cancelled; entries are not unloaded.
    entry.async_on_unload(
        hass.bus.async_listen_once(EVENT_HOMEASSISTANT_CLOSE, worker.async_shutdown)
    )

    try:
        engine = await worker.async_load()
    except (ArtefactError, PluginError) as error:
        if isinstance(error, ArtefactError):
            report_model(hass, entry, str(error))
        raise ConfigEntryError(
            translation_domain=DOMAIN,
            translation_key="engine_unusable",
            translation_placeholders={"error": str(error)},
        ) from error
    report_model(hass, entry, None)
    report_rejected(hass, entry, engine)
    keep_cameras(hass, entry)
    LOGGER.log(
        WARNING if engine.rejected else DEBUG,
        "The networks run on %s%s",
        engine.runtime_name,
        "".join(f"; {name} is not used: {why}" for name, why in engine.rejected.items()),
    )

    mode = privacy_mode(entry.data)
    cameras = entry.subentries.values()
    store = TotalsStore(hass, entry.entry_id)
    try:
        censuses = await store.async_load(cameras, mode, AgeBands.parse(entry.data[CONF_AGE_BANDS]))
    except OSError as error:
        raise ConfigEntryNotReady(
            translation_domain=DOMAIN,
            translation_key="totals_unreadable",
            translation_placeholders={"error": str(error)},
        ) from error
    kept = hass.data.pop(KEPT_TRACKERS, {})
    coordinators = {
        camera.subentry_id: CameraCoordinator(
            hass,
            entry,
            camera,
            worker=worker,
            watch=Watch(
                engine,
                watch_settings(camera.data),
                kept.pop((camera.subentry_id, camera.unique_id), None),
            ),
            mode=mode,
            census=censuses[camera.subentry_id],
            store=store,
        )
        for camera in cameras
    }
    store.open(lambda: {camera: each.census for camera, each in coordinators.items()})
    entry.async_on_unload(store.async_close)
    # Before anything is shown: a window that ended meanwhile must not end once more after
    # a crash. And what is not counted any more, in another mode, is gone from the disk.
    if not await store.async_save():
        for coordinator in coordinators.values():
            coordinator.hide_unsaved()
    entry.runtime_data = RuntimeData(engine, mode, coordinators, worker.load)
    _drop_units(hass, entry)
    await hass.config_entries.async_forward_entry_setups(entry, PLATFORMS)

    @callback
    def start(hass: HomeAssistant) -> None:
        for coordinator in coordinators.values():
            entry.async_create_background_task(
                hass, coordinator.async_start(), f"{coordinator.name} first frame"
            )

    @callback
    def rename(event: Event[er.EventEntityRegistryUpdatedData]) -> None:
        if event.data["action"] == "update" and "entity_id" in event.data["changes"]:
            follow(hass, entry)

    # Cameras of other integrations may be set up after us: asking them earlier would
    # log an outage at every start of Home Assistant.
    entry.async_on_unload(async_at_started(hass, start))
    entry.async_on_unload(
        async_track_entity_registry_updated_event(
            hass,
            {camera.data[name] for camera in cameras for name in FOLLOWED if name in camera.data},
            rename,
        )
    )
    return True


async def async_unload_entry(hass: HomeAssistant, entry: AgeGenderConfigEntry) -> bool:
    """Stop watching; what was set up besides ends with the entry's unload callbacks."""
    unloaded = await hass.config_entries.async_unload_platforms(entry, PLATFORMS)
    if unloaded:
        _keep_trackers(hass, entry.runtime_data.cameras.values())
    return unloaded


def _keep_trackers(hass: HomeAssistant, cameras: Iterable[CameraCoordinator]) -> None:
    """Keep, for a moment and in memory, who is in view: a reload counts nobody twice."""
    hass.data[KEPT_TRACKERS] = kept = {
        (camera.subentry.subentry_id, camera.camera_id): camera.tracker for camera in cameras
    }

    @callback
    def forget(_: datetime) -> None:
        kept.clear()

    async_call_later(hass, KEEP_SECONDS, HassJob(forget, cancel_on_shutdown=True))


async def async_remove_entry(hass: HomeAssistant, entry: AgeGenderConfigEntry) -> None:
    """Leave nothing behind."""
    withdraw_all(hass)
    await TotalsStore(hass, entry.entry_id).async_remove()


async def async_migrate_entry(hass: HomeAssistant, entry: AgeGenderConfigEntry) -> bool:
    """Bring an entry of an older version up to date; refuse one of a newer."""
    if entry.version == 1 and entry.minor_version < 2:
        # There were live counts alone.
        hass.config_entries.async_update_entry(
            entry, data={**entry.data, CONF_PRIVACY: PRIVACY_HOME}, minor_version=2
        )
    if entry.version == 1 and entry.minor_version < 3:
        # Cameras were watched whole and always.
        for camera in tuple(entry.subentries.values()):
            hass.config_entries.async_update_subentry(
                entry,
                camera,
                data={
                    CONF_MOTION_SECONDS: DEFAULT_MOTION_SECONDS,
                    CONF_REGION: list(DEFAULT_REGION),
                    CONF_SENSITIVITY: DEFAULT_SENSITIVITY,
                    **camera.data,
                },
            )
        hass.config_entries.async_update_entry(entry, minor_version=3)
    return entry.version == 1


@callback
def _drop_units(hass: HomeAssistant, entry: AgeGenderConfigEntry) -> None:
    """Let the statistics of counts go on that had a unit in 0.1.0; they would end with it."""
    if "recorder" not in hass.config.components:
        return
    from homeassistant.components.recorder.statistics import (  # noqa: PLC0415  may be missing
        async_update_statistics_metadata,
    )

    for entity in er.async_entries_for_config_entry(er.async_get(hass), entry.entry_id):
        if entity.unit_of_measurement and entity.translation_key in COUNTS:
            async_update_statistics_metadata(
                hass, entity.entity_id, new_unit_class=None, new_unit_of_measurement=None
            )


async def _async_reload(hass: HomeAssistant, entry: AgeGenderConfigEntry) -> None:
    # Called for every change of the engine and for every camera added, reconfigured
    # or removed.
    hass.config_entries.async_schedule_reload(entry.entry_id)
