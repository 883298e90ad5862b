"""Real faces for the trainer's tests: two photographs that ship with other packages."""

import json
import subprocess
import sys
import zipfile
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from tempfile import TemporaryFile

import matplotlib as mpl
import pandas as pd
import pytest
import skimage
from PIL import Image

from agegender_vision import frame
from agegender_vision.align import align
from agegender_vision.engine import detectors
from agegender_vision.runtime import runtimes
from trainer.cli import main
from trainer.data import manifest
from trainer.data.geometry import GEOMETRY
from trainer.run import CHECKPOINT, CONFIG
from trainer.training.processor import prepare

prepare()  # as a process of its own would: with other kernels a resumed run is another one

ROOT = Path(__file__).parents[2]
SHARED = ROOT.parent / "shared" / "data"

ASTRONAUT = Path(skimage.__file__).parent / "data" / "astronaut.png"
"""Eileen Collins, in her thirties."""
HOPPER = Path(mpl.get_data_path()) / "sample_data" / "grace_hopper.jpg"
"""Grace Hopper, in her late seventies."""
SMALL_NETWORK = (
    "model.size=32",
    "model.channels=[4, 8]",
    "model.neck=8",
    "model.hidden=16",
)
"""Settings of a network that learns two faces in seconds."""
NO_FACE = Path(skimage.__file__).parent / "data" / "coffee.png"


def agegender(*arguments: object, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run the command line in this process; another would import TensorFlow for seconds."""
    words = ["agegender", *map(str, arguments)]
    with (
        pytest.MonkeyPatch.context() as patch,
        TemporaryFile("w+", buffering=1, encoding="utf-8") as out,
        TemporaryFile("w+", buffering=1, encoding="utf-8") as err,
    ):
        patch.setattr(sys, "argv", words)
        patch.setenv("COLUMNS", "200")
        with redirect_stdout(out), redirect_stderr(err), pytest.raises(SystemExit) as ended:
            main()
        said = []
        for file in (out, err):
            file.seek(0)
            said.append(file.read())
    done = subprocess.CompletedProcess(words, int(ended.value.code or 0), *said)
    assert not check or done.returncode == 0, done.stdout + done.stderr
    return done


def options(manifest: Path, *settings: str) -> list[str]:
    """Return the words of the command line that set the data and whatever else."""
    chosen = (f'data.manifests=["{manifest}"]', *settings)
    return [word for setting in chosen for word in ("--set", setting)]


def go_on(first: Path, run: Path, *settings: str) -> Path:
    """Train on from a finished run's weights, by its settings but for these; return the new run."""
    weights = f"train.initial_weights={json.dumps(str(first / CHECKPOINT))}"
    sets = [word for one in (weights, *settings) for word in ("--set", one)]
    agegender("train", "--run", run, "--config", first / CONFIG, *sets)
    return run


@pytest.fixture(scope="session")
def shared() -> Path:
    """The labelled faces beside the project."""
    if not SHARED.is_dir():
        pytest.skip("needs the faces of ../shared/data, which are not part of the project")
    return SHARED


@pytest.fixture(scope="session")
def two_faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A manifest of two real faces with partial labels, each in training and validation."""
    folder = tmp_path_factory.mktemp("two_faces")
    detect = detectors.get("mtcnn")(runtime=runtimes.get("numpy"), min_face_size=40).detect
    rows = []
    for name, path, low, high in (("collins", ASTRONAUT, 30, 39), ("hopper", HOPPER, 77, 77)):
        image = frame.read(path)
        crop = align(image, detect(image)[0].landmarks, GEOMETRY, 96)
        Image.fromarray(crop).save(folder / f"{name}.png")
        label = {"age_low": low, "age_high": high, "gender": "female", "sha256": ""}
        rows += [{"file": f"{name}.png", "split": split} | label for split in ("train", "val")]
    table = pd.DataFrame(rows).assign(subject=None, age=None)
    manifest.write(table, folder / "manifest.csv")
    return folder


@pytest.fixture(scope="session")
def few_faces(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A manifest of 256 of UTKFace's faces to learn from, and 64 more as `val`."""
    folder = tmp_path_factory.mktemp("few_faces")
    index = pd.read_csv(shared / "faces96" / "index.csv", dtype=str)
    table = index[(index["source"] == "utkface") & (index["shard"] == "val.zip")].iloc[:320]
    with zipfile.ZipFile(shared / "faces96" / "val.zip") as pictures:
        pictures.extractall(folder, table["file"])
    age = table["age"].astype(float)
    manifest.write(
        pd.DataFrame(
            {
                "file": table["file"],
                "subject": None,
                "age": age,
                "age_low": age,
                "age_high": age,
                "gender": table["gender"].map({"F": "female", "M": "male"}),
                "split": ["train"] * 256 + ["val"] * 64,
                "sha256": "",
            }
        ),
        folder / "manifest.csv",
    )
    return folder
