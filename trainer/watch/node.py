"""The node itself: looks in turn, lets time pass, keeps the totals, and tells."""

from __future__ import annotations

import fcntl
import logging
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from math import inf
from pathlib import Path
from time import monotonic, perf_counter
from zoneinfo import ZoneInfo

from agegender_vision import totals
from agegender_vision.artefact import ArtefactError
from agegender_vision.census import Census, children_present
from agegender_vision.engine import Engine
from agegender_vision.load import Load
from agegender_vision.plugins import PluginError
from agegender_vision.privacy import Home, Mode, Publication
from agegender_vision.reading import PAUSE, Live, Reading, Status
from agegender_vision.watch import Watch, WatchSettings
from trainer.errors import InputError
from trainer.watch.entities import OFF, ON, PRESS
from trainer.watch.publisher import Publisher
from trainer.watch.settings import CameraSettings, Settings, redacted
from trainer.watch.source import PATIENCE, Frame, Grabber

LOGGER = logging.getLogger(__name__)

BEAT = 0.5
"""Seconds between two glances at the clock."""


def _grabber(camera: CameraSettings) -> Grabber:
    return Grabber(camera.source, f"camera {camera.id}")


@dataclass(slots=True, eq=False)
class _Camera:
    """One camera: who is before it, and what was counted."""

    settings: CameraSettings
    grabber: Grabber
    watch: Watch
    census: Census
    shown: Publication
    marker: Path  # exists while the camera is paused
    live: Live | None = None
    due: float = 0.0  # monotonic seconds
    seen: float = field(default_factory=monotonic)
    available: bool | None = None  # None before the first frame
    paused: bool = False

    def reading(self) -> Reading:
        return Reading(self.shown, self.live)


class Node:
    """Watches cameras and tells a broker, until it is stopped.

    Three threads share the work, besides one for each camera's frames: one looks at
    frames, one speaks with the broker, and the one that calls `run` follows the clock and
    does what cameras are told. So a window of time ends by the clock alone, however long a
    look takes.

    Parameters
    ----------
    settings
        What to watch and whom to tell.

    Raises
    ------
    InputError
        The model, the totals or a certificate cannot be read, or a node of this name runs
        here already.
    """

    def __init__(self, settings: Settings) -> None:
        """Load the model and the totals."""
        self._settings = settings
        self._mode: Mode = settings.privacy.of()
        self._zone: ZoneInfo = settings.zone()
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._looking = threading.Lock()  # held during a look; taken before the other
        self._load = Load()
        # The newest command of a kind for each camera: however many come, none piles up.
        self._commands: dict[tuple[str, str], bytes] = {}
        self._path = settings.state.expanduser() / f"{settings.id}.json"
        self._claim()
        try:
            engine = Engine.load(settings.model, runtime=settings.runtime)
        except (ArtefactError, PluginError) as error:
            raise InputError(str(error)) from error
        for name, reason in engine.rejected.items():
            LOGGER.warning("The runtime %s is not used: %s", name, reason)
        self._publisher = Publisher(settings, engine.model_name, self._take_command)
        self._cameras = self._restore(engine)
        self._unsaved: float | None = None
        self._failing = False

    def _claim(self) -> None:
        """Make sure that nobody else counts into the same file."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            # Open, and so locked, as long as this process lives.
            self._claimed = os.open(self._path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o600)
            fcntl.flock(self._claimed, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError(
                f"{self._path}: another node keeps its totals there. Give this one a --name or "
                "a --state folder of its own."
            ) from None
        except OSError as error:
            raise InputError(
                f"{self._path.parent}: the totals cannot be kept there ({error.strerror}). "
                "Choose another --state folder."
            ) from error

    def _restore(self, engine: Engine) -> dict[str, _Camera]:
        cameras = {camera.id: camera for camera in self._settings.cameras}
        try:
            censuses, damage = totals.load(
                self._path,
                {key: camera.name for key, camera in cameras.items()},
                self._mode,
                self._settings.bands(),
                self._now(),
            )
        except OSError as error:
            raise InputError(
                f"{self._path}: the saved totals cannot be read ({error.strerror})."
            ) from error
        if damage:
            LOGGER.error(
                "The saved totals cannot be used and were set aside as %s: %s",
                damage.aside,
                damage.reason,
            )
        return {
            key: _Camera(
                camera,
                _grabber(camera),
                Watch(
                    engine, WatchSettings(min_face_size=camera.min_face_size, region=camera.region)
                ),
                censuses[key],
                self._mode.publish(censuses[key], None),
                self._path.with_suffix(f".{key}.paused"),
            )
            for key, camera in cameras.items()
        }

    def _now(self) -> datetime:
        return datetime.now(self._zone)

    def stop(self) -> None:
        """Have `run` return; safe in a signal handler."""
        self._over.set()

    def run(self) -> None:
        """Watch until `stop` is called; the totals are saved then."""
        # Before anything is told: a window that ended meanwhile must not end once more
        # after a crash. And what is not counted any more, in another mode, is gone.
        if not self._save() and not isinstance(self._mode, Home):
            for camera in self._cameras.values():
                camera.shown = Publication(None, None, noisy=camera.shown.noisy)
        looking = threading.Thread(target=self._look_in_turn, name="looks")
        for key, camera in self._cameras.items():
            if camera.marker.exists():
                self._rest(key, camera)
            else:
                self._show(key, camera)
                camera.grabber.start()
        self._publisher.start()
        looking.start()
        minute = self._now().replace(second=0, microsecond=0)
        try:
            while not self._over.wait(BEAT):
                self._obey()
                now = self._now()
                if now.replace(second=0, microsecond=0) != minute:
                    minute = now.replace(second=0, microsecond=0)
                    self._tick(now)
                if self._unsaved is not None and monotonic() >= self._unsaved + totals.SAVE_DELAY:
                    self._save()
        finally:
            self._over.set()
            looking.join(PATIENCE)
            self._save()
            for camera in self._cameras.values():
                if not camera.paused:
                    camera.grabber.stop()
            self._publisher.stop()

    def _take_command(self, camera: str, key: str, payload: bytes) -> None:
        with self._lock:
            self._commands[camera, key] = payload

    def _obey(self) -> None:
        """Do what cameras were told since the last time; what is no command is ignored."""
        with self._lock:
            commands, self._commands = self._commands, {}
        for (key, command), payload in commands.items():
            camera = self._cameras[key]
            if command == PAUSE.key:
                if payload == ON.encode() and not camera.paused:
                    self._pause(key, camera)
                elif payload == OFF.encode() and camera.paused:
                    self._resume(key, camera)
            elif payload == PRESS.encode():
                self._reset(camera)

    def _pause(self, key: str, camera: _Camera) -> None:
        """Take no more frames, also after a restart; who has not voted yet votes."""
        camera.grabber.stop()
        camera.grabber.take()  # no frame is kept meanwhile
        with self._looking:
            self._rest(key, camera)
        try:
            camera.marker.touch(0o600)
        except OSError as error:
            LOGGER.error(  # noqa: TRY400
                "%s is paused, but will not be after a restart: %s",
                camera.settings.name,
                error,
            )

    def _rest(self, key: str, camera: _Camera) -> None:
        camera.paused, camera.due = True, inf
        # A pause is no outage; whether there is one shows when it is over.
        camera.available, camera.live = True, None
        self._tell_load(lambda: self._load.drop(key, datetime.now(UTC)))
        with self._lock:
            scene = camera.watch.finish()
            self._advance(camera, self._mode.advance(camera.census, scene.counted, self._now()))
            if isinstance(self._mode, Home):
                camera.shown = self._mode.publish(camera.census, None)
            self._show(key, camera)
            self._publisher.show_available(key, True)

    def _resume(self, key: str, camera: _Camera) -> None:
        """Take frames again, at once."""
        camera.marker.unlink(missing_ok=True)
        camera.grabber = _grabber(camera.settings)
        camera.grabber.start()
        camera.paused, camera.seen, camera.due = False, monotonic(), monotonic()
        self._show(key, camera)

    def _reset(self, camera: _Camera) -> None:
        """Begin today's totals anew."""
        with self._lock:
            camera.census = self._mode.start(camera.census.bands, self._now())
        # Else a crash might bring those back who were shown as forgotten.
        self._save()
        self._tick(self._now())

    def _look_in_turn(self) -> None:
        cameras = list(self._cameras.items())
        while True:
            key, camera = min(cameras, key=lambda item: item[1].due)
            # Not longer than a beat: a camera may go on after a pause.
            if self._over.wait(min(BEAT, max(0.0, camera.due - monotonic()))):
                return
            with self._looking:
                if camera.due <= monotonic():
                    self._take_turn(key, camera)

    def _take_turn(self, key: str, camera: _Camera) -> None:
        # A slow machine makes looks rarer, never a queue of them.
        interval = camera.settings.interval * self._load.stretch
        camera.due = max(camera.due + interval, monotonic())
        if frame := camera.grabber.take():
            camera.seen = monotonic()
            self._look(key, camera, frame)
            return
        now = datetime.now(UTC)
        self._tell_load(lambda: self._load.idle(key, camera.settings.interval, now))
        if monotonic() - camera.seen > PATIENCE + interval:
            self._set_available(key, camera, camera.grabber.problem)

    def _look(self, key: str, camera: _Camera, frame: Frame) -> None:
        start = perf_counter()
        taken = datetime.now(UTC)
        try:
            scene = camera.watch.look(frame.image(), frame.taken)
        except Exception as error:  # noqa: BLE001  (one bad frame must not end the year)
            self._set_available(key, camera, f"{type(error).__name__}: {error}")
            return
        seconds = perf_counter() - start
        self._tell_load(lambda: self._load.add(key, seconds, camera.settings.interval, taken))
        with self._lock:
            self._advance(camera, self._mode.advance(camera.census, scene.counted, self._now()))
            # Shown by a look, a window would tell by the moment how long the look took.
            if isinstance(self._mode, Home):
                camera.shown = self._mode.publish(camera.census, scene.present)
                camera.live = Live(
                    children_present(scene.present),
                    taken,
                    seconds * 1000,
                    self._load.frames_per_minute(key),
                )
                self._show(key, camera)
        self._set_available(key, camera, None)

    def _tell_load(self, change: Callable[[], None]) -> None:
        """Log that the load became too much, or bearable again; in public it tells of faces."""
        before = self._load.overloaded
        change()
        if self._load.overloaded is before or not isinstance(self._mode, Home):
            return
        if before:
            LOGGER.info("There is time for every frame again")
        else:
            LOGGER.warning(
                "The cameras need %.0f %% of the time there is: frames are taken less often",
                100 * self._load.figure,
            )

    def _show(self, key: str, camera: _Camera) -> None:
        status = Status.of(
            self._mode,
            paused=camera.paused,
            failing=camera.available is False,
            starting=camera.available is None,
            waiting=False,
            overloaded=self._load.overloaded,
        )
        self._publisher.show(key, camera.reading(), status)

    def _tick(self, now: datetime) -> None:
        """Let time pass, and show what it changed."""
        over: dict[str, Publication] = {}  # windows that are
        with self._lock:
            for key, camera in self._cameras.items():
                self._advance(camera, self._mode.advance(camera.census, (), now))
                shown = self._mode.publish(camera.census, None)
                if isinstance(self._mode, Home):
                    camera.shown = Publication(camera.shown.current, shown.today)
                    self._publisher.show_health(key, camera.reading())
                    self._show(key, camera)
                elif shown != camera.shown:
                    over[key] = shown
        # Else a crash might bring the window back, to be published again with fewer people:
        # the two could be subtracted. The next minute tries again.
        if over and self._save():
            with self._lock:
                for key, shown in over.items():
                    self._cameras[key].shown = shown
                    self._show(key, self._cameras[key])

    def _advance(self, camera: _Camera, census: Census) -> None:
        if census != camera.census:
            camera.census = census
            if self._unsaved is None:
                self._unsaved = monotonic()

    def _set_available(self, key: str, camera: _Camera, problem: str | None) -> None:
        available = problem is None
        if camera.available is not available:
            if problem is not None:
                source = redacted(camera.settings.source)
                LOGGER.warning("%s (%s): %s", camera.settings.name, source, problem)
            elif camera.available is not None:
                LOGGER.info("%s delivers frames again", camera.settings.name)
            camera.available = available
            self._publisher.show_available(key, available)
            self._show(key, camera)

    def _save(self) -> bool:
        """Save the totals; if that fails, say so once, try again later and return False."""
        with self._lock:
            censuses = {key: camera.census for key, camera in self._cameras.items()}
            self._unsaved = None
        try:
            totals.save(self._path, censuses)
        except OSError as error:
            if not self._failing:
                LOGGER.error(  # noqa: TRY400
                    "The totals cannot be saved to %s, trying again and again: %s",
                    self._path,
                    error,
                )
            self._failing = True
            self._unsaved = monotonic()
        else:
            if self._failing:
                LOGGER.info("The totals are saved again")
            self._failing = False
        return not self._failing
