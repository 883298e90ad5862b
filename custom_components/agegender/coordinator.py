"""From a camera's frames to readings, one frame at a time."""

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from typing import override

from homeassistant.components.camera import async_get_image
from homeassistant.config_entries import ConfigEntry, ConfigSubentry
from homeassistant.core import HomeAssistant
from homeassistant.helpers.update_coordinator import DataUpdateCoordinator, UpdateFailed

from .const import CONF_CAMERA, CONF_INTERVAL, DOMAIN, FRAME_TIMEOUT, LOGGER
from .vision.census import AgeBands
from .vision.engine import Engine
from .vision.frame import FrameError
from .worker import Reading, Worker


@dataclass(frozen=True, slots=True)
class RuntimeData:
    """What a loaded config entry holds.

    Parameters
    ----------
    engine
        The loaded model, for its name and licence.
    bands
        Age bands that people are counted in.
    cameras
        One coordinator per camera, by the id of its subentry.
    """

    engine: Engine
    bands: AgeBands
    cameras: dict[str, CameraCoordinator]


type AgeGenderConfigEntry = ConfigEntry[RuntimeData]


class CameraCoordinator(DataUpdateCoordinator[Reading]):
    """Fetches a frame of one camera and has it counted.

    The next frame is fetched only when this one is done: a slow machine or a busy
    worker makes readings rarer, never a queue.

    Parameters
    ----------
    hass
        The running Home Assistant.
    entry
        The config entry of the engine.
    subentry
        The config subentry of the camera.
    worker
        Where frames are analysed.
    engine
        The engine that looks for faces of this camera's smallest size.
    bands
        Age bands that people are counted in.
    """

    config_entry: AgeGenderConfigEntry

    def __init__(
        self,
        hass: HomeAssistant,
        entry: AgeGenderConfigEntry,
        subentry: ConfigSubentry,
        *,
        worker: Worker,
        engine: Engine,
        bands: AgeBands,
    ) -> None:
        """Create the coordinator; it stays idle until it is started."""
        self.subentry = subentry
        self._worker = worker
        self._engine = engine
        self._bands = bands
        super().__init__(hass, LOGGER, config_entry=entry, name=subentry.data[CONF_CAMERA])

    async def async_start(self) -> None:
        """Take the first frame and go on at the camera's interval."""
        self.update_interval = timedelta(seconds=self.subentry.data[CONF_INTERVAL])
        await self.async_refresh()

    @override
    async def _async_update_data(self) -> Reading:
        try:
            return await self._worker.async_read(
                self._engine, self._bands, await self._async_frame()
            )
        except FrameError as error:
            reason = str(error)
        # Not raised inside the handler: the coordinator keeps this exception, which
        # would keep the other, whose traceback keeps the frame.
        raise self._failure("frame_unusable", reason)

    async def _async_frame(self) -> bytes:
        try:
            image = await async_get_image(self.hass, self.name, timeout=FRAME_TIMEOUT)
        # Cameras come from any integration and fail in any way; whatever it is, it is
        # the camera that is unavailable.
        except Exception as error:
            # async_get_image swallows the cancellation of an unload and reports a
            # failed camera instead.
            if (task := asyncio.current_task()) and task.cancelling():
                raise asyncio.CancelledError from error
            raise self._failure("camera_unavailable", str(error)) from error
        return image.content

    def _failure(self, key: str, reason: str) -> UpdateFailed:
        return UpdateFailed(
            translation_domain=DOMAIN,
            translation_key=key,
            translation_placeholders={"camera": self.name, "error": reason},
        )
