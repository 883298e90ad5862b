"""How cost grows with faces, with the frame's resolution and with the number of cameras.

CPU time on one thread, in turns in one run; frames differ from one another, so that every
one is looked at::

    OMP_NUM_THREADS=1 .venv/trainer/bin/python benchmarks/load.py
"""

from __future__ import annotations

import io
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median

import matplotlib as mpl
import skimage
from PIL import Image

from agegender_vision.engine import Engine
from agegender_vision.watch import Watch, WatchSettings

ROUNDS = 7
SIZES = ((320, 240), (640, 480), (1280, 720), (1920, 1080), (3840, 2160))
SEARCHING = WatchSettings(motion_threshold=0, search_every=1)
FOLLOWING = WatchSettings(motion_threshold=0, search_every=1000)


def frame(size: tuple[int, int], faces: int, step: int) -> bytes:
    """Encode a scene with so many faces, a little further on at each step."""
    data = Path(skimage.__file__).parent / "data"
    with Image.open(data / "coffee.png") as image:
        scene = image.convert("RGB").resize(size)
    width, height = size
    side = height // 3
    for index in range(faces):
        path = (
            data / "astronaut.png",
            Path(mpl.get_data_path()) / "sample_data" / "grace_hopper.jpg",
        )[index % 2]
        with Image.open(path) as image:
            person = image.convert("RGB").crop((100, 0, 400, 300)).resize((side, side))
        column, row = index % 3, index // 3
        scene.paste(person, (column * width // 3 + step * width // 640, row * side))
    encoded = io.BytesIO()
    scene.save(encoded, "JPEG", quality=85)
    return encoded.getvalue()


class Camera:
    """A watch and the frames it is given, over and over."""

    def __init__(self, engine: Engine, settings: WatchSettings, frames: Sequence[bytes]) -> None:
        """Point it at the frames."""
        self._watch = Watch(engine, settings)
        self._frames = frames
        self._number = 0

    def look(self) -> float:
        """Look at the next frame, a fifth of a second later; return milliseconds."""
        shown = self._frames[self._number % len(self._frames)]
        start = time.process_time()
        self.people = len(self._watch.look(shown, self._number / 5).present)
        self._number += 1
        return (time.process_time() - start) * 1e3


def table(title: str, cameras: Mapping[str, Sequence[Camera]]) -> None:
    """Let every row's cameras look in turns, and print a round's time and its ratio."""
    times: dict[str, list[float]] = {name: [] for name in cameras}
    for _ in range(ROUNDS + 1):
        for name, of in cameras.items():
            times[name].append(sum(camera.look() for camera in of))
    print(title)
    first = median(next(iter(times.values()))[1:])
    for name, values in times.items():
        people = "+".join(str(camera.people) for camera in cameras[name])
        taken = median(values[1:])
        print(f"  {name:24} {taken:8.1f} ms {taken / first:6.2f} x   people {people}")


def main() -> None:
    """Print the tables."""
    engine = Engine.load(runtime="numpy")
    steps = range(4)
    crowds = {n: [frame((640, 480), n, step) for step in steps] for n in (0, 1, 2, 4, 9)}
    for what, settings in (("searched", SEARCHING), ("followed", FOLLOWING)):
        rows = {f"{n} faces": [Camera(engine, settings, crowds[n])] for n in crowds}
        table(f"faces, 640x480, every frame {what}", rows)
    table(
        "resolution, one face, every frame searched",
        {
            f"{width}x{height}": [
                Camera(engine, SEARCHING, [frame((width, height), 1, step) for step in steps])
            ]
            for width, height in SIZES
        },
    )
    table(
        "cameras, 640x480, one face, every frame searched",
        {
            f"{n} cameras": [Camera(engine, SEARCHING, crowds[1]) for _ in range(n)]
            for n in (1, 2, 4, 8)
        },
    )


if __name__ == "__main__":
    main()
