"""How far a face is turned, and how sharp it is."""

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from agegender_vision.engine import Engine
from agegender_vision.quality import sharpness, turn

# A face from the front, in units of its own: eyes, nose, mouth; x, y and depth.
FACE = np.array([[-1, 0, 0], [1, 0, 0], [0, 1.2, 0.8], [-0.8, 2, 0.1], [0.8, 2, 0.1]])


def seen_from(degrees: float, *, roll: float = 0, scale: float = 30) -> NDArray[np.float64]:
    """Landmarks of a face that is turned aside and tilted, as a distant camera sees it."""
    yaw, tilt = np.radians([degrees, roll])
    x = FACE[:, 0] * np.cos(yaw) + FACE[:, 2] * np.sin(yaw)
    y = FACE[:, 1]
    points = np.stack(
        [x * np.cos(tilt) - y * np.sin(tilt), x * np.sin(tilt) + y * np.cos(tilt)], axis=1
    )
    return scale * points + 100


def test_turn_grows_from_the_front_to_the_profile() -> None:
    turns = [turn(seen_from(degrees)) for degrees in (0, 15, 30, 45, 60, 90)]
    assert turns[0] == pytest.approx(0, abs=1e-9)
    assert turns == sorted(turns)
    assert turns[-1] > 0.35


@pytest.mark.parametrize("roll", [-40, 10, 90])
@pytest.mark.parametrize("scale", [8, 100])
def test_turn_is_the_same_to_both_sides_at_any_tilt_and_size(roll: float, scale: float) -> None:
    expected = turn(seen_from(35))
    assert turn(seen_from(-35, roll=roll, scale=scale)) == pytest.approx(expected)


def test_landmarks_without_extent_are_turned_away() -> None:
    assert turn(np.full((5, 2), 7.0)) == np.inf


@pytest.fixture(scope="module")
def face(grace_hopper: NDArray[np.uint8]) -> Image.Image:
    engine = Engine.load(runtime="numpy")
    (found,) = engine.detect(grace_hopper)
    return Image.fromarray(engine.crop(grace_hopper, found))


def measured(image: Image.Image) -> float:
    return sharpness(np.asarray(image))


def test_the_more_blurred_the_less_sharp(face: Image.Image) -> None:
    radii = (0, 0.5, 1, 2, 3, 5)
    values = [measured(face.filter(ImageFilter.GaussianBlur(radius))) for radius in radii]
    assert values == sorted(values, reverse=True)
    assert values[0] > 10 * values[3]


@pytest.mark.parametrize("axis", [0, 1])
def test_motion_along_either_axis_blurs(face: Image.Image, axis: int) -> None:
    shifted = [np.roll(np.asarray(face, np.float32), step, axis) for step in range(-4, 5)]
    moved = np.mean(shifted, axis=0).astype(np.uint8)
    assert sharpness(moved) < measured(face) / 5


def test_a_face_from_few_pixels_is_not_sharp(face: Image.Image) -> None:
    assert measured(face.reduce(5).resize(face.size)) < measured(face) / 5


def test_contrast_and_brightness_do_not_count(face: Image.Image) -> None:
    pixels = np.asarray(face, np.float32)
    dim = (0.5 * pixels + 20).astype(np.uint8)
    assert sharpness(dim) == pytest.approx(measured(face), rel=0.05)


def test_a_blank_crop_is_not_sharp() -> None:
    assert sharpness(np.full((64, 64, 3), 90, np.uint8)) == 0
