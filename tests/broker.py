"""A real Mosquitto, and somebody who listens to it."""

import json
import shutil
import socket
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from time import monotonic, sleep
from typing import Any, Self

import pytest
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

ROOT = Path(__file__).parents[1]
PATIENCE = 120


def mosquitto() -> list[str]:
    """How the broker is started: the system's, else that of `scripts/setup broker`."""
    if program := shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin"):
        return [program]
    launcher = ROOT / ".venv" / "mosquitto" / "run"
    if not launcher.exists():
        pytest.skip("no Mosquitto here: install it, or run `scripts/setup broker` on Debian")
    return [str(launcher), "mosquitto"]


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def until(condition: Callable[[], Any], what: str) -> Any:
    deadline = monotonic() + PATIENCE
    while not (answer := condition()):
        assert monotonic() < deadline, f"waited in vain for {what}"
        sleep(0.05)
    return answer


class Mosquitto:
    """A broker on a port of its own; what it keeps is lost when it ends."""

    def __init__(self, folder: Path, *lines: str) -> None:
        self.port = free_port()
        self._config = folder / "mosquitto.conf"
        listener = [f"listener {self.port} 127.0.0.1", *(lines or ["allow_anonymous true"])]
        self._config.write_text("\n".join(["sys_interval 1", *listener, ""]))
        self._command = [*mosquitto(), "-c", str(self._config)]

    def start(self) -> Self:
        self.process = subprocess.Popen(
            self._command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        until(self._answers, "the broker")
        return self

    def _answers(self) -> bool:
        assert self.process.poll() is None, "the broker ended"
        with socket.socket() as visitor:
            return visitor.connect_ex(("127.0.0.1", self.port)) == 0

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(PATIENCE)


class Listener:
    """Hears all that a broker is told, and knows what it keeps."""

    def __init__(self, port: int, topics: str = "#", **options: Any) -> None:
        self.heard: list[tuple[str, str]] = []
        self.kept: dict[str, str] = {}
        self._ready = threading.Event()
        self._client = Client(CallbackAPIVersion.VERSION2)
        self._client.on_message = self._on_message
        self._client.on_subscribe = lambda *_: self._ready.set()
        self._client.on_connect = self._subscribe
        self._topics = topics
        for name, value in options.items():
            getattr(self._client, name)(*value)
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        assert self._ready.wait(PATIENCE)

    def _subscribe(self, *_: object) -> None:
        self._client.subscribe(self._topics, 0)

    def _on_message(self, _client: Client, _data: object, message: MQTTMessage) -> None:
        text = message.payload.decode(errors="replace")
        self.heard.append((message.topic, text))
        self.kept[message.topic] = text

    def json(self, topic: str) -> Any:
        return json.loads(self.kept.get(topic) or "null")

    def say(self, topic: str, text: str, *, keep: bool = False) -> None:
        self._client.publish(topic, text, retain=keep).wait_for_publish(PATIENCE)

    def wait(self, topic: str, text: str) -> None:
        until(lambda: self.kept.get(topic) == text, f"{topic} to be {text}")

    def stop(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()
