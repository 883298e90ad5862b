"""A model folder is complete, unaltered and of our version, or refused by name."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from agegender_vision import artefact
from agegender_vision.artefact import ArtefactError
from agegender_vision.graph import Graph, GraphError, Node

GRAPH = Graph(
    inputs=("image",),
    outputs=("face",),
    nodes=(
        Node(
            "conv2d",
            "conv",
            ("image",),
            {"kernel": "conv/kernel", "bias": "conv/bias", "alpha": "conv/alpha"},
            stride=2,
            padding=(0, 1, 0, 1),
            activation="prelu",
        ),
        Node("max_pool", "pool", ("conv",), size=3, stride=2),
        Node("flatten", "flat", ("pool",)),
        Node("dense", "face", ("flat",), {"kernel": "face/kernel"}),
    ),
)
METADATA = {"name": "tiny", "kind": "detector", "licence": "CC0", "input": {"size": 8}}


def weights() -> dict[str, NDArray[np.float64]]:
    random = np.random.default_rng(0)
    return {
        "conv/kernel": random.normal(size=(3, 3, 3, 4)),
        "conv/bias": random.normal(size=4),
        "conv/alpha": random.normal(size=4),
        "face/kernel": random.normal(size=(4, 2)),
    }


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A good model."""
    artefact.save(tmp_path / "model", METADATA, {"net": GRAPH}, weights())
    return tmp_path / "model"


def edit(folder: Path, **changes: Any) -> None:
    path = folder / "model.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_what_was_saved_is_loaded(folder: Path) -> None:
    loaded = artefact.load(folder)
    assert (loaded.name, loaded.kind, loaded.licence) == ("tiny", "detector", "CC0")
    assert loaded.metadata == {"input": {"size": 8}}
    assert loaded.graphs == {"net": GRAPH}
    for name, array in weights().items():
        assert loaded.weights[name].dtype == np.float32
        np.testing.assert_allclose(loaded.weights[name], array, rtol=1e-3)


def test_small_arrays_keep_full_precision_on_request(tmp_path: Path) -> None:
    largest = max(array.size for array in weights().values())
    artefact.save(tmp_path, METADATA, {"net": GRAPH}, weights(), half_above=largest - 1)
    for name, array in artefact.load(tmp_path).weights.items():
        stored = np.float16 if array.size == largest else np.float32
        np.testing.assert_array_equal(array, weights()[name].astype(stored).astype(np.float32))


def test_equal_models_are_equal_files(folder: Path, tmp_path: Path) -> None:
    artefact.save(tmp_path / "again", METADATA, {"net": GRAPH}, weights())
    for name in ("model.json", "weights.npz"):
        assert (tmp_path / "again" / name).read_bytes() == (folder / name).read_bytes()


def test_saving_leaves_only_the_model_behind(folder: Path) -> None:
    artefact.save(folder, METADATA, {"net": GRAPH}, weights())
    assert sorted(path.name for path in folder.iterdir()) == ["model.json", "weights.npz"]


@pytest.mark.parametrize("name", ["model.json", "weights.npz"])
def test_a_missing_file(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(
        ArtefactError, match=rf"^[^(]*{name} is missing: copy the whole model folder"
    ):
        artefact.load(folder)


def test_a_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(ArtefactError, match=r"nowhere/model\.json is missing"):
        artefact.load(tmp_path / "nowhere")


def test_a_wrong_hash(folder: Path) -> None:
    path = folder / "weights.npz"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(
        ArtefactError, match=r"weights\.npz is not the file that model\.json describes.*copy"
    ):
        artefact.load(folder)


@pytest.mark.parametrize("version", [2, 0, "1", None])
def test_another_version(folder: Path, version: object) -> None:
    edit(folder, format=version)
    with pytest.raises(ArtefactError, match=r"model\.json has format .*reads format 1: update"):
        artefact.load(folder)


@pytest.mark.parametrize("text", ["", "{", "[]", '"model"', "\0"])
def test_a_damaged_description(folder: Path, text: str) -> None:
    (folder / "model.json").write_text(text)
    with pytest.raises(ArtefactError, match=r"model\.json (is not valid|does not hold a) JSON"):
        artefact.load(folder)


@pytest.mark.parametrize("key", ["name", "kind", "licence", "files", "graphs"])
def test_a_missing_key(folder: Path, key: str) -> None:
    path = folder / "model.json"
    description = json.loads(path.read_text())
    del description[key]
    path.write_text(json.dumps(description))
    with pytest.raises(ArtefactError, match=rf"model\.json lacks the key '{key}'"):
        artefact.load(folder)


@pytest.mark.parametrize(
    "graphs",
    [
        [],
        {"net": []},
        {"net": {"inputs": ["image"], "outputs": ["a"], "nodes": [{"op": "lstm"}]}},
        {"net": {"inputs": ["image"], "outputs": ["a"], "nodes": "conv2d"}},
    ],
)
def test_a_damaged_graph(folder: Path, graphs: object) -> None:
    edit(folder, graphs=graphs)
    with pytest.raises(ArtefactError, match=r"model\.json (is malformed|lacks the key)"):
        artefact.load(folder)


def replaced(folder: Path, changed: dict[str, NDArray[Any] | None]) -> None:
    """Put other weights under a good description, hash included."""
    arrays = weights() | changed
    other = folder / "other"
    artefact.save(
        other, METADATA, {}, {name: array for name, array in arrays.items() if array is not None}
    )
    files = json.loads((other / "model.json").read_text())["files"]
    (other / "weights.npz").replace(folder / "weights.npz")
    edit(folder, files=files)


def test_a_missing_weight(folder: Path) -> None:
    replaced(folder, {"conv/bias": None})
    with pytest.raises(ArtefactError, match=r"weights\.npz does not fit.*conv/bias is missing"):
        artefact.load(folder)


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("conv/kernel", (3, 3, 1, 4)),
        ("conv/kernel", (3, 3, 3)),
        ("conv/bias", (5,)),
        ("conv/alpha", (1, 1, 4)),
        ("face/kernel", (4,)),
    ],
)
def test_a_wrong_shape(folder: Path, name: str, shape: tuple[int, ...]) -> None:
    replaced(folder, {name: np.zeros(shape)})
    with pytest.raises(ArtefactError, match=rf"weights\.npz does not fit.*{name} has shape"):
        artefact.load(folder)


def test_pickled_weights_are_not_unpickled(folder: Path) -> None:
    path = folder / "weights.npz"
    np.savez(path, kernel=np.array([print], dtype=object))
    edit(folder, files={"weights.npz": hashlib.sha256(path.read_bytes()).hexdigest()})
    with pytest.raises(ArtefactError, match=r"weights\.npz cannot be read"):
        artefact.load(folder)


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e6])
def test_weights_that_cannot_be_stored(tmp_path: Path, value: float) -> None:
    with pytest.raises(ArtefactError, match=r"conv/bias .* is not finite as float16"):
        artefact.save(
            tmp_path, METADATA, {"net": GRAPH}, weights() | {"conv/bias": np.full(4, value)}
        )
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("node", "message"),
    [
        ({"op": "lstm"}, "unknown operation"),
        ({"activation": "gelu"}, "unknown activation"),
        ({"op": "flatten", "weights": {}, "activation": "relu"}, "takes no activation"),
        ({"inputs": ["image", "image"]}, "got 2 inputs"),
        ({"inputs": ["nothing"]}, "no tensor named nothing"),
        ({"output": "image"}, "made twice"),
        ({"stride": 0}, "at least 1"),
        ({"padding": [0, 0]}, "padding is"),
        ({"padding": [0, 0, 0, -1]}, "none negative"),
        ({"weights": {}}, "needs weights"),
        ({"activation": "prelu"}, "needs weights"),
        ({"dilation": 2}, "unknown keys in a node: dilation"),
    ],
)
def test_a_graph_that_makes_no_sense(node: dict[str, Any], message: str) -> None:
    good = {"op": "conv2d", "output": "a", "inputs": ["image"], "weights": {"kernel": "k"}}
    Graph.parse({"inputs": ["image"], "outputs": ["a"], "nodes": [good]})
    with pytest.raises(GraphError, match=message):
        Graph.parse({"inputs": ["image"], "outputs": ["a"], "nodes": [good | node]})
