"""The cascade needs OpenCV 4, which Home Assistant's environment has here."""

import sys

import numpy as np
import pytest
from numpy.typing import NDArray

from agegender_vision.engine import Engine
from agegender_vision.haar import Haar
from agegender_vision.mtcnn import Mtcnn
from agegender_vision.opencv import opencv
from agegender_vision.plugins import PluginError


@pytest.fixture
def opencv4() -> None:
    cv2 = pytest.importorskip("cv2", reason="needs OpenCV, which is not installed here")
    if not hasattr(cv2, "CascadeClassifier"):
        pytest.skip(f"needs OpenCV 4, which had cascades; here is {cv2.__version__}")


@pytest.fixture
def no_opencv_loaded() -> None:
    opencv.cache_clear()


@pytest.mark.usefixtures("opencv4")
def test_a_frontal_face_is_found_where_mtcnn_finds_it(astronaut: NDArray[np.uint8]) -> None:
    (face, *_) = Haar().detect(astronaut)
    (reference,) = Mtcnn().detect(astronaut)
    width = face.box[2]
    distances = np.linalg.norm(face.landmarks - reference.landmarks, axis=1)
    assert distances.max() < 0.12 * width
    assert 0 < face.score <= 1
    assert face.landmarks.dtype == np.float32


@pytest.mark.usefixtures("opencv4")
def test_both_faces_of_a_picture_come_best_first(two_faces: NDArray[np.uint8]) -> None:
    faces = Haar().detect(two_faces)
    scores = [face.score for face in faces]
    assert len(faces) >= 2
    assert scores == sorted(scores, reverse=True)


@pytest.mark.usefixtures("opencv4")
def test_an_engine_takes_it_by_name(astronaut: NDArray[np.uint8]) -> None:
    (_, usual), *_ = Engine.load().analyze(astronaut)
    (_, estimate), *_ = Engine.load(detector="haar").analyze(astronaut)
    assert estimate.p_female > 0.5
    # It tells no landmarks, so the crop is another one; both say what they are not sure of.
    assert max(usual.age_low, estimate.age_low) < min(usual.age_high, estimate.age_high)


@pytest.mark.usefixtures("opencv4")
def test_faces_smaller_than_the_smallest_are_not_found(astronaut: NDArray[np.uint8]) -> None:
    assert Haar().detect(astronaut, min_face_size=60)
    assert not Haar().detect(astronaut, min_face_size=200)
    with pytest.raises(ValueError, match="min_face_size is at least 20 pixels, got 19"):
        Haar(min_face_size=19)


@pytest.mark.usefixtures("opencv4")
def test_an_empty_picture_holds_no_face() -> None:
    assert Haar().detect(np.zeros((10, 8, 3), np.uint8)) == []
    assert Haar().detect(np.full((240, 320, 3), 128, np.uint8)) == []


@pytest.mark.usefixtures("no_opencv_loaded")
def test_without_opencv_a_sentence_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)  # importing it now fails, as if it were absent
    with pytest.raises(PluginError, match=r"'haar' needs OpenCV.*install opencv-python-headless"):
        Haar()


@pytest.mark.usefixtures("opencv4")
def test_opencv_without_cascades_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr("cv2.CascadeClassifier")  # as OpenCV 5
    with pytest.raises(PluginError, match=r"needs OpenCV 4, version .* has no cascades"):
        Haar()
