"""The one thread on which models are loaded and frames are analysed, in turns."""

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from time import monotonic, perf_counter
from typing import Any

from homeassistant.core import HomeAssistant
from homeassistant.util import dt as dt_util

from .const import CONF_MODEL, CONF_RUNTIME, DOMAIN
from .vision.artefact import ArtefactError
from .vision.engine import Engine
from .vision.load import Load
from .vision.tracker import Scene
from .vision.watch import Watch


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
    """A single thread of our own, on which cameras take turns.

    Home Assistant's own executor would run the cameras beside one another and
    starve every other integration of its threads. Turns go by arrival, and of each
    camera one frame waits, the newest: however slow the machine, nothing piles up.

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
        self._turn = asyncio.Lock()  # wakes those who wait in the order they came
        self._waiting: dict[Watch, Callable[[], Look]] = {}
        self._engine: Engine | None = None
        self.load = Load()
        """How much of its time the cameras take; they report it."""

    async def async_load(self) -> Engine:
        """Load the model and the face detector, once for all cameras.

        Raises
        ------
        ArtefactError
            If the model folder is damaged, or outside of the folders that Home Assistant may
            read; the message names the file and the fix.
        PluginError
            If no runtime has the name that is set.
        """
        self._engine = engine = await self._async_call(self._load)
        return engine

    def _load(self) -> Engine:
        folder = self._settings.get(CONF_MODEL)
        if folder and not self._is_allowed(folder):
            raise ArtefactError(
                f"Home Assistant may not read {folder!r:.200}: add the folder that the model is in "
                "to allowlist_external_dirs in configuration.yaml, and restart"
            )
        return Engine.load(Path(folder) if folder else None, runtime=self._settings[CONF_RUNTIME])

    def _is_allowed(self, folder: str) -> bool:
        with suppress(OSError, ValueError):  # no file can be called so
            return self._hass.config.is_allowed_path(folder)
        return False

    async def async_look(self, watch: Watch, frame: bytes) -> Look | None:
        """Let a camera's watch take in an encoded frame when its turn comes.

        Returns
        -------
        Look or None
            None if an earlier call, still waiting for the camera's turn, took this frame
            in place of its own: whoever is counted with it is in that call's look.

        Raises
        ------
        FrameError
            If the frame cannot be decoded; the message says what was wrong.
        """
        self._waiting[watch] = partial(
            _look, watch, frame, taken=dt_util.utcnow(), time=monotonic()
        )
        del frame  # it can be replaced and is not to be held by who waits
        async with self._turn:
            newest = self._waiting.pop(watch, None)
            return await self._async_call(newest) if newest else None

    async def async_take_turn[T](self, job: Callable[[], T]) -> T:
        """Run something else that needs the engine or a watch, when its turn comes."""
        async with self._turn:
            return await self._async_call(job)

    async def async_shutdown(self, *_: object) -> None:
        """Finish the frame in hand, end the thread and free the models.

        The engine itself may live on for a dozen reloads: a look that was cancelled holds it
        until the garbage collector comes.
        """
        self._waiting.clear()
        await self._hass.async_add_executor_job(
            partial(self._executor.shutdown, cancel_futures=True)
        )
        if self._engine:
            self._engine.close()
            self._engine = None

    def _async_call[T](self, job: Callable[[], T]) -> asyncio.Future[T]:
        return self._hass.loop.run_in_executor(self._executor, job)


def _look(watch: Watch, frame: bytes, *, taken: datetime, time: float) -> Look:
    start = perf_counter()
    scene = watch.look(frame, time)
    return Look(scene, taken, (perf_counter() - start) * 1000)
