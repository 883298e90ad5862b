"""The default runtime: NumPy alone, one matrix product for each convolution.

Inside, tensors are (C, H, W, N): channels first, so that a convolution is
``kernel @ columns`` with long rows, and batch last, so that gathering the columns
copies long contiguous runs for one large picture and for many small crops alike
(Chellapilla, Puri and Simard 2006, "High performance convolutional neural networks
for document processing", unrolled convolution). Scratch memory is allocated once and
grows to the largest input seen: on musl, allocating afresh cost more than computing.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from ..graph import Graph, Node, Weights
from .blas import one_thread

Tensor = NDArray[np.float32]
Layer = Callable[..., Tensor]

_COLUMN_FLOATS = 96 * 1024  # 384 KiB of columns at a time: they stay in a core's cache


class _Scratch:
    """Named buffers that grow and are used again."""

    def __init__(self) -> None:
        self._buffers: dict[object, Tensor] = {}

    def take(self, key: object, shape: tuple[int, ...]) -> Tensor:
        size = math.prod(shape)
        buffer = self._buffers.get(key)
        if buffer is None or buffer.size < size:
            buffer = self._buffers[key] = np.empty(size, np.float32)
        return buffer[:size].reshape(shape)


class NumpyRuntime:
    """Executes graphs with NumPy."""

    name = "numpy"

    def compile(self, graph: Graph, weights: Weights) -> _NumpyNetwork:
        """Prepare a graph for execution."""
        return _NumpyNetwork(graph, weights)


class _NumpyNetwork:
    def __init__(self, graph: Graph, weights: Weights) -> None:
        self._graph = graph
        self._scratch = _Scratch()
        self._layers = [_layer(node, weights, self._scratch) for node in graph.nodes]

    def __call__(self, batch: Tensor) -> tuple[Tensor, ...]:
        image = self._scratch.take("input", batch.shape[3:] + batch.shape[1:3] + batch.shape[:1])
        np.copyto(image, batch.transpose(3, 1, 2, 0))
        tensors = {self._graph.inputs[0]: image}
        with one_thread():
            for node, layer in zip(self._graph.nodes, self._layers, strict=True):
                tensors[node.output] = layer(*(tensors[name] for name in node.inputs))
        return tuple(_batch_first(tensors[name]) for name in self._graph.outputs)


def _batch_first(tensor: Tensor) -> Tensor:
    """(C, H, W, N) to (N, H, W, C), or (C, N) to (N, C); always a copy."""
    axes = (3, 1, 2, 0) if tensor.ndim == 4 else (1, 0)
    return tensor.transpose(axes).copy()


class _Activation:
    """In place on (C, anything)."""

    def __init__(self, node: Node, weights: Weights, scratch: _Scratch) -> None:
        self._kind = node.activation
        self._scratch = scratch
        if self._kind == "prelu":
            # x + (alpha - 1) * min(x, 0): one pass fewer than the textbook's form.
            self._slope = weights[node.weights["alpha"]][:, None] - 1

    def __call__(self, values: Tensor) -> None:
        if self._kind == "prelu":
            negative = self._scratch.take("negative", values.shape)
            np.minimum(values, 0, out=negative)
            negative *= self._slope
            values += negative
        elif self._kind == "relu":
            np.maximum(values, 0, out=values)


class _Conv2d:
    def __init__(self, node: Node, weights: Weights, scratch: _Scratch) -> None:
        kernel = weights[node.weights["kernel"]]
        height, width, _, filters = kernel.shape
        self._window = (height, width)
        self._stride = node.stride
        self._padding = node.padding
        self._key = node.output
        self._scratch = scratch
        self._activate = _Activation(node, weights, scratch)
        bias = (
            weights[node.weights["bias"]]
            if "bias" in node.weights
            else np.zeros(filters, np.float32)
        )
        # (O, I * H * W + 1): the last column meets a row of ones and adds the bias.
        matrix = kernel.transpose(3, 2, 0, 1).reshape(filters, -1)
        self._matrix = np.ascontiguousarray(np.column_stack([matrix, bias]))

    def __call__(self, image: Tensor) -> Tensor:
        image = _padded(image, self._padding, 0.0, self._key, self._scratch)
        channels, height, width, batch = image.shape
        (rows, columns), stride = self._window, self._stride
        filters, taps = self._matrix.shape
        out_height = (height - rows) // stride + 1
        out_width = (width - columns) // stride + 1
        output = self._scratch.take(self._key, (filters, out_height, out_width, batch))
        flat = output.reshape(filters, -1)
        step_c, step_h, step_w, step_n = image.strides
        windows = as_strided(
            image,
            (channels, rows, columns, out_height, out_width, batch),
            (step_c, step_h, step_w, step_h * stride, step_w * stride, step_n),
            writeable=False,
        )
        line = out_width * batch
        block = max(1, _COLUMN_FLOATS // (taps * line))
        for top in range(0, out_height, block):
            bottom = min(top + block, out_height)
            unrolled = self._scratch.take("columns", (taps, (bottom - top) * line))
            unrolled[-1] = 1
            np.copyto(
                unrolled[:-1].reshape(channels, rows, columns, bottom - top, out_width, batch),
                windows[:, :, :, top:bottom],
            )
            part = flat[:, top * line : bottom * line]
            np.matmul(self._matrix, unrolled, out=part)
            self._activate(part)
        return output


def _max_pool(node: Node, scratch: _Scratch, image: Tensor) -> Tensor:
    image = _padded(image, node.padding, -np.inf, node.output, scratch)
    channels, height, width, batch = image.shape
    size, stride = node.size, node.stride
    out_height = (height - size) // stride + 1
    out_width = (width - size) // stride + 1

    # Rows first, then columns: 2 * size comparisons in place of size squared.
    tall = scratch.take((node.output, "rows"), (channels, out_height, width, batch))
    np.copyto(tall, image[:, : (out_height - 1) * stride + 1 : stride])
    for tap in range(1, size):
        rows = image[:, tap : tap + (out_height - 1) * stride + 1 : stride]
        np.maximum(tall, rows, out=tall)
    output = scratch.take(node.output, (channels, out_height, out_width, batch))
    np.copyto(output, tall[:, :, : (out_width - 1) * stride + 1 : stride])
    for tap in range(1, size):
        columns = tall[:, :, tap : tap + (out_width - 1) * stride + 1 : stride]
        np.maximum(output, columns, out=output)
    return output


class _Add:
    def __init__(self, node: Node, weights: Weights, scratch: _Scratch) -> None:
        self._key = node.output
        self._scratch = scratch
        self._activate = _Activation(node, weights, scratch)

    def __call__(self, left: Tensor, right: Tensor) -> Tensor:
        output = self._scratch.take(self._key, left.shape)
        np.add(left, right, out=output)
        self._activate(output.reshape(len(output), -1))
        return output


def _global_average_pool(image: Tensor) -> Tensor:
    mean: Tensor = image.mean(axis=(1, 2))
    return mean


def _flatten(image: Tensor) -> Tensor:
    return image.transpose(1, 2, 0, 3).reshape(-1, image.shape[3])


class _Dense:
    def __init__(self, node: Node, weights: Weights, scratch: _Scratch) -> None:
        self._matrix = np.ascontiguousarray(weights[node.weights["kernel"]].T)
        self._bias = weights[node.weights["bias"]][:, None] if "bias" in node.weights else None
        self._activate = _Activation(node, weights, scratch)

    def __call__(self, values: Tensor) -> Tensor:
        output: Tensor = self._matrix @ values
        if self._bias is not None:
            output += self._bias
        self._activate(output)
        return output


def _softmax(values: Tensor) -> Tensor:
    exponential = np.exp(values - values.max(axis=0))
    output: Tensor = exponential / exponential.sum(axis=0)
    return output


def _padded(
    image: Tensor,
    padding: tuple[int, int, int, int],
    value: float,
    key: str,
    scratch: _Scratch,
) -> Tensor:
    if not any(padding):
        return image
    top, bottom, left, right = padding
    channels, height, width, batch = image.shape
    padded = scratch.take(
        (key, "padded"), (channels, height + top + bottom, width + left + right, batch)
    )
    padded[:, :top] = value
    padded[:, top + height :] = value
    padded[:, :, :left] = value
    padded[:, :, left + width :] = value
    np.copyto(padded[:, top : top + height, left : left + width], image)
    return padded


def _layer(node: Node, weights: Weights, scratch: _Scratch) -> Layer:
    layer: Layer
    match node.op:
        case "conv2d":
            layer = _Conv2d(node, weights, scratch)
        case "dense":
            layer = _Dense(node, weights, scratch)
        case "add":
            layer = _Add(node, weights, scratch)
        case "max_pool":
            layer = partial(_max_pool, node, scratch)
        case "global_average_pool":
            layer = _global_average_pool
        case "flatten":
            layer = _flatten
        case "softmax":
            layer = _softmax
    return layer
