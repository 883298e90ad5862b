"""A live face lands where the model's faces were when it was trained."""

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from agegender_vision.align import CropGeometry, align, similarity
from agegender_vision.mtcnn import Mtcnn

GEOMETRY = CropGeometry(
    left_eye=(0.306, 0.296),
    right_eye=(0.701, 0.297),
    nose=(0.5, 0.53),
    mouth_left=(0.32, 0.70),
    mouth_right=(0.68, 0.70),
)


def turned(degrees: float, scale: float, shift: tuple[float, float]) -> NDArray[np.float64]:
    """Return a similarity (2, 3)."""
    c, s = scale * np.cos(np.radians(degrees)), scale * np.sin(np.radians(degrees))
    return np.array([[c, -s, shift[0]], [s, c, shift[1]]])


@pytest.mark.parametrize("degrees", [0, 30, 90, -170])
@pytest.mark.parametrize("scale", [0.1, 1, 7])
def test_similarity_is_recovered(degrees: float, scale: float) -> None:
    expected = turned(degrees, scale, (3, -40))
    points = GEOMETRY.points(64)
    moved = points @ expected[:, :2].T + expected[:, 2]
    np.testing.assert_allclose(similarity(points, moved), expected, atol=1e-9)


def test_similarity_never_mirrors() -> None:
    points = GEOMETRY.points(64)
    matrix = similarity(points, points * [-1, 1])
    assert np.linalg.det(matrix[:, :2]) >= 0


def test_similarity_is_the_best_one() -> None:
    random = np.random.default_rng(0)
    source, target = random.normal(size=(2, 5, 2))
    best = similarity(source, target)

    def loss(matrix: NDArray[np.float64]) -> float:
        return float(np.sum((source @ matrix[:, :2].T + matrix[:, 2] - target) ** 2))

    for change in random.normal(scale=0.01, size=(100, 4)):
        a, b, x, y = change
        other = best + np.array([[a, -b, x], [b, a, y]])
        assert loss(other) >= loss(best)


def test_landmarks_that_coincide_are_refused(astronaut: NDArray[np.uint8]) -> None:
    with pytest.raises(ValueError, match="landmarks of a face coincide"):
        align(astronaut, np.full((5, 2), 100.0), GEOMETRY, 64)


def test_an_upright_crop_of_the_same_size_is_a_copy(astronaut: NDArray[np.uint8]) -> None:
    landmarks = GEOMETRY.points(64) - 0.5 + [200, 100]
    crop = align(astronaut, landmarks, GEOMETRY, 64).astype(int)
    np.testing.assert_allclose(crop, astronaut[100:164, 200:264], atol=40)
    assert np.abs(crop - astronaut[100:164, 200:264]).mean() < 2


def test_nothing_aliases() -> None:
    """A pattern finer than the crop's pixels becomes grey, not another pattern."""
    stripes = np.zeros((640, 640, 3), np.uint8)
    stripes[:, ::2] = 255
    for scale in (2.5, 3, 5.3, 9):
        landmarks = GEOMETRY.points(64) * scale + 20
        crop = align(stripes, landmarks, GEOMETRY, 64)
        assert abs(float(crop.mean()) - 127.5) < 2
        assert crop.std() < 16  # of 127 in the image


def test_edge_pixels_go_on_outside_the_image() -> None:
    image = np.full((50, 50, 3), 90, np.uint8)
    image[:, :25] = 200
    landmarks = GEOMETRY.points(100) - 25  # covers -25..75
    crop = align(image, landmarks, GEOMETRY, 100)
    assert crop[50, 2].tolist() == [200, 200, 200]
    assert crop[50, 97].tolist() == [90, 90, 90]
    assert crop[2, 2].tolist() == [200, 200, 200]


def test_a_margin_shows_more_around_the_same_face() -> None:
    wide = CropGeometry.parse(
        {
            "left_eye": [0.3, 0.3],
            "right_eye": [0.7, 0.3],
            "nose": [0.5, 0.5],
            "mouth_left": [0.3, 0.7],
            "mouth_right": [0.7, 0.7],
            "margin": 0.5,
        }
    )
    # The old crop is the middle half of the new one.
    np.testing.assert_allclose(wide.points(100)[0], [40, 40])


@pytest.mark.parametrize("nose", [None, [0.5], "middle", [0.5, None]])
def test_a_geometry_that_lacks_a_landmark(nose: object) -> None:
    crop = {name: [0.5, 0.5] for name in ("left_eye", "right_eye", "mouth_left", "mouth_right")} | {
        "nose": nose
    }
    with pytest.raises(ValueError, match="crop needs nose"):
        CropGeometry.parse(crop)


@pytest.mark.parametrize("name", ["astronaut", "grace_hopper"])
@pytest.mark.parametrize("degrees", [0, 1, 2, 3])
def test_eyes_of_photographs_land_within_three_percent(
    name: str, degrees: int, request: pytest.FixtureRequest
) -> None:
    """Detect, align, and detect again in the crop; also with the photograph turned."""
    photograph: NDArray[np.uint8] = request.getfixturevalue(name)
    if degrees:  # about a quarter of what people tilt their heads by
        photograph = np.asarray(
            Image.fromarray(photograph).rotate(degrees * 5, Image.Resampling.BICUBIC)
        )
    detector = Mtcnn(min_face_size=40)
    side = 256
    face = max(detector.detect(photograph), key=lambda found: found.score)
    crop = align(photograph, face.landmarks, GEOMETRY, side)
    padded = np.pad(crop, ((side // 2, side // 2), (side // 2, side // 2), (0, 0)), mode="edge")
    again = max(detector.detect(padded), key=lambda found: found.score)
    eyes = (again.landmarks[:2] + 0.5 - side // 2) / side
    np.testing.assert_allclose(eyes, [GEOMETRY.left_eye, GEOMETRY.right_eye], atol=0.03)
