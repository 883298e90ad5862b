"""Random views of a face: a camera's faults, geometry by one affine resampling, then colour."""

from __future__ import annotations

import io
import math
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydantic import BaseModel, ConfigDict, Field

Fraction = Annotated[float, Field(ge=0, le=1)]
Spread = Annotated[float, Field(ge=0)]
NOISE = 12.0
"""Largest standard deviation of a sensor's noise, of 255: a cheap camera's at night."""
QUALITY = 35, 90
"""JPEG qualities of cameras' frames."""


class Augmentation(BaseModel):
    """How far a random view may stray; all zero gives the plain view.

    Attributes
    ----------
    flip
        Probability of a left-right mirror.
    rotate
        Standard deviation of the rotation, degrees.
    shear
        Standard deviation of the angle that upright lines are tilted by, degrees.
    zoom
        Standard deviation of the logarithm of the scale.
    shift
        Standard deviation of the translation, fraction of the side.
    colour
        Largest relative change of brightness, contrast and saturation.
    grey
        Probability of a greyscale view (infrared and night cameras).
    blur
        Probability of a view that lost resolution, as distant faces have.
    noise
        Probability of a view with a sensor's noise.
    compress
        Probability of a view that a camera compressed as JPEG.
    erase
        Probability of one erased rectangle (Zhong et al., AAAI 2020).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    flip: Fraction = 0.0
    rotate: Spread = 0.0
    shear: Spread = 0.0
    zoom: Spread = 0.0
    shift: Spread = 0.0
    colour: Fraction = 0.0
    grey: Fraction = 0.0
    blur: Fraction = 0.0
    noise: Fraction = 0.0
    compress: Fraction = 0.0
    erase: Fraction = 0.0


def view(
    face: NDArray[np.uint8], size: int, augmentation: Augmentation, random: np.random.Generator
) -> NDArray[np.uint8]:
    """Return one view of a face.

    Parameters
    ----------
    face
        RGB (S, S, 3).
    size
        Side of the view in pixels.
    augmentation, random
        What may vary, and the source of chance; the same generator state gives the same
        view.

    Returns
    -------
    numpy.ndarray
        uint8 (size, size, 3).
    """
    image = Image.fromarray(face)
    if random.random() < augmentation.blur:
        small = int(random.uniform(0.3, 0.9) * size)
        image = image.resize((small, small), Image.Resampling.BOX)
    # For views without either, nothing is drawn: they stay what they were.
    if augmentation.noise and random.random() < augmentation.noise:
        image = _noisy(image, random)
    if augmentation.compress and random.random() < augmentation.compress:
        image = _compressed(image, random)
    side = image.width
    image = image.transform(
        (size, size),
        Image.Transform.AFFINE,
        _affine(side, size, augmentation, random),
        Image.Resampling.BILINEAR,
    )
    if augmentation.colour or augmentation.grey:
        image = _recolour(image, augmentation, random)
    pixels = np.asarray(image, np.uint8)
    if random.random() < augmentation.erase:
        height, width = random.integers(size // 8, size // 2, 2)
        top, left = random.integers(0, size - height), random.integers(0, size - width)
        pixels = pixels.copy()
        pixels[top : top + height, left : left + width] = random.integers(0, 256, 3)
    return pixels


def _noisy(image: Image.Image, random: np.random.Generator) -> Image.Image:
    pixels = np.asarray(image, np.float32)
    noise = random.standard_normal(pixels.shape, np.float32) * random.uniform(0, NOISE)
    return Image.fromarray((pixels + noise).round().clip(0, 255).astype(np.uint8))


def _compressed(image: Image.Image, random: np.random.Generator) -> Image.Image:
    file = io.BytesIO()
    image.save(file, "jpeg", quality=int(random.integers(*QUALITY)))
    return Image.open(file)


def _affine(
    side: int, size: int, augmentation: Augmentation, random: np.random.Generator
) -> tuple[float, float, float, float, float, float]:
    angle = math.radians(augmentation.rotate * random.standard_normal())
    scale = side / size * math.exp(augmentation.zoom * random.standard_normal())
    right, down = (side * augmentation.shift * random.standard_normal(2)).tolist()
    mirror = -1.0 if random.random() < augmentation.flip else 1.0
    a, b = scale * math.cos(angle) * mirror, -scale * math.sin(angle)
    d, e = scale * math.sin(angle) * mirror, scale * math.cos(angle)
    if augmentation.shear:  # nothing is drawn for views without: they stay what they were
        tilt = math.tan(math.radians(augmentation.shear * random.standard_normal()))
        b, e = b + a * tilt, e + d * tilt
    x, y = side / 2 + right - (a + b) * size / 2, side / 2 + down - (d + e) * size / 2
    return a, b, x, d, e, y


def _recolour(
    image: Image.Image, augmentation: Augmentation, random: np.random.Generator
) -> Image.Image:
    brightness, contrast, saturation = (1 + augmentation.colour * random.uniform(-1, 1, 3)).tolist()
    if random.random() < augmentation.grey:
        saturation = 0.0
    # One 3x3 matrix and an offset do all three: saturation mixes each channel with the
    # luma (ITU-R BT.601), contrast stretches about the mean, brightness scales.
    gain = brightness * contrast
    red, green, blue = (gain * (1 - saturation) * share for share in (0.299, 0.587, 0.114))
    own = gain * saturation
    mean = sum(image.reduce(image.size).tobytes()) / 3  # one pixel, three bytes
    offset = brightness * (1 - contrast) * mean
    matrix = (
        *(red + own, green, blue, offset),
        *(red, green + own, blue, offset),
        *(red, green, blue + own, offset),
    )
    return image.convert("RGB", matrix)
