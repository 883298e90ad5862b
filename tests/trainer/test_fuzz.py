"""Whatever data sets, settings and a broker bring: soon an answer, or a refusal."""

import csv
import io
import json
import os
import socket
import zipfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
import tomli_w
from hypothesis import example, given, settings
from hypothesis import strategies as st
from paho.mqtt import publish
from PIL import Image
from scipy.io import savemat

from trainer import config
from trainer.data import adience, faces, manifest
from trainer.data.collection import Collection, Face
from trainer.data.look import Onlooker
from trainer.data.prepare import labels
from trainer.data.registry import dataset
from trainer.data.sample import Rejected, Sample
from trainer.errors import InputError
from trainer.watch import settings as watch
from trainer.watch.publisher import Publisher

from ..broker import PATIENCE, Listener, Mosquitto, until
from ..damage import ODD, bounds, damaged, distorted

pytestmark = pytest.mark.fuzz

SENTENCE = 2000
"""Characters that a refusal may have; it names the file, which may have a long name."""

Files = dict[str, bytes]


def picture(side: int = 24) -> bytes:
    file = io.BytesIO()
    values = np.random.default_rng(1).integers(0, 256, (side, side, 3), np.uint8)
    Image.fromarray(values).save(file, "PNG")
    return file.getvalue()


def zipped(files: Files) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return file.getvalue()


def table(*rows: str) -> bytes:
    return "".join(f"{row}\n" for row in rows).encode()


def matlab(compressed: bool) -> bytes:
    """Write labels as IMDB-WIKI's authors have them."""

    def cells(*values: object) -> np.ndarray:
        column = np.empty((1, len(values)), object)
        column[0, :] = values
        return column

    struct = {
        "dob": np.array([[700_000, 710_000]], np.int32),
        "photo_taken": np.array([[1984, 2004]], np.uint16),
        "full_path": cells("06/a.png", "06/b.png"),
        "gender": np.array([[0.0, np.nan]]),
        "name": cells("Ada", "Bob"),
        "face_location": cells(np.array([[1.0, 1, 20, 20]]), np.array([[1.0, 1, 20, 20]])),
        "face_score": np.array([[3.5, 3.5]]),
        "second_face_score": np.array([[np.nan, 2.0]]),
    }
    file = io.BytesIO()
    savemat(file, {"wiki": struct}, do_compression=compressed)
    return file.getvalue()


PICTURE = picture()
SHARD = zipped({"1.png": PICTURE, "2.png": picture(96)})
PACK = table(
    "source,split,shard,file,age,age_lo,age_hi,gender,subject_id,race_src,gender_suspect_p",
    "utkface,train,train.zip,1.png,31,,,F,,White,",
    "fairface,val,train.zip,2.png,,20,29,M,,Black,0.9",
    "fgnet,test,train.zip,1.png,4,,,,7,,",
    "lfw,unlabeled,train.zip,2.png,,,,,Ada,,",
)
INDEX = {"index.csv": PACK, "train.zip": SHARD}
FOLDS: Files = {
    f"fold_{fold}_data.txt": table(
        "user_id|original_image|face_id|age|gender|x|y",
        f"7@N03|a{fold}.jpg|{fold}|(25, 32)|f|1|1",
        f"8@N00|b{fold}.jpg|{fold}|None|u|1|1",
    ).replace(b"|", b"\t")
    for fold in range(adience.FOLDS)
}
FAIRFACE = {
    "fairface_label_train.csv": table(
        "file,age,gender,race,service_test",
        "train/1.jpg,more than 70,Female,White,True",
        "train/2.jpg,3-9,Male,East Asian,False",
    ),
    "fairface_label_val.csv": table(
        "file,age,gender,race,service_test", "val/1.jpg,30-39,Female,Black,False"
    ),
}
OWN = {
    "labels.csv": table(
        "file,subject,age,age_low,age_high,gender,split,sha256,eyeglasses",
        "1.png,ada,31,,,female,train,,yes",
        "2.png,bob,,20,29,m,val,,no",
        '"3, 4.png",,20-29,,,,,,',
    )
}
SOURCES: dict[str, list[Files]] = {
    "adience": [FOLDS],
    "csv": [OWN],
    "fairface": [FAIRFACE, INDEX],
    "fgnet": [INDEX],
    "imdb-wiki": [{"wiki/wiki.mat": matlab(True)}, {"wiki_crop/wiki.mat": matlab(False)}],
    "lfw": [INDEX],
    "utkface": [INDEX],
}
"""Data sets whose labels are in a file, as their authors or we wrote it."""

MANIFEST = table(
    "file,subject,age,age_low,age_high,gender,split,sha256,group",
    "images/1.png,ada,31,31,31,female,train,aa,White",
    "images/2.png,bob,,20,29,male,val,bb,",
    "images/3.png,,,,,,unlabeled,cc,Black",
)


def put(folder: Path, files: Files) -> None:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


def answer(ask: Callable[[], Any]) -> Any:
    """Return what comes back within bounds; of a refusal, that it is a sentence of ours."""
    with bounds():
        try:
            return ask()
        except InputError as error:
            refusal = str(error)
    assert len(refusal) < SENTENCE
    return None


def looked_at(one: Sample | Rejected, number: int) -> Face | Rejected:
    if isinstance(one, Rejected):
        return one
    if fault := one.fault():
        return Rejected(one.file, fault)
    return Face(one, one.file, f"{number:064x}", os.urandom(32))


def keep(found: list[Sample | Rejected], folder: Path) -> None:
    """Do with samples what `prepare` does, but for looking at the pictures."""
    with Collection() as collection:
        collection.add(map(looked_at, found, count()))
        collection.sort_out()
        collection.draw({"train": 1.0}, 1)
        with (folder / "rejected.csv").open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows(collection.rejected())
        usable = collection.usable()
        path = folder / manifest.NAME
        manifest.write_rows(collection.rows(), collection.attributes(), path)
    if usable:
        assert len(manifest.read(path)) == usable


def collect(name: str, source: Path) -> None:
    """Read a data set, and let what was read become a manifest that can be read."""
    found = answer(lambda: list(dataset(name).samples(source)))
    if found is not None:
        answer(lambda: labels(found))
        with TemporaryDirectory() as output:
            answer(lambda: keep(found, Path(output)))


@pytest.mark.parametrize("name", SOURCES)
def test_data_sets_are_read_as_they_are(name: str, tmp_path: Path) -> None:
    for number, files in enumerate(SOURCES[name]):
        put(tmp_path / str(number), files)
        found = list(dataset(name).samples(tmp_path / str(number)))
        assert any(isinstance(one, Sample) for one in found)


@pytest.mark.parametrize("name", SOURCES)
@given(data=st.data())
def test_damaged_labels_become_a_manifest_or_are_refused(name: str, data: st.DataObject) -> None:
    files = dict(data.draw(st.sampled_from(SOURCES[name])))
    victim = data.draw(st.sampled_from([file for file in files if not file.endswith(".zip")]))
    files[victim] = data.draw(damaged(files[victim]))
    with TemporaryDirectory() as folder:
        put(Path(folder), files)
        collect(name, Path(folder))


def overwritten(data: bytes, place: int) -> bytes:
    return data[:place] + b"\0" + data[place + 1 :]


@pytest.mark.parametrize(
    ("name", "files"),
    [
        ("fgnet", INDEX | {"index.csv": b""}),
        ("fgnet", INDEX | {"index.csv": b"\x80"}),
        ("fgnet", INDEX | {"index.csv": PACK.replace(b"race_src", b"race")}),
        ("fgnet", INDEX | {"index.csv": PACK.replace(b",shard", b"")}),
        ("fairface", {"fairface_label_val.csv": b""}),
        ("adience", FOLDS | {"fold_0_data.txt": b"user_id\t" + b"\n1\t2\t3"}),
        ("imdb-wiki", {"wiki.mat": overwritten(matlab(True), 140)}),  # unpacking it fails
        ("imdb-wiki", {"wiki.mat": overwritten(matlab(True), 0)}),  # asks for much memory
        ("imdb-wiki", {"wiki.mat": overwritten(matlab(False), 384)}),  # crashes SciPy
    ],
)
def test_labels_that_once_ended_in_an_error_are_refused(
    name: str, files: Files, tmp_path: Path
) -> None:
    put(tmp_path, files)
    with pytest.raises(InputError, match=r"(ownload|Copy|Correct)"):
        list(dataset(name).samples(tmp_path))


def test_a_column_that_no_table_can_hold_rejects_its_faces(tmp_path: Path) -> None:
    put(tmp_path, {"labels.csv": b"file,su\0bject\n1.png,ada\n"})
    (face,) = dataset("csv").samples(tmp_path)
    assert isinstance(face, Sample)
    assert "not in UTF-8" in (face.fault() or "")


NAMES = st.one_of(
    st.sampled_from(["18", "111", "112", "female", "M", "20-29", "9-2", "train", "subject=ada"]),
    st.sampled_from(["subject=", "age=", "age=nan", "=", "split=none", "x=y", "gender=f", "1e999"]),
    st.sampled_from(["26_0_2_20170104023102422", "999_1_4_1", "7-0", "1_0_0_2", "\udcff", "٣"]),
    st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), max_size=20),
)


@pytest.mark.parametrize("name", ["afad", "folder", "utkface"])
@given(
    paths=st.lists(
        st.tuples(
            st.lists(NAMES, max_size=3), NAMES, st.sampled_from([".jpg", ".PNG", ".jpg.jpg", ""])
        ),
        max_size=6,
    )
)
@example([(["18"], "\udcff", ".jpg"), (["111"], "1", ".jpg")])
@example([(["subject=\udcff"], "1", ".jpg")])
def test_any_names_of_files_become_a_manifest_or_are_refused(
    name: str, paths: list[tuple[list[str], str, str]]
) -> None:
    with TemporaryDirectory() as folder:
        for folders, stem, suffix in paths:
            parts = [part for part in (*folders, stem + suffix) if part not in {"", ".", ".."}]
            try:
                put(Path(folder), {"/".join(parts): b""} if parts else {})
            except OSError:  # a folder is there already, or the name is too long
                continue
        collect(name, Path(folder))


@given(damaged(MANIFEST))
@example(MANIFEST.replace(b"images/1.png", b""))
@example(b"gile," * 1000 + MANIFEST)
@example(MANIFEST.replace(b"White", b"White,1,2"))
def test_any_manifest_is_read_or_refused(content: bytes) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / manifest.NAME
        path.write_bytes(content)
        found = answer(lambda: manifest.read(path))
        if found is not None:
            known = found[["age_low", "age_high"]].dropna().to_numpy()
            assert ((known >= 0) & (known <= manifest.MAX_AGE)).all()
            assert set(found["split"]) <= set(manifest.SPLITS)


@given(
    st.one_of(
        damaged(SHARD),
        damaged(PICTURE).map(lambda data: zipped({"1.png": data})),
    ),
    st.sampled_from(["1.png", "2.png", "", "../1.png"]),
)
def test_any_picture_in_an_archive_is_a_face_or_rejected(archive: bytes, member: str) -> None:
    with TemporaryDirectory() as folder:
        source = Path(folder)
        (source / "train.zip").write_bytes(archive)
        onlooker = Onlooker(source, None, "", 0, 0)
        sample = Sample(f"train.zip/{member}", place="aligned")
        (face,) = answer(lambda: onlooker.look([sample]))
        assert isinstance(face, Face) or 0 < len(face.reason) < SENTENCE


@settings(max_examples=settings().max_examples // 3)
@given(st.one_of(damaged(PICTURE), st.just(picture(96)), st.binary(max_size=100)))
def test_any_picture_of_a_manifest_is_a_face_or_refused(content: bytes) -> None:
    with TemporaryDirectory() as folder:
        put(Path(folder), {manifest.NAME: MANIFEST, "images/1.png": content})
        loaded = answer(lambda: faces.load([Path(folder)], ["train"]))
        assert loaded is None or loaded.images.shape == (1, 96, 96, 3)


def test_a_picture_that_unpacks_to_too_much_is_rejected(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(zipped({"1.png": bytes(101_000_000)}))
    (face,) = Onlooker(tmp_path, None, "", 0, 0).look([Sample("a.zip/1.png", place="aligned")])
    assert isinstance(face, Rejected)
    assert face.reason == "the file has 101 MB, more than the limit of 100 MB"


SETTINGS = config.Config().model_dump(mode="json", exclude_none=True)
NODE: dict[str, Any] = {
    "name": "Shop 17",
    "age_bands": "18, 65",
    "time_zone": "Europe/Berlin",
    "mqtt": {"url": "mqtts://broker:8883", "username": "shop", "password": "secret"},
    "privacy": {"mode": "public", "crowd": 5, "window": 15, "noise": "light"},
    "cameras": [{"name": "Door", "source": "rtsp://camera/1", "region": [0, 0.2, 1, 1]}],
}


def toml(document: Any) -> bytes:
    """Write a table as TOML; what has none is written as it looks."""
    try:
        return tomli_w.dumps(document).encode("utf-8", "surrogatepass")
    except (AttributeError, TypeError, ValueError):
        return repr(document).encode("utf-8", "surrogatepass")


def written(document: dict[str, Any]) -> st.SearchStrategy[bytes]:
    return st.one_of(distorted(document).map(toml), damaged(toml(document)))


@given(written(SETTINGS))
@example(b"x = " + b"[" * 100_000)
def test_any_settings_of_a_run_are_taken_or_refused(content: bytes) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "config.toml"
        path.write_bytes(content)
        read = answer(lambda: config.load(path))
        if read is not None:
            config.save(read, path)
            assert config.load(path) == read


KEYS = st.one_of(
    st.sampled_from([f"train.{key}" for key in SETTINGS["train"]]),
    st.sampled_from([f"model.{key}" for key in SETTINGS["model"]]),
    st.sampled_from(["recipe", "heads", "heads.age", "heads.x.kind", "heads.age.kind", "train"]),
    st.text(max_size=12),
)
VALUES = st.one_of(
    st.sampled_from([repr(odd) for odd in ODD] + ["true", "[1]", "{a = 1}", "nan", "-inf"]),
    st.text(max_size=12),
    st.integers().map(str),
)


@given(st.lists(st.tuples(KEYS, VALUES).map("=".join), max_size=4))
@example(["x=" + "[" * 100_000])
def test_any_settings_of_a_command_line_are_taken_or_refused(overrides: list[str]) -> None:
    answer(lambda: config.load(None, overrides))


@given(
    written(NODE),
    st.dictionaries(
        st.sampled_from(["mqtt.url", "mqtt.username", "privacy.mode", "name", "state"]),
        st.one_of(st.none(), st.text(max_size=12), st.sampled_from(["mqtt://[", "home"])),
        max_size=2,
    ),
    st.lists(st.text(max_size=12), max_size=2),
)
@example(b"", {"mqtt.url": "mqtt://["}, ["picamera"])
@example(toml(NODE).replace(b"0.2", b'""'), {}, [])
def test_any_settings_of_a_node_are_taken_or_refused(
    content: bytes, options: dict[str, Any], sources: list[str]
) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "watch.toml"
        path.write_bytes(content)
        node = answer(lambda: watch.load(path, options, sources))
        if node is not None:
            assert all((node.bands(), node.zone(), node.mqtt.address, node.privacy.of()))


def publisher(port: int) -> Publisher:
    """The half of a node that speaks with a broker, and hears what others say."""
    options = {"mqtt.url": f"mqtt://127.0.0.1:{port}", "privacy.mode": "home", "name": "shop"}
    return Publisher(watch.load(None, options, ["door=picamera"]), "research", lambda *_: None)


class Garbler:
    """A broker that says anything, a connection after the other, once a client says hello."""

    HELLO_BACK = b"\x20\x03\0\0\0"

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._socket.settimeout(PATIENCE)
        self.port = self._socket.getsockname()[1]

    def say(self, data: bytes) -> None:
        """Wait for a client to connect, and say this to it."""
        client, _ = self._socket.accept()
        with client, suppress(OSError):
            client.settimeout(PATIENCE)
            client.recv(1000)
            client.sendall(self.HELLO_BACK + data)
            client.shutdown(socket.SHUT_WR)
            while client.recv(100_000):
                pass


@pytest.fixture(scope="module")
def garbler() -> Iterator[Garbler]:
    """Spoken to by a node that tries again without waiting."""
    garbler = Garbler()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("trainer.watch.broker.FIRST_WAIT", 0)
        patch.setattr("trainer.watch.broker.LONGEST_WAIT", 0)
        node = publisher(garbler.port)
        node.start()
        yield garbler
        node.stop()


CONFIG = "homeassistant/device/agegender_shop/door/config"
PACKETS = [
    b"\x90\x04\0\x01\0\0",  # subscribed
    b"\x31\x39\0\x2f" + CONFIG.encode() + b"\0{}12345",  # told, and kept before
    b"\x40\x02\0\x01",  # acknowledged
    b"\xd0\0",  # here I am
    b"\xe0\x02\x8e\0",  # goodbye: somebody else has your name
]


@given(st.one_of(st.binary(max_size=40), *map(damaged, [*PACKETS, b"".join(PACKETS)])))
@example(b"\x31\x05\0\2\xff\xfe\0")  # told under a topic that is no text
def test_a_node_comes_back_whatever_a_broker_says(garbler: Garbler, data: bytes) -> None:
    garbler.say(data)


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mosquitto]:
    broker = Mosquitto(tmp_path_factory.mktemp("broker")).start()
    yield broker
    broker.stop()


@pytest.fixture(scope="module")
def own(broker: Mosquitto) -> Any:
    """What a node tells a broker that keeps nothing: the discovery of its camera."""
    node, listener = publisher(broker.port), Listener(broker.port)
    node.start()
    until(lambda: listener.kept.get(CONFIG), "discovery")
    node.stop()
    listener.stop()
    return listener.json(CONFIG)


CAMERAS = st.one_of(
    st.sampled_from(["door", "", "status", "a b"]),
    st.text(
        st.characters(exclude_characters="/+#", exclude_categories=["Cs", "Cc", "Cn"]), max_size=8
    ),
)
DISCOVERY = {
    "device": {"identifiers": ["agegender_shop_door"]},
    "components": {"people": {"platform": "sensor"}, "gone": {"platform": "sensor"}},
}
PAYLOADS = st.one_of(
    st.binary(min_size=1, max_size=200),
    st.sampled_from([b"ON", b"OFF", b"PRESS", b"online", b"[" * 100_000, bytes(1 << 20)]),
    distorted(DISCOVERY).map(lambda document: json.dumps(document).encode()),
    damaged(json.dumps(DISCOVERY).encode()).filter(len),
)


@settings(max_examples=settings().max_examples // 6)
@given(kept=st.dictionaries(CAMERAS, PAYLOADS, min_size=1, max_size=20))
def test_whatever_a_broker_keeps_is_cleared_away(
    broker: Mosquitto, own: Any, kept: dict[str, bytes]
) -> None:
    topics = {CONFIG.replace("door", camera): payload for camera, payload in kept.items()}
    tell(broker, topics, kept=True)
    node = publisher(broker.port)
    node.start()
    listener = Listener(broker.port)
    tell(broker, dict(zip(commands(own), topics.values(), strict=False)), kept=False)
    topics.pop(CONFIG, None)
    until(lambda: not any(listener.kept.get(topic) for topic in topics), "clearing")
    until(lambda: listener.json(CONFIG) == own, "its own discovery")
    listener.wait("agegender/shop/status", "online")
    node.stop()
    listener.wait("agegender/shop/status", "offline")
    listener.stop()


def tell(broker: Mosquitto, messages: dict[str, bytes], *, kept: bool) -> None:
    if messages:
        publish.multiple(
            [(topic, payload, 1, kept) for topic, payload in messages.items()],
            hostname="127.0.0.1",
            port=broker.port,
        )


def commands(discovery: Any) -> list[str]:
    """Return the topics on which a node is told what to do."""
    components = discovery["components"].values()
    return [each["command_topic"] for each in components if "command_topic" in each]
