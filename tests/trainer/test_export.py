"""Export: every format answers as Keras does on real faces, or is not written."""

import hashlib
import json
import zipfile
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest

from agegender_vision import artefact
from agegender_vision.engine import BUNDLED_MODEL
from trainer import config
from trainer.cli.export import export_mtcnn
from trainer.config import Config
from trainer.data import faces, manifest
from trainer.data.faces import Faces
from trainer.errors import InputError
from trainer.export import formats
from trainer.export.artefact import ExportError, trace
from trainer.export.formats import FORMATS, PARITY, REPORT, Ncnn, Trained
from trainer.models import estimator, heads
from trainer.run import CALIBRATION, CHECKPOINT, CONFIG

from .conftest import ROOT

SHIPPED = ROOT / "models" / "research"


@pytest.fixture(scope="module")
def pair(two_faces: Path) -> Faces:
    return faces.load([two_faces], ["train"])


@pytest.fixture(scope="module")
def labelled(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Faces:
    """160 faces of UTKFace's validation split, with their ages."""
    folder = tmp_path_factory.mktemp("labelled")
    index = pd.read_csv(shared / "faces96" / "index.csv", dtype=str)
    chosen = index[(index["shard"] == "val.zip") & (index["source"] == "utkface")][:160]
    with zipfile.ZipFile(shared / "faces96" / "val.zip") as shard:
        shard.extractall(folder, chosen["file"])
    unknown = dict.fromkeys(("subject", "age_low", "age_high", "gender", "sha256"))
    manifest.write(chosen[["file", "age", "split"]].assign(**unknown), folder / "manifest.csv")
    return faces.load([folder], ["val"])


def trained(model: keras.Model, settings: Config, seen: Faces) -> Trained:
    return Trained(settings, model, heads.of(settings), {}, "Apache-2.0", seen)


def untrained(seen: Faces, hidden: int = 16) -> Trained:
    """A network with the normalisation statistics that a trained one would have."""
    keras.utils.set_random_seed(1)
    settings = config.load(
        None,
        [
            "model.size=32",
            "model.channels=[8, 16]",
            "model.neck=8",
            f"model.hidden={hidden}",
            "model.mirror=false",
        ],
    )
    model = estimator.build(settings.model, heads.of(settings))
    random = np.random.default_rng(0)
    for weight in model.weights:
        if "norm" in weight.path:
            weight.assign(random.uniform(0.5, 1.5, weight.shape))
    return trained(model, settings, seen)


def shipped(seen: Faces) -> Trained:
    settings = config.load(SHIPPED / CONFIG)
    return Trained(
        settings,
        keras.saving.load_model(SHIPPED / CHECKPOINT),
        heads.of(settings),
        json.loads((SHIPPED / CALIBRATION).read_text()),
        artefact.load(SHIPPED).licence,
        seen,
    )


def test_every_layer_is_carried_over(pair: Faces, tmp_path: Path) -> None:
    found = formats.export(untrained(pair), tmp_path, ["artefact"], pair)
    assert found["artefact"].difference <= PARITY
    loaded = artefact.load(tmp_path)
    assert loaded.metadata["crop"]["left_eye"] == [0.306, 0.296]
    assert {node.op for node in loaded.graphs["estimator"].nodes} == {
        "conv2d",
        "add",
        "flatten",
        "dense",
    }


@pytest.mark.data
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")  # converters
def test_each_format_on_real_faces(labelled: Faces, tmp_path: Path) -> None:
    found = formats.export(shipped(labelled), tmp_path, list(FORMATS), labelled)
    assert list(found) == ["artefact", "litert", "litert-int8", "onnx", "ncnn"]
    report = json.loads((tmp_path / REPORT).read_text())
    for name, measured in found.items():
        if name == "litert-int8":
            assert measured.mae_change <= formats.QUANTISED_LOSS
            assert measured.size < 0.3 * found["litert"].size
        else:
            assert measured.difference <= PARITY
        assert measured.mae < 8
        assert measured.milliseconds > 0
        assert report[name]["faces"] == 160
        assert report[name]["size"] == sum(
            (tmp_path / file).stat().st_size for file in report[name]["sha256"]
        )
        for file, digest in report[name]["sha256"].items():
            assert hashlib.sha256((tmp_path / file).read_bytes()).hexdigest() == digest


def test_a_network_that_answers_otherwise_is_not_written(pair: Faces, tmp_path: Path) -> None:
    model = untrained(pair, hidden=64)
    # A head so steep that the rounding of the large layer before it changes the answer.
    head = model.network.get_layer("gender")
    view = faces.plain_views(pair, 32)[:1]
    logit = model.network.predict(view, verbose=0)["gender"]
    head.set_weights([head.kernel.numpy() * 1e4, -logit[0] * 1e4])
    with pytest.raises(ExportError, match=r"artefact: the exported model differs from Keras by"):
        formats.export(model, tmp_path / "out", ["artefact"], pair)
    assert not list(tmp_path.iterdir())


def test_eight_bits_that_cost_too_much_are_not_written(
    pair: Faces, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(formats, "QUANTISED_LOSS", -100)  # years, which nothing reaches
    with pytest.raises(ExportError, match=r"litert-int8: the mean error of age grows by"):
        formats.export(untrained(pair), tmp_path / "out", ["litert-int8"], pair)
    assert not list(tmp_path.iterdir())


def test_a_layer_without_counterpart_is_named() -> None:
    image = keras.Input((8, 8, 3))
    model = keras.Model(image, {"age": keras.layers.DepthwiseConv2D(3, name="deep")(image)})
    with pytest.raises(ExportError, match="layer 'deep' is a DepthwiseConv2D"):
        trace(model)


def test_pooling_layers_and_a_separate_activation(pair: Faces, tmp_path: Path) -> None:
    keras.utils.set_random_seed(2)
    image = keras.Input((16, 16, 3))
    x = keras.layers.Conv2D(4, 3, strides=2, padding="valid")(image)
    x = keras.layers.ReLU(name="relu")(x)
    x = keras.layers.MaxPooling2D(3, strides=2, padding="same")(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    settings = config.load(None, ["model.size=16"])
    answers = {name: head.outputs(x) for name, head in heads.of(settings).items()}
    model = trained(keras.Model(image, answers), settings, pair)
    found = formats.export(model, tmp_path, ["artefact", "ncnn"], pair)
    assert max(one.difference for one in found.values()) <= PARITY


def test_the_integration_s_format_needs_age_and_gender(pair: Faces, tmp_path: Path) -> None:
    settings = config.load(None, ["model.size=32", "heads.gender.kind=none"])
    model = trained(estimator.build(settings.model, heads.of(settings)), settings, pair)
    with pytest.raises(ExportError, match="no head 'gender', which the integration needs"):
        formats.export(model, tmp_path, ["artefact"], pair)
    assert formats.export(model, tmp_path, ["ncnn"], pair)["ncnn"].difference <= PARITY


def test_formats_that_cannot_be_written_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    assert formats.parse("onnx, artefact") == ["onnx", "artefact"]
    with pytest.raises(InputError, match=r"no format 'tflite'; there are artefact, litert,"):
        formats.parse("artefact,tflite")

    class Elsewhere(Ncnn):
        def __init__(self) -> None:
            self.packages = {"no_such_module": "no-such-package"}

    monkeypatch.setitem(FORMATS, "elsewhere", Elsewhere())
    with pytest.raises(InputError, match=r"--to elsewhere needs .*pip install no-such-package"):
        formats.parse("elsewhere")


def test_another_version_of_the_detector_s_package_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trainer.export.mtcnn.KNOWN_VERSION", "0.9")
    with pytest.raises(InputError, match=r"mtcnn 1.0.0 is installed.*install mtcnn==0.9"):
        export_mtcnn(tmp_path)


def test_the_integration_carries_the_shipped_model() -> None:
    for name in (artefact.DESCRIPTION, artefact.WEIGHTS):
        assert (BUNDLED_MODEL / name).read_bytes() == (SHIPPED / name).read_bytes()


def test_the_shipped_model_answers_as_its_checkpoint(pair: Faces, tmp_path: Path) -> None:
    found = formats.export(shipped(pair), tmp_path, ["artefact"], pair)
    assert found["artefact"].difference <= PARITY
    ours, again = (artefact.load(folder).weights for folder in (SHIPPED, tmp_path))
    assert ours.keys() == again.keys()
    for name, weight in ours.items():
        np.testing.assert_array_equal(weight, again[name])
