"""Faces in photographs that anyone has. How it agrees with others: test_agreement.py."""

import importlib
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from agegender_vision import artefact
from agegender_vision.artefact import ArtefactError
from agegender_vision.detector import Detection, RefiningDetector
from agegender_vision.frame import read
from agegender_vision.mtcnn import WEIGHTS, Mtcnn


def overlap(one: Detection, other: Detection) -> float:
    """Intersection over union."""
    left, top = np.maximum(one.box[:2], other.box[:2])
    right, bottom = np.minimum(
        np.add(one.box[:2], one.box[2:]), np.add(other.box[:2], other.box[2:])
    )
    shared = max(0.0, right - left) * max(0.0, bottom - top)
    union = np.prod(one.box[2:]) + np.prod(other.box[2:]) - shared
    return float(shared / union)


def resized(image: NDArray[np.uint8], scale: float) -> NDArray[np.uint8]:
    height, width = image.shape[:2]
    size = round(width * scale), round(height * scale)
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BOX))


@pytest.mark.parametrize(
    ("name", "centre", "width"), [("astronaut", (224, 115), 90), ("grace_hopper", (265, 220), 173)]
)
def test_the_one_face_is_found_where_it_is(
    name: str, centre: tuple[int, int], width: int, request: pytest.FixtureRequest
) -> None:
    (face,) = Mtcnn().detect(request.getfixturevalue(name))
    x, y, w, h = face.box
    assert np.hypot(x + w / 2 - centre[0], y + h / 2 - centre[1]) < 0.1 * width
    assert 0.8 < w / width < 1.25
    assert 1 < h / w < 1.5
    assert face.score > 0.98


def test_landmarks_are_named_as_seen_in_the_image(grace_hopper: NDArray[np.uint8]) -> None:
    (face,) = Mtcnn().detect(grace_hopper)
    assert face.landmarks.shape == (5, 2)
    assert face.landmarks.dtype == np.float32
    left_eye, right_eye, nose, mouth_left, mouth_right = face.landmarks
    assert left_eye[0] < nose[0] < right_eye[0]
    assert mouth_left[0] < nose[0] < mouth_right[0]
    assert max(left_eye[1], right_eye[1]) < nose[1] < min(mouth_left[1], mouth_right[1])


def test_several_faces_come_best_first(two_faces: NDArray[np.uint8]) -> None:
    faces = Mtcnn().detect(two_faces)
    assert len(faces) == 2
    assert faces[0].score >= faces[1].score


@pytest.mark.parametrize("min_face_size", [12, 20, 24, 36, 50, 80])
def test_any_smallest_face_up_to_its_size_finds_it(
    grace_hopper: NDArray[np.uint8], min_face_size: int
) -> None:
    (usual,) = Mtcnn(min_face_size=20).detect(grace_hopper)
    found = Mtcnn(min_face_size=min_face_size).detect(grace_hopper)
    assert max(overlap(usual, face) for face in found if face.score > 0.95) > 0.8


def test_faces_far_smaller_than_the_smallest_are_not_looked_for(
    grace_hopper: NDArray[np.uint8],
) -> None:
    assert Mtcnn(min_face_size=20).detect(resized(grace_hopper, 0.25))
    assert not Mtcnn(min_face_size=120).detect(resized(grace_hopper, 0.25))


def test_twice_the_size_with_twice_the_smallest_face_is_the_same(
    grace_hopper: NDArray[np.uint8],
) -> None:
    (small,) = Mtcnn(min_face_size=20).detect(resized(grace_hopper, 0.5))
    (large,) = Mtcnn(min_face_size=40).detect(grace_hopper)
    np.testing.assert_allclose(np.multiply(small.box, 2), large.box, atol=8)


def test_a_face_cut_off_by_the_edge_has_its_box_inside(grace_hopper: NDArray[np.uint8]) -> None:
    cut = np.ascontiguousarray(grace_hopper[:, 230:])  # through the left eye
    for face in Mtcnn().detect(cut):
        x, y, w, h = face.box
        assert x >= 0
        assert y >= 0
        assert x + w <= cut.shape[1]
        assert y + h <= cut.shape[0]


def test_the_same_picture_gives_the_same_faces(two_faces: NDArray[np.uint8]) -> None:
    """Memory kept from other pictures, larger or smaller, changes nothing."""
    detector = Mtcnn()
    first = detector.detect(two_faces)
    detector.detect(resized(two_faces, 1.7))
    detector.detect(resized(two_faces, 0.3))
    for before, after in zip(first, detector.detect(two_faces), strict=True):
        assert before.box == after.box
        assert before.score == after.score
        np.testing.assert_array_equal(before.landmarks, after.landmarks)


@pytest.mark.parametrize("away", [(0.0, 0.0), (0.1, 0.0), (-0.07, 0.07), (0.0, -0.1)])
def test_a_face_that_moved_a_little_is_refined_to_its_place(
    two_faces: NDArray[np.uint8], away: tuple[float, float]
) -> None:
    detector = Mtcnn()
    faces = detector.detect(two_faces)
    moved = [
        (x + away[0] * height, y + away[1] * height, width, height)
        for x, y, width, height in (face.box for face in faces)
    ]
    refined = detector.refine(two_faces, moved)
    assert len(refined) == 2
    for face in faces:
        (again,) = (other for other in refined if overlap(face, other) > 0.75)
        distance = np.linalg.norm(face.landmarks - again.landmarks, axis=1).max()
        assert distance < 0.05 * face.box[3]


def test_refining_where_no_face_is(grace_hopper: NDArray[np.uint8]) -> None:
    detector: RefiningDetector = Mtcnn()
    assert detector.refine(grace_hopper, []) == []
    assert detector.refine(grace_hopper, [(10, 10, 60, 80), (-500, 900, 50, 50)]) == []


def test_refining_the_same_face_twice_gives_it_once(grace_hopper: NDArray[np.uint8]) -> None:
    detector = Mtcnn()
    (face,) = detector.detect(grace_hopper)
    assert len(detector.refine(grace_hopper, [face.box, face.box])) == 1


def test_greyscale_and_mirrored_pictures_work(grace_hopper: NDArray[np.uint8]) -> None:
    grey = np.repeat(np.asarray(Image.fromarray(grace_hopper).convert("L"))[..., None], 3, axis=2)
    assert len(Mtcnn().detect(grey)) == 1
    assert len(Mtcnn().detect(grace_hopper[:, ::-1])) == 1


@pytest.mark.parametrize("shape", [(1, 1), (5, 400), (400, 11), (12, 12), (13, 57), (40, 40)])
@pytest.mark.parametrize("min_face_size", [12, 20, 40])
def test_pictures_too_small_or_empty_hold_no_face(
    shape: tuple[int, int], min_face_size: int
) -> None:
    random = np.random.default_rng(0)
    detector = Mtcnn(min_face_size=min_face_size)
    assert not detector.detect(np.full((*shape, 3), 200, np.uint8))
    assert not detector.detect(random.integers(0, 256, (*shape, 3), np.uint8))


@pytest.mark.data
def test_pictures_without_a_face(detection_data: Path) -> None:
    """Of 82 pictures, one (a cockroach, 0.96) seems a face at 0.95 or more."""
    files = sorted((detection_data / "noface").iterdir())
    detector = Mtcnn(min_face_size=40)
    best = {
        file.name: max((face.score for face in detector.detect(read(file))), default=0.0)
        for file in files
    }
    assert len(best) == 82
    mistaken = [name for name, score in best.items() if score >= 0.95]
    assert len(mistaken) <= 1, mistaken


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"min_face_size": 11}, "min_face_size is at least 12 pixels, got 11"),
        ({"scale_factor": 1.0}, "scale_factor lies between 0 and 1, got 1.0"),
    ],
)
def test_parameters_out_of_range(options: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Mtcnn(**options)  # type: ignore[arg-type]


def test_weights_of_another_detector(tmp_path: Path) -> None:
    artefact.save(tmp_path, {"name": "other", "kind": "detector", "licence": "CC0"}, {}, {})
    with pytest.raises(ArtefactError, match=r"model\.json has no network 'pnet'"):
        Mtcnn(weights=tmp_path)


def test_the_shipped_weights_are_the_packages(tmp_path: Path) -> None:
    """The trainer's command makes them again, attribution included."""
    pytest.importorskip(
        "mtcnn", reason="converts the mtcnn package's weights, which the trainer's environment has"
    )
    convert = importlib.import_module("trainer.export.mtcnn").convert
    convert(tmp_path)
    shipped, made = artefact.load(WEIGHTS), artefact.load(tmp_path)
    assert (shipped.name, shipped.licence) == (made.name, made.licence) == ("mtcnn", "MIT")
    assert shipped.graphs == made.graphs
    assert shipped.weights.keys() == made.weights.keys()
    for name, weight in made.weights.items():
        np.testing.assert_array_equal(shipped.weights[name], weight)
    licence = (WEIGHTS / "LICENSE").read_text(encoding="utf-8")
    assert licence == (tmp_path / "LICENSE").read_text(encoding="utf-8")
    assert "Copyright (c) 2019-2024 Iván de Paz Centeno" in licence
    assert "Permission is hereby granted, free of charge" in licence
