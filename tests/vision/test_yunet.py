"""YuNet's model is the user's; what happens without one."""

from pathlib import Path

import pytest

from agegender_vision.engine import detectors
from agegender_vision.plugins import PluginError
from agegender_vision.yunet import MODEL_VARIABLE, YuNet


@pytest.fixture
def has_opencv() -> None:
    pytest.importorskip("cv2", reason="needs OpenCV, which is not installed here")


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
