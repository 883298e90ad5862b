"""A region is a rectangle of the picture, and nothing outside it is looked at."""

import numpy as np
import pytest

from agegender_vision.region import Region


def test_the_whole_picture_is_the_default() -> None:
    picture = np.zeros((48, 64, 3), np.uint8)
    assert Region().cut(picture).shape == picture.shape
    assert Region().coverage() == [[1.0] * 3] * 3


def test_its_part_is_cut_out() -> None:
    picture = np.arange(100, dtype=np.uint8).reshape(10, 10)
    region = Region(left=0.2, top=0.5, right=0.6, bottom=0.7)
    assert region.corner(10, 10) == (2, 5)
    assert region.cut(picture).tolist() == [[52, 53, 54, 55], [62, 63, 64, 65]]


def test_a_grid_tells_what_it_covers() -> None:
    assert Region(top=0.5, right=1 / 3).coverage() == pytest.approx(
        np.array([[0, 0, 0], [0.5, 0, 0], [1, 0, 0]])
    )
    assert Region(0.25, 0.25, 0.75, 0.75).coverage(2) == [[0.25, 0.25], [0.25, 0.25]]


@pytest.mark.parametrize(
    "sides",
    [(0.5, 0, 0.5, 1), (0.6, 0, 0.4, 1), (0, 0.95, 1, 1), (-0.1, 0, 1, 1), (0, 0, 1, 1.1)],
    ids=["no width", "left of itself", "too flat", "beyond the left", "beyond the bottom"],
)
def test_what_is_no_part_of_a_picture_is_refused(sides: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="at least 10% of the picture"):
        Region(*sides)
    with pytest.raises(ValueError, match="at least 10% of the picture"):
        Region(right=float("nan"))


def test_percentages_may_round() -> None:
    assert Region(left=0.3, right=0.4).left == 0.3
