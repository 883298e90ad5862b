"""RetinaFace with MobileNet-0.25, run by ONNX Runtime, from a model file of the user's.

Deng et al., "RetinaFace: Single-shot Multi-level Face Localisation in the Wild", CVPR 2020.
One network looks at the whole picture. Around each place of three of its feature maps stand
two prior boxes; for each it says how likely a face is there, and how box and landmarks differ
from the prior's. The file is not shipped: see :data:`MODEL_VARIABLE`.
"""

from __future__ import annotations

import hashlib
import os
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .detector import Detection, asked_size, checked_size, model_file
from .plugins import PluginError
from .runtime import Runtime

MODEL_VARIABLE = "AGEGENDER_RETINAFACE_MODEL"
"""Environment variable with the path of the ONNX file."""
DIGEST_VARIABLE = "AGEGENDER_RETINAFACE_SHA256"
"""Environment variable with the file's SHA-256, as whoever published it states it."""

PRIORS = {8: (16, 32), 16: (64, 128), 32: (256, 512)}
"""Sides of the prior boxes at each stride of a feature map, in pixels."""
VARIANCES = 0.1, 0.2
"""What differences of places, and of sides, were divided by in training (Liu et al., ECCV 2016)."""

_MEAN = np.array([104, 117, 123], np.float32)  # of blue, green, red in ImageNet
_LARGEST_STRIDE = max(PRIORS)
_MOST_OVERLAP = 0.4  # of two boxes of different faces
_SMALLEST = 10  # side of the smallest face looked for, in pixels
_COMFORTABLE = 20  # what the smallest face asked for is brought down to

Floats = NDArray[np.float32]


class RetinaFace:
    """Finds faces and five landmarks of each.

    Parameters
    ----------
    runtime
        Not used: ONNX Runtime executes the network.
    min_face_size
        Side of the smallest face to look for, in pixels, at least 10. From 20 on the
        image is made smaller first.
    model, sha256
        The ONNX file and its checksum; None for those that the environment names.
    min_score
        Least score, 0 to 1.

    Raises
    ------
    PluginError
        ONNX Runtime, the file or its checksum is missing, the file is another one, or it
        holds no such network.
    ValueError
        ``min_face_size`` is too small.
    """

    def __init__(
        self,
        *,
        runtime: Runtime | None = None,  # noqa: ARG002  as all detectors
        min_face_size: int = 40,
        model: Path | None = None,
        sha256: str | None = None,
        min_score: float = 0.5,
    ) -> None:
        """Load the model."""
        self._min_face_size = checked_size(min_face_size, _SMALLEST)
        self._min_score = min_score
        path = model_file(
            "retinaface",
            model,
            MODEL_VARIABLE,
            "get a RetinaFace with MobileNet-0.25 as an ONNX file and set "
            f"{MODEL_VARIABLE} to its path and {DIGEST_VARIABLE} to its SHA-256",
        )
        content = _verified(path, sha256 or os.environ.get(DIGEST_VARIABLE))
        self._session = _session(path, content)
        (given,) = self._session.get_inputs()
        self._input = given.name
        sides = given.shape[2:]
        self._fixed = tuple(sides) if all(isinstance(side, int) for side in sides) else None
        self._path = path

    def detect(
        self, image: NDArray[np.uint8], *, min_face_size: int | None = None
    ) -> list[Detection]:
        """Find the faces of an image, see :meth:`.FaceDetector.detect`.

        Raises
        ------
        PluginError
            The network answers otherwise than a RetinaFace does.
        """
        smallest = asked_size(min_face_size, self._min_face_size, _SMALLEST)
        height, width = image.shape[:2]
        scale = min(1.0, _COMFORTABLE / smallest)
        if self._fixed:
            scale = min(scale, self._fixed[0] / height, self._fixed[1] / width)
        size = max(1, round(width * scale)), max(1, round(height * scale))
        small = image
        if size != (width, height):
            small = np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BOX))
        sides = self._fixed or tuple(
            -(-side // _LARGEST_STRIDE) * _LARGEST_STRIDE for side in small.shape[:2]
        )
        canvas = np.zeros((1, 3, *sides), np.float32)
        pixels = small[:, :, ::-1] - _MEAN
        canvas[0, :, : small.shape[0], : small.shape[1]] = pixels.transpose(2, 0, 1)
        places, scores, landmarks = self._answers(canvas)
        prior = priors(sides[0], sides[1])
        if not len(prior) == len(places) == len(scores) == len(landmarks):
            raise PluginError(
                f"{self._path}: answers about {len(places)} boxes in a picture of {sides[1]}x"
                f"{sides[0]}, a RetinaFace with MobileNet-0.25 about {len(prior)}: give the file "
                "of such a network"
            )
        sure = np.flatnonzero(scores >= self._min_score)
        boxes = decode_boxes(places[sure], prior[sure])
        points = decode_landmarks(landmarks[sure], prior[sure])
        back = np.array([width / size[0], height / size[1]])
        found = []
        for place in unsuppressed(boxes, scores[sure], _MOST_OVERLAP):
            corners = (boxes[place].reshape(2, 2) * back).clip(0, (width, height))
            left, top, right, bottom = (float(edge) for edge in corners.ravel())
            if right <= left or bottom <= top:
                continue  # in the margin that fills the network's input
            found.append(
                Detection(
                    (left, top, right - left, bottom - top),
                    float(scores[sure][place]),
                    (points[place] * back).astype(np.float32),
                )
            )
        return found

    def _answers(self, canvas: Floats) -> tuple[Floats, Floats, Floats]:
        """Return differences of boxes (N, 4), scores (N,), differences of landmarks (N, 10)."""
        outputs = {
            answer.shape[-1]: answer.reshape(-1, answer.shape[-1]).astype(np.float32)
            for answer in self._session.run(None, {self._input: canvas})
        }
        if set(outputs) != {2, 4, 10}:
            raise PluginError(
                f"{self._path}: has outputs of {sorted(outputs)} numbers for a box, a RetinaFace "
                "of 2, 4 and 10: give the file of such a network"
            )
        return outputs[4], face_scores(outputs[2]), outputs[10]


def priors(height: int, width: int) -> Floats:
    """Return the prior boxes of a picture.

    Returns
    -------
    numpy.ndarray
        (N, 4), float32: centre x, centre y, width and height, in pixels; stride by stride, in
        each row by row, at each place the smaller one first.
    """
    parts = []
    for stride, sides in PRIORS.items():
        rows, columns = -(-height // stride), -(-width // stride)
        y, x, side = np.meshgrid(
            (np.arange(rows) + 0.5) * stride,
            (np.arange(columns) + 0.5) * stride,
            sides,
            indexing="ij",
        )
        parts.append(np.stack([x, y, side, side], axis=-1).reshape(-1, 4))
    made: Floats = np.concatenate(parts).astype(np.float32)
    return made


def decode_boxes(differences: Floats, prior: Floats) -> Floats:
    """Return boxes (N, 4), left, top, right, bottom in pixels, from the network's answers."""
    centre = prior[:, :2] + VARIANCES[0] * differences[:, :2] * prior[:, 2:]
    half = prior[:, 2:] * np.exp(VARIANCES[1] * differences[:, 2:]) / 2
    boxes: Floats = np.concatenate([centre - half, centre + half], axis=1)
    return boxes


def decode_landmarks(differences: Floats, prior: Floats) -> Floats:
    """Return landmarks (N, 5, 2), in pixels, from the network's answers (N, 10)."""
    apart = differences.reshape(-1, 5, 2)
    landmarks: Floats = prior[:, None, :2] + VARIANCES[0] * apart * prior[:, None, 2:]
    return landmarks


def face_scores(answers: Floats) -> Floats:
    """Return how likely each box is a face, (N,), from (N, 2) of background and face.

    Files differ in whether the softmax is part of the network.
    """
    if (answers >= 0).all() and np.allclose(answers.sum(axis=1), 1, atol=1e-3):
        shares: Floats = answers[:, 1]
        return shares
    apart = np.clip(answers[:, 0] - answers[:, 1], -80, 80)
    scores: Floats = (1 / (1 + np.exp(apart))).astype(np.float32)
    return scores


def unsuppressed(boxes: Floats, scores: Floats, most: float) -> list[int]:
    """Return which boxes stay, best first: none that a better one overlaps by more than ``most``.

    Greedy non-maximum suppression; overlap is intersection over union.
    """
    order = np.argsort(-scores, kind="stable")
    areas = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
    kept = []
    while len(order):
        best, order = int(order[0]), order[1:]
        kept.append(best)
        low = np.maximum(boxes[best, :2], boxes[order, :2])
        high = np.minimum(boxes[best, 2:], boxes[order, 2:])
        shared = np.prod((high - low).clip(0), axis=1)
        order = order[shared <= most * (areas[best] + areas[order] - shared)]
    return kept


def _verified(path: Path, expected: str | None) -> bytes:
    if not expected:
        raise PluginError(
            f"the detector 'retinaface' knows no checksum of {path}: set {DIGEST_VARIABLE} to the "
            "SHA-256 that its publisher states"
        )
    content = path.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    if digest != expected.strip().lower():
        raise PluginError(
            f"{path} is not the file that was meant: its SHA-256 is {digest}, {DIGEST_VARIABLE} "
            f"says {expected.strip().lower()}. It was not loaded; get it again from its publisher"
        )
    return content


def _session(path: Path, content: bytes) -> Any:
    try:
        library = import_module("onnxruntime")
    except ImportError as error:
        raise PluginError(
            f"the detector 'retinaface' needs ONNX Runtime, which does not load ({error}): "
            "install onnxruntime, or choose the detector 'mtcnn'"
        ) from error
    options = library.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        return library.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its errors share no class but this one
        raise PluginError(
            f"the detector 'retinaface' cannot read {path} as an ONNX network ({error})"
        ) from error
