"""Setting up, changing and removing the engine and the cameras, as a user does."""

import shutil
from pathlib import Path
from typing import Any

import pytest
from homeassistant.config_entries import SOURCE_USER, ConfigEntryState, ConfigSubentry
from homeassistant.const import STATE_UNKNOWN
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType, InvalidData
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers import entity_registry as er
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.agegender.config_flow import OWN_BANDS
from custom_components.agegender.const import (
    CONF_ACKNOWLEDGED,
    CONF_AGE_BANDS,
    CONF_CAMERA,
    CONF_CROWD,
    CONF_INTERVAL,
    CONF_MIN_FACE_SIZE,
    CONF_MODEL,
    CONF_MOTION_SECONDS,
    CONF_MOTION_SENSOR,
    CONF_NOISE,
    CONF_PRIVACY,
    CONF_REGION,
    CONF_RUNTIME,
    CONF_SENSITIVITY,
    CONF_WINDOW,
    DOMAIN,
    SUBENTRY_CAMERA,
)
from custom_components.agegender.vision.engine import BUNDLED_MODEL, Engine

from .conftest import (
    DAMAGES,
    HOME,
    NOBODY,
    PUBLIC,
    WOMAN,
    AddCamera,
    Damage,
    FileCamera,
    Watch,
    next_frame,
    settle,
    side_by_side,
)

FAIRFACE = ("0-2", "3-9", "10-19", "20-29", "30-39", "40-49", "50-59", "60-69", "70+")
ACKNOWLEDGED = {**HOME, CONF_ACKNOWLEDGED: True}
PUBLIC_CHOICE = {**HOME, CONF_PRIVACY: "public"}


def suggested(form: Any) -> dict[str, Any]:
    """Return what the fields of a form hold when it is shown."""
    return {
        str(key): key.description["suggested_value"]
        for key in form["data_schema"].schema
        if key.description
    }


async def start_setup(hass: HomeAssistant) -> str:
    result = await hass.config_entries.flow.async_init(DOMAIN, context={"source": SOURCE_USER})
    assert result["type"] is FlowResultType.FORM
    assert result["step_id"] == "user"
    assert result["errors"] == {}
    return result["flow_id"]


async def test_the_engine_is_set_up(hass: HomeAssistant) -> None:
    flow = await start_setup(hass)
    result = await hass.config_entries.flow.async_configure(flow, ACKNOWLEDGED)
    await settle(hass)

    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert result["title"] == "Age and gender counts"
    assert result["data"] == HOME
    assert result["result"].state is ConfigEntryState.LOADED
    # Some models may not be used for everything: whoever installs one is told.
    engine = Engine.load()
    assert result["description_placeholders"] == {
        "model": engine.model_name,
        "licence": engine.licence,
    }


async def test_the_notice_must_be_acknowledged(hass: HomeAssistant) -> None:
    flow = await start_setup(hass)
    result = await hass.config_entries.flow.async_configure(
        flow, {**HOME, CONF_ACKNOWLEDGED: False}
    )
    assert result["type"] is FlowResultType.FORM
    assert result["errors"] == {CONF_ACKNOWLEDGED: "not_acknowledged"}

    result = await hass.config_entries.flow.async_configure(flow, ACKNOWLEDGED)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    await settle(hass)


async def test_there_is_one_engine(hass: HomeAssistant, watch: Watch) -> None:
    await watch()

    result = await hass.config_entries.flow.async_init(DOMAIN, context={"source": SOURCE_USER})
    assert result["type"] is FlowResultType.ABORT
    assert result["reason"] == "single_instance_allowed"


async def test_a_model_is_read_only_where_home_assistant_may_read(
    hass: HomeAssistant, tmp_path: Path
) -> None:
    allowed, outside = tmp_path / "allowed", tmp_path / "outside"
    shutil.copytree(BUNDLED_MODEL, outside)
    allowed.mkdir()
    (allowed / "link").symlink_to(outside)
    hass.config.allowlist_external_dirs.add(str(allowed))
    flow = await start_setup(hass)
    links = (allowed / ".." / "outside", allowed / "link")
    for folder in (outside, *links, "/proc/self/environ", "no\0file/model"):
        choice = {**ACKNOWLEDGED, CONF_MODEL: str(folder)}
        result = await hass.config_entries.flow.async_configure(flow, choice)
        assert result["errors"] == {"base": "engine_unusable"}
        placeholders = result["description_placeholders"]
        assert placeholders is not None
        assert "allowlist_external_dirs" in placeholders["error"]

    hass.config.allowlist_external_dirs.add(str(outside))
    choice = {**ACKNOWLEDGED, CONF_MODEL: str(outside)}
    result = await hass.config_entries.flow.async_configure(flow, choice)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    await settle(hass)


@pytest.mark.parametrize(("damage", "complaint"), DAMAGES)
async def test_a_damaged_model_is_refused_with_its_fix(
    hass: HomeAssistant, model_folder: Path, damage: Damage, complaint: str
) -> None:
    damage(model_folder)
    choice = {**ACKNOWLEDGED, CONF_MODEL: str(model_folder)}
    flow = await start_setup(hass)
    result = await hass.config_entries.flow.async_configure(flow, choice)

    assert result["type"] is FlowResultType.FORM
    assert result["errors"] == {"base": "engine_unusable"}
    placeholders = result["description_placeholders"]
    assert placeholders is not None
    assert str(model_folder) in placeholders["error"]
    assert complaint in placeholders["error"]
    assert not hass.config_entries.async_entries(DOMAIN)

    shutil.copytree(BUNDLED_MODEL, model_folder, dirs_exist_ok=True)
    result = await hass.config_entries.flow.async_configure(flow, choice)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert result["data"][CONF_MODEL] == str(model_folder)
    await settle(hass)


@pytest.mark.parametrize(
    "choice",
    [{CONF_RUNTIME: "abacus"}, {CONF_PRIVACY: "nobody"}, {CONF_AGE_BANDS: "zodiac"}],
    ids=["runtime", "privacy", "age bands"],
)
async def test_only_what_exists_can_be_chosen(hass: HomeAssistant, choice: dict[str, str]) -> None:
    flow = await start_setup(hass)
    with pytest.raises(InvalidData):
        await hass.config_entries.flow.async_configure(flow, {**ACKNOWLEDGED, **choice})


async def test_the_defaults_are_live_counts_and_the_fastest_runtime(hass: HomeAssistant) -> None:
    flow = await start_setup(hass)
    result = await hass.config_entries.flow.async_configure(flow, {CONF_ACKNOWLEDGED: True})
    await settle(hass)
    assert result["data"] == {
        CONF_PRIVACY: "home",
        CONF_AGE_BANDS: "household",
        CONF_RUNTIME: "auto",
    }


async def test_public_places_are_asked_how_coarse_to_count(hass: HomeAssistant) -> None:
    flow = await start_setup(hass)
    result = await hass.config_entries.flow.async_configure(
        flow, {**ACKNOWLEDGED, CONF_PRIVACY: "public"}
    )
    assert result["type"] is FlowResultType.FORM
    assert result["step_id"] == "public"

    for nonsense in ({CONF_WINDOW: "7"}, {CONF_CROWD: 2}, {CONF_NOISE: "loud"}):
        with pytest.raises(InvalidData):
            await hass.config_entries.flow.async_configure(flow, nonsense)
    result = await hass.config_entries.flow.async_configure(flow, {})
    await settle(hass)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert result["data"] == PUBLIC
    assert result["result"].state is ConfigEntryState.LOADED


async def test_own_age_bands_can_be_typed(hass: HomeAssistant, add_camera: AddCamera) -> None:
    flow = await start_setup(hass)
    for nonsense, complaint in (
        ("zodiac", "expected whole years separated by commas"),
        ("65, 18", "age bands start at 0 and rise"),
    ):
        result = await hass.config_entries.flow.async_configure(
            flow, {**ACKNOWLEDGED, OWN_BANDS: nonsense}
        )
        assert result["type"] is FlowResultType.FORM
        assert result["errors"] == {OWN_BANDS: "age_bands_invalid"}
        placeholders = result["description_placeholders"]
        assert placeholders is not None
        assert complaint in placeholders["error"]

    result = await hass.config_entries.flow.async_configure(
        flow, {**ACKNOWLEDGED, OWN_BANDS: "18, 65"}
    )
    assert result["type"] is FlowResultType.CREATE_ENTRY
    camera = await add_camera("hall")
    await choose_camera(hass, result["result"], choice(camera))
    bands = ["0-17", "18-64", "65+"]
    assert {f"People aged {band}" for band in bands} <= camera.counts().keys()


async def test_own_age_bands_are_suggested_again_and_can_be_left_out(
    hass: HomeAssistant, watch: Watch
) -> None:
    entry = await watch(engine={**HOME, CONF_AGE_BANDS: "18, 65"})
    assert suggested(await entry.start_reconfigure_flow(hass))[OWN_BANDS] == "18, 65"
    result = await reconfigure(hass, entry, ACKNOWLEDGED, {})
    assert result["type"] is FlowResultType.ABORT
    assert entry.data[CONF_AGE_BANDS] == "household"


async def reconfigure(hass: HomeAssistant, entry: MockConfigEntry, *forms: dict[str, Any]) -> Any:
    """Fill in the forms of the reconfiguration; return what came after the last one."""
    result = await entry.start_reconfigure_flow(hass)
    assert result["type"] is FlowResultType.FORM
    assert result["step_id"] == "reconfigure"
    for form in forms:
        result = await hass.config_entries.flow.async_configure(result["flow_id"], form)
    await settle(hass)
    return result


async def test_other_age_bands_replace_the_sensors_of_the_old_ones(
    hass: HomeAssistant,
    entity_registry: er.EntityRegistry,
    add_camera: AddCamera,
    watch: Watch,
) -> None:
    camera = await add_camera("hall")
    entry = await watch(camera)
    await next_frame(hass)
    people = entity_registry.async_get(camera.sensor("People in view"))
    assert camera.sensor("People aged 60+") in entity_registry.entities
    before = camera.counts()
    assert before["Visitors today"] == "1"

    fairface = {**HOME, CONF_AGE_BANDS: "fairface"}
    result = await reconfigure(hass, entry, fairface)
    assert result["type"] is FlowResultType.FORM
    assert result["step_id"] == "new_bands"
    assert camera.counts() == before
    result = await hass.config_entries.flow.async_configure(result["flow_id"], {})
    assert result["type"] is FlowResultType.ABORT
    assert result["reason"] == "reconfigure_successful"
    await settle(hass)

    after = camera.counts()
    assert camera.available()
    assert {name for name in after if name.startswith("People aged")} == {
        f"People aged {band}" for band in FAIRFACE
    }
    assert camera.sensor("People aged 60+") not in entity_registry.entities
    assert entity_registry.async_get(camera.sensor("People in view")) == people
    # She was counted before anybody asked for these bands.
    assert after["Visitors today"] == "1"
    assert after["Women and girls today"] == "1"
    assert {after[f"Visitors aged {band} today"] for band in FAIRFACE} == {"0"}


async def test_another_privacy_mode_starts_new_totals(
    hass: HomeAssistant,
    entity_registry: er.EntityRegistry,
    add_camera: AddCamera,
    watch: Watch,
) -> None:
    camera = await add_camera("hall")
    entry = await watch(camera)
    await next_frame(hass)
    visitors = entity_registry.async_get(camera.sensor("Visitors today"))
    assert camera.counts()["Visitors today"] == "1"

    result = await reconfigure(hass, entry, {**HOME, CONF_PRIVACY: "public"}, {})
    assert result["step_id"] == "new_totals"
    result = await hass.config_entries.flow.async_configure(result["flow_id"], {})
    assert result["type"] is FlowResultType.ABORT
    await settle(hass)
    assert entry.data == PUBLIC
    assert camera.counts()["Visitors today"] == STATE_UNKNOWN
    assert "People in view" not in camera.counts()
    assert entity_registry.async_get(camera.sensor("Visitors today")) == visitors

    # The numbers that were entered are suggested again.
    result = await reconfigure(hass, entry, PUBLIC_CHOICE)
    assert result["step_id"] == "public"
    assert suggested(result) == {CONF_WINDOW: "15", CONF_CROWD: 5, CONF_NOISE: "off"}
    result = await hass.config_entries.flow.async_configure(
        result["flow_id"], {CONF_WINDOW: "30", CONF_CROWD: 10, CONF_NOISE: "light"}
    )
    assert result["step_id"] == "new_totals"
    await hass.config_entries.flow.async_configure(result["flow_id"], {})
    await settle(hass)
    assert entry.data == {**PUBLIC, CONF_WINDOW: 30, CONF_CROWD: 10, CONF_NOISE: "light"}

    result = await reconfigure(hass, entry, HOME)
    assert result["step_id"] == "new_totals"
    await hass.config_entries.flow.async_configure(result["flow_id"], {})
    await settle(hass)
    assert entry.data == HOME
    assert camera.counts()["People in view"] == "1"
    assert "Visitors in the last window" not in camera.counts()


async def test_a_damaged_model_is_refused_when_reconfiguring(
    hass: HomeAssistant, add_camera: AddCamera, watch: Watch, tmp_path: Path
) -> None:
    camera = await add_camera("hall")
    entry = await watch(camera)

    result = await reconfigure(hass, entry, {**HOME, CONF_MODEL: str(tmp_path / "nowhere")})
    assert result["type"] is FlowResultType.FORM
    assert result["errors"] == {"base": "engine_unusable"}
    assert camera.available()

    result = await hass.config_entries.flow.async_configure(result["flow_id"], HOME)
    assert result["type"] is FlowResultType.ABORT
    await settle(hass)
    assert entry.data == HOME
    assert camera.available()


def choice(camera: FileCamera, **other: Any) -> dict[str, Any]:
    """What a user enters for a camera."""
    return {CONF_CAMERA: camera.entity_id, CONF_INTERVAL: 10, CONF_MIN_FACE_SIZE: 40, **other}


async def enter(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    camera: dict[str, Any],
    subentry: ConfigSubentry | None = None,
) -> Any:
    """Fill in the form of a new camera, or of one that is changed."""
    if subentry is None:
        flow = await hass.config_entries.subentries.async_init(
            (entry.entry_id, SUBENTRY_CAMERA), context={"source": SOURCE_USER}
        )
    else:
        flow = await entry.start_subentry_reconfigure_flow(hass, subentry.subentry_id)
    assert flow["type"] is FlowResultType.FORM
    assert flow["step_id"] == ("reconfigure" if subentry else "user")
    return await hass.config_entries.subentries.async_configure(flow["flow_id"], camera)


async def choose(hass: HomeAssistant, menu: Any, option: str) -> Any:
    """Choose from the menu that shows what the camera sees."""
    assert menu["type"] is FlowResultType.MENU
    assert menu["menu_options"] == ["save", "look_again", "change"]
    result = await hass.config_entries.subentries.async_configure(
        menu["flow_id"], {"next_step_id": option}
    )
    await settle(hass)
    return result


async def choose_camera(hass: HomeAssistant, entry: MockConfigEntry, camera: dict[str, Any]) -> Any:
    return await choose(hass, await enter(hass, entry, camera), "save")


async def reconfigure_camera(
    hass: HomeAssistant, entry: MockConfigEntry, subentry: ConfigSubentry, camera: dict[str, Any]
) -> Any:
    return await choose(hass, await enter(hass, entry, camera, subentry), "save")


async def test_a_camera_is_added_without_a_restart(
    hass: HomeAssistant, add_camera: AddCamera, watch: Watch
) -> None:
    entry = await watch()
    camera = await add_camera("hall")
    assert camera.counts() == {}

    result = await choose_camera(hass, entry, choice(camera))
    assert result["type"] is FlowResultType.CREATE_ENTRY
    (subentry,) = entry.subentries.values()
    assert subentry.title == "Hall"
    assert subentry.data == {
        **choice(camera),
        CONF_MOTION_SECONDS: 30,
        CONF_REGION: [0, 0, 1, 1],
        CONF_SENSITIVITY: "medium",
    }
    assert camera.available()
    assert camera.counts()["People in view"] == "1"


async def test_a_camera_is_watched_once(
    hass: HomeAssistant, add_camera: AddCamera, watch: Watch
) -> None:
    camera = await add_camera("hall")
    entry = await watch(camera)

    result = await enter(hass, entry, choice(camera))
    assert result["type"] is FlowResultType.ABORT
    assert result["reason"] == "already_configured"
    assert len(entry.subentries) == 1


async def test_an_unknown_camera_is_refused(
    hass: HomeAssistant, watch: Watch, tmp_path: Path
) -> None:
    entry = await watch()

    result = await enter(hass, entry, choice(FileCamera(hass, tmp_path / "ghost")))
    assert result["type"] is FlowResultType.FORM
    assert result["errors"] == {CONF_CAMERA: "camera_not_found"}


@pytest.mark.parametrize(
    "nonsense",
    [
        {CONF_CAMERA: "light.hall"},
        {CONF_INTERVAL: 0},
        {CONF_INTERVAL: 3601},
        {CONF_MIN_FACE_SIZE: 19},
        {CONF_MIN_FACE_SIZE: "large"},
        {CONF_MOTION_SENSOR: "camera.hall"},
        {CONF_SENSITIVITY: "extreme"},
        {"region_left": -1},
    ],
    ids=str,
)
async def test_nonsense_is_refused(
    hass: HomeAssistant, add_camera: AddCamera, watch: Watch, nonsense: dict[str, Any]
) -> None:
    camera = await add_camera("hall")
    entry = await watch()

    with pytest.raises(InvalidData):
        await enter(hass, entry, {**choice(camera), **nonsense})


async def test_a_reconfigured_interval_holds_at_once(
    hass: HomeAssistant,
    entity_registry: er.EntityRegistry,
    add_camera: AddCamera,
    watch: Watch,
) -> None:
    camera = await add_camera("hall")
    entry = await watch(camera)
    (subentry,) = entry.subentries.values()
    before = set(entity_registry.entities)

    result = await reconfigure_camera(hass, entry, subentry, choice(camera, interval=600))
    assert result["type"] is FlowResultType.ABORT
    assert result["reason"] == "reconfigure_successful"
    assert set(entity_registry.entities) == before
    assert camera.counts()["People in view"] == "1"

    camera.path.unlink()
    await next_frame(hass, seconds=500)
    assert camera.available()
    await next_frame(hass, seconds=601)
    assert not camera.available()


async def test_the_smallest_face_decides_who_is_seen(
    hass: HomeAssistant, add_camera: AddCamera, watch: Watch
) -> None:
    # The astronaut's face is about 115 pixels high.
    camera = await add_camera("hall")
    entry = await watch(camera)
    (subentry,) = entry.subentries.values()
    assert camera.counts()["People in view"] == "1"

    await reconfigure_camera(hass, entry, subentry, choice(camera, min_face_size=300))
    for _ in range(2):  # she is followed across the reload, and not found any more
        await next_frame(hass)
    assert camera.counts()["People in view"] == "0"


async def test_another_camera_keeps_the_device_and_its_history(
    hass: HomeAssistant,
    device_registry: dr.DeviceRegistry,
    entity_registry: er.EntityRegistry,
    add_camera: AddCamera,
    watch: Watch,
) -> None:
    old, new = await add_camera("hall"), await add_camera("door", NOBODY)
    entry = await watch(old)
    (subentry,) = entry.subentries.values()
    (device,) = dr.async_entries_for_config_entry(device_registry, entry.entry_id)
    before = {
        each.entity_id: each.unique_id
        for each in er.async_entries_for_config_entry(entity_registry, entry.entry_id)
    }

    await reconfigure_camera(hass, entry, subentry, choice(new))

    (subentry,) = entry.subentries.values()
    assert subentry.title == "Door"
    registered = entity_registry.async_get(new.entity_id)
    assert registered
    assert subentry.unique_id == registered.id
    (same_device,) = dr.async_entries_for_config_entry(device_registry, entry.entry_id)
    assert same_device.id == device.id
    assert same_device.name == "Door"
    assert before == {
        each.entity_id: each.unique_id
        for each in er.async_entries_for_config_entry(entity_registry, entry.entry_id)
    }
    state = hass.states.get(old.sensor("People in view"))
    assert state is not None
    assert state.state == "0"


async def test_a_camera_cannot_become_one_that_is_watched(
    hass: HomeAssistant, add_camera: AddCamera, watch: Watch
) -> None:
    hall, door = await add_camera("hall"), await add_camera("door")
    entry = await watch(hall, door)
    subentry = next(iter(entry.subentries.values()))

    result = await enter(hass, entry, choice(door), subentry)
    assert result["type"] is FlowResultType.ABORT
    assert result["reason"] == "already_configured"


async def test_a_removed_camera_takes_its_device_along(
    hass: HomeAssistant,
    device_registry: dr.DeviceRegistry,
    add_camera: AddCamera,
    watch: Watch,
) -> None:
    hall, garden = await add_camera("hall"), await add_camera("garden")
    entry = await watch(hall, garden)
    subentry = next(iter(entry.subentries.values()))

    hass.config_entries.async_remove_subentry(entry, subentry.subentry_id)
    await settle(hass)

    assert hall.counts() == {}
    assert garden.available()
    (device,) = dr.async_entries_for_config_entry(device_registry, entry.entry_id)
    assert device.name == "Garden"


async def test_what_a_camera_sees_is_told_before_it_is_saved(
    hass: HomeAssistant, add_camera: AddCamera, watch: Watch
) -> None:
    camera = await add_camera("hall")
    entry = await watch()

    menu = await enter(hass, entry, choice(camera))
    assert menu["step_id"] == "trial"
    told = menu["description_placeholders"]
    assert told["faces"] == "1"
    assert int(told["milliseconds"]) > 0
    assert (told["width"], told["height"]) == ("512", "512")
    assert not entry.subentries

    camera.show(NOBODY)
    menu = await choose(hass, menu, "look_again")
    assert menu["description_placeholders"]["faces"] == "0"

    # Nobody is counted, and nothing is kept of a flow that is given up.
    hass.config_entries.subentries.async_abort(menu["flow_id"])
    assert not entry.subentries


async def test_the_region_is_previewed_in_words_and_can_be_changed(
    hass: HomeAssistant, add_camera: AddCamera, watch: Watch
) -> None:
    camera = await add_camera("hall")
    entry = await watch()

    # The astronaut's face is above the middle.
    lower = {"region_top": 66.7, "region_right": 50}
    menu = await enter(hass, entry, choice(camera, **lower))
    told = menu["description_placeholders"]
    assert (told["whole"], told["part"]) == ("Bottom left", "Bottom")
    assert told["faces"] == "0"

    form = await choose(hass, menu, "change")
    assert form["type"] is FlowResultType.FORM
    assert form["step_id"] == "user"
    assert lower.items() <= suggested(form).items()

    upper = choice(camera, region_bottom=66.7)
    menu = await hass.config_entries.subentries.async_configure(form["flow_id"], upper)
    told = menu["description_placeholders"]
    assert told
    assert told["whole"] == "Top left, Top, Top right, Left, Centre, Right"
    assert told["part"] == "Nothing"
    assert told["faces"] == "1"

    await choose(hass, menu, "save")
    (subentry,) = entry.subentries.values()
    assert subentry.data[CONF_REGION] == pytest.approx([0, 0, 1, 0.667])
    assert camera.counts()["People in view"] == "1"

    # What was entered is suggested again.
    form = await entry.start_subentry_reconfigure_flow(hass, subentry.subentry_id)
    assert suggested(form)["region_bottom"] == 66.7
    await reconfigure_camera(hass, entry, subentry, choice(camera, **lower))
    for _ in range(2):
        await next_frame(hass)
    assert camera.counts()["People in view"] == "0"


async def test_a_region_must_be_one(
    hass: HomeAssistant, add_camera: AddCamera, watch: Watch
) -> None:
    camera = await add_camera("hall")
    entry = await watch()
    for nonsense in ({"region_left": 95}, {"region_top": 60, "region_bottom": 40}):
        form = await enter(hass, entry, choice(camera, **nonsense))
        assert form["errors"] == {"base": "region_invalid"}


async def test_in_public_the_trial_does_not_tell_who_is_there(
    hass: HomeAssistant, add_camera: AddCamera, watch: Watch
) -> None:
    somebody, nobody = await add_camera("hall"), await add_camera("yard", WOMAN)
    nobody.show(side_by_side(NOBODY))
    entry = await watch(engine=PUBLIC)

    menu = await enter(hass, entry, choice(somebody))
    assert menu["step_id"] == "trial_public"
    told = menu["description_placeholders"]
    assert told.keys() == {"width", "height", "whole", "part"}
    assert (told["width"], told["height"]) == ("512", "512")

    other = await enter(hass, entry, choice(nobody))
    assert other["description_placeholders"] == told
    await choose(hass, menu, "save")
    assert len(entry.subentries) == 1


async def test_a_camera_that_delivers_nothing_can_be_saved_for_later(
    hass: HomeAssistant, add_camera: AddCamera, watch: Watch
) -> None:
    camera = await add_camera("hall")
    entry = await watch()
    camera.show(b"no picture")
    menu = await enter(hass, entry, choice(camera))
    assert menu["step_id"] == "trial_failed"
    assert "not a picture" in menu["description_placeholders"]["error"]
    camera.path.unlink()
    menu = await choose(hass, menu, "look_again")
    assert menu["step_id"] == "trial_failed"

    await choose(hass, menu, "save")
    assert len(entry.subentries) == 1
    assert not camera.available()
    camera.show(WOMAN)
    await next_frame(hass)
    assert camera.available()


async def test_an_unknown_motion_sensor_is_refused(
    hass: HomeAssistant, add_camera: AddCamera, watch: Watch
) -> None:
    camera = await add_camera("hall")
    entry = await watch()
    ghost = choice(camera, **{CONF_MOTION_SENSOR: "binary_sensor.ghost"})
    form = await enter(hass, entry, ghost)
    assert form["errors"] == {CONF_MOTION_SENSOR: "sensor_not_found"}

    hass.states.async_set("binary_sensor.ghost", "on")
    menu = await hass.config_entries.subentries.async_configure(form["flow_id"], ghost)
    await choose(hass, menu, "save")
    (subentry,) = entry.subentries.values()
    assert subentry.data[CONF_MOTION_SENSOR] == "binary_sensor.ghost"


async def test_a_renamed_camera_is_still_watched_once(
    hass: HomeAssistant,
    entity_registry: er.EntityRegistry,
    add_camera: AddCamera,
    watch: Watch,
) -> None:
    camera = await add_camera("hall")
    entry = await watch()
    await choose_camera(hass, entry, choice(camera))
    entity_registry.async_update_entity(camera.entity_id, new_entity_id="camera.front_door")
    await settle(hass)

    registered = entity_registry.async_get("camera.front_door")
    assert registered
    for name in ("camera.front_door", registered.id):
        result = await enter(hass, entry, {**choice(camera), CONF_CAMERA: name})
        assert result["type"] is FlowResultType.ABORT
        assert result["reason"] == "already_configured"


async def test_the_notice_is_shown_again_and_can_be_withdrawn_from(
    hass: HomeAssistant, watch: Watch
) -> None:
    entry = await watch()
    result = await reconfigure(hass, entry, {**HOME, CONF_ACKNOWLEDGED: False})
    assert result["type"] is FlowResultType.FORM
    assert result["errors"] == {CONF_ACKNOWLEDGED: "not_acknowledged"}
    result = await hass.config_entries.flow.async_configure(
        result["flow_id"], {**HOME, CONF_ACKNOWLEDGED: True}
    )
    assert result["type"] is FlowResultType.ABORT
    assert entry.data == HOME
