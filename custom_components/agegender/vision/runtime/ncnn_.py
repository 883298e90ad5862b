"""ncnn, Tencent's inference library: an accelerator where its package is installed.

The network is described to ncnn in its own text format and the weights are handed over
from memory: no file is written. Half precision stays off, so that the answers are those
of every other runtime.
"""

from __future__ import annotations

import ctypes
import io
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from importlib import import_module
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..graph import Graph, Node, Weights

_MAGIC = 7767517  # first line of every text description
_INPUT = "in0"  # what ncnn's own converters call the input
_FLOAT32 = bytes(4)  # tag before an array that may also be stored in another precision


class NcnnRuntime:
    """Executes graphs with ncnn."""

    name = "ncnn"

    def compile(self, graph: Graph, weights: Weights) -> _NcnnNetwork:
        """Prepare a graph for execution.

        Raises
        ------
        ImportError
            The package ``ncnn`` is missing or does not load.
        ValueError
            ncnn refuses the network.
        """
        return _NcnnNetwork(import_module("ncnn"), graph, weights)


class _NcnnNetwork:
    def __init__(self, ncnn: Any, graph: Graph, weights: Weights) -> None:
        self._ncnn = ncnn
        description, stored, self._input, self._outputs = write(graph, weights)
        self._net = ncnn.Net()
        options = self._net.opt
        options.num_threads = 1
        options.use_fp16_packed = options.use_fp16_storage = options.use_fp16_arithmetic = False
        options.use_bf16_packed = options.use_bf16_storage = False
        options.use_vulkan_compute = False
        content = io.BytesIO(stored)

        class Reader(ncnn.DataReader):  # type: ignore[misc]  # ncnn has no types
            def read(self, target: object, size: int) -> int:
                part = content.read(size)
                ctypes.memmove(_address(target), part, len(part))
                return len(part)

        if self._net.load_param_mem(description) or self._net.load_model(Reader()):
            raise ValueError("ncnn refuses the network")

    def __call__(self, batch: NDArray[np.float32]) -> tuple[NDArray[np.float32], ...]:
        answers = [self._one(image) for image in batch]
        return tuple(np.stack(output) for output in zip(*answers, strict=True))

    def _one(self, image: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        """(H, W, C) to one (H, W, C) or (C,) for each output."""
        height, width, channels = image.shape
        # In ncnn's own memory: in a borrowed array's, some layers crash (1.0.20261020).
        mat = self._ncnn.Mat(width, height, channels)
        np.asarray(mat)[:] = image.transpose(2, 0, 1)
        extractor = self._net.create_extractor()
        extractor.input(self._input, mat)
        outputs = []
        for name in self._outputs:
            status, mat = extractor.extract(name)
            if status:
                raise ValueError(f"ncnn could not compute {name} (status {status})")
            output: NDArray[np.float32] = np.array(mat)
            outputs.append(output.transpose(1, 2, 0) if output.ndim == 3 else output)
        return outputs


class Files(NamedTuple):
    """A graph as ncnn stores it.

    Attributes
    ----------
    description, weights
        Content of the ``.param`` and of the ``.bin`` file.
    input, outputs
        Names under which an image goes in and the graph's outputs, in its order, come out.
    """

    description: str
    weights: bytes
    input: str
    outputs: list[str]


def write(graph: Graph, weights: Weights, scale: float = 1.0, offset: float = 0.0) -> Files:
    """Return a graph as the content of ncnn's two files.

    Parameters
    ----------
    graph, weights
        As in an artefact. Outputs keep their names where these suit ncnn.
    scale, offset
        The network is given images times ``scale`` plus ``offset``.
    """
    pixels = (scale, offset) != (1, 0)
    graph = _named(graph, f"{_INPUT}/shifted" if pixels else _INPUT)
    layers, outputs = _translated(graph, weights)
    if pixels:
        scaled = f"{_INPUT}/scaled"
        layers[:1] = [
            _Layer("Input", (), (_INPUT,)),
            _Layer("BinaryOp", (_INPUT,), (scaled,), {0: 2, 1: 1, 2: float(scale)}),
            _Layer("BinaryOp", (scaled,), graph.inputs, {0: 0, 1: 1, 2: float(offset)}),
        ]
    blobs = len({name for layer in layers for name in layer.outputs})
    lines = [str(_MAGIC), f"{len(layers)} {blobs}", *(layer.line for layer in layers), ""]
    content = b"".join(layer.content for layer in layers)
    return Files("\n".join(lines), content, _INPUT, outputs)


class _Layer:
    """One line of the description, and the weights that belong to it."""

    def __init__(
        self,
        kind: str,
        inputs: tuple[str, ...],
        outputs: tuple[str, ...],
        parameters: Mapping[int, float] | None = None,
        content: bytes = b"",
    ) -> None:
        # A value is a real number where it is written as one.
        settings = [f"{key}={value!r}" for key, value in (parameters or {}).items()]
        counts = (str(len(inputs)), str(len(outputs)))
        self.line = " ".join([kind, outputs[0], *counts, *inputs, *outputs, *settings])
        self.outputs = outputs
        self.content = content


def _named(graph: Graph, given: str) -> Graph:
    """Give tensors numbers, as a space would end a name; outputs that are words keep theirs."""
    made = [*graph.inputs, *(node.output for node in graph.nodes)]
    kept = {name for name in graph.outputs if name.isidentifier() and name != _INPUT}
    number = {name: name if name in kept else str(i) for i, name in enumerate(made)}
    number[graph.inputs[0]] = given
    nodes = (
        replace(
            node, inputs=tuple(number[name] for name in node.inputs), output=number[node.output]
        )
        for node in graph.nodes
    )
    outputs = tuple(number[name] for name in graph.outputs)
    return Graph((number[graph.inputs[0]],), outputs, tuple(nodes))


def _translated(graph: Graph, weights: Weights) -> tuple[list[_Layer], list[str]]:
    """Return the layers, and the names under which the graph's outputs come out."""
    # ncnn hands a tensor to one taker only: what several take must be split.
    takers = Counter([name for node in graph.nodes for name in node.inputs] + [*graph.outputs])
    copies = {
        name: [f"{name}/{i}" for i in range(count)] for name, count in takers.items() if count > 1
    }
    left = {name: iter(names) for name, names in copies.items()}

    def take(name: str) -> str:
        return next(left[name]) if name in copies else name

    def split(name: str) -> list[_Layer]:
        return [_Layer("Split", (name,), tuple(copies[name]))] if name in copies else []

    layers = [_Layer("Input", (), graph.inputs), *split(graph.inputs[0])]
    for node in graph.nodes:
        layers += [*_node(node, tuple(map(take, node.inputs)), weights), *split(node.output)]
    return layers, [take(name) for name in graph.outputs]


def _node(node: Node, inputs: tuple[str, ...], weights: Weights) -> Iterator[_Layer]:
    made = f"{node.output}/linear" if node.activation != "none" else node.output
    top, bottom, left, right = node.padding
    match node.op:
        case "conv2d":
            kernel = weights[node.weights["kernel"]]
            height, width, _, filters = kernel.shape
            size = {0: filters, 1: width, 11: height, 3: node.stride, 5: 1, 6: kernel.size}
            padding = {4: left, 14: top, 15: right, 16: bottom}
            content = _kernel(kernel.transpose(3, 2, 0, 1), node, weights)
            yield _Layer("Convolution", inputs, (made,), size | padding, content)
        case "dense":
            kernel = weights[node.weights["kernel"]]
            size = {0: kernel.shape[1], 1: 1, 2: kernel.size}
            yield _Layer("InnerProduct", inputs, (made,), size, _kernel(kernel.T, node, weights))
        case "add":
            yield _Layer("BinaryOp", inputs, (made,), {0: 0})
        case "max_pool":
            size = {0: 0, 1: node.size, 2: node.stride, 5: 1}
            padding = {3: left, 13: top, 14: right, 15: bottom}
            yield _Layer("Pooling", inputs, (made,), size | padding)
        case "global_average_pool":
            yield _Layer("Pooling", inputs, (made,), {0: 1, 4: 1})
        case "flatten":  # channels last, as everywhere else
            yield _Layer("Permute", inputs, (f"{made}/permuted",), {0: 3})
            yield _Layer("Reshape", (f"{made}/permuted",), (made,), {0: -1})
        case "softmax":
            yield _Layer("Softmax", inputs, (made,), {0: 0, 1: 1})
    if node.activation == "relu":
        yield _Layer("ReLU", (made,), (node.output,))
    elif node.activation == "prelu":
        slopes = weights[node.weights["alpha"]]
        yield _Layer("PReLU", (made,), (node.output,), {0: slopes.size}, slopes.tobytes())


def _kernel(kernel: NDArray[np.float32], node: Node, weights: Weights) -> bytes:
    """(O, ...) and its bias, as ncnn stores them."""
    no_bias = np.zeros(len(kernel), np.float32)
    bias = weights[node.weights["bias"]] if "bias" in node.weights else no_bias
    return _FLOAT32 + kernel.tobytes() + bias.tobytes()


def _address(capsule: object) -> int:
    """Return where the memory lies that ncnn wants filled."""
    get = ctypes.pythonapi.PyCapsule_GetPointer
    get.restype, get.argtypes = ctypes.c_void_p, (ctypes.py_object, ctypes.c_char_p)
    address: int = get(capsule, None)
    return address
