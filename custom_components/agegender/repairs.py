"""How what the repairs tell is put right, once the user has said so."""

from math import ceil
from typing import TYPE_CHECKING, override

from homeassistant.components.repairs import ConfirmRepairFlow, RepairsFlow
from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant
from homeassistant.helpers import issue_registry as ir

from .const import CONF_INTERVAL, CONF_MODEL, CONF_RUNTIME, DOMAIN, LONGEST_INTERVAL
from .issues import ACCELERATOR_REJECTED, CAMERA_REMOVED, MODEL_UNUSABLE, OVERLOAD

if TYPE_CHECKING:
    from homeassistant.components.repairs import RepairsFlowResult


class _Flow(RepairsFlow):
    """Knows which entry the issue is about, and fills in what it tells."""

    def _entry(self) -> ConfigEntry:
        assert self.data  # noqa: S101  all our issues with a choice have it
        return self.hass.config_entries.async_get_known_entry(str(self.data["entry_id"]))

    def _menu(self, *options: str) -> RepairsFlowResult:
        issue = ir.async_get(self.hass).async_get_issue(DOMAIN, self.issue_id)
        return self.async_show_menu(
            step_id="init",
            menu_options=list(options),
            description_placeholders=issue.translation_placeholders if issue else None,
        )


class RemoveCamera(_Flow, ConfirmRepairFlow):
    """Watch a camera no longer that is gone from Home Assistant."""

    @override
    async def async_step_confirm(
        self, user_input: dict[str, str] | None = None
    ) -> RepairsFlowResult:
        """Remove its device and its entities with it."""
        assert self.data  # noqa: S101
        camera, entry = str(self.data["subentry_id"]), self._entry()
        if user_input is not None and camera in entry.subentries:
            self.hass.config_entries.async_remove_subentry(entry, camera)
        return await super().async_step_confirm(user_input)


class UseWhatWorks(_Flow, ConfirmRepairFlow):
    """Go on with the runtime that took the place of a failing one."""

    @override
    async def async_step_confirm(
        self, user_input: dict[str, str] | None = None
    ) -> RepairsFlowResult:
        """Choose it in the settings, so that the other one is not tried again."""
        assert self.data  # noqa: S101
        if user_input is not None:
            entry, runtime = self._entry(), self.data["runtime"]
            self.hass.config_entries.async_update_entry(
                entry, data={**entry.data, CONF_RUNTIME: runtime}
            )
        return await super().async_step_confirm(user_input)


class ReplaceModel(_Flow):
    """Do without a model that cannot be used, or try it once more."""

    async def async_step_init(self, _: dict[str, str] | None = None) -> RepairsFlowResult:
        """Let the user choose."""
        return self._menu("bundled_model", "try_again")

    async def async_step_bundled_model(self, _: dict[str, str] | None = None) -> RepairsFlowResult:
        """Take the model that comes with the integration."""
        entry = self._entry()
        settings = {name: value for name, value in entry.data.items() if name != CONF_MODEL}
        self.hass.config_entries.async_update_entry(entry, data=settings)
        return await self.async_step_try_again()

    async def async_step_try_again(self, _: dict[str, str] | None = None) -> RepairsFlowResult:
        """Load the engine again; if that fails, the issue comes back."""
        # After this flow, whose end deletes the issue: it could be back before.
        self.hass.loop.call_soon(
            self.hass.config_entries.async_schedule_reload, self._entry().entry_id
        )
        return self.async_create_entry(data={})


class RelieveWorker(_Flow):
    """Ask for fewer frames, or accept that intervals are stretched while much happens."""

    async def async_step_init(self, _: dict[str, str] | None = None) -> RepairsFlowResult:
        """Let the user choose."""
        return self._menu("longer_interval", "accept")

    async def async_step_longer_interval(
        self, _: dict[str, str] | None = None
    ) -> RepairsFlowResult:
        """Set, for good, the intervals that the worker can keep up with."""
        assert self.data  # noqa: S101
        entry, stretch = self._entry(), float(self.data["stretch"] or 1)
        for camera in tuple(entry.subentries.values()):
            interval = min(LONGEST_INTERVAL, ceil(camera.data[CONF_INTERVAL] * stretch))
            self.hass.config_entries.async_update_subentry(
                entry, camera, data={**camera.data, CONF_INTERVAL: interval}
            )
        return self.async_create_entry(data={})

    async def async_step_accept(self, _: dict[str, str] | None = None) -> RepairsFlowResult:
        """Ignore the issue, now and whenever it would come back."""
        ir.async_ignore_issue(self.hass, DOMAIN, self.issue_id, ignore=True)
        # Finished otherwise, the flow would delete the issue, and forget that.
        return self.async_abort(reason="accepted")


_FLOWS: dict[str | None, type[RepairsFlow]] = {
    ACCELERATOR_REJECTED: UseWhatWorks,
    CAMERA_REMOVED: RemoveCamera,
    MODEL_UNUSABLE: ReplaceModel,
    OVERLOAD: RelieveWorker,
}


async def async_create_fix_flow(
    hass: HomeAssistant,
    issue_id: str,
    data: dict[str, str | int | float | None] | None,  # noqa: ARG001  the flow gets it itself
) -> RepairsFlow:
    """Return what puts an issue right; of damaged totals the user is just told."""
    issue = ir.async_get(hass).async_get_issue(DOMAIN, issue_id)
    return _FLOWS.get(issue.translation_key if issue else None, ConfirmRepairFlow)()
