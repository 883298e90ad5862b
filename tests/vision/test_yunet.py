"""YuNet's weights are the user's; here OpenCV runs a network that has YuNet's outputs.

It sees a face in every patch of 8x8 pixels that is pure red, and puts box and landmarks at
known places around it. What is shown is how questions are put and answers are read: order
of colours, scales, box, landmarks and score.
"""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from agegender_vision.engine import detectors
from agegender_vision.plugins import PluginError
from agegender_vision.yunet import MODEL_VARIABLE, YuNet


@pytest.fixture
def has_opencv() -> None:
    pytest.importorskip("cv2", reason="needs OpenCV, which is not installed here")


def field(number: int, value: int | bytes | str) -> bytes:
    """One field of a protocol buffer, which ONNX files are."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    content = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(content)) + content


def varint(value: int) -> bytes:
    return bytes([value]) if value < 128 else bytes([value & 127 | 128]) + varint(value >> 7)


def tensor(name: str, array: NDArray[np.float32] | NDArray[np.int64]) -> bytes:
    kind = 1 if array.dtype == np.float32 else 7
    dimensions = b"".join(field(1, size) for size in array.shape)
    return field(5, dimensions + field(2, kind) + field(8, name) + field(9, array.tobytes()))


def value_info(number: int, name: str, shape: tuple[int, ...]) -> bytes:
    dimensions = b"".join(field(1, field(1, size)) for size in shape)
    kind = field(1, field(1, 1) + field(2, dimensions))
    return field(number, field(1, name) + field(2, kind))


def node(op: str, inputs: tuple[str, ...], output: str, **attributes: list[int]) -> bytes:
    content = b"".join(field(1, name) for name in inputs) + field(2, output) + field(4, op)
    for name, values in attributes.items():
        integers = b"".join(field(8, value) for value in values)
        content += field(5, field(1, name) + integers + field(20, 7))
    return field(1, content)


LANDMARKS = np.array([(0.1, 0.2), (0.9, 0.2), (0.5, 0.5), (0.2, 0.8), (0.8, 0.9)], np.float32)


@pytest.fixture
def red_means_face(tmp_path: Path) -> Path:
    """A network for 64x64 pixels: boxes of 16x24 around the centres of red patches."""
    graph = b""
    for stride in (8, 16, 32):
        answers: dict[str, list[float] | NDArray[np.float32]] = {
            "cls": [0.0],
            "obj": [float(stride == 8)],
            "bbox": [0.5, 0.5, np.log(2), np.log(3)],
            "kps": LANDMARKS.reshape(-1),
        }
        for name, values in answers.items():
            output = f"{name}_{stride}"
            kernel = np.zeros((len(values), 3, stride, stride), np.float32)
            if name == "cls":  # blue, green, red: the mean red, less where there is green
                kernel[:, 2] = 1 / 255 / stride**2
                kernel[:, 1] = -kernel[:, 2]
            graph += node(
                "Conv",
                ("input", f"{output}_kernel", f"{output}_bias"),
                f"{output}_map",
                strides=[stride, stride],
                kernel_shape=[stride, stride],
            )
            graph += node("Transpose", (f"{output}_map",), f"{output}_last", perm=[0, 2, 3, 1])
            graph += node("Reshape", (f"{output}_last", f"{output}_shape"), output)
            graph += tensor(f"{output}_kernel", kernel)
            graph += tensor(f"{output}_bias", np.array(values, np.float32))
            shape = 1, (64 // stride) ** 2, len(values)
            graph += tensor(f"{output}_shape", np.array(shape, np.int64))
            graph += value_info(12, output, shape)
    graph += field(2, "red") + value_info(11, "input", (1, 3, 64, 64))
    file = tmp_path / "red.onnx"
    file.write_bytes(field(1, 8) + field(7, graph) + field(8, field(2, 11)))
    return file


@pytest.fixture
def red_patch() -> NDArray[np.uint8]:
    """The cell in row 3, column 4 is red, RGB."""
    image = np.zeros((64, 64, 3), np.uint8)
    image[24:32, 32:40, 0] = 255
    return image


@pytest.mark.usefixtures("has_opencv")
def test_a_face_is_read_with_its_box_landmarks_and_score(
    red_means_face: Path, red_patch: NDArray[np.uint8]
) -> None:
    (face,) = YuNet(model=red_means_face, min_face_size=20).detect(red_patch)
    np.testing.assert_allclose(face.box, (36 - 8, 28 - 12, 16, 24), atol=1e-3)
    np.testing.assert_allclose(face.landmarks, (LANDMARKS + np.array([4, 3])) * 8, atol=1e-3)
    assert face.landmarks.dtype == np.float32
    assert face.score == pytest.approx(1, abs=1e-3)


@pytest.mark.usefixtures("has_opencv")
def test_a_larger_picture_is_made_smaller_and_the_answer_larger(
    red_means_face: Path, red_patch: NDArray[np.uint8]
) -> None:
    detector = YuNet(model=red_means_face, min_face_size=20)
    twice = red_patch.repeat(2, axis=0).repeat(2, axis=1)
    (small,) = detector.detect(red_patch)
    (large,) = detector.detect(twice, min_face_size=40)
    np.testing.assert_allclose(large.box, np.multiply(small.box, 2), atol=1e-3)
    np.testing.assert_allclose(large.landmarks, small.landmarks * 2, atol=1e-3)


@pytest.mark.usefixtures("has_opencv")
def test_a_picture_without_a_face_and_a_face_cut_by_the_edge(
    red_means_face: Path, red_patch: NDArray[np.uint8]
) -> None:
    detector = YuNet(model=red_means_face, min_face_size=20)
    assert detector.detect(np.zeros_like(red_patch)) == []
    (face,) = detector.detect(np.roll(red_patch, (-24, -32), axis=(0, 1)))
    np.testing.assert_allclose(face.box, (0, 0, 12, 16), atol=1e-3)


@pytest.mark.usefixtures("has_opencv")
def test_without_a_model_file_a_sentence_says_where_to_get_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv(MODEL_VARIABLE, raising=False)
    with pytest.raises(PluginError, match=rf"no model file: get .* set {MODEL_VARIABLE}"):
        detectors.get("yunet")(runtime=..., min_face_size=40)  # type: ignore[arg-type]
    monkeypatch.setenv(MODEL_VARIABLE, str(tmp_path / "absent.onnx"))
    with pytest.raises(PluginError, match=r"no model file .*absent\.onnx"):
        YuNet()


@pytest.mark.usefixtures("has_opencv")
def test_a_file_that_is_no_model_is_named(tmp_path: Path) -> None:
    file = tmp_path / "truncated.onnx"
    file.write_bytes(b"\x08\x08\x12\x07pytorch")
    with pytest.raises(PluginError, match=r"cannot read .*truncated\.onnx: get the file again"):
        YuNet(model=file)


@pytest.mark.usefixtures("has_opencv")
def test_faces_smaller_than_it_can_find_are_refused() -> None:
    with pytest.raises(ValueError, match="min_face_size is at least 10 pixels, got 9"):
        YuNet(min_face_size=9)
