"""The cascade of Haar-like features, run by OpenCV 4: what came before networks.

Viola and Jones, "Robust Real-Time Face Detection", IJCV 57(2), 2004; the cascade is
``frontalface_alt2`` (Lienhart, Kuranov and Pisarevsky, DAGM 2003). For comparison, and for
those who used it before: it finds upright frontal faces only, and no landmarks.

Landmarks are put where they lie on average in its boxes: the estimator then errs by 0.2
years more than with MTCNN's (675 faces of UTKFace's test split; 5.51 and 5.32 years).
Looking for the eyes with a cascade for eyes gained 0.06 years and lost 1.5 % of the
genders, so it is not done.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .detector import Detection, asked_size, checked_size
from .opencv import opencv
from .plugins import PluginError
from .runtime import Runtime

_CASCADE = "haarcascade_frontalface_alt2.xml"
_SMALLEST = 20  # side of the cascade's window, in pixels
_STEP = 1.1  # from one scale to the next
_NEIGHBOURS = 3  # boxes that agree before a face is believed

# Median of 284 faces that MTCNN found too, in fractions of the box.
_LANDMARKS = np.array(
    [(0.316, 0.380), (0.668, 0.379), (0.495, 0.587), (0.332, 0.747), (0.655, 0.745)]
)
# Where the face is in the cascade's window: left, top, width, height, in fractions of it.
# As boxes that people drew are, so trackers and figures can compare it with other boxes.
_FACE = (0.1, 0.05, 0.8, 0.95)
# The last stage's sum in the middle of all findings, and how many units count as much.
_USUAL_SUM = 56.0


class Haar:
    """Finds upright frontal faces; their landmarks are a guess from the box.

    Parameters
    ----------
    runtime
        Not used: OpenCV does the work.
    min_face_size
        Side of the smallest face to look for, in pixels, at least 20.

    Raises
    ------
    PluginError
        OpenCV is missing, or too new to have cascades.
    ValueError
        ``min_face_size`` is too small.
    """

    def __init__(
        self,
        *,
        runtime: Runtime | None = None,  # noqa: ARG002  as all detectors
        min_face_size: int = 40,
    ) -> None:
        """Load the cascade that OpenCV brings."""
        self._min_face_size = checked_size(min_face_size, _SMALLEST)
        cv2 = self._cv2 = opencv("haar")
        if not hasattr(cv2, "CascadeClassifier"):
            raise PluginError(
                f"the detector 'haar' needs OpenCV 4, version {cv2.__version__} is installed "
                "and has no cascades: install 'opencv-python-headless<5', or choose the "
                "detector 'mtcnn'"
            )
        path = Path(cv2.data.haarcascades) / _CASCADE
        self._cascade = cv2.CascadeClassifier(str(path))
        if self._cascade.empty():
            raise PluginError(
                f"the detector 'haar' cannot read {path}: install opencv-python-headless again"
            )

    def detect(
        self, image: NDArray[np.uint8], *, min_face_size: int | None = None
    ) -> list[Detection]:
        """Find the faces of an image, see :meth:`.FaceDetector.detect`."""
        smallest = asked_size(min_face_size, self._min_face_size, _SMALLEST)
        boxes, _, sums = self._cascade.detectMultiScale3(
            self._cv2.cvtColor(image, self._cv2.COLOR_RGB2GRAY),
            scaleFactor=_STEP,
            minNeighbors=_NEIGHBOURS,
            minSize=(smallest, smallest),
            outputRejectLevels=True,
        )
        found = [
            _detection(box, total, image.shape) for box, total in zip(boxes, sums, strict=True)
        ]
        return sorted(found, key=lambda face: -face.score)


def _detection(box: NDArray[np.int32], total: float, shape: tuple[int, ...]) -> Detection:
    low, side = box[:2].astype(float), box[2:].astype(float)
    first = low + side * _FACE[:2]
    last = (first + side * _FACE[2:]).clip(0, [shape[1], shape[0]])
    return Detection(
        (float(first[0]), float(first[1]), float(last[0] - first[0]), float(last[1] - first[1])),
        float(1 / (1 + np.exp(_USUAL_SUM - total))),
        (low + side * _LANDMARKS).astype(np.float32),
    )
