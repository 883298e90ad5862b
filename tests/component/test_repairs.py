"""What the repairs tell, and when they stop telling it."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers import issue_registry as ir

from custom_components.agegender.const import CONF_CAMERA, CONF_MODEL, CONF_RUNTIME, DOMAIN
from custom_components.agegender.vision.engine import BUNDLED_MODEL
from custom_components.agegender.vision.runtime import runtimes

from .conftest import HOME, WOMAN, AddCamera, Fix, Watch, next_frame, our_log, settle


@pytest.fixture
def _broken_runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package that brings a runtime whose library is missing."""
    (tmp_path / "fast.py").write_text("raise OSError('libfast.so.1: no such file')\n")
    information = tmp_path / "fast-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: fast\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text("[agegender.runtimes]\nfast = fast:runtime\n")
    monkeypatch.syspath_prepend(tmp_path)


@pytest.mark.usefixtures("_broken_runtime")
async def test_a_runtime_that_is_here_and_not_used_is_told(
    hass: HomeAssistant,
    issue_registry: ir.IssueRegistry,
    add_camera: AddCamera,
    watch: Watch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    camera = await add_camera("hall")
    entry = await watch(camera, engine={**HOME, CONF_RUNTIME: "fast"})

    # NumPy counts in its place.
    assert camera.counts()["People in view"] == "1"
    (line,) = [line for line in caplog.messages if line.startswith("The networks run on")]
    assert line.startswith("The networks run on numpy; fast is not used: ")
    ((domain, _),) = issue_registry.issues
    assert domain == DOMAIN
    (issue,) = issue_registry.issues.values()
    assert issue.translation_key == "accelerator_rejected"
    placeholders = issue.translation_placeholders
    assert placeholders is not None
    assert placeholders["name"] == "fast"
    assert "libfast.so.1: no such file" in placeholders["reason"]

    hass.config_entries.async_update_entry(entry, data=HOME)
    await settle(hass)
    assert not issue_registry.issues

    hass.config_entries.async_update_entry(entry, data={**HOME, CONF_RUNTIME: "fast"})
    await settle(hass)
    assert issue_registry.issues
    await hass.config_entries.async_remove(entry.entry_id)
    assert not issue_registry.issues


@pytest.mark.usefixtures("_broken_runtime")
async def test_a_runtime_that_fails_is_given_up_for_what_works(
    hass: HomeAssistant, add_camera: AddCamera, watch: Watch, fix: Fix
) -> None:
    camera = await add_camera("hall")
    entry = await watch(camera, engine={**HOME, CONF_RUNTIME: "fast"})

    assert await fix("accelerator_rejected_fast") is None
    assert entry.data == {**HOME, CONF_RUNTIME: "numpy"}
    assert not ir.async_get(hass).issues
    assert camera.available()


FAILING = """
from custom_components.agegender.vision.runtime.numpy_ import NumpyRuntime

class Runtime:
    name = "flaky"
    broken = False

    def compile(self, graph, weights):
        network = NumpyRuntime().compile(graph, weights)
        def run(batch):
            if self.broken:
                raise RuntimeError("the device is lost")
            return network(batch)
        return run

runtime = Runtime()
"""


@pytest.fixture
def _flaky_runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package that brings a runtime that works until it is told not to."""
    code = FAILING.replace("custom_components.agegender.vision", "agegender_vision")
    (tmp_path / "flaky.py").write_text(
        f"try:\n{_indented(FAILING)}\nexcept ImportError:\n{_indented(code)}\n"
    )
    information = tmp_path / "flaky-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: flaky\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text("[agegender.runtimes]\nflaky = flaky:runtime\n")
    monkeypatch.syspath_prepend(tmp_path)


def _indented(code: str) -> str:
    return "\n".join(f"    {line}" for line in code.splitlines())


@pytest.mark.usefixtures("_flaky_runtime")
async def test_an_accelerator_that_fails_in_use_costs_no_frame(
    hass: HomeAssistant,
    issue_registry: ir.IssueRegistry,
    add_camera: AddCamera,
    watch: Watch,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    camera = await add_camera("hall")
    entry = await watch(camera, engine={**HOME, CONF_RUNTIME: "flaky"})
    assert entry.runtime_data.engine.runtime_name == "flaky"
    assert not issue_registry.issues

    monkeypatch.setattr(runtimes.get("flaky"), "broken", True)
    for _ in range(3):
        await next_frame(hass, 120)
        assert camera.counts()["People in view"] == "1"
    assert entry.runtime_data.engine.runtime_name == "numpy"
    [(level, message)] = our_log(caplog)
    assert level == "WARNING"
    assert message.startswith("flaky is not used any more: it failed in use")
    assert "the device is lost" in message
    [issue] = issue_registry.issues.values()
    assert issue.translation_key == "accelerator_rejected"


async def test_a_camera_that_was_removed_is_removed_here_too(
    hass: HomeAssistant,
    issue_registry: ir.IssueRegistry,
    device_registry: dr.DeviceRegistry,
    add_camera: AddCamera,
    watch: Watch,
    fix: Fix,
) -> None:
    hall, garden = await add_camera("hall"), await add_camera("garden")
    entry = await watch(hall, garden)

    hall.path.unlink()
    await next_frame(hass)
    assert not hall.available()
    assert not issue_registry.issues  # an outage is none

    await hass.config_entries.async_remove(hall.entry.entry_id)
    await next_frame(hass)
    [issue] = issue_registry.issues.values()
    assert issue.translation_placeholders == {"camera": "Hall", "entity": hall.entity_id}

    assert await fix(issue.issue_id) is None
    assert not issue_registry.issues
    [subentry] = entry.subentries.values()
    assert subentry.data[CONF_CAMERA] == garden.entity_id
    devices = dr.async_entries_for_config_entry(device_registry, entry.entry_id)
    assert [device.name for device in devices] == ["Garden"]
    assert garden.available()


async def test_a_camera_that_comes_back_needs_no_repair(
    hass: HomeAssistant, issue_registry: ir.IssueRegistry, add_camera: AddCamera, watch: Watch
) -> None:
    hall = await add_camera("hall")
    entry = await watch(hall)
    await hass.config_entries.async_remove(hall.entry.entry_id)
    await next_frame(hass)
    assert issue_registry.issues

    again = await add_camera("hall", WOMAN)
    await next_frame(hass)
    assert not issue_registry.issues

    # Nor one that is not watched any more.
    await hass.config_entries.async_remove(again.entry.entry_id)
    await next_frame(hass)
    assert issue_registry.issues
    [subentry] = entry.subentries
    hass.config_entries.async_remove_subentry(entry, subentry)
    await settle(hass)
    assert not issue_registry.issues


@pytest.mark.parametrize("choice", ["bundled_model", "try_again"])
async def test_a_model_that_cannot_be_used(
    issue_registry: ir.IssueRegistry,
    add_camera: AddCamera,
    watch: Watch,
    fix: Fix,
    model_folder: Path,
    choice: str,
) -> None:
    (model_folder / "weights.npz").unlink()
    camera = await add_camera("hall")
    settings: Mapping[str, Any] = {**HOME, CONF_MODEL: str(model_folder)}
    entry = await watch(camera, engine=settings)
    assert entry.state is ConfigEntryState.SETUP_ERROR
    [issue] = issue_registry.issues.values()
    assert issue.translation_placeholders is not None
    assert "weights.npz is missing" in issue.translation_placeholders["reason"]

    if choice == "try_again":
        await fix(issue.issue_id, choice)
        assert entry.state is ConfigEntryState.SETUP_ERROR
        assert issue_registry.issues
        shutil.copytree(BUNDLED_MODEL, model_folder, dirs_exist_ok=True)

    await fix(issue.issue_id, choice)
    assert entry.data == (settings if choice == "try_again" else HOME)
    assert not issue_registry.issues
    assert camera.available()
