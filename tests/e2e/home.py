"""A real Home Assistant with one camera that plays a film, watched by our integration."""

import asyncio
import io
import json
import re
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from time import monotonic
from typing import Any

import aiohttp
import av
import numpy as np
import skimage.data
from awesomeversion import AwesomeVersion
from numpy.typing import NDArray
from PIL import Image, PngImagePlugin

from scripts.demo_home import instance
from scripts.demo_home.client import Client, Json
from scripts.demo_home.program import NAME, PASSWORD, USER
from tests.e2e.program import PATIENCE, ROOT

CLIP = ROOT.parent / "shared/data/detection/video/intel_face-demographics-walking-and-pause.mp4"
ZONE = "Europe/Berlin"
CONFIGURATION = f"""\
homeassistant:
  name: Film home
  time_zone: {ZONE}
config:
diagnostics:
history:
recorder:
  commit_interval: 1
logger:
  default: {{level}}
"""
CAMERA = "camera.shop"
MARK = "kept-frame-3f9c1d"
"""Text in the file of every frame: whoever keeps the file keeps it."""
PATTERN = np.random.default_rng(90210).integers(0, 256, (1, 24, 3), np.uint8)
"""Pixels in the upper left corner of every frame: whoever keeps the pixels keeps it."""


def film() -> list[NDArray[np.uint8]]:
    """The frames (H, W, 3) of a film in which people come and go.

    Where the clip is absent, packaged photographs of two people and of none.
    """
    if CLIP.exists():
        with av.open(str(CLIP)) as video:
            return [
                frame.to_ndarray(format="rgb24").astype(np.uint8) for frame in video.decode(video=0)
            ]
    portrait = np.asarray(Image.open(Path(skimage.data.__file__).with_name("astronaut.png")))
    nobody = np.full_like(portrait, 128)
    return [*[portrait] * 20, *[nobody] * 20, *[portrait[:, ::-1]] * 20, *[nobody] * 20]


def marked(frame: NDArray[np.uint8]) -> bytes:
    """A frame as a PNG, lossless, with the marks."""
    frame = frame.copy()
    frame[:1, : PATTERN.shape[1]] = PATTERN
    text = PngImagePlugin.PngInfo()
    text.add_text("Comment", MARK)
    file = io.BytesIO()
    Image.fromarray(frame).save(file, "PNG", pnginfo=text, compress_level=1)
    return file.getvalue()


@contextmanager
def playing(
    picture: Path, frames: Sequence[NDArray[np.uint8]], per_second: float
) -> Iterator[None]:
    """Show the frames in a file, over and over, as long as the block lasts."""
    encoded = [marked(frame) for frame in frames]
    over = threading.Event()
    new = picture.with_suffix(".new")

    def play() -> None:
        for frame in cycle(encoded):
            new.write_bytes(frame)
            new.replace(picture)
            if over.wait(1 / per_second):
                return

    thread = threading.Thread(target=play)
    picture.write_bytes(encoded[0])
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@dataclass(frozen=True, slots=True)
class Home:
    """A Home Assistant that runs.

    Parameters
    ----------
    config
        Its folder.
    url
        Where it answers.
    process
        Home Assistant itself, whatever it runs under.
    session, client
        Of the signed-in user.
    """

    config: Path
    url: str
    process: asyncio.subprocess.Process
    session: aiohttp.ClientSession
    client: Client

    async def watch(self, picture: Path, *engine: Json, interval: float = 1) -> None:
        """Set up the camera, and our integration with these answers to its forms."""
        assert picture.stem == "shop"
        # Since 2026.11 such a camera is called as its file is.
        version = (await self.client.call("get_config"))["version"]
        name = {"name": "Shop"} if AwesomeVersion(version) < "2026.11" else {}
        await self.client.run_flow("flow", "local_file", {**name, "file_path": str(picture)})
        created = await self.client.run_flow("flow", "agegender", *engine)
        entry = created["result"]["entry_id"]
        await self.client.run_flow(
            "subentries/flow",
            [entry, "camera"],
            {"camera": CAMERA, "interval": interval},
            {"next_step_id": "save"},
        )

    async def entry(self) -> Json:
        """Our config entry."""
        (entry,) = await self.client.call("config_entries/get", domain="agegender")
        return dict(entry)

    async def states(self) -> dict[str, str]:
        """The states of our camera's entities by entity id."""
        return {
            state["entity_id"]: state["state"]
            for state in await self.client.call("get_states")
            if state["entity_id"].split(".")[1].startswith("shop_")
        }

    async def get(self, path: str) -> Any:
        """Fetch a JSON document over HTTP."""
        async with self.session.get(f"{self.url}{path}") as response:
            response.raise_for_status()
            return await response.json()


@asynccontextmanager
async def running(
    config: Path,
    *,
    under: Sequence[str] = (),
    program: Sequence[str] = instance.HOME_ASSISTANT,
    log_level: str = "warning",
) -> AsyncIterator[Home]:
    """Run Home Assistant in a folder of its own, with the user signed in."""
    port = instance.free_port(0)
    url = f"http://{instance.HOST}:{port}"
    instance.prepare(config, port, CONFIGURATION.format(level=log_level))
    async with (
        instance.running(config, url, under=under, program=program) as process,
        aiohttp.ClientSession() as session,
    ):
        client = await Client.sign_in(session, url, name=NAME, user=USER, password=PASSWORD)
        await client.started()
        yield Home(config, url, process, session, client)


def stored_totals(config: Path) -> list[Json]:
    """Return the totals of each camera that are in the file; none while there is no file."""
    files = (path for path in config.glob(".storage/agegender.*") if path.suffix != ".new")
    return [census for path in files for census in json.loads(path.read_bytes()).values()]


async def until[T](condition: Callable[[], Awaitable[T]], what: str) -> T:
    """Ask again and again until the answer is a true one; return it."""
    deadline = monotonic() + PATIENCE
    while not (answer := await condition()):
        assert monotonic() < deadline, f"waited in vain for {what}"
        await asyncio.sleep(0.5)
    return answer


def problems(config: Path) -> list[str]:
    """What Home Assistant said about us in this folder.

    But for what it says of any of our kind, and of a machine with too much to do.
    """
    said = (config / "console.log").read_text()
    return [
        message
        for message in re.split(r"^(?=\d{4}-\d\d-\d\d )", said, flags=re.MULTILINE)
        if re.match(r"\S+ \S+ (WARNING|ERROR|CRITICAL) ", message)
        and "agegender" in message
        and "custom integration agegender which has not been tested" not in message
        and not re.search(r"taking over \d+ s|Waiting for integrations|taken less often", message)
    ]
