"""What a model costs: parameters, multiply-adds, bytes, time for a face, and its training."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import keras
import numpy as np
import pandas as pd
from keras import layers
from numpy.typing import NDArray

from agegender_vision import artefact
from agegender_vision.estimator import Estimator
from agegender_vision.graph import Graph, Weights
from agegender_vision.runtime import runtimes
from agegender_vision.runtime.blas import one_thread
from trainer import config
from trainer.data import faces
from trainer.errors import InputError
from trainer.evaluation import models
from trainer.export.artefact import ExportError, write
from trainer.export.formats import Litert
from trainer.models import heads, recipes
from trainer.run import BUDGET, CHECKPOINT, CONFIG

ROUNDS = 101
FILES = (artefact.DESCRIPTION, artefact.WEIGHTS)
LITERT = "ai_edge_litert"
COSTS = {
    "parameters": "parameters",
    "multiply_adds": "multiply-adds, millions",
    "bytes": "artefact, kB",
    "milliseconds": "ms per face",
    "labelled": "labelled faces",
    "views": "views seen, thousands",
    "cpu_minutes": "CPU minutes",
}
"""What is told of each model beside its errors; the last three are its training's."""


@dataclass(frozen=True)
class Cost:
    """What a model costs.

    Attributes
    ----------
    parameters
        Weights; of a model without a checkpoint, batch normalisation is folded away.
    multiply_adds
        For one face, in all views that the recipe shows of it.
    size
        Bytes of `model.json` and `weights.npz`, whose numbers have 16 bits. Of a network that
        these cannot hold, of LiteRT's file, whose numbers have 32.
    look
        Looks at one face, all its views, on one thread: by LiteRT, or where that is not
        installed or cannot run the network, by what it was made with.
    """

    parameters: int
    multiply_adds: int
    size: int
    look: Callable[[], object]


def table(folders: Iterable[Path]) -> dict[str, dict[str, float]]:
    """Return what models and their trainings cost, by folder and by :data:`COSTS`.

    What is not known of one is left out.
    """
    paths = {str(folder): folder for folder in folders}
    costs = {name: measure(folder) for name, folder in paths.items()}
    times = milliseconds(costs)
    found = {}
    for name, cost in costs.items():
        given = budget(paths[name])
        values: dict[str, float | None] = {
            "parameters": cost.parameters,
            "multiply_adds": cost.multiply_adds,
            "bytes": cost.size,
            "milliseconds": times[name],
            **(asdict(given) if given else {}),
        }
        found[name] = {key: float(value) for key, value in values.items() if value is not None}
    return found


def measure(folder: Path) -> Cost:
    """Return the cost of a run or an exported model; raises InputError if it is neither."""
    if not (folder / CHECKPOINT).exists():
        return _exported(folder)
    settings, network, temperatures = models.trained(folder)
    blank = np.zeros((faces.STORED_SIDE, faces.STORED_SIDE, 3), np.uint8)
    views = recipes.recipe(settings.recipe).views(blank, settings).astype(np.float32)
    converted = _litert(network)
    with TemporaryDirectory() as temporary:
        try:
            write(
                network,
                Path(temporary) / "model",
                {"name": folder.name, "licence": "", "training_data": []},
                heads.of(settings),
                temperatures,
                mirror=settings.model.mirror,
            )
            size = _bytes(Path(temporary) / "model")
        except ExportError:
            size = len(converted or b"") or (folder / CHECKPOINT).stat().st_size
    return Cost(
        network.count_params(),
        len(views) * network_multiply_adds(network),
        size,
        _look(network, converted, views),
    )


def milliseconds(costs: Mapping[str, Cost], rounds: int = ROUNDS) -> dict[str, float]:
    """Return the time for a face by model, the median of several rounds.

    Each round asks every model once, so that what else the machine does strikes all alike.
    """
    times: dict[str, list[float]] = {name: [] for name in costs}
    with one_thread():
        for number in range(rounds + 1):
            for name, cost in costs.items():
                start = time.perf_counter()
                cost.look()
                if number:  # the first round loads and allocates
                    times[name].append(time.perf_counter() - start)
    return {name: 1000 * float(np.median(found)) for name, found in times.items()}


def network_multiply_adds(network: keras.Model) -> int:
    """Return the multiplications of a Keras network on one input.

    Each weight of a matrix or kernel is multiplied once at each place of the layer's output,
    be it a convolution (plain, depthwise, separable) or a dense layer, and once at each step of
    a recurrent one. Normalisation, activations, biases and sums are not counted.
    """
    return sum(map(_layer, network.layers))


def _layer(layer: keras.layers.Layer) -> int:
    if isinstance(layer, keras.Model):
        return network_multiply_adds(layer)
    if isinstance(layer, layers.TimeDistributed):
        inner, steps = layer.layer, int(layer.output.shape[1])
        if isinstance(inner, keras.Model):
            return steps * network_multiply_adds(inner)
        return _kernels(inner) * _places(layer.output.shape)
    if isinstance(layer, layers.RNN | layers.Bidirectional):
        return _kernels(layer) * int(layer.input.shape[1])
    if isinstance(layer, layers.Embedding) or not _kernels(layer):
        return 0
    transposed = isinstance(layer, layers.Conv1DTranspose | layers.Conv2DTranspose)
    return _kernels(layer) * _places((layer.input if transposed else layer.output).shape)


def _kernels(layer: keras.layers.Layer) -> int:
    # A GRU has two biases, in one weight of two rows.
    kernels = [one for one in layer.weights if len(one.shape) > 1 and one.name != "bias"]
    return sum(int(np.prod(kernel.shape)) for kernel in kernels)


def _places(shape: tuple[int | None, ...]) -> int:
    return int(np.prod([side or 1 for side in shape[1:-1]]))


@dataclass(frozen=True)
class Budget:
    """What a training was given.

    Attributes
    ----------
    labelled
        Faces with a label, None if their manifests are not here.
    views
        Views of faces that the network was shown, those of the pretraining included.
    cpu_minutes
        Of all epochs with their validation; None of a run from before that was logged.
    """

    labelled: int | None
    views: int
    cpu_minutes: float | None


def budget(folder: Path) -> Budget | None:
    """Return what a run was trained with, by its settings and its log; None if not a run."""
    if not (folder / CONFIG).exists():
        return None
    settings = config.load(folder / CONFIG)
    try:
        table = faces.rows(settings.data.manifests, ["train"], settings.data.limit)
        labelled = int((table["age_low"].notna() | table["gender"].notna()).sum())
    except InputError:
        labelled = None
    if (folder / BUDGET).exists():
        log = pd.read_csv(folder / BUDGET)
        return Budget(labelled, int(log["views"].sum()), float(log["cpu_s"].sum()) / 60)
    views = settings.train.epochs * settings.train.steps * settings.train.batch_size
    if recipes.recipe(settings.recipe).pretrained:
        before = settings.pretrain
        epochs = before.stack_epochs + before.stage_epochs * len(settings.model.channels)
        views += epochs * before.steps * before.batch_size
    return Budget(labelled, views, None)


def _exported(folder: Path) -> Cost:
    model = artefact.load(folder)
    estimator = Estimator(model, runtimes.get("litert" if find_spec(LITERT) else "numpy"))
    crop = np.zeros((1, estimator.size, estimator.size, 3), np.uint8)
    views = 2 if model.metadata["input"].get("mirror") else 1
    return Cost(
        sum(weight.size for weight in model.weights.values()),
        views * multiply_adds(model.graphs["estimator"], model.weights, estimator.size),
        _bytes(folder),
        lambda: estimator.estimate(crop),
    )


def _litert(network: keras.Model) -> bytes | None:
    if not find_spec(LITERT):
        return None
    with TemporaryDirectory() as temporary:
        path = Path(temporary) / "model.tflite"
        try:
            network.export(str(path), format="litert", verbose=False)
        except Exception:  # noqa: BLE001  whatever the converter raises: it then has no file
            return None
        return path.read_bytes()


def _look(
    network: keras.Model, converted: bytes | None, views: NDArray[np.float32]
) -> Callable[[], Any]:
    if converted is None:
        return lambda: network.predict_on_batch(views)
    run = Litert.runner(model_content=converted)
    return lambda: [run(view[None]) for view in views]


def _bytes(folder: Path) -> int:
    return sum((folder / name).stat().st_size for name in FILES)


def multiply_adds(graph: Graph, weights: Weights, size: int) -> int:
    """Return the multiplications of a graph on one image (size, size, 3).

    Each of them is followed by an addition; biases, activations and sums are not counted.
    """
    sides: dict[str, tuple[int, int]] = dict.fromkeys(graph.inputs, (size, size))
    total = 0
    for node in graph.nodes:
        height, width = sides[node.inputs[0]]
        top, bottom, left, right = node.padding
        if node.op == "conv2d":
            rows, columns, *_ = shape = weights[node.weights["kernel"]].shape
            height = (height + top + bottom - rows) // node.stride + 1
            width = (width + left + right - columns) // node.stride + 1
            total += height * width * int(np.prod(shape))
        elif node.op == "max_pool":
            height = (height + top + bottom - node.size) // node.stride + 1
            width = (width + left + right - node.size) // node.stride + 1
        elif node.op == "dense":
            total += weights[node.weights["kernel"]].size
        sides[node.output] = (height, width)
    return total
