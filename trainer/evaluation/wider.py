"""WIDER FACE (Yang et al., CVPR 2016): average precision on easy, medium and hard faces.

The protocol is that of its authors' evaluation tools, down to the boxes' last pixel, which
counts as inside.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.progress import track
from rich.table import Table
from scipy.io import loadmat
from scipy.io.matlab import MatReadError

from agegender_vision import frame
from agegender_vision.frame import FrameError
from trainer.errors import InputError
from trainer.evaluation.detection import MIN_OVERLAP, Boxes, Detect
from trainer.files import atomically

LEVELS = ("easy", "medium", "hard")
THRESHOLDS = 1000
ANNOTATIONS = Path("wider_face_split/wider_face_val_bbx_gt.txt")
IMAGES = Path("WIDER_val/images")

Found = NDArray[np.float64]  # (N, 5): left, top, width, height in pixels, score
Counted = Mapping[str, NDArray[np.int64]]  # file to the positions of the faces that count


@dataclass(frozen=True, slots=True)
class Picture:
    """A file, such as ``0--Parade/0_Parade_marchingband_1_849.jpg``, and its faces' boxes."""

    file: str
    faces: Boxes


def truth(path: Path) -> list[Picture]:
    """Read the boxes of all faces, from `wider_face_val_bbx_gt.txt`.

    For each picture: its file, the number of its faces, and for each face a line that begins
    with left, top, width and height in pixels. A picture without any has one line of zeros.

    Raises
    ------
    InputError
        The file cannot be read, or a line is not what it should be.
    """
    lines = _lines(path)
    found, at = [], 0
    while at < len(lines):
        try:
            number = int(lines[at + 1])
            rows = [
                [float(word) for word in line.split()[:4]]
                for line in lines[at + 2 : at + 2 + number]
            ]
            faces = np.array(rows, np.float64).reshape(number, 4)
        except (IndexError, ValueError) as error:
            raise InputError(
                f"{path}, near line {at + 1}: not a picture with its faces ({error}). Get the "
                "file again from WIDER FACE's page."
            ) from error
        found.append(Picture(lines[at], faces))
        at += 2 + max(number, 1)
    return found


def counted(folder: Path) -> dict[str, Counted]:
    """Return which faces count as easy, medium and hard.

    Parameters
    ----------
    folder
        `wider_easy_val.mat` and its like are in it, at any depth.

    Raises
    ------
    InputError
        One of them is missing, or is not such a file.
    """
    found: dict[str, Counted] = {}
    for level in LEVELS:
        name = f"wider_{level}_val.mat"
        path = next(iter(sorted(folder.rglob(name))), None)
        if path is None:
            raise InputError(
                f"{folder}: has no {name} at any depth. It is in `eval_tools` on WIDER FACE's page."
            )
        try:
            tables = loadmat(path)
            found[level] = {
                f"{event[0]}/{file[0]}.jpg": places.astype(np.int64).ravel() - 1
                for (event,), (files,), (lists,) in zip(
                    tables["event_list"], tables["file_list"], tables["gt_list"], strict=True
                )
                for (file,), (places,) in zip(files, lists, strict=True)
            }
        except (MatReadError, OSError, KeyError, ValueError, TypeError, IndexError) as error:
            raise InputError(f"{path}: not WIDER FACE's list of faces ({error}).") from error
    return found


def write(file: str, found: Found, folder: Path) -> None:
    """Write what was found in one picture as the text file that the authors' tools read."""
    rows = [" ".join(f"{value:.6g}" for value in row) for row in found.tolist()]
    text = "\n".join([file, str(len(rows)), *rows]) + "\n"
    path = (folder / file).with_suffix(".txt")
    atomically(path, lambda partial: partial.write_text(text, "utf-8"))


def read(file: str, folder: Path) -> Found:
    """Read what was found in one picture, see :func:`write`; best score first.

    Raises
    ------
    InputError
        There is no such file, or it is malformed.
    """
    path = (folder / file).with_suffix(".txt")
    lines = _lines(path)
    try:
        rows = [[float(word) for word in line.split()] for line in lines[2 : 2 + int(lines[1])]]
        found = np.array(rows, np.float64).reshape(int(lines[1]), 5)
    except (IndexError, ValueError) as error:
        raise InputError(
            f"{path}: not a picture's name, the number of faces, and for each `left top width "
            f"height score` ({error})."
        ) from error
    return found[np.argsort(-found[:, 4], kind="stable")]


def detect_all(detect: Detect, pictures: Sequence[Picture], images: Path, folder: Path) -> None:
    """Write what a detector finds in each picture, leaving out those that are written already.

    Raises
    ------
    InputError
        A picture is missing or damaged.
    """
    for picture in track(pictures, folder.name):
        if (folder / picture.file).with_suffix(".txt").exists():
            continue
        try:
            image = frame.read(images / picture.file)
        except (OSError, FrameError) as error:
            raise InputError(f"{images / picture.file}: cannot be read ({error}).") from error
        rows = [[*face.box, face.score] for face in detect(image)]
        write(picture.file, np.array(rows, np.float64).reshape(-1, 5), folder)


def judge(pictures: Sequence[Picture], faces: Mapping[str, Counted], folder: Path) -> list[float]:
    """Return the average precision at each of :data:`LEVELS` of what :func:`write` has written."""
    found = stretched([read(picture.file, folder) for picture in pictures])
    return [average_precision(pictures, faces[level], found) for level in LEVELS]


def stretched(found: Sequence[Found]) -> list[Found]:
    """Return the same with all scores stretched over 0 to 1, the best and the worst of all."""
    every = np.concatenate([np.empty((0, 5)), *found])[:, 4]
    low, high = every.min(initial=np.inf), every.max(initial=-np.inf)
    spread = max(high - low, np.finfo(float).tiny)
    return [np.column_stack([one[:, :4], (one[:, 4] - low) / spread]) for one in found]


def average_precision(pictures: Sequence[Picture], faces: Counted, found: Sequence[Found]) -> float:
    """Return the area under precision over recall; nan if no face counts.

    Parameters
    ----------
    pictures
        With all their faces.
    faces
        Those that count: what is found at another one is neither right nor wrong.
    found
        By picture, best score first, scores from 0 to 1.

    Raises
    ------
    InputError
        A face counts that is not there: the lists are of other annotations.
    """
    thresholds = 1 - np.arange(1, THRESHOLDS + 1) / THRESHOLDS
    proposed = right = np.zeros(THRESHOLDS, np.int64)
    total = 0
    for number, picture in enumerate(pictures):
        places = faces.get(picture.file, np.empty(0, np.int64))
        if places.max(initial=-1) >= len(picture.faces):
            raise InputError(
                f"{picture.file}: {len(picture.faces)} faces, but number {places.max() + 1} is to "
                "count. Take annotations and wider_*_val.mat of the same release."
            )
        counts = np.zeros(len(picture.faces), bool)
        counts[places] = True
        one = found[number]
        total += int(counts.sum())
        if not len(one) or not len(picture.faces):
            continue
        proposals, hits = _verdicts(one, picture.faces, counts)
        # How many scores reach each threshold.
        reached = np.searchsorted(-one[:, 4], -thresholds, side="right")
        proposed = proposed + np.append(0, proposals.cumsum())[reached]
        right = right + np.append(0, hits.cumsum())[reached]
    if not total:
        return float("nan")
    precision = np.append(right / np.maximum(proposed, 1), 0.0)
    attained = np.maximum.accumulate(precision[::-1])[::-1]
    recall = np.append(right / total, 1.0)
    return float(np.sum(np.diff(recall, prepend=0.0) * attained))


def table(results: Mapping[str, Sequence[float]]) -> Table:
    """Return average precisions, by detector, as a table to print."""
    made = Table("", title="WIDER FACE validation, average precision")
    for level in LEVELS:
        made.add_column(level, justify="right")
    for name, values in results.items():
        made.add_row(name, *(f"{100 * value:.1f} %" for value in values))
    return made


def _verdicts(
    found: Found, faces: Boxes, counts: NDArray[np.bool_]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return which findings are proposals, and which of them find a face for the first time."""
    shared = _overlaps(found[:, :4], faces)
    best = shared.argmax(axis=1)
    on_face = shared.max(axis=1) >= MIN_OVERLAP
    proposals = ~(on_face & ~counts[best])
    hits = np.zeros(len(found), bool)
    wanted = np.flatnonzero(on_face & counts[best])
    _, first = np.unique(best[wanted], return_index=True)
    hits[wanted[first]] = True
    return proposals, hits


def _overlaps(ones: Boxes, others: Boxes) -> NDArray[np.float64]:
    """Return intersections over unions (N, M) of boxes whose last pixel is inside of them."""
    low = np.maximum(ones[:, None, :2], others[None, :, :2])
    high = np.minimum((ones[:, :2] + ones[:, 2:])[:, None], (others[:, :2] + others[:, 2:])[None])
    shared = (high - low + 1).clip(0).prod(axis=2)
    areas = (ones[:, 2:] + 1).prod(axis=1)[:, None] + (others[:, 2:] + 1).prod(axis=1)[None]
    result: NDArray[np.float64] = shared / (areas - shared)
    return result


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read ({error}).") from error
