"""A look at a camera before it is saved: whether it delivers, and what is found."""

from dataclasses import dataclass
from functools import partial
from time import perf_counter

from homeassistant.components.camera import async_get_image
from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant

from .const import FRAME_TIMEOUT
from .privacy import privacy_mode
from .vision.frame import decode
from .vision.privacy import Home
from .vision.watch import Watch, WatchSettings
from .worker import Worker


@dataclass(frozen=True, slots=True)
class Trial:
    """What one frame showed.

    Parameters
    ----------
    width, height
        Of the frame, in pixels.
    faces
        How many were found; None in public.
    milliseconds
        From the encoded frame to the faces; None in public.
    """

    width: int
    height: int
    faces: int | None = None
    milliseconds: float | None = None


async def async_try(
    hass: HomeAssistant, entry: ConfigEntry, camera: str, settings: WatchSettings
) -> Trial:
    """Fetch one frame and look at it; nobody is counted.

    In public the frame is decoded and no face is looked for: the number would tell who is
    there right now, and so would the time that it takes.

    Parameters
    ----------
    hass
        The running Home Assistant.
    entry
        The config entry of the engine; it need not be loaded.
    camera
        Entity id.
    settings
        How the camera would be watched.

    Raises
    ------
    Exception
        Whatever the camera's integration raises.
    FrameError
        The frame cannot be decoded.
    ArtefactError, PluginError
        The engine cannot be loaded.
    """
    frame = (await async_get_image(hass, camera, timeout=FRAME_TIMEOUT)).content
    if not isinstance(privacy_mode(entry.data), Home):
        return await hass.async_add_executor_job(_decode, frame)
    # An engine of its own: that of the entry may be unloaded at any moment.
    worker = Worker(hass, entry.data)
    try:
        watch = Watch(await worker.async_load(), settings)
        return await worker.async_take_turn(partial(_examine, watch, frame))
    finally:
        await worker.async_shutdown()


def _decode(frame: bytes) -> Trial:
    height, width = decode(frame).shape[:2]
    return Trial(width, height)


def _examine(watch: Watch, frame: bytes) -> Trial:
    start = perf_counter()
    faces = len(watch.examine(frame))
    seconds = perf_counter() - start
    height, width = decode(frame).shape[:2]
    return Trial(width, height, faces, seconds * 1000)
