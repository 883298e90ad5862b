"""The default runtime: NumPy alone, one matrix product for each convolution.

Inside, tensors are (C, H, W, N): channels first, so that a convolution is
``kernel @ columns`` with long rows, and batch last, so that gathering the columns
copies long contiguous runs for one large picture and for many small crops alike
(Chellapilla, Puri and Simard 2006, "High performance convolutional neural networks
for document processing", unrolled convolution). Memory is kept between calls, and all
networks of a thread share it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from ..graph import Graph, Node, Weights
from ..scratch import Scratch
from .blas import one_thread

Tensor = NDArray[np.float32]
Layer = Callable[..., Tensor]

_PIXELS = 32 * 1024  # of all images computed at a time: bounds the memory of many crops
_POOLED = 128 * 1024  # values pooled at a time
_COLUMNS = 256 * 1024  # values unrolled at a time: of less, the many calls are felt


class _Scratch(threading.local, Scratch):
    """One for each thread: no two networks of a thread compute at once."""


_scratch = _Scratch()


class NumpyRuntime:
    """Executes graphs with NumPy."""

    name = "numpy"

    def compile(self, graph: Graph, weights: Weights) -> _NumpyNetwork:
        """Prepare a graph for execution."""
        return _NumpyNetwork(graph, weights)


class _NumpyNetwork:
    def __init__(self, graph: Graph, weights: Weights) -> None:
        self._graph = graph
        slots = _slots(graph)
        self._layers = [_layer(node, weights, slots[node.output]) for node in graph.nodes]

    def __call__(self, batch: Tensor) -> tuple[Tensor, ...]:
        step = max(1, _PIXELS // (batch.shape[1] * batch.shape[2]))
        with one_thread():
            parts = [self._some(batch[i : i + step]) for i in range(0, len(batch), step)]
        if len(parts) == 1:
            return parts[0]
        return tuple(np.concatenate(output) for output in zip(*parts, strict=True))

    def _some(self, batch: Tensor) -> tuple[Tensor, ...]:
        image = batch.transpose(3, 1, 2, 0)
        if not image.flags.c_contiguous:
            image = _scratch.take("input", image.shape)
            np.copyto(image, batch.transpose(3, 1, 2, 0))
        tensors = {self._graph.inputs[0]: image}
        for node, layer in zip(self._graph.nodes, self._layers, strict=True):
            tensors[node.output] = layer(*(tensors[name] for name in node.inputs))
        return tuple(_batch_first(tensors[name]) for name in self._graph.outputs)


def _slots(graph: Graph) -> dict[str, int]:
    """Give each tensor a number such that no two with the same one are needed at once."""
    last = {name: i for i, node in enumerate(graph.nodes) for name in node.inputs}
    last |= dict.fromkeys(graph.outputs, len(graph.nodes))
    slots: dict[str, int] = {}
    for i, node in enumerate(graph.nodes):
        taken = {slot for name, slot in slots.items() if last.get(name, -1) >= i}
        slots[node.output] = next(slot for slot in range(len(taken) + 1) if slot not in taken)
    return slots


def _batch_first(tensor: Tensor) -> Tensor:
    """(C, H, W, N) to (N, H, W, C), or (C, N) to (N, C); always a copy."""
    axes = (3, 1, 2, 0) if tensor.ndim == 4 else (1, 0)
    return tensor.transpose(axes).copy()


class _Activation:
    """In place on (C, anything), by operations that NumPy does on many values at a time.

    Comparing with one number is not among them: five times slower than with an array.
    """

    def __init__(self, node: Node, weights: Weights) -> None:
        self._kind = node.activation
        self._zeros = np.zeros(0, np.float32)
        if self._kind == "prelu":
            self._slope = weights[node.weights["alpha"]][:, None]
            # A slope above one makes negative values smaller, not larger.
            self._steep = np.flatnonzero(self._slope > 1)

    def __call__(self, values: Tensor) -> None:
        if self._kind == "relu":
            size = values.shape[1]
            if self._zeros.size < size:
                self._zeros = np.zeros(size, np.float32)
            np.maximum(values, self._zeros[:size], out=values)
        elif self._kind == "prelu":
            sloped = _scratch.take("sloped", values.shape)
            np.multiply(values, self._slope, out=sloped)
            for channel in self._steep:
                np.minimum(values[channel], sloped[channel], out=values[channel])
                np.copyto(sloped[channel], values[channel])
            np.maximum(values, sloped, out=values)


class _Conv2d:
    def __init__(self, node: Node, weights: Weights, slot: int) -> None:
        kernel = weights[node.weights["kernel"]]
        self._window = kernel.shape[:2]
        self._stride = node.stride
        self._padding = node.padding
        self._padded = np.zeros((0, 0, 0, 0), np.float32)
        self._slot = slot
        self._activate = _Activation(node, weights)
        # (O, I * H * W + 1): the last column meets a row of ones and adds the bias.
        matrix = kernel.transpose(3, 2, 0, 1).reshape(kernel.shape[3], -1)
        self._matrix = np.column_stack([matrix, _bias(node, weights)])

    def __call__(self, image: Tensor) -> Tensor:
        if any(self._padding):
            image = self._pad(image)
        channels, height, width, batch = image.shape
        (rows, columns), stride = self._window, self._stride
        out_height = (height - rows) // stride + 1
        out_width = (width - columns) // stride + 1
        filters, taps = self._matrix.shape
        output: Tensor = _scratch.take(self._slot, (filters, out_height, out_width, batch))
        flat = output.reshape(filters, -1)
        if taps - 1 == channels and stride == 1:  # one pixel at a time: nothing to unroll
            np.matmul(self._matrix[:, :-1], image.reshape(channels, -1), out=flat)
            np.add(flat, self._matrix[:, -1:], out=flat)
            self._activate(flat)
            return output

        step_c, step_h, step_w, step_n = image.strides
        # As `as_strided`, in a seventh of its time: small pictures have many calls of it.
        windows = np.ndarray(
            (channels, rows, columns, out_height, out_width, batch),
            image.dtype,
            image,
            strides=(step_c, step_h, step_w, step_h * stride, step_w * stride, step_n),
        )
        line = out_width * batch
        block = max(1, _COLUMNS // (taps * line))
        for top in range(0, out_height, block):
            bottom = min(top + block, out_height)
            unrolled = _scratch.take("columns", (taps, (bottom - top) * line))
            unrolled[-1] = 1
            np.copyto(
                unrolled[:-1].reshape(channels, rows, columns, bottom - top, out_width, batch),
                windows[:, :, :, top:bottom],
            )
            part = flat[:, top * line : bottom * line]
            np.matmul(self._matrix, unrolled, out=part)
            self._activate(part)
        return output

    def _pad(self, image: Tensor) -> Tensor:
        top, bottom, left, right = self._padding
        channels, height, width, batch = image.shape
        shape = (channels, height + top + bottom, width + left + right, batch)
        if self._padded.shape != shape:  # else the border is still zero
            self._padded = np.zeros(shape, np.float32)
        np.copyto(self._padded[:, top : top + height, left : left + width], image)
        return self._padded


class _MaxPool:
    """Rows first, then columns: 2 * size comparisons in place of size squared."""

    def __init__(self, node: Node, _: Weights, slot: int) -> None:
        self._node = node
        self._slot = slot

    def __call__(self, image: Tensor) -> Tensor:
        size, stride = self._node.size, self._node.stride
        top, bottom, left, right = self._node.padding
        channels, height, width, batch = image.shape
        out_height = (height + top + bottom - size) // stride + 1
        out_width = (width + left + right - size) // stride + 1
        output: Tensor = _scratch.take(self._slot, (channels, out_height, out_width, batch))
        some = max(1, _POOLED // image[0].size)
        for i in range(0, channels, some):
            self._pool(image[i : i + some], output[i : i + some])
        return output

    def _pool(self, image: Tensor, output: Tensor) -> None:
        size, stride = self._node.size, self._node.stride
        top, _, left, _ = self._node.padding
        channels, height, width, batch = image.shape
        out_height, out_width = output.shape[1:3]

        tall = _scratch.take("rows", (channels, out_height, width, batch))
        inside, others = self._steps(height, top, out_height)
        first = inside.start * stride - top
        end = first + len(inside) * stride
        _maximum(
            [image[:, first + tap : end + tap : stride] for tap in range(size)],
            tall[:, inside.start : inside.stop],
        )
        for step, window in others:
            _maximum([image[:, row] for row in window], tall[:, step])

        # At every column, those between two steps too: skipping is slower than comparing.
        flat = tall.reshape(-1)
        length = flat.size - (size - 1) * batch
        wide = _scratch.take("wide", tall.shape)
        _maximum(
            [flat[tap * batch : tap * batch + length] for tap in range(size)],
            wide.reshape(-1)[:length],
        )
        inside, others = self._steps(width, left, out_width)
        first = inside.start * stride - left
        end = first + len(inside) * stride
        np.copyto(output[:, :, inside.start : inside.stop], wide[:, :, first:end:stride])
        for step, window in others:
            _maximum([tall[:, :, column] for column in window], output[:, :, step])

    def _steps(
        self, length: int, padding: int, steps: int
    ) -> tuple[range, list[tuple[int, range]]]:
        """Return the steps whose window lies inside, and others with what is inside of it."""
        size, stride = self._node.size, self._node.stride
        first = min(-(-padding // stride), steps)
        end = max(first, min((length - size + padding) // stride + 1, steps))
        others = []
        for step in (*range(first), *range(end, steps)):
            start = step * stride - padding
            others.append((step, range(max(start, 0), min(start + size, length))))
        return range(first, end), others


def _maximum(values: Sequence[Tensor], output: Tensor) -> None:
    """Take the largest of arrays of one shape, element by element."""
    largest = values[0]
    for other in values[1:] or values:
        largest = np.maximum(largest, other, out=output)


class _Add:
    def __init__(self, node: Node, weights: Weights, slot: int) -> None:
        self._slot = slot
        self._activate = _Activation(node, weights)

    def __call__(self, left: Tensor, right: Tensor) -> Tensor:
        output: Tensor = _scratch.take(self._slot, left.shape)
        np.add(left, right, out=output)
        self._activate(output.reshape(len(output), -1))
        return output


class _Dense:
    def __init__(self, node: Node, weights: Weights, slot: int) -> None:
        self._slot = slot
        self._matrix = np.ascontiguousarray(weights[node.weights["kernel"]].T)
        self._bias = _bias(node, weights)[:, None]
        self._activate = _Activation(node, weights)

    def __call__(self, values: Tensor) -> Tensor:
        output: Tensor = _scratch.take(self._slot, (len(self._matrix), values.shape[1]))
        np.matmul(self._matrix, values, out=output)
        np.add(output, self._bias, out=output)
        self._activate(output)
        return output


def _bias(node: Node, weights: Weights) -> Tensor:
    if "bias" in node.weights:
        return weights[node.weights["bias"]]
    return np.zeros(weights[node.weights["kernel"]].shape[-1], np.float32)


def _global_average_pool(image: Tensor) -> Tensor:
    mean: Tensor = image.mean(axis=(1, 2))
    return mean


def _flatten(image: Tensor) -> Tensor:
    return image.transpose(1, 2, 0, 3).reshape(-1, image.shape[3])


def _softmax(values: Tensor) -> Tensor:
    exponential: Tensor = np.exp(values - values.max(axis=0))
    exponential /= exponential.sum(axis=0)
    return exponential


def _layer(node: Node, weights: Weights, slot: int) -> Layer:
    layer: Layer
    match node.op:
        case "conv2d":
            layer = _Conv2d(node, weights, slot)
        case "dense":
            layer = _Dense(node, weights, slot)
        case "add":
            layer = _Add(node, weights, slot)
        case "max_pool":
            layer = _MaxPool(node, weights, slot)
        case "global_average_pool":
            layer = _global_average_pool
        case "flatten":
            layer = _flatten
        case "softmax":
            layer = _softmax
    return layer
