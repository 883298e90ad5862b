"""A model as a folder: ``model.json`` and ``weights.npz``.

Nothing in it is executed: the weights are plain arrays (no pickle), the network is
data. Everything is checked at load, so that a damaged download is told from a model
that is merely bad.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .graph import Graph, GraphError, Weights

FORMAT = 1
DESCRIPTION = "model.json"
WEIGHTS = "weights.npz"
_LARGEST = 64 << 20  # bytes of a file, and of all weights unpacked; the bundled model has 3 MiB
_AGAIN = "copy the whole model folder again, or export the model again"


class ArtefactError(ValueError):
    """A model folder that cannot be used; the message names the file and the fix."""


@dataclass(frozen=True, slots=True)
class Artefact:
    """A loaded model.

    Attributes
    ----------
    name, kind, licence
        As stated by ``model.json``; ``kind`` is ``estimator`` or ``detector``.
    graphs
        Network name to graph.
    weights
        Weight name to float32 array.
    metadata
        Everything else that ``model.json`` says: ``input``, ``crop``, ``outputs``,
        ``calibration``, ``training_data`` and so on.
    """

    name: str
    kind: str
    licence: str
    graphs: Mapping[str, Graph]
    weights: Weights
    metadata: Mapping[str, Any]


def load(folder: Path) -> Artefact:
    """Read and check a model folder.

    Parameters
    ----------
    folder
        Holds ``model.json`` and the files it lists.

    Returns
    -------
    Artefact
        Half-precision weights are widened to float32.

    Raises
    ------
    ArtefactError
        A file is missing, unreadable or not the one that was exported, the format
        is another version's, or the weights do not fit the graph.
    """
    path = folder / DESCRIPTION
    description = _description(path)
    try:
        name, kind, licence = (str(description.pop(key)) for key in ("name", "kind", "licence"))
        files = dict(description.pop("files"))
        graphs = {str(k): Graph.parse(v) for k, v in description.pop("graphs").items()}
        expected = files[WEIGHTS]
    except KeyError as error:
        raise ArtefactError(f"{path} lacks the key {error}: {_AGAIN}") from error
    except (AttributeError, TypeError, ValueError, OverflowError) as error:
        raise ArtefactError(f"{path} is malformed ({error!s:.200}): {_AGAIN}") from error
    outside = [other for other in files if Path(other).name != other]
    if outside:
        raise ArtefactError(f"{path} lists {outside[0]!r:.100}, not a file beside it: {_AGAIN}")

    content = _verified(folder / WEIGHTS, expected)
    for other in files.keys() - {WEIGHTS}:
        _verified(folder / other, files[other])
    weights = _read_weights(folder / WEIGHTS, content)
    for graph_name, graph in graphs.items():
        try:
            graph.check(weights)
        except GraphError as error:
            raise ArtefactError(
                f"{folder / WEIGHTS} does not fit the network {graph_name!r} of "
                f"{path} ({error!s:.200}): {_AGAIN}"
            ) from error
    return Artefact(name, kind, licence, graphs, weights, description)


def save(
    folder: Path,
    metadata: Mapping[str, Any],
    graphs: Mapping[str, Graph],
    weights: Mapping[str, NDArray[Any]],
    *,
    half_above: float = 0,
) -> None:
    """Write a model folder that `load` accepts.

    Each file appears whole or not at all, and ``model.json`` last: a reader never
    sees half a model, only an old one, a new one, or one whose hash does not match.

    Parameters
    ----------
    folder
        Made if absent.
    metadata
        ``name``, ``kind``, ``licence`` and whatever else belongs in ``model.json``.
    graphs
        Network name to graph.
    weights
        Weight name to array.
    half_above
        Arrays of more elements are stored as float16, the others as float32. The early
        layers are small, and their rounding does the most harm.

    Raises
    ------
    ArtefactError
        The metadata lacks a key, the weights do not fit the graphs, or a value
        is not finite in the precision asked for.
    """
    missing = {"name", "kind", "licence"} - metadata.keys()
    if missing:
        raise ArtefactError(f"metadata for {folder} lacks {', '.join(sorted(missing))}")
    stored: dict[str, NDArray[Any]] = {}
    with np.errstate(over="ignore"):
        for name, array in weights.items():
            stored[name] = np.asarray(
                array, np.float16 if np.size(array) > half_above else np.float32
            )
            if not np.isfinite(stored[name]).all():
                raise ArtefactError(
                    f"weight {name} for {folder} is not finite as "
                    f"{stored[name].dtype}: check the training, or store float32"
                )
    for graph_name, graph in graphs.items():
        try:
            graph.check(stored)
        except GraphError as error:
            raise ArtefactError(f"network {graph_name!r} for {folder}: {error}") from error
    content = _npz(stored)
    description = {
        "format": FORMAT,
        **metadata,
        "files": {WEIGHTS: hashlib.sha256(content).hexdigest()},
        "graphs": {name: graph.as_json() for name, graph in graphs.items()},
    }
    folder.mkdir(parents=True, exist_ok=True)
    _replace(folder / WEIGHTS, content)
    text = json.dumps(description, indent=1, ensure_ascii=False) + "\n"
    _replace(folder / DESCRIPTION, text.encode())


def _description(path: Path) -> dict[str, Any]:
    content = _content(path)
    try:
        description = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ArtefactError(f"{path} is not valid JSON ({error!s:.200}): {_AGAIN}") from error
    if not isinstance(description, dict):
        raise ArtefactError(f"{path} does not hold a JSON object: {_AGAIN}")
    version = description.pop("format", None)
    if version != FORMAT:
        raise ArtefactError(
            f"{path} has format {version!r:.100}, this version of agegender reads format "
            f"{FORMAT}: update agegender, or export the model again with this version"
        )
    return description


def _content(path: Path) -> bytes:
    try:
        if path.stat().st_size > _LARGEST:
            raise ArtefactError(f"{path} has over {_LARGEST >> 20} MiB, no model has: {_AGAIN}")
        return path.read_bytes()
    except FileNotFoundError as error:
        raise ArtefactError(f"{path} is missing: {_AGAIN}") from error
    except OSError as error:
        raise ArtefactError(
            f"{path} cannot be read ({error.strerror}): check its permissions"
        ) from error


def _verified(path: Path, sha256: object) -> bytes:
    content = _content(path)
    actual = hashlib.sha256(content).hexdigest()
    if actual != sha256:
        raise ArtefactError(
            f"{path} is not the file that {DESCRIPTION} describes "
            f"(sha256 {actual[:12]}..., expected {str(sha256)[:12]}...): {_AGAIN}"
        )
    return content


def _read_weights(path: Path, content: bytes) -> dict[str, NDArray[np.float32]]:
    try:
        return _unpacked(content)
    except Exception as error:  # unpacking raises nearly anything on damaged data
        raise ArtefactError(f"{path} cannot be read ({error!s:.200}): {_AGAIN}") from error


def _unpacked(content: bytes) -> dict[str, NDArray[np.float32]]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        if sum(entry.file_size for entry in archive.infolist()) > _LARGEST:
            raise ValueError(f"it unpacks to more than {_LARGEST >> 20} MiB")
    weights = {}
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        for name in arrays.files:
            array = arrays[name]
            if getattr(array, "dtype", None) not in (np.float16, np.float32):
                raise ValueError(f"{name} is no array of float16 or float32")
            if not np.isfinite(array).all():
                raise ValueError(f"{name} holds values that are not finite")
            weights[name] = np.asarray(array, np.float32, order="C")
    return weights


def _npz(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """Pack as .npz with fixed time stamps: equal weights give equal files."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name in sorted(arrays):
            array = io.BytesIO()
            np.save(array, arrays[name], allow_pickle=False)
            entry = zipfile.ZipInfo(f"{name}.npy", (1980, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, array.getvalue())
    return packed.getvalue()


def _replace(path: Path, content: bytes) -> None:
    unfinished = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        with unfinished.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
