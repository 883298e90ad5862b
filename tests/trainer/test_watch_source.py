"""Where a node's frames come from, and what it says of sources that cannot be read."""

import re
import threading
import tomllib
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from agegender_vision.region import Region
from trainer.video import Writer
from trainer.watch.settings import Settings, redacted
from trainer.watch.source import Frame, SourceError, frames

from .conftest import ASTRONAUT, NO_FACE, ROOT


@pytest.mark.parametrize(
    ("source", "part"),
    [
        ("/dev/video99", "No such file"),
        ("nothing.mp4", "No such file"),
        (str(NO_FACE), "Invalid"),
        ("picamera", "python3-picamera2"),
        ("rtsp://127.0.0.1:9/stream", "refused"),
        ("http://127.0.0.1:9/stream", "refused"),
    ],
)
def test_a_source_that_cannot_be_read_is_explained(source: str, part: str) -> None:
    with pytest.raises(SourceError, match=part):
        next(frames(source, threading.Event()))


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """Where a web server shows a film of two frames, the astronaut and nobody."""
    with Writer(tmp_path / "film.mp4") as video:
        for number, picture in enumerate((ASTRONAUT, NO_FACE)):
            image = Image.open(picture).convert("RGB").resize((320, 240))
            video.write(np.asarray(image), number / 2)
    handler = partial(SimpleHTTPRequestHandler, directory=tmp_path)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/film.mp4"
        server.shutdown()
        thread.join()


def test_a_stream_is_read_over_the_network(address: str) -> None:
    first, second = (Frame(picture, 0).image() for picture in frames(address, threading.Event()))
    expected = np.asarray(Image.open(ASTRONAUT).convert("RGB").resize((320, 240)), float)
    assert first.shape == (240, 320, 3)
    # Red is red: her suit is orange.
    assert np.abs(first - expected).mean() < 12
    assert np.abs(second - expected).mean() > 30


def test_credentials_of_a_source_are_not_shown() -> None:
    assert redacted("rtsp://me:secret@camera:554/1?key=secret") == "rtsp://camera:554/1"


def test_the_file_in_the_documentation_is_one() -> None:
    page = Path(ROOT / "docs" / "fleet.md").read_text("utf-8")
    (block,) = re.findall(r"(?ms)^```toml\n(.*?)^```", page)
    settings = Settings.model_validate(tomllib.loads(block))
    assert settings.cameras[0].region == Region(0.0, 0.2, 1.0, 1.0)
    assert settings.id == "shop_17"
