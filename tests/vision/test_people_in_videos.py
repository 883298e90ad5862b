"""The whole flow on real clips, against true numbers that were read off by eye."""

from itertools import groupby
from pathlib import Path

import pytest

from agegender_vision.engine import Engine
from benchmarks.tracking import SETTINGS, Shot, Watched, shots, watch

pytestmark = pytest.mark.data
RATE = 4.0  # frames of a clip that are looked at each second
SETTLING = 1.0  # seconds in which somebody who came should be in view


@pytest.fixture(scope="module")
def watched(detection_data: Path) -> list[tuple[Shot, Watched]]:
    folder = detection_data / "video"
    engine = Engine.load(min_face_size=SETTINGS.min_face_size)
    found: list[tuple[Shot, Watched]] = []
    for clip, group in groupby(shots(), lambda shot: shot.clip):
        of = list(group)
        found += zip(
            of, watch(engine, folder / clip, [shot.first for shot in of], RATE), strict=True
        )
    return found


def test_as_many_people_are_counted_as_there_are(watched: list[tuple[Shot, Watched]]) -> None:
    true = sum(shot.people for shot, _ in watched)
    counted = sum(seen.counted for _, seen in watched)
    assert true == 29
    assert counted == pytest.approx(true, rel=0.1)


def test_no_clip_is_off_by_more_than_one(watched: list[tuple[Shot, Watched]]) -> None:
    off = {
        f"{shot.clip} {shot.first}": (seen.counted, shot.people)
        for shot, seen in watched
        if seen.counted != shot.people
    }
    assert all(abs(counted - people) == 1 for counted, people in off.values()), off
    assert len(off) <= 2, off


def test_the_view_changes_at_most_once_for_each_coming_and_going(
    watched: list[tuple[Shot, Watched]],
) -> None:
    for shot, seen in watched:
        last = seen.view[-1][0]
        assert seen.changes <= shot.changes(last), (shot.clip, seen.view)


def test_the_view_is_never_more_than_was_just_there(watched: list[tuple[Shot, Watched]]) -> None:
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


def test_everyone_to_be_seen_is_soon_in_view(watched: list[tuple[Shot, Watched]]) -> None:
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
