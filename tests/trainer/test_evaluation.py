"""Protocols and reports, on a tiny model trained on two real faces."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from trainer import config
from trainer.data.faces import Faces, load
from trainer.errors import InputError
from trainer.evaluation import compare, cost, crossval, figures, models
from trainer.evaluation.predictions import Predictions
from trainer.models import heads, recipes
from trainer.run import BUDGET, CALIBRATION, CHECKPOINT, CONFIG

from .conftest import SMALL_NETWORK, agegender, options

TINY = (
    *SMALL_NETWORK,
    "pretrain.stage_epochs=1",
    "pretrain.stack_epochs=1",
    "pretrain.steps=1",
    "pretrain.batch_size=4",
    "train.epochs=1",
    "train.steps=2",
    "train.batch_size=4",
)


def settings(manifest: Path, *more: str) -> list[str]:
    return options(manifest, *TINY, *more)


@pytest.fixture(scope="module")
def run(two_faces: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "tiny"
    agegender("pretrain", "--run", folder, *settings(two_faces))
    agegender("train", "--run", folder, "--resume")
    return folder


def faces(**columns: object) -> Faces:
    """Faces of which only the labels matter."""
    table = pd.DataFrame(columns).assign(dataset="mine")
    ages = table[["age", "age"]].to_numpy(np.float32)
    female = np.ones(len(table), np.float32)
    return Faces(np.zeros((len(table), 96, 96, 3), np.uint8), ages, female, table)


def says(ages: list[int]) -> Predictions:
    """A model that is sure."""
    return Predictions(np.eye(101)[ages], np.full(len(ages), 0.9))


def test_the_report_is_one_file_with_every_figure_also_as_png(run: Path, tmp_path: Path) -> None:
    agegender("report", run, "--output", tmp_path)
    page = (tmp_path / "report.html").read_text()
    pictures = list((tmp_path / "figures").glob("*.png"))
    assert len(pictures) == page.count("data:image/png;base64,") > 5
    assert not re.search(r'(src|href)="(?!data:)', page)
    assert {"reconstructions", "curves-train"} <= {path.stem for path in pictures}
    report = json.loads((tmp_path / "report.json").read_text())
    (part,) = report["data"].values()
    assert part["figures"]["faces"] == 2
    assert np.sum(part["confusion"]["gender"]["counts"]) == 2
    assert "o face is labelled male" in page


def test_a_report_without_faces_shows_nobody(run: Path, tmp_path: Path) -> None:
    agegender("report", run, "--no-faces", "--output", tmp_path)
    names = [path.stem for path in (tmp_path / "figures").glob("*.png")]
    assert names
    assert not [name for name in names if "worst" in name or "reconstruction" in name]


def test_models_with_other_heads_are_compared_on_the_same_faces(
    run: Path, two_faces: Path, tmp_path: Path
) -> None:
    exported, gender = tmp_path / "exported", tmp_path / "gender"
    agegender("export", run, exported, "--bare")
    alone = ("heads.age.kind=none", "train.learning_rate=1e-4")
    agegender("train", "--from-scratch", "--run", gender, *settings(two_faces, *alone))
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- compare -->\nold\n<!-- /compare -->\nafter\n")
    done = agegender(
        *("compare", run, exported, gender, "--manifest", two_faces),
        *("--split", "val", "--output", tmp_path / "table", "--page", page),
    )
    assert "multiply-adds" in done.stdout
    table = pd.read_csv(tmp_path / "table" / "compare.csv")
    found = table[table["figure"] == "gender"]
    assert found["value"].tolist()[:2] == [found["value"].iloc[0]] * 2
    assert found["difference"].tolist()[1] == 0

    values = table.pivot_table("value", "figure", "model", sort=False)
    ours, bare, small = (values[str(folder)] for folder in (run, exported, gender))
    assert ours["views"] == 4 * (3 + 2)  # two stages, the stack, and two steps of training
    assert ours["labelled"] == 2
    assert ours["cpu_minutes"] > 0
    assert ours["multiply_adds"] == bare["multiply_adds"] > small["multiply_adds"]
    assert ours["parameters"] > small["parameters"]
    costs = values.drop(columns="always the same")
    assert (costs.loc["milliseconds"] > 0).all()
    assert (costs.loc["bytes"] > 1000).all()
    # A run says what it was trained with; a model that asks no age has no error of ages.
    assert not np.isfinite(bare.get("views", np.nan))
    assert not {"mae", "fairface_exact"} & set(small.dropna().index)
    # Of a run from before that was logged, its settings tell the views: without a pretrained
    # encoder there was no pretraining.
    assert small["views"] == 4 * 2
    (gender / BUDGET).unlink()
    assert cost.budget(gender) == cost.Budget(2, 4 * 2, None)

    # What they have to beat: 55.75 years for everybody, of whom one is 77, and female.
    same = values["always the same"].dropna()
    assert same[["mae", "gender"]].tolist() == pytest.approx([77 - (34.5 + 77) / 2, 1])
    assert "parameters" not in same

    markdown = (tmp_path / "table" / "compare.md").read_text()
    assert markdown.count("\n") == 2 + 4
    text = page.read_text()
    assert markdown in text
    assert "old" not in text
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    with pytest.raises(InputError, match=r"config\.toml: has no line '<!-- compare -->'"):
        compare.into_page(run / "config.toml", "")


def untrained(folder: Path, *settings: str) -> Path:
    """A run whose network has learnt nothing: what it is asked is all that matters."""
    made = config.load(None, [*TINY, *settings])
    network = recipes.recipe(made.recipe).build(made, heads.of(made))
    folder.mkdir()
    network.save(folder / CHECKPOINT)
    (folder / CALIBRATION).write_text("{}")
    config.save(made, folder / CONFIG)
    return folder


def test_every_kind_of_head_has_its_columns(tmp_path: Path) -> None:
    """Bands of ages alone, ordinal regression of ages alone, gender alone."""
    made = {
        "bands": ("heads.age.kind=bands", "heads.gender.kind=none"),
        "ranks": ("heads.age.kind=coral", "heads.gender.kind=none"),
        "gender": ("heads.age.kind=none",),
    }
    seen = faces(age=[3.0, 30.0, 70.0])
    answers = {
        name: models.load(untrained(tmp_path / name, *asked)).answer(seen)
        for name, asked in made.items()
    }
    wide = compare.wide(compare.compare(seen, answers, {})).set_index("model")
    ages = ["age MAE, years", "age RMSE, years", "within 5 years"]
    bands = ["Adience band, exact", "Adience band, one-off"]
    assert (wide.loc[["bands", "ranks"], [*ages, *bands]] != "-").all(axis=None)
    assert (wide.loc["gender", [*ages, *bands]] == "-").all()
    assert (wide["gender accuracy"] != "-").tolist() == [False, False, True]


def test_a_table_too_wide_for_the_terminal_is_turned() -> None:
    seen = faces(age=[30.0, 40.0])
    found = compare.compare(seen, {"one": says([30, 40])}, {"one": {"parameters": 12345.0}})
    wide = compare.wide(found)
    assert compare.view(wide, "", 400).columns[0].header == "data set"
    turned = compare.view(wide, "", 60)
    assert [column.header for column in turned.columns] == ["data set", "mine"]
    assert "12,345" in list(turned.columns[1].cells)
    assert compare.markdown(wide).startswith("| data set | model | parameters |")


def test_a_difference_beyond_chance_is_marked() -> None:
    seen = faces(age=[30.0] * 40)
    answers = {"good": says([31] * 40), "bad": says([36, 38] * 20)}
    found = compare.compare(seen, answers, {})
    mae = found[found["figure"] == "mae"].set_index("model")
    assert mae["value"].tolist() == [1, 7]
    assert mae["difference"].tolist()[1] == 6
    assert 5.5 < mae["difference_low"].tolist()[1] < 6
    wide = compare.wide(found)
    assert wide["model"].tolist() == ["good", "bad"]
    good, bad = wide["age MAE, years"]
    assert good == "1.00 (1.00 to 1.00)"
    assert bad.endswith("*")


def test_folds_keep_each_subject_together() -> None:
    table = pd.DataFrame({"subject": ["a", "a", "b", "c", None, None], "dataset": "mine"})
    folds = crossval.assign(table, 3, seed=1)
    assert folds[0] == folds[1]
    assert np.bincount(folds).tolist() == [2, 2, 2]
    published = table.assign(fold=[4, 4, 0, 1, 2, np.nan])
    assert crossval.assign(published, 3, seed=1).tolist() == [3, 3, 0, 1, 2, -1]
    with pytest.raises(InputError, match="9 folds need as many subjects"):
        crossval.assign(table, 9, seed=1)


def test_crossval_judges_every_face_once_and_goes_on_where_it_stopped(
    two_faces: Path, tmp_path: Path
) -> None:
    command = ("crossval", "--run", tmp_path / "cv", "--folds", 2, "--from-scratch")
    agegender(*command, *options(two_faces, *TINY, "model.channels=[4]"))
    results = tmp_path / "cv" / "folds.csv"
    whole = pd.read_csv(results)
    assert whole["faces"].sum() == 4
    whole[whole["fold"] == 1].to_csv(results, index=False)
    done = agegender(*command, "--resume")
    assert "±" in done.stdout
    assert pd.read_csv(results)["fold"].tolist() == [1, 2]
    summary = json.loads((tmp_path / "cv" / "crossval.json").read_text())
    assert set(next(iter(summary.values()))["gender"]) == {"mean", "deviation"}


@pytest.mark.parametrize(
    "knows",
    ['train.initial_weights="runs/first/checkpoint.keras"', 'train.teachers=["runs/first"]'],
)
def test_no_fold_learns_from_a_model_that_may_know_its_faces(
    knows: str, two_faces: Path, tmp_path: Path
) -> None:
    known = config.load(None, [*TINY, knows])
    shown = load([two_faces], ["train", "val"])
    with pytest.raises(InputError, match=r"runs/first.*each of these trainings begins anew"):
        crossval.run(known, shown, None, tmp_path, 2, scratch=True)


def test_another_run_s_checkpoint_and_a_damaged_one_are_told(run: Path, tmp_path: Path) -> None:
    mixed = tmp_path / "mixed"
    shutil.copytree(run, mixed)
    text = (mixed / CONFIG).read_text()
    (mixed / CONFIG).write_text(text.replace("size = 32", "size = 48"))
    with pytest.raises(InputError, match=r"another run's\. It takes faces of 32 pixels"):
        models.load(mixed)
    (mixed / CONFIG).write_text(text)
    (mixed / CHECKPOINT).write_bytes((mixed / CHECKPOINT).read_bytes()[:5000])
    with pytest.raises(InputError, match=r"cannot be read as a model.*writes it anew"):
        models.load(mixed)
    with pytest.raises(InputError, match="neither a finished run"):
        models.load(tmp_path)


def test_an_empty_split_is_told(run: Path) -> None:
    done = agegender("evaluate", run, "--split", "test", check=False)
    assert done.returncode == 2
    assert "no row has a split among test" in done.stderr


def test_the_threshold_chosen_leaves_at_most_a_tenth_unknown() -> None:
    seen = faces(age=[30.0] * 10)
    found = Predictions(np.eye(101)[[30] * 10], np.array([0.99] * 9 + [0.55]))
    gender = figures.unknown(seen, found)["gender"]
    assert gender["chosen"] == {"threshold": 0.95, "answered": 0.9, "right": 1.0}
