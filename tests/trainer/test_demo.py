"""The demonstration's server, as a browser and as a rude visitor meet it."""

import asyncio
import io
import struct
import zlib
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
from aiohttp import ClientResponse
from aiohttp.test_utils import TestClient, TestServer
from aiohttp.web import Application, Request
from PIL import Image, ImageFilter

from agegender_vision.census import GENDER_CONFIDENCE
from agegender_vision.engine import Engine
from trainer.demo import server

from .conftest import ASTRONAUT, NO_FACE, agegender

Client = TestClient[Request, Application]


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine.load(runtime="numpy", min_face_size=40)


@pytest.fixture
async def client(engine: Engine) -> AsyncIterator[Client]:
    demo = server.Demo(engine, frozenset({"kitchen.local"}))
    async with TestClient(TestServer(demo.application())) as client:
        yield client


def picture(**options: object) -> bytes:
    """The astronaut, as a file made with these options."""
    file = io.BytesIO()
    Image.open(ASTRONAUT).convert("RGB").save(file, "JPEG", **options)
    return file.getvalue()


def large_png(side: int) -> bytes:
    """A white square that packs well."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + check

    row = b"\0" + b"\xff" * (side // 8)
    packer = zlib.compressobj(1)
    packed = b"".join(packer.compress(row) for _ in range(side)) + packer.flush()
    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    parts = chunk(b"IHDR", header) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


async def test_a_photo_gives_numbers(client: Client) -> None:
    answer = await (await client.post("/look", data=ASTRONAUT.read_bytes())).json()
    (face,) = answer["faces"]
    assert 25 <= face["age"] <= 45
    assert face["age_low"] < face["age"] < face["age_high"]
    assert face["p_female"] > 0.5
    assert face["gender"] == ("female" if face["p_female"] >= GENDER_CONFIDENCE else None)
    x, y, width, height = face["box"]
    assert 0.3 < x < x + width < 0.6
    assert 0.05 < y < y + height < 0.4


async def test_no_face(client: Client) -> None:
    answer = await (await client.post("/look", data=NO_FACE.read_bytes())).json()
    assert answer["faces"] == []


async def test_a_face_that_shows_too_little_is_not_judged(client: Client) -> None:
    blurred = Image.open(ASTRONAUT).convert("RGB").filter(ImageFilter.GaussianBlur(5))
    file = io.BytesIO()
    blurred.save(file, "PNG")
    answer = await (await client.post("/look", data=file.getvalue())).json()
    assert answer["faces"]
    for face in answer["faces"]:
        assert face.keys() == {"box", "unclear"}
        assert face["unclear"] == "too blurred"


@pytest.mark.parametrize(
    ("orientation", "upright"),
    [(3, Image.Transpose.ROTATE_180), (6, Image.Transpose.ROTATE_90)],
)
async def test_a_photo_taken_sideways_is_turned(
    client: Client, orientation: int, upright: Image.Transpose
) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    file = io.BytesIO()
    Image.open(ASTRONAUT).transpose(upright).save(file, "PNG", exif=exif)
    answers = [
        (await (await client.post("/look", data=data)).json())["faces"][0]["box"]
        for data in (ASTRONAUT.read_bytes(), file.getvalue())
    ]
    assert answers[0] == pytest.approx(answers[1], abs=0.02)


async def sentence(response: ClientResponse, status: int) -> str:
    assert response.status == status
    text = await response.text()
    assert text.endswith(".")
    assert response.content_type == "text/plain"
    return text


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (lambda: b"", "not a picture"),
        (lambda: b"%PDF-1.7 and so on", "not a picture"),
        (lambda: b"<svg xmlns='http://www.w3.org/2000/svg'/>", "not a picture"),
        (lambda: picture()[:5000], "damaged or cut short"),
        (lambda: large_png(10_000), "50 million are the limit"),
        (lambda: large_png(30_000), "50 million are the limit"),
    ],
    ids=["nothing", "document", "drawing", "truncated", "large", "enormous"],
)
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
async def test_what_is_no_usable_picture(
    client: Client, data: Callable[[], bytes], said: str
) -> None:
    assert said in await sentence(await client.post("/look", data=data()), 422)
    assert (await client.post("/look", data=picture())).status == 200


async def test_a_large_file_is_refused_before_it_is_sent(client: Client) -> None:
    assert client.port
    reader, writer = await asyncio.open_connection("127.0.0.1", client.port)
    writer.write(b"POST /look HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2000000000\r\n\r\n")
    answer = await asyncio.wait_for(reader.readuntil(b"copy of the picture."), 5)
    assert answer.startswith(b"HTTP/1.1 413 ")
    writer.close()


async def test_a_large_file_of_untold_size_is_refused_on_the_way(client: Client) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while sent < 2_000_000_000:
            sent += 1_000_000
            yield bytes(1_000_000)

    try:
        response = await client.post("/look", data=endless())
        assert "larger than 20 MB" in await sentence(response, 413)
    except ConnectionError:  # the server hung up while we were sending
        pass
    assert sent < 100_000_000
    assert (await client.post("/look", data=picture())).status == 200


async def test_a_slow_upload_is_given_up(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "UPLOAD_SECONDS", 0.1)

    async def slow() -> AsyncIterator[bytes]:
        yield b"\xff\xd8"
        await asyncio.sleep(1)

    assert "did not arrive" in await sentence(await client.post("/look", data=slow()), 408)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:8111", "[::1]:8111", "kitchen.local"])
async def test_names_it_goes_by(client: Client, host: str) -> None:
    assert (await client.get("/", headers={"Host": host})).status == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example:8111", "a b", "127.0.0.1.x"]
)
async def test_a_name_rebound_to_here_is_refused(client: Client, host: str) -> None:
    for request in (
        client.get("/", headers={"Host": host}),
        client.post("/look", headers={"Host": host}),
    ):
        assert "does not go by this name" in await sentence(await request, 421)


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:1"])
async def test_another_page_may_not_send_pictures(client: Client, origin: str) -> None:
    response = await client.post("/look", data=picture(), headers={"Origin": origin})
    assert "Another page" in await sentence(response, 403)


async def test_every_answer_forbids_storing_and_foreign_code(client: Client) -> None:
    requests = [
        client.get("/"),
        client.get("/demo.js"),
        client.get("/demo.css"),
        client.get("/icon.svg"),
        client.get("/nothing"),
        client.put("/look", data=b"nothing"),
        client.get("/", headers={"Host": "evil.example"}),
        client.post("/look", data=picture()),
        client.post("/look", data=b"nothing"),
    ]
    responses = [await request for request in requests]
    assert [response.status for response in responses] == [
        *(200, 200, 200, 200, 404, 405, 421, 200, 422),
    ]
    for response in responses:
        assert response.headers["Cache-Control"] == "no-store"
        assert response.headers["Content-Security-Policy"].startswith("default-src 'none';")
        assert "unsafe" not in response.headers["Content-Security-Policy"]
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert "Set-Cookie" not in response.headers
        assert "Access-Control-Allow-Origin" not in response.headers


async def test_only_the_page_is_served(client: Client) -> None:
    for path in ("/server.py", "/../server.py", "/%2e%2e/server.py", "/etc/passwd", "/page/"):
        response = await client.get(path)
        assert response.status == 404


async def test_visitors_share_the_engine_in_turn(client: Client) -> None:
    """One with many pictures does not keep out one with a single picture."""
    order: list[str] = []

    async def visit(name: str, pictures: int) -> None:
        for _ in range(pictures):
            assert (await client.post("/look", data=NO_FACE.read_bytes())).status == 200
            order.append(name)

    await asyncio.gather(visit("many", 6), visit("few", 2))
    assert order.index("few") <= 1
    assert [i for i, name in enumerate(order) if name == "few"][1] <= 3


async def test_more_than_can_wait_are_asked_to_come_back(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "MAX_WAITING", 2)
    responses = await asyncio.gather(*(client.post("/look", data=picture()) for _ in range(5)))
    assert sorted(response.status for response in responses) == [200, 200, 503, 503, 503]
    (busy, *_) = (response for response in responses if response.status == 503)
    assert busy.headers["Retry-After"] == "1"
    assert "Try again" in await busy.text()
    assert (await client.post("/look", data=picture())).status == 200


@pytest.fixture
def taken_port() -> Iterator[int]:
    with server.listen("127.0.0.1", 0) as listener:
        yield listener.getsockname()[1]


def test_a_port_that_is_taken(taken_port: int) -> None:
    done = agegender("demo", "--port", taken_port, check=False)
    assert done.returncode == 2
    assert f"cannot listen on 127.0.0.1, port {taken_port}: Address already in use" in done.stderr
    assert "Choose another --port" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--model", "nowhere"), "nowhere/model.json is missing"),
        (("--host", "no.such.host.invalid"), "cannot listen on no.such.host.invalid"),
    ],
)
def test_a_wrong_setting(arguments: tuple[str, ...], said: str) -> None:
    done = agegender("demo", "--port", 0, *arguments, check=False)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_the_page_asks_for_nothing_from_elsewhere() -> None:
    for file in (Path(server.__file__).parent / "page").iterdir():
        text = file.read_text("utf-8").replace("http://www.w3.org/2000/svg", "")
        assert "//" not in text.replace("// ", ""), file
