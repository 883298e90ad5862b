"""The detector and the estimator together: what is loaded once, for all cameras."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from . import artefact
from .align import align
from .detector import Box, Detection, FaceDetector, RefiningDetector
from .estimator import Estimate, Estimator
from .haar import Haar
from .mtcnn import Mtcnn
from .plugins import Registry
from .retinaface import RetinaFace
from .runtime import Runtime
from .runtime.choice import AUTO, Choice, choose
from .yunet import YuNet


class DetectorFactory(Protocol):
    """Makes a detector; its class will do."""

    def __call__(self, *, runtime: Runtime, min_face_size: int) -> FaceDetector:
        """Make a detector for faces whose side has at least so many pixels."""


detectors: Registry[DetectorFactory] = Registry(
    "detector", {"mtcnn": Mtcnn, "haar": Haar, "retinaface": RetinaFace, "yunet": YuNet}
)

BUNDLED_MODEL = Path(__file__).parent / "model" / "estimator"


@dataclass(frozen=True, slots=True, eq=False)
class Face:
    """One face and what the model makes of it.

    Attributes
    ----------
    box, score, landmarks
        As in `Detection`.
    estimate
        Age and gender; None of a face that shows too little to be judged.
    """

    box: Box
    score: float
    landmarks: NDArray[np.float32]
    estimate: Estimate | None


class Engine:
    """Finds the faces of an image and judges each.

    Not safe to call from two threads at once: it computes in memory it keeps.

    Parameters
    ----------
    detector
        Finds the faces.
    estimator
        Judges them.
    runtime
        What executes both.
    model_name, licence
        As stated by the model.
    """

    def __init__(
        self,
        detector: FaceDetector,
        estimator: Estimator,
        runtime: Choice,
        model_name: str,
        licence: str,
    ) -> None:
        """Put the parts together; `load` does it by name."""
        self._detector = detector
        self._estimator = estimator
        self._runtime = runtime
        self._model_name = model_name
        self._licence = licence

    @classmethod
    def load(
        cls,
        model: Path | None = None,
        *,
        detector: str = "mtcnn",
        runtime: str = AUTO,
        min_face_size: int = 40,
        attributes: bool = False,
    ) -> Engine:
        """Load a model and the detector.

        Parameters
        ----------
        model
            Folder of an estimator; the bundled one if None.
        detector
            A registered name.
        runtime
            A registered name, or ``auto``: the fastest that is installed and answers
            as NumPy does. NumPy takes the place of one that does not.
        min_face_size
            Side of the smallest face to look for, in pixels of the analysed image.
        attributes
            Whether estimates tell what the model knows besides age and gender.

        Raises
        ------
        ArtefactError
            The model folder is unusable; the message names the file and the fix.
        PluginError
            No detector or runtime has that name.
        ValueError
            ``min_face_size`` is too small for the detector.
        """
        loaded = artefact.load(BUNDLED_MODEL if model is None else model)
        executor = choose(runtime)
        return cls(
            detectors.get(detector)(runtime=executor, min_face_size=min_face_size),
            Estimator(loaded, executor, attributes=attributes),
            executor,
            loaded.name,
            loaded.licence,
        )

    @property
    def model_name(self) -> str:
        """Name of the estimator's model."""
        return self._model_name

    @property
    def licence(self) -> str:
        """Licence of the estimator's model."""
        return self._licence

    @property
    def runtime_name(self) -> str:
        """What executes the networks; several names are separated by commas."""
        return self._runtime.name

    @property
    def rejected(self) -> Mapping[str, str]:
        """Runtimes that were refused, by name, and why."""
        return self._runtime.rejected

    def analyze(self, image: NDArray[np.uint8]) -> list[tuple[Detection, Estimate]]:
        """Find the faces of an image and judge each.

        Parameters
        ----------
        image
            (H, W, 3), uint8, RGB.

        Returns
        -------
        list of (Detection, Estimate)
            Best score first; empty if there is none.

        Raises
        ------
        ValueError
            The image has another shape or type.
        """
        found = self.detect(image)
        estimates = self.estimate([self.crop(image, face) for face in found])
        return list(zip(found, estimates, strict=True))

    def detect(self, image: NDArray[np.uint8], min_face_size: int | None = None) -> list[Detection]:
        """Find the faces of an image.

        Parameters
        ----------
        image
            (H, W, 3), uint8, RGB.
        min_face_size
            Side of the smallest face to look for, in pixels; None for the one given to
            `load`.

        Returns
        -------
        list of Detection
            Best score first; empty if there is none.

        Raises
        ------
        ValueError
            The image has another shape or type, or ``min_face_size`` is too small for
            the detector.
        """
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
            raise ValueError(
                f"expected an RGB image (H, W, 3) of uint8, got {image.dtype} {image.shape}"
            )
        return self._detector.detect(image, min_face_size=min_face_size)

    def refine(self, image: NDArray[np.uint8], boxes: Sequence[Box]) -> list[Detection] | None:
        """Find the faces near boxes, far sooner than `detect` would.

        Returns
        -------
        list of Detection or None
            Best score first; None if the detector cannot do this.
        """
        if isinstance(self._detector, RefiningDetector):
            return self._detector.refine(image, boxes)
        return None

    def crop(self, image: NDArray[np.uint8], detection: Detection) -> NDArray[np.uint8]:
        """Cut a face out of an image as the estimator wants it: (S, S, 3), uint8.

        Raises
        ------
        ValueError
            The landmarks of the face coincide.
        """
        return align(image, detection.landmarks, self._estimator.geometry, self._estimator.size)

    def close(self) -> None:
        """Free the networks, whoever holds the engine; it only tells its names from then on."""
        del self._detector, self._estimator

    def estimate(self, crops: Sequence[NDArray[np.uint8]]) -> list[Estimate]:
        """Judge faces as `crop` cuts them, one estimate for each."""
        return self._estimator.estimate(np.stack(crops)) if crops else []
