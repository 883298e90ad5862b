"""RetinaFace's weights are the user's; here ONNX Runtime runs a network that has its outputs.

It sees a face wherever 8x8 pixels are pure red, and puts box and landmarks at known places
around them. Priors, decoding and suppression are worked out by hand.
"""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from agegender_vision.engine import detectors
from agegender_vision.plugins import PluginError
from agegender_vision.retinaface import (
    DIGEST_VARIABLE,
    MODEL_VARIABLE,
    RetinaFace,
    decode_boxes,
    decode_landmarks,
    face_scores,
    priors,
    unsuppressed,
)


def floats(*values: object) -> NDArray[np.float32]:
    return np.array(values, np.float32)


def test_priors_stand_around_the_centre_of_each_place_of_each_map() -> None:
    """64x40 pixels have 8x5 places at stride 8, 4x3 at 16, and 2x2 at 32; two at each."""
    made = priors(40, 64)
    assert made.shape == (2 * (8 * 5 + 4 * 3 + 2 * 2), 4)
    assert made[:3].tolist() == [[4, 4, 16, 16], [4, 4, 32, 32], [12, 4, 16, 16]]
    assert made[16].tolist() == [4, 12, 16, 16]  # the second row
    assert made[80:82].tolist() == [[8, 8, 64, 64], [8, 8, 128, 128]]
    assert made[-1].tolist() == [48, 48, 512, 512]


def test_boxes_are_differences_from_a_prior() -> None:
    """Centre 100 + 0.1 * 5 * 16 and 50 - 0.1 * 10 * 32; sides 16 e^0.2 and 32 e^-0.4."""
    (box,) = decode_boxes(floats([5, -10, 1, -2]), floats([100, 50, 16, 32]))
    width, height = 16 * np.exp(0.2), 32 * np.exp(-0.4)
    expected = (108 - width / 2, 18 - height / 2, 108 + width / 2, 18 + height / 2)
    np.testing.assert_allclose(box, expected, rtol=1e-6)


def test_landmarks_are_differences_from_a_prior() -> None:
    (points,) = decode_landmarks(
        floats([0, 0, 1, 0, 0, 1, -2, -2, 10, 5]), floats([100, 50, 20, 40])
    )
    assert points.tolist() == [[100, 50], [102, 50], [100, 54], [96, 42], [120, 70]]


def test_scores_are_read_with_and_without_a_softmax_in_the_network() -> None:
    logits = floats([0, np.log(3)], [2, 2], [-500, 500])
    np.testing.assert_allclose(face_scores(logits), [0.75, 0.5, 1])
    np.testing.assert_allclose(face_scores(floats([0.25, 0.75], [0.9, 0.1])), [0.75, 0.1])


def test_a_box_that_a_better_one_overlaps_is_left_out() -> None:
    """The second shares 80 of 120 pixels with the first, the third 20 of 180 with both."""
    boxes = floats([0, 0, 10, 10], [0, 2, 10, 12], [0, 8, 10, 18])
    scores = floats(0.8, 0.9, 0.7)
    assert unsuppressed(boxes, scores, 0.4) == [1, 2]
    assert unsuppressed(boxes, scores, 0.7) == [1, 0, 2]
    assert unsuppressed(boxes[:0], scores[:0], 0.4) == []


BOX = floats(5, -5, 1, 2)
LANDMARKS = floats(-3, -3, 3, -3, 0, 0, -2, 3, 2, 4)


def write_red(
    path: Path,
    sides: tuple[int | str, int | str],
    classes: tuple[str, ...] = ("box", "class", "points"),
) -> Path:
    """Write a network with RetinaFace's outputs, for which pure red at stride 8 is a face."""
    onnx = pytest.importorskip("onnx", reason="needs onnx, which is not installed here")
    helper, numpy_helper = onnx.helper, onnx.numpy_helper
    nodes: list[Any] = []
    weights: list[Any] = []
    parts: dict[str, list[str]] = {name: [] for name in classes}
    values = {"box": BOX, "class": floats(0, 0), "points": LANDMARKS}
    for stride in (8, 16, 32):
        for name in classes:
            width = len(values[name])
            kernel = np.zeros((2 * width, 3, stride, stride), np.float32)
            bias = np.tile(values[name], 2)
            if name == "class":  # of the smaller prior: 20 where red - mean is 132, else below 0
                bias = floats(0, -20, 0, -20)
                if stride == 8:
                    kernel[1, 2] = 40 / 132 / stride**2
                    kernel[1, 1] = -kernel[1, 2]
                    bias[1] = -20 - 40 * 117 / 132
            key = f"{name}{stride}"
            weights += [
                numpy_helper.from_array(kernel, f"{key}k"),
                numpy_helper.from_array(bias, f"{key}b"),
                numpy_helper.from_array(np.array([1, -1, width]), f"{key}s"),
            ]
            nodes += [
                helper.make_node(
                    "Conv", ["picture", f"{key}k", f"{key}b"], [f"{key}m"], strides=[stride] * 2
                ),
                helper.make_node("Transpose", [f"{key}m"], [f"{key}t"], perm=[0, 2, 3, 1]),
                helper.make_node("Reshape", [f"{key}t", f"{key}s"], [key]),
            ]
            parts[name].append(key)
    outputs = []
    for name, keys in parts.items():
        nodes.append(helper.make_node("Concat", keys, [name], axis=1))
        outputs.append(helper.make_tensor_value_info(name, 1, [1, "n", len(values[name])]))
    given = helper.make_tensor_value_info("picture", 1, [1, 3, *sides])
    graph = helper.make_graph(nodes, "red", [given], outputs, weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    path.write_bytes(model.SerializeToString())
    return path


def opened(path: Path, **options: Any) -> RetinaFace:
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return RetinaFace(model=path, sha256=digest, **options)


@pytest.fixture
def red_means_face(tmp_path: Path) -> Path:
    """A network for pictures of any size."""
    pytest.importorskip("onnxruntime", reason="needs ONNX Runtime, which is not installed here")
    return write_red(tmp_path / "red.onnx", ("height", "width"))


@pytest.fixture
def red_patch() -> NDArray[np.uint8]:
    """70x50 pixels; the cell of stride 8 in row 3, column 4 is red, RGB."""
    image = np.zeros((50, 70, 3), np.uint8)
    image[24:32, 32:40, 0] = 255
    return image


def test_a_face_is_read_with_its_box_landmarks_and_score(
    red_means_face: Path, red_patch: NDArray[np.uint8]
) -> None:
    (face,) = opened(red_means_face, min_face_size=20).detect(red_patch)
    centre = np.array([36 + 0.1 * 5 * 16, 28 - 0.1 * 5 * 16])
    side = 16 * np.exp([0.2, 0.4])
    np.testing.assert_allclose(face.box, [*(centre - side / 2), *side], atol=1e-3)
    expected = np.array([36, 28]) + 1.6 * LANDMARKS.reshape(5, 2)
    np.testing.assert_allclose(face.landmarks, expected, atol=1e-3)
    assert face.landmarks.dtype == np.float32
    assert face.score > 0.99


def test_a_larger_picture_is_made_smaller_and_the_answer_larger(
    red_means_face: Path, red_patch: NDArray[np.uint8]
) -> None:
    detector = opened(red_means_face, min_face_size=20)
    (small,) = detector.detect(red_patch)
    (large,) = detector.detect(red_patch.repeat(2, 0).repeat(2, 1), min_face_size=40)
    np.testing.assert_allclose(large.box, np.multiply(small.box, 2), atol=1e-3)
    np.testing.assert_allclose(large.landmarks, small.landmarks * 2, atol=1e-3)


def test_a_network_of_one_size_gets_pictures_of_that_size(
    tmp_path: Path, red_patch: NDArray[np.uint8]
) -> None:
    pytest.importorskip("onnxruntime", reason="needs ONNX Runtime, which is not installed here")
    fixed = opened(write_red(tmp_path / "fixed.onnx", (96, 128)), min_face_size=20)
    (small,) = fixed.detect(red_patch)
    wide = np.zeros((96, 256, 3), np.uint8)
    wide[48:64, 64:80, 0] = 255
    (large,) = fixed.detect(wide)
    np.testing.assert_allclose(large.box, np.multiply(small.box, 2), atol=1e-3)


def test_a_picture_without_a_face_and_a_face_cut_by_the_edge(
    red_means_face: Path, red_patch: NDArray[np.uint8]
) -> None:
    detector = opened(red_means_face, min_face_size=20)
    assert detector.detect(np.zeros_like(red_patch)) == []
    (face,) = detector.detect(np.roll(red_patch, (-24, -32), axis=(0, 1)))
    left, top, width, height = face.box
    assert top == 0
    assert min(left, width, height) > 0
    assert height < 16 * np.exp(0.4)


def test_another_file_than_was_meant_is_not_loaded(tmp_path: Path) -> None:
    path = tmp_path / "changed.onnx"
    path.write_bytes(b"something else")
    meant = hashlib.sha256(b"the published file").hexdigest()
    found = hashlib.sha256(b"something else").hexdigest()
    with pytest.raises(PluginError, match=rf"its SHA-256 is {found}, .* says {meant}"):
        RetinaFace(model=path, sha256=meant.upper())


def test_without_file_or_checksum_a_sentence_says_what_to_set(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv(MODEL_VARIABLE, raising=False)
    monkeypatch.delenv(DIGEST_VARIABLE, raising=False)
    with pytest.raises(PluginError, match=rf"no model file: .* set {MODEL_VARIABLE} to its path"):
        detectors.get("retinaface")(runtime=..., min_face_size=40)  # type: ignore[arg-type]
    path = tmp_path / "unknown.onnx"
    path.write_bytes(b"x")
    monkeypatch.setenv(MODEL_VARIABLE, str(path))
    with pytest.raises(PluginError, match=rf"unknown\.onnx: set {DIGEST_VARIABLE} to the SHA-256"):
        RetinaFace()


def test_the_environment_names_file_and_checksum(
    red_means_face: Path, red_patch: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(MODEL_VARIABLE, str(red_means_face))
    monkeypatch.setenv(DIGEST_VARIABLE, hashlib.sha256(red_means_face.read_bytes()).hexdigest())
    assert len(RetinaFace(min_face_size=20).detect(red_patch)) == 1


def test_a_file_that_is_no_such_network_is_named(
    tmp_path: Path, red_patch: NDArray[np.uint8]
) -> None:
    pytest.importorskip("onnxruntime", reason="needs ONNX Runtime, which is not installed here")
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"\x08\x08\x12\x07pytorch")
    with pytest.raises(PluginError, match=r"cannot read .*broken\.onnx as an ONNX network"):
        opened(broken)
    other = write_red(tmp_path / "other.onnx", ("height", "width"), ("box", "class"))
    with pytest.raises(PluginError, match=r"outputs of \[2, 4\] numbers for a box"):
        opened(other).detect(red_patch)


def test_faces_smaller_than_it_can_find_are_refused() -> None:
    with pytest.raises(ValueError, match="min_face_size is at least 10 pixels, got 9"):
        RetinaFace(min_face_size=9)
