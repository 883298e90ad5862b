"""What it costs to watch a scene in which nothing moves.

A still scene is encoded anew for every frame, with noise of its own, as a camera does it, five
times a second. Every row is the mean CPU time of a frame on one thread, in turns in one run, so
that the ratios hold on a busy machine too::

    OMP_NUM_THREADS=1 .venv/trainer/bin/python benchmarks/idle.py [PICTURE]

With OpenCV 4 in ``artefacts/opencv4`` (see `benchmarks/thesis.py`), its Haar cascade runs on
the same frames, as the thesis's system does on every frame.
"""

from __future__ import annotations

import importlib
import io
import sys
import time
from collections.abc import Callable, Iterator
from itertools import cycle
from pathlib import Path
from statistics import fmean

import numpy as np
import skimage
from PIL import Image

from agegender_vision.engine import Engine
from agegender_vision.frame import decode, thumbnail
from agegender_vision.watch import Watch, WatchSettings

OPENCV4 = Path(__file__).parents[1] / "artefacts" / "opencv4"
SIZES = ((640, 480), (1280, 720), (1920, 1080))
FRAMES = 12
ROUNDS = 24

Call = Callable[[bytes], object]


def still(picture: Image.Image, size: tuple[int, int]) -> Iterator[bytes]:
    """Yield frames of one scene, each with the noise of a sensor, as JPEG, without end."""
    scene = np.asarray(picture.resize(size), np.float32)
    random = np.random.default_rng(0)
    frames = []
    for _ in range(FRAMES):
        frame = (scene + random.normal(0, 2, scene.shape)).clip(0, 255).astype(np.uint8)
        encoded = io.BytesIO()
        Image.fromarray(frame).save(encoded, "JPEG", quality=80)
        frames.append(encoded.getvalue())
    return cycle(frames)


def watching(engine: Engine, settings: WatchSettings) -> Call:
    """Return a watch that is given a frame every fifth of a second."""
    watch = Watch(engine, settings)
    ticks = iter(range(1_000_000))
    return lambda frame: watch.look(frame, next(ticks) / 5)


def cascade() -> Call:
    """Return the face detector of the thesis's system."""
    sys.path.insert(0, str(OPENCV4))
    cv2 = importlib.import_module("cv2")

    cv2.setNumThreads(1)
    finder = cv2.CascadeClassifier(
        str(Path(cv2.data.haarcascades) / "haarcascade_frontalface_default.xml")
    )

    def find(frame: bytes) -> object:
        image = cv2.imdecode(np.frombuffer(frame, np.uint8), cv2.IMREAD_GRAYSCALE)
        return finder.detectMultiScale(image, 1.1, 5, minSize=(40, 40))

    return find


def milliseconds(call: Call, frame: bytes) -> float:
    """Return the CPU time of a call."""
    start = time.process_time()
    call(frame)
    return (time.process_time() - start) * 1e3


def main() -> None:
    """Print one table for each size of the frames."""
    default = Path(skimage.__file__).parent / "data" / "coffee.png"
    with Image.open(sys.argv[1] if len(sys.argv) > 1 else default) as image:
        picture = image.convert("RGB")
    engine = Engine.load(runtime="numpy")
    every = WatchSettings(motion_threshold=0)
    for size in SIZES:
        calls: dict[str, Call] = {
            "idle": watching(engine, WatchSettings()),
            "every frame glanced at": watching(engine, WatchSettings(glance_seconds=0)),
            "thumbnail alone": thumbnail,
            "whole decoding alone": decode,
            "without the motion gate": watching(engine, every),
        }
        if (OPENCV4 / "cv2").is_dir():
            calls["OpenCV's Haar cascade"] = cascade()
        scene = still(picture, size)
        for _ in range(FRAMES):  # warms up, and lets the gate close
            frame = next(scene)
            for call in calls.values():
                call(frame)
        times: dict[str, list[float]] = {name: [] for name in calls}
        for _ in range(ROUNDS):
            frame = next(scene)
            for name, call in calls.items():
                times[name].append(milliseconds(call, frame))
        idle = fmean(times["idle"])
        print(f"{size[0]}x{size[1]}, {len(frame) // 1024} KiB a frame")
        for name, values in times.items():
            print(f"  {name:24} {fmean(values):8.2f} ms {fmean(values) / idle:7.1f} x idle")


if __name__ == "__main__":
    main()
