"""Export: to each format, measured on real faces before it is believed."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol

import keras
import numpy as np
from numpy.typing import NDArray
from rich.table import Table

from agegender_vision import artefact as artefacts
from agegender_vision.runtime import ncnn_, runtimes
from agegender_vision.runtime.blas import one_thread
from trainer.config import Config
from trainer.data.faces import Faces
from trainer.errors import InputError
from trainer.evaluation.predictions import Predictions
from trainer.export import artefact
from trainer.export.artefact import ExportError
from trainer.models import recipes
from trainer.models.heads import Head

PARITY = 1e-3
"""Largest difference in any probability between Keras and an exported model."""
QUANTISED_LOSS = 0.15
"""Most that eight bits in place of 32 may add to the mean absolute error of age, years."""
REPORT = "parity.json"

Network = Callable[[NDArray[np.float32]], Mapping[str, NDArray[np.float32]]]
"""Takes one view (1, S, S, 3), RGB in [0, 255]; gives each head's outputs (1, K)."""


@dataclass(frozen=True)
class Trained:
    """What is exported.

    Attributes
    ----------
    settings, network, heads, temperatures
        Of a finished run.
    licence
        Terms of the model.
    seen
        Faces that it was trained on; from them, eight-bit formats learn the ranges.
    """

    settings: Config
    network: keras.Model
    heads: Mapping[str, Head]
    temperatures: Mapping[str, float]
    licence: str
    seen: Faces


class Format(Protocol):
    """A way to store a network.

    Attributes
    ----------
    packages
        What it needs: name of the module to name of the package.
    quantised
        Whether it is held to :data:`QUANTISED_LOSS` in place of :data:`PARITY`.
    """

    packages: Mapping[str, str]
    quantised: bool

    def write(self, model: Trained, folder: Path) -> None:
        """Write the network's files into an empty folder."""

    def network(self, folder: Path) -> Network:
        """Read them again, to be run on one thread."""


class Artefact:
    """`model.json` and `weights.npz`, which the integration reads."""

    packages: Mapping[str, str] = {}
    quantised = False

    def write(self, model: Trained, folder: Path) -> None:
        """Trace the network."""
        data = model.settings.data
        description = {
            "name": model.settings.model.name,
            "licence": model.licence,
            "training_data": [path.name for path in (*data.manifests, *data.unlabeled)],
        }
        artefact.write(
            model.network,
            folder,
            description,
            model.heads,
            model.temperatures,
            mirror=model.settings.model.mirror,
            geometry=recipes.geometry(model.settings),
        )

    def network(self, folder: Path) -> Network:
        """Run it with NumPy."""
        loaded = artefacts.load(folder)
        graph, pixels = loaded.graphs["estimator"], loaded.metadata["input"]
        scale, offset = np.float32(pixels["scale"]), np.float32(pixels["offset"])
        compiled = runtimes.get("numpy").compile(graph, loaded.weights)
        return lambda view: dict(zip(graph.outputs, compiled(view * scale + offset), strict=True))


class Litert:
    """LiteRT, formerly TensorFlow Lite, by Keras's own exporter.

    Parameters
    ----------
    quantised
        Whether weights and features are integers of eight bits. Their ranges come from
        faces that the model was trained on (Jacob et al., CVPR 2018); what goes in and
        comes out stays float.
    """

    packages: Mapping[str, str] = {"ai_edge_litert": "ai-edge-litert"}

    def __init__(self, *, quantised: bool) -> None:
        self.quantised = quantised
        self._name = "model-int8.tflite" if quantised else "model.tflite"

    def write(self, model: Trained, folder: Path) -> None:
        """Convert the network."""
        path, options = str(folder / self._name), {"format": "litert", "verbose": False}
        if self.quantised:
            show = recipes.recipe(model.settings.recipe).views
            views = [view for face in model.seen.images for view in show(face, model.settings)]
            options |= {
                "optimizations": [import_module("tensorflow").lite.Optimize.DEFAULT],
                "representative_dataset": lambda: ([view[None].astype("f4")] for view in views),
            }
        model.network.export(path, **options)

    def network(self, folder: Path) -> Network:
        """Run it with LiteRT."""
        return self.runner(model_path=str(folder / self._name))

    @staticmethod
    def runner(**model: Any) -> Network:
        """Run a model that is given as the interpreter of LiteRT takes it."""
        library = import_module("ai_edge_litert.interpreter")
        interpreter = library.Interpreter(**model, num_threads=1)
        run = interpreter.get_signature_runner()
        (given,) = run.get_input_details()
        return lambda view: run(**{given: view})


class Onnx:
    """ONNX, by Keras's own exporter; for ONNX Runtime and many others."""

    packages: Mapping[str, str] = {"tf2onnx": "tf2onnx", "onnxruntime": "onnxruntime"}
    quantised = False

    def write(self, model: Trained, folder: Path) -> None:
        """Convert the network."""
        model.network.export(str(folder / "model.onnx"), format="onnx", verbose=False)

    def network(self, folder: Path) -> Network:
        """Run it with ONNX Runtime."""
        library = import_module("onnxruntime")
        options = library.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        session = library.InferenceSession(
            str(folder / "model.onnx"), options, providers=["CPUExecutionProvider"]
        )
        (given,) = (one.name for one in session.get_inputs())
        names = [one.name for one in session.get_outputs()]
        return lambda view: dict(zip(names, session.run(names, {given: view}), strict=True))


class Ncnn:
    """ncnn's two files, written from the same graph as the artefact.

    Its input is called `in0` and takes RGB in [0, 255] too; outputs are called as the
    heads are.
    """

    packages: Mapping[str, str] = {"ncnn": "ncnn"}
    quantised = False

    def write(self, model: Trained, folder: Path) -> None:
        """Trace the network."""
        graph, weights, pixels = artefact.trace(model.network)
        files = ncnn_.write(graph, weights, **pixels)
        (folder / "model.ncnn.param").write_text(files.description, "utf-8")
        (folder / "model.ncnn.bin").write_bytes(files.weights)

    def network(self, folder: Path) -> Network:
        """Run it with ncnn."""
        library = import_module("ncnn")
        net = library.Net()
        net.opt.num_threads = 1
        net.opt.use_fp16_packed = net.opt.use_fp16_storage = net.opt.use_fp16_arithmetic = False
        net.load_param(str(folder / "model.ncnn.param"))
        net.load_model(str(folder / "model.ncnn.bin"))
        (given,), names = net.input_names(), net.output_names()

        def run(view: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
            _, height, width, channels = view.shape
            image = library.Mat(width, height, channels)
            np.asarray(image)[:] = view[0].transpose(2, 0, 1)
            extractor = net.create_extractor()
            extractor.input(given, image)
            return {name: np.array(extractor.extract(name)[1])[None] for name in names}

        return run


FORMATS: Mapping[str, Format] = {
    "artefact": Artefact(),
    "litert": Litert(quantised=False),
    "litert-int8": Litert(quantised=True),
    "onnx": Onnx(),
    "ncnn": Ncnn(),
}


@dataclass(frozen=True)
class Measured:
    """One format beside Keras, on the same faces.

    Attributes
    ----------
    size
        Of its files, bytes.
    difference
        Largest difference in any probability.
    mae, mae_change
        Mean absolute error of age in years, zero inside a band, and how much more that is
        than Keras's; NaN where no age is known.
    milliseconds
        For one view of a face on one thread, median.
    """

    size: int
    difference: float
    mae: float
    mae_change: float
    milliseconds: float


def parse(text: str) -> list[str]:
    """Read a list of formats; raises InputError for an unknown one or a missing package."""
    names = [name.strip() for name in text.split(",")]
    for name in names:
        if name not in FORMATS:
            raise InputError(f"--to {text}: no format {name!r}; there are {', '.join(FORMATS)}.")
        needed = FORMATS[name].packages
        if any(find_spec(module) is None for module in needed):
            raise InputError(
                f"--to {name} needs more packages: pip install {' '.join(needed.values())}"
            )
    return list(dict.fromkeys(names))


def export(model: Trained, output: Path, names: Sequence[str], faces: Faces) -> dict[str, Measured]:
    """Write a model in several formats, each compared with Keras as read back.

    Parameters
    ----------
    model
        What is exported.
    output
        Folder for the files and the report, `parity.json`.
    names
        Of :data:`FORMATS`.
    faces
        Real ones for the comparison.

    Returns
    -------
    dict
        What was measured, by format.

    Raises
    ------
    ExportError
        A format cannot hold the model, or answers otherwise than Keras. Of this format
        nothing is left at `output` but what was there before.
    """
    expected = recipes.outputs(model.network, faces, model.settings)
    found: dict[str, Measured] = {}
    output.parent.mkdir(parents=True, exist_ok=True)
    for name in names:
        kind = FORMATS[name]
        with TemporaryDirectory(dir=output.parent) as temporary:
            folder = Path(temporary)
            kind.write(model, folder)
            found[name] = measured = measure(model, kind, folder, faces, expected)
            _refuse(name, kind, measured, output)
            output.mkdir(exist_ok=True)
            # `model.json` last: a reader never sees a new one with old weights.
            files = sorted(folder.iterdir(), key=lambda path: path.name == artefacts.DESCRIPTION)
            about = {
                **vars(measured),
                "sha256": {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in files},
            }
            for path in files:
                path.replace(output / path.name)
        _note(output / REPORT, name, {"faces": len(faces), **about})
    return found


def measure(
    model: Trained,
    kind: Format,
    folder: Path,
    faces: Faces,
    expected: Mapping[str, NDArray[np.float32]],
) -> Measured:
    """Compare what was written with Keras.

    Parameters
    ----------
    model, kind, folder
        What was written there, and how.
    faces, expected
        Real faces, and the outputs of Keras for them, see
        :func:`trainer.models.recipes.outputs`.
    """
    network = kind.network(folder)
    show = recipes.recipe(model.settings.recipe).views
    answers: dict[str, list[NDArray[np.float32]]] = {name: [] for name in model.heads}
    seconds = []
    with one_thread():
        for face in faces.images:
            views = show(face, model.settings).astype(np.float32)
            looks = []
            for view in views:
                start = time.perf_counter()
                looks.append(network(view[None]))
                seconds.append(time.perf_counter() - start)
            for name, answer in answers.items():
                answer.append(np.mean([one[name] for one in looks], axis=0))
    outputs = {name: np.concatenate(answer) for name, answer in answers.items()}
    ours, theirs = (
        Predictions.from_outputs(model.heads, out, model.temperatures)
        for out in (outputs, expected)
    )
    mae, reference = (_error(faces, found) for found in (ours, theirs))
    return Measured(
        size=sum(path.stat().st_size for path in folder.iterdir()),
        difference=_difference(ours, theirs),
        mae=mae,
        mae_change=mae - reference,
        milliseconds=1000 * float(np.median(seconds)),
    )


def table(found: Mapping[str, Measured], title: str) -> Table:
    """Return what was measured, for the terminal."""
    view = Table(
        "format", "kB", "largest difference", "MAE, years", "change", "ms a view", title=title
    )
    for name, one in found.items():
        view.add_row(
            name,
            f"{one.size / 1000:,.0f}",
            f"{one.difference:.1e}",
            "-" if np.isnan(one.mae) else f"{one.mae:.3f}",
            "-" if np.isnan(one.mae) else f"{one.mae_change:+.4f}",
            f"{one.milliseconds:.2f}",
        )
    return view


def _difference(ours: Predictions, theirs: Predictions) -> float:
    pairs = [
        (ours.ages, theirs.ages),
        (ours.p_female, theirs.p_female),
        *((ours.attributes[name], theirs.attributes[name]) for name in ours.attributes),
    ]
    return max((float(np.abs(a - b).max()) for a, b in pairs if not np.isnan(b).all()), default=0.0)


def _error(faces: Faces, found: Predictions) -> float:
    low, high = faces.ages[~np.isnan(faces.ages[:, 0])].T
    age = found.age[~np.isnan(faces.ages[:, 0])]
    if not len(age):
        return float("nan")
    return float(np.maximum(np.maximum(low - age, age - high), 0).mean())


def _refuse(name: str, kind: Format, measured: Measured, output: Path) -> None:
    if kind.quantised:
        if measured.mae_change > QUANTISED_LOSS:
            raise ExportError(
                f"{name}: the mean error of age grows by {measured.mae_change:.2f} years, more "
                f"than {QUANTISED_LOSS}; it was not written to {output}. Train longer with more "
                "weight decay, which keeps the ranges narrow, or take a float format."
            )
    elif not measured.difference <= PARITY:
        raise ExportError(
            f"{name}: the exported model differs from Keras by {measured.difference:.2g} in a "
            f"probability, more than {PARITY:g}; it was not written to {output}. Please report "
            "this with the run's config.toml."
        )


def _note(path: Path, name: str, about: Mapping[str, Any]) -> None:
    about = {key: None if isinstance(v, float) and np.isnan(v) else v for key, v in about.items()}
    report = json.loads(path.read_text("utf-8")) if path.exists() else {}
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps({**report, name: about}, indent=1) + "\n", "utf-8")
    partial.replace(path)
