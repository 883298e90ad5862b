"""The web server of the demonstration: pictures come in, numbers go out, nothing is kept."""

from __future__ import annotations

import asyncio
import html
import io
import logging
import socket
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from importlib.resources import files
from ipaddress import ip_address
from string import Template
from time import perf_counter
from typing import Any

import numpy as np
from aiohttp import web
from aiohttp.http import HttpProcessingError
from numpy.typing import NDArray
from PIL import Image
from yarl import URL

from agegender_vision.census import AGE_SPREAD, GENDER_CONFIDENCE
from agegender_vision.detector import Box
from agegender_vision.engine import Engine
from agegender_vision.estimator import Estimate
from agegender_vision.frame import FORMATS, FrameError, decode
from trainer.fitness import unclear

MAX_BYTES = 20_000_000
MAX_PIXELS = 50_000_000
ENOUGH = 1280
"""Pixels of the longer side that are looked at: a face that is smaller than the smallest
to be looked for then is too small to be judged anyway."""
MAX_WAITING = 8
"""Pictures in memory, the one that is looked at included."""
UPLOAD_SECONDS = 30

_TYPES = {"css": "text/css", "html": "text/html", "js": "text/javascript", "svg": "image/svg+xml"}
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
        "require-trusted-types-for 'script'; trusted-types 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
    "Referrer-Policy": "no-referrer",
    "Server": "agegender",
    "X-Content-Type-Options": "nosniff",
}

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Demo:
    """The pages, and the engine on its one thread.

    Each page sends one picture at a time and waits for the answer, and who waits is served
    in turn: so visitors share the engine fairly, and a camera's next picture is always
    its newest.

    Parameters
    ----------
    engine
        Finds and judges faces.
    names
        Names by which the server may be called, besides `localhost` and IP addresses.
    """

    def __init__(self, engine: Engine, names: frozenset[str] = frozenset()) -> None:
        """Fill in the page."""
        self._engine = engine
        self._names = names | {"localhost"}
        self._thread = ThreadPoolExecutor(1, "engine")
        self._turn = asyncio.Lock()
        self._waiting = 0
        about = {"model": engine.model_name, "licence": engine.licence, "bytes": MAX_BYTES}
        self._files = {
            file.name: file.read_text("utf-8") for file in (files(__package__) / "page").iterdir()
        }
        self._files["index.html"] = Template(self._files["index.html"]).substitute(
            {name: html.escape(str(value)) for name, value in about.items()}
        )

    def application(self) -> web.Application:
        """Return the web application."""
        app = web.Application(middlewares=[self._guard], client_max_size=MAX_BYTES)
        app.router.add_get("/{name:[a-z.]*}", self._file)
        app.router.add_post("/look", self._look)
        app.on_response_prepare.append(_add_headers)
        app.on_cleanup.append(self._close)
        return app

    async def _file(self, request: web.Request) -> web.Response:
        name = request.match_info["name"] or "index.html"
        if name not in self._files:
            raise web.HTTPNotFound(text="There is no such page here.")
        return web.Response(text=self._files[name], content_type=_TYPES[name.rpartition(".")[2]])

    async def _look(self, request: web.Request) -> web.Response:
        if self._waiting == MAX_WAITING:
            raise web.HTTPServiceUnavailable(
                text="Many pictures are waiting. Try again in a moment.",
                headers={"Retry-After": "1"},
            )
        self._waiting += 1
        try:
            data = await _body(request)
            async with self._turn:
                if request.transport is None:  # gone while waiting
                    raise web.HTTPRequestTimeout
                loop = asyncio.get_running_loop()
                answer = await loop.run_in_executor(self._thread, look, self._engine, data)
        except FrameError as error:
            raise web.HTTPUnprocessableEntity(text=_refusal(data)) from error
        finally:
            self._waiting -= 1
        return web.json_response(answer)

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Answer our own page only.

        A page elsewhere can have its name point here (DNS rebinding), but then it calls us
        by that name; or it can send pictures here from its own origin.
        """
        if not self._is_ours(request.host):
            raise web.HTTPMisdirectedRequest(
                text="The demo does not go by this name. Open the address that it printed."
            )
        origin = request.headers.get("Origin")
        if origin is not None and origin.partition("://")[2] != request.host:
            raise web.HTTPForbidden(text="Another page may not send pictures here.")
        return await handler(request)

    def _is_ours(self, authority: str) -> bool:
        try:
            name = URL(f"http://{authority}").host or ""
        except ValueError:
            return False
        return name in self._names or _is_address(name)

    async def _close(self, _: web.Application) -> None:
        self._thread.shutdown(cancel_futures=True)


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def look(engine: Engine, data: bytes) -> dict[str, Any]:
    """Say what is to be said about a picture.

    Parameters
    ----------
    engine
        Finds and judges faces.
    data
        An encoded picture.

    Returns
    -------
    dict
        `faces` from left to right and the `milliseconds` it took. A face has its `box`
        (left, top, width, height) in fractions of the upright picture, `age`, `age_low`
        and `age_high` in years (null if the model cannot tell), the `gender` (null if it
        cannot tell) and the probability `p_female`; or what makes it `unclear`.

    Raises
    ------
    FrameError
        It is no picture, damaged, or too large.
    """
    start = perf_counter()
    image = decode(data, max_pixels=MAX_PIXELS, enough=ENOUGH)
    found = sorted(engine.detect(image), key=lambda face: face.box[0])
    crops = [engine.crop(image, face) for face in found]
    faces = []
    for face, crop, estimate in zip(found, crops, engine.estimate(crops), strict=True):
        reason = unclear(face, crop)
        answer = {"unclear": reason} if reason else _answer(estimate)
        faces.append({"box": _fractions(face.box, image), **answer})
    return {"faces": faces, "milliseconds": round((perf_counter() - start) * 1000)}


def _fractions(box: Box, image: NDArray[np.uint8]) -> list[float]:
    height, width = image.shape[:2]
    sides = (width, height, width, height)
    return [round(float(value) / side, 4) for value, side in zip(box, sides, strict=True)]


def _answer(estimate: Estimate) -> dict[str, Any]:
    p = estimate.p_female
    knows_age = estimate.age_high - estimate.age_low <= AGE_SPREAD
    ages = (estimate.age, estimate.age_low, estimate.age_high)
    age, age_low, age_high = (round(year) if knows_age else None for year in ages)
    gender = "female" if p >= 0.5 else "male"
    return {
        "age": age,
        "age_low": age_low,
        "age_high": age_high,
        "p_female": round(p, 3),
        "gender": gender if max(p, 1 - p) >= GENDER_CONFIDENCE else None,
    }


async def _body(request: web.Request) -> bytes:
    """Read a picture, but no more than may be sent."""
    too_large = (
        f"The file is larger than {MAX_BYTES // 1_000_000} MB. Send a smaller copy of the picture."
    )
    size = request.content_length or 0
    if size > MAX_BYTES:
        raise web.HTTPRequestEntityTooLarge(MAX_BYTES, size, text=too_large)
    try:
        async with asyncio.timeout(UPLOAD_SECONDS):
            return await request.read()
    except web.HTTPRequestEntityTooLarge as error:  # one that does not tell its size
        error.text = too_large
        raise
    except TimeoutError as error:
        raise web.HTTPRequestTimeout(
            text=f"The picture did not arrive within {UPLOAD_SECONDS} seconds. Try again."
        ) from error


def _refusal(data: bytes) -> str:
    """Tell a visitor why a picture was refused."""
    too_large = (
        f"The picture has too many pixels: {MAX_PIXELS // 1_000_000} million are the limit. "
        "Send a smaller copy of it."
    )
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            width, height = image.size
    except Image.DecompressionBombError:
        return too_large
    except Exception:  # noqa: BLE001  whatever the header made the decoders raise
        return f"This is not a picture that the demo can read. It reads {', '.join(FORMATS)}."
    if width * height > MAX_PIXELS:
        return too_large
    return "The picture is damaged or cut short. Try to copy it again, or take another."


async def _add_headers(_: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(_HEADERS)


def listen(host: str, port: int) -> socket.socket:
    """Open the port, so that its number and a clash are known before anything is loaded.

    Parameters
    ----------
    host
        Name or address of this machine to listen on.
    port
        0 takes a free one.

    Raises
    ------
    OSError
        There is no such address here, or the port is taken.
    """
    family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    return socket.create_server(address[:2], family=family)


def serve(engine: Engine, listener: socket.socket, names: frozenset[str] = frozenset()) -> None:
    """Answer until interrupted.

    Parameters
    ----------
    engine
        Finds and judges faces.
    listener
        What `listen` returned.
    names
        As for `Demo`.
    """

    async def application() -> web.Application:
        return Demo(engine, names).application()

    # No log of visits, nor of what was sent by those who do not speak HTTP.
    logging.getLogger("aiohttp.server").addFilter(
        lambda record: not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError))
    )
    web.run_app(application(), sock=listener, print=None, access_log=None, shutdown_timeout=1)
