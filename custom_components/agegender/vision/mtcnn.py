"""MTCNN: three small networks, each judging what the one before proposed.

Zhang, Zhang, Li and Qiao, "Joint Face Detection and Alignment Using Multitask Cascaded
Convolutional Networks", IEEE Signal Processing Letters 23(10), 2016.

The weights are those of the ``mtcnn`` package, and so are the conventions they are used
with: the area-averaged pyramid, sampling and offsets of half and whole pixels, and
non-maximum suppression in which a suppressed box suppresses others too. They are
marked below; another choice would be as good, but would not agree with that package.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from . import artefact
from .detector import Box, Detection, asked_size, checked_size
from .pyramid import PLANE, levels
from .runtime import Network, Runtime, runtimes
from .scratch import Scratch

WEIGHTS = Path(__file__).parent / "model" / "mtcnn"

_CELL = 12  # side of what P-Net looks at, in pixels of a pyramid level
_STRIDE = 2  # P-Net's, in pixels of a pyramid level
_STRIP = 32 * 1024  # pixels of a pyramid level that P-Net judges at once, and
_PIXELS = 72 * 1024  # of all crops that R-Net or O-Net do: bound their memory
_NMS_BLOCK = 512  # boxes compared with all better ones at once; bounds that memory

Boxes = NDArray[np.float64]  # (N, 4): left, top, right, bottom, in pixels
Scores = NDArray[np.float32]  # (N,)


class Mtcnn:
    """Finds faces and five landmarks of each.

    Parameters
    ----------
    min_face_size
        Side of the smallest face to look for, in pixels, at least 12. Twice the side
        is about a quarter of the work.
    thresholds
        Least score of P-Net, R-Net and O-Net, 0 to 1.
    scale_factor
        Ratio of one pyramid level to the one before, between 0 and 1.
    runtime
        What executes the networks; NumPy if None.
    weights
        Folder of an artefact of kind ``detector`` with ``pnet``, ``rnet``, ``onet``.

    Raises
    ------
    ValueError
        A parameter is out of its range.
    ArtefactError
        The folder is unusable.
    """

    def __init__(
        self,
        *,
        min_face_size: int = 40,
        thresholds: tuple[float, float, float] = (0.6, 0.7, 0.8),
        scale_factor: float = 0.709,
        runtime: Runtime | None = None,
        weights: Path = WEIGHTS,
    ) -> None:
        """Load the weights and compile the networks."""
        if not 0 < scale_factor < 1:
            raise ValueError(f"scale_factor lies between 0 and 1, got {scale_factor}")
        self._min_face_size = checked_size(min_face_size, _CELL)
        self._thresholds = thresholds
        self._scale_factor = scale_factor
        self._scratch = Scratch()
        loaded = artefact.load(weights)
        try:
            graphs = [loaded.graphs[name] for name in ("pnet", "rnet", "onet")]
        except KeyError as error:
            raise artefact.ArtefactError(
                f"{weights / artefact.DESCRIPTION} has no network {error}: "
                "it is not an MTCNN, choose another folder"
            ) from error
        executor = runtimes.get("numpy") if runtime is None else runtime
        self._pnet, self._rnet, self._onet = (
            executor.compile(graph, loaded.weights) for graph in graphs
        )

    def detect(
        self, image: NDArray[np.uint8], *, min_face_size: int | None = None
    ) -> list[Detection]:
        """Find the faces of an image, see :meth:`.FaceDetector.detect`."""
        smallest = asked_size(min_face_size, self._min_face_size, _CELL)
        return self._confirm(image, self._propose(image, smallest))

    def refine(self, image: NDArray[np.uint8], boxes: Sequence[Box]) -> list[Detection]:
        """Find the faces that are where boxes tell, or up to a tenth of a side away.

        The same judgement as in `detect`, without its search: that is most of the work.

        Parameters
        ----------
        image
            (H, W, 3), uint8, RGB.
        boxes
            Left, top, width and height of each, in pixels; may reach out of the image.

        Returns
        -------
        list of Detection
            Best score first; fewer than the boxes where one holds no face or two the same.
        """
        edges = np.array(boxes, np.float64).reshape(-1, 4)
        edges[:, 2:] += edges[:, :2]
        return self._confirm(image, edges)

    def _confirm(self, image: NDArray[np.uint8], boxes: Boxes) -> list[Detection]:
        """Let R-Net and O-Net judge, move and thin out candidates."""
        boxes = _squared(boxes)
        if not len(boxes):
            return []
        crops = _Crops(image, self._scratch)

        shifts, faceness = _judge(self._rnet, crops, boxes, 24)
        kept = faceness[:, 1] > self._thresholds[1]
        boxes, scores = _shifted(boxes, shifts)[kept], faceness[kept, 1]
        boxes = _squared(boxes[_unsuppressed(boxes, scores, 0.7)])
        if not len(boxes):
            return []

        shifts, points, faceness = _judge(self._onet, crops, boxes, 48)
        kept = faceness[:, 1] > self._thresholds[2]
        landmarks = _landmarks(boxes, points)[kept]
        boxes, scores = _shifted(boxes, shifts)[kept], faceness[kept, 1]
        best = _unsuppressed(boxes, scores, 0.7, of_smaller=True)

        height, width = image.shape[:2]
        boxes = boxes.clip(0, [width - 1, height - 1, width - 1, height - 1])
        return [
            Detection(
                box=(
                    float(boxes[i, 0]),
                    float(boxes[i, 1]),
                    float(boxes[i, 2] - boxes[i, 0]),
                    float(boxes[i, 3] - boxes[i, 1]),
                ),
                score=float(scores[i]),
                landmarks=landmarks[i],
            )
            for i in best
        ]

    def _propose(self, image: NDArray[np.uint8], min_face_size: int) -> Boxes:
        """Return P-Net's candidates from all pyramid levels."""
        boxes, scores = [np.empty((0, 4))], [np.empty(0, np.float32)]
        scales = _scales(image, min_face_size, self._scale_factor)
        for level, scale in levels(image, scales, self._scratch):
            shifts, faceness = self._proposals(level)
            rows, columns = np.nonzero(faceness[:, :, 1] > self._thresholds[0])
            # The package counts a cell's pixels from 1, and its last one inclusively.
            corner = np.stack([columns, rows], axis=1) * _STRIDE + 1.0
            extent = _CELL - 1
            cells = np.concatenate([corner, corner + extent], axis=1)
            cells += shifts[rows, columns] * extent
            cells /= scale
            faces = faceness[rows, columns, 1]
            kept = _unsuppressed(cells, faces, 0.5)
            boxes.append(cells[kept])
            scores.append(faces[kept])
        candidates = np.concatenate(boxes)
        return candidates[_unsuppressed(candidates, np.concatenate(scores), 0.7)]

    def _proposals(self, level: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        """Return P-Net's shifts and faceness of a level's cells: (rows, columns, C) each.

        Large levels in strips, which changes nothing but the memory it takes.
        """
        height, width = level.shape[:2]
        overlap = _CELL - _STRIDE
        rows = -(-(height - overlap) // _STRIDE)
        step = -(-rows // -(-height * width // _STRIP))
        strips = [
            self._pnet(level[None, _STRIDE * row : _STRIDE * (row + step) + overlap])
            for row in range(0, rows, step)
        ]
        return [np.concatenate(output, axis=1)[0] for output in zip(*strips, strict=True)]


def _scales(image: NDArray[np.uint8], min_face_size: int, scale_factor: float) -> list[float]:
    """Return the pyramid's scales, the largest first."""
    ratio = min(image.shape[:2]) / min_face_size
    if ratio < 1:
        return []
    smallest = math.floor(math.log(ratio) / -math.log(scale_factor))
    return [_CELL / min_face_size * scale_factor**level for level in range(smallest + 1)]


class _Crops:
    """Cuts square boxes out of one image and resizes them, bilinearly.

    Outside the image lies mid-grey, which is 0 for the networks.
    """

    def __init__(self, image: NDArray[np.uint8], scratch: Scratch) -> None:
        self._scratch = scratch
        self._height, self._width = image.shape[:2]
        # Four bytes a pixel, so that one look-up fetches a whole pixel. One row and one
        # pixel more: a sample in the last row or column gives its neighbour no weight,
        # but fetches it.
        count = self._height * self._width
        # In the memory of the pyramid, which is used up by now.
        memory = scratch.take(PLANE, (count + self._width + 1,))
        self._pixels: NDArray[np.uint32] = memory.view(np.uint32)
        channels = self._pixels[:count].view(np.uint8).reshape(self._height, self._width, 4)
        for channel in range(3):  # long runs, in place of one of three bytes for each pixel
            channels[:, :, channel] = image[:, :, channel]

    def cut(self, boxes: Boxes, size: int) -> NDArray[np.float32]:
        """Return (N, size, size, 3), scaled to -1..1; valid until the next call."""
        # Boxes last: so are the networks' batches, and NumPy is fast along that axis.
        column, right, inside_x = self._samples(boxes[:, 0], boxes[:, 2], self._width, size)
        row, down, inside_y = self._samples(boxes[:, 1], boxes[:, 3], self._height, size)
        corner = self._scratch.take("corner", (size, size, len(boxes)), np.intp)
        np.add((row * self._width)[:, None], column, out=corner)
        above = self._blend("above", corner, 0, right)
        below = self._blend("below", corner, self._width, right)
        below -= above
        below *= down[:, None]
        above += below
        above -= 127.5
        above /= 128
        above *= inside_x
        above *= inside_y[:, None]
        return above.reshape(size, size, len(boxes), 4)[..., :3].transpose(2, 0, 1, 3)

    def _samples(
        self, low: NDArray[np.float64], high: NDArray[np.float64], length: int, size: int
    ) -> tuple[NDArray[np.intp], NDArray[np.float32], NDArray[np.bool_]]:
        """Return where samples lie: pixel before (size, N), way to the next, whether inside.

        The latter two are (size, 4 N), once for each byte of a pixel.
        """
        # The package divides boxes by the image's length and multiplies by length - 1.
        shrunk = (length - 1) / length
        low, high = low * shrunk, high * shrunk
        at = low + (high - low) * np.linspace(0, 1, size)[:, None]
        inside = (at >= 0) & (at <= length - 1)
        at = at.clip(0, length - 1)
        before = at.astype(np.intp)
        part = (at - before).astype(np.float32)
        return before, part.repeat(4, axis=1), inside.repeat(4, axis=1)

    def _blend(
        self, key: str, corner: NDArray[np.intp], offset: int, part: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Return the pixels at and right of each corner, blended: (size, size, 4 N)."""
        left = self._fetched(key, corner, offset)
        right = self._fetched("right", corner, offset + 1)
        right -= left
        right *= part
        left += right
        return left

    def _fetched(self, key: str, corner: NDArray[np.intp], offset: int) -> NDArray[np.float32]:
        pixels = self._scratch.take("fetched", corner.shape, np.uint32)
        # All are inside; to NumPy, "clip" means that it need not look before it writes.
        np.take(self._pixels[offset:], corner, out=pixels, mode="clip")
        channels = pixels.view(np.uint8)
        values = self._scratch.take(key, channels.shape)
        np.copyto(values, channels)
        return values


def _judge(network: Network, crops: _Crops, boxes: Boxes, size: int) -> list[NDArray[np.float32]]:
    """Run a network on every box (at least one), in batches."""
    batch = _PIXELS // size**2
    parts = [
        network(crops.cut(boxes[start : start + batch], size))
        for start in range(0, len(boxes), batch)
    ]
    return [np.concatenate(output) for output in zip(*parts, strict=True)]


def _extents(boxes: Boxes) -> tuple[Boxes, Boxes]:
    """Width and height (N, 1), counting both edge pixels, as the package does."""
    return boxes[:, 2:3] - boxes[:, 0:1] + 1, boxes[:, 3:4] - boxes[:, 1:2] + 1


def _shifted(boxes: Boxes, shifts: NDArray[np.float32]) -> Boxes:
    """Move the edges by fractions of the box's extent."""
    width, height = _extents(boxes)
    moved: Boxes = boxes + shifts * np.concatenate([width, height, width, height], axis=1)
    return moved


def _landmarks(boxes: Boxes, points: NDArray[np.float32]) -> NDArray[np.float32]:
    """Place points (N, 10), all x before all y, as fractions of the boxes: (N, 5, 2)."""
    width, height = _extents(boxes)
    x = boxes[:, 0:1] + width * points[:, :5] - 1
    y = boxes[:, 1:2] + height * points[:, 5:] - 1
    return np.stack([x, y], axis=2).astype(np.float32)


def _squared(boxes: Boxes) -> Boxes:
    """Lengthen the shorter sides, around the centre."""
    extents = boxes[:, 2:] - boxes[:, :2]
    corner = boxes[:, :2] + extents / 2
    side = extents.max(axis=1, keepdims=True)
    return np.concatenate([corner - side / 2, corner + side / 2], axis=1)


def _unsuppressed(
    boxes: Boxes, scores: Scores, threshold: float, *, of_smaller: bool = False
) -> NDArray[np.intp]:
    """Return the indices of boxes that overlap no better one, best first.

    Unlike greedy suppression, a box that is itself suppressed counts as a better one.

    Parameters
    ----------
    boxes, scores
        (N, 4) and (N,).
    threshold
        Overlap from which the worse box goes.
    of_smaller
        Measure the intersection against the smaller box, not against the union.
    """
    order: NDArray[np.intp] = np.argsort(-scores, kind="stable")
    left, top, right, bottom = boxes[order].T
    areas = (right - left) * (bottom - top)
    kept = np.ones(len(order), bool)
    for start in range(0, len(order), _NMS_BLOCK):
        stop = min(start + _NMS_BLOCK, len(order))
        one, all_ = np.s_[start:stop, None], np.s_[None, :stop]
        width = np.minimum(right[one], right[all_]) - np.maximum(left[one], left[all_])
        height = np.minimum(bottom[one], bottom[all_]) - np.maximum(top[one], top[all_])
        shared = width.clip(0) * height.clip(0)
        if of_smaller:
            whole = np.minimum(areas[one], areas[all_])
        else:
            whole = areas[one] + areas[all_] - shared
        better = np.arange(stop)[None, :] < np.arange(start, stop)[:, None]
        kept[start:stop] = ~((shared > threshold * whole) & better).any(axis=1)
    best: NDArray[np.intp] = order[kept]
    return best
