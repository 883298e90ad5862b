"""Faces are turned, scaled and moved to one geometry before they are judged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class CropGeometry:
    """Where the five landmarks lie in a crop, as fractions of its side.

    Left and right are the image's: ``left_eye`` is the one with the smaller x.
    ``margin`` widens the crop by this fraction of its side on every edge.
    """

    left_eye: Point
    right_eye: Point
    nose: Point
    mouth_left: Point
    mouth_right: Point
    margin: float = 0.0

    @classmethod
    def parse(cls, crop: Mapping[str, Any]) -> CropGeometry:
        """Read ``crop`` of a ``model.json``.

        Raises
        ------
        ValueError
            A landmark is missing or is not two numbers.
        """

        def point(name: str) -> Point:
            try:
                x, y = (float(value) for value in crop[name])
            except (KeyError, TypeError, ValueError) as error:
                raise ValueError(f"crop needs {name} as two fractions of the side") from error
            return x, y

        return cls(
            point("left_eye"),
            point("right_eye"),
            point("nose"),
            point("mouth_left"),
            point("mouth_right"),
            float(crop.get("margin", 0.0)),
        )

    def points(self, size: int) -> NDArray[np.float64]:
        """Return the landmarks (5, 2), x and y in pixels of a crop of side ``size``."""
        fractions: NDArray[np.float64] = np.array(astuple(self)[:5], np.float64)
        return (fractions + self.margin) / (1 + 2 * self.margin) * size


def similarity(source: NDArray[np.floating], target: NDArray[np.floating]) -> NDArray[np.float64]:
    """Fit rotation, scale and shift in the least-squares sense.

    Umeyama, "Least-squares estimation of transformation parameters between two point
    patterns", IEEE TPAMI 13(4), 1991; in the plane it has a closed form in complex
    numbers, which never mirrors.

    Parameters
    ----------
    source, target
        Corresponding points (N, 2).

    Returns
    -------
    ndarray
        (2, 3), float64: ``target = matrix @ (x, y, 1)``.

    Raises
    ------
    ValueError
        The source points coincide.

    Examples
    --------
    >>> square = np.array([[0, 0], [1, 0], [1, 1], [0, 1]])
    >>> similarity(square, 2 * square + [3, 4]).tolist()
    [[2.0, 0.0, 3.0], [0.0, 2.0, 4.0]]
    """
    start = source[:, 0] + 1j * source[:, 1]
    end = target[:, 0] + 1j * target[:, 1]
    from_centre = start - start.mean()
    spread = float(np.sum(np.abs(from_centre) ** 2))
    if not np.isfinite(spread) or spread < 1e-9:
        raise ValueError("the landmarks of a face coincide or are not finite")
    turn = complex(np.sum(from_centre.conj() * (end - end.mean())) / spread)
    shift = complex(end.mean() - turn * start.mean())
    return np.array([[turn.real, -turn.imag, shift.real], [turn.imag, turn.real, shift.imag]]) + 0.0


def align(
    image: NDArray[np.uint8],
    landmarks: NDArray[np.floating],
    geometry: CropGeometry,
    size: int,
) -> NDArray[np.uint8]:
    """Cut one face out, upright and at the model's geometry.

    Nothing aliases: what is larger than the crop is first reduced. Outside the
    image its edge pixels go on.

    Parameters
    ----------
    image
        (H, W, 3), uint8, RGB.
    landmarks
        (5, 2): left eye, right eye, nose, left and right mouth corner, x and y in
        pixels, 0 being the centre of the first pixel.
    geometry
        Where the landmarks shall lie.
    size
        Side of the crop, in pixels.

    Returns
    -------
    ndarray
        (size, size, 3), uint8, RGB.

    Raises
    ------
    ValueError
        The landmarks coincide.
    """
    to_crop = similarity(landmarks + 0.5, geometry.points(size))
    to_image = np.linalg.inv(np.vstack([to_crop, [0, 0, 1]]))[:2]
    # Bounding box of the crop in the image, with two pixels to interpolate with.
    corners = to_image @ np.array([[0, size, 0, size], [0, 0, size, size], [1, 1, 1, 1]])
    left, top = np.floor(corners.min(axis=1)).astype(int) - 2
    right, bottom = np.ceil(corners.max(axis=1)).astype(int) + 2
    height, width = image.shape[:2]
    if left < 0 or top < 0 or right > width or bottom > height:
        rows = np.arange(top, bottom).clip(0, height - 1)
        columns = np.arange(left, right).clip(0, width - 1)
        pixels = image[rows[:, None], columns]
    else:  # which is most faces, and a fifth of the time
        pixels = image[top:bottom, left:right]
    region = Image.fromarray(pixels)
    to_region = to_image - [[0, 0, left], [0, 0, top]]

    scale = float(np.hypot(*to_image[:, 0]))  # image pixels to one of the crop's
    # Reduce first: the affine transform itself takes single points. Sharp filters cost no
    # more and leave the model more to see.
    if scale > 1:
        shrunk = round(region.width / scale), round(region.height / scale)
        to_region /= [[region.width / shrunk[0]], [region.height / shrunk[1]]]
        region = region.resize(shrunk, Image.Resampling.LANCZOS, reducing_gap=3.0)
    drawn = region.transform(
        (size, size),
        Image.Transform.AFFINE,
        _flat(to_region),
        resample=Image.Resampling.BICUBIC,
    )
    return np.array(drawn)


def _flat(matrix: NDArray[np.float64]) -> Sequence[float]:
    return [float(value) for value in matrix.ravel()]
