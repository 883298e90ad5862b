"""YuNet, run by OpenCV, from a model file of the user's.

Wu, Peng and Yu, "YuNet: A Tiny Millisecond-level Face Detector", Machine Intelligence
Research 20, 2023. The file (``face_detection_yunet_2023mar.onnx`` of OpenCV's model zoo
for OpenCV 4, ``..._2026may.onnx`` for OpenCV 5) is not shipped.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .detector import Detection, asked_size, checked_size, model_file
from .opencv import opencv
from .plugins import PluginError
from .runtime import Runtime

MODEL_VARIABLE = "AGEGENDER_YUNET_MODEL"
"""Environment variable with the path of the model file."""

_SMALLEST = 10  # side of the smallest face that YuNet finds, by its authors, in pixels
_COMFORTABLE = 2 * _SMALLEST  # what the smallest face asked for is brought down to


class YuNet:
    """Finds faces and five landmarks of each.

    Parameters
    ----------
    runtime
        Not used: OpenCV executes the network.
    min_face_size
        Side of the smallest face to look for, in pixels, at least 10. From 20 on the
        image is made smaller first.
    model
        The ONNX file; None for the one that the environment names.
    min_score
        Least score, 0 to 1.

    Raises
    ------
    PluginError
        OpenCV or the model file is missing, or OpenCV cannot read it.
    ValueError
        ``min_face_size`` is too small.
    """

    def __init__(
        self,
        *,
        runtime: Runtime | None = None,  # noqa: ARG002  as all detectors
        min_face_size: int = 40,
        model: Path | None = None,
        min_score: float = 0.6,
    ) -> None:
        """Load the model."""
        self._cv2 = opencv("yunet")
        self._min_face_size = checked_size(min_face_size, _SMALLEST)
        path = model_file(
            "yunet",
            model,
            MODEL_VARIABLE,
            "get face_detection_yunet_2023mar.onnx (for OpenCV 5: 2026may) from OpenCV's model zoo "
            f"and set {MODEL_VARIABLE} to its path",
        )
        try:
            self._network = self._cv2.FaceDetectorYN.create(
                str(path), "", (320, 320), score_threshold=min_score, nms_threshold=0.3
            )
        except self._cv2.error as error:
            raise PluginError(
                f"the detector 'yunet' cannot read {path}: get the file again ({error})"
            ) from error

    def detect(
        self, image: NDArray[np.uint8], *, min_face_size: int | None = None
    ) -> list[Detection]:
        """Find the faces of an image, see :meth:`.FaceDetector.detect`."""
        smallest = asked_size(min_face_size, self._min_face_size, _SMALLEST)
        cv2 = self._cv2
        height, width = image.shape[:2]
        scale = min(1.0, _COMFORTABLE / smallest)
        size = max(1, round(width * scale)), max(1, round(height * scale))
        small = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
        if size != (width, height):
            small = cv2.resize(small, size, interpolation=cv2.INTER_AREA)
        self._network.setInputSize(size)
        _, rows = self._network.detect(small)
        if rows is None:
            return []
        back = np.array([width / size[0], height / size[1]])
        found = [_detection(row, back, (width, height)) for row in rows.astype(float)]
        return sorted(found, key=lambda face: -face.score)


def _detection(
    row: NDArray[np.float64], back: NDArray[np.float64], limits: tuple[int, int]
) -> Detection:
    """Read box, landmarks (the person's right eye first: left in the image) and score."""
    points = row[:14].reshape(7, 2) * back
    low = points[0].clip(0, limits)
    high = (points[0] + points[1]).clip(0, limits)
    width, height = high - low
    return Detection(
        (float(low[0]), float(low[1]), float(width), float(height)),
        float(row[14]),
        points[2:].astype(np.float32),
    )
