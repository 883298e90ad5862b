"""A tiny real training run through the command line, killed and resumed."""

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader
from tensorboard.util.tensor_util import make_ndarray
from typer.testing import CliRunner

from agegender_vision import artefact
from trainer import config
from trainer.cli import app
from trainer.data import faces
from trainer.evaluation.cost import budget
from trainer.models import heads, recipes
from trainer.run import CHECKPOINT, CONFIG
from trainer.training import finetune

from .conftest import ROOT, SMALL_NETWORK, agegender, go_on, options

TINY = (
    *SMALL_NETWORK,
    "pretrain.stage_epochs=1",
    "pretrain.stack_epochs=2",
    "pretrain.steps=3",
    "pretrain.batch_size=8",
    "train.epochs=8",
    "train.steps=10",
    "train.batch_size=8",
    "train.learning_rate=0.01",
    "train.augmentation.erase=0",
    "train.ema=0.9",
    "train.patience=8",
)


def settings(manifest: Path) -> list[str]:
    return options(manifest, *TINY)


@pytest.fixture(scope="module")
def run(two_faces: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished, uninterrupted run."""
    folder = tmp_path_factory.mktemp("runs") / "whole"
    agegender("pretrain", "--run", folder, *settings(two_faces))
    done = agegender("train", "--run", folder, "--resume")
    for split in ("train", "val"):
        assert f"{split} split: no face is labelled male (gender)" in done.stderr
    return folder


def test_it_learns_two_faces_with_partial_labels(run: Path) -> None:
    log = pd.read_csv(run / "train.csv")
    assert log["epoch"].tolist() == list(range(1, 9))
    assert log["loss"].iloc[-1] < 0.7 * log["loss"].iloc[0]
    assert log["two_faces0_gender"].iloc[-1] == 1


def test_a_killed_run_resumes_to_the_same_weights(run: Path, tmp_path: Path) -> None:
    killed = tmp_path / "killed"
    shutil.copytree(run / "pretrain", killed / "pretrain")
    shutil.copyfile(run / CONFIG, killed / CONFIG)
    child = subprocess.Popen(
        [sys.executable, "-m", "trainer", "train", "--run", str(killed), "--resume"],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": f"{ROOT}:{ROOT / 'src'}"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 300
    while not list((killed / "train").glob("0*.npz")) and time.monotonic() < deadline:
        time.sleep(0.02)
    child.send_signal(signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL
    assert not (killed / CHECKPOINT).exists()

    agegender("train", "--run", killed, "--resume")
    whole, resumed = (
        keras.saving.load_model(folder / CHECKPOINT).get_weights() for folder in (run, killed)
    )
    for ours, theirs in zip(whole, resumed, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-6)
    pd.testing.assert_frame_equal(
        pd.read_csv(run / "train.csv"), pd.read_csv(killed / "train.csv"), rtol=1e-4
    )


def test_tensorboard_shows_what_the_csv_says(run: Path) -> None:
    (events,) = (run / "tensorboard" / "train").iterdir()
    shown = {
        event.step: {value.tag: make_ndarray(value.tensor).item() for value in event.summary.value}
        for event in EventFileLoader(str(events)).Load()
        if event.summary.value
    }
    log = pd.read_csv(run / "train.csv", index_col="epoch")
    for epoch, row in log.iterrows():
        assert shown[epoch] == pytest.approx(row.to_dict(), rel=1e-5)


def test_a_finished_run_says_so_without_reading_faces(run: Path) -> None:
    for command in ("pretrain", "train"):
        said = CliRunner().invoke(app, [command, "--run", str(run), "--resume"]).output
        assert "go on with" in said
        assert "reading" not in said


def test_a_dry_run_tells_what_is_ahead_and_writes_nothing(two_faces: Path, tmp_path: Path) -> None:
    folder = tmp_path / "new"
    for command, ahead in (
        ("pretrain", "ahead: 2 stages of 1 epochs and the stack's 2, 3 steps of 8 faces each"),
        ("train", "ahead: 8 epochs of 10 steps of 8 faces"),
    ):
        done = agegender(command, "--run", folder, "--dry-run", "--limit", 1, *settings(two_faces))
        assert "faces to learn from: 1 (two_faces0 1)" in done.stdout
        assert ahead in done.stdout
    assert "labels of gender: 1, and 1 to validate on" in done.stdout
    assert not folder.exists()


def test_training_stops_early_with_the_best_weights(two_faces: Path, tmp_path: Path) -> None:
    resolved = config.load(
        None,
        [
            *TINY,
            "train.ema=0",
            "train.patience=2",
            "train.epochs=60",
            "train.steps=2",
            "train.learning_rate=0.05",
            "model.dropout=0",
        ],
    )
    seen, held_out = (faces.load([two_faces], [split]) for split in ("train", "val"))
    result = finetune.train(resolved, seen, held_out, tmp_path, None)
    losses = pd.read_csv(tmp_path / "train.csv").set_index("epoch")["val_loss"]
    best = int(losses.to_numpy().argmin()) + 1
    assert len(losses) == best + 2 < 60
    answers = recipes.outputs(keras.saving.load_model(result), held_out, resolved)
    loss = sum(
        float(np.mean(head.loss(head.targets(held_out.table), answers[name])))
        for name, head in heads.of(resolved).items()
    )
    assert loss == pytest.approx(losses.min(), rel=1e-5)


def test_the_same_seed_gives_the_same_weights(two_faces: Path, tmp_path: Path) -> None:
    fast = ("model.channels=[4]", "train.epochs=1", "train.steps=4")
    resolved = config.load(None, [*TINY, *fast])
    seen = faces.load([two_faces], ["train"])
    first, again = (
        keras.saving.load_model(finetune.train(resolved, seen, None, tmp_path / name, None))
        for name in ("first", "again")
    )
    for ours, theirs in zip(first.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-6)


def own_disk(script: str) -> list[str]:
    """Return the command that runs a script where it may mount file systems of its own."""
    return ["unshare", "--map-root-user", "--mount", "sh", "-c", script]


@pytest.mark.skipif(
    not shutil.which("unshare")
    or subprocess.run(own_disk("mount -t tmpfs none /mnt"), check=False).returncode != 0,
    reason="this system lets users mount no file system",
)
def test_a_full_disk_ends_in_a_sentence_and_harms_no_checkpoint(
    run: Path, tmp_path: Path, two_faces: Path
) -> None:
    """The run's folder is a file system on which one checkpoint finds room, but not two."""
    kept = [run / "train" / "00008.npz", run / "train" / "best.keras"]
    size = sum(path.stat().st_size for path in kept) + 60_000
    disk = tmp_path / "disk"
    disk.mkdir()
    command = [sys.executable, "-m", "trainer", "train", "--run", str(disk / "run")]
    script = f"""
        mount -t tmpfs -o size={size} none {disk}
        {shlex.join([*command, "--from-scratch", *settings(two_faces), "--set", "train.ema=0"])}
        echo "status $?"
        ls {disk}/run/train
        cp -r {disk}/run {tmp_path}/kept
    """
    done = subprocess.run(
        own_disk(script),
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": f"{ROOT}:{ROOT / 'src'}", "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "cannot be written (No space left on device)" in done.stderr
    assert "go on with --resume" in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout.endswith("status 2\n00001.npz\nbest.keras\n")

    agegender("train", "--run", tmp_path / "kept", "--from-scratch", "--resume")
    assert pd.read_csv(tmp_path / "kept" / "train.csv")["epoch"].tolist() == list(range(1, 9))


def test_the_run_says_where_it_came_from(run: Path) -> None:
    about = json.loads((run / "run.json").read_text())
    assert about["seed"] == 1
    assert about["packages"]["keras"] == keras.__version__
    (digest,) = about["manifests"].values()
    assert len(digest) == 64


def test_evaluate_writes_figures_and_plots(run: Path, tmp_path: Path) -> None:
    done = agegender("evaluate", run, "--output", tmp_path)
    assert "gender accuracy" in done.stdout
    assert "no face is labelled male (gender); the figures say nothing about that" in done.stderr
    (result,) = json.loads((tmp_path / "metrics.json").read_text())["val"].values()
    assert result["figures"]["faces"] == 2
    assert result["figures"]["gender"] == 1
    assert (tmp_path / "val-two_faces0.png").read_bytes().startswith(b"\x89PNG")


def test_the_export_answers_as_keras_does_and_has_a_card(run: Path, tmp_path: Path) -> None:
    agegender("evaluate", run)
    done = agegender("export", run, tmp_path / "model", "--to", "artefact,ncnn")
    assert "largest difference" in done.stdout
    assert "artefact, ncnn, and parity.json" in done.stdout
    card = (tmp_path / "model" / "card.md").read_text()
    assert "| gender accuracy | 100.0 % |" in card
    assert "scripts/agegender train --run" in card
    exported = artefact.load(tmp_path / "model")
    assert exported.metadata["input"]["size"] == 32


def test_a_run_is_not_overwritten(run: Path, two_faces: Path) -> None:
    again = agegender("train", "--run", run, check=False)
    assert again.returncode == 2
    assert "holds a run already. Add --resume" in again.stderr
    chosen = [*settings(two_faces), "--set", "train.epochs=99"]
    other = agegender("train", "--run", run, "--resume", *chosen, check=False)
    assert other.returncode == 2
    assert "holds a run with other settings" in other.stderr
    assert "train.epochs is 8 there and 99 here" in other.stderr


def test_training_without_pretraining_says_what_to_do(tmp_path: Path) -> None:
    done = agegender("train", "--run", tmp_path / "new", check=False)
    assert done.returncode == 2
    assert "no pretrained encoder" in done.stderr
    assert "Traceback" not in done.stderr


NEXT_TO_NOTHING = ("train.epochs=1", "train.ema=0", "train.learning_rate=1e-9", "train.patience=1")
"""Settings of a training so short and slow that it changes next to nothing."""


def test_later_trainings_go_on_from_the_first_ones_model(run: Path, tmp_path: Path) -> None:
    second = go_on(run, tmp_path / "second", *NEXT_TO_NOTHING)
    third = go_on(second, tmp_path / "third", *NEXT_TO_NOTHING, "model.encoder=deeper")
    before, after = (keras.saving.load_model(one / CHECKPOINT) for one in (run, third))
    new = {weight.path: weight.numpy() for weight in after.trainable_weights}
    for old in before.trainable_weights:
        np.testing.assert_allclose(new.pop(old.path), old.numpy(), atol=1e-5)
    assert {path.split("_")[0] for path in new} == {"stage2"}, "what the deeper encoder adds"
    first, all_three = budget(run), budget(third)
    assert first is not None
    assert all_three is not None
    assert all_three.views == first.views + 2 * 10 * 8

    assert "linear probe" in agegender("evaluate", third, "--baselines").stdout
    model = tmp_path / "model"
    agegender("export", third, model)
    card = (model / "card.md").read_text()
    settings = [model / "initial" / "initial", model / "initial", model]
    places = [card.index(f"--config {one / CONFIG} --run ") for one in settings]
    assert places == sorted(places)


def test_a_training_in_half_precision_makes_a_model_of_full_precision(
    two_faces: Path, tmp_path: Path
) -> None:
    half = 'train.precision="bfloat16"'
    run = tmp_path / "half"
    agegender("train", "--run", run, "--from-scratch", *settings(two_faces), "--set", half)
    log = pd.read_csv(run / "train.csv")
    assert log["loss"].iloc[-1] < 0.7 * log["loss"].iloc[0]
    model = keras.saving.load_model(run / CHECKPOINT)
    assert {layer.compute_dtype for layer in model.layers} == {"float32"}
    assert keras.config.dtype_policy().name == "float32"  # whatever is made next is of that


def test_a_second_training_names_the_model_that_is_not_there(tmp_path: Path) -> None:
    gone = "train.initial_weights=runs/gone/checkpoint.keras"
    done = agegender("train", "--run", tmp_path / "new", "--set", gone, check=False)
    assert done.returncode == 2
    assert "runs/gone/checkpoint.keras" in done.stderr
    assert "a trained model" in done.stderr
    assert "Traceback" not in done.stderr


def test_label_efficiency_compares_both_starts_and_goes_on_where_it_stopped(
    run: Path, tmp_path: Path
) -> None:
    command = ("label-efficiency", "--run", run, "--output", tmp_path, "--seeds", 1)
    agegender(*command, "--shares", "0.5", "--set", "train.epochs=1")
    results = tmp_path / "results.csv"
    first = pd.read_csv(results)
    assert first[["labels", "start", "seed"]].to_numpy().tolist() == [
        [1, "pretrained", 1],
        [1, "random", 1],
    ]
    assert first["two_faces0:gender"].between(0, 1).all()

    page = tmp_path / "labels.md"
    page.write_text("# Labels\n\n<!-- compare -->\n<!-- /compare -->\n")
    agegender(*command, "--shares", "0.5,1", "--set", "train.epochs=1", "--page", page)
    assert pd.read_csv(results).iloc[:2].equals(first)
    assert pd.read_csv(results)["labels"].tolist() == [1, 1, 2, 2]
    assert "](labels.png)" in page.read_text()
    assert "| 2 | pretrained | " in page.read_text()
    assert (tmp_path / "labels.png").stat().st_size > 10_000


def test_label_efficiency_asks_for_shares_it_can_draw(run: Path) -> None:
    done = agegender("label-efficiency", "--run", run, "--shares", "0.1,7", check=False)
    assert done.returncode == 2
    assert "above 0 up to 1" in done.stderr


def test_ablation_tells_what_each_idea_buys_and_goes_on_where_it_stopped(
    run: Path, tmp_path: Path
) -> None:
    ideas = tmp_path / "ideas.toml"
    ideas.write_text('["no pretraining"]\nfrom_scratch = true\n')
    page = tmp_path / "ideas.md"
    page.write_text("# Ideas\n\n<!-- compare -->\n<!-- /compare -->\n")
    output = tmp_path / "out"
    command = ("ablate", ideas, "--run", run, "--output", output, "--set", "train.epochs=1")
    agegender(*command)
    first = pd.read_csv(output / "results.csv")
    assert first["idea"].tolist() == ["as it is", "no pretraining"]

    with ideas.open("a") as file:
        file.write('["narrower / finer"]\nset = ["model.channels=[2, 4]"]\n')
    agegender(*command, "--page", page)
    results = pd.read_csv(output / "results.csv")
    assert results.iloc[:2].equals(first)
    base, _, narrower = results["multiply_adds"]
    assert narrower < base / 2
    assert results["two_faces0:gender"].between(0, 1).all()
    assert "| narrower / finer | " in page.read_text()
    assert "](ideas.png)" in page.read_text()
    assert page.with_suffix(".png").read_bytes() == (output / "cost.png").read_bytes()


@pytest.mark.parametrize(
    ("idea", "told"),
    [
        ('["no cutout"]\nset = ["train.augmentation.erase=0"', "cannot be read as ideas"),
        ('["no cutout"]\nsets = []', "no cutout.sets: Extra inputs are not permitted"),
        ('["no cutout"]\nset = ["train.cutout=0"]', "unknown setting train.cutout"),
        ('["half the faces"]\nset = ["data.limit=1"]', "half the faces: all ideas learn from"),
        ('["luck"]\nset = ["seed=7"]', "cannot set data.* or seed"),
    ],
)
def test_an_idea_that_cannot_be_tried_is_named_before_any_is(
    run: Path, tmp_path: Path, idea: str, told: str
) -> None:
    ideas = tmp_path / "ideas.toml"
    ideas.write_text(idea)
    done = agegender("ablate", ideas, "--run", run, "--output", tmp_path / "out", check=False)
    assert done.returncode == 2
    assert told in done.stderr
    assert not (tmp_path / "out").exists()
