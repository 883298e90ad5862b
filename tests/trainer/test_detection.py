"""Figures of face detectors, worked out by hand."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from agegender_vision.detector import Detection
from trainer.evaluation import detection
from trainer.evaluation.detection import Verdicts, average_precision, overlaps, recall, verdicts

from .conftest import ASTRONAUT, NO_FACE, agegender


def found(*faces: tuple[float, float, float, float, float]) -> list[Detection]:
    """Make detections of (left, top, width, height, score)."""
    return [Detection(face[:4], face[4], np.zeros((5, 2), np.float32)) for face in faces]


def boxes(*rows: tuple[float, float, float, float]) -> NDArray[np.float64]:
    return np.array(rows, np.float64).reshape(-1, 4)


def ranked(hits: str, faces: int, photographs: int = 10) -> Verdicts:
    """Make verdicts from a word such as "hit miss hit", best score first."""
    words = hits.split()
    scores = np.linspace(1, 0, len(words))
    return Verdicts(scores, np.array([word == "hit" for word in words], bool), faces, photographs)


def test_overlap_is_intersection_over_union() -> None:
    shared = overlaps((0, 0, 10, 10), boxes((0, 0, 10, 10), (5, 0, 10, 10), (10, 10, 5, 5)))
    np.testing.assert_allclose(shared, [1, 50 / 150, 0])


def test_each_face_is_hit_once_by_the_best_score() -> None:
    faces = boxes((0, 0, 40, 40), (100, 0, 40, 40))
    result = verdicts(
        [found((2, 0, 40, 40, 0.7), (0, 0, 40, 40, 0.9), (60, 0, 40, 40, 0.8))], [faces]
    )
    assert result.scores.tolist() == [0.9, 0.8, 0.7]
    assert result.hits.tolist() == [True, False, False]  # the last one is the first face again
    assert (result.faces, result.photographs) == (2, 1)


def test_small_faces_are_neither_hit_nor_miss() -> None:
    faces = boxes((0, 0, 23, 40), (100, 0, 24, 24))
    result = verdicts([found((0, 0, 23, 40, 0.9), (100, 0, 24, 24, 0.8))], [faces])
    assert result.scores.tolist() == [0.8]
    assert result.hits.tolist() == [True]
    assert result.faces == 1


def test_whatever_is_found_where_no_face_is_is_a_false_alarm() -> None:
    result = verdicts([found((0, 0, 30, 30, 0.9)), []], [boxes(), boxes()])
    assert result.hits.tolist() == [False]
    assert (result.faces, result.photographs) == (0, 2)
    assert np.isnan(average_precision(result))
    assert np.isnan(recall(result))


@pytest.mark.parametrize(
    ("hits", "faces", "area"),
    [
        ("hit hit", 2, 1.0),
        ("hit hit", 4, 0.5),
        ("", 3, 0.0),
        ("miss miss", 3, 0.0),
        ("miss hit", 1, 0.5),
        # Precision at the hits: 1, 2/3, 3/4; made monotonic: 1, 3/4, 3/4.
        ("hit miss hit hit", 4, (1 + 0.75 + 0.75) / 4),
    ],
)
def test_average_precision(hits: str, faces: int, area: float) -> None:
    assert average_precision(ranked(hits, faces)) == pytest.approx(area)


def test_the_order_is_that_of_the_scores() -> None:
    unordered = Verdicts(np.array([0.1, 0.9]), np.array([False, True]), 1, 10)
    assert average_precision(unordered) == 1.0


@pytest.mark.parametrize(
    ("hits", "photographs", "share"),
    [
        ("hit miss hit miss hit", 10, 0.5),  # one false alarm allowed
        ("hit miss hit miss hit", 20, 0.75),
        ("hit miss hit miss hit", 9, 0.25),  # not even one
        ("miss hit", 9, 0.0),
    ],
)
def test_recall_at_one_false_alarm_in_ten_photographs(
    hits: str, photographs: int, share: float
) -> None:
    assert recall(ranked(hits, 4, photographs)) == pytest.approx(share)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A set of two photographs, one without a face, and one whose boxes a detector drew."""
    Image.open(ASTRONAUT).save(tmp_path / "collins.png")
    Image.open(NO_FACE).save(tmp_path / "coffee.png")
    (tmp_path / "images.csv").write_text(
        "file,box_source\ncollins.png,ground_truth\ncoffee.png,none\n"
        "absent.png,detector_verified_by_eye\n"
    )
    (tmp_path / "boxes.csv").write_text("file,x,y,w,h\ncollins.png,180,64,90,112\n")
    return tmp_path


def test_the_command_prints_the_figures_of_each_detector(folder: Path) -> None:
    printed = agegender("evaluate-detectors", folder, "--detector", "mtcnn").stdout
    (row,) = (line for line in printed.splitlines() if "mtcnn" in line)
    assert row.count("100.0 %") == 2  # average precision and recall
    assert "ms" in row


def test_what_is_not_installed_is_named_with_the_reason(folder: Path) -> None:
    done = agegender("evaluate-detectors", folder, "--detector", "yunet", check=False)
    assert done.returncode == 2
    assert "AGEGENDER_YUNET_MODEL" in done.stderr or "needs OpenCV" in done.stderr


def test_a_folder_without_tables_is_refused(tmp_path: Path) -> None:
    done = agegender("evaluate-detectors", tmp_path, check=False)
    assert done.returncode == 2
    assert "images.csv: cannot be read" in done.stderr or "boxes.csv" in done.stderr


@pytest.mark.data
def test_the_photographs_that_count(shared: Path) -> None:
    pictures = detection.photographs(shared / "detection")
    assert len(pictures) == 291
    assert sum(int((p.faces[:, 2:].min(axis=1, initial=99) >= 24).sum()) for p in pictures) == 308
