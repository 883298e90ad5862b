"""How much memory the engine takes, and that it does not grow.

Runs the engine in a process of its own, on frames of varying size and content (faces, none,
still, damaged), and prints its resident memory over that of a bare interpreter, in MB::

    OMP_NUM_THREADS=1 .venv/trainer/bin/python benchmarks/memory.py [--frames 20000]
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

REPORTS = 10
SIZES = ((320, 240), (640, 480), (1280, 720), (1920, 1080), (3840, 2160))
PROGRAMS = ("bare", "numpy", "pillow", "loaded", "watching")


def resident() -> float:
    """Return this process's resident memory in MB."""
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def serve(program: str, frames: int) -> None:
    """Print the resident memory of a program, several times while it watches."""
    if program in ("numpy", "pillow", "loaded", "watching"):
        import numpy  # noqa: F401, ICN001, PLC0415
    if program in ("pillow", "loaded", "watching"):
        from PIL import Image, JpegImagePlugin  # noqa: F401, PLC0415
    if program in ("loaded", "watching"):
        from agegender_vision.engine import Engine  # noqa: PLC0415

        engine = Engine.load(runtime="numpy")
    if program == "watching":
        from agegender_vision.frame import FrameError  # noqa: PLC0415
        from agegender_vision.watch import Watch  # noqa: PLC0415

        folder = Path(os.environ["FRAMES"])
        files = sorted(folder.iterdir())
        watches = [Watch(engine) for _ in range(4)]
        chance = random.Random(0)  # noqa: S311  which frame comes next
        for number in range(frames):
            frame = chance.choice(files).read_bytes()
            with suppress(FrameError):
                watches[number % 4].look(frame, number / 20)
            if (number + 1) % (frames // REPORTS) == 0:
                print(number + 1, resident(), flush=True)
    else:
        print(0, resident(), flush=True)


def write_frames(folder: Path, largest: int) -> None:
    """Write frames of many kinds, of sizes up to one of so many pixels width."""
    import numpy as np  # noqa: PLC0415
    import skimage  # noqa: PLC0415
    from PIL import Image  # noqa: PLC0415

    data = Path(skimage.__file__).parent / "data"
    sizes = [size for size in SIZES if size[0] <= largest]
    for name in ("astronaut.png", "coffee.png", "rocket.jpg"):
        with Image.open(data / name) as image:
            picture = image.convert("RGB")
        for width, height in sizes:
            row = Image.new("RGB", (width, height), (90, 90, 90))
            side = height // 2
            for index in range(2 * width // height):
                row.paste(picture.resize((side, side)), (index * side, side * (index % 2)))
            row.save(folder / f"{name}-{width}.jpg", quality=85)
            row.save(folder / f"{name}-{width}.png", compress_level=1)
    grey = np.full((sizes[0][1], sizes[0][0], 3), 120, np.uint8)
    Image.fromarray(grey).save(folder / "grey.jpg")
    whole = (folder / f"rocket.jpg-{sizes[0][0]}.jpg").read_bytes()
    (folder / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    (folder / "empty.jpg").write_bytes(b"")


def measured(program: str, frames: int, folder: Path) -> list[tuple[int, float]]:
    """Run a program of `PROGRAMS`; return frames and MB."""
    output = subprocess.run(  # noqa: S603  this file
        [sys.executable, __file__, "--program", program, "--frames", str(frames)],
        env=os.environ | {"OMP_NUM_THREADS": "1", "FRAMES": str(folder)},
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    return [(int(n), float(mb)) for n, mb in (line.split() for line in output.splitlines())]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="How much memory the engine takes.")
    parser.add_argument("--frames", type=int, default=400)
    parser.add_argument("--largest", type=int, default=1920, help="width of the largest frames")
    parser.add_argument("--program", choices=PROGRAMS, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.program:
        serve(arguments.program, arguments.frames)
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_frames(folder, arguments.largest)
        ((_, bare),) = measured("bare", 0, folder)
        print(f"a bare interpreter: {bare:.0f} MB; over that:")
        for program, what in (
            ("numpy", "NumPy imported"),
            ("pillow", "and Pillow"),
            ("loaded", "and the engine loaded"),
        ):
            ((_, mb),) = measured(program, 0, folder)
            print(f"{what:28} {mb - bare:6.1f} MB")
        for number, mb in measured("watching", arguments.frames, folder):
            print(f"{f'after {number} frames':28} {mb - bare:6.1f} MB")


if __name__ == "__main__":
    main()
