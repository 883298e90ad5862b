"""LiteRT, formerly TensorFlow Lite: an accelerator where its package is installed.

The network is written as a LiteRT model in memory: no file beside the artefact is
needed, and there is none that could differ from it.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..graph import Graph, Node, Weights

_VERSION = 3  # of the file format
_IDENTIFIER = b"TFL3"
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
        return _LitertNetwork(graph, write(graph, weights))


class _LitertNetwork:
    def __init__(self, graph: Graph, model: bytes) -> None:
        library = import_module("ai_edge_litert.interpreter")
        self._interpreter = library.Interpreter(model_content=model, num_threads=1)
        self._input = self._interpreter.get_input_details()[0]["index"]
        indices = {
            detail["name"]: detail["index"] for detail in self._interpreter.get_output_details()
        }
        self._outputs = [indices[name] for name in graph.outputs]
        self._shape: tuple[int, ...] = ()

    def __call__(self, batch: NDArray[np.float32]) -> tuple[NDArray[np.float32], ...]:
        # One image at a time: for each batch size the network would be prepared anew.
        answers = [self._one(image[None]) for image in batch]
        return tuple(np.concatenate(output) for output in zip(*answers, strict=True))

    def _one(self, image: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        if image.shape != self._shape:
            self._interpreter.resize_tensor_input(self._input, image.shape)
            self._interpreter.allocate_tensors()
            self._shape = image.shape
        self._interpreter.set_tensor(self._input, image)
        self._interpreter.invoke()
        return [self._interpreter.get_tensor(index) for index in self._outputs]


def write(graph: Graph, weights: Weights) -> bytes:
    """Return a graph as the content of a ``.tflite`` file, for one image of any size."""
    return _Writer(graph, weights).content()


class _Writer:
    def __init__(self, graph: Graph, weights: Weights) -> None:
        self._schema = import_module("ai_edge_litert.schema_py_generated")
        self._graph = graph
        self._weights = weights
        self._buffers = [self._schema.BufferT()]  # the first one stands for "not constant"
        self._tensors: list[Any] = []
        self._indices: dict[str, int] = {}
        self._codes: list[int] = []
        self._operators: list[Any] = []
        self._flowing(graph.inputs[0], rank=4)
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
        rank = len(self._tensors[inputs[0]].shape)
        linear = f"{node.output}/linear" if node.activation == "prelu" else node.output
        fused = self._schema.ActivationFunctionType
        rectified = fused.RELU if node.activation == "relu" else fused.NONE
        step = {
            "strideH": node.stride,
            "strideW": node.stride,
            "padding": self._schema.Padding.VALID,
        }
        match node.op:
            case "conv2d":
                kernel = self._weights[node.weights["kernel"]].transpose(3, 0, 1, 2)
                given = [*self._padded(inputs, node, 0.0), *self._kernel(kernel, node)]
                self._operator(
                    "CONV_2D", given, linear, 4, "Conv2D", fusedActivationFunction=rectified, **step
                )
            case "dense":
                kernel = self._weights[node.weights["kernel"]].T
                given = [*inputs, *self._kernel(kernel, node)]
                self._operator(
                    "FULLY_CONNECTED",
                    given,
                    linear,
                    2,
                    "FullyConnected",
                    fusedActivationFunction=rectified,
                )
            case "add":
                self._operator(
                    "ADD", inputs, linear, rank, "Add", fusedActivationFunction=rectified
                )
            case "max_pool":
                lowest = float(np.finfo(np.float32).min)
                window = {"filterHeight": node.size, "filterWidth": node.size}
                given = self._padded(inputs, node, lowest)
                self._operator("MAX_POOL_2D", given, linear, 4, "Pool2D", **window, **step)
            case "global_average_pool":
                axes = self._constant(f"{linear}/axes", np.array([1, 2], np.int32))
                self._operator("MEAN", [*inputs, axes], linear, 2, "Reducer", keepDims=False)
            case "flatten":
                shape = self._constant(f"{linear}/shape", np.array([1, -1], np.int32))
                self._operator("RESHAPE", [*inputs, shape], linear, 2, "Reshape", newShape=[1, -1])
            case "softmax":
                self._operator("SOFTMAX", inputs, linear, rank, "Softmax", beta=1.0)
        if node.activation == "prelu":
            slopes = self._weights[node.weights["alpha"]]
            # One value for each channel, in as many dimensions as an image has.
            slope = self._constant(f"{linear}/slope", slopes.reshape((1,) * (rank - 2) + (-1,)))
            self._operator("PRELU", [self._indices[linear], slope], node.output, rank)

    def _operator(
        self, code: str, inputs: list[int], output: str, rank: int, options: str = "", **values: Any
    ) -> None:
        """Add an operator and the tensor it makes."""
        schema = self._schema
        number = getattr(schema.BuiltinOperator, code)
        if number not in self._codes:
            self._codes.append(number)
        operator = schema.OperatorT(
            opcodeIndex=self._codes.index(number),
            inputs=inputs,
            outputs=[self._flowing(output, rank)],
        )
        if options:
            operator.builtinOptionsType = getattr(schema.BuiltinOptions, f"{options}Options")
            operator.builtinOptions = getattr(schema, f"{options}OptionsT")(**values)
        self._operators.append(operator)

    def _padded(self, inputs: list[int], node: Node, value: float) -> list[int]:
        if not any(node.padding):
            return inputs
        name = f"{node.output}/padded"
        widths = np.array([(0, 0), node.padding[:2], node.padding[2:], (0, 0)], np.int32)
        given = [
            *inputs,
            self._constant(f"{name}/widths", widths),
            self._constant(f"{name}/value", np.array([value], np.float32)),
        ]
        self._operator("PADV2", given, name, 4, "PadV2")
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

    def _flowing(self, name: str, rank: int) -> int:
        """Add a tensor whose size is known when the network runs."""
        kind = self._schema.TensorType.FLOAT32
        return self._tensor(name, shape=(1,) * rank, shapeSignature=(-1,) * rank, type=kind)

    def _tensor(self, name: str, **description: Any) -> int:
        self._tensors.append(self._schema.TensorT(name=name, hasRank=True, **description))
        self._indices[name] = len(self._tensors) - 1
        return self._indices[name]
