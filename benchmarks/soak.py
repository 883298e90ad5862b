"""A real Home Assistant, many cameras, and everything that breaks: what it survives.

People with known faces come before the cameras while these fail, the clock is set, the disk is
full, the integration is reloaded and Home Assistant is killed; the totals must be right after
each fault, nothing unforeseen be logged, and memory stay as it is::

    PYTHONPATH=.:src .venv/ha/bin/python benchmarks/soak.py --frames 50000

Needs a Linux that lets users mount in a name space of their own, and a C compiler. Ctrl-C ends it
early, with the figures so far. The exit status is 1 if anything was not as it should be.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from time import monotonic

import numpy as np

from tests.e2e.faulty_camera import Camera
from tests.e2e.soak import OWN_MOUNTS, Clock, Sample, Soak, lacking

DISK = "400m"
WARM_UP = 8000
"""Frames after a start until memory is what it will be."""
FEWEST = 10
"""Samples that a slope is told of."""


async def once(soak: Soak) -> None:
    """Let each fault happen, as many at once as possible."""
    await soak.full_disk(soak.troubled_cameras)
    await soak.visit(
        soak.reload,
        soak.saved_again,
        soak.clock_forwards,
        soak.clock_backwards,
        soak.power_cut,
    )
    await soak.rest()
    await soak.next_day()
    await soak.rest()


async def again_and_again(soak: Soak, frames: int, kills: int) -> None:
    """Let faults happen in any order until so many frames were delivered, or Ctrl-C."""
    begin = monotonic()

    async def full_disk() -> None:
        await soak.full_disk(soak.troubled_cameras)
        await soak.saved_again()

    steps = [
        lambda: soak.visit(soak.troubled_cameras),
        lambda: soak.visit(soak.reload),
        lambda: soak.visit(soak.clock_forwards, soak.clock_backwards),
        soak.next_day,
        full_disk,
    ]
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGINT, stop.set)
    soak.visited = 1 / 3
    while soak.frames < frames and not stop.is_set():
        soak.draw.shuffle(steps)
        for step in steps:
            await step()
            await soak.rest()
        if soak.frames * (kills + 1) > frames * soak.starts:
            await soak.visit(soak.power_cut)
            await soak.rest()
        minutes = (monotonic() - begin) / 60
        left = minutes * max(0, frames / soak.frames - 1)
        bad = len(soak.wrong) + len(soak.log.unexpected) + len(soak.log.missing)
        print(
            f"{soak.frames} of {frames} frames in {minutes:.0f} min, {left:.0f} min left; "
            f"{soak.faults.total()} faults, {soak.shown} people, "
            f"{soak.samples[-1].memory:.0f} MB; {bad} problems",
            flush=True,
        )


async def run(soak: Soak, frames: int, kills: int) -> None:
    """Set up the cameras and let things break."""
    async with soak.alive():
        await soak.set_up()
        await (again_and_again(soak, frames, kills) if frames else once(soak))
    soak.finish()
    for camera in soak.cameras:
        await camera.switch_off()


async def soaked(folder: Path, outside: Path, arguments: argparse.Namespace) -> Soak:
    """Run a soak to its end."""
    draw = random.Random(arguments.seed)  # noqa: S311
    cameras = [
        await Camera(f"Door {number + 1}", random.Random(number)).switch_on()  # noqa: S311
        for number in range(arguments.cameras)
    ]
    history = not arguments.no_history
    soak = Soak(folder, outside, cameras, Clock(outside), draw, history=history)
    await run(soak, arguments.frames, arguments.kills)
    return soak


def by_life(samples: list[Sample]) -> dict[int, list[Sample]]:
    """Sort samples by the start of Home Assistant that they are of."""
    lives: dict[int, list[Sample]] = {}
    for sample in samples:
        lives.setdefault(sample.life, []).append(sample)
    return lives


def slope(life: list[Sample]) -> tuple[float, float] | None:
    """Fit a line to memory over frames, after the warm-up.

    Returns
    -------
    tuple of float or None
        MB in 1000 frames and its standard error; None if the life was too short.
    """
    warm = [sample for sample in life if sample.frames >= life[0].frames + WARM_UP]
    if len(warm) < FEWEST:
        return None
    (rise, _), covariance = np.polyfit(
        [sample.frames / 1000 for sample in warm], [sample.memory for sample in warm], 1, cov=True
    )
    return float(rise), float(np.sqrt(covariance[0, 0]))


def report(soak: Soak) -> None:
    """Print the figures."""
    lives = by_life(soak.samples)
    print(f"\n| {len(soak.cameras)} cameras, {soak.frames} frames | |\n| --- | ---: |")
    for fault, number in sorted(soak.faults.items()):
        print(f"| {fault} | {number} |")
    print(f"| starts of Home Assistant | {soak.starts} |")
    print(f"| people shown | {soak.shown} |")
    print(f"| people counted | {soak.counted} |")
    print(f"| lost in the seconds before a kill -9 | {soak.lost} |")
    print(f"| counted before a kill -9 and, still in view, after it | {soak.twice} |")
    print(f"| totals wrong, entities unavailable, frames queued | {len(soak.wrong)} |")
    print(f"| log lines expected, by fault | {soak.log.expected} |")
    print(f"| log lines expected and missing | {len(soak.log.missing)} |")
    print(f"| log lines unexpected | {len(soak.log.unexpected)} |")
    for number, life in lives.items():
        first, last, fitted = life[0], life[-1], slope(life)
        print(
            f"| start {number}, {last.frames - first.frames} frames: memory, threads, files | "
            f"{first.memory:.0f} to {last.memory:.0f} MB, {first.threads} to {last.threads}, "
            f"{first.files} to {last.files} |"
        )
        if fitted:
            print(f"| its memory, warm, by 1000 frames | {fitted[0]:+.2f} ± {fitted[1]:.2f} MB |")
    for title, problems in {
        "wrong": soak.wrong,
        "missing": soak.log.missing,
        "unexpected": soak.log.unexpected,
    }.items():
        for problem in problems[:50]:
            print(f"{title}: {problem.rstrip()}")


def main() -> None:
    """Run in a name space of our own, on a small disk."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=0, help="0 lets each fault happen once")
    parser.add_argument("--cameras", type=int, default=20, help="each delivers a frame a second")
    parser.add_argument("--kills", type=int, default=2, help="of Home Assistant, in all")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--no-history", action="store_true", help="without the recorder, whose memory grows"
    )
    parser.add_argument("--disk", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.disk:
        outside = arguments.disk.parent
        soak = asyncio.run(soaked(arguments.disk, outside, arguments))
        report(soak)
        sys.exit(bool(soak.wrong or soak.log.missing or soak.log.unexpected))
    if missing := lacking():
        sys.exit(f"this machine lacks {missing}")
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the figures so far are still to come
    with tempfile.TemporaryDirectory() as name:
        disk = Path(name) / "disk"
        disk.mkdir()
        script = f'mount -t tmpfs -o size={DISK} none "$0" && exec "$@"'
        command = [*OWN_MOUNTS, "sh", "-c", script, str(disk), sys.executable, *sys.argv]
        sys.exit(subprocess.run([*command, "--disk", str(disk)], check=False).returncode)  # noqa: S603


if __name__ == "__main__":
    main()
