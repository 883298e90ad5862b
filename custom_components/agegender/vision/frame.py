"""Bytes from a camera or a file become an upright RGB array, or a clear refusal."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

# Every further decoder is one more that a hostile file can reach. JPEG includes MPO.
FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF")
_LARGEST_REDUCTION = 8  # of libjpeg's scaled decoding, along each side


class FrameError(ValueError):
    """A frame that cannot be used; the message says why and what to do."""


def decode(
    data: bytes, *, max_pixels: int = 50_000_000, max_side: int | None = None
) -> NDArray[np.uint8]:
    """Decode one still picture.

    Parameters
    ----------
    data
        A JPEG, PNG, WebP, BMP or GIF file (of an animation, the first picture).
        Greyscale, palette, transparent (shown on mid-grey), 16-bit and CMYK pictures
        are converted; EXIF rotation is applied.
    max_pixels
        Refuse pictures with more pixels than this, judged by the header before any
        memory is taken. A JPEG counts with the size it is decoded at.
    max_side
        Shrink the picture so that neither side is longer than this many pixels.
        JPEGs are then decoded at reduced scale, which is much faster.

    Returns
    -------
    ndarray
        (H, W, 3), uint8, RGB.

    Raises
    ------
    FrameError
        Empty, not a picture, corrupt, truncated, or too large.
    """
    if not data:
        raise FrameError("the frame is empty (0 bytes): check that the camera delivers pictures")
    with _explained():
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            width, height = image.size
            if max_side is not None and max(width, height) > max_side:
                _reduce_while_decoding(image, max_side)
            if math.prod(image.size) > max_pixels:
                raise FrameError(
                    f"the frame has {width}x{height} pixels, more than the limit of "
                    f"{max_pixels / 1e6:g} million: set the camera to a lower resolution"
                )
            image.load()
            upright = _rgb(ImageOps.exif_transpose(image))
        if max_side is not None and max(upright.size) > max_side:
            scale = max_side / max(upright.size)
            size = tuple(max(1, round(side * scale)) for side in upright.size)
            upright = upright.resize(
                (size[0], size[1]), Image.Resampling.BILINEAR, reducing_gap=2.0
            )
        return np.array(upright)


def read(
    path: Path, *, max_pixels: int = 50_000_000, max_side: int | None = None
) -> NDArray[np.uint8]:
    """Decode a file; like `decode`, the errors naming the file.

    Raises
    ------
    FrameError
        The file cannot be read or is refused by `decode`.
    """
    try:
        return decode(path.read_bytes(), max_pixels=max_pixels, max_side=max_side)
    except OSError as error:
        raise FrameError(f"{path}: cannot be read ({error.strerror})") from error
    except FrameError as error:
        raise FrameError(f"{path}: {error}") from error


def _reduce_while_decoding(image: Image.Image, max_side: int) -> None:
    """Ask the JPEG decoder for the smallest of its scales that is still enough."""
    if image.format not in ("JPEG", "MPO") or "progressive" in image.info:
        return  # a progressive JPEG is held whole, whatever scale it is decoded at
    reduction = min(max(image.size) / max_side, _LARGEST_REDUCTION)
    image.draft(None, (int(image.width / reduction), int(image.height / reduction)))


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):  # 16-bit greyscale; Pillow would clip, not scale
        values = np.asarray(image).astype(np.int64)
        return Image.fromarray((values >> 8).clip(0, 255).astype(np.uint8)).convert("RGB")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        ground = Image.new("RGBA", image.size, (128, 128, 128, 255))
        image = Image.alpha_composite(ground, image)
    return image.convert("RGB")


@contextmanager
def _explained() -> Iterator[None]:
    """Turn the many errors of the decoders into ours."""
    try:
        yield
    except FrameError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise FrameError(
            f"the frame is far too large ({error}): set the camera to a lower resolution"
        ) from error
    except UnidentifiedImageError as error:
        raise FrameError(
            "the frame is not a picture in a known format "
            f"({', '.join(FORMATS)}), or its beginning is damaged"
        ) from error
    except Exception as error:  # decoders raise nearly anything on damaged data
        raise FrameError(
            f"the frame is damaged or cut short ({error}): "
            "check the camera's connection, or replace the file"
        ) from error
