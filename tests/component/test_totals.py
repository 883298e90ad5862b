"""What was counted survives restarts, power cuts, full disks and damage."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from homeassistant.components.repairs import repairs_flow_manager
from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.helpers import issue_registry as ir
from homeassistant.setup import async_setup_component
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.agegender import KEEP_SECONDS
from custom_components.agegender.const import DOMAIN
from custom_components.agegender.vision.totals import SAVE_DELAY

from .conftest import (
    NOBODY,
    PUBLIC,
    WOMAN,
    AddCamera,
    PassTime,
    Watch,
    our_log,
    settle,
)


def saved(hass: HomeAssistant, entry: MockConfigEntry) -> Path:
    return Path(hass.config.path(".storage", f"{DOMAIN}.{entry.entry_id}"))


def set_aside(file: Path) -> list[Path]:
    return list(file.parent.glob(f"{file.name}.corrupt.*"))


def visitors(file: Path) -> list[int]:
    """How many visitors each camera has in a file."""
    return [
        census["window"]["counts"]["people"] for census in json.loads(file.read_bytes()).values()
    ]


async def restart(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    """Load the entry as a start of Home Assistant does."""
    await hass.config_entries.async_setup(entry.entry_id)
    await settle(hass)


async def one_visitor(pass_time: PassTime) -> None:
    """Let the woman in view be counted."""
    for _ in range(2):
        await pass_time(60)


async def test_a_visitor_is_saved_within_half_a_minute(
    hass: HomeAssistant, add_camera: AddCamera, watch: Watch, pass_time: PassTime
) -> None:
    camera = await add_camera("hall", WOMAN)
    entry = await watch(camera)
    file = saved(hass, entry)
    assert SAVE_DELAY <= 25
    await pass_time(61)
    assert camera.counts()["Visitors today"] == "1"
    before = file.stat()

    await pass_time(SAVE_DELAY + 1)
    assert visitors(file) == [1]
    assert file.stat().st_ino != before.st_ino  # a new file in the place of the old
    assert file.stat().st_mode & 0o777 == 0o600

    # Nothing new is not written.
    before = file.stat()
    for _ in range(3):
        await pass_time(60)
    assert await hass.config_entries.async_unload(entry.entry_id)
    assert file.stat() == before


@pytest.mark.parametrize("how", ["unload", "stop"])
async def test_the_end_saves_at_once(
    hass: HomeAssistant, add_camera: AddCamera, watch: Watch, pass_time: PassTime, how: str
) -> None:
    entry = await watch(await add_camera("hall", WOMAN))
    await pass_time(61)
    assert visitors(saved(hass, entry)) == [0]

    if how == "stop":
        await hass.async_stop(force=True)
    else:
        assert await hass.config_entries.async_unload(entry.entry_id)
    assert visitors(saved(hass, entry)) == [1]


async def test_counting_goes_on_after_a_restart(
    hass: HomeAssistant, add_camera: AddCamera, watch: Watch, pass_time: PassTime
) -> None:
    camera = await add_camera("hall", WOMAN)
    entry = await watch(camera)
    await one_visitor(pass_time)
    before = camera.counts()
    assert before["Visitors today"] == "1"

    camera.show(NOBODY)
    assert await hass.config_entries.async_unload(entry.entry_id)
    await restart(hass, entry)
    for name in ("Visitors today", "Women and girls today", "Men and boys today"):
        assert camera.counts()[name] == before[name]

    for _ in range(2):
        await pass_time(60)  # until she has left
    camera.show(WOMAN)
    await one_visitor(pass_time)
    assert camera.counts()["Visitors today"] == "2"


async def test_midnight_begins_a_new_day(
    hass: HomeAssistant, add_camera: AddCamera, watch: Watch, pass_time: PassTime
) -> None:
    camera = await add_camera("hall", WOMAN)
    await watch(camera, interval=3600)
    await pass_time(3600)
    assert camera.counts()["Visitors today"] == "1"

    camera.show(NOBODY)
    for _ in range(12):
        await pass_time(3600)  # it is 23:00:30
    assert camera.counts()["Visitors today"] == "1"
    for _ in range(60):
        await pass_time(60)
    assert camera.counts()["Visitors today"] == "0"
    state = hass.states.get(camera.sensor("Visitors today"))
    assert state is not None
    assert state.last_changed.isoformat() == "2026-06-15T22:00:30+00:00"


async def test_a_file_of_the_other_mode_is_not_shown(
    hass: HomeAssistant, add_camera: AddCamera, watch: Watch, pass_time: PassTime
) -> None:
    camera = await add_camera("hall", WOMAN)
    entry = await watch(camera)
    await one_visitor(pass_time)
    camera.show(NOBODY)

    hass.config_entries.async_update_entry(entry, data=PUBLIC)
    await settle(hass)
    for _ in range(16):
        await pass_time(60)
    assert camera.counts()["Visitors today"] == "0"
    # What the other mode knew is gone from the disk too.
    assert visitors(saved(hass, entry)) == [0]


def truncate(file: Path) -> None:
    os.truncate(file, 100)


def empty(file: Path) -> None:
    os.truncate(file, 0)


def zeros(file: Path) -> None:
    file.write_bytes(bytes(file.stat().st_size))


def a_list(file: Path) -> None:
    file.write_text("[]")


def impossible(file: Path) -> None:
    """Claim more women than visitors."""
    content: dict[str, Any] = json.loads(file.read_bytes())
    hall = next(iter(content.values()))
    hall["window"]["counts"]["by_gender"]["female"] = 100
    file.write_text(json.dumps(content))


@pytest.mark.parametrize("damage", [truncate, empty, zeros, a_list, impossible])
async def test_a_damaged_file_is_set_aside_and_told(
    hass: HomeAssistant,
    issue_registry: ir.IssueRegistry,
    add_camera: AddCamera,
    watch: Watch,
    pass_time: PassTime,
    caplog: pytest.LogCaptureFixture,
    damage: Any,
) -> None:
    assert await async_setup_component(hass, "repairs", {})
    hall, garden = await add_camera("hall", WOMAN), await add_camera("garden", WOMAN)
    entry = await watch(hall, garden)
    await one_visitor(pass_time)
    hall.show(NOBODY)
    garden.show(NOBODY)
    assert await hass.config_entries.async_unload(entry.entry_id)
    file = saved(hass, entry)
    damage(file)
    damaged = file.read_bytes()
    caplog.clear()

    await restart(hass, entry)
    assert entry.state is ConfigEntryState.LOADED
    assert hall.counts()["Visitors today"] == "0"
    # What of the file is sound is used.
    assert garden.counts()["Visitors today"] == ("1" if damage is impossible else "0")
    (aside,) = set_aside(file)
    assert aside.read_bytes() == damaged
    ((level, message),) = our_log(caplog)
    assert level == "ERROR"
    assert str(aside) in message
    (issue,) = issue_registry.issues.values()
    assert issue.domain == DOMAIN
    assert issue.translation_key == "totals_set_aside"
    assert issue.translation_placeholders is not None
    assert issue.translation_placeholders["file"] == str(aside)

    await pass_time(SAVE_DELAY + 1)
    assert visitors(file) == [0, 1 if damage is impossible else 0]

    repairs = repairs_flow_manager(hass)
    assert repairs is not None
    flow = await repairs.async_init(DOMAIN, data={"issue_id": issue.issue_id})
    done = await repairs.async_configure(flow["flow_id"], {})
    assert done["type"] is FlowResultType.CREATE_ENTRY
    assert not issue_registry.issues
    assert aside.exists()


async def test_a_file_that_cannot_be_read_is_tried_again(
    hass: HomeAssistant, add_camera: AddCamera, watch: Watch, pass_time: PassTime
) -> None:
    camera = await add_camera("hall", WOMAN)
    entry = await watch(camera)
    await one_visitor(pass_time)
    camera.show(NOBODY)
    assert await hass.config_entries.async_unload(entry.entry_id)
    file = saved(hass, entry)
    content = file.read_bytes()
    file.unlink()
    file.mkdir()

    await restart(hass, entry)
    assert entry.state is ConfigEntryState.SETUP_RETRY
    assert entry.reason is not None
    assert str(file) in entry.reason

    file.rmdir()
    file.write_bytes(content)
    await pass_time(60)
    assert camera.counts()["Visitors today"] == "1"


async def test_a_full_disk_is_told_once_and_tried_again(
    hass: HomeAssistant,
    add_camera: AddCamera,
    watch: Watch,
    pass_time: PassTime,
    caplog: pytest.LogCaptureFixture,
) -> None:
    camera = await add_camera("hall", WOMAN)
    entry = await watch(camera)
    await pass_time(SAVE_DELAY + 1)
    file = saved(hass, entry)
    new = file.with_name(f"{file.name}.new")
    new.symlink_to("/dev/full")

    await one_visitor(pass_time)
    for _ in range(3):
        await pass_time(60)
    assert camera.counts()["Visitors today"] == "1"
    assert visitors(file) == [0]
    ((level, message),) = our_log(caplog)
    assert level == "ERROR"
    assert str(file) in message
    assert "No space left on device" in message

    new.unlink()
    await pass_time(SAVE_DELAY + 1)
    assert visitors(file) == [1]
    assert our_log(caplog)[1:] == [("INFO", "The totals are saved again")]

    # At home that is no reason to show nothing after a restart.
    new.symlink_to("/dev/full")
    assert await hass.config_entries.async_reload(entry.entry_id)
    await settle(hass)
    assert camera.counts()["Visitors today"] == "1"


async def test_a_removed_camera_takes_its_totals_along(
    hass: HomeAssistant, add_camera: AddCamera, watch: Watch, pass_time: PassTime
) -> None:
    entry = await watch(await add_camera("hall"), await add_camera("garden"))
    await one_visitor(pass_time)
    removed, kept = entry.subentries
    hass.config_entries.async_remove_subentry(entry, removed)
    await settle(hass)
    await pass_time(SAVE_DELAY + 1)
    assert list(json.loads(saved(hass, entry).read_bytes())) == [kept]


async def test_a_removed_integration_leaves_nothing(
    hass: HomeAssistant, add_camera: AddCamera, watch: Watch, pass_time: PassTime
) -> None:
    entry = await watch(await add_camera("hall"))
    await one_visitor(pass_time)
    assert await hass.config_entries.async_unload(entry.entry_id)
    file = saved(hass, entry)
    empty(file)
    await restart(hass, entry)
    await pass_time(SAVE_DELAY + 1)
    assert set_aside(file)
    assert file.exists()

    await hass.config_entries.async_remove(entry.entry_id)
    assert list(file.parent.glob(f"{DOMAIN}*")) == []


async def test_a_reload_counts_nobody_in_view_again(
    hass: HomeAssistant, add_camera: AddCamera, watch: Watch, pass_time: PassTime
) -> None:
    camera = await add_camera("hall", WOMAN)
    entry = await watch(camera)
    await one_visitor(pass_time)
    for _ in range(3):
        assert await hass.config_entries.async_reload(entry.entry_id)
        await settle(hass)
        await one_visitor(pass_time)
    counts = camera.counts()
    assert (counts["People in view"], counts["Visitors today"]) == ("1", "1")


async def test_who_is_in_view_is_forgotten_soon_after_unloading(
    hass: HomeAssistant, add_camera: AddCamera, watch: Watch, pass_time: PassTime
) -> None:
    camera = await add_camera("hall", WOMAN)
    entry = await watch(camera)
    await one_visitor(pass_time)
    assert await hass.config_entries.async_unload(entry.entry_id)
    await pass_time(KEEP_SECONDS + 1)
    await restart(hass, entry)
    await one_visitor(pass_time)
    assert camera.counts()["Visitors today"] == "2"
