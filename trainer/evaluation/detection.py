"""How well face detectors find faces, and what it costs.

The protocol is that of PASCAL VOC (Everingham et al., IJCV 2010): detections in the order
of their scores, each a hit if it overlaps a face not yet found by one half (intersection
over union), else a false alarm; precision is made monotonic before the area under it is
taken. As in WIDER FACE (Yang et al., CVPR 2016) faces below a size are neither here nor
there: finding one is no hit, missing one no miss. Only photographs whose boxes people drew
count, and those without a face: boxes from a detector would favour their like.
"""

from __future__ import annotations

import csv
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.table import Table

from agegender_vision import frame
from agegender_vision.detector import Detection
from agegender_vision.engine import detectors
from agegender_vision.plugins import PluginError
from agegender_vision.runtime import runtimes
from trainer.errors import InputError

MIN_SIDE = 24
"""Shorter side of the smallest face that counts, in pixels."""
MIN_OVERLAP = 0.5
FALSE_ALARMS = 0.1
"""False alarms per picture at which the recall is told: one in ten."""
PACKAGE = "mtcnn package"
"""Name of the reference: the package whose weights ours are, at its own settings."""

Boxes = NDArray[np.float64]  # (N, 4): left, top, width, height, in pixels
Detect = Callable[[NDArray[np.uint8]], list[Detection]]


@dataclass(frozen=True, slots=True)
class Photograph:
    """A file and the boxes of all its faces, small ones included."""

    file: Path
    faces: Boxes


@dataclass(frozen=True, slots=True)
class Verdicts:
    """What became of a detector's findings on a set of photographs.

    Attributes
    ----------
    scores
        (N,), of all findings but those of faces that do not count.
    hits
        (N,), bool: a face found for the first time; the others are false alarms.
    faces, photographs
        How many there were.
    """

    scores: NDArray[np.float64]
    hits: NDArray[np.bool_]
    faces: int
    photographs: int


@dataclass(frozen=True, slots=True)
class Result:
    """One detector's figures: `average_precision`, `recall`, CPU seconds a picture."""

    average_precision: float
    recall: float
    seconds: float


def photographs(folder: Path) -> list[Photograph]:
    """Read the pictures with boxes drawn by people, and those without a face.

    Parameters
    ----------
    folder
        Holds ``images.csv`` (``file, box_source, ...``) and ``boxes.csv`` (``file, x, y,
        w, h`` in pixels).

    Raises
    ------
    InputError
        A table is missing or lacks a column, or no picture is left.
    """
    boxes: dict[str, list[list[float]]] = defaultdict(list)
    try:
        for row in _rows(folder / "boxes.csv"):
            boxes[row["file"]].append([float(row[key]) for key in "xywh"])
        found = [
            Photograph(folder / row["file"], np.array(boxes[row["file"]]).reshape(-1, 4))
            for row in _rows(folder / "images.csv")
            if row["box_source"] in {"ground_truth", "none"}
        ]
    except (KeyError, ValueError) as error:
        raise InputError(f"{folder}: images.csv or boxes.csv is malformed: {error}") from error
    if not found:
        raise InputError(f"{folder / 'images.csv'}: lists no picture with boxes drawn by people.")
    return found


def verdicts(
    found: Sequence[Sequence[Detection]], faces: Sequence[Boxes], min_side: float = MIN_SIDE
) -> Verdicts:
    """Match what was found to the faces that are there.

    Parameters
    ----------
    found
        For each picture, what a detector found.
    faces
        For each picture, the true boxes.
    min_side
        Faces with a shorter side below this do not count.
    """
    scores: list[float] = []
    hits: list[bool] = []
    counted = 0
    for findings, boxes in zip(found, faces, strict=True):
        counts = _shorter(boxes) >= min_side
        counted += int(counts.sum())
        taken = np.zeros(len(boxes), bool)
        for finding in sorted(findings, key=lambda finding: -finding.score):
            shared = overlaps(finding.box, boxes)
            best = int(shared.argmax()) if len(shared) else 0
            on_face = len(shared) > 0 and shared[best] >= MIN_OVERLAP
            if on_face and not counts[best]:
                continue
            scores.append(finding.score)
            hits.append(bool(on_face and not taken[best]))
            if on_face:
                taken[best] = True
    return Verdicts(np.array(scores), np.array(hits, bool), counted, len(found))


def overlaps(box: Sequence[float], others: Boxes) -> NDArray[np.float64]:
    """Return the intersection over union of one box with each of others, (N,)."""
    one = np.asarray(box, np.float64)
    sides = np.minimum(one[:2] + one[2:], others[:, :2] + others[:, 2:])
    shared = (sides - np.maximum(one[:2], others[:, :2])).clip(0).prod(axis=1)
    union = one[2:].prod() + others[:, 2:].prod(axis=1) - shared
    result: NDArray[np.float64] = shared / np.maximum(union, np.finfo(float).tiny)
    return result


def average_precision(found: Verdicts) -> float:
    """Return the area under precision over recall, 0 to 1; nan without a face.

    Precision is what is attained at a recall or any higher one (VOC from 2010 on).
    """
    hits = _ranked(found)
    if not found.faces:
        return float("nan")
    precision = hits.cumsum() / np.arange(1, len(hits) + 1)
    attained = np.maximum.accumulate(precision[::-1])[::-1]
    return float(attained[hits].sum() / found.faces)


def recall(found: Verdicts, false_alarms: float = FALSE_ALARMS) -> float:
    """Return the share of faces found with at most so many false alarms a picture."""
    hits = _ranked(found)
    if not found.faces:
        return float("nan")
    allowed = (~hits).cumsum() <= false_alarms * found.photographs
    return float(hits[allowed].sum() / found.faces)


def _shorter(boxes: Boxes) -> NDArray[np.float64]:
    shorter: NDArray[np.float64] = boxes[:, 2:].min(axis=1, initial=np.inf)
    return shorter


def _ranked(found: Verdicts) -> NDArray[np.bool_]:
    return found.hits[np.argsort(-found.scores, kind="stable")]


def detector(name: str, min_face_size: int) -> Detect:
    """Make a detector by name, the package included.

    Raises
    ------
    InputError
        It does not exist, or what it needs is not here.
    """
    if name == PACKAGE:
        return _package()
    try:
        make = detectors.get(name)
        return make(runtime=runtimes.get("numpy"), min_face_size=min_face_size).detect
    except (PluginError, ValueError) as error:
        raise InputError(f"{name}: {error}") from error


def names() -> list[str]:
    """Return the names of all detectors, the package's last."""
    return [*detectors.names(), PACKAGE]


def measure(detect: Detect, pictures: Sequence[Photograph]) -> Result:
    """Run a detector over photographs; pictures that cannot be read raise `FrameError`."""
    seconds = 0.0
    found = []
    for number, picture in enumerate(pictures):
        image = frame.read(picture.file)
        if not number:
            detect(image)  # the first call loads and allocates
        start = time.process_time()
        found.append(detect(image))
        seconds += time.process_time() - start
    judged = verdicts(found, [picture.faces for picture in pictures])
    return Result(average_precision(judged), recall(judged), seconds / len(pictures))


def table(results: Mapping[str, Result], pictures: Sequence[Photograph]) -> Table:
    """Return the figures of `measure`, by detector, as a table to print."""
    faces = sum(int((_shorter(picture.faces) >= MIN_SIDE).sum()) for picture in pictures)
    made = Table(title=f"{faces} faces of {MIN_SIDE} px and more in {len(pictures)} photographs")
    made.add_column("detector")
    for column in ("average precision", "recall, 1 false alarm in 10", "CPU time a photograph"):
        made.add_column(column, justify="right")
    for name, result in results.items():
        made.add_row(
            name,
            f"{result.average_precision:.1%}".replace("%", " %"),
            f"{result.recall:.1%}".replace("%", " %"),
            f"{result.seconds * 1e3:.0f} ms",
        )
    return made


def _package() -> Detect:
    try:
        from mtcnn import MTCNN  # noqa: PLC0415  imports TensorFlow
    except ImportError as error:
        raise InputError(f"{PACKAGE}: install it with `pip install agegender[mtcnn]`") from error
    package = MTCNN()

    def detect(image: NDArray[np.uint8]) -> list[Detection]:
        return list(_converted(package.detect_faces(image)))

    return detect


def _converted(faces: list[dict[str, Any]]) -> Iterator[Detection]:
    order = ("left_eye", "right_eye", "nose", "mouth_left", "mouth_right")
    for face in faces:
        left, top, width, height = map(float, face["box"])
        landmarks = np.array([face["keypoints"][name] for name in order], np.float32)
        yield Detection((left, top, width, height), float(face["confidence"]), landmarks)


def _rows(path: Path) -> Iterator[dict[str, str]]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            yield from csv.DictReader(file)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}).") from error
