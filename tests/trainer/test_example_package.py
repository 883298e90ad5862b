"""The example package, built and installed: each of its plugins works like one of ours."""

import json
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import numpy as np
import pytest
import skimage
from PIL import Image

from trainer.run import CONFIG

from .conftest import ROOT

EXAMPLE = ROOT / "examples" / "plugins"
PATCHES = Path(skimage.__file__).parent / "data" / "lfw_subset.npy"
"""200 grey patches of 25x25 pixels; the first hundred are faces."""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of a user who has installed the package's wheel."""
    folder = tmp_path_factory.mktemp("installed")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder / "dist")]
    subprocess.run(build, cwd=EXAMPLE, check=True, capture_output=True)
    (wheel,) = (folder / "dist").glob("*.whl")
    zipfile.ZipFile(wheel).extractall(folder / "site")
    return os.environ | {"PYTHONPATH": f"{folder / 'site'}:{ROOT}:{ROOT / 'src'}"}


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Faces and what is none, with labels in JSON lines; a third of them is not labelled."""
    folder = tmp_path_factory.mktemp("photos")
    lines = []
    for number, patch in enumerate(np.load(PATCHES)):
        picture = Image.fromarray((255 * patch).astype(np.uint8)).convert("RGB")
        picture.resize((96, 96), Image.Resampling.BICUBIC).save(folder / f"{number:03}.png")
        said = {"file": f"{number:03}.png", "place": "aligned"}
        said["split"] = "val" if number % 4 == 0 else "train"
        lines.append(said if number % 3 == 1 else {**said, "face": "yes" if number < 100 else "no"})
    text = "\n".join(map(json.dumps, lines))
    (folder / "labels.jsonl").write_text(f"{text}\nno JSON\n")
    return folder


ONE_AFTER_ANOTHER = """
import json, sys
from trainer.cli import app

for words in json.load(sys.stdin):
    app(words, standalone_mode=False)
"""


def agegender(environment: dict[str, str], *commands: tuple[object, ...]) -> None:
    """Run command lines in one process: each would import TensorFlow for seconds."""
    done = subprocess.run(
        [sys.executable, "-c", ONE_AFTER_ANOTHER],
        input=json.dumps([list(map(str, words)) for words in commands]),
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_from_its_data_set_to_a_model(
    installed: dict[str, str], photos: Path, tmp_path: Path
) -> None:
    data, run, settings = tmp_path / "data", tmp_path / "run", tmp_path / "run.toml"
    settings.write_text(
        'recipe = "momentum"\n'
        f'[data]\nmanifests = ["{data}"]\n'
        "[model]\nchannels = [8, 16]\nneck = 8\nhidden = 16\n"
        "[train]\nepochs = 5\nsteps = 10\nbatch_size = 16\n"
        '[heads]\nage = { kind = "none" }\ngender = { kind = "none" }\n'
        'face = { kind = "focal", gamma = 1 }\n'
    )
    agegender(
        installed,
        ("data", "prepare", "json-lines", "--source", photos, "--output", data),
        ("train", "--from-scratch", "--run", run, "--config", settings),
        ("evaluate", run),
        ("export", run, tmp_path / "model", "--to", "ncnn"),
    )
    assert "labels.jsonl, line 201" in (data / "rejected.csv").read_text()
    saved = tomllib.loads((run / CONFIG).read_text())
    assert (saved["model"]["encoder"], saved["model"]["size"]) == ("plain", 48)  # the recipe's
    assert saved["model"]["channels"] == [8, 16]  # the user's, which win
    (found,) = json.loads((run / "metrics.json").read_text())["val"].values()
    assert found["figures"]["face_balanced"] > 0.7  # chance is a half
    assert (tmp_path / "model" / "model.ncnn.param").exists()


def test_its_options_are_checked_as_ours_are(installed: dict[str, str]) -> None:
    wrong = {
        "heads.face.gama=1": "unknown setting heads.face.gama. Did you mean gamma?",
        "heads.face.gamma=-1": "heads.face: gamma is -1, it must not be negative",
        "recipe=momentun": "no recipe is called 'momentun'; there are: .*momentum, .*sdae",
        "model.encoder=plan": "no encoder is called 'plan'; there are: deeper, plain, residual",
    }
    script = """
import sys
from trainer import config

for setting in sys.argv[1:]:
    try:
        config.load(None, ["heads.face.kind=focal", setting])
    except config.InputError as error:
        print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", script, *wrong],
        env=installed,
        capture_output=True,
        text=True,
        check=True,
    )
    for said, message in zip(done.stdout.splitlines(), wrong.values(), strict=True):
        assert re.search(message, said)
