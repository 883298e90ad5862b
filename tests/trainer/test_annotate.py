"""What is drawn over pictures is legible, and what is covered is gone."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import ImageColor

from agegender_vision import frame
from agegender_vision.engine import detectors
from agegender_vision.runtime import runtimes
from trainer import annotate

from .conftest import ASTRONAUT

FACE = {"box": [177, 70, 95, 125], "age_low": 28.4, "age_high": 41.0, "p_female": 0.97}


@pytest.fixture(scope="module")
def astronaut() -> NDArray[np.uint8]:
    return frame.read(ASTRONAUT)


def colours(image: NDArray[np.uint8]) -> set[tuple[int, ...]]:
    return {tuple(pixel) for pixel in image.reshape(-1, 3).tolist()}


def brightness(colour: str) -> float:
    """Relative luminance as WCAG 2 defines it."""
    parts = np.array(ImageColor.getrgb(colour)) / 255
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


@pytest.mark.parametrize(
    ("p_female", "colour"),
    [(0.97, annotate.FEMALE), (0.03, annotate.MALE), (0.6, annotate.UNKNOWN)],
)
def test_the_colour_tells_the_gender(
    astronaut: NDArray[np.uint8], p_female: float, colour: str
) -> None:
    drawn = annotate.draw(astronaut, [FACE | {"p_female": p_female}])
    shown = colours(drawn) & {
        ImageColor.getrgb(c) for c in (annotate.FEMALE, annotate.MALE, annotate.UNKNOWN)
    }
    assert shown == {ImageColor.getrgb(colour)}


@pytest.mark.parametrize("colour", [annotate.FEMALE, annotate.MALE, annotate.UNKNOWN])
def test_the_words_stand_out(colour: str) -> None:
    assert (brightness(colour) + 0.05) / (brightness("black") + 0.05) > 7  # WCAG's AAA


@pytest.mark.parametrize("ground", [0, 128, 255])
def test_the_box_is_seen_on_any_ground(ground: int) -> None:
    image = np.full((600, 600, 3), ground, np.uint8)
    middle_row = annotate.draw(image, [FACE])[130].astype(int)
    assert np.abs(middle_row - ground).max() > 100


def test_lines_grow_with_the_picture() -> None:
    def drawn_share(image: NDArray[np.uint8], face: dict[str, Any]) -> float:
        drawn = annotate.draw(image, [face])
        return float((drawn == ImageColor.getrgb(annotate.FEMALE)).all(axis=2).mean())

    large = np.zeros((4000, 4000, 3), np.uint8)
    small = np.zeros((1000, 1000, 3), np.uint8)
    share = drawn_share(small, FACE | {"box": [200, 200, 300, 300]})
    assert drawn_share(large, FACE | {"box": [800, 800, 1200, 1200]}) == pytest.approx(
        share, rel=0.35
    )


@pytest.mark.parametrize(
    "box", [[0, 0, 96, 96], [-20, -20, 40, 40], [90, 90, 10, 10], [0, 0, 96, 4]]
)
def test_a_face_at_the_edge_of_a_small_picture(box: list[float]) -> None:
    small = np.zeros((96, 96, 3), np.uint8)
    drawn = annotate.draw(small, [FACE | {"box": box}])
    assert drawn.shape == (480, 480, 3)
    assert ImageColor.getrgb(annotate.FEMALE) in colours(drawn)


def test_drawing_leaves_the_picture_as_it_was(astronaut: NDArray[np.uint8]) -> None:
    before = astronaut.copy()
    annotate.draw(annotate.hide(astronaut, [FACE["box"]]), [FACE])  # type: ignore[list-item]
    np.testing.assert_array_equal(astronaut, before)


def test_of_a_covered_head_one_colour_is_left(astronaut: NDArray[np.uint8]) -> None:
    detector = detectors.get("mtcnn")(runtime=runtimes.get("numpy"), min_face_size=20)
    (face,) = detector.detect(astronaut)
    covered = annotate.hide(astronaut, [face.box])
    assert detector.detect(covered) == []
    left, top, right, bottom = (max(0, round(edge)) for edge in annotate.head(face.box))
    assert len(colours(covered[top:bottom, left:right])) == 2
    x, y, width, height = face.box
    assert left < x - width / 4
    assert top < max(1, y - height / 4)
    assert right > x + 1.25 * width
    assert bottom > y + 1.25 * height


def test_what_is_under_the_cover_does_not_show(astronaut: NDArray[np.uint8]) -> None:
    """Turning the head around changes nothing but its surroundings."""
    box = (180, 80, 90, 110)
    left, top, right, bottom = (round(edge) for edge in annotate.head(box))
    turned = astronaut.copy()
    turned[top:bottom, left:right] = astronaut[top:bottom, left:right][::-1, ::-1]
    np.testing.assert_array_equal(annotate.hide(turned, [box]), annotate.hide(astronaut, [box]))
