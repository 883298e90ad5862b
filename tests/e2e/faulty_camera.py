"""A network camera that shows a known number of people, and breaks on command."""

import asyncio
import io
import random
import struct
import zlib
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from time import monotonic
from typing import Self

import matplotlib as mpl
import skimage.data
from aiohttp import web
from PIL import Image

HOST = "127.0.0.1"
SIZE = (400, 300)
SIDE = 120  # of a person's picture, in pixels
PLACES = 3
HUGE = (10_000, 10_000)


class Trouble(StrEnum):
    """What may be wrong with a camera."""

    OFF = "camera off"
    GARBAGE = "garbage bytes"
    TRUNCATED = "truncated JPEG"
    HUGE = "100 megapixel header"
    SLOW = "no answer in time"
    LATE = "slow answers"


DELAYS: dict[Trouble | None, float] = {Trouble.LATE: 3.0, Trouble.SLOW: 60.0}
"""Seconds until an answer; Home Assistant waits for ten."""


def _pictures() -> tuple[Image.Image, list[Image.Image]]:
    """The scene with nobody, and photographs of two people, either way round."""
    samples = Path(skimage.data.__file__).parent
    with Image.open(samples / "coffee.png") as image:
        scene = image.convert("RGB").resize(SIZE)
    people = []
    for path in (
        samples / "astronaut.png",
        Path(mpl.get_data_path()) / "sample_data" / "grace_hopper.jpg",
    ):
        with Image.open(path) as image:
            person = image.convert("RGB").crop((100, 0, 400, 300)).resize((SIDE, SIDE))
        people += [person, person.transpose(Image.Transpose.FLIP_LEFT_RIGHT)]
    return scene, people


def _jpeg(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=85)
    return file.getvalue()


SCENE, PEOPLE = _pictures()
NOBODY = _jpeg(SCENE)


def huge_jpeg(frame: bytes) -> bytes:
    """Let the header of a JPEG promise as many pixels as `HUGE`, which never arrive."""
    start = frame.index(b"\xff\xc0") + 5
    end = frame.rindex(b"\xff\xd9")
    return frame[:start] + struct.pack(">HH", *HUGE) + frame[start + 4 : end]


def huge_png() -> bytes:
    """Return a PNG whose header promises as many pixels as `HUGE`."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        checksum = zlib.crc32(kind + content)
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)

    header = struct.pack(">IIBBBBB", *HUGE, 8, 2, 0, 0, 0)
    pixels = chunk(b"IDAT", zlib.compress(bytes(100_000)))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + pixels + chunk(b"IEND", b"")


class Camera:
    """A camera at a port of its own that answers every request with the newest frame.

    Parameters
    ----------
    name
        What Home Assistant calls it.
    draw
        Chooses who is shown and where.
    """

    def __init__(self, name: str, draw: random.Random) -> None:
        self.name = name
        self.trouble: Trouble | None = None
        self.frames = 0
        """Delivered in all, damaged ones included."""
        self.most_at_once = 0
        """Requests that were ever open side by side."""
        self.people = 0
        """So many are shown."""
        self._draw = draw
        self._cast: list[tuple[int, Image.Image]] = []
        self._whole = 0
        self._asked = 0
        self._port = 0
        self._well = asyncio.Event()
        self._runner: web.AppRunner | None = None

    @property
    def key(self) -> str:
        """Its name in entity ids."""
        return self.name.lower().replace(" ", "_")

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self._port}/still.jpg"

    async def switch_on(self) -> Self:
        app = web.Application()
        app.router.add_get("/still.jpg", self._answer)
        # Else an answer would be waited for that nobody wants any more.
        self._runner = web.AppRunner(app, handler_cancellation=True, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, HOST, self._port, shutdown_timeout=0)
        await site.start()
        self._port = self._runner.addresses[0][1]
        return self

    async def switch_off(self) -> None:
        """Refuse connections, and drop those there are."""
        if self._runner:
            await self._runner.cleanup()
            self._runner = None

    async def begin(self, trouble: Trouble) -> None:
        self.trouble = trouble
        self._well.clear()
        if trouble is Trouble.OFF:
            await self.switch_off()

    async def end(self) -> None:
        """End any trouble; who waits for an answer gets it."""
        self.trouble = None
        self._well.set()
        if not self._runner:
            await self.switch_on()

    def show(self, people: int) -> None:
        """Let so many people stand before the camera, and all others leave."""
        places = self._draw.sample(range(PLACES), people)
        self._cast = [(place, self._draw.choice(PEOPLE)) for place in places]
        self.people = people

    async def looked(self, frames: int, seconds: float) -> None:
        """Wait until so many whole frames were fetched, over so many seconds at least."""
        start, before = monotonic(), self._whole
        while (  # noqa: ASYNC110  for two things at once
            self._whole - before < frames or monotonic() - start < seconds
        ):
            await asyncio.sleep(0.1)

    async def _answer(self, _: web.Request) -> web.Response:
        self._asked += 1
        self.most_at_once = max(self.most_at_once, self._asked)
        try:
            if self.trouble in DELAYS:
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._well.wait(), DELAYS[self.trouble])
            return web.Response(body=self._delivered(), content_type="image/jpeg")
        finally:
            self._asked -= 1

    def _delivered(self) -> bytes:
        self.frames += 1
        frame = self._frame()
        match self.trouble:
            case Trouble.GARBAGE:
                return self._draw.randbytes(20_000)
            case Trouble.TRUNCATED:
                return frame[: self._draw.randrange(1000, len(frame) - 1000)]
            case Trouble.HUGE:
                return huge_png() if self.frames % 2 else huge_jpeg(frame)
        self._whole += 1
        return frame

    def _frame(self) -> bytes:
        if not self._cast:
            return NOBODY
        scene = SCENE.copy()
        # Nobody stands quite still.
        dx, dy = self._draw.randint(-3, 3), self._draw.randint(-3, 3)
        for place, person in self._cast:
            scene.paste(person, (8 + place * (SIDE + 12) + dx, 100 + dy))
        return _jpeg(scene)
