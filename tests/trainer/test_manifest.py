"""Manifests: what is read, and what each mistake is answered with."""

from pathlib import Path

import numpy as np
import pytest

from trainer.data import manifest
from trainer.errors import InputError

HEADER = "file,subject,age,age_low,age_high,gender,split,sha256,group"


def write(folder: Path, *lines: str, header: str = HEADER) -> Path:
    path = folder / "manifest.csv"
    path.write_text("\n".join([header, *lines]) + "\n", "utf-8")
    return path


def test_exact_ages_bands_and_missing_labels_are_one_interval(tmp_path: Path) -> None:
    write(
        tmp_path,
        "a.jpg,s1,31,,,female,train,,Asian",
        "b.jpg,s2,,20,29,male,val,,",
        "c.jpg,,,,,,unlabeled,,",
    )
    table = manifest.read(tmp_path)
    np.testing.assert_array_equal(table["age_low"], [31, 20, np.nan])
    np.testing.assert_array_equal(table["age_high"], [31, 29, np.nan])
    assert table["gender"].isna().tolist() == [False, False, True]
    assert table["file"][0] == str(tmp_path / "a.jpg")
    assert table["group"][0] == "Asian"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("a.jpg,,old,,,female,train,,", r"line 3: age is 'old', it must be a number of years"),
        ("a.jpg,,-1,,,female,train,,", r"line 3: age is '-1', it must be within 0-120"),
        ("a.jpg,,,40,30,female,train,,", r"line 3: age_low is .*no higher than age_high"),
        ("a.jpg,,30,,,woman,train,,", r"line 3: gender is 'woman', it must be female, male"),
        ("a.jpg,,30,,,female,dev,,", r"line 3: split is 'dev', it must be one of train, val"),
    ],
)
def test_a_wrong_label_is_named_with_its_line(tmp_path: Path, line: str, message: str) -> None:
    path = write(tmp_path, "good.jpg,,30,,,female,train,,", line)
    with pytest.raises(InputError, match=message) as caught:
        manifest.read(path)
    assert str(path) in str(caught.value)


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    path = write(tmp_path, "a.jpg,train", header="file,split")
    with pytest.raises(InputError, match="column 'subject' is missing; the header is file, split"):
        manifest.read(path)


def test_a_missing_manifest_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="agegender data prepare"):
        manifest.read(tmp_path / "absent")


def test_a_file_that_is_no_table_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "manifest.csv"
    path.write_bytes(b"\xff\xd8\xff\xe0 a photograph")
    with pytest.raises(InputError, match="not a readable CSV"):
        manifest.read(path)


def test_a_person_in_two_splits_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, "a.jpg,anna,30,,,female,train,,", "b.jpg,anna,31,,,female,test,,")
    with pytest.raises(InputError, match="subject 'anna' is in the splits test and train"):
        manifest.read(path)


def test_writing_gives_back_what_was_read(tmp_path: Path) -> None:
    write(tmp_path, "a.jpg,s1,31,,,female,train,ab12,Asian")
    table = manifest.read(tmp_path).assign(file="a.jpg")
    manifest.write(table, tmp_path / "again.csv")
    again = manifest.read(tmp_path / "again.csv")
    assert again.drop(columns="file").equals(manifest.read(tmp_path).drop(columns="file"))
