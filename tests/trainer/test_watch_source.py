"""Where a node's frames come from, and what it says of sources that cannot be read."""

import re
import threading
import tomllib
from pathlib import Path

import pytest

from agegender_vision.region import Region
from trainer.watch.settings import Settings, redacted
from trainer.watch.source import SourceError, frames

from .conftest import NO_FACE, ROOT


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


def test_credentials_of_a_source_are_not_shown() -> None:
    assert redacted("rtsp://me:secret@camera:554/1?key=secret") == "rtsp://camera:554/1"


def test_the_file_in_the_documentation_is_one() -> None:
    page = Path(ROOT / "docs" / "fleet.md").read_text("utf-8")
    (block,) = re.findall(r"(?ms)^```toml\n(.*?)^```", page)
    settings = Settings.model_validate(tomllib.loads(block))
    assert settings.cameras[0].region == Region(0.0, 0.2, 1.0, 1.0)
    assert settings.id == "shop_17"
