"""`agegender data prepare`: from a pack of aligned faces to a manifest."""

import zipfile
from pathlib import Path

import pandas as pd
import pytest

from trainer.data import faces, manifest
from trainer.data.registry import dataset
from trainer.errors import InputError

INDEX = (
    "file,shard,split,source,label_type,age,age_lo,age_hi,age_group,gender,subject_id,onet,"
    "gender_suspect_p,race_src"
)


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


def test_faces_are_unpacked_and_the_unusable_listed_with_the_reason(pack: Path) -> None:
    output = pack / "utkface"
    rejected = dataset("utkface").prepare(pack, output)
    table = manifest.read(output)
    assert sorted(Path(name).name for name in table["file"]) == ["u1.png", "u2.png"]
    assert dict(zip(table["split"], table["age"], strict=True)) == {"train": 36, "test": 77}
    reasons = dict(zip(rejected["file"], rejected["reason"], strict=True))
    assert reasons["u3.png"] == "same bytes as u2.png", "the copy in training leaves, not the test"
    assert reasons["u4.png"].startswith("unreadable")
    assert len(pd.read_csv(output / "rejected.csv")) == 2
    assert faces.load([output], ["train", "test"]).images.shape == (2, 96, 96, 3)


def test_a_band_stays_an_interval(pack: Path) -> None:
    dataset("fairface").prepare(pack, pack / "fairface")
    loaded = faces.load([pack / "fairface"], ["train"])
    assert loaded.ages.tolist() == [[30, 39]]
    assert loaded.female.tolist() == [1]


def test_a_folder_that_is_no_pack_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"index.csv: no such file. --source must be"):
        dataset("utkface").prepare(tmp_path, tmp_path / "out")


def test_a_damaged_shard_is_named(pack: Path) -> None:
    (pack / "shard.zip").write_bytes(b"PK")
    with pytest.raises(InputError, match=r"shard.zip: cannot be read as a zip shard"):
        dataset("utkface").prepare(pack, pack / "out")


def test_an_unknown_data_set_lists_the_known_ones() -> None:
    with pytest.raises(InputError, match=r"no dataset is called 'celeba'.*fairface.*utkface"):
        dataset("celeba")


def test_an_image_lost_after_preparing_is_named(pack: Path) -> None:
    dataset("utkface").prepare(pack, pack / "utkface")
    (pack / "utkface" / "images" / "u1.png").write_bytes(b"")
    with pytest.raises(InputError, match=r"u1.png: cannot be read as an image"):
        faces.load([pack / "utkface"], ["train"])


@pytest.mark.data
def test_the_real_pack_is_exclusive_by_subject(shared: Path, tmp_path: Path) -> None:
    dataset("fgnet").prepare(shared / "faces96", tmp_path)
    table = manifest.read(tmp_path)
    assert len(table) == 491
    assert table["subject"].nunique() == 41
    assert set(table["split"]) == {"test"}
