"""The totals of all cameras on disk: saved within seconds, and whatever goes wrong is told."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from pathlib import Path

from homeassistant.config_entries import ConfigSubentry
from homeassistant.const import EVENT_HOMEASSISTANT_FINAL_WRITE
from homeassistant.core import CALLBACK_TYPE, Event, HomeAssistant, callback
from homeassistant.helpers.event import async_call_later
from homeassistant.helpers.storage import STORAGE_DIR
from homeassistant.util import dt as dt_util

from .const import DOMAIN, LOGGER
from .issues import report_totals
from .vision import totals
from .vision.census import AgeBands, Census
from .vision.privacy import Mode
from .vision.totals import SAVE_DELAY


class TotalsStore:
    """A file in Home Assistant's storage folder: a census for each camera.

    Home Assistant's own `Store` would do, if it did not write a traceback to the log for
    every time that the disk is full.

    Parameters
    ----------
    hass
        The running Home Assistant.
    entry_id
        Of the config entry whose cameras these are.
    """

    def __init__(self, hass: HomeAssistant, entry_id: str) -> None:
        """Write nothing until `open` is called."""
        self._hass = hass
        self._path = Path(hass.config.path(STORAGE_DIR, f"{DOMAIN}.{entry_id}"))
        self._writing = asyncio.Lock()
        self._censuses: Callable[[], Mapping[str, Census]] = dict
        self._cancel_timer: CALLBACK_TYPE | None = None
        self._stop_listening: CALLBACK_TYPE | None = None
        self._failing = False

    async def async_load(
        self, cameras: Iterable[ConfigSubentry], mode: Mode, bands: AgeBands
    ) -> dict[str, Census]:
        """Return each camera's census as it was saved last, or one of nobody.

        A file that cannot be understood is set aside.

        Parameters
        ----------
        cameras
            Their config subentries.
        mode, bands
            Under which counting goes on.

        Raises
        ------
        OSError
            The file exists and cannot be read.
        """
        titles = {camera.subentry_id: camera.title for camera in cameras}
        censuses, damage = await self._hass.async_add_executor_job(
            totals.load, self._path, titles, mode, bands, dt_util.now()
        )
        if damage:
            self._report(damage)
        return censuses

    def _report(self, damage: totals.Damage) -> None:
        LOGGER.error(
            "The saved totals cannot be used and were set aside as %s: %s",
            damage.aside,
            damage.reason,
        )
        report_totals(self._hass, damage.aside, damage.reason)

    @callback
    def open(self, censuses: Callable[[], Mapping[str, Census]]) -> None:
        """Save from now on what ``censuses`` returns, when asked for and at the end."""
        self._censuses = censuses
        # Entries are not unloaded when Home Assistant stops.
        self._stop_listening = self._hass.bus.async_listen_once(
            EVENT_HOMEASSISTANT_FINAL_WRITE, self._async_final_write
        )

    @callback
    def schedule(self) -> None:
        """Have the totals saved within `SAVE_DELAY`."""
        if self._stop_listening and not self._cancel_timer:
            self._cancel_timer = async_call_later(self._hass, SAVE_DELAY, self._async_save_later)

    async def async_close(self) -> None:
        """Save what is not saved yet, for the last time."""
        if self._stop_listening:
            self._stop_listening()
            self._stop_listening = None
        if self._cancel_timer:
            await self.async_save()

    async def async_remove(self) -> None:
        """Delete the file, and those that were set aside."""
        await self._hass.async_add_executor_job(totals.remove, self._path)

    async def _async_final_write(self, _: Event) -> None:
        self._stop_listening = None
        await self.async_close()

    async def _async_save_later(self, _: datetime) -> None:
        await self.async_save()

    async def async_save(self) -> bool:
        """Save at once; if that fails, log it once, try again later and return False."""
        if self._cancel_timer:
            self._cancel_timer()
            self._cancel_timer = None
        async with self._writing:
            try:
                await self._hass.async_add_executor_job(totals.save, self._path, self._censuses())
            except OSError as error:
                if not self._failing:
                    LOGGER.error(
                        "The totals cannot be saved to %s, trying again and again: %s",
                        self._path,
                        error,
                    )
                self._failing = True
                self.schedule()
            else:
                if self._failing:
                    LOGGER.info("The totals are saved again")
                self._failing = False
            return not self._failing
