"""Bytes from a camera or a file become an upright RGB array, or a clear refusal."""

from __future__ import annotations

import io
import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

# Every further decoder is one more that a hostile file can reach. JPEG includes MPO.
FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF")
_THUMBNAIL_SIDE = 128  # at least, of a large picture, and less than twice that
_LARGEST_REDUCTION = 8  # of libjpeg's scaled decoding, along each side

# What Pillow thinks of odd frames, such as of damaged EXIF data, would fill the log: a frame
# is used or refused. For good, as `warnings.catch_warnings` does not work with threads.
warnings.filterwarnings("ignore", module=r"PIL\.")


class FrameError(ValueError):
    """A frame that cannot be used; the message says why and what to do."""


def decode(
    data: bytes, *, max_pixels: int = 50_000_000, enough: int | None = None
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
    enough
        Length of the longer side, in pixels, that will do: a larger picture is reduced
        by the largest factor that leaves so much. For a JPEG the factor is 2, 4 or 8 and
        taken while decoding, which is much faster; else it is any whole number. So the
        longer side is always less than twice this.

    Returns
    -------
    ndarray
        (H, W, 3), uint8, RGB; read-only.

    Raises
    ------
    FrameError
        Empty, not a picture, corrupt, truncated, or too large.
    """
    with _explained():
        image = _rgb(_load(data, max_pixels, enough))
        if enough is not None:
            image = _reduced(image, enough)  # and no memory is taken by the large one
        return np.asarray(image)


def longer_side(frame: bytes | NDArray[np.uint8]) -> int:
    """Return the longer side of a picture as it was sent, in pixels; decodes nothing.

    Raises
    ------
    FrameError
        Empty, or not a picture.
    """
    if not isinstance(frame, bytes):
        return int(max(frame.shape[:2]))
    with _explained(), _opened(frame) as image:
        return max(image.size)


def thumbnail(
    frame: bytes | NDArray[np.uint8], *, max_pixels: int = 50_000_000
) -> NDArray[np.uint8]:
    """Make a picture small and grey, at a fraction of the cost of decoding it.

    Of a JPEG only the mean of each block of 8x8 pixels is computed, and no colour.

    Parameters
    ----------
    frame
        An encoded picture as for `decode`, or (H, W, 3), uint8, RGB.
    max_pixels
        As for `decode`.

    Returns
    -------
    ndarray
        (h, w), uint8; each side less than 256.

    Raises
    ------
    FrameError
        As by `decode`.
    """
    with _explained():
        if isinstance(frame, bytes):
            image = _load(frame, max_pixels, 1, "L")
            image = image if image.mode == "L" else _rgb(image).convert("L")
        else:  # every fourth pixel's green: most of the brightness
            image = Image.fromarray(np.ascontiguousarray(frame[::2, ::2, 1]))
        return np.asarray(_reduced(image, _THUMBNAIL_SIDE))


def read(
    path: Path, *, max_pixels: int = 50_000_000, enough: int | None = None
) -> NDArray[np.uint8]:
    """Decode a file; like `decode`, the errors naming the file.

    Raises
    ------
    FrameError
        The file cannot be read or is refused by `decode`.
    """
    try:
        return decode(path.read_bytes(), max_pixels=max_pixels, enough=enough)
    except OSError as error:
        raise FrameError(f"{path}: cannot be read ({error.strerror})") from error
    except FrameError as error:
        raise FrameError(f"{path}: {error}") from error


def _opened(data: bytes) -> Image.Image:
    if not data:
        raise FrameError("the frame is empty (0 bytes): check that the camera delivers pictures")
    return Image.open(io.BytesIO(data), formats=FORMATS)


def _load(data: bytes, max_pixels: int, enough: int | None, mode: str | None = None) -> Image.Image:
    """Decode upright, a JPEG at the smallest of its scales that is still enough."""
    with _opened(data) as image:
        width, height = image.size
        # A progressive JPEG is held whole, whatever scale it is decoded at.
        if enough and image.format in ("JPEG", "MPO") and "progressive" not in image.info:
            reduction = min(max(1, max(image.size) // enough), _LARGEST_REDUCTION)
            image.draft(mode, (width // reduction, height // reduction))
        if math.prod(image.size) > max_pixels:
            raise FrameError(
                f"the frame has {width}x{height} pixels, more than the limit of "
                f"{max_pixels / 1e6:g} million: set the camera to a lower resolution"
            )
        image.load()
        ImageOps.exif_transpose(image, in_place=True)
        return image


def _reduced(image: Image.Image, enough: int) -> Image.Image:
    """Average whole blocks of pixels, as large as leave enough of the longer side."""
    block = max(image.size) // enough
    return image.reduce(block) if block > 1 else image


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):  # 16-bit greyscale; Pillow would clip, not scale
        values = np.asarray(image).astype(np.int64)
        return Image.fromarray((values >> 8).clip(0, 255).astype(np.uint8)).convert("RGB")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        ground = Image.new("RGBA", image.size, (128, 128, 128, 255))
        image = Image.alpha_composite(ground, image)
    # Converting copies, also what is in RGB: as long as decoding half a small JPEG.
    return image if image.mode == "RGB" else image.convert("RGB")


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
