"""The networks' common form: a list of named operations over named tensors.

A graph is plain data. The artefact stores it as JSON, a runtime compiles it, the
trainer's export writes it. Tensors are NHWC; weights are named and live beside it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

Operation = Literal[
    "conv2d",
    "max_pool",
    "add",
    "global_average_pool",
    "flatten",
    "dense",
    "softmax",
]
Activation = Literal["none", "relu", "prelu"]
Weights = Mapping[str, NDArray[np.float32]]

_KEYS = frozenset(("op", "output", "inputs", "weights", "stride", "size", "padding", "activation"))
_ROLES: Mapping[str, tuple[frozenset[str], frozenset[str]]] = {
    # operation: (weights it must have, weights it may have)
    "conv2d": (frozenset({"kernel"}), frozenset({"bias", "alpha"})),
    "dense": (frozenset({"kernel"}), frozenset({"bias", "alpha"})),
    "add": (frozenset(), frozenset({"alpha"})),
}
_ACTIVATED = frozenset({"conv2d", "dense", "add"})


class GraphError(ValueError):
    """A graph that is malformed or does not fit its weights."""


@dataclass(frozen=True, slots=True)
class Node:
    """One operation.

    Attributes
    ----------
    op
        ``conv2d``, ``max_pool``, ``add``, ``global_average_pool``, ``flatten``
        (N, H, W, C row-major), ``dense`` or ``softmax`` (over the last axis).
    output
        Name of the tensor it makes.
    inputs
        Names of the tensors it takes: two for ``add``, else one.
    weights
        Role to weight name. ``conv2d``: ``kernel`` (H, W, I, O), optional ``bias``
        (O,); ``dense``: ``kernel`` (I, O), optional ``bias`` (O,); ``alpha`` (O,)
        where the activation is ``prelu``.
    stride, size
        Step and window of ``conv2d`` (stride alone) and ``max_pool``, in pixels.
    padding
        Rows and columns added at the top, bottom, left and right: zeros for
        ``conv2d``, values that never win for ``max_pool``.
    activation
        ``none``, ``relu`` or ``prelu``, on ``conv2d``, ``dense`` and ``add``.
    """

    op: Operation
    output: str
    inputs: tuple[str, ...]
    weights: Mapping[str, str] = field(default_factory=dict)
    stride: int = 1
    size: int = 1
    padding: tuple[int, int, int, int] = (0, 0, 0, 0)
    activation: Activation = "none"

    def __post_init__(self) -> None:
        """Refuse what no runtime could execute."""
        if self.op not in get_args(Operation):
            raise GraphError(
                f"unknown operation {self.op!r}; known are {', '.join(get_args(Operation))}"
            )
        if self.activation not in get_args(Activation):
            raise GraphError(f"{self.output}: unknown activation {self.activation!r}")
        if self.activation != "none" and self.op not in _ACTIVATED:
            raise GraphError(f"{self.output}: {self.op} takes no activation")
        if len(self.inputs) != (2 if self.op == "add" else 1):
            raise GraphError(f"{self.output}: {self.op} got {len(self.inputs)} inputs")
        if self.stride < 1 or self.size < 1:
            raise GraphError(f"{self.output}: stride and size must be at least 1")
        if len(self.padding) != 4 or min(self.padding) < 0:  # type: ignore[redundant-expr]  # JSON
            raise GraphError(
                f"{self.output}: padding is [top, bottom, left, right], none negative; "
                f"got {list(self.padding)}"
            )
        if self.op == "max_pool" and max(self.padding) >= self.size:
            raise GraphError(
                f"{self.output}: padding {list(self.padding)} holds whole windows of {self.size}"
            )
        needed, allowed = _ROLES.get(self.op, (frozenset(), frozenset()))
        if self.activation == "prelu":
            needed = needed | {"alpha"}
        roles = frozenset(self.weights)
        if needed - roles or roles - needed - allowed:
            raise GraphError(
                f"{self.output}: {self.op} needs weights {sorted(needed)}, got {sorted(roles)}"
            )

    @classmethod
    def parse(cls, data: Mapping[str, Any]) -> Node:
        """Read one node of a ``model.json``; raises `GraphError`."""
        unknown = set(data) - _KEYS
        if unknown:
            raise GraphError(f"unknown keys in a node: {', '.join(sorted(unknown))}")
        try:
            return cls(
                op=data["op"],
                output=str(data["output"]),
                inputs=tuple(map(str, data["inputs"])),
                weights={str(k): str(v) for k, v in data.get("weights", {}).items()},
                stride=int(data.get("stride", 1)),
                size=int(data.get("size", 1)),
                padding=tuple(map(int, data.get("padding", (0, 0, 0, 0)))),  # type: ignore[arg-type]
                activation=data.get("activation", "none"),
            )
        except KeyError as error:
            raise GraphError(f"a node lacks the key {error}") from error
        except (TypeError, AttributeError) as error:
            raise GraphError(f"a node is malformed: {error}") from error

    def as_json(self) -> dict[str, Any]:
        """Return the node as JSON data, defaults left out."""
        data: dict[str, Any] = {
            "op": self.op,
            "output": self.output,
            "inputs": list(self.inputs),
        }
        if self.weights:
            data["weights"] = dict(self.weights)
        if self.op in ("conv2d", "max_pool"):
            data["stride"] = self.stride
            data["padding"] = list(self.padding)
        if self.op == "max_pool":
            data["size"] = self.size
        if self.activation != "none":
            data["activation"] = self.activation
        return data


@dataclass(frozen=True, slots=True)
class Graph:
    """Operations in the order of execution.

    Attributes
    ----------
    inputs
        Names of the tensors given to the network; this format has one, an image.
    outputs
        Names of the tensors handed back, in this order.
    nodes
        The operations; each takes tensors that exist already.
    """

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    nodes: tuple[Node, ...]

    def __post_init__(self) -> None:
        """Refuse tensors that are missing or made twice."""
        if len(self.inputs) != 1:
            raise GraphError(f"a graph has one input, got {list(self.inputs)}")
        known = set(self.inputs)
        for node in self.nodes:
            missing = set(node.inputs) - known
            if missing:
                raise GraphError(
                    f"{node.output}: no tensor named {', '.join(sorted(missing))} before it"
                )
            if node.output in known:
                raise GraphError(f"tensor {node.output} is made twice")
            known.add(node.output)
        if not self.outputs or set(self.outputs) - known:
            raise GraphError(f"outputs {list(self.outputs)} are not all made")

    @classmethod
    def parse(cls, data: Mapping[str, Any]) -> Graph:
        """Read one graph of a ``model.json``; raises `GraphError`."""
        try:
            return cls(
                inputs=tuple(map(str, data["inputs"])),
                outputs=tuple(map(str, data["outputs"])),
                nodes=tuple(Node.parse(node) for node in data["nodes"]),
            )
        except KeyError as error:
            raise GraphError(f"the graph lacks the key {error}") from error
        except TypeError as error:
            raise GraphError(f"the graph is malformed: {error}") from error

    def as_json(self) -> dict[str, Any]:
        """Return the graph as JSON data."""
        return {
            "inputs": list(self.inputs),
            "outputs": list(self.outputs),
            "nodes": [node.as_json() for node in self.nodes],
        }

    def shapes(
        self, weights: Weights, height: int, width: int, channels: int = 3
    ) -> dict[str, tuple[int, ...]]:
        """Return the shape of every tensor for one image.

        Parameters
        ----------
        weights
            Name to array, as `check` accepts them.
        height, width, channels
            Of the image, in pixels and numbers for each.

        Returns
        -------
        dict
            Tensor name to (H, W, C) or (C,), in the order of execution.

        Raises
        ------
        GraphError
            The graph cannot take images of this size.
        """
        shapes: dict[str, tuple[int, ...]] = {self.inputs[0]: (height, width, channels)}
        for node in self.nodes:
            shape = _shape(node, shapes[node.inputs[0]], weights)
            if min(shape) < 1 or any(shapes[name] != shape for name in node.inputs[1:]):
                raise GraphError(f"{node.output}: images of {width}x{height} pixels do not fit")
            shapes[node.output] = shape
        return shapes

    def smallest_side(self, weights: Weights, limit: int = 1024) -> int:
        """Return the side of the smallest square image that the graph takes, in pixels.

        Raises
        ------
        GraphError
            None up to ``limit`` fits.
        """
        for side in range(1, limit + 1):
            with suppress(GraphError):
                self.shapes(weights, side, side)
                return side
        raise GraphError(f"no square image of up to {limit} pixels fits the graph")

    def check(self, weights: Weights, channels: int = 3) -> None:
        """Check that every weight is there and fits what flows into it.

        Parameters
        ----------
        weights
            Name to array.
        channels
            Channels of the input image.

        Raises
        ------
        GraphError
            Names the node, the weight and both shapes.
        """
        # None: not known without the image's size, as after a flatten.
        flowing: dict[str, int | None] = {self.inputs[0]: channels}
        for node in self.nodes:
            for name in node.weights.values():
                if name not in weights:
                    raise GraphError(f"{node.output}: weight {name} is missing")
            incoming = [flowing[name] for name in node.inputs]
            flowing[node.output] = outgoing = _channels(node, incoming, weights)
            for role in ("bias", "alpha"):
                if role in node.weights:
                    name = node.weights[role]
                    shape = weights[name].shape
                    if len(shape) != 1 or outgoing not in (None, shape[0]):
                        raise GraphError(
                            f"{node.output}: weight {name} has shape {shape}, "
                            f"expected ({outgoing},)"
                        )


def _shape(node: Node, shape: tuple[int, ...], weights: Weights) -> tuple[int, ...]:
    """Return the shape that a node makes of its (first) input's, batch left out."""
    match node.op:
        case "conv2d":
            *window, _, channels = weights[node.weights["kernel"]].shape
        case "max_pool":
            window, channels = [node.size, node.size], shape[-1]
        case "global_average_pool":
            return shape[-1:]
        case "flatten":
            return (math.prod(shape),)
        case "dense":
            expected, made = weights[node.weights["kernel"]].shape
            if shape[-1] != expected:
                raise GraphError(f"{node.output}: got {shape[-1]} values, takes {expected}")
            return (*shape[:-1], made)
        case "add" | "softmax":
            return shape
    top, bottom, left, right = node.padding
    return (
        (shape[0] + top + bottom - window[0]) // node.stride + 1,
        (shape[1] + left + right - window[1]) // node.stride + 1,
        channels,
    )


def _channels(node: Node, incoming: list[int | None], weights: Weights) -> int | None:
    """Return how many channels a node makes of those that flow into it."""
    if node.op == "flatten":
        return None
    if node.op == "add" and None not in incoming and incoming[0] != incoming[1]:
        raise GraphError(f"{node.output}: adds {incoming[0]} channels to {incoming[1]}")
    if node.op not in ("conv2d", "dense"):
        return incoming[0]
    name = node.weights["kernel"]
    shape = weights[name].shape
    rank = 4 if node.op == "conv2d" else 2
    if len(shape) != rank or incoming[0] not in (None, shape[-2]):
        raise GraphError(
            f"{node.output}: weight {name} has shape {shape}, but its input has "
            f"{incoming[0]} channels and {node.op} wants {rank} dimensions"
        )
    return int(shape[-1])
