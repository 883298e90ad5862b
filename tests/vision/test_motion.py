"""A still scene stays behind the gate, whatever the camera adds; anything else passes."""

import io
import itertools
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from agegender_vision.frame import read, thumbnail
from agegender_vision.motion import MotionGate, SizeGate, outside

STILL_SECONDS = 60.0


@pytest.fixture
def gate() -> MotionGate:
    return MotionGate(threshold=6.0, further=0, still_seconds=STILL_SECONDS)


@pytest.fixture(scope="module")
def room(grace_hopper: NDArray[np.uint8]) -> NDArray[np.floating]:
    """A picture of 640x480 pixels with dark and bright parts, none of them clipped."""
    picture = np.asarray(Image.fromarray(grace_hopper).resize((640, 480)), np.float32)
    return 20 + 0.8 * picture


def sent(scene: NDArray[np.floating], *, quality: int = 85) -> bytes:
    """A scene as a camera would send it."""
    buffer = io.BytesIO()
    Image.fromarray(scene.clip(0, 255).astype(np.uint8)).save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def seen(scene: NDArray[np.floating], *, quality: int = 85) -> NDArray[np.uint8]:
    """The thumbnail of a scene as a camera would send it."""
    return thumbnail(sent(scene, quality=quality))


def walker(scene: NDArray[np.floating], x: int, *, contrast: float = 40) -> NDArray[np.floating]:
    """Someone in the scene, with a face of 40 pixels."""
    with_walker = scene.copy()
    with_walker[200:240, x : x + 40] += contrast
    return with_walker


def test_the_first_frame_passes(gate: MotionGate, room: NDArray[np.floating]) -> None:
    assert gate.passes(seen(room), 0)
    assert gate.moved is None


@pytest.mark.parametrize("quality", [40, 90])
@pytest.mark.parametrize("noise", [0, 5, 20])
def test_noise_and_compression_do_not_pass(
    gate: MotionGate, room: NDArray[np.floating], noise: float, quality: int
) -> None:
    random = np.random.default_rng(0)
    passed = [
        gate.passes(seen(room + random.normal(0, noise, room.shape), quality=quality), number)
        for number in range(20)
    ]
    assert passed == [True] + 19 * [False]


def test_light_that_changes_slowly_passes_rarely(
    gate: MotionGate, room: NDArray[np.floating]
) -> None:
    """A minute of dusk at one frame a second, a quarter of the light lost."""
    dusk = np.linspace(1, 0.75, 60)
    passed = [gate.passes(seen(room * light), time) for time, light in enumerate(dusk)]
    assert sum(passed) < 12


def test_exposure_that_shifts_all_levels_does_not_pass(
    gate: MotionGate, room: NDArray[np.floating]
) -> None:
    gate.passes(seen(room), 0)
    assert not gate.passes(seen(room + 5), 1)
    assert not gate.passes(seen(room - 5), 2)


def test_a_switch_to_infrared_passes_once(gate: MotionGate, room: NDArray[np.floating]) -> None:
    gate.passes(seen(room), 0)
    infrared = np.repeat(255 - room.max(axis=2, keepdims=True), 3, axis=2)
    assert [gate.passes(seen(infrared), time) for time in range(1, 6)] == [True] + 4 * [False]


@pytest.mark.parametrize("contrast", [-40, 25])
def test_a_small_face_that_appears_or_moves_passes(
    gate: MotionGate, room: NDArray[np.floating], contrast: float
) -> None:
    gate.passes(seen(room), 0)
    assert gate.passes(seen(walker(room, 300, contrast=contrast)), 1)
    assert not gate.passes(seen(walker(room, 300, contrast=contrast)), 2)
    assert gate.passes(seen(walker(room, 320, contrast=contrast)), 3)
    assert gate.moved is not None
    rows, columns = np.nonzero(gate.moved)
    assert 24 <= rows.min() <= rows.max() <= 30  # in cells of 8 pixels
    assert 36 <= columns.min() <= columns.max() <= 45
    assert gate.passes(seen(room), 4)


def test_someone_who_fills_the_picture_passes(gate: MotionGate, room: NDArray[np.floating]) -> None:
    gate.passes(seen(room), 0)
    near = room.copy()
    near[:, 60:] = 90
    assert gate.passes(seen(near), 1)


def test_slow_motion_adds_up(gate: MotionGate, room: NDArray[np.floating]) -> None:
    """Two pixels a frame would hide from a comparison with the frame before."""
    passed = [gate.passes(seen(walker(room, 200 + 2 * step)), step) for step in range(30)]
    assert 3 <= sum(passed) < 30
    assert any(passed[20:])


def test_a_still_scene_is_looked_at_from_time_to_time(
    gate: MotionGate, room: NDArray[np.floating]
) -> None:
    frame = seen(room)
    passed = [time for time in range(0, 200, 5) if gate.passes(frame, time)]
    assert passed == [0, 60, 120, 180]


def test_further_frames_pass_after_motion(room: NDArray[np.floating]) -> None:
    gate = MotionGate(threshold=6.0, further=2, still_seconds=STILL_SECONDS)
    times = itertools.count()
    still, moved = seen(room), seen(walker(room, 300))
    assert [gate.passes(still, next(times)) for _ in range(5)] == 3 * [True] + 2 * [False]
    assert [gate.passes(moved, next(times)) for _ in range(5)] == 3 * [True] + 2 * [False]


def test_another_resolution_passes_with_nothing_to_compare(
    gate: MotionGate, room: NDArray[np.floating]
) -> None:
    gate.passes(seen(room), 0)
    assert gate.passes(seen(room[:240]), 1)
    assert gate.moved is None
    assert not gate.passes(seen(room[:240]), 2)


def test_outside_boxes() -> None:
    mask = np.zeros((10, 20), bool)
    assert not outside(mask, [])
    mask[3, 4] = True
    assert outside(mask, [])
    assert outside(mask, [(5, 0, 100, 100)])
    assert not outside(mask, [(3.9, 2.9, 1, 1)])
    assert not outside(mask, [(-50, -50, 54.5, 53.5)])


@pytest.mark.data
def test_two_photographs_of_one_place_differ(detection_data: Path) -> None:
    """Frames of different photographs always pass."""
    gate = MotionGate(threshold=6.0, further=0, still_seconds=STILL_SECONDS)
    pictures = sorted((detection_data / "groups").glob("*.jpg"))[:6]
    for time, path in enumerate(pictures):
        picture = Image.fromarray(read(path)).resize((640, 480))
        assert gate.passes(thumbnail(np.asarray(picture)), time)


def still_sizes(sizes: Iterable[int]) -> SizeGate:
    """A gate that has seen files of these sizes in a still scene, the last one at 0 seconds."""
    gate = SizeGate(seconds=0.7)
    for size in sizes:
        gate.glanced(size, 0, still=True)
    return gate


@pytest.mark.parametrize("quality", [40, 90])
def test_a_file_as_long_as_a_still_scene_s_is_let_go_and_another_is_not(
    room: NDArray[np.floating], quality: int
) -> None:
    random = np.random.default_rng(0)
    noisy = [len(sent(room + random.normal(0, 3, room.shape), quality=quality)) for _ in range(24)]
    gate = still_sizes(noisy[:4])
    assert sum(gate.lets_go(size, 0.2) for size in noisy[4:]) >= 16
    someone = room + random.normal(0, 3, room.shape)
    someone[100:400, 200:320] = room[100:400, 320:440][:, ::-1] * 0.5 + 60
    assert not gate.lets_go(len(sent(someone, quality=quality)), 0.2)


def test_files_are_let_go_for_a_moment_only() -> None:
    gate = still_sizes([1000, 1010, 1005, 1008])
    assert [gate.lets_go(1006, time) for time in (0.2, 0.6, 0.7, 5)] == [True, True, False, False]


def test_nothing_is_let_go_before_enough_is_known_nor_after_something_moved() -> None:
    gate = still_sizes([1000, 1010, 1005])
    assert not gate.lets_go(1005, 0.2)
    gate.glanced(1008, 0.2, still=True)
    assert gate.lets_go(1005, 0.4)
    gate.glanced(1007, 0.4, still=False)
    assert not gate.lets_go(1007, 0.6)
