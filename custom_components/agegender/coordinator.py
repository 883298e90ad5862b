"""From a camera's frames to what its entities show, one frame at a time."""

import asyncio
import logging
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import override

from homeassistant.components.camera import async_get_image
from homeassistant.config_entries import ConfigEntry, ConfigSubentry
from homeassistant.const import STATE_OFF
from homeassistant.core import (
    CALLBACK_TYPE,
    Event,
    EventStateChangedData,
    HomeAssistant,
    State,
    callback,
)
from homeassistant.helpers.event import (
    async_call_later,
    async_track_state_change_event,
    async_track_time_change,
)
from homeassistant.helpers.update_coordinator import DataUpdateCoordinator, UpdateFailed
from homeassistant.util import dt as dt_util

from .const import (
    CONF_INTERVAL,
    CONF_MOTION_SECONDS,
    CONF_MOTION_SENSOR,
    DOMAIN,
    FRAME_TIMEOUT,
    LOGGER,
)
from .issues import report_camera, report_overload, report_rejected
from .store import TotalsStore
from .subentry import camera_entity
from .vision.census import Census, Counts, children_present, count
from .vision.engine import Engine
from .vision.evidence import UNJUDGED
from .vision.frame import FrameError
from .vision.load import Load
from .vision.privacy import Home, Mode, Publication
from .vision.reading import Live, Reading, Status
from .vision.tracker import Tracker
from .vision.watch import Watch
from .worker import Look, Worker

PUBLIC_LOGGER = LOGGER.getChild("public")
PUBLIC_LOGGER.setLevel(logging.INFO)
"""The coordinator logs, for debugging, how long each frame took: with faces, longer."""


@dataclass(frozen=True, slots=True)
class RuntimeData:
    """What a loaded config entry holds.

    Parameters
    ----------
    engine
        The loaded model, for its name and licence.
    mode
        What may be seen.
    cameras
        One coordinator per camera, by the id of its subentry.
    load
        How busy they keep the worker.
    """

    engine: Engine
    mode: Mode
    cameras: dict[str, CameraCoordinator]
    load: Load


type AgeGenderConfigEntry = ConfigEntry[RuntimeData]


class CameraCoordinator(DataUpdateCoordinator[Reading]):
    """Fetches a frame of one camera and has the people in it counted.

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
    watch
        Follows the people before this camera.
    mode
        What may be seen.
    census
        What was counted so far.
    store
        Where the census is kept whenever it has changed.
    """

    config_entry: AgeGenderConfigEntry

    def __init__(
        self,
        hass: HomeAssistant,
        entry: AgeGenderConfigEntry,
        subentry: ConfigSubentry,
        *,
        worker: Worker,
        watch: Watch,
        mode: Mode,
        census: Census,
        store: TotalsStore,
    ) -> None:
        """Create the coordinator; it stays idle until it is started."""
        self.subentry = subentry
        self.camera_id = subentry.unique_id  # the subentry may get another camera
        self.census = census
        self.paused = False
        self._still = False
        self._stop_waiting: CALLBACK_TYPE | None = None
        self._worker = worker
        self._watch = watch
        self._mode = mode
        self._store = store
        self._shown = mode.publish(census, None)
        self._started = False
        super().__init__(
            hass,
            LOGGER if isinstance(mode, Home) else PUBLIC_LOGGER,
            config_entry=entry,
            name=camera_entity(hass, subentry),
            # In public not even when a frame was analysed is told.
            always_update=False,
        )

    @property
    def tracker(self) -> Tracker:
        """Who is in view: places and sums, no picture."""
        return self._watch.tracker

    async def async_start(self) -> None:
        """Take the first frame and go on at the camera's interval."""
        self._started = True
        # Time alone ends windows and days, also while the camera delivers nothing.
        self.config_entry.async_on_unload(
            async_track_time_change(self.hass, self._async_tick, second=0)
        )
        if sensor := self.subentry.data.get(CONF_MOTION_SENSOR):
            self.config_entry.async_on_unload(self._wait_no_more)
            self.config_entry.async_on_unload(
                async_track_state_change_event(self.hass, sensor, self._motion_changed)
            )
            # The start is as good as motion: the camera shows that it delivers.
            self._follow_motion(self.hass.states.get(sensor))
        if not self.paused:
            await self.async_refresh()

    @override
    async def async_shutdown(self) -> None:
        """Want no more frames."""
        await super().async_shutdown()
        self._still = True  # for a frame that is on its way

    @callback
    def _motion_changed(self, event: Event[EventStateChangedData]) -> None:
        old, new = event.data["old_state"], event.data["new_state"]
        if old is None or new is None or old.state != new.state:
            self._follow_motion(new)

    @callback
    def _follow_motion(self, sensor: State | None) -> None:
        """Look at once, or no more in a while; a sensor that cannot tell stops nothing."""
        self._wait_no_more()
        if sensor and sensor.state == STATE_OFF:
            self._stop_waiting = async_call_later(
                self.hass, self.subentry.data[CONF_MOTION_SECONDS], self._async_settle
            )
        elif self._still:
            self._still = False
            self._go_on()

    @callback
    def _wait_no_more(self) -> None:
        if self._stop_waiting:
            self._stop_waiting()
            self._stop_waiting = None

    async def _async_settle(self, _: datetime) -> None:
        """Rest until the motion sensor turns on."""
        self._stop_waiting = None
        self._still = True
        await self._async_stop()

    @property
    def resting(self) -> bool:
        """Whether no frames are wanted: somebody paused the camera, or nothing moves."""
        return self.paused or self._still

    async def async_pause(self) -> None:
        """Ask for no more frames; nobody is in view then, and who has not voted yet votes."""
        self.paused = True
        await self._async_stop()

    async def _async_stop(self) -> None:
        self.update_interval = None
        self._unschedule_refresh()
        self._rest()
        scene = await self._worker.async_take_turn(self._watch.finish)
        self._advance(self._mode.advance(self.census, scene.counted, dt_util.now()))
        # An outage does not end because nothing moves.
        if self.paused or (self._still and self.last_update_success):
            if not self.last_update_success:
                self.logger.info("%s is paused: whether it delivers is not known", self.name)
            self.async_set_updated_data(self._resting())

    @callback
    def resume(self) -> None:
        """Ask for frames again, at once."""
        self.paused = False
        self._go_on()

    @callback
    def _go_on(self) -> None:
        if self._started and not self.paused:
            self.config_entry.async_create_background_task(
                self.hass, self.async_refresh(), f"{self.name} first frame after a rest"
            )

    @property
    def status(self) -> Status:
        """What the camera is doing."""
        reading: Reading | None = self.data  # None before the first good frame
        return Status.of(
            self._mode,
            paused=self.paused,
            failing=not self.last_update_success,
            starting=reading is None,
            waiting=self._still,
            overloaded=self._worker.load.overloaded,
        )

    @override
    async def _async_update_data(self) -> Reading:
        try:
            reading = await self._async_read()
        except UpdateFailed:
            self._rest()
            # Meanwhile nobody wants a frame any more.
            if self.paused:
                return self._resting()
            report_camera(self.hass, self.config_entry, self.subentry, delivers=False)
            if not self._still:
                self._plan()
            raise
        if self.resting:
            return self._resting()
        report_camera(self.hass, self.config_entry, self.subentry, delivers=True)
        self._plan()
        return reading

    async def _async_read(self) -> Reading:
        """Fetch a frame and have it analysed, unless none is wanted."""
        try:
            looking = None
            if not self.resting:
                frame = await self._async_frame()
                # A pause may have begun while the camera took its time.
                if not self.resting:
                    looking = self._worker.async_look(self._watch, frame)
                del frame
            look = await looking if looking else None
        except FrameError as error:
            reason = str(error)
        else:
            # Without a look this frame was counted with another request's, or not wanted.
            return self._reading(look) if look else self.data
        # Not raised inside the handler: the coordinator keeps this exception, which
        # would keep the other, whose traceback keeps the frame.
        raise self._failure("frame_unusable", reason)

    async def _async_frame(self) -> bytes:
        try:
            camera = camera_entity(self.hass, self.subentry)
            image = await async_get_image(self.hass, camera, timeout=FRAME_TIMEOUT)
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

    def _reading(self, look: Look) -> Reading:
        present = look.scene.present
        self._note(look)
        self._advance(self._mode.advance(self.census, look.scene.counted, dt_util.now()))
        if isinstance(self._mode, Home):
            self._shown = self._mode.publish(self.census, present)
            live = Live(
                children_present(present),
                look.taken,
                look.processing_ms,
                self._worker.load.frames_per_minute(self.subentry.subentry_id),
            )
            return Reading(self._shown, live)
        # Shown by a frame, a window would tell by the moment how long the frame took.
        return Reading(self._shown)

    def _resting(self) -> Reading:
        """Return what is shown while no frames are wanted."""
        if not isinstance(self._mode, Home):
            return Reading(self._shown)
        # Where nothing moves is nobody; of a paused camera that is not known.
        self._shown = self._mode.publish(self.census, None if self.paused else ())
        last: Reading | None = self.data  # None before the first good frame
        if self.paused or last is None or last.live is None:
            return Reading(self._shown)
        return Reading(self._shown, replace(last.live, children=False, frames_per_minute=None))

    def _rest(self) -> None:
        """Take no part in the load while there are no frames."""
        load, now = self._worker.load, dt_util.utcnow()
        overloaded = load.overloaded
        load.drop(self.subentry.subentry_id, now)
        self._tell_load(overloaded, now)

    def _note(self, look: Look) -> None:
        """Take in what a frame took, and tell what of it somebody has to know."""
        load, overloaded = self._worker.load, self._worker.load.overloaded
        load.add(
            self.subentry.subentry_id,
            look.processing_ms / 1000,
            self.subentry.data[CONF_INTERVAL],
            look.taken,
        )
        engine = self.config_entry.runtime_data.engine
        if engine.rejected:
            for name in report_rejected(self.hass, self.config_entry, engine):
                LOGGER.warning(
                    "%s is not used any more: %s; the networks run on %s",
                    name,
                    engine.rejected[name],
                    engine.runtime_name,
                )
        self._tell_load(overloaded, look.taken)

    def _tell_load(self, overloaded: bool, now: datetime) -> None:
        """Tell that an overload began, lasts or is over, given whether there was one before."""
        # In public not even this: with faces, a frame takes longer.
        if not isinstance(self._mode, Home):
            return
        load = self._worker.load
        report_overload(self.hass, self.config_entry, load, now)
        if load.overloaded and not overloaded:
            LOGGER.warning(
                "The cameras need %.0f %% of the time there is: frames are taken less often",
                100 * load.figure,
            )
        elif overloaded and not load.overloaded:
            LOGGER.info("There is time for every frame again")

    def _plan(self) -> None:
        """Have the next frame taken when the worker will have time for it."""
        seconds = self.subentry.data[CONF_INTERVAL] * self._worker.load.stretch
        self.update_interval = timedelta(seconds=seconds)

    async def async_examine(self) -> Counts:
        """Count the faces of one frame by itself: nobody is followed, and no total changes.

        Raises
        ------
        UpdateFailed
            The camera delivers nothing.
        FrameError
            The frame cannot be decoded.
        """
        job = partial(self._watch.examine, await self._async_frame())
        faces = await self._worker.async_take_turn(job)
        return count((face.estimate or UNJUDGED for face in faces), self.census.bands)

    async def async_reset(self) -> None:
        """Begin today's totals anew."""
        self.census = self._mode.start(self.census.bands, dt_util.now())
        # Else a crash might bring those back who were shown as forgotten.
        await self._store.async_save()
        await self._async_tick(dt_util.now())

    @callback
    def hide_unsaved(self) -> None:
        """Show no window in public until the totals can be saved."""
        if not isinstance(self._mode, Home):
            self._shown = Publication(None, None, noisy=self._shown.noisy)

    async def _async_tick(self, now: datetime) -> None:
        """Let time pass, and show what it changed."""
        self._advance(self._mode.advance(self.census, (), dt_util.as_local(now)))
        shown = self._mode.publish(self.census, None)
        if isinstance(self._mode, Home):
            shown = replace(shown, current=self._shown.current)
        elif shown != self._shown and not await self._store.async_save():
            # A crash might bring the window back, to be published again with fewer
            # people: the two could be subtracted. The next minute tries again.
            return
        if shown == self._shown:
            return
        self._shown = shown
        last: Reading | None = self.data  # None before the first good frame
        if last:
            self.data = replace(last, shown=shown)
            self.async_update_listeners()

    def _advance(self, census: Census) -> None:
        if census != self.census:
            self.census = census
            self._store.schedule()
