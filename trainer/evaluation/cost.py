"""What a model costs: parameters, multiply-adds, bytes, time for a face, and its training."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
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
from trainer.evaluation import ensemble, models
from trainer.export.artefact import ExportError, write
from trainer.export.formats import Litert
from trainer.models import heads, recipes
from trainer.run import BUDGET, CHECKPOINT, CONFIG, INITIAL
from trainer.training.pretrain import encoder_weights

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
    """Return the cost of a run, an exported model or an ensemble, which is that of its models.

    Raises
    ------
    InputError
        It is none of these.
    """
    if (folder / ensemble.FILE).exists():
        parts = [measure(one) for one in ensemble.read(folder).models]
        return Cost(
            sum(part.parameters for part in parts),
            sum(part.multiply_adds for part in parts),
            sum(part.size for part in parts),
            lambda: [part.look() for part in parts],
        )
    if not (folder / CHECKPOINT).exists():
        return _exported(folder)
    settings, network, temperatures = models.trained(folder)
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
                geometry=recipes.geometry(settings),
            )
            size = _bytes(Path(temporary) / "model")
        except ExportError:
            size = len(converted or b"") or (folder / CHECKPOINT).stat().st_size
    return Cost(
        network.count_params(),
        network_multiply_adds(network, views(settings)),
        size,
        _look(network, converted, views(settings)),
    )


def views(settings: config.Config) -> NDArray[np.float32]:
    """Return what a network is shown of one face, (V, H, W, 3), such as it and its mirror image."""
    blank = np.zeros((faces.STORED_SIDE, faces.STORED_SIDE, 3), np.uint8)
    return recipes.recipe(settings.recipe).views(blank, settings).astype(np.float32)


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


def network_multiply_adds(network: keras.Model, inputs: NDArray[np.float32]) -> int:
    """Return the multiplications of a Keras network on some inputs.

    Each weight of a matrix or kernel is multiplied once at each place of the layer's output,
    be it a convolution (plain, depthwise, separable) or a dense layer, and once at each step of
    a recurrent one. Normalisation, activations, biases and sums are not counted.
    """
    counted: list[int] = []
    leaves = list(_leaves(network))
    try:
        for layer in leaves:
            layer.call = _watched(layer, layer.call, counted)
        network(inputs, training=False)
    finally:
        for layer in leaves:
            del layer.call  # the class's own is under it
    return sum(counted)


def _leaves(network: keras.Model) -> Iterator[keras.layers.Layer]:
    for layer in network.layers:
        if isinstance(layer, keras.Model):
            yield from _leaves(layer)
        elif layer.weights and not isinstance(layer, layers.Embedding):
            yield layer


def _watched(
    layer: keras.layers.Layer, call: Callable[..., Any], counted: list[int]
) -> Callable[..., Any]:
    def watched(inputs: Any, *arguments: Any, **named: Any) -> Any:
        output = call(inputs, *arguments, **named)
        counted.append(_multiply_adds(layer, tuple(inputs.shape), tuple(output.shape)))
        return output

    return watched


def _multiply_adds(layer: keras.layers.Layer, given: tuple[int, ...], made: tuple[int, ...]) -> int:
    if isinstance(layer, layers.TimeDistributed) and isinstance(layer.layer, keras.Model):
        frames = np.zeros((given[0] * given[1], *given[2:]), np.float32)
        return network_multiply_adds(layer.layer, frames)
    if isinstance(layer, layers.RNN | layers.Bidirectional):
        return _kernels(layer) * given[0] * given[1]
    transposed = isinstance(layer, layers.Conv1DTranspose | layers.Conv2DTranspose)
    return _kernels(layer) * math.prod((given if transposed else made)[:-1])


def _kernels(layer: keras.layers.Layer) -> int:
    # A GRU has two biases, in one weight of two rows.
    kernels = [one for one in layer.weights if len(one.shape) > 1 and one.name != "bias"]
    return sum(int(np.prod(kernel.shape)) for kernel in kernels)


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
    """Return what a run was trained with, by its settings and its log; None if not a run.

    Of an ensemble: all its models together; of a second training: with the first.
    """
    if (folder / ensemble.FILE).exists():
        parts = [budget(one) for one in ensemble.read(folder).models]
        return None if None in parts else _together([part for part in parts if part])
    if not (folder / CONFIG).exists():
        return None
    own, before = _own_budget(folder), budget(folder / INITIAL)
    return _together([before, own]) if before else own


def _own_budget(folder: Path) -> Budget:
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
    # Exported models and notes of a first run leave the pretrained encoder behind, a run that
    # had one keeps it.
    left = (folder / artefact.DESCRIPTION).exists() or folder.name == INITIAL
    kept = settings.train.initial_weights is None and (left or encoder_weights(folder).exists())
    if recipes.recipe(settings.recipe).pretrained and kept:
        before = settings.pretrain
        epochs = before.stack_epochs + before.stage_epochs * len(settings.model.channels)
        views += epochs * before.steps * before.batch_size
    return Budget(labelled, views, None)


def _together(parts: list[Budget]) -> Budget:
    labelled = [part.labelled for part in parts if part.labelled is not None]
    minutes = [part.cpu_minutes for part in parts if part.cpu_minutes is not None]
    return Budget(
        max(labelled) if len(labelled) == len(parts) else None,
        sum(part.views for part in parts),
        sum(minutes) if len(minutes) == len(parts) else None,
    )


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
    if converted is not None:
        try:
            run = Litert.runner(model_content=converted)
            run(views[:1])
        except (RuntimeError, ValueError):
            pass  # it needs operations of TensorFlow, as an LSTM does
        else:
            return lambda: [run(view[None]) for view in views]
    return lambda: network.predict_on_batch(views)


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
