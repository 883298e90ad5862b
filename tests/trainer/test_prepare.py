"""`agegender data prepare`: from labelled pictures to a manifest, whatever the data set."""

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image, ImageEnhance

from agegender_vision import frame
from agegender_vision.align import similarity
from agegender_vision.engine import detectors
from agegender_vision.runtime import runtimes
from trainer.data import faces, manifest
from trainer.data.geometry import GEOMETRY
from trainer.data.prepare import Pictures, Splits, prepare, redraw, survey
from trainer.data.registry import Dataset, dataset
from trainer.data.sample import Rejected, Sample
from trainer.errors import InputError

from .conftest import ASTRONAUT, HOPPER, NO_FACE, agegender

INDEX = (
    "file,shard,split,source,label_type,age,age_lo,age_hi,age_group,gender,subject_id,onet,"
    "gender_suspect_p,race_src"
)
HERE = Pictures(workers=1)


class Listed:
    """A data set that is a list."""

    def __init__(self, *samples: Sample | Rejected) -> None:
        self._samples = samples

    def samples(self, source: Path) -> Iterator[Sample | Rejected]:
        del source
        yield from self._samples


def made(data: Dataset, source: Path, **splits: float) -> tuple[pd.DataFrame, dict[str, str]]:
    """Prepare a data set; return its manifest and the reasons by rejected file."""
    output = source / "out"
    with prepare(data, source, output, Splits(**splits), HERE):  # type: ignore[arg-type]
        pass
    table = pd.read_csv(output / "rejected.csv")
    return manifest.read(output), dict(zip(table["file"], table["reason"], strict=True))


@pytest.fixture
def pack(tmp_path: Path, two_faces: Path) -> Path:
    """A pack of real faces in which one file is damaged and one is there twice."""
    hopper = (two_faces / "hopper.png").read_bytes()
    with zipfile.ZipFile(tmp_path / "shard.zip", "w") as shard:
        shard.writestr("u1.png", (two_faces / "collins.png").read_bytes())
        shard.writestr("u2.png", hopper)
        shard.writestr("u3.png", hopper)
        shard.writestr("u4.png", hopper[:200])
    lines = [
        "u1.png,shard.zip,train,utkface,exact,36,36,36,30-39,F,utk1,0.99,0.1,White",
        "u2.png,shard.zip,test,utkface,exact,77,77,77,70+,F,utk2,0.99,,White",
        "u3.png,shard.zip,train,utkface,exact,71,71,71,70+,F,,0.99,,White",
        "u4.png,shard.zip,train,utkface,exact,40,40,40,40-49,M,,0.99,,Black",
        "u1.png,shard.zip,train,fairface,bin,,30,39,30-39,F,ff1,0.99,,White",
    ]
    (tmp_path / "index.csv").write_text("\n".join([INDEX, *lines]) + "\n")
    return tmp_path


def test_a_pack_is_unpacked_and_the_unusable_listed_with_the_reason(pack: Path) -> None:
    table, reasons = made(dataset("utkface"), pack)
    assert sorted(Path(name).name for name in table["file"]) == ["u1.png", "u2.png"]
    assert dict(zip(table["split"], table["age"], strict=True)) == {"train": 36, "test": 77}
    assert reasons["shard.zip/u3.png"] == (
        "same picture as shard.zip/u2.png, which has other labels"
    ), "the copy in training leaves, not the test"
    assert "damaged or cut short" in reasons["shard.zip/u4.png"]
    assert faces.load([pack / "out"], ["train", "test"]).images.shape == (2, 96, 96, 3)


def test_a_band_stays_an_interval(pack: Path) -> None:
    made(dataset("fairface"), pack)
    loaded = faces.load([pack / "out"], ["train"])
    assert loaded.ages.tolist() == [[30, 39]]
    assert loaded.female.tolist() == [1]


def test_a_folder_that_is_no_pack_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"index.csv: no such file. --source must be"):
        made(dataset("fgnet"), tmp_path)


def test_a_damaged_shard_is_named(pack: Path) -> None:
    (pack / "shard.zip").write_bytes(b"PK")
    with pytest.raises(InputError, match=r"no usable face.*cannot be read out of shard.zip"):
        made(dataset("utkface"), pack)


def test_an_unknown_data_set_lists_the_known_ones() -> None:
    with pytest.raises(InputError, match=r"no dataset is called 'celeba'.*fairface.*utkface"):
        dataset("celeba")


def test_an_image_lost_after_preparing_is_named(pack: Path) -> None:
    made(dataset("utkface"), pack)
    (pack / "out" / "images" / "u1.png").write_bytes(b"")
    with pytest.raises(InputError, match=r"u1.png: cannot be read as an image"):
        faces.load([pack / "out"], ["train"])


def test_faces_are_found_turned_and_cut_to_the_geometry(tmp_path: Path) -> None:
    photograph = Image.open(ASTRONAUT).convert("RGB")
    photograph.rotate(20, expand=True).save(tmp_path / "turned.jpg")
    made(Listed(Sample("turned.jpg", split="train")), tmp_path)
    crop = frame.read(tmp_path / "out" / "images" / "turned.jpg")
    assert crop.shape == (96, 96, 3)
    found = detectors.get("mtcnn")(runtime=runtimes.get("numpy"), min_face_size=20).detect(crop)
    move = similarity(found[0].landmarks + 0.5, GEOMETRY.points(96))
    assert abs(np.degrees(np.arctan2(move[1, 0], move[0, 0]))) < 3
    np.testing.assert_allclose(found[0].landmarks + 0.5, GEOMETRY.points(96), atol=0.06 * 96)


def test_the_labelled_face_is_the_one_that_the_data_set_means(tmp_path: Path) -> None:
    left, right = (Image.open(path).convert("RGB") for path in (ASTRONAUT, HOPPER))
    both = Image.new("RGB", (1024, 512))
    both.paste(left.resize((512, 512)), (0, 0))
    both.paste(right.resize((512, 512)), (512, 0))
    for name in ("a", "b", "c", "d"):
        both.save(tmp_path / f"{name}.png")
    hopper = (512 + 150.0, 80.0, 220.0, 220.0)
    table, reasons = made(
        Listed(
            Sample("a.png", split="train"),
            Sample("b.png", split="train", place=hopper),
            Sample("c.png", split="train", place=(500.0, 400.0, 30.0, 30.0)),
        ),
        tmp_path,
    )
    assert reasons["a.png"] == "2 faces found, and the label does not say whose it is"
    assert reasons["c.png"] == "no face found where the labelled one should be"
    assert [Path(name).name for name in table["file"]] == ["b.png.jpg"]


def test_whatever_is_wrong_with_a_file_is_listed(tmp_path: Path) -> None:
    photograph = HOPPER.read_bytes()
    (tmp_path / "good.jpg").write_bytes(photograph)
    (tmp_path / "short.jpg").write_bytes(photograph[: len(photograph) // 2])
    (tmp_path / "text.jpg").write_text("no picture")
    (tmp_path / "empty.jpg").write_bytes(b"")
    (tmp_path / "coffee.png").write_bytes(NO_FACE.read_bytes())
    nan = float("nan")
    table, reasons = made(
        Listed(
            Sample("good.jpg", age=(77, 77), split="train"),
            Sample("short.jpg"),
            Sample("text.jpg"),
            Sample("empty.jpg"),
            Sample("coffee.png"),
            Sample("absent.jpg"),
            Sample("../good.jpg"),
            Sample("old.jpg", age=(999, 999)),
            Sample("nan.jpg", age=(nan, nan)),
            Sample("who.jpg", gender="woman"),
            Sample("where.jpg", split="dev"),
            Rejected("line 9", "a reader's own reason"),
        ),
        tmp_path,
    )
    assert len(table) == 1
    expected = {
        "short.jpg": "damaged or cut short",
        "text.jpg": "not a picture in a known format",
        "empty.jpg": "empty",
        "coffee.png": "no face found",
        "absent.jpg": "cannot be read (No such file",
        "../good.jpg": "outside of the data set's folder",
        "old.jpg": "age 999 is impossible",
        "nan.jpg": "age nan is no number of years",
        "who.jpg": "gender 'woman' is neither",
        "where.jpg": "split 'dev' is none of",
        "line 9": "a reader's own reason",
    }
    assert reasons.keys() == expected.keys()
    assert [name for name, words in expected.items() if words not in reasons[name]] == []


@pytest.fixture
def album(tmp_path: Path) -> Path:
    """Forty pictures of two faces, each turned and lit a little: all nearly one of two."""
    for name, path in (("collins", ASTRONAUT), ("hopper", HOPPER)):
        photograph = Image.open(path).convert("RGB").resize((256, 256))
        for number in range(20):
            lit = ImageEnhance.Brightness(photograph).enhance(0.8 + 0.02 * number)
            lit.save(tmp_path / f"{name}{number:02}.png")
    return tmp_path


def aligned(folder: Path, **labels: object) -> list[Sample]:
    return [
        Sample(path.name, place="aligned", **labels)  # type: ignore[arg-type]
        for path in sorted(folder.glob("*.png"))
    ]


def test_nearly_the_same_pictures_are_never_in_two_drawn_splits(album: Path) -> None:
    noise = np.random.default_rng(0)
    for number in range(30):
        blocks = noise.integers(0, 255, (24, 24, 3), dtype=np.uint8)
        Image.fromarray(blocks).resize((96, 96)).save(album / f"other{number:02}.png")
    table, _ = made(Listed(*aligned(album)), album, val=0.2, test=0.2)
    name = table["file"].map(lambda path: Path(path).name)
    for who in ("collins", "hopper"):
        assert len(set(table.loc[name.str.startswith(who), "split"])) == 1
    assert set(table["split"]) == {"train", "val", "test"}
    near = pd.read_csv(album / "out" / "near-duplicates.csv")
    assert sorted(near.groupby("group").size()) == [20, 20]


def test_leaks_between_published_splits_are_told_and_dropped_on_request(album: Path) -> None:
    data = Listed(
        Sample("collins00.png", place="aligned", split="test"),
        Sample("collins05.png", place="aligned", split="train"),
        Sample("hopper00.png", place="aligned", split="train"),
    )
    output = album / "out"
    with prepare(data, album, output, pictures=HERE) as found:
        assert {file for _, file, _ in found.leaks()} == {
            "images/collins00.png",
            "images/collins05.png",
        }
    assert len(manifest.read(output)) == 3, "what others published is not changed unasked"
    table, reasons = made(data, album, drop_leaks=True)
    assert len(table) == 2
    assert reasons["collins05.png"] == (
        "nearly the same picture as collins00.png, which is held out"
    )


@pytest.mark.parametrize("quality", [30, 60])
def test_a_saved_again_resized_and_relit_face_is_nearly_the_same(
    two_faces: Path, tmp_path: Path, quality: int
) -> None:
    face = Image.open(two_faces / "hopper.png")
    face.save(tmp_path / "1.png")
    face.resize((64, 64)).save(tmp_path / "2.jpg", quality=quality)
    ImageEnhance.Contrast(face).enhance(1.2).save(tmp_path / "3.png")
    face.convert("L").save(tmp_path / "4.png")
    Image.open(two_faces / "collins.png").save(tmp_path / "5.png")
    names = [f"{number}.png" for number in (1, 3, 4, 5)]
    data = Listed(*(Sample(name, place="aligned", split="train") for name in ("2.jpg", *names)))
    with prepare(data, tmp_path, tmp_path / "out", pictures=HERE) as found:
        near = {Path(file).stem for _, file, _ in found.near_duplicates()}
    assert near == {"1", "2", "3", "4"}


def test_nobody_is_in_two_drawn_splits_and_genders_are_in_all(album: Path) -> None:
    noise = np.random.default_rng(1)
    samples = []
    for number in range(60):
        blocks = noise.integers(0, 255, (24, 24, 3), dtype=np.uint8)
        Image.fromarray(blocks).resize((96, 96)).save(album / f"n{number:02}.png")
        gender = "female" if number % 3 else "male"
        who = f"person {number // 2}" if number < 40 else None
        years = float(number)
        samples.append(Sample(f"n{number:02}.png", (years, years), gender, who, place="aligned"))
    table, _ = made(Listed(*samples), album, val=0.2, test=0.2)
    assert table.groupby("subject")["split"].nunique().max() == 1
    assert (pd.crosstab(table["split"], table["gender"]) > 0).to_numpy().all()
    shares = table["split"].value_counts(normalize=True)
    assert shares["val"] == pytest.approx(0.2, abs=0.05)
    again, _ = made(Listed(*samples), album, val=0.2, test=0.2)
    assert again.equals(table), "the same seed draws the same"
    other, _ = made(Listed(*samples), album, val=0.2, test=0.2, seed=1)
    assert not other["split"].equals(table["split"])


def test_a_person_in_two_splits_of_the_data_set_is_refused(album: Path) -> None:
    data = Listed(
        Sample("collins00.png", subject="eileen", split="train", place="aligned"),
        Sample("collins01.png", subject="eileen", split="test", place="aligned"),
    )
    with pytest.raises(InputError, match=r"subject 'eileen' is in the splits test and train"):
        made(data, album)


def test_a_split_that_comes_out_empty_is_refused(album: Path) -> None:
    two = [*aligned(album)[:1], *aligned(album)[-1:]]
    with pytest.raises(InputError, match=r"the split 'val' is empty.*--val 0"):
        made(Listed(*two), album)
    table, _ = made(Listed(*two), album, val=0, test=0)
    assert table["split"].tolist() == ["train", "train"], "the pictures need no second look"


def test_a_gender_missing_from_a_split_is_refused(album: Path) -> None:
    noise = np.random.default_rng(2)
    samples = []
    for number in range(20):
        blocks = noise.integers(0, 255, (24, 24, 3), dtype=np.uint8)
        Image.fromarray(blocks).resize((96, 96)).save(album / f"n{number:02}.png")
        gender = "female" if number else "male"
        samples.append(Sample(f"n{number:02}.png", gender=gender, place="aligned"))
    with pytest.raises(InputError, match=r"the split '\w+' has no male face, others have"):
        made(Listed(*samples), album)


def test_an_interrupted_preparation_goes_on(album: Path) -> None:
    class Interrupted(Listed):
        def samples(self, source: Path) -> Iterator[Sample | Rejected]:
            for number, one in enumerate(super().samples(source)):
                if number == 35:
                    raise KeyboardInterrupt
                yield one

    everything = [Sample(one.file, split="train", place="aligned") for one in aligned(album)]
    with pytest.raises(KeyboardInterrupt):
        made(Interrupted(*everything), album)
    first = album / "out" / "images" / "collins00.png"
    before = first.stat().st_mtime_ns
    table, _ = made(Listed(*everything), album)
    assert len(table) == 40
    assert first.stat().st_mtime_ns == before, "it was not looked at again"
    assert not (album / "out" / "unfinished.sqlite").exists()


def test_several_processes_find_the_same_as_one(album: Path) -> None:
    data = Listed(*aligned(album, split="train"))
    with prepare(data, album, album / "two", pictures=Pictures(workers=2)):
        pass
    made(data, album)
    for name in ("manifest.csv", "rejected.csv", "near-duplicates.csv"):
        assert (album / "two" / name).read_bytes() == (album / "out" / name).read_bytes()


def test_inspecting_tells_what_is_wrong_with_a_manifest(album: Path) -> None:
    made(Listed(*aligned(album, split="train", gender="female")), album)
    assert not list(survey(album / "out", workers=1).rejected())
    images = album / "out" / "images"
    (images / "collins03.png").write_bytes(b"")
    (images / "collins04.png").unlink()
    (images / "collins05.png").write_bytes((images / "hopper01.png").read_bytes())
    done = agegender("data", "inspect", album / "out", "--workers", 1, check=False)
    assert done.returncode == 1
    assert "images/collins03.png: the frame is empty" in done.stdout
    assert "images/collins04.png: cannot be read (No such file" in done.stdout
    assert "images/collins05.png: the picture is not the one that the manifest lists" in done.stdout
    assert "the split 'val' is empty" in done.stdout


def test_splits_are_drawn_anew(album: Path) -> None:
    noise = np.random.default_rng(3)
    for number in range(20):
        blocks = noise.integers(0, 255, (24, 24, 3), dtype=np.uint8)
        Image.fromarray(blocks).resize((96, 96)).save(album / f"n{number:02}.png")
    samples = [Sample(f"n{n:02}.png", split="train", place="aligned") for n in range(20)]
    made(Listed(*samples, Sample("absent.png")), album)
    with redraw(album / "out", Splits(val=0.25, test=0.25), workers=1):
        pass
    table = manifest.read(album / "out")
    assert table["split"].value_counts().to_dict() == {"train": 10, "val": 5, "test": 5}
    assert "absent.png" in (album / "out" / "rejected.csv").read_text()


def test_labels_are_drawn_as_histograms(pack: Path) -> None:
    made(dataset("utkface"), pack)
    picture = pack / "labels.png"
    done = agegender("data", "stats", pack / "out", "--output", picture)
    assert "75-79" in done.stdout
    assert "2 years" in done.stdout
    assert Image.open(io.BytesIO(picture.read_bytes())).width > 500


@pytest.mark.data
def test_the_real_pack_is_exclusive_by_subject(shared: Path, tmp_path: Path) -> None:
    with prepare(dataset("fgnet"), shared / "faces96", tmp_path, pictures=HERE):
        pass
    table = manifest.read(tmp_path)
    assert len(table) == 491
    assert table["subject"].nunique() == 41
    assert set(table["split"]) == {"test"}
