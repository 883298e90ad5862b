"""What one camera sees, frame after frame, at a cost that follows what happens there."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from .detector import Box, Detection
from .engine import Engine, Face
from .frame import decode, longer_side, thumbnail
from .motion import MotionGate, outside
from .quality import sharpness, turn
from .tracker import Scene, Tracker, TrackerSettings

_REFERENCE_SIDE = 1280
_LEAST_FACE_SIZE = 12  # that any detector takes


@dataclass(frozen=True, slots=True)
class WatchSettings:
    """How one camera is watched.

    Attributes
    ----------
    enough
        Longer side of a frame, in pixels, that will do: larger frames are reduced by a
        whole factor that leaves so much.
    min_face_size
        Side of the smallest face to look for, in pixels of the frame scaled down to a
        longer side of 1280, or of the frame itself if that is smaller.
    motion_threshold
        A frame is looked at if it differs somewhere from the last one that was, by more
        than so many grey levels. 0 looks at every frame.
    looks_after_motion
        How many further frames are looked at once nothing moves any more.
    still_seconds
        The longest time that no frame is looked at.
    search_every
        So many looks in a row search the whole frame once; the others follow the faces
        known, unless something moves elsewhere. 1 always searches.
    follow_seconds
        The longest time between two frames over which faces are followed.
    least_side
        Faces with fewer pixels along the shorter side of their box are not judged.
        0 judges all.
    least_sharpness
        Faces less sharp, as `quality.sharpness` tells, are not judged. 0 judges all.
    most_turn
        Faces turned further, as `quality.turn` tells, are not judged. Infinity judges
        all.
    tracker
        How faces become people.
    """

    enough: int = 960
    min_face_size: int = 40
    motion_threshold: float = 6.0
    looks_after_motion: int = 3
    still_seconds: float = 60.0
    search_every: int = 5
    follow_seconds: float = 1.0
    least_side: float = 20.0
    least_sharpness: float = 0.005
    most_turn: float = 0.4
    tracker: TrackerSettings = field(default_factory=TrackerSettings)


class Watch:
    """Follows the people before one camera.

    Not safe to call from two threads at once, nor together with another watch of the
    same engine. The only picture kept is a thumbnail of the last frame looked at.

    Parameters
    ----------
    engine
        May serve many watches.
    settings
        How to watch.
    """

    def __init__(self, engine: Engine, settings: WatchSettings | None = None) -> None:
        """Start with nobody in view."""
        self._engine = engine
        self._settings = settings = settings or WatchSettings()
        self._tracker = Tracker(settings.tracker)
        self._gate = MotionGate(
            settings.motion_threshold, settings.looks_after_motion, settings.still_seconds
        )
        self._time = -math.inf
        self._seen = 0  # faces in the last look
        self._follows = 0  # looks since the last search

    def look(self, frame: bytes | NDArray[np.uint8], time: float) -> Scene:
        """Take the next frame in.

        Parameters
        ----------
        frame
            An encoded picture, or (H, W, 3), uint8, RGB.
        time
            When it was taken, in monotonic seconds. A time before the last frame's is
            taken for the last frame's.

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
        time = max(time, self._time)
        if settings.motion_threshold and not self._gate.passes(thumbnail(frame), time):
            self._time = time
            return self._tracker.hold(time)
        image = decode(frame, enough=settings.enough) if isinstance(frame, bytes) else frame
        scale = max(image.shape) / min(longer_side(frame), _REFERENCE_SIDE)
        min_face_size = max(_LEAST_FACE_SIZE, round(settings.min_face_size * scale))
        faces = self._judged(image, self._found(image, min_face_size, time))
        self._seen = len(faces)
        self._time = time
        return self._tracker.update(faces, time)

    def _found(self, image: NDArray[np.uint8], min_face_size: int, time: float) -> list[Detection]:
        """Follow the known faces if that will do, else search the whole image."""
        settings = self._settings
        expected = self._tracker.boxes(time)
        self._follows += 1
        if (
            self._seen
            and self._follows < settings.search_every
            and time - self._time <= settings.follow_seconds
            and not self._moves_elsewhere(expected)
        ):
            unit = max(image.shape)
            found = self._engine.refine(image, [_scaled(box, unit) for box in expected])
            # Those hidden for a moment are expected, too, but no reason to search.
            if found is not None and len(found) >= self._seen:
                return found
        self._follows = 0
        return self._engine.detect(image, min_face_size)

    def _moves_elsewhere(self, faces: Sequence[Box]) -> bool:
        """Tell whether something other than the people of these faces moves."""
        moved = self._gate.moved
        if moved is None:
            return False
        people = [
            (left - width, top - height / 2, 3 * width, 8 * height)
            for left, top, width, height in faces
        ]
        return outside(moved, [_scaled(box, max(moved.shape)) for box in people])

    def _judged(self, image: NDArray[np.uint8], found: Sequence[Detection]) -> list[Face]:
        """Judge the faces that show enough.

        The tracker's unit is the longer side of the frame, so that people stay who they
        are when the camera changes its resolution.
        """
        settings = self._settings
        crops = {}
        for index, face in enumerate(found):
            if min(face.box[2:]) < settings.least_side or turn(face.landmarks) > settings.most_turn:
                continue
            crop = self._engine.crop(image, face)
            if sharpness(crop) >= settings.least_sharpness:
                crops[index] = crop
        estimates = dict(zip(crops, self._engine.estimate(list(crops.values())), strict=True))
        unit = max(image.shape)
        return [
            Face(_scaled(face.box, 1 / unit), face.score, face.landmarks, estimates.get(index))
            for index, face in enumerate(found)
        ]


def _scaled(box: Box, factor: float) -> Box:
    left, top, width, height = box
    return left * factor, top * factor, width * factor, height * factor
