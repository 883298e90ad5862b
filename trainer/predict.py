"""From image and video files to one JSON object per face."""

from __future__ import annotations

import glob
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from agegender_vision.census import AgeBands, count
from agegender_vision.detector import Detection
from agegender_vision.engine import Engine, Face, detectors
from agegender_vision.estimator import Estimate
from agegender_vision.frame import FrameError, read
from agegender_vision.runtime import Runtime
from agegender_vision.tracker import Tracker
from trainer import lines, video
from trainer.album import Album, Look
from trainer.data.geometry import GEOMETRY
from trainer.errors import InputError
from trainer.fitness import unclear

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff"} | video.SUFFIXES
CROPS = "none"
"""Name of the detector that takes every image for one aligned face."""

Record = dict[str, Any]
Progress = Callable[[int, int | None], None]
_COLUMNS = (
    TextColumn("{task.description}", markup=False),
    BarColumn(),
    MofNCompleteColumn(),
    TimeRemainingColumn(),
)


def files(paths: Iterable[Path], leave_out: Path | None = None) -> list[Path]:
    """Expand folders to the images and videos inside, at any depth, and patterns.

    Parameters
    ----------
    paths
        Files, folders, and patterns such as `photos/**/*.jpg`; each in order of name.
    leave_out
        A folder whose files are not taken.

    Raises
    ------
    InputError
        A folder holds no image, or nothing matches a pattern.
    """
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = [p for p in sorted(path.rglob("*")) if p.suffix.lower() in SUFFIXES]
            nothing = f"holds no image or video ({', '.join(sorted(SUFFIXES))})"
        elif not path.exists() and glob.has_magic(str(path)):
            inside = sorted(map(Path, glob.glob(str(path), recursive=True)))  # noqa: PTH207
            nothing = "no file matches"
        else:
            found.append(path)
            continue
        if leave_out:
            inside = [p for p in inside if leave_out.resolve() not in p.resolve().parents]
        if not inside:
            raise InputError(f"{path}: {nothing}.")
        found += inside
    return list(dict.fromkeys(found))


class AlignedFace:
    """Takes every image for one face, cut as the faces of our manifests are."""

    def __init__(self, *, runtime: Runtime, min_face_size: int) -> None:
        """Need nothing."""

    def detect(
        self,
        image: NDArray[np.uint8],
        *,
        min_face_size: int | None = None,  # noqa: ARG002  as all detectors
    ) -> list[Detection]:
        """Return the whole image."""
        height, width = image.shape[:2]
        landmarks = GEOMETRY.points(1) * (width, height) - 0.5
        return [Detection((0, 0, width, height), 1.0, landmarks.astype(np.float32))]


detectors.register(CROPS, AlignedFace)


class Predictor:
    """Looks at files with one model.

    Parameters
    ----------
    model
        Folder of the artefact; None takes the one the integration ships.
    detector
        Name of a detector, or "none" for images that are aligned faces already.
    runtime
        Name of a runtime.
    bands
        Age bands that answers are sorted into.
    min_face_size
        Side of the smallest face looked for, pixels.
    every
        Of a video, look at every so manieth picture.

    Raises
    ------
    agegender_vision.artefact.ArtefactError
        The model cannot be used.
    agegender_vision.plugins.PluginError
        No detector or runtime has that name.
    ValueError
        ``min_face_size`` is too small for the detector.
    """

    def __init__(
        self,
        model: Path | None = None,
        *,
        detector: str = "mtcnn",
        runtime: str = "numpy",
        bands: AgeBands | None = None,
        min_face_size: int = 20,
        every: int = 1,
    ) -> None:
        self._bands = bands or AgeBands.preset()
        self._every = every
        self._crops = detector == CROPS
        self.engine = Engine.load(
            model,
            detector=detector,
            runtime=runtime,
            min_face_size=min_face_size,
            attributes=True,
        )

    def records(
        self, path: Path, album: Album | None = None, progress: Progress | None = None
    ) -> Iterator[Record]:
        """Yield what is to be said about one file, at least one object.

        A face gives `file`, `box` [x, y, width, height] and `landmarks` in pixels,
        `score`, `age`, `age_low`, `age_high` in years, `band` and `p_female`, and from a
        model with further heads `attributes`: name to probability by class. A file without
        a face gives `faces`: 0, an unreadable file gives `error`.

        Each picture of a video gives the same, with `frame`, its number from 0, and
        `time` in seconds behind `file`. The end gives `frames`, how many were looked at,
        and how many different `people` were in them, `by_band` and `by_gender`.

        Parameters
        ----------
        path
            An image or a video.
        album
            Where an annotated copy is saved.
        progress
            Told how many pictures of a video are done, and of how many if that is known.

        Raises
        ------
        OSError
            The annotated copy cannot be written.
        """
        try:
            if path.suffix.lower() in video.SUFFIXES:
                yield from self._video(video.Video(path, self._every), album, progress)
            else:
                yield from self._picture(path, album)
        except (FrameError, video.VideoError) as error:
            yield {"file": str(path), "error": str(error)}

    def _picture(self, path: Path, album: Album | None) -> Iterator[Record]:
        image = read(path)
        faces = [self._record(*found) for found in self.engine.analyze(image)]
        if album:
            album.picture(path, image, faces)
        yield from ({"file": str(path), **face} for face in faces or [{"faces": 0}])

    def _video(
        self, film: video.Video, album: Album | None, progress: Progress | None
    ) -> Iterator[Record]:
        file = {"file": str(film.path)}
        tracker, damage = Tracker(), None
        people: list[Estimate] = []
        looks: list[Look] = []
        try:
            for number, time, image in film.frames():
                found = self.engine.analyze(image)
                faces = [self._record(*face) for face in found]
                seen = [self._seen(image, *face) for face in found]
                people += tracker.update(seen, time).counted
                looks.append(Look(time, faces))
                place = file | {"frame": number, "time": round(time, 3)}
                yield from (place | face for face in faces or [{"faces": 0}])
                if progress:
                    progress(len(looks), film.total)
        except video.VideoError as error:  # what was seen before counts
            damage = error
        people += tracker.finish().counted
        if album and looks:
            album.clip(film, looks)
        yield file | {"frames": len(looks), **asdict(count(people, self._bands))}
        if damage:
            raise damage

    def _seen(self, image: NDArray[np.uint8], face: Detection, estimate: Estimate) -> Face:
        """Return what a face tells about a person: of one that shows too little, its place."""
        judged = not unclear(face, self.engine.crop(image, face))
        return Face(face.box, face.score, face.landmarks, estimate if judged else None)

    def _record(self, face: Detection, estimate: Estimate) -> Record:
        record: Record = {
            "box": [round(float(value), 1) for value in face.box],
            "landmarks": None
            if self._crops
            else np.round(face.landmarks.astype(float), 1).tolist(),
            "score": None if self._crops else round(float(face.score), 4),
            "age": round(estimate.age, 2),
            "age_low": round(estimate.age_low, 1),
            "age_high": round(estimate.age_high, 1),
            "band": self._bands.labels[self._bands.of(estimate)[0]],
            "p_female": round(estimate.p_female, 4),
        }
        if estimate.attributes:
            record["attributes"] = {
                name: {word: round(p, 4) for word, p in answer.items()}
                for name, answer in estimate.attributes.items()
            }
        return record


def write(
    predictor: Predictor,
    paths: Sequence[Path],
    output: Path | None,
    console: Console,
    *,
    resume: bool = False,
    album: Album | None = None,
) -> int:
    """Look at files and write the objects about them, showing on a console how far it is.

    Parameters
    ----------
    predictor
        Looks at the files.
    paths
        The files.
    output
        JSON lines; None is the standard output.
    console
        For the progress bar.
    resume
        Go on where an interrupted attempt ended.
    album
        Where annotated copies are saved.

    Returns
    -------
    int
        How many files could not be read.

    Raises
    ------
    InputError
        Something cannot be written, or what is to be resumed is another kind of file.
    """
    failed = 0
    # In a terminal, the bar would run through the lines.
    shown = output is not None or not sys.stdout.isatty()
    bar = Bar(*_COLUMNS, console=console, transient=True, disable=not shown)
    done = lines.kept(output) if output and resume else {}
    try:
        with lines.writing(output, done) as file, bar:
            every = bar.add_task("looking at faces", total=len(paths))
            for path in paths:
                if str(path) not in done:
                    one = bar.add_task(path.name, visible=path.suffix.lower() in video.SUFFIXES)
                    tell = partial(_tell, bar, one)
                    for record in predictor.records(path, album, tell):
                        failed += "error" in record
                        lines.write(file, record)
                    bar.remove_task(one)
                bar.advance(every)
    except KeyboardInterrupt:
        if output:
            console.print("Stopped. The same command with --resume goes on from here.")
        raise
    except BrokenPipeError:
        raise
    except OSError as error:
        raise InputError(
            f"{error.filename or output}: cannot be written ({error.strerror})"
        ) from error
    return failed


def _tell(bar: Bar, task: TaskID, done: int, total: int | None) -> None:
    bar.update(task, completed=done, total=total)
