"""What the repairs tell, and when they stop telling it."""

from pathlib import Path

import pytest
from homeassistant.core import HomeAssistant
from homeassistant.helpers import issue_registry as ir

from custom_components.agegender.const import CONF_RUNTIME, DOMAIN

from .conftest import HOME, AddCamera, Watch, settle


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
