"""Nothing that a camera saw leaves the program, but counts.

A real Home Assistant watches a film while every system call with which data can leave a
process is traced: opening a file for writing, renaming one, sockets of any kind. What
it wrote, told and logged is then searched for what a picture or a face leaves behind.
The last tests show that leaks are found.
"""

import asyncio
import base64
import io
import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np
import pytest
import pytest_socket
from PIL import Image

from tests.e2e.home import MARK, PATTERN, film, marked, playing, running, stored_totals
from tests.e2e.program import PATIENCE
from tests.e2e.tracing import OPTIONS, SEND, SOCKET, Call, calls, written

SECONDS = 120
PEOPLE = 2
"""Both last as long as it takes until so many are counted."""
FRAMES_PER_SECOND = 4
WORKER = "agegender"
"""What our thread is called; its name begins with it."""
ALLOWED = re.compile(
    r"""
    \.storage/[\w.]+                    # settings and registries; our totals
    | home-assistant_v2\.db[-\w]*       # the recorder's database and its journals
    | home-assistant\.log[.\w]*         # the log
    | \.HA_VERSION | \.ha_run\.lock     # which Home Assistant ran here last, and runs now
    | blueprints/[\w/]+\.yaml           # Home Assistant's own, laid out at the first start
    """,
    re.VERBOSE,
)
"""The files in its folder that Home Assistant writes."""
MODES: dict[str, list[dict[str, Any]]] = {
    "home": [{"acknowledged": True}],
    "public": [{"acknowledged": True, "privacy_mode": "public"}, {"window": "5"}],
}
"""What is entered at set-up, form by form."""


def strace() -> str:
    program = shutil.which("strace")
    if (
        not program
        or subprocess.run([program, "true"], capture_output=True, check=False).returncode
    ):
        pytest.skip("strace is not here, or may not trace: this test watches system calls")
    return program


def leaks_to_files(traced: Iterable[Call], config: Path) -> list[str]:
    """The files that should not have been written."""
    return sorted(
        path
        for path in written(traced)
        if path != os.devnull
        and not (
            path.startswith(f"{config}/") and ALLOWED.fullmatch(path.removeprefix(f"{config}/"))
        )
    )


def leaks_to_sockets(traced: Iterable[Call], port: int) -> list[str]:
    """The calls that reach out of the machine, or further than the user's browser."""

    own = f"127.0.0.1:{port}"

    def fine(call: Call) -> bool:
        if call.name == "connect":
            # The name service's cache; and a datagram socket that is told an address
            # to learn its own: nothing is sent by that.
            return "/nscd/" in call.arguments or (
                call.descriptor.startswith("UDP") and "htons(1)" in call.arguments
            )
        if call.name == "bind":
            return (
                "AF_NETLINK" in call.arguments
                # Home Assistant announces itself, and looks whether there is IPv6.
                or "htons(5353)" in call.arguments
                or ("htons(0)" in call.arguments and '"::1"' in call.arguments)
                or (f"htons({port})" in call.arguments and '"127.0.0.1"' in call.arguments)
            )
        if call.name.startswith("accept"):
            return call.descriptor == f"TCP:[{own}]"
        if call.name in SEND:
            return call.descriptor.startswith(("UNIX-STREAM:[", "NETLINK:", f"TCP:[{own}->")) or (
                call.descriptor.startswith("UDP") and call.descriptor.endswith(":5353]")
            )
        # A ring would make calls that no tracer sees.
        return call.name != "io_uring_setup"

    return [f"{call.thread}: {call.name}({call.arguments}" for call in traced if not fine(call)]


def doings_of_the_worker(traced: Iterable[Call]) -> list[str]:
    """What our own thread did beyond reading: it wakes the event loop, nothing else."""

    def harmless(call: Call) -> bool:
        if call.name == "sendto":
            return call.descriptor.startswith("UNIX-STREAM:[")
        return call.name not in SOCKET and call.written in {None, os.devnull}

    return [
        f"{call.name}({call.arguments}"
        for call in traced
        if call.thread.startswith(WORKER) and not harmless(call)
    ]


def encodings(data: bytes) -> Iterator[bytes]:
    """The forms in which bytes are usually kept."""
    yield data
    yield data.hex().encode()
    for shift in range(3):  # base64, whatever stands before
        encoded = base64.b64encode(bytes(shift) + data)
        yield encoded[4 : -4 - len(encoded) % 4]
    for separator in (", ", ",", " "):
        yield separator.join(map(str, data)).encode()


NUMBER = rb"-?\d+(?:\.\d+)?(?:e-?\d+)?"
TRACES = {
    "a picture": re.compile(
        rb"\xff\xd8\xff[\xe0\xe1]..(?:JFIF|Exif)|\xff\xd8\xff\xdb\x00[\x43\x84]"
        rb"|\x89PNG\r\n|RIFF....WEBP|\x93NUMPY",
        re.DOTALL,
    ),
    "a picture in base64": re.compile(rb"data:image|/9j/4[A-Za-z0-9+/]{20}|iVBORw0KGgo"),
    "a list of numbers": re.compile(  # dates are printed like one
        rb"(?<!datetime)[\[(]\s*" + NUMBER + rb"(?:,?\s+" + NUMBER + rb"|," + NUMBER + rb"){3,}"
    ),
    "an array": re.compile(rb"\barray\(|dtype="),
    "something about one face": re.compile(
        rb"\b(?:bounding_?box|bbox|box(?:es)?|landmarks?|embeddings?|crops?|tracks?|track_id"
        rb"|p_female|age_low)\\?[\"']?\s*[:=]",
        re.IGNORECASE,
    ),
    "the mark of a frame": re.compile(b"|".join(map(re.escape, encodings(MARK.encode())))),
    "the pixels of a frame": re.compile(
        b"|".join(
            re.escape(form)
            for pixels in (PATTERN, PATTERN[..., ::-1])
            for form in encodings(pixels.tobytes())
        )
    ),
}


def as_jpeg(picture: bytes) -> bytes:
    file = io.BytesIO()
    Image.open(io.BytesIO(picture)).save(file, "JPEG")
    return file.getvalue()


KNOWN = re.compile(
    # The bounds of the age bands, beside the totals.
    rb'"starts":\[0,13,20,40,60\]'
    # The part of the picture that is looked at, in the settings: all of it.
    rb'|"region": ?\[0.0, ?0.0, ?1.0, ?1.0\]'
)


def traces(content: bytes) -> list[str]:
    """What in a text or file a picture or a face would leave behind."""
    content = KNOWN.sub(b"", content)
    return [
        f"{what}: {content[max(0, match.start() - 80) : match.end() + 40]!r}"
        for what, pattern in TRACES.items()
        if (match := pattern.search(content))
    ]


def recorded(database: Path) -> Iterator[tuple[str, bytes]]:
    """Every table of a database, as text."""
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as connection:
        tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        for (table,) in tables.fetchall():
            rows = connection.execute(f'SELECT * FROM "{table}"').fetchall()  # noqa: S608
            # Without blobs, which are Home Assistant's ids: the file is searched as well.
            values = (value for row in rows for value in row if not isinstance(value, bytes))
            yield table, "\n".join(map(str, values)).encode()


@dataclass(slots=True)
class Evidence:
    """What a run did, left behind and told.

    Parameters
    ----------
    config
        Home Assistant's folder.
    port
        Where it listened.
    calls
        What it asked of the system.
    told
        Content by place: files, the database, interfaces.
    counted
        The most people that its stored totals ever held. In public they are forgotten as
        a window ends.
    """

    config: Path
    port: int
    calls: list[Call]
    told: dict[str, bytes]
    counted: int


async def watch_film(folder: Path, forms: Iterable[dict[str, Any]]) -> Evidence:
    """Run Home Assistant on the film under the tracer."""
    config, trace, picture = folder / "config", folder / "trace", folder / "shop.png"
    under = (
        "env",
        # Python looks for a compiler here, and would let it write files of its own.
        f"PATH={Path(sys.executable).parent}",
        "PYTHONDONTWRITEBYTECODE=1",
        strace(),
        *OPTIONS,
        f"--output={trace}",
    )
    told: dict[str, Any] = {"events": []}
    people = film()
    # Who is in view at the end and at the beginning stays, and votes no second time: let
    # everybody leave, so that each window of time has its visitors.
    nobody = [np.full_like(people[0], 128)] * (6 * FRAMES_PER_SECOND)
    with playing(picture, [*people, *nobody], FRAMES_PER_SECOND):
        async with running(config, under=under, log_level="debug") as home:
            await home.watch(picture, *forms)
            entry = (await home.entry())["entry_id"]

            async def listen() -> None:
                async for event in home.client.subscribe("subscribe_events"):
                    told["events"].append(event)

            listening = asyncio.create_task(listen())
            counted, begin = 0, monotonic()
            while (passed := monotonic() - begin) < SECONDS or counted < PEOPLE:
                assert passed < SECONDS + PATIENCE, "the film counted nobody"
                await asyncio.sleep(1)
                counted = max(counted, stored_people(config))
            listening.cancel()
            told["states"] = await home.get("/api/states")
            diagnostics = await home.get(f"/api/diagnostics/config_entry/{entry}")
            told["diagnostics"] = diagnostics["data"]
            port = int(home.url.rpartition(":")[2])
    content = {place: json.dumps(document).encode() for place, document in told.items()}
    for table, rows in recorded(config / "home-assistant_v2.db"):
        content[f"database, {table}"] = rows
    for path in config.rglob("*"):
        if path.is_file() and "blueprints" not in path.parts:
            content[str(path.relative_to(config))] = path.read_bytes()
    return Evidence(config, port, list(calls(trace)), content, counted)


def stored_people(config: Path) -> int:
    """Return how many people the stored totals hold, 0 before there are any."""
    return sum(
        window["counts"]["people"]
        for census in stored_totals(config)
        for window in (census["window"], census["last"])
        if window
    )


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Evidence]:
    """Both modes, side by side to save time."""
    pytest_socket.enable_socket()

    async def watch_both() -> list[Evidence]:
        return await asyncio.gather(
            *(watch_film(tmp_path_factory.mktemp(mode), forms) for mode, forms in MODES.items())
        )

    return dict(zip(MODES, asyncio.run(watch_both()), strict=True))


@pytest.fixture(params=["home", "public"])
def evidence(request: pytest.FixtureRequest, runs: dict[str, Evidence]) -> Evidence:
    return runs[request.param]


def test_people_were_counted(evidence: Evidence) -> None:
    assert evidence.counted >= PEOPLE
    # What is searched is what there is.
    assert b"sensor.shop_" in evidence.told["database, states_meta"]
    assert b"sensor.shop_" in evidence.told["events"]
    assert b"camera.shop" in evidence.told["console.log"]


def test_no_file_is_written_but_home_assistants_own(evidence: Evidence) -> None:
    assert written(evidence.calls)
    assert leaks_to_files(evidence.calls, evidence.config) == []


def test_no_socket_is_used_but_home_assistants_own(evidence: Evidence) -> None:
    assert leaks_to_sockets(evidence.calls, evidence.port) == []


def test_our_thread_only_reads(evidence: Evidence) -> None:
    assert any(call.thread.startswith(WORKER) for call in evidence.calls)
    assert doings_of_the_worker(evidence.calls) == []


def test_nothing_of_a_picture_or_a_face_is_told(evidence: Evidence) -> None:
    found = {place: traces(content) for place, content in evidence.told.items()}
    assert {place: what for place, what in found.items() if what} == {}


FILE_LEAKS = {
    "a file elsewhere": "open('face.jpg', 'w')",
    "a file renamed": "open('/dev/null'); os.rename('shop.png', 'face.png')",
    "a file in memory": "os.memfd_create('face')",
    "a file in Home Assistant's folder": "open('config/www/face.jpg', 'x')",
}
SOCKET_LEAKS = {
    "a connection": "socket.create_connection(server.getsockname())",
    "a datagram": "datagram.sendto(b'face', ('127.0.0.1', 9))",
    "a datagram to a named end": "datagram.connect(('127.0.0.1', 9)); datagram.send(b'face')",
    "another server": "server.accept()",
}
LEAKY = """
import os, socket, threading
os.makedirs('config/www')
open('shop.png', 'w').close()
server = socket.create_server(('127.0.0.1', 0))
visitor = socket.socket()
visitor.connect(server.getsockname())
datagram = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
def leak():
    {leak}
thread = threading.Thread(target=leak, name='agegender_0')
thread.start()
thread.join()
"""


def calls_of(leak: str, folder: Path) -> list[Call]:
    """What a program that does such a thing asks of the system."""
    folder.mkdir()
    trace = folder / "trace"
    subprocess.run(
        [
            strace(),
            # Waits for the program, as nobody else does here.
            *(option for option in OPTIONS if option != "--daemonize"),
            f"--output={trace}",
            *(sys.executable, "-c", LEAKY.format(leak=leak)),
        ],
        cwd=folder,
        check=True,
    )
    return list(calls(trace))


@pytest.mark.parametrize("leak", FILE_LEAKS.values(), ids=FILE_LEAKS)
def test_a_leak_to_a_file_is_found(leak: str, tmp_path: Path) -> None:
    innocent = leaks_to_files(calls_of("pass", tmp_path / "a"), tmp_path / "a/config")
    found = leaks_to_files(calls_of(leak, tmp_path / "b"), tmp_path / "b/config")
    assert len(found) == len(innocent) + 1
    assert doings_of_the_worker(calls_of(leak, tmp_path / "c"))


@pytest.mark.parametrize("leak", SOCKET_LEAKS.values(), ids=SOCKET_LEAKS)
def test_a_leak_to_a_socket_is_found(leak: str, tmp_path: Path) -> None:
    innocent = leaks_to_sockets(calls_of("pass", tmp_path / "a"), 8123)
    found = leaks_to_sockets(calls_of(leak, tmp_path / "b"), 8123)
    assert len(found) > len(innocent)


PHOTOGRAPH = marked(film()[0])
PIXELS = PATTERN.tobytes()


@pytest.mark.parametrize(
    ("what", "content"),
    [
        ("a picture", PHOTOGRAPH[:100]),
        ("a picture", as_jpeg(PHOTOGRAPH)[:100]),
        ("a picture", b"\x93NUMPY\x01\x00v\x00"),
        ("a picture in base64", base64.b64encode(PHOTOGRAPH)[:100]),
        ("a picture in base64", base64.b64encode(as_jpeg(PHOTOGRAPH))[:100]),
        ("a list of numbers", json.dumps({"face": [12.5, 8.25, 64.0, 80.5]}).encode()),
        ("a list of numbers", b"found [[103 57 211 190]]"),
        ("an array", repr(PATTERN).encode()),
        ("something about one face", json.dumps({"box": None, "score": 0.9}).encode()),
        ("something about one face", json.dumps(json.dumps({"p_female": 0.4})).encode()),
        ("the mark of a frame", PHOTOGRAPH),
        ("the mark of a frame", b"some text " + base64.b64encode(b"." + PHOTOGRAPH)),
        ("the pixels of a frame", PIXELS),
        ("the pixels of a frame", PATTERN[..., ::-1].tobytes()),
        ("the pixels of a frame", json.dumps(PATTERN.ravel().tolist()).encode()),
        ("the pixels of a frame", PIXELS.hex().encode()),
    ],
)
def test_a_trace_is_found(what: str, content: bytes) -> None:
    assert any(each.startswith(f"{what}:") for each in traces(b"..." + content + b"..."))
