"""A tiny real training run through the command line, killed and resumed."""

import json
import os
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

from agegender_vision import artefact
from trainer.run import CHECKPOINT, CONFIG

from .conftest import ROOT, agegender

TINY = (
    "model.size=32",
    "model.channels=[4, 8]",
    "model.neck=8",
    "model.hidden=16",
    "pretrain.stage_epochs=1",
    "pretrain.stack_epochs=2",
    "pretrain.steps=3",
    "pretrain.batch_size=8",
    "train.epochs=8",
    "train.steps=10",
    "train.batch_size=8",
    "train.learning_rate=0.01",
    "train.augmentation.erase=0",
)


def settings(manifest: Path) -> list[str]:
    chosen = [f'data.manifests=["{manifest}"]', *TINY]
    return [word for setting in chosen for word in ("--set", setting)]


@pytest.fixture(scope="module")
def run(two_faces: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished, uninterrupted run."""
    folder = tmp_path_factory.mktemp("runs") / "whole"
    agegender("pretrain", "--run", folder, *settings(two_faces))
    agegender("train", "--run", folder, "--resume")
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
    while not list((killed / "train").glob("0*.weights.h5")) and time.monotonic() < deadline:
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


def test_the_run_says_where_it_came_from(run: Path) -> None:
    about = json.loads((run / "run.json").read_text())
    assert about["seed"] == 1
    assert about["packages"]["keras"] == keras.__version__
    (digest,) = about["manifests"].values()
    assert len(digest) == 64


def test_evaluate_writes_figures_and_plots(run: Path, tmp_path: Path) -> None:
    done = agegender("evaluate", run, "--output", tmp_path)
    assert "gender accuracy" in done.stdout
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


def test_a_run_is_not_overwritten(run: Path) -> None:
    again = agegender("train", "--run", run, check=False)
    assert again.returncode == 2
    assert "holds a run already. Add --resume" in again.stderr
    other = agegender("train", "--run", run, "--resume", "--set", "train.epochs=99", check=False)
    assert other.returncode == 2
    assert "holds a run with other settings" in other.stderr


def test_training_without_pretraining_says_what_to_do(tmp_path: Path) -> None:
    done = agegender("train", "--run", tmp_path / "new", check=False)
    assert done.returncode == 2
    assert "no pretrained encoder" in done.stderr
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

    agegender(*command, "--shares", "0.5,1", "--set", "train.epochs=1")
    assert pd.read_csv(results).iloc[:2].equals(first)
    assert pd.read_csv(results)["labels"].tolist() == [1, 1, 2, 2]
    assert (tmp_path / "labels.png").stat().st_size > 10_000


def test_label_efficiency_asks_for_shares_it_can_draw(run: Path) -> None:
    done = agegender("label-efficiency", "--run", run, "--shares", "0.1,7", check=False)
    assert done.returncode == 2
    assert "above 0 up to 1" in done.stderr
