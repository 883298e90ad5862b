"""LiteRT, formerly TensorFlow Lite: an accelerator where its package is installed.

The network is written as a LiteRT model in memory: no file beside the artefact is
needed, and there is none that could differ from it.
"""

from __future__ import annotations

from functools import lru_cache
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..graph import Graph, Node, Weights

_VERSION = 3  # of the file format
_IDENTIFIER = b"TFL3"
_SIZES = 48  # kept at a time: the pyramids of five frame sizes
_LEGACY_CODE = 127  # in the field that older readers look at: "see the newer field"


class LitertRuntime:
    """Executes graphs with LiteRT."""

    name = "litert"

    def compile(self, graph: Graph, weights: Weights) -> _LitertNetwork:
        """Prepare a graph for execution.

        Raises
        ------
        ImportError
            The package ``ai-edge-litert`` is missing or does not load.
        """
        return _LitertNetwork(graph, weights)


class _LitertNetwork:
    def __init__(self, graph: Graph, weights: Weights) -> None:
        self._library = import_module("ai_edge_litert.interpreter")
        self._graph = graph
        self._weights = weights
        # A network for each size: telling one another size costs as much as computing.
        self._sized = lru_cache(_SIZES)(self._interpreter)

    def __call__(self, batch: NDArray[np.float32]) -> tuple[NDArray[np.float32], ...]:
        interpreter = self._sized(batch.shape[1:])
        (given,) = (detail["index"] for detail in interpreter.get_input_details())
        outputs = [detail["index"] for detail in interpreter.get_output_details()]
        answers = []
        for image in batch:
            interpreter.set_tensor(given, image[None])
            interpreter.invoke()
            answers.append([interpreter.get_tensor(index) for index in outputs])
        return tuple(np.concatenate(output) for output in zip(*answers, strict=True))

    def _interpreter(self, shape: tuple[int, ...]) -> Any:
        model = write(self._graph, self._weights, shape)
        interpreter = self._library.Interpreter(model_content=model, num_threads=1)
        interpreter.allocate_tensors()
        return interpreter


def write(graph: Graph, weights: Weights, shape: tuple[int, ...]) -> bytes:
    """Return a graph as the content of a ``.tflite`` file.

    Parameters
    ----------
    graph, weights
        As in an artefact.
    shape
        Height, width and channels of the one image that it takes.

    Raises
    ------
    GraphError
        The graph cannot take such an image.
    """
    return _Writer(graph, weights, shape).content()


class _Writer:
    def __init__(self, graph: Graph, weights: Weights, shape: tuple[int, ...]) -> None:
        self._schema = import_module("ai_edge_litert.schema_py_generated")
        self._graph = graph
        self._weights = weights
        self._shapes = graph.shapes(weights, *shape)
        self._buffers = [self._schema.BufferT()]  # the first one stands for "not constant"
        self._tensors: list[Any] = []
        self._indices: dict[str, int] = {}
        self._codes: list[int] = []
        self._operators: list[Any] = []
        self._flowing(graph.inputs[0], shape)
        for node in graph.nodes:
            self._node(node)

    def content(self) -> bytes:
        schema = self._schema
        subgraph = schema.SubGraphT(
            tensors=self._tensors,
            inputs=[self._indices[name] for name in self._graph.inputs],
            outputs=[self._indices[name] for name in self._graph.outputs],
            operators=self._operators,
        )
        codes = [
            schema.OperatorCodeT(deprecatedBuiltinCode=min(code, _LEGACY_CODE), builtinCode=code)
            for code in self._codes
        ]
        model = schema.ModelT(
            version=_VERSION, operatorCodes=codes, subgraphs=[subgraph], buffers=self._buffers
        )
        builder = import_module("flatbuffers").Builder()
        builder.Finish(model.Pack(builder), file_identifier=_IDENTIFIER)
        return bytes(builder.Output())

    def _node(self, node: Node) -> None:
        inputs = [self._indices[name] for name in node.inputs]
        linear = f"{node.output}/linear" if node.activation == "prelu" else node.output
        shape = self._shapes[node.output]
        fused = self._schema.ActivationFunctionType
        rectified = {
            "fusedActivationFunction": fused.RELU if node.activation == "relu" else fused.NONE
        }
        step = {
            "strideH": node.stride,
            "strideW": node.stride,
            "padding": self._schema.Padding.VALID,
        }
        match node.op:
            case "conv2d":
                kernel = self._weights[node.weights["kernel"]].transpose(3, 0, 1, 2)
                inputs = [*self._padded(node, 0.0), *self._kernel(kernel, node)]
                self._operator("CONV_2D", inputs, linear, shape, "Conv2D", **rectified, **step)
            case "dense":
                kernel = self._weights[node.weights["kernel"]].T
                inputs += self._kernel(kernel, node)
                self._operator(
                    "FULLY_CONNECTED", inputs, linear, shape, "FullyConnected", **rectified
                )
            case "add":
                self._operator("ADD", inputs, linear, shape, "Add", **rectified)
            case "max_pool":
                lowest = float(np.finfo(np.float32).min)
                window = {"filterHeight": node.size, "filterWidth": node.size}
                inputs = self._padded(node, lowest)
                self._operator("MAX_POOL_2D", inputs, linear, shape, "Pool2D", **window, **step)
            case "global_average_pool":
                inputs.append(self._constant(f"{linear}/axes", np.array([1, 2], np.int32)))
                self._operator("MEAN", inputs, linear, shape, "Reducer", keepDims=False)
            case "flatten":
                inputs.append(self._constant(f"{linear}/shape", np.array([1, -1], np.int32)))
                self._operator("RESHAPE", inputs, linear, shape, "Reshape", newShape=[1, -1])
            case "softmax":
                self._operator("SOFTMAX", inputs, linear, shape, "Softmax", beta=1.0)
        if node.activation == "prelu":
            slopes = self._weights[node.weights["alpha"]]
            # One for each channel, in as many dimensions as the tensor has.
            slopes = slopes.reshape((1,) * (len(shape) - 1) + (-1,))
            inputs = [self._indices[linear], self._constant(f"{linear}/slope", slopes)]
            self._operator("PRELU", inputs, node.output, shape)

    def _operator(
        self,
        code: str,
        inputs: list[int],
        output: str,
        shape: tuple[int, ...],
        options: str = "",
        **values: Any,
    ) -> None:
        """Add an operator and the tensor it makes."""
        number = getattr(self._schema.BuiltinOperator, code)
        if number not in self._codes:
            self._codes.append(number)
        operator = self._schema.OperatorT(
            opcodeIndex=self._codes.index(number),
            inputs=inputs,
            outputs=[self._flowing(output, shape)],
        )
        if options:
            operator.builtinOptionsType = getattr(self._schema.BuiltinOptions, f"{options}Options")
            operator.builtinOptions = getattr(self._schema, f"{options}OptionsT")(**values)
        self._operators.append(operator)

    def _padded(self, node: Node, value: float) -> list[int]:
        """Add what pads a node's input; returns the tensor to take in its place."""
        (taken,) = node.inputs
        top, bottom, left, right = node.padding
        if not any(node.padding):
            return [self._indices[taken]]
        height, width, channels = self._shapes[taken]
        name = f"{node.output}/padded"
        widths = np.array([(0, 0), (top, bottom), (left, right), (0, 0)], np.int32)
        inputs = [self._indices[taken], self._constant(f"{name}/widths", widths)]
        kind, options = "PAD", "Pad"
        if value:
            inputs.append(self._constant(f"{name}/value", np.array([value], np.float32)))
            kind, options = "PADV2", "PadV2"
        shape = (height + top + bottom, width + left + right, channels)
        self._operator(kind, inputs, name, shape, options)
        return [self._indices[name]]

    def _kernel(self, kernel: NDArray[np.float32], node: Node) -> list[int]:
        """Add (O, ...) and its bias."""
        no_bias = np.zeros(len(kernel), np.float32)
        bias = self._weights[node.weights["bias"]] if "bias" in node.weights else no_bias
        return [
            self._constant(f"{node.output}/kernel", kernel),
            self._constant(f"{node.output}/bias", bias),
        ]

    def _constant(self, name: str, array: NDArray[Any]) -> int:
        content = np.frombuffer(array.tobytes(), np.uint8)
        self._buffers.append(self._schema.BufferT(data=content))
        kind = getattr(self._schema.TensorType, array.dtype.name.upper())
        return self._tensor(name, shape=array.shape, type=kind, buffer=len(self._buffers) - 1)

    def _flowing(self, name: str, shape: tuple[int, ...]) -> int:
        """Add a tensor that is computed."""
        kind = self._schema.TensorType.FLOAT32
        return self._tensor(name, shape=(1, *shape), type=kind)

    def _tensor(self, name: str, **description: Any) -> int:
        self._tensors.append(self._schema.TensorT(name=name, hasRank=True, **description))
        self._indices[name] = len(self._tensors) - 1
        return self._indices[name]
