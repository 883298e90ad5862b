"""Compare our face detector's time with the ``mtcnn`` package's, in one run.

Both take turns on the same frames of 640x480 pixels, on one thread each. The figures are
CPU times, which what else the machine does changes little; the ratio is what counts::

    OMP_NUM_THREADS=1 .venv/trainer/bin/python benchmarks/detector.py [PICTURE...]

The package finds faces from 20 pixels on, at any other setting it is wrong. Ours is shown
at the same setting, and at its own default of 40.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import matplotlib as mpl
import numpy as np
import skimage
import tensorflow as tf
from mtcnn import MTCNN
from numpy.typing import NDArray
from PIL import Image, ImageOps

from agegender_vision.mtcnn import Mtcnn

ROUNDS = 15
SIZE = 640, 480


def seconds(call: Callable[[], object]) -> float:
    """Return the CPU time of a call."""
    start = time.process_time()
    call()
    return time.process_time() - start


def frame(path: Path) -> NDArray[np.uint8]:
    """Cut a picture to the size of a frame."""
    with Image.open(path) as image:
        return np.asarray(ImageOps.fit(image.convert("RGB"), SIZE, centering=(0.5, 0.3)))


def main() -> None:
    """Print one row for each picture."""
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    data = Path(skimage.__file__).parent / "data"
    pictures = [Path(argument) for argument in sys.argv[1:]] or [
        data / "astronaut.png",
        Path(mpl.get_data_path()) / "sample_data" / "grace_hopper.jpg",
        data / "coffee.png",
    ]
    package, ours = MTCNN(), Mtcnn()
    print("| 640x480, faces | mtcnn package, 20 px, ms | ours, 20 px, ms | ours, 40 px, ms |")
    print("|---|---:|---:|---:|")
    for path in pictures:
        image = frame(path)
        calls: list[Callable[[], object]] = [
            lambda image=image: package.detect_faces(image),  # type: ignore[misc]
            lambda image=image: ours.detect(image, min_face_size=20),  # type: ignore[misc]
            lambda image=image: ours.detect(image),  # type: ignore[misc]
        ]
        times: list[list[float]] = [[] for _ in calls]
        for turn in range(ROUNDS + 1):
            for taken, call in zip(times, calls, strict=True):
                taken.append(seconds(call)) if turn else call()  # the first one warms up
        reference, same, usual = (median(taken) * 1e3 for taken in times)
        print(
            f"| {path.stem}, {len(ours.detect(image))} | {reference:.0f} "
            f"| {same:.0f} ({reference / same:.1f}x) | {usual:.0f} ({reference / usual:.1f}x) |",
            flush=True,
        )


if __name__ == "__main__":
    main()
