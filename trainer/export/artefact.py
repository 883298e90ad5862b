"""From a Keras model to the artefact that every runtime reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from agegender_vision import artefact
from agegender_vision.align import CropGeometry
from agegender_vision.graph import Graph, Node
from trainer.data.geometry import GEOMETRY
from trainer.models.heads import Head

Array = NDArray[np.float32]

HALF_ABOVE = 30_000
"""Weights of more elements are stored in half precision. Measured on the shipped model's
network: all halved 1.28 MB and a probability off by 0.0011, these alone 1.41 MB and
0.0002."""


class ExportError(ValueError):
    """A model that the artefact format cannot hold, or whose export answers differently."""


@dataclass
class _Tensor:
    """What flows between layers: the node that makes it, its height and its channels."""

    name: str
    height: int = 1


@dataclass
class _Tracer:
    """Walks a functional model and writes down nodes; folds what inference need not see."""

    nodes: dict[str, Node] = field(default_factory=dict)
    weights: dict[str, Array] = field(default_factory=dict)
    scale: float = 1.0
    offset: float = 0.0

    def model(self, model: keras.Model, inputs: list[_Tensor]) -> list[_Tensor]:
        """Trace a functional model on given inputs; returns its outputs in order."""
        config = model.get_config()
        made: dict[str, list[_Tensor]] = {}
        names = [entry[0] for entry in _references(config["input_layers"])]
        made.update({name: [tensor] for name, tensor in zip(names, inputs, strict=True)})
        operations = {operation.name: operation for operation in model.operations}
        for entry in config["layers"]:
            if entry["name"] in made:
                continue
            arguments = _references(entry["inbound_nodes"])
            given = [made[name][index] for name, _, index in arguments]
            made[entry["name"]] = self.layer(operations[entry["name"]], given)
        return [made[name][index] for name, _, index in _references(config["output_layers"])]

    def layer(self, layer: Any, given: list[_Tensor]) -> list[_Tensor]:
        """Trace one layer."""
        if isinstance(layer, keras.Model):
            return self.model(layer, given)
        trace = getattr(self, f"_{type(layer).__name__.lower()}", None)
        if trace is None:
            raise ExportError(
                f"layer {layer.name!r} is a {type(layer).__name__}, which the artefact has no "
                "operation for. Build the network of Conv2D, Dense, BatchNormalization, Add, "
                "ReLU activations, Flatten, MaxPooling2D and GlobalAveragePooling2D."
            )
        return [trace(layer, *given)]

    def _rescaling(self, layer: Any, x: _Tensor) -> _Tensor:
        if self.nodes:
            raise ExportError(f"layer {layer.name!r}: rescaling is only for the input pixels")
        self.scale, self.offset = float(layer.scale), float(layer.offset)
        return x

    def _dropout(self, _: Any, x: _Tensor) -> _Tensor:
        return x

    def _conv2d(self, layer: Any, x: _Tensor) -> _Tensor:
        size, stride = layer.kernel_size[0], layer.strides[0]
        padding, height = _padding(layer.padding, x.height, size, stride)
        return self._kernel("conv2d", layer, x, height, stride=stride, padding=padding)

    def _dense(self, layer: Any, x: _Tensor) -> _Tensor:
        return self._kernel("dense", layer, x, 1)

    def _ranks(self, layer: Any, x: _Tensor) -> _Tensor:
        column, bias = (np.asarray(w, np.float32) for w in layer.get_weights())
        roles = {"kernel": f"{layer.name}/kernel", "bias": f"{layer.name}/bias"}
        self.weights[roles["kernel"]] = np.repeat(column, len(bias), axis=1)
        self.weights[roles["bias"]] = bias
        self._add_node("dense", layer.name, x, weights=roles)
        return _Tensor(layer.name)

    def _maxpooling2d(self, layer: Any, x: _Tensor) -> _Tensor:
        size, stride = layer.pool_size[0], layer.strides[0]
        padding, height = _padding(layer.padding, x.height, size, stride)
        self._add_node("max_pool", layer.name, x, stride=stride, size=size, padding=padding)
        return _Tensor(layer.name, height)

    def _add(self, layer: Any, x: _Tensor, y: _Tensor) -> _Tensor:
        self._add_node("add", layer.name, x, y)
        return _Tensor(layer.name, x.height)

    def _flatten(self, layer: Any, x: _Tensor) -> _Tensor:
        self._add_node("flatten", layer.name, x)
        return _Tensor(layer.name)

    def _globalaveragepooling2d(self, layer: Any, x: _Tensor) -> _Tensor:
        self._add_node("global_average_pool", layer.name, x)
        return _Tensor(layer.name)

    def _batchnormalization(self, layer: Any, x: _Tensor) -> _Tensor:
        node = self.nodes.get(x.name)
        if node is None or node.op not in ("conv2d", "dense") or node.activation != "none":
            raise ExportError(
                f"layer {layer.name!r}: normalisation must follow a convolution or a dense "
                "layer directly, so that it can be folded into it"
            )
        gamma, beta, mean, variance = (np.asarray(w, np.float64) for w in layer.get_weights())
        gain = gamma / np.sqrt(variance + layer.epsilon)
        kernel = node.weights["kernel"]
        self.weights[kernel] = (self.weights[kernel] * gain).astype(np.float32)
        bias = self.weights.get(node.weights.get("bias", ""), np.zeros(1, np.float32))
        name = f"{node.output}/bias"
        self.weights[name] = ((bias - mean) * gain + beta).astype(np.float32)
        self.nodes[x.name] = replace(node, weights={**node.weights, "bias": name})
        return x

    def _activation(self, layer: Any, x: _Tensor) -> _Tensor:
        function = layer.activation.__name__
        if function == "linear":
            return x
        return self._rectified(layer, x, plain=function == "relu")

    def _relu(self, layer: Any, x: _Tensor) -> _Tensor:
        plain = layer.max_value is None and not layer.negative_slope and not layer.threshold
        return self._rectified(layer, x, plain=plain)

    def _rectified(self, layer: Any, x: _Tensor, *, plain: bool) -> _Tensor:
        node = self.nodes.get(x.name)
        if not plain or node is None or node.activation != "none":
            raise ExportError(
                f"layer {layer.name!r}: the only activation known is a plain ReLU after a "
                "convolution, a dense layer or a sum"
            )
        self.nodes[x.name] = replace(node, activation="relu")
        return x

    def _kernel(self, op: Any, layer: Any, x: _Tensor, height: int, **geometry: Any) -> _Tensor:
        kernel, *bias = (np.asarray(w, np.float32) for w in layer.get_weights())
        roles = {"kernel": f"{layer.name}/kernel"}
        self.weights[roles["kernel"]] = kernel
        if bias:
            roles["bias"] = f"{layer.name}/bias"
            self.weights[roles["bias"]] = bias[0]
        self._add_node(op, layer.name, x, weights=roles, **geometry)
        tensor = _Tensor(layer.name, height)
        return self._activation(layer, tensor)

    def _add_node(self, op: Any, name: str, *inputs: _Tensor, **attributes: Any) -> None:
        self.nodes[name] = Node(op, name, tuple(x.name for x in inputs), **attributes)


def trace(model: keras.Model) -> tuple[Graph, dict[str, Array], dict[str, float]]:
    """Write a functional Keras estimator down as a graph.

    Batch normalisation is folded into the convolution before it, dropout vanishes,
    rescaling of the pixels becomes part of the input's description, and "same" padding
    becomes explicit.

    Parameters
    ----------
    model
        (N, S, S, 3) -> {name of a head: its outputs}.

    Returns
    -------
    tuple
        The graph with an output for each head, called as the head is, its weights, and
        {"scale": ..., "offset": ...} of the input.

    Raises
    ------
    ExportError
        A layer has no counterpart.
    """
    tracer = _Tracer()
    outputs = tracer.model(model, [_Tensor("image", model.input_shape[1])])
    names = [tensor.name for tensor in outputs]
    for head, name in zip(model.output, names, strict=True):
        if head != name:
            raise ExportError(f"the last layer of the head {head!r} is called {name!r}: rename it")
    graph = Graph(("image",), tuple(names), tuple(tracer.nodes.values()))
    return graph, tracer.weights, {"scale": tracer.scale, "offset": tracer.offset}


def write(
    model: keras.Model,
    folder: Path,
    description: Mapping[str, Any],
    heads: Mapping[str, Head],
    calibration: Mapping[str, float],
    *,
    mirror: bool = False,
    geometry: CropGeometry = GEOMETRY,
) -> None:
    """Write the artefact, unchecked; see :func:`trainer.export.formats.export`.

    Parameters
    ----------
    model
        The trained estimator.
    folder
        For `model.json` and `weights.npz`.
    description
        `name`, `licence` and `training_data`.
    heads
        The model's, by name. The integration needs `age` and `gender`, others are written
        for whoever knows them.
    calibration
        Temperatures, see :mod:`trainer.evaluation.calibration`.
    mirror
        Whether the engine shows the model each face and its mirror image.
    geometry
        Where the landmarks lie in what the model looks at.

    Raises
    ------
    ExportError
        A head is missing, or the model has a layer without a counterpart.
    """
    if missing := [name for name in ("age", "gender") if name not in heads]:
        raise ExportError(
            f"the model has no head {missing[0]!r}, which the integration needs. Train one with "
            "it, or export to other formats with --to."
        )
    graph, weights, pixels = trace(model)
    metadata = {
        **description,
        "kind": "estimator",
        "input": {"size": model.input_shape[1], "colour": "RGB", "mirror": mirror, **pixels},
        "crop": asdict(geometry),
        "outputs": {name: dict(head.description) for name, head in heads.items()},
        "calibration": dict(calibration),
    }
    artefact.save(folder, metadata, {"estimator": graph}, weights, half_above=HALF_ABOVE)


def _references(node: Any) -> list[tuple[str, int, int]]:
    """Find the (layer, node, tensor) references anywhere inside a Keras configuration."""
    if isinstance(node, dict):
        history = node.get("config", {}).get("keras_history") if "config" in node else None
        if history is not None:
            return [(history[0], history[1], history[2])]
        return [found for value in node.values() for found in _references(value)]
    if isinstance(node, (list, tuple)):
        if len(node) == 3 and isinstance(node[0], str) and isinstance(node[1], int):
            return [(node[0], node[1], node[2])]
        return [found for value in node for found in _references(value)]
    return []


def _padding(
    mode: str, height: int, size: int, stride: int
) -> tuple[tuple[int, int, int, int], int]:
    if mode == "valid":
        return (0, 0, 0, 0), (height - size) // stride + 1
    out = -(-height // stride)
    total = max((out - 1) * stride + size - height, 0)
    before, after = total // 2, total - total // 2
    return (before, after, before, after), out
