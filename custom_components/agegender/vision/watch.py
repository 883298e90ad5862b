"""What one camera sees: from its frames to the people in view, frame after frame."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from .engine import Engine, Face
from .frame import decode
from .tracker import Scene, Tracker, TrackerSettings


@dataclass(frozen=True, slots=True)
class WatchSettings:
    """How one camera is watched.

    Attributes
    ----------
    enough
        Longer side of a frame, in pixels, that shows every face worth finding: larger
        frames are reduced by a whole factor that leaves so much.
    min_face_size
        Side of the smallest face to look for, in pixels of a frame whose longer side is
        at most ``enough``.
    tracker
        How faces become people.
    """

    enough: int = 1280
    min_face_size: int = 40
    tracker: TrackerSettings = field(default_factory=TrackerSettings)


class Watch:
    """Follows the people before one camera.

    Not safe to call from two threads at once, nor together with another watch of the
    same engine.

    Parameters
    ----------
    engine
        May serve many watches.
    settings
        How to watch.
    """

    def __init__(self, engine: Engine, settings: WatchSettings = WatchSettings()) -> None:
        """Start with nobody in view."""
        self._engine = engine
        self._settings = settings
        self._tracker = Tracker(settings.tracker)
        self._time = -math.inf

    def look(self, frame: bytes | NDArray[np.uint8], time: float) -> Scene:
        """Take the next frame in.

        Parameters
        ----------
        frame
            An encoded picture, or (H, W, 3), uint8, RGB.
        time
            When it was taken, in monotonic seconds. A time before the last frame's, as a
            machine may tell that was asleep, is taken for the last frame's.

        Returns
        -------
        Scene
            Who is in view now, and who is counted with this frame.

        Raises
        ------
        FrameError
            The frame cannot be decoded; the watch goes on with the next one.
        """
        settings = self._settings
        image = decode(frame, enough=settings.enough) if isinstance(frame, bytes) else frame
        scale = max(1.0, max(image.shape) / settings.enough)
        found = self._engine.detect(image, round(settings.min_face_size * scale))
        estimates = self._engine.estimate(image, found)
        faces = [
            Face(face.box, face.score, face.landmarks, estimate)
            for face, estimate in zip(found, estimates, strict=True)
        ]
        self._time = max(self._time, time)
        return self._tracker.update(faces, self._time)
