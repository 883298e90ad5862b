"""MTCNN's weights, from the ``mtcnn`` package into our model artefact."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, distribution, version
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agegender_vision import artefact
from agegender_vision.graph import Graph, Node

PACKAGE = "mtcnn"
KNOWN_VERSION = "1.0.0"

# What the package's networks are made of: (name, window of the pooling after it).
_CONVOLUTIONS: dict[str, list[tuple[str, tuple[int, bool] | None]]] = {
    # The flag: padded at the end ("same"), so that no pixel is left over.
    "pnet": [("conv1", (2, True)), ("conv2", None), ("conv3", None)],
    "rnet": [("conv1", (3, True)), ("conv2", (3, False)), ("conv3", None)],
    "onet": [
        ("conv1", (3, True)),
        ("conv2", (3, False)),
        ("conv3", (2, True)),
        ("conv4", None),
    ],
}
# Side of the map that the first dense layer reads, and the network's outputs.
_DENSE_SIDE = {"rnet": 3, "onet": 3}
_OUTPUTS = {
    "pnet": ("box", "face"),
    "rnet": ("box", "face"),
    "onet": ("box", "landmarks", "face"),
}


def convert(output: Path) -> None:
    """Write the installed ``mtcnn`` package's weights as an artefact.

    Parameters
    ----------
    output
        Folder for ``model.json``, ``weights.npz`` and ``LICENSE``; made if absent.

    Raises
    ------
    ModuleNotFoundError
        The package is not installed.
    RuntimeError
        It has another version than the one whose layout is known here.
    """
    try:
        found = version(PACKAGE)
    except PackageNotFoundError as error:
        raise ModuleNotFoundError(
            f"the package {PACKAGE} is missing: pip install {PACKAGE}=={KNOWN_VERSION}"
        ) from error
    if found != KNOWN_VERSION:
        raise RuntimeError(
            f"{PACKAGE} {found} is installed, its layout is known for {KNOWN_VERSION}: "
            f"install {PACKAGE}=={KNOWN_VERSION}"
        )
    graphs: dict[str, Graph] = {}
    weights: dict[str, NDArray[Any]] = {}
    for network in _CONVOLUTIONS:
        graphs[network], own = _network(network, iter(_stored(network)))
        weights |= own
    artefact.save(
        output,
        {
            "name": "mtcnn",
            "kind": "detector",
            "licence": "MIT",
            "source": f"{PACKAGE} {found}, Iván de Paz Centeno",
            "paper": "Zhang, Zhang, Li and Qiao 2016, doi:10.1109/LSP.2016.2603342",
            "input": {"colour": "RGB", "scale": 1 / 128, "offset": -127.5 / 128},
        },
        graphs,
        weights,
    )
    (output / "LICENSE").write_text(_notice(), encoding="utf-8")


def _stored(network: str) -> list[NDArray[np.float32]]:
    """Read one network's weights, in the order of its layers.

    The package's file is a pickle; it is trusted as the package's code is.
    """
    import joblib  # type: ignore[import-untyped]  # noqa: PLC0415  only conversion needs them
    import lz4.frame  # type: ignore[import-untyped]  # noqa: PLC0415

    path = files(f"{PACKAGE}.assets.weights") / f"{network}.lz4"
    # Opened here: joblib's own opening leaves a reader that complains when collected.
    with path.open("rb") as compressed, lz4.frame.open(compressed) as content:
        weights: list[NDArray[np.float32]] = joblib.load(content)
    return weights


def _network(
    network: str, stored: Iterator[NDArray[np.float32]]
) -> tuple[Graph, dict[str, NDArray[np.float32]]]:
    nodes: list[Node] = []
    weights: dict[str, NDArray[np.float32]] = {}
    tensor = "image"

    def add(node: Node, **arrays: NDArray[np.float32]) -> str:
        nodes.append(node)
        for role, array in arrays.items():
            weights[node.weights[role]] = array
        return node.output

    def names(layer: str, *roles: str) -> dict[str, str]:
        return {role: f"{network}/{layer}/{role}" for role in roles}

    for layer, pool in _CONVOLUTIONS[network]:
        tensor = add(
            Node(
                "conv2d",
                layer,
                (tensor,),
                names(layer, "kernel", "bias", "alpha"),
                activation="prelu",
            ),
            kernel=next(stored),
            bias=next(stored),
            alpha=next(stored).reshape(-1),
        )
        if pool:
            size, padded = pool
            # One row and column at the end are enough for any size of the image.
            end = int(padded)
            tensor = add(
                Node(
                    "max_pool",
                    f"{layer}_pool",
                    (tensor,),
                    stride=2,
                    size=size,
                    padding=(0, end, 0, end),
                )
            )
    convolutional = network == "pnet"
    if not convolutional:
        tensor = add(Node("flatten", "flat", (tensor,)))
        tensor = add(
            Node(
                "dense",
                "dense",
                (tensor,),
                names("dense", "kernel", "bias", "alpha"),
                activation="prelu",
            ),
            kernel=_row_major(next(stored), _DENSE_SIDE[network]),
            bias=next(stored),
            alpha=next(stored),
        )
    for output in _OUTPUTS[network]:
        scores = output == "face"
        made = add(
            Node(
                "conv2d" if convolutional else "dense",
                f"{output}_logits" if scores else output,
                (tensor,),
                names(output, "kernel", "bias"),
            ),
            kernel=next(stored),
            bias=next(stored),
        )
        if scores:
            add(Node("softmax", output, (made,)))
    return Graph(("image",), _OUTPUTS[network], tuple(nodes)), weights


def _row_major(kernel: NDArray[np.float32], side: int) -> NDArray[np.float32]:
    """Reorder a dense kernel's rows: the package flattens columns before rows."""
    inputs, outputs = kernel.shape
    by_column = kernel.reshape(side, side, inputs // side**2, outputs)
    return by_column.transpose(1, 0, 2, 3).reshape(inputs, outputs)


def _notice() -> str:
    """Return the attribution and the package's own licence text."""
    texts = [
        file.read_text(encoding="utf-8")
        for file in distribution(PACKAGE).files or []
        if file.name == "LICENSE"
    ]
    if not texts:
        raise RuntimeError(f"the installed {PACKAGE} has no LICENSE file: install it again")
    return (
        "The weights in this folder come from the Python package mtcnn "
        f"{KNOWN_VERSION} by Iván de Paz\nCenteno. They were renamed, reordered for "
        "row-major flattening and stored in half\nprecision; they were not trained "
        'again. The method is that of K. Zhang, Z. Zhang, Z. Li\nand Y. Qiao, "Joint '
        "Face Detection and Alignment Using Multitask Cascaded Convolutional\n"
        "Networks\", IEEE Signal Processing Letters 23(10), 2016. The package's licence "
        f"follows.\n\n{texts[0]}"
    )
