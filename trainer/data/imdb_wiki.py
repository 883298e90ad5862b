"""IMDB-WIKI: faces of celebrities; the labels are a struct in `imdb.mat` and `wiki.mat`.

Rothe, Timofte and Van Gool, "Deep expectation of real and apparent age from a single image
without facial landmarks", IJCV 126, 2018.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.io import loadmat

from trainer.data.sample import LabelError, Place, Rejected, Sample
from trainer.errors import InputError

LEAST_FACE_SCORE = 1.0
"""Of the authors' detector; below it there is often no face."""
GENDERS = {0.0: "female", 1.0: "male"}
_FIELDS = ("dob", "photo_taken", "full_path", "gender", "name", "face_location", "face_score")
_MATLAB_DAY_OF_YEAR_1 = 366  # MATLAB counts days from the year 0, Python from the year 1


def samples(source: Path) -> Iterator[Sample | Rejected]:
    """Yield the faces of `imdb.mat` and `wiki.mat`, whichever `source` or its folders hold.

    Rejected are photographs with a second face, because the label may be that one's, those
    in which the authors' detector found no face or hardly one, and impossible ages. In the
    cropped download (a folder `imdb_crop` or `wiki_crop`) the face is in the centre, in the
    full one where `face_location` says. The celebrity is the subject.
    """
    paths = sorted(path for path in source.rglob("*.mat") if path.stem in {"imdb", "wiki"})
    if not paths:
        msg = f"{source}: holds no imdb.mat or wiki.mat. --source must be the unpacked folder."
        raise InputError(msg)
    for path in paths:
        yield from _faces(path, path.parent.relative_to(source))


def _faces(path: Path, folder: Path) -> Iterator[Sample | Rejected]:
    struct = _struct(path)
    cropped = path.parent.name.endswith("_crop")
    second = struct["second_face_score"]
    for row in range(len(struct["dob"])):
        file = f"{path.name}, row {row + 1}"
        try:
            file = (folder / str(struct["full_path"][row].item())).as_posix()
            _refuse_faces(float(struct["face_score"][row]), float(second[row]))
            years = age(float(struct["dob"][row]), float(struct["photo_taken"][row]))
            name = struct["name"][row]
            left, top, right, bottom = map(float, struct["face_location"][row].ravel())
            gender = GENDERS.get(float(struct["gender"][row]))  # NaN: unknown
        except LabelError as error:
            yield Rejected(file, str(error))
            continue
        except (AttributeError, TypeError, ValueError) as error:
            yield Rejected(file, f"its labels are damaged ({error!s:.200})")
            continue
        # MATLAB's first pixel is 1.
        place: Place = "centre" if cropped else (left - 1, top - 1, right - left, bottom - top)
        yield Sample(
            file,
            age=(years, years),
            gender=gender,
            subject=str(name.item()) if name.size == 1 else None,
            place=place,
        )


def _refuse_faces(score: float, second: float) -> None:
    if not np.isfinite(score):
        raise LabelError("no face, as the data set itself says")
    if score < LEAST_FACE_SCORE:
        raise LabelError(f"hardly a face: its score is {score:.2g}, below {LEAST_FACE_SCORE:g}")
    if second > 0:  # NaN where there is none
        raise LabelError(f"a second face, of score {second:.2g}: the label may be that one's")


def age(born: float, taken: float) -> float:
    """Return the age in years, a photograph being taken in the middle of its year.

    Parameters
    ----------
    born
        MATLAB's serial date number.
    taken
        Year of the photograph.

    Raises
    ------
    LabelError
        There is no such date or year.
    """
    try:
        birth = date.fromordinal(int(born) - _MATLAB_DAY_OF_YEAR_1)
        middle = date(int(taken), 7, 1)
    except (ValueError, OverflowError):
        raise LabelError(
            f"date of birth {born:g} (days) or year {taken:g} of the photograph is impossible"
        ) from None
    return float(middle.year - birth.year - ((middle.month, middle.day) < (birth.month, birth.day)))


def _struct(path: Path) -> dict[str, NDArray[Any]]:
    """Read the columns of the struct: MATLAB keeps each as one row of an (1, 1) struct."""
    try:
        columns = _process().submit(_columns, path).result()
    except Exception as error:  # SciPy raises nearly anything on damaged data
        if isinstance(error, BrokenProcessPool):
            _process.cache_clear()
        msg = (
            f"{path}: cannot be read as MATLAB's file of labels ({error!s:.200}). "
            "Download it again."
        )
        raise InputError(msg) from error
    missing = [name for name in _FIELDS if name not in columns]
    if missing:
        msg = f"{path}: the field {missing[0]!r} is missing. Download the file again."
        raise InputError(msg)
    columns.setdefault("second_face_score", np.full(len(columns["dob"]), np.nan))
    if len({len(columns[name]) for name in (*_FIELDS, "second_face_score")}) > 1:
        msg = f"{path}: its fields have different lengths. Download the file again."
        raise InputError(msg)
    return columns


@cache
def _process() -> ProcessPoolExecutor:
    """Return a process of its own, as SciPy crashes on some damaged files."""
    return ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"))


def _columns(path: Path) -> dict[str, NDArray[Any]]:
    struct = loadmat(path)[path.stem][0, 0]
    return {name: struct[name].ravel() for name in struct.dtype.names}
