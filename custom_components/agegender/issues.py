"""What the user is told in the repairs; `repairs` puts it right."""

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from homeassistant.config_entries import ConfigEntry, ConfigSubentry
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers import issue_registry as ir

from .const import CONF_CAMERA, CONF_MODEL, DOMAIN
from .vision.load import Load

if TYPE_CHECKING:
    from .vision.engine import Engine

ACCELERATOR_REJECTED = "accelerator_rejected"
CAMERA_REMOVED = "camera_removed"
MODEL_UNUSABLE = "model_unusable"
OVERLOAD = "overload"
TOTALS_SET_ASIDE = "totals_set_aside"


@callback
def report_totals(hass: HomeAssistant, aside: Path, reason: str) -> None:
    """Tell that saved totals were damaged and where they are now."""
    ir.async_create_issue(
        hass,
        DOMAIN,
        f"{TOTALS_SET_ASIDE}{aside.suffix}",
        is_fixable=True,
        is_persistent=True,
        severity=ir.IssueSeverity.ERROR,
        translation_key=TOTALS_SET_ASIDE,
        translation_placeholders={"file": str(aside), "reason": reason},
    )


@callback
def report_model(hass: HomeAssistant, entry: ConfigEntry, reason: str | None) -> None:
    """Tell that the model of a folder cannot be used, or that it can: no reason."""
    if reason is None or CONF_MODEL not in entry.data:
        ir.async_delete_issue(hass, DOMAIN, MODEL_UNUSABLE)
        return
    ir.async_create_issue(
        hass,
        DOMAIN,
        MODEL_UNUSABLE,
        data={"entry_id": entry.entry_id},
        is_fixable=True,
        severity=ir.IssueSeverity.ERROR,
        translation_key=MODEL_UNUSABLE,
        translation_placeholders={"reason": reason},
    )


@callback
def report_rejected(hass: HomeAssistant, entry: ConfigEntry, engine: Engine) -> list[str]:
    """Tell which accelerators are here and not used.

    Returns
    -------
    list of str
        Those that nobody was told of before.
    """
    rejected = dict(engine.rejected)  # the worker may add to it meanwhile
    _keep(hass, ACCELERATOR_REJECTED, set(rejected))
    used = (name for name in engine.runtime_name.split(", ") if name not in rejected)
    runtime = next(used, "numpy")
    told_now = []
    for name, reason in rejected.items():
        issue = f"{ACCELERATOR_REJECTED}_{name}"
        known = ir.async_get(hass).async_get_issue(DOMAIN, issue)
        if known is None or not known.active:
            told_now.append(name)
        ir.async_create_issue(
            hass,
            DOMAIN,
            issue,
            data={"entry_id": entry.entry_id, "runtime": runtime},
            is_fixable=True,
            severity=ir.IssueSeverity.WARNING,
            translation_key=ACCELERATOR_REJECTED,
            translation_placeholders={"name": name, "reason": reason, "runtime": runtime},
        )
    return told_now


@callback
def report_camera(
    hass: HomeAssistant, entry: ConfigEntry, camera: ConfigSubentry, *, delivers: bool
) -> None:
    """Tell that a camera without a frame is gone from Home Assistant, or that it is back."""
    issue = f"{CAMERA_REMOVED}_{camera.subentry_id}"
    entity_id = camera.data[CONF_CAMERA]
    if delivers or er.async_get(hass).async_get(entity_id) or hass.states.get(entity_id):
        ir.async_delete_issue(hass, DOMAIN, issue)
        return
    ir.async_create_issue(
        hass,
        DOMAIN,
        issue,
        data={"entry_id": entry.entry_id, "subentry_id": camera.subentry_id},
        is_fixable=True,
        severity=ir.IssueSeverity.WARNING,
        translation_key=CAMERA_REMOVED,
        translation_placeholders={"camera": camera.title, "entity": entity_id},
    )


@callback
def report_overload(hass: HomeAssistant, entry: ConfigEntry, load: Load, now: datetime) -> None:
    """Tell of an overload that lasts; only at home, for it tells of the faces in view."""
    known = ir.async_get(hass).async_get_issue(DOMAIN, OVERLOAD)
    told = known is not None and known.active
    if load.lasting(now) and not told:
        ir.async_create_issue(
            hass,
            DOMAIN,
            OVERLOAD,
            data={"entry_id": entry.entry_id, "stretch": load.stretch},
            is_fixable=True,
            severity=ir.IssueSeverity.WARNING,
            translation_key=OVERLOAD,
            translation_placeholders={
                "load": f"{load.figure:.0%}",
                "stretch": f"{load.stretch:.1f}",
            },
        )
    # Who accepted it once is not asked again after the next crowd.
    elif known and told and not load.overloaded and not known.dismissed_version:
        ir.async_delete_issue(hass, DOMAIN, OVERLOAD)


@callback
def keep_cameras(hass: HomeAssistant, entry: ConfigEntry) -> None:
    """Say no more of cameras that are not watched any more."""
    _keep(hass, CAMERA_REMOVED, set(entry.subentries))


@callback
def withdraw_all(hass: HomeAssistant) -> None:
    """Leave no issue behind."""
    _keep(hass, "", set())


def _keep(hass: HomeAssistant, kind: str, which: set[str]) -> None:
    """Delete the issues of a kind except of some."""
    for domain, issue in tuple(ir.async_get(hass).issues):
        if domain == DOMAIN and issue.startswith(kind) and issue[len(kind) + 1 :] not in which:
            ir.async_delete_issue(hass, DOMAIN, issue)
