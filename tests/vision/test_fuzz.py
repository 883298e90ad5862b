"""Whatever is in a file, reading it ends soon, in little memory, with an answer or a refusal."""

import hashlib
import io
import json
import zipfile
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image

from agegender_vision import artefact, totals
from agegender_vision.artefact import ArtefactError
from agegender_vision.census import AgeBands
from agegender_vision.engine import BUNDLED_MODEL
from agegender_vision.estimator import Estimator
from agegender_vision.frame import FrameError, decode, longer_side, thumbnail
from agegender_vision.graph import Graph
from agegender_vision.privacy import Home, Mode, Public
from agegender_vision.runtime import runtimes

from ..damage import bounds, damaged, distorted

pytestmark = pytest.mark.fuzz

LOG_LINE = 600
"""Characters that a refusal may have: it names the fix and holds nothing of the frame."""

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
BANDS = AgeBands((0, 18, 40, 65))


def pictures() -> list[bytes]:
    """Small pictures in all formats that are read, with all that a header may hold."""
    values = np.random.default_rng(1).integers(0, 256, (24, 40, 3), np.uint8)
    image = Image.fromarray(values).resize((64, 48), Image.Resampling.BICUBIC)
    exif = Image.Exif()
    exif[0x0112] = 6  # on its side
    made = []
    for file_format, options in (
        ("JPEG", {"exif": exif}),
        ("JPEG", {"progressive": True, "quality": 30}),
        ("MPO", {"save_all": True, "append_images": [image]}),
        ("PNG", {"exif": exif}),
        ("WEBP", {}),
        ("WEBP", {"lossless": True}),
        ("BMP", {}),
        ("GIF", {"save_all": True, "append_images": [image.rotate(90)]}),
    ):
        buffer = io.BytesIO()
        image.save(buffer, file_format, **options)
        made.append(buffer.getvalue())
    return made


@given(st.one_of(st.binary(max_size=200), *map(damaged, pictures())))
def test_a_frame_is_a_picture_or_refused(data: bytes) -> None:
    with bounds():
        for look in (decode, longer_side, thumbnail, lambda frame: decode(frame, enough=16)):
            refusal = ""
            try:
                look(data)
            except FrameError as error:
                refusal = str(error)
            assert len(refusal) < LOG_LINE


def tiny_model() -> dict[str, bytes]:
    """Return the files of an estimator with few weights, which hypothesis can print."""
    bundled = artefact.load(BUNDLED_MODEL)
    values = np.random.default_rng(1).normal(size=(3, 6))
    weights = {"age": values[:, :5], "bias": np.zeros(5), "gender": values[:, 5:]}
    graph = Graph.parse(
        {
            "inputs": ["image"],
            "outputs": ["age", "gender"],
            "nodes": [
                {"op": "max_pool", "inputs": ["image"], "output": "less", "size": 2, "stride": 2},
                {"op": "global_average_pool", "inputs": ["less"], "output": "mean"},
                {
                    "op": "dense",
                    "inputs": ["mean"],
                    "output": "age",
                    "weights": {"kernel": "age", "bias": "bias"},
                },
                {
                    "op": "dense",
                    "inputs": ["mean"],
                    "output": "gender",
                    "weights": {"kernel": "gender"},
                },
            ],
        }
    )
    metadata = {
        **bundled.metadata,
        "name": "tiny",
        "kind": bundled.kind,
        "licence": bundled.licence,
        "input": {**bundled.metadata["input"], "size": 16},
        "outputs": {"age": {"support": [0, 4]}, "gender": {"positive": "female"}},
    }
    with TemporaryDirectory() as folder:
        artefact.save(Path(folder), metadata, {"estimator": graph}, weights)
        return {path.name: path.read_bytes() for path in Path(folder).iterdir()}


MODEL = tiny_model()
DESCRIPTION = json.loads(MODEL[artefact.DESCRIPTION])
with zipfile.ZipFile(io.BytesIO(MODEL[artefact.WEIGHTS])) as archive:
    ARRAYS = {name: archive.read(name) for name in archive.namelist()}


def use(description: bytes, weights: bytes) -> None:
    """Load a model as the engine does, and look at one face with it."""
    refusal = ""
    with TemporaryDirectory() as folder:
        (Path(folder) / artefact.DESCRIPTION).write_bytes(description)
        (Path(folder) / artefact.WEIGHTS).write_bytes(weights)
        with bounds():
            try:
                estimator = Estimator(artefact.load(Path(folder)), runtimes.get("numpy"))
                grey = np.full((1, estimator.size, estimator.size, 3), 128, np.uint8)
                (estimate,) = estimator.estimate(grey)
            except ArtefactError as error:
                refusal = str(error)
    if not refusal:
        assert np.isfinite([*estimate.ages, estimate.age, estimate.age_low]).all()
        assert 0 <= estimate.p_female <= 1
    assert len(refusal) < LOG_LINE


def test_the_tiny_model_is_accepted() -> None:
    use(MODEL[artefact.DESCRIPTION], MODEL[artefact.WEIGHTS])


@given(distorted(DESCRIPTION))
@example(DESCRIPTION | {"calibration": None})
@example(DESCRIPTION | {"input": DESCRIPTION["input"] | {"scale": float("inf")}})
@example(DESCRIPTION | {"input": DESCRIPTION["input"] | {"size": 10**6}})
@example(DESCRIPTION | {"input": DESCRIPTION["input"] | {"size": 0}})
@example(DESCRIPTION | {"calibration": {"age_temperature": 0}})
def test_any_description_is_a_model_or_refused(description: Any) -> None:
    use(json.dumps(description).encode(), MODEL[artefact.WEIGHTS])


@given(st.one_of(damaged(MODEL[artefact.DESCRIPTION]), st.just(b"[" * 100_000)))
def test_a_damaged_description_is_refused(description: bytes) -> None:
    use(description, MODEL[artefact.WEIGHTS])


def with_array(name: str, array: bytes) -> bytes:
    """Return the tiny model's weights with one array replaced."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for other, content in ARRAYS.items():
            archive.writestr(other, array if other == name else content)
    return buffer.getvalue()


@given(
    st.one_of(
        damaged(MODEL[artefact.WEIGHTS]),
        *(
            damaged(content).map(partial(with_array, name))  # what no checksum of zip refuses
            for name, content in ARRAYS.items()
        ),
    )
)
def test_any_weights_are_a_model_or_refused_though_their_hash_is_right(weights: bytes) -> None:
    files = {artefact.WEIGHTS: hashlib.sha256(weights).hexdigest()}
    use(json.dumps(DESCRIPTION | {"files": files}).encode(), weights)


def described(dtype: str, shape: tuple[int, ...]) -> bytes:
    """Return the head of an array, without its numbers."""
    head = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        head, {"descr": dtype, "fortran_order": False, "shape": shape}
    )
    return head.getvalue()


@pytest.mark.parametrize(
    "array",
    [
        pytest.param(described("<f4", (1 << 40,)), id="tera"),
        pytest.param(described("<f4", (1 << 70, 1 << 70)), id="overflow"),
        pytest.param(described("<f4", (1 << 30,)) + bytes(1 << 28), id="bomb"),
        pytest.param(described("|O", (1,)) + b"cos\nsystem\n(S'true'\ntR.", id="pickle"),
        pytest.param(b"cos\nsystem\n(S'true'\ntR.", id="bare pickle"),
    ],
)
def test_hostile_weights_are_refused_in_bounds(array: bytes) -> None:
    weights = with_array("age.npy", array)
    files = {artefact.WEIGHTS: hashlib.sha256(weights).hexdigest()}
    use(json.dumps(DESCRIPTION | {"files": files}).encode(), weights)


def stored_totals(mode: Mode) -> Any:
    """Return what is stored of a camera that has counted nobody."""
    return {"camera": mode.start(BANDS, NOW).to_dict()}


@pytest.mark.parametrize("mode", [Home(), Public()], ids=["home", "public"])
@given(data=st.data())
def test_any_totals_are_restored_or_set_aside(mode: Mode, data: st.DataObject) -> None:
    whole = stored_totals(mode)
    content = data.draw(
        st.one_of(
            distorted(whole).map(lambda value: json.dumps(value).encode()),
            damaged(json.dumps(whole).encode()),
            st.just(b"[" * 100_000),
        )
    )
    with TemporaryDirectory() as folder, bounds():
        path = Path(folder) / "totals"
        path.write_bytes(content)
        censuses, damage = totals.load(path, {"camera": "Door"}, mode, BANDS, NOW)
        assert path.exists() == (damage is None)
        assert damage is None or len(damage.reason) < LOG_LINE
        counting = {key: mode.advance(census, (), NOW) for key, census in censuses.items()}
        totals.save(path, counting)
        mode.publish(counting["camera"], ())


def test_a_long_value_does_not_get_into_the_log(tmp_path: Path) -> None:
    stored = stored_totals(Public())
    stored["camera"]["window"]["end"] = "2026-11-23T12:15:0" * 1000
    (tmp_path / "totals").write_text(json.dumps(stored))
    _, damage = totals.load(tmp_path / "totals", {"camera": "Door"}, Public(), BANDS, NOW)
    assert damage
    assert len(damage.reason) < LOG_LINE
