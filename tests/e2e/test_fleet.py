"""A real Home Assistant shows what a node without one counts."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest_socket

from tests.broker import Mosquitto
from tests.e2e.home import running, until
from tests.e2e.program import ROOT


def start_node(folder: Path, port: int) -> subprocess.Popen[bytes]:
    """A node before a film of the astronaut."""
    make = (
        "import sys, numpy as np, skimage.data;"
        "from pathlib import Path; from trainer.video import Writer;"
        "video = Writer(Path(sys.argv[1])).__enter__();"
        "[video.write(np.roll(skimage.data.astronaut(), n % 4, axis=1), n / 2)"
        " for n in range(120)];"
        "video.__exit__(None, None, None)"
    )
    environment = os.environ | {"PYTHONPATH": f"{ROOT}:{ROOT / 'src'}"}
    film = folder / "film.mp4"
    subprocess.run([sys.executable, "-c", make, str(film)], env=environment, check=True)
    return subprocess.Popen(
        [
            *(sys.executable, "-m", "trainer", "watch", f"Door={film}", "--privacy", "home"),
            *("--mqtt", f"mqtt://127.0.0.1:{port}", "--name", "Shop 17"),
            *("--state", str(folder / "state")),
        ],
        cwd=ROOT,
        env=environment,
    )


async def show(folder: Path, broker: Mosquitto) -> None:
    node = start_node(folder, broker.port)
    try:
        async with running(folder / "config") as home:
            await home.client.run_flow(
                "flow",
                "mqtt",
                {
                    "broker": "127.0.0.1",
                    "port": broker.port,
                    "other_settings": {"set_client_cert": False, "set_ca_cert": "off"},
                },
            )

            async def states() -> dict[str, str]:
                return {
                    state["entity_id"]: state["state"]
                    for state in await home.client.call("get_states")
                    if ".shop_17_door_" in state["entity_id"]
                }

            async def counted() -> bool:
                shown = await states()
                return shown.get("sensor.shop_17_door_visitors_today") == "1"

            await until(counted, "a visitor")
            shown = await states()
            assert shown["sensor.shop_17_door_people_in_view"] == "1"
            assert shown["sensor.shop_17_door_women_and_girls"] == "1"
            assert shown["binary_sensor.shop_17_door_children"] == "off"
            assert "unavailable" not in shown.values()
            assert shown["sensor.shop_17_door_status"] == "counting"

            async def press(domain: str, service: str, entity: str) -> None:
                await home.client.call(
                    "call_service", domain=domain, service=service, target={"entity_id": entity}
                )

            async def paused() -> bool:
                return (await states())["sensor.shop_17_door_status"] == "paused"

            async def forgotten() -> bool:
                return (await states())["sensor.shop_17_door_visitors_today"] == "0"

            await press("switch", "turn_on", "switch.shop_17_door_pause")
            await until(paused, "a pause")
            await press("button", "press", "button.shop_17_door_reset_totals")
            await until(forgotten, "totals set back")
            shown = await states()
            assert shown["switch.shop_17_door_pause"] == "on"
            assert shown["sensor.shop_17_door_people_in_view"] == "unknown"
            node.kill()

            async def missed() -> bool:
                return set((await states()).values()) == {"unavailable"}

            await until(missed, "the node to be missed")
    finally:
        node.kill()
        node.wait()


def test_home_assistant_shows_a_node_and_misses_it(tmp_path: Path) -> None:
    pytest_socket.enable_socket()
    broker = Mosquitto(tmp_path).start()
    try:
        asyncio.run(show(tmp_path, broker))
    finally:
        broker.stop()
