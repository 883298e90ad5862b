"""What a model costs: parameters, multiply-adds, bytes, and time for a face."""

from __future__ import annotations

import time
from dataclasses import astuple, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from agegender_vision import artefact
from agegender_vision.estimator import Estimator
from agegender_vision.graph import Graph, Weights
from agegender_vision.runtime import runtimes
from trainer.evaluation import ensemble, models
from trainer.export.artefact import ExportError, write
from trainer.models import heads, recipes

REPEATS = 15
FILES = (artefact.DESCRIPTION, artefact.WEIGHTS)


@dataclass(frozen=True)
class Cost:
    """What a model costs on the NumPy runtime, as exported.

    Attributes
    ----------
    parameters
        Weights, batch normalisation folded away.
    multiply_adds
        Of one look at one face; a mirrored model looks twice.
    size
        Of `model.json` and `weights.npz`, bytes.
    milliseconds
        Wall time for one face, all its views; the least of several.
    """

    parameters: int
    multiply_adds: int
    size: int
    milliseconds: float


def measure(folder: Path) -> Cost | None:
    """Return the cost of a run or an exported model; None if it cannot be exported.

    An ensemble costs what all its models cost together.
    """
    if (folder / ensemble.FILE).exists():
        parts = [measure(one) for one in ensemble.read(folder).models]
        known = [part for part in parts if part is not None]
        sums = (sum(figures) for figures in zip(*map(astuple, known), strict=True))
        return Cost(*sums) if len(known) == len(parts) else None
    if not (folder / artefact.DESCRIPTION).exists():
        settings, network, temperatures = models.trained(folder)
        with TemporaryDirectory() as temporary:
            about = {"name": folder.name, "licence": "", "training_data": []}
            try:
                write(
                    network,
                    Path(temporary) / "model",
                    about,
                    heads.of(settings),
                    temperatures,
                    mirror=settings.model.mirror,
                    geometry=recipes.geometry(settings),
                )
            except ExportError:
                return None
            return measure(Path(temporary) / "model")
    model = artefact.load(folder)
    estimator = Estimator(model, runtimes.get("numpy"))
    crop = np.zeros((1, estimator.size, estimator.size, 3), np.uint8)
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        estimator.estimate(crop)
        times.append(time.perf_counter() - start)
    return Cost(
        sum(weight.size for weight in model.weights.values()),
        multiply_adds(model.graphs["estimator"], model.weights, estimator.size),
        sum((folder / name).stat().st_size for name in FILES),
        1000 * min(times),
    )


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
