"""The whole flow on real clips, against true numbers that were read off by eye."""

import math
from dataclasses import replace
from itertools import groupby
from pathlib import Path

import pytest

from agegender_vision.engine import Engine
from agegender_vision.tracker import TrackerSettings
from agegender_vision.watch import WatchSettings
from benchmarks.tracking import SETTINGS, Shot, Watched, shots, watch

pytestmark = pytest.mark.data
RATE = 4.0  # frames of a clip that are looked at each second
SETTLING = 1.0  # seconds in which somebody who came should be in view


Shots = list[tuple[Shot, Watched]]

# Every frame is opened and searched, and every face is judged.
UNSPARING = replace(
    SETTINGS,
    motion_threshold=0,
    search_every=1,
    least_side=0,
    least_sharpness=0,
    most_turn=math.inf,
    tracker=TrackerSettings(judge_again=1),
)


def all_shots(folder: Path, settings: WatchSettings) -> Shots:
    engine = Engine.load()
    found: Shots = []
    for clip, group in groupby(shots(), lambda shot: shot.clip):
        of = list(group)
        firsts = [shot.first for shot in of]
        found += zip(of, watch(engine, folder / clip, firsts, RATE, settings), strict=True)
    return found


@pytest.fixture(scope="module")
def watched(detection_data: Path) -> Shots:
    return all_shots(detection_data / "video", SETTINGS)


@pytest.fixture(scope="module")
def watched_unsparingly(detection_data: Path) -> Shots:
    return all_shots(detection_data / "video", UNSPARING)


def test_as_many_people_are_counted_as_there_are(watched: Shots) -> None:
    true = sum(shot.people for shot, _ in watched)
    counted = sum(seen.counted for _, seen in watched)
    assert true == 29
    assert counted == pytest.approx(true, rel=0.1)


def test_no_clip_is_off_by_more_than_one(watched: Shots) -> None:
    off = {
        f"{shot.clip} {shot.first}": (seen.counted, shot.people)
        for shot, seen in watched
        if seen.counted != shot.people
    }
    assert all(abs(counted - people) == 1 for counted, people in off.values()), off
    assert len(off) <= 2, off


def test_the_view_changes_at_most_once_for_each_coming_and_going(
    watched: Shots,
) -> None:
    for shot, seen in watched:
        last = seen.view[-1][0]
        assert seen.changes <= shot.changes(last), (shot.clip, seen.view)


def test_the_view_is_never_more_than_was_just_there(watched: Shots) -> None:
    """Somebody who turns away stays in view for a few seconds, and nobody is made up."""
    held = SETTINGS.tracker.coast_seconds + SETTLING
    for shot, seen in watched:
        last_number, last_time, _ = seen.view[-1]
        frames_held = held * last_number / last_time
        for number, _, people in seen.view:
            recently = {
                person
                for person, first, last in shot.stays
                if first <= number and last >= number - frames_held
            }
            assert people <= len(recently), (shot.clip, number)


def test_everyone_to_be_seen_is_soon_in_view(watched: Shots) -> None:
    missing, all_frames = 0, 0
    for shot, seen in watched:
        last_number, last_time, _ = seen.view[-1]
        settling = SETTLING * last_number / last_time
        for number, _, people in seen.view:
            settled = {
                person
                for person, first, last in shot.stays
                if first <= number - settling and number <= last
            }
            missing += max(0, len(settled) - people)
            all_frames += len(settled)
    assert missing <= 0.1 * all_frames


def test_sparing_work_makes_no_count_worse(watched: Shots, watched_unsparingly: Shots) -> None:
    """Looking, searching and judging less often, and leaving the unfit unjudged, cost nothing."""

    def wrong(shots: Shots) -> int:
        return sum(abs(seen.counted - shot.people) for shot, seen in shots)

    def view_changes(shots: Shots) -> int:
        return sum(seen.changes for _, seen in shots)

    assert wrong(watched) <= wrong(watched_unsparingly)
    assert view_changes(watched) <= view_changes(watched_unsparingly)
    in_view, in_view_unsparingly = (
        sum(people for _, seen in shots for _, _, people in seen.view)
        for shots in (watched, watched_unsparingly)
    )
    assert in_view == pytest.approx(in_view_unsparingly, rel=0.03)
