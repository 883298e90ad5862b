"""The readers of published data sets, each on a few files in the true format."""

import csv
import tarfile
from collections import Counter
from datetime import date
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from scipy.io import savemat

from trainer.data import adience, imdb_wiki, manifest
from trainer.data.prepare import Pictures, Splits, prepare
from trainer.data.registry import dataset
from trainer.data.sample import LabelError, Rejected, Sample
from trainer.errors import InputError

from .conftest import ASTRONAUT, HOPPER, agegender


def read(name: str, source: Path) -> tuple[list[Sample], dict[str, str]]:
    """Return what a reader finds, and its reasons by rejected file."""
    found = list(dataset(name).samples(source))
    rejected = {one.file: one.reason for one in found if isinstance(one, Rejected)}
    return [one for one in found if isinstance(one, Sample)], rejected


def made(name: str, source: Path) -> Any:
    """Prepare all faces for training; return the manifest by name of the picture."""
    output = source / "prepared"
    with prepare(dataset(name), source, output, Splits(0, 0), Pictures(workers=1)):
        pass
    return manifest.read(output).set_index(
        manifest.read(output)["file"].map(lambda path: Path(path).name)
    )


def photograph(path: Path, of: Path = HOPPER) -> None:
    """Save one of two photographs, the face in its middle, as these data sets have it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = Image.open(of).convert("RGB")
    (picture.crop((100, 0, 350, 250)) if of is ASTRONAUT else picture).save(path)


def test_utkface(tmp_path: Path) -> None:
    photograph(tmp_path / "part1" / "77_1_0_20170117190059999.jpg")
    photograph(tmp_path / "part2" / "36_1_0_20170117190059998.jpg.chip.jpg", ASTRONAUT)
    for name in ("61_1_20170109142408075.jpg", "53__0_20170116184028385.jpg", "list.txt"):
        (tmp_path / "part1" / name).write_bytes(b"")
    _, rejected = read("utkface", tmp_path)
    assert rejected == {
        f"part1/{name}": "the name is not [age]_[gender]_[race]_[date&time].jpg"
        for name in ("53__0_20170116184028385.jpg", "61_1_20170109142408075.jpg", "list.txt")
    }
    table = made("utkface", tmp_path)
    assert table["age"].to_dict() == {
        "77_1_0_20170117190059999.jpg": 77,
        "36_1_0_20170117190059998.jpg.chip.jpg": 36,
    }
    assert set(table["gender"]) == {"female"}
    assert set(table["group"]) == {"White"}
    with pytest.raises(InputError, match="holds no file named like UTKFace's"):
        read("utkface", tmp_path / "prepared" / "nothing")


@pytest.mark.data
def test_utkface_with_its_own_faces_and_labels(shared: Path, tmp_path: Path) -> None:
    index = pd.read_csv(shared / "faces96" / "index.csv", dtype=str)
    rows = index[(index["source"] == "utkface") & (index["split"] == "val")].head(40)
    with ZipFile(shared / "faces96" / "val.zip") as shard:
        for number, row in enumerate(rows.to_dict("records")):
            sex = "FM".index(row["gender"]) ^ 1
            name = f"{row['age']}_{sex}_{row['race_src']}_2017011619{number:07}.jpg.chip.jpg"
            (tmp_path / name).write_bytes(shard.read(row["file"]))
    table = made("utkface", tmp_path)
    assert len(table) >= 38, "tight crops, whose faces are found nevertheless"
    for name, row in table.iterrows():
        years, one_if_female, _ = str(name).split("_", 2)
        assert row["age"] == float(years)
        assert row["gender"] == ("male", "female")[int(one_if_female)]


def test_fairface(tmp_path: Path) -> None:
    photograph(tmp_path / "train" / "1.jpg")
    photograph(tmp_path / "val" / "1.jpg", ASTRONAUT)
    header = "file,age,gender,race,service_test"
    (tmp_path / "fairface_label_train.csv").write_text(
        f"{header}\ntrain/1.jpg,more than 70,Female,White,True\n"
        "train/2.jpg,3-9,Male,East Asian,False\ntrain/3.jpg,unknown,Male,Black,False\n"
    )
    (tmp_path / "fairface_label_val.csv").write_text(
        f"{header}\nval/1.jpg,30-39,Female,White,False\n"
    )
    output = tmp_path / "prepared"
    with prepare(dataset("fairface"), tmp_path, output, Splits(0, 0), Pictures(workers=1)):
        pass
    table = manifest.read(output)
    assert table["split"].tolist() == ["test", "train"]
    assert table[["age_low", "age_high"]].to_numpy().tolist() == [[30, 39], [70, 100]]
    assert table["age"].isna().all(), "a band is no age"
    assert table["service_test"].astype(str).tolist() == ["False", "True"]
    reasons = dict(list(csv.reader((output / "rejected.csv").open()))[1:])
    assert reasons["train/3.jpg"] == "age 'unknown' is neither years nor a band such as 20-29"
    assert "No such file" in reasons["train/2.jpg"]


def test_afad(tmp_path: Path) -> None:
    photograph(tmp_path / "AFAD-Full" / "39" / "112" / "638660-0.jpg", ASTRONAUT)
    photograph(tmp_path / "AFAD-Full" / "72" / "111" / "1003-1.jpg")
    (tmp_path / "AFAD-Full" / "39" / "112" / "Thumbs.db").write_bytes(b"")
    (tmp_path / "AFAD-Full" / "39" / "113").mkdir()
    (tmp_path / "AFAD-Full" / "39" / "113" / "7-0.jpg").write_bytes(b"")
    _, rejected = read("afad", tmp_path)
    assert rejected["AFAD-Full/39/112/Thumbs.db"].startswith("not a picture")
    assert rejected["AFAD-Full/39/113/7-0.jpg"].startswith("the folders are not")
    table = made("afad", tmp_path)
    assert table["age"].to_dict() == {"638660-0.jpg": 39, "1003-1.jpg": 72}
    assert table["gender"].to_dict() == {"638660-0.jpg": "female", "1003-1.jpg": "male"}


def datenum(day: date) -> int:
    """MATLAB's serial number of a day."""
    return day.toordinal() + 366


def imdb(path: Path, rows: list[dict[str, object]]) -> None:
    """Write labels as MATLAB has them: a struct of rows, texts in cells."""

    def cells(values: list[object]) -> np.ndarray:
        column = np.empty((1, len(values)), object)
        column[0, :] = values
        return column

    struct = {
        "dob": np.array([[row["dob"] for row in rows]], np.int32),
        "photo_taken": np.array([[row["taken"] for row in rows]], np.uint16),
        "full_path": cells([row["file"] for row in rows]),
        "gender": np.array([[row.get("gender", np.nan) for row in rows]]),
        "name": cells([row["name"] for row in rows]),
        "face_location": cells([np.array([row["box"]], float) for row in rows]),
        "face_score": np.array([[row.get("score", 3.5) for row in rows]]),
        "second_face_score": np.array([[row.get("second", np.nan) for row in rows]]),
        "celeb_names": cells([row["name"] for row in rows]),
        "celeb_id": np.arange(1, len(rows) + 1, dtype=float)[None],
    }
    savemat(path, {path.stem: struct})


HOPPER_BORN = datenum(date(1906, 12, 9))
BOX = (1.0, 1.0, 512.0, 600.0)


@pytest.mark.parametrize("folder", ["wiki_crop", "wiki"])
def test_imdb_wiki(tmp_path: Path, folder: str) -> None:
    photograph(tmp_path / folder / "06" / "hopper.jpg")
    known = {"dob": HOPPER_BORN, "taken": 1984, "name": "Grace Hopper", "box": BOX}
    rows = [
        known | {"file": "06/hopper.jpg", "gender": 0.0},
        known | {"file": "06/none.jpg", "score": -np.inf},
        known | {"file": "06/hardly.jpg", "score": 0.4},
        known | {"file": "06/two.jpg", "second": 2.9},
        known | {"file": "06/unborn.jpg", "taken": 1902},
        known | {"file": "06/old.jpg", "taken": 2084},
        known | {"file": "06/dateless.jpg", "dob": 100},
        known | {"file": "06/unsexed.jpg"},
    ]
    imdb(tmp_path / folder / "wiki.mat", rows)
    found, rejected = read("imdb-wiki", tmp_path)
    reasons = {Path(file).stem: reason for file, reason in rejected.items()}
    assert reasons == {
        "none": "no face, as the data set itself says",
        "hardly": "hardly a face: its score is 0.4, below 1",
        "two": "a second face, of score 2.9: the label may be that one's",
        "dateless": "date of birth 100 (days) or year 1984 of the photograph is impossible",
    }
    faults = {Path(one.file).stem: one.fault() for one in found}
    assert faults["unborn"] == "age -5 is impossible (0-120 are possible)"
    assert faults["old"] == "age 177 is impossible (0-120 are possible)"
    assert [one.gender for one in found if Path(one.file).stem == "unsexed"] == [None]
    table = made("imdb-wiki", tmp_path)
    row = table.loc["hopper.jpg"]
    assert (row["age"], row["gender"], row["subject"]) == (77, "female", "Grace Hopper")


@pytest.mark.parametrize(
    ("born", "years"), [(date(1950, 7, 1), 50), (date(1950, 7, 2), 49), (date(1950, 1, 1), 50)]
)
def test_an_age_is_that_in_the_middle_of_the_year(born: date, years: int) -> None:
    assert imdb_wiki.age(datenum(born), 2000) == years


def test_a_file_that_is_no_matlab_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "imdb.mat").write_bytes(b"truncated")
    with pytest.raises(InputError, match=r"imdb.mat: cannot be read as MATLAB's file of labels"):
        read("imdb-wiki", tmp_path)


ADIENCE = (
    "user_id\toriginal_image\tface_id\tage\tgender\tx\ty\tdx\tdy\t"
    "tilt_ang\tfiducial_yaw_angle\tfiducial_score"
)


def test_adience(tmp_path: Path) -> None:
    for fold in range(5):
        lines = {
            0: [
                "7@N03\ta_o.jpg\t1\t(60, 100)\tf",
                "7@N03\ta_o.jpg\t1\t(60, 100)\tf",
                "7@N03\tb_o.jpg\t2\t(8, 23)\tm",
            ],
            1: ["8@N00\tc_o.jpg\t3\t35\tm", "8@N00\td_o.jpg\t4\t(25, 23)\tf"],
            2: ["9@N00\te_o.jpg\t5\tNone\tf", "9@N00\tf_o.jpg\t6\t(0, 2)\tu"],
            3: ["9@N00\tg_o.jpg\t7\told\tf"],
        }.get(fold, [])
        text = "\n".join([ADIENCE, *(f"{line}\t0\t0\t10\t10\t0\t0\t50" for line in lines)])
        (tmp_path / f"fold_{fold}_data.txt").write_text(text + "\n")
    photograph(tmp_path / "aligned" / "7@N03" / "landmark_aligned_face.1.a_o.jpg")
    photograph(tmp_path / "aligned" / "8@N00" / "landmark_aligned_face.3.c_o.jpg", ASTRONAUT)
    found, rejected = read("adience", tmp_path)
    said = {one.file[-7:]: (one.age, one.gender, one.attributes["band"]) for one in found}
    assert said == {
        "a_o.jpg": ((60, 100), "female", "60-100"),
        "b_o.jpg": ((8, 23), "male", None),
        "c_o.jpg": ((35, 35), "male", None),
        "d_o.jpg": ((25, 32), "female", None),
        "e_o.jpg": (None, "female", None),
        "f_o.jpg": ((0, 2), None, "0-2"),
    }
    assert sorted(rejected.values()) == [
        "age 'old' is neither years nor a band such as 20-29",
        "listed again",
    ]
    table = made("adience", tmp_path)
    assert table["fold"].to_dict() == {
        "landmark_aligned_face.1.a_o.jpg": 0,
        "landmark_aligned_face.3.c_o.jpg": 1,
    }
    assert table["subject"].tolist() == ["1", "3"]


@pytest.mark.data
def test_adience_s_published_numbers_come_out(shared: Path) -> None:
    counts = adience.counts(shared / "adience")
    published = [one for one in counts if one.published is not None]
    assert len(published) == 6
    assert all(one.found == one.published for one in published)
    number = {one.what.strip(): one.found for one in counts}
    both = number["rows with both an age and f or m"]
    assert both == 17_563
    assert (
        both
        + number["less those with a year or another band"]
        + number["less those that repeat a picture"]
        == number["pictures with both labels"]
    )
    found, rejected = read("adience", shared / "adience")
    assert Counter(rejected.values()) == {"listed again": 117}
    assert len(found) == 19_370
    done = agegender("data", "inspect", shared / "adience", "--dataset", "adience")
    assert "17,563" in done.stdout


@pytest.mark.data
def test_adience_s_folds_are_those_of_levi_and_hassner(shared: Path) -> None:
    found, _ = read("adience", shared / "adience")
    fold = {
        one.file.split("/", 1)[1].replace("coarse_tilt", "landmark"): one.attributes["fold"]
        for one in found
    }
    with tarfile.open(shared / "adience" / adience.LEVI_HASSNER) as archive:
        for number in range(5):
            member = archive.extractfile(
                f"train_val_txt_files_per_fold/test_fold_is_{number}/age_test.txt"
            )
            assert member is not None
            names = {line.split()[0].decode() for line in member}
            assert {fold[name] for name in names} == {number}


@pytest.mark.parametrize("text", ["(32, 25)", "", "young", "nan"])
def test_ages_that_adience_does_not_have_are_refused(text: str) -> None:
    if text:
        with pytest.raises(LabelError):
            adience.age(text)
    else:
        assert adience.age(text) is None


def test_a_table_of_one_s_own(tmp_path: Path) -> None:
    photograph(tmp_path / "photos" / "hopper.jpg")
    photograph(tmp_path / "photos" / "collins.jpg", ASTRONAUT)
    (tmp_path / "labels.csv").write_text(
        "file,age,gender,subject,split,eyeglasses,hair_colour\n"
        "photos/hopper.jpg,77,F,grace,train,yes,grey\n"
        "photos/collins.jpg,30-39,female,eileen,,no,\n"
        "photos/a.jpg,999,f,,,,\nphotos/b.jpg,NaN,f,,,,\nphotos/c.jpg,31,woman,,,,\n"
        "photos/d.jpg,31,f,,dev,,\n,31,f,,,,\nphotos/e.jpg,31\n"
    )
    found, rejected = read("csv", tmp_path)
    assert rejected == {
        "photos/b.jpg": "age 'NaN' is no number of years; leave it empty if unknown",
        "photos/c.jpg": "gender 'woman' is neither female nor male",
        "photos/d.jpg": "split 'dev' is none of train, val, test, unlabeled",
        "line 8": "the column 'file' is empty",
        "photos/e.jpg": "line 9 has more or fewer cells than the header",
    }
    assert "age 999 is impossible" in str(found[2].fault())
    table = made("csv", tmp_path)
    assert table.loc["hopper.jpg", ["age", "eyeglasses", "hair_colour"]].tolist() == [
        77,
        "yes",
        "grey",
    ]
    assert table.loc["collins.jpg", ["age_low", "age_high"]].tolist() == [30, 39]
    assert pd.isna(table.loc["collins.jpg", "hair_colour"])


def test_a_table_without_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("picture,age\n")
    with pytest.raises(InputError, match="has no column 'file'; the header is picture, age"):
        read("csv", tmp_path)
    (tmp_path / "b.csv").write_text("")
    with pytest.raises(InputError, match=r"the CSV files in it are: a.csv, b.csv"):
        read("csv", tmp_path)


def test_a_folder_of_one_s_own(tmp_path: Path) -> None:
    photograph(tmp_path / "female" / "77" / "eyeglasses=yes" / "hopper.jpg")
    photograph(tmp_path / "30-39" / "subject=eileen" / "female" / "collins.jpg", ASTRONAUT)
    photograph(tmp_path / "someone.jpg")
    photograph(tmp_path / "holidays" / "lost.jpg")
    photograph(tmp_path / "2019" / "year.jpg")
    photograph(tmp_path / "female" / "male" / "both.jpg")
    (tmp_path / "notes.txt").write_text("")
    found, rejected = read("folder", tmp_path)
    by_name = {Path(one.file).stem: one for one in found}
    assert by_name["someone"].split == "unlabeled"
    assert by_name["collins"].subject == "eileen"
    assert "age 2019 is impossible" in str(by_name["year"].fault())
    assert rejected["holidays/lost.jpg"].startswith("the folder 'holidays' is neither gender")
    assert rejected["female/male/both.jpg"] == "two folders give its gender"
    assert rejected["notes.txt"].startswith("not a picture")
    table = made("folder", tmp_path)
    assert table.loc["hopper.jpg", ["age", "gender", "eyeglasses"]].tolist() == [
        77,
        "female",
        "yes",
    ]
    assert table.loc["collins.jpg", ["age_low", "age_high"]].tolist() == [30, 39]
