"""Keras, NumPy, LiteRT and ncnn give the same answers on real faces."""

import io
import zipfile
from pathlib import Path

import keras
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from agegender_vision import artefact
from agegender_vision.engine import BUNDLED_MODEL, Engine
from agegender_vision.frame import read
from agegender_vision.runtime import ACCELERATORS, runtimes
from trainer.data import faces
from trainer.data.geometry import aligned
from trainer.export.formats import PARITY
from trainer.models.reading import probabilities
from trainer.run import CHECKPOINT

from .conftest import ASTRONAUT, HOPPER, ROOT

MODEL = artefact.load(BUNDLED_MODEL)
SIZE = MODEL.metadata["input"]["size"]

every_runtime = pytest.mark.parametrize("name", ["numpy", *ACCELERATORS])


@pytest.fixture(scope="module")
def checkpoint() -> keras.Model:
    """The Keras model that the bundled one was exported from."""
    return keras.saving.load_model(ROOT / "models" / MODEL.name / CHECKPOINT)


def difference(name: str, checkpoint: keras.Model, crops: NDArray[np.uint8]) -> float:
    """Largest difference in any probability between Keras and a runtime."""
    network = runtimes.get(name).compile(MODEL.graphs["estimator"], MODEL.weights)
    pixels = MODEL.metadata["input"]
    scaled = crops * np.float32(pixels["scale"]) + np.float32(pixels["offset"])
    theirs = checkpoint.predict(crops.astype(np.float32), verbose=0)
    return max(
        float(np.abs(probabilities(about, ours) - probabilities(about, theirs[output])).max())
        for output, ours in zip(MODEL.graphs["estimator"].outputs, network(scaled), strict=True)
        for about in (MODEL.metadata["outputs"][output],)
    )


@every_runtime
def test_the_bundled_model_answers_as_its_checkpoint(
    name: str, checkpoint: keras.Model, two_faces: Path
) -> None:
    crops = faces.plain_views(faces.load([two_faces], ["train"]), SIZE)
    assert difference(name, checkpoint, crops.astype(np.uint8)) <= PARITY


@pytest.mark.data
@every_runtime
def test_it_does_so_on_three_hundred_faces(
    name: str, checkpoint: keras.Model, shared: Path
) -> None:
    with zipfile.ZipFile(shared / "faces96" / "val.zip") as shard:
        contents = [shard.read(file) for file in sorted(shard.namelist())[::10][:300]]
    images = [np.asarray(Image.open(io.BytesIO(content)).convert("RGB")) for content in contents]
    assert len(images) == 300
    assert (
        difference(name, checkpoint, np.stack([aligned(image, SIZE) for image in images])) <= PARITY
    )


@pytest.mark.parametrize("name", ACCELERATORS)
def test_the_engine_finds_and_judges_the_same_faces(name: str) -> None:
    reference, accelerated = Engine.load(runtime="numpy"), Engine.load(runtime=name)
    assert accelerated.runtime_name == name
    for path in (ASTRONAUT, HOPPER):
        (face, estimate), *others = reference.analyze(read(path))
        (same, answer), *more = accelerated.analyze(read(path))
        assert len(others) == len(more)
        np.testing.assert_allclose(same.box, face.box, atol=0.05)
        np.testing.assert_allclose(same.landmarks, face.landmarks, atol=0.05)
        assert same.score == pytest.approx(face.score, abs=1e-3)
        assert answer.age == pytest.approx(estimate.age, abs=0.05)
        assert answer.p_female == pytest.approx(estimate.p_female, abs=1e-3)
