"""The node itself: looks in turn, lets time pass, keeps the totals, and tells."""

from __future__ import annotations

import fcntl
import logging
import os
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime
from time import monotonic, perf_counter
from zoneinfo import ZoneInfo

from agegender_vision import totals
from agegender_vision.artefact import ArtefactError
from agegender_vision.census import Census, children_present
from agegender_vision.engine import Engine
from agegender_vision.plugins import PluginError
from agegender_vision.privacy import Home, Mode, Publication
from agegender_vision.watch import Watch, WatchSettings
from trainer.errors import InputError
from trainer.watch.entities import Health, Reading
from trainer.watch.publisher import Publisher
from trainer.watch.settings import CameraSettings, Settings, redacted
from trainer.watch.source import PATIENCE, Frame, Grabber

LOGGER = logging.getLogger(__name__)

BEAT = 0.5
"""Seconds between two glances at the clock."""


@dataclass(slots=True, eq=False)
class _Camera:
    """One camera: who is before it, and what was counted."""

    settings: CameraSettings
    grabber: Grabber
    watch: Watch
    census: Census
    shown: Publication
    children: bool | None = None
    health: Health | None = None
    due: float = 0.0  # monotonic seconds
    seen: float = field(default_factory=monotonic)
    available: bool | None = None

    def reading(self) -> Reading:
        return Reading(self.shown, self.children, self.health)


class Node:
    """Watches cameras and tells a broker, until it is stopped.

    Three threads share the work, besides one for each camera's frames: one looks at
    frames, one speaks with the broker, and the one that calls `run` follows the clock. So
    a window of time ends by the clock alone, however long a look takes.

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
        self._path = settings.state.expanduser() / f"{settings.id}.json"
        self._claim()
        try:
            engine = Engine.load(settings.model, runtime=settings.runtime)
        except (ArtefactError, PluginError) as error:
            raise InputError(str(error)) from error
        for name, reason in engine.rejected.items():
            LOGGER.warning("The runtime %s is not used: %s", name, reason)
        self._publisher = Publisher(settings, engine.model_name)
        self._cameras = self._load(engine)
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

    def _load(self, engine: Engine) -> dict[str, _Camera]:
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
                Grabber(camera.source, f"camera {key}"),
                Watch(
                    engine, WatchSettings(min_face_size=camera.min_face_size, region=camera.region)
                ),
                censuses[key],
                self._mode.publish(censuses[key], None),
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
        self._save()
        looking = threading.Thread(target=self._look_in_turn, name="looks")
        for key, camera in self._cameras.items():
            self._publisher.show(key, camera.reading())
            camera.grabber.start()
        self._publisher.start()
        looking.start()
        minute = self._now().replace(second=0, microsecond=0)
        try:
            while not self._over.wait(BEAT):
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
                camera.grabber.stop()
            self._publisher.stop()

    def _look_in_turn(self) -> None:
        cameras = list(self._cameras.items())
        while True:
            key, camera = min(cameras, key=lambda item: item[1].due)
            if self._over.wait(max(0.0, camera.due - monotonic())):
                return
            # A slow machine makes looks rarer, never a queue of them.
            camera.due = max(camera.due + camera.settings.interval, monotonic())
            if frame := camera.grabber.take():
                camera.seen = monotonic()
                self._look(key, camera, frame)
            elif monotonic() - camera.seen > PATIENCE + camera.settings.interval:
                self._set_available(key, camera, camera.grabber.problem)

    def _look(self, key: str, camera: _Camera, frame: Frame) -> None:
        start = perf_counter()
        taken = datetime.now(UTC)
        try:
            scene = camera.watch.look(frame.image(), frame.taken)
        except Exception as error:  # noqa: BLE001  (one bad frame must not end the year)
            self._set_available(key, camera, f"{type(error).__name__}: {error}")
            return
        processing_ms = (perf_counter() - start) * 1000
        with self._lock:
            self._advance(camera, self._mode.advance(camera.census, scene.counted, self._now()))
            # Shown by a look, a window would tell by the moment how long the look took.
            if isinstance(self._mode, Home):
                camera.shown = self._mode.publish(camera.census, scene.present)
                camera.children = children_present(scene.present)
                camera.health = Health(taken, processing_ms)
                self._publisher.show(key, camera.reading())
        self._set_available(key, camera, None)

    def _tick(self, now: datetime) -> None:
        """Let time pass, and show what it changed."""
        with self._lock:
            changed = []
            for key, camera in self._cameras.items():
                self._advance(camera, self._mode.advance(camera.census, (), now))
                shown = self._mode.publish(camera.census, None)
                if isinstance(self._mode, Home):
                    camera.shown = Publication(camera.shown.current, shown.today)
                    self._publisher.show_health(key, camera.reading())
                elif shown == camera.shown:
                    continue
                else:
                    camera.shown = shown
                changed.append((key, camera.reading()))
        if changed and not isinstance(self._mode, Home):
            # Else a crash might bring the window back, to be published again with fewer
            # people: the two could be subtracted.
            self._save()
        for key, reading in changed:
            self._publisher.show(key, reading)

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

    def _save(self) -> None:
        """Save the totals; if that fails, say so once and try again later."""
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
