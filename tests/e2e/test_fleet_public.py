"""A node in public tells of a window when it is over, by the clock, and never before."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
import pytest_socket
import skimage.data
from PIL import Image

from tests.broker import Listener, Mosquitto, until
from tests.e2e.program import ROOT
from tests.e2e.soak import Clock
from trainer.video import Writer

STATE = "agegender/shop/door/state"
SETTINGS = """\
name = "Shop"
time_zone = "Europe/Berlin"
state = "{folder}/state"
mqtt.url = "mqtt://127.0.0.1:{port}"
privacy = {{mode = "public", crowd = 2, window = 15}}
cameras = [{{name = "Door", source = "{folder}/film.mp4"}}]
"""


def film(path: Path) -> None:
    """Two women, side by side, moving a little, for half a minute."""
    pictures = (
        Path(skimage.data.__file__).with_name("astronaut.png"),
        Path(mpl.get_data_path()) / "sample_data" / "grace_hopper.jpg",
    )
    portraits = [Image.open(each).convert("RGB").resize((512, 512)) for each in pictures]
    both = np.concatenate([np.asarray(portrait) for portrait in portraits], axis=1)
    with Writer(path) as video:
        for number in range(60):
            video.write(np.roll(both, number % 4, axis=1), number / 2)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    pytest_socket.enable_socket()
    broker = Mosquitto(tmp_path).start()
    yield broker
    broker.stop()


@pytest.mark.skipif(not shutil.which("cc"), reason="needs a C compiler, to set a node's clock")
def test_a_window_is_told_of_when_it_is_over(tmp_path: Path, broker: Mosquitto) -> None:
    clock = Clock(tmp_path)
    film(tmp_path / "film.mp4")
    config = tmp_path / "watch.toml"
    config.write_text(SETTINGS.format(folder=tmp_path, port=broker.port))
    environment = dict(each.split("=", 1) for each in clock.environment)
    node = subprocess.Popen(
        [sys.executable, "-m", "trainer", "watch", "--config", str(config)],
        cwd=ROOT,
        env=os.environ | environment | {"PYTHONPATH": f"{ROOT}:{ROOT / 'src'}"},
    )
    try:
        listener = Listener(broker.port)

        def told() -> dict[str, Any]:
            return dict(listener.json(STATE) or {})

        def counted() -> int:
            file = tmp_path / "state" / "shop.json"
            saved = json.loads(file.read_bytes()) if file.exists() else {}
            return int(saved["door"]["window"]["counts"]["people"]) if saved else 0

        until(lambda: counted() >= 2, "two visitors")
        assert told()["window_people"] is None
        assert told()["today_people"] is None
        clock.set(clock.now + timedelta(minutes=15))
        until(lambda: told()["window_people"] is not None, "the end of the window")
        window = {key: told()[key] for key in told() if key.startswith("window_")}
        assert window["window_people"] >= 2
        assert told()["today_people"] == window["window_people"]
        assert not {1} & set(window.values()), "nothing is told of one person"
        listener.stop()
    finally:
        node.kill()
        node.wait()
