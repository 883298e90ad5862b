"""The folder of annotated copies that `agegender predict` makes on request."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from trainer import video
from trainer.annotate import Box, draw, head, hide
from trainer.errors import InputError

_FORMATS = {".jpeg": "JPEG", ".jpg": "JPEG", ".png": "PNG", ".webp": "WEBP"}
_HOLD = 0.5
"""Seconds for which a head stays covered before and after it was found."""


class Look(NamedTuple):
    """What was found in one picture of a video.

    Attributes
    ----------
    time
        Seconds from the start.
    faces
        Objects as `agegender predict` writes them.
    """

    time: float
    faces: Sequence[Mapping[str, Any]]


class Album:
    """Draws what was found, and saves each copy under the name and folder of its source.

    Parameters
    ----------
    folder
        Where the copies go.
    sources
        All files that copies will be made of.
    anonymise
        Cover the heads.

    Raises
    ------
    InputError
        A copy would replace a source.
    """

    def __init__(self, folder: Path, sources: Sequence[Path], *, anonymise: bool = False) -> None:
        """Find a name for each copy."""
        self._anonymise = anonymise
        absolute = {path: Path(os.path.abspath(path)) for path in sources}  # noqa: PTH100
        root = os.path.commonpath([path.parent for path in absolute.values()]) if sources else ""
        self._copies = {
            path: _with_suffix(folder / full.relative_to(root)) for path, full in absolute.items()
        }
        originals = {path.resolve() for path in sources}
        for copy in self._copies.values():
            if copy.resolve() in originals:
                raise InputError(f"{copy}: would be replaced by its copy; choose another folder")

    def picture(
        self, source: Path, image: NDArray[np.uint8], faces: Sequence[Mapping[str, Any]]
    ) -> None:
        """Save the copy of a picture."""
        copy = self._place(source)
        part = copy.with_name(copy.name + ".part")
        drawn = self._drawn(image, faces, [face["box"] for face in faces])
        kind = _FORMATS[copy.suffix.lower()]
        Image.fromarray(drawn).save(part, kind, quality=90)
        part.replace(copy)

    def clip(self, film: video.Video, looks: Sequence[Look]) -> None:
        """Save the copy of a video: the pictures that were looked at."""
        with video.Writer(self._place(film.path)) as writer:
            for look, heads, frame in zip(looks, _steady(looks), film.frames(), strict=False):
                writer.write(self._drawn(frame.image, look.faces, heads), look.time)

    def _drawn(
        self, image: NDArray[np.uint8], faces: Sequence[Mapping[str, Any]], heads: Sequence[Box]
    ) -> NDArray[np.uint8]:
        return draw(hide(image, heads) if self._anonymise else image, faces)

    def _place(self, source: Path) -> Path:
        copy = self._copies[source]
        copy.parent.mkdir(parents=True, exist_ok=True)
        return copy


def _with_suffix(copy: Path) -> Path:
    """Append a suffix where the copy is of another kind than its source."""
    suffix = copy.suffix.lower()
    if suffix in video.SUFFIXES:
        return copy if suffix == ".mp4" else copy.with_name(copy.name + ".mp4")
    return copy if suffix in _FORMATS else copy.with_name(copy.name + ".png")


def _steady(looks: Sequence[Look]) -> Iterator[list[Box]]:
    """Yield the faces to be covered in each picture.

    A detector misses a face now and then, and one picture shows who it is. So what was
    found shortly before or after counts too, unless a face is there now.
    """
    first = 0
    for look in looks:
        while looks[first].time < look.time - _HOLD:
            first += 1
        boxes = [face["box"] for face in look.faces]
        for other in looks[first:]:
            if other.time > look.time + _HOLD:
                break
            boxes += [
                face["box"]
                for face in other.faces
                if not any(_covers(box, face["box"]) for box in boxes)
            ]
        yield boxes


def _covers(cover: Box, box: Box) -> bool:
    """Whether the head of one face lies over the middle of another."""
    left, top, right, bottom = head(cover)
    x, y, width, height = box
    return left <= x + width / 2 <= right and top <= y + height / 2 <= bottom
