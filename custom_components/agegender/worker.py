"""The one thread on which models are loaded and frames are analysed."""

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from time import monotonic, perf_counter
from typing import Any

from homeassistant.core import HomeAssistant
from homeassistant.util import dt as dt_util

from .const import (
    CONF_MODEL,
    CONF_RUNTIME,
    DEFAULT_MIN_FACE_SIZE,
    DOMAIN,
    FRAME_MAX_SIDE,
)
from .vision.census import AgeBands, Counts, count
from .vision.engine import Engine
from .vision.frame import decode
from .vision.tracker import Scene
from .vision.watch import Watch


@dataclass(frozen=True, slots=True)
class Reading:
    """What is kept of one frame: numbers.

    Parameters
    ----------
    counts
        People in view, by age band and by gender.
    taken
        When the camera delivered the frame, in UTC.
    processing_ms
        Milliseconds from the encoded frame to the counts.
    """

    counts: Counts
    taken: datetime
    processing_ms: float


@dataclass(frozen=True, slots=True)
class Look:
    """What is kept of one frame.

    Parameters
    ----------
    scene
        Who is in view, and who is counted with this frame.
    taken
        When the camera delivered the frame, in UTC.
    processing_ms
        Milliseconds from the encoded frame to the scene.
    """

    scene: Scene
    taken: datetime
    processing_ms: float


class Worker:
    """A single thread of our own, so that cameras take turns.

    Home Assistant's own executor would run the cameras beside one another and
    starve every other integration of its threads.

    Parameters
    ----------
    hass
        The running Home Assistant.
    settings
        Data of the config entry: which model and runtime to load.
    """

    def __init__(self, hass: HomeAssistant, settings: Mapping[str, Any]) -> None:
        """Create the worker; its thread starts with the first call."""
        self._hass = hass
        self._settings = settings
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix=DOMAIN)

    async def async_load(self, min_face_size: int = DEFAULT_MIN_FACE_SIZE) -> Engine:
        """Load the model and the face detector, once for all cameras.

        Raises
        ------
        ArtefactError
            If the model folder is damaged; the message names the file and the fix.
        PluginError
            If the runtime does not exist or does not load here.
        """
        folder = self._settings.get(CONF_MODEL)
        return await self._async_call(
            partial(
                Engine.load,
                Path(folder) if folder else None,
                runtime=self._settings[CONF_RUNTIME],
                min_face_size=min_face_size,
            )
        )

    async def async_read(self, engine: Engine, bands: AgeBands, frame: bytes) -> Reading:
        """Count the people in an encoded frame.

        Raises
        ------
        FrameError
            If the frame cannot be decoded; the message says what was wrong.
        """
        return await self._async_call(partial(_read, engine, bands, frame, dt_util.utcnow()))

    async def async_look(self, watch: Watch, frame: bytes) -> Look:
        """Let a camera's watch take in an encoded frame.

        Raises
        ------
        FrameError
            If the frame cannot be decoded; the message says what was wrong.
        """
        return await self._async_call(
            partial(_look, watch, frame, taken=dt_util.utcnow(), time=monotonic())
        )

    async def async_shutdown(self, *_: object) -> None:
        """Finish the frame in hand and end the thread."""
        await self._hass.async_add_executor_job(
            partial(self._executor.shutdown, cancel_futures=True)
        )

    def _async_call[T](self, job: Callable[[], T]) -> asyncio.Future[T]:
        return self._hass.loop.run_in_executor(self._executor, job)


def _read(engine: Engine, bands: AgeBands, frame: bytes, taken: datetime) -> Reading:
    start = perf_counter()
    people = engine.analyze(decode(frame, enough=FRAME_MAX_SIDE))
    counts = count([estimate for _, estimate in people], bands)
    return Reading(counts, taken, (perf_counter() - start) * 1000)


def _look(watch: Watch, frame: bytes, *, taken: datetime, time: float) -> Look:
    start = perf_counter()
    scene = watch.look(frame, time)
    return Look(scene, taken, (perf_counter() - start) * 1000)
