"""`agegender predict`: the contract that tools rely on, with the bundled model."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from agegender_vision.census import GENDER_CONFIDENCE
from agegender_vision.engine import detectors
from agegender_vision.frame import read as picture
from agegender_vision.runtime import runtimes
from trainer.video import Video, Writer

from .conftest import ASTRONAUT, HOPPER, NO_FACE, ROOT, agegender

KEYS = ["file", "box", "landmarks", "score", "age", "age_low", "age_high", "band", "p_female"]


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def test_the_two_photographs(tmp_path: Path) -> None:
    agegender("predict", "--output", tmp_path / "out.jsonl", ASTRONAUT, HOPPER)
    astronaut, hopper = read(tmp_path / "out.jsonl")
    assert list(astronaut) == KEYS
    assert astronaut["file"] == str(ASTRONAUT)
    assert astronaut["p_female"] > GENDER_CONFIDENCE
    for woman, age, band in ((astronaut, 36, "20-39"), (hopper, 77, "60+")):
        assert woman["p_female"] > 1 - GENDER_CONFIDENCE
        assert abs(woman["age"] - age) < 10
        assert woman["age_low"] < woman["age"] < woman["age_high"]
        assert woman["band"] == band
    # An 80 % interval may miss one face in five, and Grace Hopper is on the edge of hers.
    assert astronaut["age_low"] < 36 < astronaut["age_high"]
    x, y, width, height = astronaut["box"]
    for landmark_x, landmark_y in astronaut["landmarks"]:
        assert x < landmark_x < x + width
        assert y < landmark_y < y + height


def test_a_bad_file_is_told_and_the_others_are_done(tmp_path: Path) -> None:
    (tmp_path / "broken.jpg").write_bytes(HOPPER.read_bytes()[:3000])
    (tmp_path / "empty.jpg").write_bytes(b"")
    out = tmp_path / "out.jsonl"
    done = agegender("predict", "--output", out, tmp_path, NO_FACE, HOPPER, check=False)
    assert done.returncode == 1
    assert "2 of the files could not be read" in done.stderr
    broken, empty, coffee, hopper = read(out)
    assert broken["error"]
    assert "broken.jpg" in broken["error"]
    assert empty["error"]
    assert coffee == {"file": str(NO_FACE), "faces": 0}
    assert hopper["age"] > 50


def test_aligned_faces_need_no_detector(two_faces: Path) -> None:
    face = two_faces / "hopper.png"
    done = agegender("predict", "--detector", "none", "--bands", "fairface", face)
    (answer,) = [json.loads(line) for line in done.stdout.splitlines()]
    assert list(answer) == KEYS
    assert answer["box"] == [0, 0, 96, 96]
    assert answer["landmarks"] is None
    assert abs(answer["age"] - 77) < 10
    assert answer["band"] in {"50-59", "60-69", "70+"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--detector", "magic"), "no detector is called 'magic'; there are: "),
        (("--runtime", "magic"), "no runtime is called 'magic'"),
        (("--bands", "magic"), "such as '18, 65', or one of household,"),
        (("--model", "nowhere"), "nowhere/model.json is missing"),
        (("--anonymise",), "add --annotate FOLDER"),
        (("--resume",), "add --output FILE"),
        (("--output", "nowhere/out.jsonl"), "nowhere/out.jsonl.part.kept: cannot be written"),
        (("no/such/*.jpg",), "no/such/*.jpg: no file matches"),
        (("--annotate", str(HOPPER.parent)), "grace_hopper.jpg: would be replaced by its copy"),
    ],
)
def test_a_wrong_choice_is_answered_with_a_sentence(
    arguments: tuple[str, ...], message: str
) -> None:
    done = agegender("predict", *arguments, HOPPER, check=False)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr


@pytest.fixture(scope="session")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The astronaut walks by, 12 pictures in 1.2 seconds; in the last two she is gone."""
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    image = picture(ASTRONAUT)[20:260]
    with Writer(path) as writer:
        for number in range(12):
            left = 60 + 10 * number if number < 10 else 280
            writer.write(image[:, left : left + 200].copy(), number / 10)
    return path


def test_folders_and_patterns(tmp_path: Path, two_faces: Path) -> None:
    (tmp_path / "in" / "side").mkdir(parents=True)
    shutil.copy(two_faces / "hopper.png", tmp_path / "in" / "side" / "b.png")
    shutil.copy(two_faces / "collins.png", tmp_path / "in" / "a.PNG")
    (tmp_path / "in" / "notes.txt").write_text("no picture")
    out = tmp_path / "out.jsonl"
    wanted = (tmp_path / "in", str(tmp_path / "in" / "s*" / "*.png"))
    agegender("predict", "--detector", "none", "--output", out, *wanted)
    assert [Path(record["file"]).name for record in read(out)] == ["a.PNG", "b.png"]


def test_a_name_that_is_not_utf_8(tmp_path: Path, two_faces: Path) -> None:
    strange = tmp_path / os.fsdecode(b"caf\xe9.png")
    shutil.copy(two_faces / "hopper.png", strange)
    done = agegender("predict", "--detector", "none", tmp_path)
    assert Path(json.loads(done.stdout)["file"]) == strange


def test_an_interrupted_run_goes_on(tmp_path: Path, two_faces: Path) -> None:
    first, second, third = (tmp_path / f"{name}.png" for name in "abc")
    for path in (first, second, third):
        shutil.copy(two_faces / "hopper.png", path)
    unfinished = tmp_path / "out.jsonl.part"
    lines = [json.dumps({"file": str(path), "age": 1}) for path in (first, second, third)]
    unfinished.write_text("\n".join(lines)[:-5], "utf-8")
    arguments = ("--detector", "none", "--output", tmp_path / "out.jsonl", tmp_path)
    agegender("predict", "--resume", *arguments)
    assert [record["file"] for record in read(tmp_path / "out.jsonl")] == [
        *map(str, (first, second, third))
    ]
    # The first was done; the second perhaps not to its end.
    assert [record["age"] == 1 for record in read(tmp_path / "out.jsonl")] == [True, False, False]
    assert not unfinished.exists()


def test_a_file_that_failed_is_tried_again(tmp_path: Path, two_faces: Path) -> None:
    for name in "ab":
        shutil.copy(two_faces / "hopper.png", tmp_path / f"{name}.png")
    (tmp_path / "a.png").write_bytes(b"")
    out = tmp_path / "out.jsonl"
    arguments = ("--detector", "none", "--output", out, tmp_path, "--resume")
    assert agegender("predict", *arguments, check=False).returncode == 1
    shutil.copy(two_faces / "collins.png", tmp_path / "a.png")
    agegender("predict", *arguments)
    assert sorted(Path(record["file"]).name for record in read(out)) == ["a.png", "b.png"]
    assert all("age" in record for record in read(out))


def test_another_file_is_not_taken_for_an_interrupted_run(tmp_path: Path) -> None:
    out = tmp_path / "letter.txt"
    out.write_text("Dear Grace\n", "utf-8")
    done = agegender("predict", "--resume", "--output", out, HOPPER, check=False)
    assert done.returncode == 2
    assert "letter.txt: was not written by `agegender predict`" in done.stderr
    assert out.read_text("utf-8") == "Dear Grace\n"


def test_annotated_copies(tmp_path: Path) -> None:
    source = tmp_path / "in"
    (source / "side").mkdir(parents=True)
    exif = Image.Exif()
    exif[0x010E] = "where she lives"
    Image.open(HOPPER).save(source / "side" / "hopper.jpg", exif=exif)
    shutil.copy(NO_FACE, source / "coffee.png")
    (source / "broken.jpg").write_bytes(b"")
    copies = source / "copies"
    for _ in range(2):  # the copies are not taken for sources
        done = agegender("predict", "--annotate", copies, source, check=False)
        assert len(done.stdout.splitlines()) == 3
    made = sorted(str(p.relative_to(copies)) for p in copies.rglob("*") if p.is_file())
    assert made == ["coffee.png", "side/hopper.jpg"]
    np.testing.assert_array_equal(picture(copies / "coffee.png"), picture(NO_FACE))
    assert not Image.open(copies / "side" / "hopper.jpg").getexif()
    assert np.abs(picture(copies / "side" / "hopper.jpg").astype(int) - picture(HOPPER)).max() > 99


def test_a_video(tmp_path: Path, film: Path) -> None:
    out = tmp_path / "out.jsonl"
    agegender("predict", "--min-face", 40, "--output", out, film)
    *faces, summary = read(out)
    assert [record["frame"] for record in faces] == list(range(12))
    assert [round(record["time"], 2) for record in faces] == [n / 10 for n in range(12)]
    assert all(list(record) == ["file", "frame", "time", *KEYS[1:]] for record in faces[:10])
    assert [record["faces"] for record in faces[10:]] == [0, 0]
    assert faces[0]["box"][0] > faces[9]["box"][0]
    assert summary["frames"] == 12
    assert summary["people"] == 1
    assert summary["by_gender"]["male"] == 0
    assert sum(summary["by_gender"].values()) == 1
    assert sum(summary["by_band"].values()) == 1


def test_a_damaged_video_is_told_and_what_it_has_is_done(tmp_path: Path, film: Path) -> None:
    data = bytearray(film.read_bytes())
    middle = data.index(b"mdat") + 4
    data[middle + len(data) // 2 : middle + len(data) // 2 + 3000] = bytes(3000)
    (tmp_path / "damaged.mp4").write_bytes(data)
    (tmp_path / "none.mp4").write_bytes(b"no video")
    out = tmp_path / "out.jsonl"
    done = agegender("predict", "--every", 3, "--output", out, tmp_path, HOPPER, check=False)
    assert done.returncode == 1
    records = read(out)
    assert records[0]["age"] > 20
    errors = [record for record in records if "error" in record]
    assert [Path(record["file"]).name for record in errors] == ["damaged.mp4", "none.mp4"]
    assert records[-1]["file"] == str(HOPPER)
    assert records[-1]["age"] > 50


def test_no_picture_of_an_anonymised_video_shows_the_face(tmp_path: Path, film: Path) -> None:
    copies = tmp_path / "copies"
    agegender("predict", "--annotate", copies, "--anonymise", "--every", 2, film)
    detector = detectors.get("mtcnn")(runtime=runtimes.get("numpy"), min_face_size=20)
    frames = list(Video(copies / "film.mp4").frames())
    assert [round(frame.time, 2) for frame in frames] == [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    assert [detector.detect(frame.image) for frame in frames] == [[]] * 6


def test_nothing_heavy_is_imported() -> None:
    program = (
        "import sys; from trainer.cli import app; "
        f"app(['predict', {str(NO_FACE)!r}], standalone_mode=False); "
        "print([name for name in ('tensorflow', 'keras', 'pandas', 'matplotlib', 'scipy')"
        " if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": f"{ROOT}:{ROOT / 'src'}"},
        capture_output=True,
        text=True,
        check=True,
        timeout=600,
    )
    assert done.stdout.splitlines()[-1] == "[]"
