"""Loading, unloading, restarting and what stays behind: nothing."""

import asyncio
import gc
import shutil
import threading
import weakref
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from homeassistant.config_entries import ConfigEntryState, ConfigSubentryData
from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers import entity_registry as er
from homeassistant.util import dt as dt_util
from numpy.typing import NDArray
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_fire_time_changed,
)

from custom_components.agegender.const import (
    CONF_AGE_BANDS,
    CONF_CAMERA,
    CONF_INTERVAL,
    CONF_MIN_FACE_SIZE,
    CONF_MODEL,
    CONF_MOTION_SECONDS,
    CONF_PRIVACY,
    CONF_REGION,
    CONF_RUNTIME,
    CONF_SENSITIVITY,
    DOMAIN,
    FRAME_TIMEOUT,
    SUBENTRY_CAMERA,
)
from custom_components.agegender.vision.engine import BUNDLED_MODEL
from custom_components.agegender.vision.graph import Graph, Weights
from custom_components.agegender.vision.runtime import Network
from custom_components.agegender.vision.runtime.numpy_ import NumpyRuntime

from .conftest import (
    CLOCK,
    DAMAGES,
    HOME,
    INTERVAL,
    PATIENCE,
    AddCamera,
    Damage,
    FileCamera,
    Watch,
    WilfulCamera,
    as_subentry,
    next_frame,
    our_log,
    settle,
)


def our_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith(DOMAIN)]


def old_subentry(camera: FileCamera) -> ConfigSubentryData:
    """A camera's subentry as it was before regions and motion sensors."""
    return ConfigSubentryData(
        data={CONF_CAMERA: camera.entity_id, CONF_INTERVAL: 5, CONF_MIN_FACE_SIZE: 50},
        subentry_type=SUBENTRY_CAMERA,
        title=camera.name,
        unique_id=camera.entity_id,
    )


async def test_an_entry_of_the_first_version_counts_on(
    hass: HomeAssistant, entity_registry: er.EntityRegistry, add_camera: AddCamera
) -> None:
    camera = await add_camera("hall")
    before = {CONF_AGE_BANDS: "fairface", CONF_RUNTIME: "numpy"}
    entry = MockConfigEntry(
        domain=DOMAIN,
        version=1,
        minor_version=1,
        data=before,
        subentries_data=[old_subentry(camera)],
    )
    entry.add_to_hass(hass)
    (subentry,) = entry.subentries
    registered = {
        entity_registry.async_get_or_create(
            "sensor",
            DOMAIN,
            f"{subentry}_{key}",
            config_entry=entry,
            config_subentry_id=subentry,
            suggested_object_id=f"hall_{key}",
        ).id
        for key in ("people", "female", "male", "age_0-2", "age_70+", "last_frame")
    }
    assert await hass.config_entries.async_setup(entry.entry_id)
    await settle(hass)

    assert entry.data == {**before, CONF_PRIVACY: "home"}
    assert (entry.version, entry.minor_version) == (1, 3)
    assert camera.counts()["People in view"] == "1"
    entities = er.async_entries_for_config_entry(entity_registry, entry.entry_id)
    assert registered <= {entity.id for entity in entities}


async def test_cameras_of_the_second_version_are_watched_as_before(
    hass: HomeAssistant, entity_registry: er.EntityRegistry, add_camera: AddCamera, tmp_path: Path
) -> None:
    registered = await add_camera("hall")
    gone = FileCamera(hass, tmp_path / "ghost.image")
    entry = MockConfigEntry(
        domain=DOMAIN,
        version=1,
        minor_version=2,
        data=HOME,
        subentries_data=[old_subentry(registered), old_subentry(gone)],
    )
    entry.add_to_hass(hass)
    ids = list(entry.subentries)
    assert await hass.config_entries.async_setup(entry.entry_id)
    await settle(hass)

    assert (entry.version, entry.minor_version) == (1, 3)
    assert list(entry.subentries) == ids
    for subentry, camera in zip(entry.subentries.values(), (registered, gone), strict=True):
        assert subentry.data == {
            CONF_CAMERA: camera.entity_id,
            CONF_INTERVAL: 5,
            CONF_MIN_FACE_SIZE: 50,
            CONF_MOTION_SECONDS: 30,
            CONF_REGION: [0, 0, 1, 1],
            CONF_SENSITIVITY: "medium",
        }
    known = entity_registry.async_get(registered.entity_id)
    assert known
    assert [each.unique_id for each in entry.subentries.values()] == [known.id, gone.entity_id]
    assert registered.counts()["People in view"] == "1"


async def test_an_entry_of_a_later_minor_version_counts_on(
    hass: HomeAssistant, add_camera: AddCamera
) -> None:
    camera = await add_camera("hall")
    entry = MockConfigEntry(
        domain=DOMAIN,
        version=1,
        minor_version=99,
        data={**HOME, "what": "ever"},
        subentries_data=[as_subentry(camera).as_dict()],
    )
    entry.add_to_hass(hass)
    assert await hass.config_entries.async_setup(entry.entry_id)
    await settle(hass)
    assert camera.available()


async def test_an_entry_of_a_later_version_is_left_alone(hass: HomeAssistant) -> None:
    entry = MockConfigEntry(domain=DOMAIN, version=2, data={"what": "ever"})
    entry.add_to_hass(hass)
    assert not await hass.config_entries.async_setup(entry.entry_id)
    assert entry.state is ConfigEntryState.MIGRATION_ERROR
    assert entry.data == {"what": "ever"}


async def test_one_thread_serves_all_cameras_and_ends_with_the_entry(
    hass: HomeAssistant, add_camera: AddCamera, watch: Watch
) -> None:
    hall, garden = await add_camera("hall"), await add_camera("garden")
    entry = await watch(hall, garden)
    assert len(our_threads()) == 1

    assert await hass.config_entries.async_unload(entry.entry_id)
    await hass.async_block_till_done()
    assert entry.state is ConfigEntryState.NOT_LOADED
    assert not hall.available()
    assert our_threads() == []

    assert await hass.config_entries.async_setup(entry.entry_id)
    await settle(hass)
    assert hall.available()
    assert garden.available()


async def test_the_thread_ends_when_home_assistant_stops(
    hass: HomeAssistant,
    add_camera: AddCamera,
    watch: Watch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    await watch(await add_camera("hall"))
    assert len(our_threads()) == 1

    await hass.async_stop(force=True)
    assert our_threads() == []
    assert our_log(caplog) == []


async def test_a_camera_added_while_the_engine_loads_is_watched(
    hass: HomeAssistant, add_camera: AddCamera, watch: Watch
) -> None:
    camera = await add_camera("hall")
    entry = await watch()
    await hass.config_entries.async_unload(entry.entry_id)

    loading = hass.async_create_task(hass.config_entries.async_setup(entry.entry_id))
    assert entry.state is ConfigEntryState.SETUP_IN_PROGRESS
    hass.config_entries.async_add_subentry(entry, as_subentry(camera))
    assert await loading
    await settle(hass)
    assert camera.available()


async def test_a_reload_keeps_entities_and_devices(
    hass: HomeAssistant,
    device_registry: dr.DeviceRegistry,
    entity_registry: er.EntityRegistry,
    add_camera: AddCamera,
    watch: Watch,
) -> None:
    entry = await watch(await add_camera("hall"), await add_camera("garden"))

    def registered() -> tuple[set[str], set[tuple[str, str]]]:
        devices = dr.async_entries_for_config_entry(device_registry, entry.entry_id)
        entities = er.async_entries_for_config_entry(entity_registry, entry.entry_id)
        return (
            {device.id for device in devices},
            {(entity.entity_id, entity.unique_id) for entity in entities},
        )

    before = registered()
    assert len(before[0]) == 2
    await hass.config_entries.async_reload(entry.entry_id)
    await settle(hass)
    assert registered() == before


@pytest.mark.usefixtures("patient")
async def test_a_slow_camera_is_asked_for_one_frame_at_a_time(
    hass: HomeAssistant, wilful: WilfulCamera, watch: Watch
) -> None:
    wilful.delivers.clear()
    await watch(wilful.watched, wait=False)
    assert wilful.requests == 1

    for _ in range(3):
        # Beyond the interval, within the time that a camera is given.
        async_fire_time_changed(hass, dt_util.utcnow() + timedelta(seconds=INTERVAL + 1))
        await hass.async_block_till_done()
    assert wilful.requests == 1

    # What was missed meanwhile is not made up for.
    wilful.delivers.set()
    await settle(hass)
    assert wilful.requests == 1
    assert wilful.watched.available()
    await next_frame(hass)
    assert wilful.requests == 2


async def test_a_camera_that_never_answers_is_unavailable(
    hass: HomeAssistant,
    wilful: WilfulCamera,
    watch: Watch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    wilful.delivers.clear()
    await watch(wilful.watched, wait=False)

    async_fire_time_changed(hass, dt_util.utcnow() + timedelta(seconds=FRAME_TIMEOUT + 1))
    await settle(hass)
    assert not wilful.watched.available()
    ((level, message),) = our_log(caplog)
    assert level == "ERROR"
    assert message.endswith("camera.hall delivers no frame: Unable to get image")


async def test_unloading_while_a_frame_is_awaited_is_no_outage(
    hass: HomeAssistant,
    wilful: WilfulCamera,
    watch: Watch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    wilful.delivers.clear()
    entry = await watch(wilful.watched, wait=False)

    assert await hass.config_entries.async_unload(entry.entry_id)
    await settle(hass)
    assert our_threads() == []
    assert our_log(caplog) == []


@pytest.mark.parametrize(("damage", "complaint"), DAMAGES)
async def test_a_damaged_model_is_named_with_its_fix(
    hass: HomeAssistant,
    add_camera: AddCamera,
    watch: Watch,
    model_folder: Path,
    damage: Damage,
    complaint: str,
) -> None:
    damage(model_folder)
    camera = await add_camera("hall")
    entry = await watch(camera, engine={**HOME, CONF_MODEL: str(model_folder)})

    assert entry.state is ConfigEntryState.SETUP_ERROR
    assert entry.reason is not None
    assert str(model_folder) in entry.reason
    assert complaint in entry.reason
    assert "export the model again" in entry.reason
    assert our_threads() == []

    shutil.copytree(BUNDLED_MODEL, model_folder, dirs_exist_ok=True)
    assert await hass.config_entries.async_reload(entry.entry_id)
    await settle(hass)
    assert camera.available()


async def test_a_runtime_that_is_gone_is_named(add_camera: AddCamera, watch: Watch) -> None:
    entry = await watch(await add_camera("hall"), engine={**HOME, CONF_RUNTIME: "abacus"})

    assert entry.state is ConfigEntryState.SETUP_ERROR
    assert entry.reason is not None
    assert "no runtime is called 'abacus'; there are: " in entry.reason


class Hold:
    """Lets NumPy compute no network before it may, and knows those that are not freed yet."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.may = threading.Event()
        self.may.set()
        self.waits = threading.Event()
        self.networks = weakref.WeakSet[Network]()
        compile_ = NumpyRuntime.compile

        def compile_held(runtime: NumpyRuntime, graph: Graph, weights: Weights) -> Network:
            network = compile_(runtime, graph, weights)

            def held(batch: NDArray[np.float32]) -> tuple[NDArray[np.float32], ...]:
                self.waits.set()
                assert self.may.wait(PATIENCE)
                return network(batch)

            self.networks.add(held)
            return held

        monkeypatch.setattr(NumpyRuntime, "compile", compile_held)


async def test_a_reload_frees_the_models_at_once(
    hass: HomeAssistant, add_camera: AddCamera, watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    hold = Hold(monkeypatch)
    cameras = [await add_camera("hall"), await add_camera("door")]
    entry = await watch(*cameras)
    models = set(map(weakref.ref, hold.networks))
    assert models
    gc.collect()
    gc.disable()  # it may come a dozen reloads later
    try:
        # One camera's frame is looked at, the other's waits for its turn.
        hold.may.clear()
        hold.waits.clear()
        async_fire_time_changed(hass, dt_util.utcnow() + timedelta(seconds=INTERVAL))
        CLOCK.ahead += INTERVAL
        await hass.async_add_executor_job(hold.waits.wait, PATIENCE)

        reload = hass.async_create_task(hass.config_entries.async_reload(entry.entry_id))
        await asyncio.sleep(0)
        hold.may.set()
        assert await reload
        await settle(hass)
        assert not [model for model in models if model()]
    finally:
        gc.enable()
