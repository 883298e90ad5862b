"""Start the demonstration and print the counts until Ctrl-C."""

import argparse
import asyncio
import signal
import sys
import time
from pathlib import Path

import aiohttp

from . import cameras, dashboard, instance
from .client import Client, HomeAssistantError

ROOT = Path(__file__).parents[2]
NAME, USER, PASSWORD = "Demo", "demo", "demo"
RESTART = 100
"""Exit status with which Home Assistant asks to be started again."""


def main() -> int:
    """Run the demonstration; return the exit status."""
    parser = argparse.ArgumentParser(
        prog="scripts/develop",
        description="Start a Home Assistant with demonstration cameras and show the counts.",
    )
    parser.add_argument(
        "--config",
        type=Path,
        default=ROOT / ".develop",
        help="configuration folder, kept for the next start (default: %(default)s)",
    )
    parser.add_argument(
        "--demo",
        type=Path,
        default=ROOT / "demo",
        help="folder of your own pictures, each one more camera (default: %(default)s)",
    )
    parser.add_argument(
        "--port", type=int, default=8123, help="0, or one that is taken: any free one (%(default)s)"
    )
    arguments = parser.parse_args()
    try:
        return asyncio.run(
            _until_signal(arguments.config.resolve(), arguments.demo, arguments.port)
        )
    except HomeAssistantError as error:
        print(
            f"develop: {error}\ndevelop: to start afresh, remove {arguments.config}",
            file=sys.stderr,
        )
        return 1
    except (instance.StartError, aiohttp.ClientError, TimeoutError) as error:
        print(f"develop: {str(error) or type(error).__name__}", file=sys.stderr)
        return 1


async def _until_signal(config: Path, demo: Path, port: int) -> int:
    """Run until Ctrl-C or another request to end, which is the way to end well."""
    work = asyncio.ensure_future(_run(config, demo, port))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, work.cancel)
    try:
        return await work
    except asyncio.CancelledError:
        print("Stopped.", flush=True)
        return 0


async def _run(config: Path, demo: Path, port: int) -> int:
    port = instance.free_port(port)
    url = f"http://{instance.HOST}:{port}"
    while True:
        print("Starting Home Assistant ...", flush=True)
        instance.prepare(config, port)
        async with instance.running(config, url) as process, aiohttp.ClientSession() as session:
            client = await Client.sign_in(session, url, name=NAME, user=USER, password=PASSWORD)
            await client.started()
            watched = await cameras.watch(client, cameras.pictures(demo))
            await dashboard.save(client, watched)
            print(
                f"\n  Dashboard  {url}/{dashboard.URL_PATH}"
                f"\n  User       {USER}"
                f"\n  Password   {PASSWORD}\n"
                f"\n{len(watched)} cameras, counts as they change (Ctrl-C ends):",
                flush=True,
            )
            await _follow(client, watched)
            status = await process.wait()
        if status != RESTART:
            print(f"develop: Home Assistant ended, see {config}/console.log", file=sys.stderr)
            return 1


async def _follow(client: Client, watched: list[cameras.WatchedCamera]) -> None:
    """Print a line for each camera whose counts changed, until the connection ends."""
    states: dict[str, str] = {}
    changed = asyncio.Event()

    async def receive() -> None:
        entities = [
            entity
            for camera in watched
            for entity in (
                *(camera.people, camera.female, camera.male, camera.unknown),
                *camera.ages.values(),
            )
        ]
        async for event in client.subscribe("subscribe_entities", entity_ids=entities):
            added = event.get("a", {})
            updated = {entity: change.get("+", {}) for entity, change in event.get("c", {}).items()}
            states.update(
                {
                    entity: state["s"]
                    for entity, state in {**added, **updated}.items()
                    if "s" in state
                }
            )
            changed.set()
        changed.set()

    shown: dict[str, str] = {}
    receiving = asyncio.create_task(receive())
    try:
        while not receiving.done():
            await changed.wait()
            # The counts of one frame come one by one; wait for all of them.
            await asyncio.sleep(0.3)
            changed.clear()
            for camera in watched:
                line = _line(camera, states)
                if line and shown.get(camera.name) != line:
                    shown[camera.name] = line
                    print(f"{time.strftime('%H:%M:%S')}  {camera.name:<14}  {line}", flush=True)
        await receiving
    finally:
        receiving.cancel()


def _line(camera: cameras.WatchedCamera, states: dict[str, str]) -> str:
    """Return a camera's counts in words; empty before the first frame."""
    if camera.people not in states or states[camera.people] == "unknown":
        return ""
    if states[camera.people] == "unavailable":
        return "no frame"
    genders = [f"{states[camera.female]} female", f"{states[camera.male]} male"]
    if states[camera.unknown] != "0":
        genders.append(f"{states[camera.unknown]} of unknown gender")
    ages = ", ".join(
        f"{states[sensor]} {'of unknown age' if band == 'unknown' else f'aged {band}'}"
        for band, sensor in camera.ages.items()
        if states.get(sensor, "0") != "0"
    )
    counts = f"{states[camera.people]} in view: {', '.join(genders)}"
    return f"{counts}; {ages}" if ages else counts
