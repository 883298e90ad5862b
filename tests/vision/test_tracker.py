"""The tracker on walks whose truth is known, because they are made up."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from agegender_vision.engine import Face
from agegender_vision.estimator import Estimate, summarize
from agegender_vision.evidence import UNJUDGED
from agegender_vision.tracker import Scene, Tracker, TrackerSettings

SIDE = 50.0
SURE = 0.98


def looks_like(age: float, p_female: float) -> Estimate:
    ages = np.exp(-0.5 * ((np.arange(101) - age) / 5) ** 2)
    return summarize((ages / ages.sum()).astype(np.float32), p_female)


GIRL, MAN = looks_like(15, SURE), looks_like(65, 1 - SURE)


def face(x: float, y: float = 200, side: float = SIDE, estimate: Estimate | None = GIRL) -> Face:
    """A face whose centre lies at (x, y)."""
    box = (x - side / 2, y - side / 2, side, side)
    return Face(box, 0.99, np.zeros((5, 2), np.float32), estimate)


@dataclass
class Watched:
    """What a tracker said of a film, everybody having left at its end."""

    view: list[int] = field(default_factory=list)
    votes: list[Estimate] = field(default_factory=list)

    @property
    def counted(self) -> int:
        return len(self.votes)


def watch(
    film: Iterable[tuple[float, Sequence[Face]]], settings: TrackerSettings | None = None
) -> Watched:
    tracker = Tracker(settings or TrackerSettings())
    seen = Watched()
    for time, faces in film:
        scene = tracker.update(faces, time)
        seen.view.append(len(scene.present))
        seen.votes += scene.counted
    seen.votes += tracker.finish().counted
    return seen


intervals = st.floats(0.05, 0.5)
jitter = st.floats(-0.05, 0.05)


@given(intervals, st.floats(-1.5, 1.5), st.floats(-0.1, 0.25), st.data())
def test_a_walker_is_counted_once_at_any_pace(
    interval: float, pace: float, approach: float, data: st.DataObject
) -> None:
    x, side = 600.0, SIDE
    film = []
    for number in range(20):
        shake = data.draw(jitter) * side
        film.append((number * interval, [face(x + shake, side=side)]))
        x += pace * side * interval
        side *= math.exp(approach * interval)
    seen = watch(film)
    assert seen.counted == 1
    assert max(seen.view) == 1
    assert seen.view == sorted(seen.view), "the view changes once, when the walker is confirmed"


@given(st.lists(st.floats(0.02, 30), min_size=6, max_size=25), st.data())
def test_someone_who_stays_is_counted_once_however_irregular_the_frames(
    gaps: list[float], data: st.DataObject
) -> None:
    time, film = 0.0, []
    for gap in gaps:
        # A chair leaves a face that much room, and in a twentieth of a second less.
        room = min(0.5, 2 * gap)
        film.append((time, [face(300 + data.draw(st.floats(-room, room)) * SIDE * 0.5)]))
        time += gap
    assert watch(film).counted == 1


@given(
    st.floats(0.08, 0.25),
    st.floats(0.8, 3.0),
    st.floats(0.8, 3.0),
    st.floats(0.3, 2.0),
    st.integers(0, 6),
)
def test_people_who_cross_are_not_mixed_up(
    interval: float, pace: float, other_pace: float, apart: float, hidden: int
) -> None:
    """Where they meet, the nearer one may hide the other for some frames."""
    film = []
    start = 4.0  # seconds until they meet
    for number in range(int(2 * start / interval)):
        time = number * interval
        left = face(1000 + (time - start) * pace * SIDE, 200, estimate=GIRL)
        right = face(1000 - (time - start) * other_pace * SIDE, 200 + apart * SIDE, estimate=MAN)
        meeting = abs(time - start) < hidden * interval / 2 and apart < 1
        film.append((time, [right] if meeting else [left, right]))
    seen = watch(film, TrackerSettings(vote_frames=1000, vote_seconds=1000))
    assert sorted(round(vote.p_female) for vote in seen.votes) == [0, 1]
    # Anyone's frame given to the other would show: each vote is as pure as one frame.
    assert all(abs(vote.p_female - 0.5) > SURE - 0.5 - 1e-6 for vote in seen.votes)
    assert max(seen.view) == 2


@given(st.floats(0.1, 1.0), st.floats(0, 1.9), st.floats(-0.4, 0.4))
def test_someone_hidden_for_a_moment_stays_in_view_and_counts_once(
    interval: float, hidden: float, pace: float
) -> None:
    times = np.arange(0, 10, interval)
    film: list[tuple[float, list[Face]]] = [
        (time, [] if 4 < time <= 4 + hidden else [face(400 + pace * SIDE * time)])
        for time in times.tolist()
    ]
    seen = watch(film)
    assert seen.counted == 1
    assert seen.view[-1] == 1
    assert seen.view == sorted(seen.view)


@given(st.lists(st.booleans(), min_size=30, max_size=60))
def test_missed_frames_do_not_make_a_second_visitor(found: list[bool]) -> None:
    assume(sum(found[:3]) >= 2)  # otherwise even the first sighting is no person yet
    film: list[tuple[float, list[Face]]] = [
        (number * 0.1, [face(400)] if seen else []) for number, seen in enumerate(found)
    ]
    longest_gap = max(map(len, "".join("x" if seen else " " for seen in found).split("x")))
    assume(longest_gap < 25)
    assert watch(film).counted <= 1


@given(st.permutations(range(20)))
def test_stray_detections_are_nobody(places: list[int]) -> None:
    """Each false alarm is somewhere else, as noise is."""
    film = [(number * 0.2, [face(1000 * place)]) for number, place in enumerate(places)]
    film.insert(0, (-0.2, []))
    seen = watch(film)
    assert seen.counted == 0
    assert not any(seen.view)


def test_a_small_face_where_a_large_one_was_is_someone_behind() -> None:
    near: list[tuple[float, list[Face]]] = [(0.2 * n, [face(300, side=120)]) for n in range(10)]
    far: list[tuple[float, list[Face]]] = [(2 + 0.2 * n, [face(300, side=30)]) for n in range(10)]
    assert watch(near + far).counted == 2


def test_a_flicker_of_fast_frames_is_nobody() -> None:
    film = [(number / 30, [face(400)] if 10 <= number < 20 else []) for number in range(60)]
    assert watch(film).counted == 0


class TestSlowCameras:
    """One frame every 30 seconds: whoever passes is in a single one."""

    def test_a_passer_by_is_in_view_at_once_and_counted_once(self) -> None:
        film = [(0.0, []), (30.0, [face(300)]), (60.0, []), (90.0, []), (120.0, [])]
        seen = watch(film)
        assert seen.counted == 1
        assert seen.view == [0, 1, 1, 0, 0]

    def test_a_face_that_cannot_be_judged_needs_a_second_frame(self) -> None:
        film = [(0.0, []), (30.0, [face(300, estimate=None)]), (60.0, []), (90.0, [])]
        assert watch(film).counted == 0

    @given(st.lists(st.floats(-1.2, 1.2), min_size=5, max_size=20))
    def test_who_shifts_on_the_sofa_is_the_same_one(self, shifts: list[float]) -> None:
        x, film = 500.0, []
        for number, shift in enumerate(shifts):
            film.append((30.0 * number, [face(x)]))
            x += shift * 2 * SIDE
        assert watch(film).counted == 1

    def test_who_appears_across_the_room_is_someone_else(self) -> None:
        film = [(30.0 * number, [face(100 if number < 4 else 600)]) for number in range(8)]
        assert watch(film).counted == 2

    def test_neighbours_keep_their_places(self) -> None:
        film = [
            (30.0 * number, [face(300 + 20 * (-1) ** number), face(420, estimate=MAN)])
            for number in range(8)
        ]
        seen = watch(film)
        assert seen.counted == 2
        assert sorted(round(vote.p_female) for vote in seen.votes) == [0, 1]


frames = st.lists(
    st.lists(st.tuples(st.floats(0, 1000), st.floats(0, 600), st.floats(10, 120)), max_size=5),
    min_size=1,
    max_size=25,
)
gaps = st.lists(st.floats(0.02, 40), min_size=25, max_size=25)


def scenes(
    film: list[list[tuple[float, float, float]]], gaps: list[float], scale: float, backwards: bool
) -> list[tuple[int, int]]:
    tracker = Tracker()
    said: list[Scene] = []
    time = 0.0
    for places, gap in zip(film, gaps, strict=False):
        faces = [face(scale * x, scale * y, scale * side) for x, y, side in places]
        said.append(tracker.update(faces[::-1] if backwards else faces, time))
        time += gap
    said.append(tracker.finish())
    return [(len(scene.present), len(scene.counted)) for scene in said]


@given(frames, gaps)
def test_whatever_happens_everyone_in_view_is_counted_exactly_once(
    film: list[list[tuple[float, float, float]]], gaps: list[float]
) -> None:
    said = scenes(film, gaps, scale=1, backwards=False)
    counted = sum(votes for _, votes in said)
    assert counted >= max(present for present, _ in said)
    assert counted <= sum(map(len, film))
    assert said[-1][0] == 0, "nobody is left when the tracker has finished"


@given(frames, gaps)
def test_the_order_of_the_faces_and_the_size_of_the_picture_do_not_matter(
    film: list[list[tuple[float, float, float]]], gaps: list[float]
) -> None:
    said = scenes(film, gaps, scale=1, backwards=False)
    assert scenes(film, gaps, scale=1, backwards=True) == said
    assert scenes(film, gaps, scale=0.25, backwards=False) == said


class TestHolding:
    """Nothing moved: the frame is not even looked at."""

    def settled(self) -> Tracker:
        tracker = Tracker()
        for number in range(10):
            tracker.update([face(300), face(600, estimate=MAN)], number * 0.2)
        return tracker

    @given(st.lists(st.floats(0.1, 600), min_size=1, max_size=20))
    def test_everyone_stays_and_nobody_votes_again(self, gaps: list[float]) -> None:
        tracker = self.settled()
        time, votes = 2.0, 0
        for gap in gaps:
            time += gap
            scene = tracker.hold(time)
            assert len(scene.present) == 2
            votes += len(scene.counted)
        scene = tracker.update([face(310), face(590)], time + 1)
        assert len(scene.present) == 2, "they are known again when they move"
        assert votes + len(scene.counted) <= 2

    def test_it_is_no_further_evidence(self) -> None:
        tracker = self.settled()
        before = tracker.hold(2.0).present
        after = [tracker.hold(2.0 + number) for number in range(1, 50)][-1].present
        assert [one.p_female for one in after] == [one.p_female for one in before]

    def test_who_was_missing_before_leaves_all_the_same(self) -> None:
        tracker = self.settled()
        tracker.update([face(300)], 2.0)
        assert len(tracker.hold(2.5).present) == 2
        assert len(tracker.hold(6.0).present) == 1

    def test_someone_still_is_a_person_too(self) -> None:
        tracker = Tracker()
        tracker.update([], 0.0)
        tracker.update([face(300)], 0.2)
        assert [len(tracker.hold(0.2 + 0.2 * number).present) for number in range(1, 4)] == [
            0,
            1,
            1,
        ]


class TestVotes:
    def test_a_vote_is_cast_once_enough_frames_were_judged(self) -> None:
        tracker = Tracker(TrackerSettings(vote_frames=4))
        counted = [len(tracker.update([face(300)], 0.3 * number).counted) for number in range(9)]
        assert counted == [0, 0, 0, 1, 0, 0, 0, 0, 0]

    def test_it_holds_the_evidence_of_all_frames_till_then(self) -> None:
        tracker = Tracker(TrackerSettings(vote_frames=4))
        votes: list[Estimate] = []
        for number in range(4):
            undecided = looks_like(30, 0.6)
            votes += tracker.update([face(300, estimate=undecided)], 0.3 * number).counted
        (vote,) = votes
        assert 0.6 < vote.p_female < 0.65

    def test_it_does_not_wait_for_ever(self) -> None:
        tracker = Tracker(TrackerSettings(vote_seconds=5))
        film = [face(300)] + [face(300, estimate=None)] * 30
        counted = [
            len(tracker.update([one], 0.5 * number).counted) for number, one in enumerate(film)
        ]
        assert counted.index(1) == 11
        assert sum(counted) == 1

    def test_who_leaves_early_votes_on_leaving(self) -> None:
        film: list[tuple[float, list[Face]]] = [
            (0.5 * number, [face(300)] if number < 3 else []) for number in range(12)
        ]
        tracker = Tracker()
        counted = [len(tracker.update(faces, time).counted) for time, faces in film]
        assert sum(counted) == 1
        assert counted.index(1) == 9, "more than three seconds after the last sighting"

    def test_who_could_never_be_judged_counts_as_unjudged(self) -> None:
        tracker = Tracker()
        for number in range(10):
            scene = tracker.update([face(300, estimate=None)], 0.3 * number)
        assert scene.present == (UNJUDGED,)
        assert not scene.counted
        assert tracker.finish().counted == (UNJUDGED,)


def judged(sides: Iterable[float], settings: TrackerSettings) -> list[int]:
    """In which frames of somebody with faces of these sizes an estimate is of use."""
    tracker = Tracker(settings)
    frames = []
    for number, side in enumerate(sides):
        seen = face(300, side=side)
        useful = tracker.unknown([seen.box], 0.2 * number) == [0]
        if useful:
            frames.append(number)
        tracker.update([seen if useful else face(300, side=side, estimate=None)], 0.2 * number)
    return frames


class TestJudging:
    def test_who_has_voted_is_judged_ever_more_rarely(self) -> None:
        settings = TrackerSettings(vote_frames=8)
        assert judged(60 * [SIDE], settings) == [*range(8), 11, 17, 26, 40]

    def test_who_comes_nearer_is_judged_sooner(self) -> None:
        settings = TrackerSettings(vote_frames=8)
        sides = 20 * [SIDE] + 20 * [1.6 * SIDE]
        assert judged(sides, settings) == [*range(8), 11, 17, 20, 31]

    def test_it_can_be_switched_off(self) -> None:
        assert judged(60 * [SIDE], TrackerSettings(judge_again=1)) == [*range(60)]

    def test_a_newcomer_beside_somebody_known_is_judged(self) -> None:
        tracker = Tracker(TrackerSettings(vote_frames=4))
        for number in range(4):
            tracker.update([face(300)], 0.2 * number)
        both = [face(500).box, face(300).box]
        assert tracker.unknown(both, 0.8) == [0]

    def test_who_could_not_be_judged_is_tried_again(self) -> None:
        tracker = Tracker(TrackerSettings(vote_frames=4))
        for number in range(4):
            tracker.update([face(300)], 0.2 * number)
        useful = []
        for number in range(4, 9):
            useful.append(tracker.unknown([face(300).box], 0.2 * number) == [0])
            tracker.update([face(300, estimate=None)], 0.2 * number)
        assert useful == [False, True, True, True, True]


def test_boxes_are_where_the_faces_will_be() -> None:
    tracker = Tracker()
    for number in range(10):
        tracker.update([face(300 + 10 * number, 200)], 0.1 * number)
    ((left, top, width, height),) = tracker.boxes()
    assert left + width / 2 == pytest.approx(390, abs=5)
    assert (top + height / 2, width, height) == pytest.approx((200, SIDE, SIDE), abs=2)
    ((later, _, _, _),) = tracker.boxes(1.1)
    assert later - left == pytest.approx(20, abs=6)
    assert len(tracker.boxes()) == 1


@pytest.mark.parametrize(
    "box",
    [(0, 0, 0, 10), (0, 0, 10, -1), (math.nan, 0, 10, 10), (0, math.inf, 10, 10)],
)
def test_impossible_boxes_are_refused_and_nobody_is_lost(
    box: tuple[float, float, float, float],
) -> None:
    tracker = Tracker()
    for number in range(5):
        tracker.update([face(300)], 0.3 * number)
    wrong = Face(box, 0.9, np.zeros((5, 2), np.float32), None)
    with pytest.raises(ValueError, match="a finite place and an area"):
        tracker.update([wrong], 1.5)
    with pytest.raises(ValueError, match="a finite place and an area"):
        tracker.unknown([box], 1.5)
    assert len(tracker.update([face(300)], 1.5).present) == 1


@pytest.mark.parametrize("time", [-1.0, 0.9, math.nan, math.inf])
def test_a_clock_that_steps_back_is_refused(time: float) -> None:
    tracker = Tracker()
    tracker.update([face(300)], 1.0)
    with pytest.raises(ValueError, match="monotonic clock"):
        tracker.update([], time)
    with pytest.raises(ValueError, match="monotonic clock"):
        tracker.hold(time)
    assert len(tracker.update([face(300)], 1.5).present) == 1


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"confirm_frames": 4, "confirm_window": 3}, "confirm_frames"),
        ({"confirm_frames": 0}, "confirm_frames"),
        ({"coast_frames": 0}, "coast_frames"),
        ({"vote_frames": 0}, "vote_frames"),
        ({"coast_seconds": -1.0}, "coast_seconds"),
        ({"vote_seconds": math.nan}, "vote_seconds"),
        ({"confirm_gap": math.inf}, "confirm_gap"),
        ({"judge_again": 0.9}, "judge_again"),
        ({"judge_again": math.nan}, "judge_again"),
    ],
)
def test_senseless_settings_are_refused(settings: dict[str, float], name: str) -> None:
    with pytest.raises(ValueError, match=name):
        TrackerSettings(**settings)  # type: ignore[arg-type]
