"""Each cell of a smaller image is the mean of what it covers."""

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from agegender_vision.pyramid import levels
from agegender_vision.scratch import Scratch


def grey(level: NDArray[np.float32]) -> NDArray[np.float32]:
    """Undo the scaling to -1..1; all channels are equal here."""
    np.testing.assert_array_equal(level, np.repeat(level[..., :1], 3, axis=2))
    return level[..., 0] * np.float32(128) + np.float32(127.5)


def test_fractions_of_pixels_count_as_such() -> None:
    """Five pixels for three cells: 1 and 2/3, 1/3 and 1 and 1/3, 2/3 and 1."""
    line = np.array([0, 30, 60, 90, 240], np.uint8)
    image = np.repeat(line[:, None, None], 3, axis=2) * np.ones((1, 5, 1), np.uint8)
    ((level, scale),) = levels(image, [0.6], Scratch())
    assert scale == 0.6
    assert level.shape == (3, 3, 3)
    assert level.dtype == np.float32
    expected = np.array([20 / (5 / 3), 100 / (5 / 3), 300 / (5 / 3)])
    np.testing.assert_allclose(grey(level), expected[:, None] * np.ones(3), atol=1e-4)
    # Columns as rows.
    ((turned, _),) = levels(image.transpose(1, 0, 2), [0.6], Scratch())
    np.testing.assert_allclose(turned, level.transpose(1, 0, 2), atol=1e-6)


def test_whole_blocks_are_what_pillow_makes_of_them(astronaut: NDArray[np.uint8]) -> None:
    for factor, (level, _) in zip(
        (2, 4, 8), levels(astronaut, [1 / 2, 1 / 4, 1 / 8], Scratch()), strict=True
    ):
        blocks = np.asarray(Image.fromarray(astronaut).reduce(factor))
        np.testing.assert_allclose(level * 128 + 127.5, blocks, atol=0.51)  # it rounds


@pytest.mark.parametrize("scale", [1.0, 0.9, 0.613, 0.31, 0.1, 0.02])
def test_every_pixel_counts_once(astronaut: NDArray[np.uint8], scale: float) -> None:
    """The mean over a level is the image's, whatever the sizes."""
    image = astronaut[:401, :307]
    ((level, _),) = levels(image, [scale], Scratch())
    assert level.shape == (int(401 * scale), int(307 * scale), 3)
    mean = (image.mean(axis=(0, 1)) - 127.5) / 128
    np.testing.assert_allclose(level.mean(axis=(0, 1)), mean, atol=1e-5)


def test_full_scale_is_the_image(astronaut: NDArray[np.uint8]) -> None:
    ((level, _),) = levels(astronaut, [1.0], Scratch())
    np.testing.assert_allclose(level * 128 + 127.5, astronaut, atol=1e-4)
