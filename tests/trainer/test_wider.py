"""WIDER FACE's protocol, worked out by hand, and its files as its authors write them."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from scipy.io import savemat

from trainer.errors import InputError
from trainer.evaluation import wider
from trainer.evaluation.wider import Picture, average_precision, judge, stretched

from .conftest import ASTRONAUT, NO_FACE, agegender

FIRST, SECOND = "0--Parade/0_Parade_one_1.jpg", "1--Handshaking/1_Handshaking_two_2.jpg"
TEXT = f"""{FIRST}
2
180 64 90 112 0 0 0 0 0 0
10 10 12 15 2 0 1 0 2 1
{SECOND}
0
0 0 0 0 0 0 0 0 0 0
"""


def rows(*values: tuple[float, ...]) -> NDArray[np.float64]:
    return np.array(values, np.float64).reshape(-1, 5)


def boxes(*values: tuple[float, ...]) -> NDArray[np.float64]:
    return np.array(values, np.float64).reshape(-1, 4)


def cells(*values: object) -> NDArray[np.object_]:
    """A column of MATLAB's cells."""
    made = np.empty((len(values), 1), object)
    made[:, 0] = values
    return made


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two pictures with three faces' worth of lines; the small face is hard only."""
    path = tmp_path_factory.mktemp("WIDER")
    for file, picture in ((FIRST, ASTRONAUT), (SECOND, NO_FACE)):
        image = path / "WIDER_val" / "images" / file
        image.parent.mkdir(parents=True)
        Image.open(picture).convert("RGB").save(image, quality=95)
    (path / "wider_face_split").mkdir()
    (path / "wider_face_split" / "wider_face_val_bbx_gt.txt").write_text(TEXT)
    lists = path / "eval_tools" / "ground_truth"
    lists.mkdir(parents=True)
    for level, places in (("easy", [1]), ("medium", [1]), ("hard", [1, 2])):
        savemat(
            lists / f"wider_{level}_val.mat",
            {
                "event_list": cells("0--Parade", "1--Handshaking"),
                "file_list": cells(cells("0_Parade_one_1"), cells("1_Handshaking_two_2")),
                "gt_list": cells(
                    cells(np.array(places, np.uint8)[:, None]), cells(np.empty((0, 0), np.uint8))
                ),
            },
        )
    return path


def test_the_boxes_are_read_from_the_text_file(folder: Path) -> None:
    first, second = wider.truth(folder / wider.ANNOTATIONS)
    assert first.file == FIRST
    assert first.faces.tolist() == [[180, 64, 90, 112], [10, 10, 12, 15]]
    assert (second.file, second.faces.shape) == (SECOND, (0, 4))


def test_the_faces_that_count_are_read_from_matlabs_files(folder: Path) -> None:
    found = wider.counted(folder)
    assert [found[level][FIRST].tolist() for level in wider.LEVELS] == [[0], [0], [0, 1]]
    assert found["hard"][SECOND].tolist() == []


def test_precision_over_recall_worked_out_by_hand() -> None:
    """Best first: a hit, a stranger, the hit's face again, a face that does not count, a hit.

    Proposals are all but the fourth, so precision at the two hits is 1 and 2/4, and recall
    1/3 and 2/3 of the three faces that count; nobody finds the third.
    """
    faces = boxes((0, 0, 20, 20), (100, 0, 20, 20), (200, 0, 20, 20), (300, 0, 20, 20))
    found = rows(
        (0, 0, 20, 20, 1.0),
        (500, 0, 20, 20, 0.8),
        (1, 0, 20, 20, 0.6),
        (300, 0, 20, 20, 0.4),
        (200, 0, 20, 20, 0.0),
    )
    picture = Picture("a/b.jpg", faces)
    counted = {"a/b.jpg": np.array([0, 1, 2])}
    assert average_precision([picture], counted, [found]) == pytest.approx((1 + 2 / 4) / 3)


def test_pictures_are_judged_together_by_score() -> None:
    """A stranger with the middle score in another picture comes between two hits."""
    pictures = [Picture("a/1.jpg", boxes((0, 0, 9, 9), (50, 0, 9, 9))), Picture("a/2.jpg", boxes())]
    pictures.append(Picture("a/3.jpg", boxes((0, 0, 9, 9))))
    counted = {"a/1.jpg": np.array([0, 1]), "a/3.jpg": np.array([], np.int64)}
    found = [
        rows((0, 0, 9, 9, 0.9), (50, 0, 9, 9, 0.1)),
        rows((5, 5, 9, 9, 0.5)),  # a picture without faces says nothing, by the authors' tools
        rows((50, 50, 9, 9, 0.5), (0, 0, 9, 9, 0.95)),
    ]
    found = stretched([one[np.argsort(-one[:, 4])] for one in found])
    assert average_precision(pictures, counted, found) == pytest.approx((1 + 2 / 3) / 2)


def test_the_last_pixel_is_inside() -> None:
    """9 pixels and the last make 10: half of the box is 50 of 100 pixels, just enough."""
    picture = Picture("a/b.jpg", boxes((0, 0, 9, 9)))
    counted = {"a/b.jpg": np.array([0])}
    assert average_precision([picture], counted, [rows((0, 0, 9, 4, 1.0))]) == 1
    assert average_precision([picture], counted, [rows((0, 0, 9, 3.9, 1.0))]) == 0


def test_scores_are_stretched_over_all_pictures() -> None:
    one, two = stretched([rows((0, 0, 1, 1, 30), (0, 0, 1, 1, 20)), rows((0, 0, 1, 1, 10))])
    assert [*one[:, 4], *two[:, 4]] == [1, 0.5, 0]
    assert stretched([rows()])[0].shape == (0, 5)


def test_no_face_that_counts_gives_no_figure() -> None:
    assert np.isnan(average_precision([Picture("a/b.jpg", boxes())], {}, [rows((0, 0, 9, 9, 1))]))


def test_a_list_of_other_faces_is_refused() -> None:
    with pytest.raises(InputError, match=r"a/b\.jpg: 1 faces, but number 3 is to count"):
        average_precision([Picture("a/b.jpg", boxes((0, 0, 9, 9)))], {"a/b.jpg": np.array([2])}, [])


def test_what_is_written_is_read_again_best_first(tmp_path: Path) -> None:
    found = rows((1.5, 2, 30, 40, 0.25), (5, 6, 7, 8, 0.75))
    wider.write(FIRST, found, tmp_path)
    text = (tmp_path / FIRST).with_suffix(".txt").read_text()
    assert text == f"{FIRST}\n2\n1.5 2 30 40 0.25\n5 6 7 8 0.75\n"
    assert wider.read(FIRST, tmp_path).tolist() == found[::-1].tolist()


def test_a_detector_is_run_and_judged_and_goes_on_where_it_ended(
    folder: Path, tmp_path: Path
) -> None:
    arguments = ("evaluate-wider", folder, "--detector", "mtcnn", "--min-face", 40)
    printed = agegender(*arguments, "--output", tmp_path).stdout
    (row,) = (line for line in printed.splitlines() if "100.0 %" in line)
    assert "mtcnn" in row
    assert row.count("100.0 %") == 2
    assert row.count("50.0 %") == 1  # the hard one, too small, is not found
    found = tmp_path / "mtcnn-40"
    # What was written is not looked at again, and another program's files are judged alike.
    wider.write(FIRST, rows((180, 64, 90, 112, 1), (10, 10, 12, 15, 0.5)), found)
    pictures = wider.truth(folder / wider.ANNOTATIONS)
    wider.detect_all(lambda _: pytest.fail("looked again"), pictures, folder / "none", found)
    assert judge(pictures, wider.counted(folder), found) == [1, 1, 1]


def test_missing_and_damaged_files_are_named(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no wider_easy_val\.mat .*eval_tools"):
        wider.counted(tmp_path)
    (tmp_path / "wider_easy_val.mat").write_bytes(b"nothing")
    with pytest.raises(InputError, match=r"wider_easy_val\.mat: not WIDER FACE's list"):
        wider.counted(tmp_path)
    broken = tmp_path / "gt.txt"
    broken.write_text(f"{FIRST}\n2\n1 2 3 4\n")
    with pytest.raises(InputError, match=r"gt\.txt, near line 1: not a picture"):
        wider.truth(broken)
    with pytest.raises(InputError, match=r"1_Handshaking_two_2\.txt: cannot be read"):
        wider.read(SECOND, tmp_path)
    wider.write(SECOND, rows(), tmp_path)
    (tmp_path / SECOND).with_suffix(".txt").write_text(f"{SECOND}\n1\n1 2 3 4\n")
    with pytest.raises(InputError, match="left top width height score"):
        wider.read(SECOND, tmp_path)
    missing = Picture("0--Parade/gone.jpg", boxes())
    with pytest.raises(InputError, match=r"gone\.jpg: cannot be read"):
        wider.detect_all(lambda _: [], [missing], folder / wider.IMAGES, tmp_path)
