"""From image files to one JSON object per face."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from agegender_vision import artefact, frame
from agegender_vision.census import AgeBands
from agegender_vision.engine import BUNDLED_MODEL, Engine
from agegender_vision.estimator import Estimate, Estimator
from agegender_vision.runtime import runtimes
from trainer.data.geometry import aligned
from trainer.errors import InputError

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff"}
CROPS = "none"
"""Name of the detector that takes every image for one aligned face."""

Record = dict[str, Any]


def images(paths: Iterable[Path]) -> list[Path]:
    """Expand folders to the images inside, at any depth, in order of name.

    Raises
    ------
    InputError
        A folder holds no image.
    """
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(p for p in path.rglob("*") if p.suffix.lower() in SUFFIXES)
            if not inside:
                msg = f"{path}: holds no image ({', '.join(sorted(SUFFIXES))})."
                raise InputError(msg)
            found += inside
        else:
            found.append(path)
    return found


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

    Raises
    ------
    agegender_vision.artefact.ArtefactError
        The model cannot be used.
    agegender_vision.plugins.PluginError
        No detector or runtime has that name.
    """

    def __init__(
        self,
        model: Path | None = None,
        *,
        detector: str = "mtcnn",
        runtime: str = "numpy",
        bands: AgeBands | None = None,
        min_face_size: int = 20,
    ) -> None:
        self._bands = bands or AgeBands.preset()
        self._engine: Engine | None = None
        if detector == CROPS:
            loaded = artefact.load(BUNDLED_MODEL if model is None else model)
            self._estimator = Estimator(loaded, runtimes.get(runtime))
        else:
            self._engine = Engine.load(
                model, detector=detector, runtime=runtime, min_face_size=min_face_size
            )

    def records(self, path: Path) -> Iterator[Record]:
        """Yield what is to be said about one file, at least one object.

        A face gives `file`, `box` [x, y, width, height] and `landmarks` in pixels,
        `score`, `age`, `age_low`, `age_high` in years, `band` and `p_female`; a file
        without one gives `faces`: 0, an unreadable file gives `error`.
        """
        try:
            image = frame.read(path)
        except frame.FrameError as error:
            yield {"file": str(path), "error": str(error)}
            return
        if self._engine is None:
            yield self._crop(path, image)
            return
        faces = self._engine.analyze(image)
        if not faces:
            yield {"file": str(path), "faces": 0}
        for face, estimate in faces:
            yield {
                "file": str(path),
                "box": [round(float(value), 1) for value in face.box],
                "landmarks": np.round(face.landmarks.astype(float), 1).tolist(),
                "score": round(float(face.score), 4),
                **self._answer(estimate),
            }

    def _crop(self, path: Path, image: Any) -> Record:
        height, width = image.shape[:2]
        crop = aligned(image, self._estimator.size)
        answer = self._answer(self._estimator.estimate(crop[None])[0])
        box = [0, 0, width, height]
        return {"file": str(path), "box": box, "landmarks": None, "score": None, **answer}

    def _answer(self, estimate: Estimate) -> Record:
        return {
            "age": round(estimate.age, 2),
            "age_low": round(estimate.age_low, 1),
            "age_high": round(estimate.age_high, 1),
            "band": self._bands.labels[self._bands.index(estimate.age)],
            "p_female": round(estimate.p_female, 4),
        }
