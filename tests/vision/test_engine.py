"""From a picture to faces with ages and genders, by the model that ships."""

import json
import os
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from agegender_vision import artefact
from agegender_vision.align import align
from agegender_vision.artefact import ArtefactError
from agegender_vision.census import GENDER_CONFIDENCE
from agegender_vision.engine import BUNDLED_MODEL, Engine
from agegender_vision.estimator import Estimator
from agegender_vision.plugins import PluginError
from agegender_vision.runtime import runtimes

REPOSITORY = Path(__file__).parents[2]
PACKAGE = REPOSITORY / "custom_components" / "agegender" / "vision"


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine.load()


@pytest.mark.parametrize(("name", "age"), [("astronaut", 36), ("grace_hopper", 77)])
def test_the_women_in_the_photographs(
    engine: Engine, name: str, age: int, request: pytest.FixtureRequest
) -> None:
    ((_, estimate),) = engine.analyze(request.getfixturevalue(name))
    # In doubt, as old women in old photographs leave it, is no error: it counts as unknown.
    assert estimate.p_female > 1 - GENDER_CONFIDENCE
    assert abs(estimate.age - age) < 10
    assert estimate.age_low < age < estimate.age_high
    assert estimate.ages.sum() == pytest.approx(1, abs=1e-5)


def test_each_of_several_faces_gets_its_own_estimate(
    engine: Engine, two_faces: NDArray[np.uint8]
) -> None:
    estimator = Estimator(artefact.load(BUNDLED_MODEL), runtimes.get("numpy"))
    faces = engine.analyze(two_faces)
    assert len(faces) == 2
    for face, estimate in faces:
        crop = align(two_faces, face.landmarks, estimator.geometry, estimator.size)
        (alone,) = estimator.estimate(crop[None])
        assert estimate.age == pytest.approx(alone.age, abs=1e-3)
        assert estimate.p_female == pytest.approx(alone.p_female, abs=1e-4)


def test_one_engine_looks_for_faces_of_any_size(
    engine: Engine, astronaut: NDArray[np.uint8]
) -> None:
    # The face is 110 pixels high.
    assert [len(engine.detect(astronaut, size)) for size in (480, 100, None)] == [0, 1, 1]
    with pytest.raises(ValueError, match="min_face_size is at least 12 pixels, got 5"):
        engine.detect(astronaut, 5)


def test_nobody(engine: Engine) -> None:
    assert engine.analyze(np.full((240, 320, 3), 90, np.uint8)) == []


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((10, 10), np.uint8),
        np.zeros((10, 10, 4), np.uint8),
        np.zeros((10, 10, 3), np.float32),
    ],
)
def test_what_is_no_picture_is_refused(engine: Engine, image: NDArray[np.uint8]) -> None:
    with pytest.raises(ValueError, match=r"expected an RGB image \(H, W, 3\) of uint8"):
        engine.analyze(image)


def test_the_model_says_what_it_is(engine: Engine) -> None:
    description = json.loads((BUNDLED_MODEL / "model.json").read_text())
    assert engine.model_name == description["name"]
    assert engine.licence == description["licence"]


def test_the_bundled_model_is_small() -> None:
    assert sum(file.stat().st_size for file in BUNDLED_MODEL.iterdir()) < 2 * 2**20


def test_a_model_folder_that_is_damaged(tmp_path: Path) -> None:
    shutil.copytree(BUNDLED_MODEL, tmp_path / "model")
    (tmp_path / "model" / "weights.npz").unlink()
    with pytest.raises(ArtefactError, match=r"^[^(]*model/weights\.npz is missing: copy"):
        Engine.load(tmp_path / "model")


def test_unknown_parts() -> None:
    with pytest.raises(PluginError, match="no detector is called 'cascade'"):
        Engine.load(detector="cascade")
    with pytest.raises(PluginError, match="no runtime is called 'tpu'"):
        Engine.load(runtime="tpu")


ALONE = """
import importlib.metadata, importlib.util, json, sys
from pathlib import Path
for name in ("tensorflow", "keras", "homeassistant", "cv2", "scipy", "mtcnn"):
    assert importlib.util.find_spec(name) is None, name
from agegender_vision.engine import Engine
from agegender_vision.frame import read
faces = Engine.load().analyze(read(Path(sys.argv[1])))
print(json.dumps({
    "installed": sorted(d.name.lower() for d in importlib.metadata.distributions()),
    "faces": [[*face.box, it.age, it.p_female] for face, it in faces],
}))
"""


def test_numpy_and_pillow_are_all_it_needs(
    grace_hopper_file: Path, grace_hopper: NDArray[np.uint8], tmp_path: Path
) -> None:
    """Make an environment with nothing else, and get the same answer in it."""
    uv = shutil.which("uv", path=f"{REPOSITORY / '.venv/uv/bin'}{os.pathsep}{os.environ['PATH']}")
    if uv is None:
        pytest.skip("makes an environment with uv, which scripts/setup installs")
    alone = tmp_path / "alone"
    python = alone / "bin" / "python"
    pins = [f"{name}=={version(name)}" for name in ("numpy", "pillow")]
    make = [uv, "venv", "--quiet", "--python", sys.executable, str(alone)]
    fill = [uv, "pip", "install", "--quiet", "--no-deps", "--python", str(python), *pins]
    for command in (make, fill):
        subprocess.run(command, check=True)
    # A copy, so that nothing else of the repository can be imported.
    shutil.copytree(PACKAGE, tmp_path / "code" / "agegender_vision")
    output = subprocess.run(
        [python, "-c", ALONE, grace_hopper_file],
        env={"PYTHONPATH": str(tmp_path / "code"), "OMP_NUM_THREADS": "1"},
        cwd=tmp_path,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    result = json.loads(output)
    assert result["installed"] == ["numpy", "pillow"]
    # The accelerators installed here are not installed there.
    ((face, estimate),) = Engine.load(runtime="numpy").analyze(grace_hopper)
    expected = [*face.box, estimate.age, estimate.p_female]
    np.testing.assert_allclose(result["faces"], [expected], rtol=1e-3)
