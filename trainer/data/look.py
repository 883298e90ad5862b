"""Looking at a picture of a data set: is it readable, which face is meant, and cut it out."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from agegender_vision.align import align
from agegender_vision.detector import Box, Detection, FaceDetector
from agegender_vision.engine import detectors
from agegender_vision.frame import FrameError, decode, longer_side
from agegender_vision.runtime import runtimes
from trainer.data import near
from trainer.data.collection import Face
from trainer.data.geometry import GEOMETRY
from trainer.data.sample import Rejected, Sample, Square
from trainer.errors import InputError

ENOUGH = 1024
"""Photographs are reduced to less than twice this, in pixels of the longer side."""
FRAME = 0.5
"""Width of a grey frame around pictures so tight that the face is not found without one."""
BY_FAR = 4.0
"""The largest face is the labelled one if it covers so many times the area of the next."""
IMAGES = "images"


class NoFaceError(ValueError):
    """The labelled face cannot be told; the message is the reason for the list."""


class Onlooker:
    """Cuts the labelled faces out of a data set's pictures.

    Parameters
    ----------
    source
        Folder of the data set.
    output
        Folder of the manifest; faces are written to its folder `images`. None: none are
        written, and all pictures are faces that are aligned already.
    detector
        A registered name.
    min_face
        Side of the smallest face looked for, in pixels.
    side
        Side of the written faces, in pixels.
    """

    def __init__(
        self, source: Path, output: Path | None, detector: str, min_face: int, side: int
    ) -> None:
        """Remember what to do."""
        self.source, self.output = source, output
        self.min_face, self.side = min_face, side
        self._detector_name = detector

    def look(self, samples: Sequence[Sample]) -> list[Face | Rejected]:
        """Look at some pictures, whose faces come back in the same order."""
        return [self._look(one) for one in samples]

    def _look(self, sample: Sample) -> Face | Rejected:
        if fault := sample.fault():
            return Rejected(sample.file, fault)
        try:
            data = sample.data or _read(self.source, sample.file)
            if sample.place == "aligned":
                picture = Image.fromarray(decode(data))
            else:
                picture = Image.fromarray(self.cut(sample, data))
                file = io.BytesIO()
                picture.save(file, "JPEG", quality=95, subsampling=0)
                data = file.getvalue()
        except OSError as error:
            return Rejected(sample.file, f"cannot be read ({error.strerror or error})")
        except (FrameError, NoFaceError) as error:
            return Rejected(sample.file, str(error))
        digest = hashlib.sha256(data).hexdigest()
        if sample.sha256 not in (None, digest):
            return Rejected(sample.file, "the picture is not the one that the manifest lists")
        name = sample.file if self.output is None else _name(sample)
        if self.output is not None:
            _write(self.output / name, data)
        return Face(sample, name, digest, near.fingerprint(picture))

    def cut(self, sample: Sample, data: bytes) -> NDArray[np.uint8]:
        """Return the labelled face of a picture, aligned: uint8 (side, side, 3).

        Raises
        ------
        FrameError
            The file holds no picture.
        NoFaceError
            There is no face in it, or it cannot be told which one is meant.
        """
        image = decode(data, enough=ENOUGH)
        if isinstance(sample.place, Square):
            return _part(image, sample.place, self.side)
        scale = max(image.shape[:2]) / longer_side(data)
        found = self._detect(image)
        face = choose(found, sample, image.shape[:2], scale)
        try:
            return align(image, face.landmarks, GEOMETRY, self.side)
        except ValueError as error:
            raise NoFaceError(f"no face that can be aligned: {error}") from error

    def _detect(self, image: NDArray[np.uint8]) -> list[Detection]:
        detector = _detector(self._detector_name, self.min_face)
        if found := detector.detect(image):
            return found
        frame = round(FRAME * max(image.shape[:2]))
        wider = np.pad(image, ((frame, frame), (frame, frame), (0, 0)), constant_values=128)
        return [
            Detection(
                (face.box[0] - frame, face.box[1] - frame, *face.box[2:]),
                face.score,
                face.landmarks - np.float32(frame),
            )
            for face in detector.detect(wider)
        ]


def choose(
    found: Sequence[Detection], sample: Sample, shape: tuple[int, ...], scale: float
) -> Detection:
    """Tell which of the faces in a picture is the labelled one.

    Parameters
    ----------
    found
        The faces.
    sample
        Says where it is.
    shape
        Height and width of the picture, in pixels.
    scale
        Its size in relation to the file's.

    Raises
    ------
    NoFaceError
        There is no face, or it cannot be told.
    """
    if not found:
        raise NoFaceError("no face found")
    if sample.place == "single":
        largest, *others = sorted(found, key=lambda face: -_area(face.box))
        if others and _area(largest.box) < BY_FAR * _area(others[0].box):
            raise NoFaceError(f"{len(found)} faces found, and the label does not say whose it is")
        return largest
    if isinstance(sample.place, tuple):
        left, top, width, height = (scale * edge for edge in sample.place)
        point = left + width / 2, top + height / 2
    else:
        point = shape[1] / 2, shape[0] / 2
    face = min(found, key=lambda face: float(np.hypot(*np.subtract(_centre(face.box), point))))
    if any(abs(c - p) > e for c, p, e in zip(_centre(face.box), point, face.box[2:], strict=True)):
        raise NoFaceError("no face found where the labelled one should be")
    return face


def _part(image: NDArray[np.uint8], place: Square, side: int) -> NDArray[np.uint8]:
    height, width = image.shape[:2]
    length = place.side * min(height, width)
    left, top = place.across * (width - length), place.down * (height - length)
    box = (left, top, left + length, top + length)
    resized = Image.fromarray(image).resize((side, side), Image.Resampling.LANCZOS, box)
    return np.asarray(resized)


def _centre(box: Box) -> tuple[float, float]:
    return box[0] + box[2] / 2, box[1] + box[3] / 2


def _area(box: Box) -> float:
    return box[2] * box[3]


def _name(sample: Sample) -> str:
    """Return where to write a face: under its own name, which in a zip file is the part there."""
    name = sample.file.rpartition(".zip/")[2]
    if isinstance(place := sample.place, Square):
        name += f"-{place.across:g}-{place.down:g}-{place.side:g}"
    if place != "aligned" and Path(name).suffix.lower() not in {".jpg", ".jpeg"}:
        name += ".jpg"
    return f"{IMAGES}/{name}"


def _read(source: Path, file: str) -> bytes:
    archive, inside, member = file.partition(".zip/")
    if not inside:
        return (source / file).read_bytes()
    path = source / f"{archive}.zip"
    try:
        return _archive(path).read(member)
    except (KeyError, zipfile.BadZipFile, EOFError) as error:
        raise FrameError(f"cannot be read out of {path.name} ({error})") from error


def _write(path: Path, data: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    except OSError as error:
        msg = (
            f"{path}: cannot be written ({error.strerror}). Make room, and give the same command "
            "again: it goes on where it stopped."
        )
        raise InputError(msg) from error


@lru_cache(maxsize=16)
def _archive(path: Path) -> zipfile.ZipFile:
    return zipfile.ZipFile(path)


@lru_cache(maxsize=1)
def _detector(name: str, min_face: int) -> FaceDetector:
    return detectors.get(name)(runtime=runtimes.get("numpy"), min_face_size=min_face)
