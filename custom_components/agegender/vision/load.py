"""How busy cameras keep the thread that looks, and how far intervals are stretched for it."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from statistics import fmean

TOO_MUCH = 0.8
"""Above this load intervals are stretched: the rest of the machine needs its turn, too."""
BEARABLE = 0.6
"""The load that is left then; below it intervals are what was set again."""
LASTING = timedelta(minutes=5)
"""An overload that lasts so long is no passing crowd."""
_FRAMES = 20  # of each camera that are averaged
_FEWEST = 5  # the first ones take longer and tell nothing


@dataclass(slots=True)
class _Camera:
    interval: float
    seconds: deque[float] = field(default_factory=lambda: deque(maxlen=_FRAMES))
    taken: deque[datetime] = field(default_factory=lambda: deque(maxlen=_FRAMES))


class Load:
    """The share of its time that one thread needs for all cameras at the intervals set."""

    def __init__(self) -> None:
        """Start with no camera."""
        self._cameras: dict[str, _Camera] = {}
        self._since: datetime | None = None

    @property
    def figure(self) -> float:
        """Sum over the cameras of mean processing time / interval; 1 is all of the time."""
        return sum(
            fmean(camera.seconds) / camera.interval
            for camera in self._cameras.values()
            if len(camera.seconds) >= _FEWEST
        )

    @property
    def overloaded(self) -> bool:
        """Whether intervals are stretched."""
        return self._since is not None

    @property
    def stretch(self) -> float:
        """What every interval is to be multiplied by, at least 1."""
        return max(1.0, self.figure / BEARABLE) if self.overloaded else 1.0

    def lasting(self, now: datetime) -> bool:
        """Tell whether there is an overload, and for `LASTING`."""
        return self._since is not None and now - self._since >= LASTING

    def frames_per_minute(self, camera: str) -> float | None:
        """Return how many frames a camera had lately; None with less than two."""
        taken = self._cameras[camera].taken if camera in self._cameras else ()
        seconds = (taken[-1] - taken[0]).total_seconds() if taken else 0
        return 60 * (len(taken) - 1) / seconds if seconds > 0 else None

    def add(self, camera: str, seconds: float, interval: float, now: datetime) -> None:
        """Take in how long a frame took.

        Parameters
        ----------
        camera
            What the camera is known by.
        seconds
            Processing time of the frame.
        interval
            Seconds between two frames of the camera, as set.
        now
            When the frame was taken.
        """
        known = self._cameras.setdefault(camera, _Camera(interval))
        known.seconds.append(seconds)
        known.taken.append(now)
        self._judge(now)

    def idle(self, camera: str, interval: float, now: datetime) -> None:
        """Take in that a camera, when its turn came, had no new frame, which took no time."""
        self._cameras.setdefault(camera, _Camera(interval)).seconds.append(0.0)
        self._judge(now)

    def drop(self, camera: str, now: datetime) -> None:
        """Forget a camera that delivers nothing for now."""
        self._cameras.pop(camera, None)
        self._judge(now)

    def _judge(self, now: datetime) -> None:
        figure = self.figure
        if figure < BEARABLE:
            self._since = None
        elif figure > TOO_MUCH and self._since is None:
            self._since = now
