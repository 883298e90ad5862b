"""The one thread on which models are loaded and frames are analysed."""

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

from homeassistant.core import HomeAssistant
from homeassistant.util import dt as dt_util

from .const import CONF_MODEL, CONF_RUNTIME, DOMAIN, FRAME_MAX_SIDE
from .vision.census import AgeBands, Counts, count
from .vision.engine import Engine
from .vision.frame import decode


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

    async def async_load(self, min_face_size: int) -> Engine:
        """Load the model and the face detector.

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

    async def async_shutdown(self, *_: object) -> None:
        """Finish the frame in hand and end the thread."""
        await self._hass.async_add_executor_job(
            partial(self._executor.shutdown, cancel_futures=True)
        )

    def _async_call[T](self, job: Callable[[], T]) -> asyncio.Future[T]:
        return self._hass.loop.run_in_executor(self._executor, job)


def _read(engine: Engine, bands: AgeBands, frame: bytes, taken: datetime) -> Reading:
    start = perf_counter()
    people = engine.analyze(decode(frame, max_side=FRAME_MAX_SIDE))
    counts = count([estimate for _, estimate in people], bands)
    return Reading(counts, taken, (perf_counter() - start) * 1000)
