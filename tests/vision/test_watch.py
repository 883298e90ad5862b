"""A camera's frames become the people before it."""

import io
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import count
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from agegender_vision import artefact
from agegender_vision.detector import Box, Detection
from agegender_vision.engine import BUNDLED_MODEL, Engine
from agegender_vision.estimator import Estimate, Estimator
from agegender_vision.evidence import UNJUDGED
from agegender_vision.frame import FrameError, thumbnail
from agegender_vision.mtcnn import Mtcnn
from agegender_vision.region import Region
from agegender_vision.runtime.choice import choose
from agegender_vision.tracker import TrackerSettings
from agegender_vision.watch import Watch, WatchSettings


def jpeg(image: NDArray[np.uint8]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


class CountingDetector(Mtcnn):
    """Tells how often it searched and followed."""

    searches = 0
    follows = 0

    def detect(
        self, image: NDArray[np.uint8], *, min_face_size: int | None = None
    ) -> list[Detection]:
        self.searches += 1
        return super().detect(image, min_face_size=min_face_size)

    def refine(self, image: NDArray[np.uint8], boxes: Sequence[Box]) -> list[Detection]:
        self.follows += 1
        return super().refine(image, boxes)


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine.load(runtime="numpy")


@pytest.fixture
def detector() -> CountingDetector:
    return CountingDetector()


@pytest.fixture
def counting_engine(detector: CountingDetector) -> Engine:
    runtime = choose("numpy")
    estimator = Estimator(artefact.load(BUNDLED_MODEL), runtime)
    return Engine(detector, estimator, runtime, "bundled", "as bundled")


ALWAYS_LOOK = WatchSettings(motion_threshold=0)
ALWAYS_SEARCH = WatchSettings(motion_threshold=0, search_every=1)


@pytest.fixture
def watch(engine: Engine) -> Watch:
    return Watch(engine)


@pytest.fixture
def clock() -> Iterator[float]:
    """Five frames a second."""
    return (number / 5 for number in count())


@pytest.fixture
def glances(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The frames that a thumbnail was made of."""
    frames: list[bytes] = []

    def glance(frame: bytes) -> NDArray[np.uint8]:
        frames.append(frame)
        return thumbnail(frame)

    monkeypatch.setattr("agegender_vision.watch.thumbnail", glance)
    return frames


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


@pytest.mark.parametrize("side", [1024, 1920, 4096])
def test_the_smallest_face_is_the_same_whatever_the_resolution(
    engine: Engine, two_faces: NDArray[np.uint8], side: int
) -> None:
    """Of 1024 pixels the faces take 110; those from 80 and from 500 are looked for."""
    frame = jpeg(np.asarray(Image.fromarray(two_faces).resize((side, side // 2))))
    reference = min(side, 1280)
    for size, found in ((80 * reference // 1024, 2), (500 * reference // 1024, 0)):
        watch = Watch(engine, replace(ALWAYS_LOOK, min_face_size=size))
        assert len(watch.look(frame, 0).present) == found


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


def test_a_still_scene_is_hardly_looked_at_and_nobody_leaves(
    counting_engine: Engine, detector: CountingDetector, astronaut: NDArray[np.uint8]
) -> None:
    watch, frame = Watch(counting_engine), jpeg(astronaut)
    people = [len(watch.look(frame, second).present) for second in range(100)]
    assert people[5:] == 95 * [1]
    # At first, and once more after a minute.
    assert detector.searches + detector.follows <= 6


def test_a_picture_sent_again_is_not_decoded_again(
    engine: Engine, astronaut: NDArray[np.uint8], glances: list[bytes]
) -> None:
    watch, first, second = Watch(engine), jpeg(astronaut), jpeg(astronaut[:, ::-1])
    frames = [first, first, first, second, second, first]
    for second_of_day, frame in enumerate(frames):
        watch.look(bytes(bytearray(frame)), second_of_day)  # equal, not the same object
    assert glances == [first, second, first]


@pytest.mark.parametrize(("glance_seconds", "most"), [(0.7, 30), (0, 80)])
def test_not_every_frame_of_a_still_scene_is_opened(
    engine: Engine,
    astronaut: NDArray[np.uint8],
    clock: Iterator[float],
    glances: list[bytes],
    glance_seconds: float,
    most: int,
) -> None:
    watch = Watch(engine, WatchSettings(glance_seconds=glance_seconds))
    random = np.random.default_rng(0)
    for _ in range(80):
        noisy = astronaut + random.normal(0, 2, astronaut.shape)
        scene = watch.look(jpeg(noisy.clip(0, 255).astype(np.uint8)), next(clock))
    assert len(scene.present) == 1
    assert most / 2 < len(glances) <= most


def test_an_empty_still_scene_is_hardly_looked_at(
    counting_engine: Engine, detector: CountingDetector
) -> None:
    watch, frame = Watch(counting_engine), jpeg(np.full((480, 640, 3), 90, np.uint8))
    for second in range(100):
        assert watch.look(frame, second).present == ()
    assert detector.searches <= 6


def test_who_comes_into_a_still_scene_and_leaves_it_is_noticed_at_once(
    engine: Engine, astronaut: NDArray[np.uint8], clock: Iterator[float]
) -> None:
    watch, empty = Watch(engine), astronaut.copy()
    empty[:, 120:320] = 90
    people = [
        len(watch.look(jpeg(image), next(clock)).present)
        for image, frames in ((empty, 20), (astronaut, 20), (empty, 30))
        for _ in range(frames)
    ]
    assert people[:20] == 20 * [0]
    assert people[23:40] == 17 * [1]
    assert people[-1] == 0


def test_the_gate_can_be_switched_off(
    counting_engine: Engine,
    detector: CountingDetector,
    astronaut: NDArray[np.uint8],
    clock: Iterator[float],
) -> None:
    watch, frame = Watch(counting_engine, ALWAYS_SEARCH), jpeg(astronaut)
    for _ in range(8):
        watch.look(frame, next(clock))
    assert (detector.searches, detector.follows) == (8, 0)


def test_between_searches_known_faces_are_followed(
    counting_engine: Engine,
    detector: CountingDetector,
    two_faces: NDArray[np.uint8],
    clock: Iterator[float],
) -> None:
    watch = Watch(counting_engine, replace(ALWAYS_LOOK, search_every=4))
    for step in range(12):  # the camera pans, four pixels a frame
        scene = watch.look(np.roll(two_faces, 4 * step, axis=1), next(clock))
    assert len(scene.present) == 2
    assert (detector.searches, detector.follows) == (3, 9)


def test_what_moves_elsewhere_is_searched_for(
    counting_engine: Engine,
    detector: CountingDetector,
    two_faces: NDArray[np.uint8],
    clock: Iterator[float],
) -> None:
    watch = Watch(counting_engine, WatchSettings(search_every=1000))
    alone = two_faces.copy()
    alone[:, 512:] = 90
    for _ in range(3):
        scene = watch.look(alone, next(clock))
    assert len(scene.present) == 1
    searched = detector.searches
    scenes = [watch.look(two_faces, next(clock)) for _ in range(3)]
    assert detector.searches > searched
    assert len(scenes[-1].present) == 2


class CountingEstimator(Estimator):
    """Tells how many faces it judged."""

    faces = 0

    def estimate(self, crops: NDArray[np.uint8]) -> list[Estimate]:
        self.faces += len(crops)
        return super().estimate(crops)


def test_who_has_voted_is_judged_rarely_and_said_to_be_the_same(
    astronaut: NDArray[np.uint8], clock: Iterator[float]
) -> None:
    runtime = choose("numpy")
    estimator = CountingEstimator(artefact.load(BUNDLED_MODEL), runtime)
    engine = Engine(Mtcnn(), estimator, runtime, "bundled", "as bundled")
    always = replace(ALWAYS_LOOK, tracker=TrackerSettings(judge_again=1))
    said, judged = {}, {}
    for settings in (ALWAYS_LOOK, always):
        watch, estimator.faces = Watch(engine, settings), 0
        for step, time in zip(range(40), clock, strict=False):
            scene = watch.look(np.roll(astronaut, 2 * step, axis=1), time)
        (said[settings],), judged[settings] = scene.present, estimator.faces
    assert judged == {ALWAYS_LOOK: 11, always: 40}
    assert said[ALWAYS_LOOK].age == pytest.approx(said[always].age, abs=1)
    assert said[ALWAYS_LOOK].p_female == pytest.approx(said[always].p_female, abs=0.05)


def test_frames_far_apart_are_searched(
    counting_engine: Engine, detector: CountingDetector, astronaut: NDArray[np.uint8]
) -> None:
    watch = Watch(counting_engine, ALWAYS_LOOK)
    for second in range(0, 20, 5):
        watch.look(astronaut, second)
    assert (detector.searches, detector.follows) == (4, 0)


@pytest.mark.parametrize(
    "strict", [{"least_side": 200}, {"least_sharpness": 9.0}, {"most_turn": 0.0}]
)
def test_faces_that_show_too_little_are_people_all_the_same(
    engine: Engine,
    strict: dict[str, Any],
    astronaut: NDArray[np.uint8],
    clock: Iterator[float],
) -> None:
    judging, strictly = Watch(engine, ALWAYS_LOOK), Watch(engine, replace(ALWAYS_LOOK, **strict))
    for time, _ in zip(clock, range(4), strict=False):
        (known,) = judging.look(astronaut, time).present or (None,)
        (unknown,) = strictly.look(astronaut, time).present or (None,)
    assert known is not None
    assert known is not UNJUDGED
    assert unknown is UNJUDGED


def test_a_blurred_face_is_not_judged_and_a_sharp_one_is(
    engine: Engine, astronaut: NDArray[np.uint8], clock: Iterator[float]
) -> None:
    watch = Watch(engine, ALWAYS_LOOK)
    small = np.asarray(Image.fromarray(astronaut).filter(ImageFilter.GaussianBlur(6)))
    for _ in range(4):
        scene = watch.look(small, next(clock))
    assert scene.present == (UNJUDGED,)
    for _ in range(4):
        scene = watch.look(astronaut, next(clock))
    assert len(scene.present) == 1
    assert scene.present[0] is not UNJUDGED


def test_people_stay_who_they_are_when_the_camera_changes_its_resolution(
    engine: Engine, astronaut: NDArray[np.uint8], clock: Iterator[float]
) -> None:
    watch = Watch(engine, ALWAYS_LOOK)
    large = np.asarray(Image.fromarray(astronaut).resize((1024, 1024)))
    scenes = [
        watch.look(image, next(clock))
        for image in (astronaut, large, astronaut[:256, 100:356], astronaut)
        for _ in range(10)
    ]
    assert all(len(scene.present) == 1 for scene in scenes[4:20])
    assert len(scenes[-1].present) >= 1


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_100_megapixels_are_refused_and_the_watch_goes_on(
    engine: Engine, astronaut: NDArray[np.uint8], clock: Iterator[float]
) -> None:
    watch, buffer = Watch(engine), io.BytesIO()
    Image.new("1", (10_000, 10_000)).save(buffer, "PNG")
    for _ in range(4):
        watch.look(astronaut, next(clock))
    with pytest.raises(FrameError, match="10000x10000 pixels"):
        watch.look(buffer.getvalue(), next(clock))
    assert len(watch.look(astronaut, next(clock)).present) == 1


RIGHT_HALF = Region(left=0.5)


def test_only_the_region_is_looked_at(
    engine: Engine, two_faces: NDArray[np.uint8], clock: Iterator[float]
) -> None:
    watch = Watch(engine, WatchSettings(region=RIGHT_HALF))
    for time, _ in zip(clock, range(3), strict=False):
        scene = watch.look(jpeg(two_faces), time)
    assert len(scene.present) == 1

    # The left woman leaves, which is no reason to look.
    alone = two_faces.copy()
    alone[:, :512] = 90
    crops = {"whole": two_faces, "alone": alone}
    boxes = {name: watch.examine(picture)[0].box for name, picture in crops.items()}
    assert boxes["alone"] == pytest.approx(boxes["whole"])


def test_a_region_leaves_faces_at_their_places(
    engine: Engine, two_faces: NDArray[np.uint8]
) -> None:
    everywhere = Watch(engine).examine(two_faces)
    (right,) = (face for face in everywhere if face.box[0] > 0.5)
    (found,) = Watch(engine, WatchSettings(region=RIGHT_HALF)).examine(two_faces)
    assert found.box == pytest.approx(right.box, abs=0.01)


def test_in_a_region_too_known_faces_are_followed(
    counting_engine: Engine,
    detector: CountingDetector,
    two_faces: NDArray[np.uint8],
    clock: Iterator[float],
) -> None:
    watch = Watch(counting_engine, replace(ALWAYS_LOOK, region=RIGHT_HALF, search_every=1000))
    for step, time in zip(range(8), clock, strict=False):
        scene = watch.look(np.roll(two_faces, 4 * step, axis=1), time)
    assert len(scene.present) == 1
    assert (detector.searches, detector.follows) == (1, 7)


def test_in_a_region_too_what_moves_elsewhere_is_searched_for(
    counting_engine: Engine,
    detector: CountingDetector,
    two_faces: NDArray[np.uint8],
    clock: Iterator[float],
) -> None:
    """The region begins between the two; what moves there is a third one."""
    region = Region(left=0.25, right=0.95)
    three = np.concatenate([two_faces, two_faces[:, :512]], axis=1)
    alone = three.copy()
    alone[:, 1024:] = 90
    watch = Watch(counting_engine, WatchSettings(search_every=1000, region=region))
    for _ in range(3):
        scene = watch.look(alone, next(clock))
    assert len(scene.present) == 1
    searched = detector.searches
    scenes = [watch.look(three, next(clock)) for _ in range(3)]
    assert detector.searches > searched
    assert len(scenes[-1].present) == 2


def test_who_is_in_view_stays_so_for_another_watch_with_the_same_tracker(
    engine: Engine, two_faces: NDArray[np.uint8], clock: Iterator[float]
) -> None:
    first = Watch(engine, ALWAYS_LOOK)
    scenes = [first.look(two_faces, next(clock)) for _ in range(30)]
    other = Watch(engine, replace(ALWAYS_LOOK, region=RIGHT_HALF), first.tracker)
    scenes += [other.look(two_faces, next(clock)) for _ in range(30)]
    assert len(scenes[-1].present) == 1
    assert sum(len(scene.counted) for scene in scenes) == 2


def test_a_watch_that_stops_counts_who_was_there_and_finds_them_anew(
    watch: Watch, astronaut: NDArray[np.uint8], clock: Iterator[float]
) -> None:
    for _ in range(3):
        scene = watch.look(astronaut, next(clock))
    assert (len(scene.present), scene.counted) == (1, ())
    scene = watch.finish()
    assert (scene.present, len(scene.counted)) == ((), 1)

    # The same picture again, which the motion gate would have held back.
    for _ in range(4):
        scene = watch.look(astronaut, next(clock))
    assert len(scene.present) == 1


def test_a_single_frame_is_examined_without_counting(
    watch: Watch, two_faces: NDArray[np.uint8]
) -> None:
    faces = watch.examine(jpeg(two_faces))
    assert len(faces) == 2
    assert all(face.estimate for face in faces)
    assert watch.finish().counted == ()
    with pytest.raises(FrameError):
        watch.examine(b"<html>")


def test_a_small_region_of_a_small_picture_holds_no_large_face(
    engine: Engine, astronaut: NDArray[np.uint8]
) -> None:
    region = Region(0.4, 0.2, 0.5, 0.3)
    watch = Watch(engine, WatchSettings(min_face_size=400, region=region))
    assert watch.look(astronaut[::2, ::2], 0).present == ()
