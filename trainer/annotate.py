"""Pictures with what was estimated drawn over them, or with the heads covered."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from agegender_vision.census import GENDER_CONFIDENCE

Box = Sequence[float]
"""Left, top, width and height in pixels."""

# From the palette of Okabe and Ito, which people tell apart whatever colours they see; the
# words say the same.
FEMALE, MALE, UNKNOWN = "#E69F00", "#56B4E9", "#BBBBBB"
_INK = "black"
_SMALLEST = 480  # pixels of the longer side: below, captions hide the picture
_HEAD = (0.35, 0.55, 0.35, 0.35)  # of the box's width and height: left, top, right, bottom


def draw(image: NDArray[np.uint8], faces: Iterable[Mapping[str, Any]]) -> NDArray[np.uint8]:
    """Draw each face's box, age interval and gender probability.

    Parameters
    ----------
    image
        (H, W, 3), uint8, RGB. A small one is enlarged.
    faces
        Objects as `agegender predict` writes them.

    Returns
    -------
    numpy.ndarray
        (H', W', 3), uint8, RGB: a new picture.
    """
    height, width = image.shape[:2]
    scale = max(1.0, _SMALLEST / max(width, height))
    picture = Image.fromarray(image)
    if scale > 1:
        size = round(width * scale), round(height * scale)
        picture = picture.resize(size, Image.Resampling.BICUBIC)
    line = max(2, round(max(picture.size) / 400))
    pen = ImageDraw.Draw(picture)
    shown = [([scale * value for value in face["box"]], face) for face in faces]
    for box, face in shown:
        _outline(pen, box, _colour(face), line)
    for box, face in shown:  # last, so that no neighbour's box crosses the words
        _write(pen, picture.size, box, face, line)
    return np.array(picture)


def hide(image: NDArray[np.uint8], boxes: Iterable[Box]) -> NDArray[np.uint8]:
    """Cover heads so that nothing of them is left but their average colour.

    A mosaic or a blur of a face can be matched to a photograph of it by a network trained
    to do so (McPherson, Shokri and Shmatikov, "Defeating image obfuscation with deep
    learning", 2016), and the frames of a video add up. So the squares drawn here are two
    shades of one colour.

    Parameters
    ----------
    image
        (H, W, 3), uint8, RGB.
    boxes
        Faces; the hair and the chin around them are covered too.

    Returns
    -------
    numpy.ndarray
        (H, W, 3), uint8, RGB: a new picture.
    """
    covered = image.copy()
    for box in boxes:
        left, top, right, bottom = (max(0, round(edge)) for edge in head(box))
        region = covered[top:bottom, left:right]
        colour = region.mean(axis=(0, 1), dtype=np.float64)
        side = max(1, max(region.shape[:2]) // 6)
        rows, columns = (np.arange(length) // side for length in region.shape[:2])
        dark = (rows[:, None] + columns) % 2
        region[:] = np.where(dark[..., None], 0.85 * colour, colour).astype(np.uint8)
    return covered


def head(box: Box) -> tuple[float, float, float, float]:
    """Return the left, top, right and bottom of the head around a face, in pixels."""
    x, y, width, height = box
    left, top, right, bottom = _HEAD
    return (
        x - left * width,
        y - top * height,
        x + (1 + right) * width,
        y + (1 + bottom) * height,
    )


def _caption(face: Mapping[str, Any]) -> str:
    """Say between which ages, and which gender more likely."""
    p_female = face["p_female"]
    gender = "female" if p_female >= 0.5 else "male"
    certainty = min(0.99, max(p_female, 1 - p_female))  # never 100 %
    return f"{face['age_low']:.0f} to {face['age_high']:.0f}\n{gender} {certainty:.0%}"


def _colour(face: Mapping[str, Any]) -> str:
    p_female = face["p_female"]
    if max(p_female, 1 - p_female) < GENDER_CONFIDENCE:
        return UNKNOWN
    return FEMALE if p_female >= 0.5 else MALE


def _outline(pen: ImageDraw.ImageDraw, box: Box, colour: str, line: int) -> None:
    """Draw a box between dark edges, so that it is seen on any ground."""
    x, y, width, height = box
    edge = max(1, line // 2)
    for grow, thickness, ink in ((edge, line + 2 * edge, _INK), (0, line, colour)):
        corners = (x - grow, y - grow, x + width + grow, y + height + grow)
        pen.rectangle(corners, outline=ink, width=thickness)


def _write(
    pen: ImageDraw.ImageDraw,
    size: tuple[int, int],
    box: Box,
    face: Mapping[str, Any],
    line: int,
) -> None:
    """Write the caption above the box, or below where the picture ends, on its own ground."""
    x, y, width, height = box
    # Hardly wider than the face, so that neighbours keep theirs.
    font = ImageFont.load_default(max(11, round(min(width / 4.5, max(size) / 40))))
    words, pad = _caption(face), max(2, line)
    left, top, right, bottom = pen.multiline_textbbox((0, 0), words, font, spacing=line)
    wide, high = right - left + 2 * pad, bottom - top + 2 * pad
    x = min(max(0, x + (width - wide) / 2), max(0, size[0] - wide))
    y = y - high - line if y >= high + line else min(y + height + line, max(0, size[1] - high))
    ground = (x, y, x + wide, y + high)
    pen.rectangle(ground, fill=_colour(face), outline=_INK, width=max(1, line // 2))
    pen.multiline_text((x + pad - left, y + pad - top), words, _INK, font, spacing=line)
