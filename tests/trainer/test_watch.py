"""A node of a fleet, its real broker, and all that it is told."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest
import trustme
from PIL import Image

from agegender_vision import totals
from agegender_vision.census import AgeBands, Census
from agegender_vision.privacy import Home, Mode, Public
from benchmarks.fleet import measure
from tests.broker import PATIENCE, Listener, Mosquitto, until
from trainer.errors import InputError
from trainer.video import Writer
from trainer.watch import entities as told
from trainer.watch.node import Node
from trainer.watch.settings import load

from .conftest import ASTRONAUT, ROOT

STATE, STATUS = "agegender/shop/door/state", "agegender/shop/door/status"
CONFIG, NODE = "homeassistant/device/agegender_shop/door/config", "agegender/shop/status"


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The astronaut, moving a little, for a minute."""
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    image = np.asarray(Image.open(ASTRONAUT).convert("RGB"))
    with Writer(path) as video:
        for number in range(120):
            video.write(np.roll(image, number % 4, axis=1), number / 2)
    return path


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    broker = Mosquitto(tmp_path).start()
    yield broker
    broker.stop()


Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start(tmp_path: Path, film: Path) -> Iterator[Start]:
    """Start a node as a user does."""
    nodes: list[subprocess.Popen[str]] = []

    def begin(url: str, *options: str, privacy: str = "home") -> subprocess.Popen[str]:
        node = subprocess.Popen(
            [
                *(sys.executable, "-m", "trainer", "watch", f"door={film}", "--mqtt", url),
                *("--name", "shop", "--privacy", privacy, "--state", str(tmp_path / "state")),
                *options,
            ],
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": f"{ROOT}:{ROOT / 'src'}"},
            stderr=subprocess.PIPE,
            text=True,
        )
        nodes.append(node)
        return node

    yield begin
    for node in nodes:
        node.kill()
        node.communicate()


def visitors(listener: Listener) -> int:
    return int((listener.json(STATE) or {}).get("today_people") or 0)


def test_a_node_counts_is_missed_and_loses_nothing(
    broker: Mosquitto, start: Start, tmp_path: Path
) -> None:
    url = f"mqtt://127.0.0.1:{broker.port}"
    node = start(url)
    listener = Listener(broker.port)
    listener.wait(STATUS, "online")
    until(lambda: visitors(listener), "a visitor")
    assert listener.json(STATE)["people"] == 1
    # What is kept is there for a Home Assistant that comes later.
    later = Listener(broker.port)
    until(lambda: {STATE, STATUS, CONFIG, NODE} <= later.kept.keys(), "what is kept")
    assert later.kept[NODE] == "online"
    device = later.json(CONFIG)
    assert device["availability"] == [{"topic": NODE}, {"topic": STATUS}]
    assert device["components"].keys() >= set(later.json(STATE))
    later.stop()
    # The broker goes, forgets all, and comes back.
    broker.stop()
    listener.stop()
    broker.start()
    listener = Listener(broker.port)
    listener.wait(NODE, "online")
    assert listener.json(CONFIG) == device
    before = visitors(listener)
    assert before >= 1
    # Killed, it is missed at once; what was saved is there again.
    file = tmp_path / "state" / "shop.json"
    until(lambda: json.loads(file.read_bytes())["door"]["window"]["counts"]["people"], "saving")
    node.kill()
    listener.wait(NODE, "offline")
    node = start(url)
    listener.wait(NODE, "online")
    assert visitors(listener) >= before
    # Ended in good order, it says goodbye.
    node.send_signal(signal.SIGTERM)
    assert node.wait(PATIENCE) == 0
    listener.wait(NODE, "offline")
    listener.stop()


def test_public_tells_nothing_of_an_open_window(broker: Mosquitto, start: Start) -> None:
    url = f"mqtt://127.0.0.1:{broker.port}"
    node = start(url)
    listener = Listener(broker.port)
    until(lambda: visitors(listener), "a visitor")
    at_home = set(listener.json(CONFIG)["components"])
    node.send_signal(signal.SIGTERM)
    node.wait(PATIENCE)
    listener.stop()

    start(url, privacy="public")
    listener = Listener(broker.port)
    listener.wait(STATUS, "online")

    def looked() -> bool:
        state = listener.json(STATE) or {}
        return "window_people" in state and state["status"] == "counting"

    until(looked, "a look")
    # Nothing of the other mode is kept, and of this one no window is over.
    states = [json.loads(text) for topic, text in listener.heard if topic == STATE and text]
    told_always = {"status": "counting", "pause": "OFF"}
    counts = {key for key in states[-1] if key not in told_always}
    assert counts & at_home <= {key for key in at_home if key.startswith("today_")}
    assert states[-1] == dict.fromkeys(counts) | told_always
    assert not listener.kept.get(STATE.replace("state", "diagnostics"))
    # Home Assistant is told which entities are gone, and what is kept says no more of them.
    configs = [json.loads(text) for topic, text in listener.heard if topic == CONFIG]
    assert "people" not in configs[-1]["components"]
    listener.stop()


def test_nothing_but_counts_is_told(broker: Mosquitto, start: Start) -> None:
    listener = Listener(broker.port)
    start(f"mqtt://127.0.0.1:{broker.port}")
    until(lambda: visitors(listener), "a visitor")
    cells = re.compile(r"(today_)?(people|female|male|gender_unknown|age_.+)")
    for topic, text in listener.heard:
        assert len(text) < 20_000
        if topic == STATE:
            for key, value in json.loads(text).items():
                assert value is None or isinstance(value, int) or not cells.fullmatch(key)
                assert cells.fullmatch(key) or key in {
                    *("majority_band", "majority_gender", "mean_age", "children"),
                    *("status", "pause"),
                }
    assert {topic.rpartition("/")[2] for topic, _ in listener.heard} <= {
        *("state", "status", "config", "diagnostics")
    }
    listener.stop()


def test_a_camera_is_paused_and_set_back_over_the_broker(broker: Mosquitto, start: Start) -> None:
    url = f"mqtt://127.0.0.1:{broker.port}"
    listener = Listener(broker.port)

    def command(key: str, payload: str, *, keep: bool = False) -> None:
        topic = listener.json(CONFIG)["components"][key]["command_topic"]
        listener.say(topic, payload, keep=keep)

    def paused(value: str) -> dict[str, Any]:
        until(lambda: (listener.json(STATE) or {}).get("pause") == value, f"pause {value}")
        return dict(listener.json(STATE))

    node = start(url)
    until(lambda: visitors(listener), "a visitor")
    assert paused("OFF")["status"] == "counting"
    for nonsense in ("", "on", "\N{WHITE SMILING FACE}", "x" * 100_000):
        command("pause", nonsense)
        command("reset_totals", nonsense)
    command("pause", "ON")
    resting = paused("ON")
    # Nobody knows who is in view; who was there was counted, and it is no outage.
    assert (resting["status"], resting["people"], resting["children"]) == ("paused", None, None)
    assert resting["today_people"] >= 1
    assert listener.kept[STATUS] == "online"
    command("reset_totals", "PRESS")
    until(lambda: listener.json(STATE)["today_people"] == 0, "totals set back")
    # A command that the broker keeps is not obeyed again by whoever connects.
    command("pause", "OFF", keep=True)
    paused("OFF")
    command("pause", "ON")
    before = paused("ON")
    node.send_signal(signal.SIGTERM)
    assert node.wait(PATIENCE) == 0

    # Neither a restart nor what the broker has kept ends a pause.
    seen = len(listener.heard)
    node = start(url)
    until(lambda: (NODE, "online") in listener.heard[seen:], "the node")
    assert paused("ON") == before
    command("pause", "OFF")
    until(lambda: listener.json(STATE)["people"] == 1, "somebody in view again")
    assert paused("OFF")["status"] == "counting"
    node.send_signal(signal.SIGTERM)
    assert node.wait(PATIENCE) == 0
    listener.stop()


def test_a_node_with_too_much_to_do_takes_frames_less_often(
    broker: Mosquitto, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    crowd = np.tile(np.asarray(Image.open(ASTRONAUT).convert("RGB")), (2, 3, 1))
    with Writer(tmp_path / "crowd.mp4") as video:
        for number in range(30):
            video.write(np.roll(crowd, 40 * (number % 2), axis=1), number / 30)
    (tmp_path / "watch.toml").write_text(
        f'name = "shop"\nstate = "{tmp_path}/state"\nruntime = "numpy"\n'
        f'[mqtt]\nurl = "mqtt://127.0.0.1:{broker.port}"\n[privacy]\nmode = "home"\n'
        + "".join(
            f'[[cameras]]\nname = "{name}"\nsource = "{tmp_path}/crowd.mp4"\ninterval = 0.1\n'
            for name in ("door", "hall", "yard")
        )
    )
    caplog.set_level("INFO", "trainer.watch.node")
    listener = Listener(broker.port)
    node = Node(load(tmp_path / "watch.toml", {}, []))
    thread = Thread(target=node.run)
    thread.start()
    states = [STATE.replace("door", name) for name in ("door", "hall", "yard")]

    def doing() -> set[str | None]:
        return {(listener.json(state) or {}).get("status") for state in states}

    try:
        until(lambda: "overloaded" in doing(), "an overload")
        for state in states:
            listener.say(state.replace("state", "pause/set"), "ON")
        until(lambda: doing() == {"paused"}, "pauses")
    finally:
        node.stop()
        thread.join(PATIENCE)
        listener.stop()
    [beginning, end] = caplog.messages
    assert "frames are taken less often" in beginning
    assert end == "There is time for every frame again"


def test_a_camera_that_was_removed_is_cleared_away(
    broker: Mosquitto, start: Start, film: Path
) -> None:
    url = f"mqtt://127.0.0.1:{broker.port}"
    listener = Listener(broker.port)
    node = start(url, f"yard={film}")
    yard = CONFIG.replace("door", "yard")
    until(lambda: listener.kept.get(yard), "the second camera")
    node.send_signal(signal.SIGTERM)
    node.wait(PATIENCE)
    start(url)
    until(lambda: listener.kept[yard] == "", "the second camera to be gone")
    listener.stop()


def test_tls_and_credentials(tmp_path: Path, start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    ca = trustme.CA()
    ca.cert_pem.write_to_path(tmp_path / "ca.pem")
    certificate = ca.issue_cert("127.0.0.1")
    certificate.private_key_pem.write_to_path(tmp_path / "key.pem")
    certificate.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    # As `mosquitto_passwd` writes it, for the password "secret".
    import base64  # noqa: PLC0415
    import hashlib  # noqa: PLC0415

    key = hashlib.pbkdf2_hmac("sha512", b"secret", b"salt" * 3, 101)
    salted = base64.b64encode(b"salt" * 3).decode()
    users = tmp_path / "users"
    users.write_text(f"shop:$7$101${salted}${base64.b64encode(key).decode()}\n")
    users.chmod(0o644)
    broker = Mosquitto(
        tmp_path,
        *(f"certfile {tmp_path}/cert.pem", f"keyfile {tmp_path}/key.pem"),
        *("allow_anonymous false", f"password_file {users}", "user root"),
    ).start()
    url, password = f"mqtts://127.0.0.1:{broker.port}", tmp_path / "password"
    try:
        options = ("--username", "shop", "--password-file", str(password))
        password.write_text("wrong\n")
        assert "authori" in refusal(start(url, "--ca-file", f"{tmp_path}/ca.pem", *options))
        password.write_text("secret\n")
        assert "certificate" in refusal(start(url, *options))
        node = start(url, "--ca-file", f"{tmp_path}/ca.pem", *options)
        listener = Listener(
            broker.port,
            tls_set=(f"{tmp_path}/ca.pem",),
            username_pw_set=("shop", "secret"),
        )
        listener.wait(NODE, "online")
        node.send_signal(signal.SIGTERM)
        listener.wait(NODE, "offline")
        monkeypatch.setenv("AGEGENDER_MQTT_PASSWORD", "secret")
        start(url, "--ca-file", f"{tmp_path}/ca.pem", "--username", "shop")
        listener.wait(NODE, "online")
        listener.stop()
    finally:
        broker.stop()


def refusal(node: subprocess.Popen[str]) -> str:
    """What a node says of a broker that it cannot use; it goes on trying, and says it once."""
    assert node.stderr
    line = next(line for line in node.stderr if line.startswith("ERROR"))
    assert node.poll() is None
    node.kill()
    assert not [again for again in node.stderr if again == line]
    return line.lower()


def test_it_waits_for_a_broker_that_is_not_there_yet(tmp_path: Path, start: Start) -> None:
    broker = Mosquitto(tmp_path)
    node = start(f"mqtt://127.0.0.1:{broker.port}")
    assert node.stderr
    assert "cannot be reached" in next(line for line in node.stderr if line.startswith("ERROR"))
    broker.start()
    listener = Listener(broker.port)
    listener.wait(NODE, "online")
    listener.stop()
    broker.stop()


def test_a_hundred_nodes_share_a_broker(tmp_path: Path) -> None:
    figures = measure(100, 3, tmp_path)
    assert figures["messages"] > 0
    assert figures["told"] == figures["visitors"]


BASE = {"mqtt.url": "mqtt://broker", "privacy.mode": "home", "name": "Shop 17"}


@pytest.mark.parametrize(
    ("options", "source", "part"),
    [
        ({"mqtt.url": None}, "/dev/video0", "--mqtt"),
        ({"privacy.mode": None}, "/dev/video0", "--privacy"),
        ({"mqtt.url": "mqtt://me:secret@broker"}, "/dev/video0", "no place for a password"),
        ({"mqtt.url": "http://broker"}, "/dev/video0", "mqtt://host"),
        ({"mqtt.ca_file": "ca.pem"}, "/dev/video0", "mqtts://"),
        ({"time_zone": "Nowhere"}, "/dev/video0", "time zone"),
        ({"age_bands": "65, 18"}, "/dev/video0", "rise"),
        ({}, "rtsp://me:secret@camera/1", "--config"),
        ({"name": "店"}, "/dev/video0", "Latin"),
    ],
)
def test_a_wrong_setting_is_explained(options: dict[str, Any], source: str, part: str) -> None:
    with pytest.raises(InputError, match=re.escape(part)) as caught:
        load(None, BASE | options, [source])
    assert "secret" not in str(caught.value)


def test_settings_come_from_a_file_and_options_win(tmp_path: Path) -> None:
    path = tmp_path / "watch.toml"
    path.write_text(
        'name = "Shop 1"\n[mqtt]\nurl = "mqtt://broker"\npassword = "secret"\n'
        '[privacy]\nmode = "public"\n[[cameras]]\nsource = "rtsp://me:secret@camera/1"\n'
    )
    settings = load(path, {"name": "Shop 17"}, [])
    assert (settings.id, settings.cameras[0].id) == ("shop_17", "camera")
    assert settings.mqtt.secret() == "secret"
    assert settings.privacy.of() == Public()


@pytest.mark.parametrize("mode", [Home(), Public()])
def test_entities_are_called_as_the_integrations(mode: Mode) -> None:
    folder = ROOT / "custom_components" / "agegender"
    names = json.loads((folder / "translations" / "en.json").read_text("utf-8"))["entity"]
    icons = json.loads((folder / "icons.json").read_text("utf-8"))["entity"]
    topics = told.Topics.of("shop", "door", topic="agegender", discovery="homeassistant")
    found = told.discovery(
        told.entities(AgeBands.preset(), mode),
        topics,
        device="agegender_shop_door",
        name="Door",
        model="open",
        noisy=False,
    )["components"]
    assert found.keys() >= {"status", "pause", "reset_totals", "today_people", "today_age_60+"}
    for key, config in found.items():
        match = re.fullmatch(r"(?P<prefix>.*?)age_(?P<band>\d.*)", key)
        name = f"{match['prefix']}age_band" if match else key
        own = names[config["platform"]][name]["name"]
        assert config["name"] == own.replace("{band}", match["band"] if match else "")
        assert config["icon"] == icons[config["platform"]][name]["default"]
        # Counts have none: there is no "1 people".
        unit = {"mean_age": "y", "processing_time": "ms"}.get(key)
        assert config.get("unit_of_measurement") == unit
    # These can be used, and tell something, also while the camera delivers nothing.
    always = {key for key, config in found.items() if "availability" in config}
    assert always == {"status", "pause", "reset_totals"}


def test_the_totals_are_those_of_the_integration(tmp_path: Path) -> None:
    now = datetime(2026, 6, 15, 12, tzinfo=UTC)
    census: Census = Home().start(AgeBands.preset(), now)
    totals.save(tmp_path / "totals", {"door": census})
    loaded, _ = totals.load(tmp_path / "totals", {"door": "Door"}, Home(), AgeBands.preset(), now)
    assert loaded == {"door": census}
