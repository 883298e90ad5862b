"""A camera's frames become the people before it."""

import io
from collections.abc import Iterator
from itertools import count

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from agegender_vision.engine import Engine
from agegender_vision.frame import FrameError
from agegender_vision.watch import Watch, WatchSettings


def jpeg(image: NDArray[np.uint8]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine.load(runtime="numpy")


@pytest.fixture
def watch(engine: Engine) -> Watch:
    return Watch(engine)


@pytest.fixture
def clock() -> Iterator[float]:
    """Five frames a second."""
    return (number / 5 for number in count())


def test_who_stays_in_view_is_one_person(
    watch: Watch, astronaut: NDArray[np.uint8], clock: Iterator[float]
) -> None:
    frame = jpeg(astronaut)
    scenes = [watch.look(frame, next(clock)) for _ in range(60)]
    assert len(scenes[-1].present) == 1
    (vote,) = (vote for scene in scenes for vote in scene.counted)
    assert vote.p_female > 0.5
    assert 25 <= vote.age <= 45


def test_encoded_and_decoded_frames_are_the_same(
    engine: Engine, two_faces: NDArray[np.uint8], clock: Iterator[float]
) -> None:
    encoded, decoded = Watch(engine), Watch(engine)
    for time, _ in zip(clock, range(3), strict=False):
        from_bytes = encoded.look(jpeg(two_faces), time)
        from_array = decoded.look(two_faces, time)
    assert len(from_bytes.present) == len(from_array.present) == 2


def test_frames_larger_than_needed_find_the_same_faces_as_smaller_ones(
    engine: Engine, two_faces: NDArray[np.uint8], clock: Iterator[float]
) -> None:
    settings = WatchSettings(enough=512, min_face_size=40)
    watch = Watch(engine, settings)
    large = np.asarray(Image.fromarray(two_faces).resize((3072, 1536)))
    for time, _ in zip(clock, range(3), strict=False):
        scene = watch.look(jpeg(large), time)
    assert len(scene.present) == 2


def test_one_engine_serves_cameras_with_different_smallest_faces(
    engine: Engine, astronaut: NDArray[np.uint8], clock: Iterator[float]
) -> None:
    near = Watch(engine, WatchSettings(min_face_size=480))
    far = Watch(engine, WatchSettings(min_face_size=60))
    for time, _ in zip(clock, range(3), strict=False):
        scenes = near.look(astronaut, time), far.look(astronaut, time)
    assert [len(scene.present) for scene in scenes] == [0, 1]


@pytest.mark.parametrize("bad", [b"", b"<html>", b"\xff\xd8\xff\xe0" + bytes(2000)])
def test_a_bad_frame_is_refused_and_the_watch_goes_on(
    watch: Watch, bad: bytes, astronaut: NDArray[np.uint8], clock: Iterator[float]
) -> None:
    good = jpeg(astronaut)
    for _ in range(3):
        before = watch.look(good, next(clock))
    with pytest.raises(FrameError):
        watch.look(bad, next(clock))
    with pytest.raises(FrameError, match="damaged or cut short"):
        watch.look(good[: len(good) // 2], next(clock))
    assert len(watch.look(good, next(clock)).present) == len(before.present) == 1


def test_a_clock_that_jumps_back_does_not_stop_the_watch(
    watch: Watch, astronaut: NDArray[np.uint8]
) -> None:
    for time in (1000.0, 1000.2, 1000.4, 3.0, 3.2):
        scene = watch.look(astronaut, time)
    assert len(scene.present) == 1
