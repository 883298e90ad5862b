"""What the user is told in the repairs, and confirms there."""

from homeassistant.components.repairs import ConfirmRepairFlow, RepairsFlow
from homeassistant.core import HomeAssistant


async def async_create_fix_flow(
    hass: HomeAssistant,  # noqa: ARG001  Home Assistant passes them
    issue_id: str,  # noqa: ARG001
    data: dict[str, str | int | float | None] | None,  # noqa: ARG001
) -> RepairsFlow:
    """Let the user confirm that totals were set aside; there is nothing else to do."""
    return ConfirmRepairFlow()
