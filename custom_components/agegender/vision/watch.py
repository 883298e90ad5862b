"""What one camera sees, frame after frame, at a cost that follows what happens there."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .detector import Box, Detection
from .engine import Engine, Face
from .frame import decode, longer_side, thumbnail
from .motion import MotionGate, SizeGate, outside
from .quality import sharpness, turn
from .region import Region
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
    region
        The part of the picture that is looked at; nothing else of it is analysed.
    motion_threshold
        A frame is looked at if it differs somewhere from the last one that was, by more
        than so many grey levels. 0 looks at every frame.
    looks_after_motion
        How many further frames are looked at once nothing moves any more.
    still_seconds
        The longest time that no frame is looked at.
    glance_seconds
        In a still scene, the longest time over which frames are told from the last one by
        the length of their files alone. 0 compares every frame.
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
    region: Region = field(default_factory=Region)
    motion_threshold: float = 6.0
    looks_after_motion: int = 3
    still_seconds: float = 60.0
    glance_seconds: float = 0.7
    search_every: int = 8
    follow_seconds: float = 1.5
    least_side: float = 20.0
    least_sharpness: float = 0.005
    most_turn: float = 0.4
    tracker: TrackerSettings = field(default_factory=TrackerSettings)


class _View(NamedTuple):
    """What of a frame is looked at.

    Attributes
    ----------
    image
        (H, W, 3), uint8, RGB: the region.
    corner
        Where it begins in the picture, (x, y) in pixels.
    unit
        Longer side of the whole picture, in pixels.
    min_face_size
        Side of the smallest face to look for, in pixels.
    """

    image: NDArray[np.uint8]
    corner: tuple[int, int]
    unit: int
    min_face_size: int


class Watch:
    """Follows the people before one camera.

    Not safe to call from two threads at once, nor together with another watch of the
    same engine. The only pictures kept are thumbnails of the last frame and of the last one
    that was looked at.

    Parameters
    ----------
    engine
        May serve many watches.
    settings
        How to watch.
    tracker
        Of a watch of the same camera, to go on with its people; a new one if None.
    """

    def __init__(
        self,
        engine: Engine,
        settings: WatchSettings | None = None,
        tracker: Tracker | None = None,
    ) -> None:
        """Start with nobody in view, or with the tracker's people."""
        self._engine = engine
        self._settings = settings = settings or WatchSettings()
        self.tracker = tracker or Tracker(settings.tracker)
        """Who is in view; holds places and sums, no picture."""
        self._gate = self._open_gate()
        self._sizes = SizeGate(settings.glance_seconds)
        self._glanced: tuple[int, NDArray[np.uint8]] | None = None
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
        time = max(time, self._time)
        if self._settings.motion_threshold and not self._worth_looking(frame, time):
            self._time = time
            return self.tracker.hold(time)
        view = self._view(frame)
        found = self._found(view, time)
        faces = self._judged(view, found, self.tracker.unknown(_places(view, found), time))
        self._seen = len(faces)
        self._time = time
        return self.tracker.update(faces, time)

    def examine(self, frame: bytes | NDArray[np.uint8]) -> list[Face]:
        """Find and judge the faces of one frame by itself: nobody is followed or counted.

        Parameters
        ----------
        frame
            As for `look`.

        Returns
        -------
        list of Face
            Best score first; boxes in longer sides of the picture.

        Raises
        ------
        FrameError
            The frame cannot be decoded.
        """
        view = self._view(frame)
        found = self._engine.detect(view.image, view.min_face_size)
        return self._judged(view, found, range(len(found)))

    def finish(self) -> Scene:
        """Stop looking for a while: nobody is present, and who has not voted yet votes now."""
        self._gate = self._open_gate()
        self._sizes = SizeGate(self._settings.glance_seconds)
        self._seen = 0
        return self.tracker.finish()

    def _worth_looking(self, frame: bytes | NDArray[np.uint8], time: float) -> bool:
        """Tell whether something moved, or may have."""
        if not isinstance(frame, bytes):
            return self._gate.passes(self._glance(frame), time)
        if self._sizes.lets_go(len(frame), time):
            return False
        passes = self._gate.passes(self._glance(frame), time)
        self._sizes.glanced(len(frame), time, still=not passes)
        return passes

    def _glance(self, frame: bytes | NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return a thumbnail of the region.

        Many cameras send a picture several times; it is known by its hash, a tenth of the work.
        """
        if not isinstance(frame, bytes):
            return self._settings.region.cut(thumbnail(frame))
        key = hash(frame)
        if self._glanced is None or self._glanced[0] != key:
            self._glanced = key, self._settings.region.cut(thumbnail(frame))
        return self._glanced[1]

    def _open_gate(self) -> MotionGate:
        settings = self._settings
        return MotionGate(
            settings.motion_threshold, settings.looks_after_motion, settings.still_seconds
        )

    def _view(self, frame: bytes | NDArray[np.uint8]) -> _View:
        settings = self._settings
        image = decode(frame, enough=settings.enough) if isinstance(frame, bytes) else frame
        height, width = image.shape[:2]
        scale = max(height, width) / min(longer_side(frame), _REFERENCE_SIDE)
        return _View(
            np.ascontiguousarray(settings.region.cut(image)),
            settings.region.corner(width, height),
            max(height, width),
            max(_LEAST_FACE_SIZE, round(settings.min_face_size * scale)),
        )

    def _found(self, view: _View, time: float) -> list[Detection]:
        """Follow the known faces if that will do, else search everything."""
        settings = self._settings
        expected = self.tracker.boxes(time)
        self._follows += 1
        if (
            self._seen
            and self._follows < settings.search_every
            and time - self._time <= settings.follow_seconds
            and not self._moves_elsewhere(expected)
        ):
            boxes = [_in_region(box, view.unit, view.corner) for box in expected]
            found = self._engine.refine(view.image, boxes)
            # Those hidden for a moment are expected, too, but no reason to search.
            if found is not None and len(found) >= self._seen:
                return found
        self._follows = 0
        return self._engine.detect(view.image, view.min_face_size)

    def _moves_elsewhere(self, faces: Sequence[Box]) -> bool:
        """Tell whether something other than the people of these faces moves."""
        moved = self._gate.moved
        if moved is None:
            return False
        region = self._settings.region
        width = moved.shape[1] / (region.right - region.left)
        height = moved.shape[0] / (region.bottom - region.top)
        corner = region.left * width, region.top * height
        people = [
            (left - width, top - height / 2, 3 * width, 8 * height)
            for left, top, width, height in faces
        ]
        return outside(moved, [_in_region(box, max(width, height), corner) for box in people])

    def _judged(self, view: _View, found: Sequence[Detection], wanted: Iterable[int]) -> list[Face]:
        """Judge those faces, by index, that show enough."""
        settings = self._settings
        crops = {}
        for index in wanted:
            face = found[index]
            if min(face.box[2:]) < settings.least_side or turn(face.landmarks) > settings.most_turn:
                continue
            crop = self._engine.crop(view.image, face)
            if sharpness(crop) >= settings.least_sharpness:
                crops[index] = crop
        estimates = dict(zip(crops, self._engine.estimate(list(crops.values())), strict=True))
        return [
            Face(place, face.score, face.landmarks, estimates.get(index))
            for index, (place, face) in enumerate(zip(_places(view, found), found, strict=True))
        ]


def _places(view: _View, found: Sequence[Detection]) -> list[Box]:
    """Return where faces are, in longer sides of the picture.

    Which is the tracker's unit, so that people stay who they are when the camera changes
    its resolution, or the region is moved.
    """
    return [_in_picture(face.box, view.unit, view.corner) for face in found]


def _in_picture(box: Box, unit: float, corner: tuple[float, float]) -> Box:
    """Return a box of a region that begins at ``corner`` in longer sides of the picture."""
    left, top, width, height = box
    return (left + corner[0]) / unit, (top + corner[1]) / unit, width / unit, height / unit


def _in_region(box: Box, unit: float, corner: tuple[float, float]) -> Box:
    """Return a box of the picture, in its longer sides, in cells of the region."""
    left, top, width, height = box
    return left * unit - corner[0], top * unit - corner[1], width * unit, height * unit
