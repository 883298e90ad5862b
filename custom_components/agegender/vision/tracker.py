"""Faces frame by frame become people, each of whom votes once.

A track knows where a face was and what its frames said about age and gender; it lives
seconds. It holds no picture and nothing to recognise anyone by: who leaves and comes back
is someone new.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from .assignment import assign
from .detector import Box
from .engine import Face
from .estimator import Estimate
from .evidence import Evidence


@dataclass(frozen=True, slots=True)
class TrackerSettings:
    """When a face is a person, and when the person has left.

    Limits in seconds serve fast cameras, limits in frames slow ones.

    Attributes
    ----------
    confirm_frames, confirm_window
        A person is someone found in so many of the last so many frames; a stray
        detection is not.
    confirm_seconds
        And for at least so long: frames that follow fast repeat one another's mistakes.
    confirm_gap
        Where frames are further apart than this, in seconds, one frame in which the face
        can be judged will do: a passer-by is in no second one.
    coast_seconds, coast_frames
        Someone not found any more has left after more than so many seconds, in at least
        so many frames.
    vote_frames, vote_seconds
        A person votes after so many judged frames, or so long after being confirmed, or
        on leaving.
    judge_again
        Who has voted is judged again when found so many times as often, or with a face so
        many times as large, as when last judged: ever more rarely. 1 judges always.
    """

    confirm_frames: int = 2
    confirm_window: int = 3
    confirm_seconds: float = 0.4
    confirm_gap: float = 1.5
    coast_seconds: float = 3.0
    coast_frames: int = 2
    vote_frames: int = 8
    vote_seconds: float = 10.0
    judge_again: float = 1.5

    def __post_init__(self) -> None:
        """Check the values.

        Raises
        ------
        ValueError
            One makes no sense; the message names it.
        """
        if not 1 <= self.confirm_frames <= self.confirm_window:
            raise ValueError(
                "confirm_frames must lie between 1 and confirm_window, "
                f"got {self.confirm_frames} of {self.confirm_window}"
            )
        for name in ("coast_frames", "vote_frames"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        for name in ("confirm_seconds", "confirm_gap", "coast_seconds", "vote_seconds"):
            if not 0 <= getattr(self, name) < math.inf:
                raise ValueError(f"{name} must be at least 0, got {getattr(self, name)}")
        if not self.judge_again >= 1:
            raise ValueError(f"judge_again must be at least 1, got {self.judge_again}")


@dataclass(frozen=True, slots=True)
class Scene:
    """What one frame taught about the people before the camera.

    Attributes
    ----------
    present
        Everyone in view, those hidden for a moment included, each with all that is known
        so far (`UNJUDGED` if nothing is).
    counted
        Those whose one vote is cast with this frame. Each person is in ``counted`` of one
        scene only; most are still present then.
    """

    present: tuple[Estimate, ...]
    counted: tuple[Estimate, ...]


class Tracker:
    """Tells the people before one camera apart, by the place of their faces alone.

    Motion is predicted and corrected by a Kalman filter (R. E. Kalman, "A new approach to
    linear filtering and prediction problems", 1960), predictions and faces are paired by
    the assignment of lowest cost (H. W. Kuhn, 1955), as A. Bewley et al. do in "Simple
    online and realtime tracking", 2016; in place of the overlap of boxes, which is nil
    when frames are seconds apart, the likelihood of the step decides.

    Parameters
    ----------
    settings
        When people come and go.
    """

    def __init__(self, settings: TrackerSettings = TrackerSettings()) -> None:
        """Start with nobody in view."""
        self._settings = settings
        self._tracks: list[_Track] = []
        self._time = -math.inf

    def unknown(self, boxes: Sequence[Box], time: float) -> list[int]:
        """Tell for which faces of the next frame, by index, an estimate is of use.

        Parameters
        ----------
        boxes, time
            As `update` will get them.

        Raises
        ------
        ValueError
            A box has no area.
        """
        _check(boxes)
        again = self._settings.judge_again
        known = {
            face
            for index, face in self._pair(boxes, time).items()
            if self._tracks[index].suffices(boxes[face], again)
        }
        return [index for index in range(len(boxes)) if index not in known]

    def update(self, faces: Sequence[Face], time: float) -> Scene:
        """Take in the faces of the next frame.

        Parameters
        ----------
        faces
            All that were found; those without an estimate are followed all the same.
        time
            When the frame was taken, in seconds of a clock that never steps back.

        Raises
        ------
        ValueError
            The clock stepped back, or a box has no area.
        """
        boxes = [face.box for face in faces]
        _check(boxes)
        gap = self._advance(time)
        found = self._pair(boxes, time)
        for index, track in enumerate(self._tracks):
            if index in found:
                track.see(faces[found[index]], time)
            else:
                track.miss()
        known = set(found.values())
        self._tracks += [
            _Track(face, time, self._settings.confirm_window)
            for number, face in enumerate(faces)
            if number not in known
        ]
        return self._scene(gap)

    def hold(self, time: float) -> Scene:
        """Take in a frame in which nothing moved: it would show the last one's faces again.

        Raises
        ------
        ValueError
            The clock stepped back.
        """
        gap = self._advance(time)
        for track in self._tracks:
            if track.missed:
                track.miss()
            else:
                track.stay(time)
        return self._scene(gap)

    def finish(self) -> Scene:
        """End all tracks: nobody is present, and who has not voted yet votes now."""
        leaving, self._tracks = self._tracks, []
        return Scene((), self._votes(leaving, leaving=True))

    def boxes(self, time: float | None = None) -> list[Box]:
        """Where faces should be: a box for each live track, at its last frame or later.

        For looking again at places, never to be published.

        Parameters
        ----------
        time
            Moment of the prediction, on the clock of `update`; None for the last frame's.
        """
        moment = self._time if time is None else time
        return [track.box(moment) for track in self._tracks]

    def _advance(self, time: float) -> float:
        if not (math.isfinite(time) and time >= self._time):
            raise ValueError(
                f"the time went from {self._time} to {time}: take it from a monotonic clock"
            )
        gap = time - self._time
        self._time = time
        return gap

    def _pair(self, boxes: Sequence[Box], time: float) -> dict[int, int]:
        """Return which track (by index) is seen in which box."""
        costs = np.array([track.costs(boxes, time) for track in self._tracks], np.float64).reshape(
            len(self._tracks), len(boxes)
        )
        # Nobody is paired at a higher cost than that of a newcomer, so any such pair may
        # as well cost just that: the assignment stays the best of all partial ones.
        pairs = assign(np.minimum(costs, _NEWCOMER))
        return {track: face for track, face in pairs if costs[track, face] < _NEWCOMER}

    def _scene(self, gap: float) -> Scene:
        staying, leaving = [], []
        for track in self._tracks:
            track.confirmed = track.confirmed or self._is_person(track, gap)
            if self._has_left(track):
                leaving.append(track)
            else:
                staying.append(track)
        self._tracks = staying
        counted = self._votes(leaving, leaving=True) + self._votes(staying, leaving=False)
        return Scene(
            tuple(track.evidence.estimate() for track in staying if track.confirmed), counted
        )

    def _is_person(self, track: _Track, gap: float) -> bool:
        settings = self._settings
        if gap > settings.confirm_gap and not track.missed and track.evidence.frames:
            return True
        return (
            sum(track.recent) >= settings.confirm_frames
            and track.last_seen - track.first_seen >= settings.confirm_seconds
        )

    def _has_left(self, track: _Track) -> bool:
        settings = self._settings
        if track.confirmed:
            return (
                track.missed >= settings.coast_frames
                and self._time - track.last_seen > settings.coast_seconds
            )
        misses = len(track.recent) - sum(track.recent)
        return misses > settings.confirm_window - settings.confirm_frames

    def _votes(self, tracks: Iterable[_Track], *, leaving: bool) -> tuple[Estimate, ...]:
        votes = []
        for track in tracks:
            if track.confirmed and not track.voted and (leaving or self._is_known(track)):
                track.voted = True
                votes.append(track.evidence.estimate())
        return tuple(votes)

    def _is_known(self, track: _Track) -> bool:
        frames = track.evidence.frames
        return frames >= self._settings.vote_frames or (
            frames > 0 and self._time - track.first_seen > self._settings.vote_seconds
        )


# Lengths are in sides of the face, times in seconds: a step in pixels means little without
# knowing how near the face is.
_SPEED = 2.0  # standard deviation of a face's speed along each axis
_MEMORY = 0.7  # how long a speed lasts: people stop and turn
_HORIZON = 2.0  # a longer gap says no more about the place: who stays, stays near
_BOX_NOISE = 0.08  # standard deviation of the place of a detected box
_SIZE_NOISE = 0.08  # and of the logarithm of its side
_SIZE_SPEED = 0.3  # change of that logarithm, in one second
_DENSITY = 0.002  # newcomers expected, by square side and by unit of the side's logarithm
_NEWCOMER = -2 * math.log(_DENSITY) - 3 * math.log(2 * math.pi)

_Pair = tuple[float, float]


class _Forecast(NamedTuple):
    place: _Pair
    speed: _Pair
    covariance: tuple[float, float, float]
    """Of the place, of both, of the speed: the same along either axis."""
    size_variance: float


class _Track:
    """One face: a place, a speed, and sums.

    Both axes are alike and independent, so that one 2 x 2 covariance (of place and speed,
    by the square of the side) serves both. The speed decays (an Ornstein-Uhlenbeck
    process, as in R. A. Singer, "Estimating optimal tracking filter performance for
    manned maneuvering targets", 1970): over short gaps the face keeps its speed, over
    long ones it may have gone anywhere near. Predictions always start from the frame
    that last showed the face, so how often it was missed does not matter, only how long.
    """

    def __init__(self, face: Face, time: float, window: int) -> None:
        self._box = face.box
        self._place, self._side, self._aspect = _measure(face.box)
        self._speed: _Pair = (0.0, 0.0)
        self._covariance = (_BOX_NOISE**2, 0.0, _SPEED**2)  # as in _Forecast
        self._size_variance = _SIZE_NOISE**2
        self.first_seen = self.last_seen = time
        self.recent = deque([True], maxlen=window)  # was it found? the last frames
        self.missed = 0  # in a row, until now
        self.confirmed = self.voted = False
        self.evidence = Evidence()
        self._finds = 0
        self._judged_finds, self._judged_side = 0, 0.0  # when it was last judged
        self._take_in(face)

    def costs(self, boxes: Sequence[Box], time: float) -> list[float]:
        """Minus twice the logarithm of the likelihood that the face stepped to each box."""
        expected = self._forecast(time)
        variance = expected.covariance[0] + _BOX_NOISE**2
        size_variance = expected.size_variance + _SIZE_NOISE**2
        spread = 2 * math.log(variance) + math.log(size_variance)
        costs = []
        for box in boxes:
            (x, y), side, _ = _measure(box)
            step = math.dist((x, y), expected.place) / self._side
            growth = math.log(side / self._side)
            costs.append(step**2 / variance + growth**2 / size_variance + spread)
        return costs

    def see(self, face: Face, time: float) -> None:
        self._correct(face.box, time)
        self._take_in(face)

    def suffices(self, box: Box, again: float) -> bool:
        """Tell whether what is known of the person now found in a box is enough."""
        return (
            self.voted
            and self._finds + 1 < again * self._judged_finds
            and _measure(box)[1] < again * self._judged_side
        )

    def stay(self, time: float) -> None:
        self._correct(self._box, time)

    def miss(self) -> None:
        self.missed += 1
        self.recent.append(False)

    def box(self, time: float) -> Box:
        x, y = self._forecast(time).place
        width, height = self._side * self._aspect, self._side / self._aspect
        return (x - width / 2, y - height / 2, width, height)

    def _forecast(self, time: float) -> _Forecast:
        gap = min(max(time - self.last_seen, 0.0), _HORIZON)
        kept = math.exp(-gap / _MEMORY)
        reach = _MEMORY * (1 - kept)
        place, both, speed = self._covariance
        noise = (_SPEED * _MEMORY) ** 2 * (2 * gap / _MEMORY - 3 + 4 * kept - kept**2)
        return _Forecast(
            place=(
                self._place[0] + reach * self._speed[0],
                self._place[1] + reach * self._speed[1],
            ),
            speed=(kept * self._speed[0], kept * self._speed[1]),
            covariance=(
                place + 2 * reach * both + reach**2 * speed + noise,
                kept * (both + reach * speed) + _SPEED**2 * _MEMORY * (1 - kept) ** 2,
                kept**2 * speed + _SPEED**2 * (1 - kept**2),
            ),
            size_variance=self._size_variance + _SIZE_SPEED**2 * gap,
        )

    def _take_in(self, face: Face) -> None:
        self._finds += 1
        if face.estimate is not None:
            self.evidence.add(face.estimate)
            self._judged_finds, self._judged_side = self._finds, _measure(face.box)[1]

    def _correct(self, box: Box, time: float) -> None:
        expected = self._forecast(time)
        place, both, speed = expected.covariance
        measured, side, self._aspect = _measure(box)
        error = (measured[0] - expected.place[0], measured[1] - expected.place[1])
        gain, speed_gain = place / (place + _BOX_NOISE**2), both / (place + _BOX_NOISE**2)
        self._place = (
            expected.place[0] + gain * error[0],
            expected.place[1] + gain * error[1],
        )
        self._speed = (
            expected.speed[0] + speed_gain * error[0],
            expected.speed[1] + speed_gain * error[1],
        )
        self._covariance = ((1 - gain) * place, (1 - gain) * both, speed - speed_gain * both)
        size_gain = expected.size_variance / (expected.size_variance + _SIZE_NOISE**2)
        self._side *= (side / self._side) ** size_gain
        self._size_variance = (1 - size_gain) * expected.size_variance
        self._box = box
        self.last_seen = time
        self.missed = 0
        self.recent.append(True)


def _check(boxes: Iterable[Box]) -> None:
    for box in boxes:
        if not (all(map(math.isfinite, box)) and min(box[2:]) > 0):
            raise ValueError(f"a box needs a finite place and an area, got {box}")


def _measure(box: Box) -> tuple[_Pair, float, float]:
    """Return a box's centre, side and aspect: the roots of its area and of its shape."""
    left, top, width, height = box
    return (
        (left + width / 2, top + height / 2),
        math.sqrt(width * height),
        math.sqrt(width / height),
    )
