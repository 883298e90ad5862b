"""Attributes: any column of a manifest becomes a head, from its labels to predictions.

The real column is FairFace's `group`, the one attribute that the faces here are labelled
with; it stands for eyeglasses or hair colour. No model that ships has such a head.
"""

import json
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from agegender_vision import artefact
from trainer import config
from trainer.data import manifest
from trainer.errors import InputError
from trainer.models import heads
from trainer.models.heads import Binary, Categorical
from trainer.run import CONFIG

from .conftest import agegender

NAN = float("nan")


def column(values: list[object], name: str = "hat") -> pd.DataFrame:
    return pd.DataFrame({name: values})


@pytest.mark.parametrize(
    "values", [["yes", "no", None], ["TRUE", "False", None], [True, False, None], [1, 0, NAN]]
)
def test_yes_and_no_in_any_spelling(values: list[object]) -> None:
    found = Binary(name="hat").targets(column(values))
    np.testing.assert_array_equal(found, [[1], [0], [NAN]])


def test_a_word_and_another() -> None:
    head = Binary(name="covered", column="hat", positive="hat")
    found = head.targets(column(["hat", "none", None]))
    np.testing.assert_array_equal(found, [[1], [0], [NAN]])
    assert head.description == {"type": "logit", "positive": "hat"}


@pytest.mark.parametrize(
    ("head", "message"),
    [
        (Binary(name="hat"), r"column 'hat' holds 'cap', 'none', 'straw', not yes and no"),
        (Binary(name="hat", positive="cap"), r"more than 'cap' and one other"),
        (Categorical(name="hat", classes=("cap", "none")), r"'straw' is not among the classes"),
    ],
)
def test_labels_that_do_not_fit_are_named(head: heads.Head, message: str) -> None:
    with pytest.raises(InputError, match=message):
        head.targets(column(["cap", "straw", "none", None]))


def test_classes_come_from_the_training_faces() -> None:
    settings = config.load(None, ["heads.emotion.kind=categorical"])
    labels = column([2, NAN, 0, 10, 2], "emotion").assign(
        age_low=30.0, age_high=30.0, gender="male"
    )
    resolved = heads.resolve(settings, labels)
    head = heads.of(resolved)["emotion"]
    assert head.description == {"type": "classes", "labels": ["0", "10", "2"]}
    np.testing.assert_array_equal(head.targets(labels)[:, 0], [2, NAN, 0, 1, 2])


def test_a_head_without_any_label_is_refused() -> None:
    settings = config.load(None, ["heads.beard.kind=binary"])
    labels = pd.DataFrame({"age_low": [3.0], "age_high": [3.0], "gender": ["male"]})
    with pytest.raises(InputError, match=r"heads.beard: no training face has a label for it"):
        heads.resolve(settings, labels)
    one_class = config.load(None, ["heads.hat.kind=categorical"])
    with pytest.raises(InputError, match=r"every label of the training faces is 'cap'"):
        heads.resolve(one_class, labels.assign(hat="cap"))
    without = config.load(None, ["heads.gender.kind=none"])
    assert list(heads.of(heads.resolve(without, labels))) == ["age"]


@pytest.fixture(scope="module")
def labelled(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """FairFace's faces of two groups, with a column of yes and no.

    Each of the two columns lacks a third of its labels.
    """
    folder = tmp_path_factory.mktemp("attributes")
    shards = {"test.zip": "train", "val.zip": "val"}  # the larger one to learn from
    index = pd.read_csv(shared / "faces96" / "index.csv", dtype=str).astype(
        {"age_lo": float, "age_hi": float}
    )
    table = index[
        index["shard"].isin(shards.keys()) & index["race_src"].isin(["Black", "East Asian"])
    ].reset_index(drop=True)
    for shard, files in table.groupby("shard")["file"]:
        with zipfile.ZipFile(shared / "faces96" / str(shard)) as faces:
            faces.extractall(folder, files)
    every_third = table.index.to_numpy() % 3
    table = table.assign(
        subject=None,
        age_low=table["age_lo"],
        age_high=table["age_hi"],
        gender=table["gender"].map({"F": "female", "M": "male"}),
        split=table["shard"].map(shards),
        sha256="",
        group=table["race_src"].mask(every_third == 0),
        woman=table["gender"].map({"F": "yes", "M": "no"}).mask(every_third == 1),
    )
    manifest.write(table, folder / "manifest.csv")
    return folder


@pytest.mark.data
def test_from_a_column_to_predictions(labelled: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    (tmp_path / "run.toml").write_text(
        f'[data]\nmanifests = ["{labelled}"]\n'
        "[model]\nsize = 32\nchannels = [16, 32]\nneck = 16\nhidden = 32\n"
        "[train]\nepochs = 8\nsteps = 30\nbatch_size = 32\nlearning_rate = 0.004\n"
        '[heads]\ngroup = { kind = "categorical" }\nwoman = { kind = "binary" }\n'
    )
    agegender("train", "--from-scratch", "--run", run, "--config", tmp_path / "run.toml")
    saved = config.load(run / CONFIG)
    assert saved.heads["group"].options["classes"] == ["Black", "East Asian"]

    agegender("evaluate", run)
    metrics = json.loads((run / "metrics.json").read_text())["val"][labelled.name]["figures"]
    # Chance is a half.
    assert metrics["group_accuracy"] > 0.65
    assert metrics["group_balanced"] > 0.65
    assert metrics["woman_balanced"] > 0.55

    model = tmp_path / "model"
    agegender("export", "estimator", run, model, "--bare")
    described = artefact.load(model).metadata
    assert described["outputs"]["woman"] == {"type": "logit", "positive": "yes"}
    assert described["calibration"]["group_temperature"] > 0

    table = manifest.read(labelled)
    known = table[(table["split"] == "val") & table["group"].notna()]
    done = agegender("predict", *known["file"], "--detector", "none", "--model", model)
    answers = [json.loads(line)["attributes"] for line in done.stdout.splitlines()]
    said = [max(answer["group"], key=answer["group"].__getitem__) for answer in answers]
    assert np.mean(np.array(said) == known["group"]) == pytest.approx(
        metrics["group_accuracy"], abs=0.02
    )
    assert all(sum(answer["group"].values()) == pytest.approx(1, abs=1e-3) for answer in answers)
    assert all(0 <= answer["woman"]["yes"] <= 1 for answer in answers)
