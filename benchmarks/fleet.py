"""What a fleet costs: many nodes tell one Mosquitto of simulated visitors.

Each node is the real publisher with the real payloads, a connection of its own, and a real
census; only the visitors are drawn. Usage: python benchmarks/fleet.py [--nodes 100]
[--seconds 60]
"""

from __future__ import annotations

import argparse
import os
import random
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic, process_time, sleep

import numpy as np

from agegender_vision.census import AgeBands, children_present
from agegender_vision.estimator import Estimate, summarize
from agegender_vision.privacy import Home
from agegender_vision.reading import Live, Reading, Status
from tests.broker import Listener, Mosquitto, until
from trainer.watch.publisher import Publisher
from trainer.watch.settings import load

STAY = 6.0
"""Seconds that a visitor is in view, on average."""
BETWEEN = 20.0
"""Seconds from one visitor of a camera to the next, on average."""


def somebody(draw: random.Random) -> Estimate:
    """Draw a visitor whose age and gender are well known."""
    ages = np.exp(-((np.arange(101) - draw.uniform(5, 80)) ** 2) / 50)
    return summarize((ages / ages.sum()).astype(np.float32), draw.choice((0.05, 0.95)))


def cpu_seconds(process: int) -> float:
    """Return what a process has used so far."""
    fields = Path(f"/proc/{process}/stat").read_text("ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident(process: int) -> float:
    """Return the memory of a process in MB."""
    return int(Path(f"/proc/{process}/statm").read_text("ascii").split()[1]) * 4096 / 1e6


def measure(nodes: int, seconds: float, folder: Path) -> dict[str, float]:
    """Run a fleet and return its figures.

    Parameters
    ----------
    nodes
        How many, with one camera each.
    seconds
        For how long they look, once a second.
    folder
        For the broker's settings.
    """
    mode, bands, draw = Home(), AgeBands.preset(), random.Random(1)  # noqa: S311
    broker = Mosquitto(folder).start()
    listener = Listener(broker.port)
    options = {"mqtt.url": f"mqtt://127.0.0.1:{broker.port}", "privacy.mode": "home"}
    fleet = [
        Publisher(
            load(None, options | {"name": f"Shop {number}"}, ["door=picamera"]),
            "research",
            commanded=lambda *_: None,
        )
        for number in range(nodes)
    ]
    start = monotonic()
    for node in fleet:
        node.show_available("door", True)
        node.start()
    until(
        lambda: all(
            listener.kept.get(f"agegender/shop_{number}/status") == "online"
            for number in range(nodes)
        ),
        "the fleet",
    )
    connected = monotonic() - start
    first, kept = len(listener.heard), sum(len(text) for _, text in listener.heard)
    before, ours = cpu_seconds(broker.process.pid), process_time()
    census = [mode.start(bands, datetime.now(UTC)) for _ in fleet]
    present: list[list[Estimate]] = [[] for _ in fleet]
    begin = monotonic()
    while monotonic() < begin + seconds:
        turn = monotonic()
        for number, node in enumerate(fleet):
            present[number] = [each for each in present[number] if draw.random() > 1 / STAY]
            new = [somebody(draw)] if draw.random() < 1 / BETWEEN else []
            present[number] += new
            census[number] = mode.advance(census[number], new, datetime.now(UTC))
            shown = mode.publish(census[number], present[number])
            live = Live(children_present(present[number]), datetime.now(UTC), 30.0, 60.0)
            node.show("door", Reading(shown, live), Status.COUNTING)
        sleep(max(0.0, 1 - (monotonic() - turn)))
    length = monotonic() - begin
    figures = {
        "nodes": nodes,
        "connected_s": connected,
        "discovery_bytes": kept / nodes,
        "seconds": length,
        "broker_cpu": (cpu_seconds(broker.process.pid) - before) / length,
        "node_cpu": (process_time() - ours) / length / nodes,
        "broker_mb": resident(broker.process.pid),
    }

    def agree() -> bool:
        return all(
            (listener.json(f"agegender/shop_{number}/door/state") or {}).get("today_people")
            == each.today.people
            for number, each in enumerate(census)
        )

    until(agree, "all totals")
    told = listener.heard[first:]
    figures |= {
        "messages": len(told) / length / nodes,
        "bytes": sum(len(topic) + len(text) for topic, text in told) / length / nodes,
        "visitors": sum(each.today.people for each in census),
        "told": sum(
            listener.json(f"agegender/shop_{number}/door/state")["today_people"]
            for number in range(nodes)
        ),
    }
    for node in fleet:
        node.stop()
    listener.stop()
    broker.stop()
    return figures


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--nodes", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=60)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        figures = measure(arguments.nodes, arguments.seconds, Path(folder))
    print(f"""| {figures["nodes"]:.0f} nodes, {figures["seconds"]:.0f} s, one look a second | |
| --- | ---: |
| all connected and discovered after | {figures["connected_s"]:.1f} s |
| told by each at its start | {figures["discovery_bytes"] / 1000:.1f} kB |
| messages of a node | {figures["messages"] * 60:.1f} a minute |
| bytes of a node | {figures["bytes"]:.0f} a second |
| messages at the broker | {figures["messages"] * figures["nodes"]:.0f} a second |
| CPU of the broker | {figures["broker_cpu"]:.1%} of one core |
| CPU of a node, but for looking | {figures["node_cpu"]:.2%} of one core |
| memory of the broker | {figures["broker_mb"]:.0f} MB |
| visitors counted, and told | {figures["visitors"]:.0f}, {figures["told"]:.0f} |""")


if __name__ == "__main__":
    main()
