"""Our detector finds what the ``mtcnn`` package finds, at its only right setting.

Measured over 317 pictures: 1,417 faces with a score of 0.95 or more on either side, of
which 11 (0.8 %) differ by more than allowed. All but four of them (0.3 %) come from the
weights being stored in half precision. What remains is chance: of two candidates on
one face whose scores are equal to some digits, the better suppresses the other, and
which is better depends on the last bit of a sum. The box or a landmark then moves by a
few pixels; no face is lost. One is found by both, at 0.98 and at 0.92.
"""

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from agegender_vision.frame import read
from agegender_vision.mtcnn import Mtcnn

MIN_SCORE = 0.95
MIN_OVERLAP = 0.9
MAX_DISTANCE = 2.0  # pixels
MAX_EXCEPTIONS = 0.02


@dataclass(frozen=True)
class Faces:
    boxes: NDArray[np.float64]  # (N, 4): left, top, right, bottom
    scores: NDArray[np.float64]  # (N,)
    landmarks: NDArray[np.float64]  # (N, 5, 2)


# Its archive reader closes a file twice while being collected.
pytestmark = pytest.mark.filterwarnings(
    "ignore:Exception ignored in:pytest.PytestUnraisableExceptionWarning"
)


@pytest.fixture(scope="module")
def package() -> Any:
    """The reference detector."""
    mtcnn = pytest.importorskip(
        "mtcnn", reason="compares with the mtcnn package, which the trainer's environment has"
    )
    tensorflow = pytest.importorskip("tensorflow")
    detector = mtcnn.MTCNN()
    for stage, side in zip(detector.stages, (None, 24, 48), strict=True):
        # As a graph it answers the same to the last bit, in less than half the time.
        graph = tensorflow.function(
            stage.model, [tensorflow.TensorSpec((None, side, side, 3))], autograph=False
        )
        stage._model = graph  # noqa: SLF001
    return detector


def theirs(package: Any, image: NDArray[np.uint8]) -> Faces:
    found = package.detect_faces(image, output_type="numpy", box_format="xyxy")
    return Faces(found[:, 1:5], found[:, 5], np.stack([found[:, 6:11], found[:, 11:16]], axis=2))


def ours(detector: Mtcnn, image: NDArray[np.uint8]) -> Faces:
    found = detector.detect(image)
    boxes = np.array([face.box for face in found]).reshape(-1, 4)
    boxes[:, 2:] += boxes[:, :2]
    return Faces(
        boxes,
        np.array([face.score for face in found]),
        np.array([face.landmarks for face in found]).reshape(-1, 5, 2),
    )


def overlaps(box: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.float64]:
    """Intersection over union of one box with each of others."""
    sides = np.minimum(box[2:], others[:, 2:]) - np.maximum(box[:2], others[:, :2])
    shared = sides.clip(0).prod(axis=1)
    areas = (others[:, 2:] - others[:, :2]).prod(axis=1)
    result: NDArray[np.float64] = shared / ((box[2:] - box[:2]).prod() + areas - shared)
    return result


def disagreements(one: Faces, other: Faces) -> list[str]:
    """Describe the faces of ``one`` that ``other`` lacks or has elsewhere."""
    described = []
    for i in np.flatnonzero(one.scores >= MIN_SCORE):
        face = f"{one.boxes[i].round().astype(int).tolist()} at {one.scores[i]:.3f}"
        if not len(other.scores):
            described.append(f"{face}: missing")
            continue
        shared = overlaps(one.boxes[i], other.boxes)
        match = int(shared.argmax())
        distance = np.linalg.norm(one.landmarks[i] - other.landmarks[match], axis=1).max()
        if shared[match] < MIN_OVERLAP or distance > MAX_DISTANCE:
            described.append(
                f"{face}: overlap {shared[match]:.2f}, landmarks {distance:.1f} px, "
                f"other's score {other.scores[match]:.3f}"
            )
    return described


def compared(
    package: Any, pictures: dict[str, NDArray[np.uint8]] | dict[str, Path]
) -> tuple[int, list[str]]:
    """Return the number of faces and a description of each exception."""
    detector = Mtcnn(min_face_size=20)
    faces, exceptions = 0, []
    for name, picture in pictures.items():
        image = read(picture) if isinstance(picture, Path) else picture
        a, b = ours(detector, image), theirs(package, image)
        faces += int((a.scores >= MIN_SCORE).sum() + (b.scores >= MIN_SCORE).sum())
        exceptions += [f"{name}: ours {text}" for text in disagreements(a, b)]
        exceptions += [f"{name}: theirs {text}" for text in disagreements(b, a)]
    return faces, exceptions


def test_photographs(
    package: Any, astronaut: NDArray[np.uint8], grace_hopper: NDArray[np.uint8]
) -> None:
    faces, exceptions = compared(package, {"astronaut": astronaut, "grace_hopper": grace_hopper})
    assert faces == 4
    assert not exceptions


@pytest.mark.data
def test_every_picture_of_the_detection_set(package: Any, detection_data: Path) -> None:
    files = {
        str(file.relative_to(detection_data)): file
        for file in sorted(detection_data.rglob("*"))
        if file.suffix.lower() in {".jpg", ".jpeg", ".png"}
    }
    assert len(files) == 315
    faces, exceptions = compared(package, files)
    summary = f"{len(exceptions)} of {faces} faces in {len(files)} pictures differ"
    warnings.warn("\n".join([summary, *exceptions]), stacklevel=1)  # pytest shows it
    assert faces > 1000
    assert len(exceptions) <= MAX_EXCEPTIONS * faces
