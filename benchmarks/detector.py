"""Compare our face detector's time with the ``mtcnn`` package's, in one run.

Times depend on the machine and on what else it does, so both take turns on the same
picture and the ratio is what counts::

    OMP_NUM_THREADS=1 .venv/trainer/bin/python benchmarks/detector.py [PICTURE...]
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import matplotlib as mpl
import skimage
from mtcnn import MTCNN

from agegender_vision.frame import read
from agegender_vision.mtcnn import Mtcnn

ROUNDS = 9


def seconds(call: Callable[[], object]) -> float:
    """Return how long a call takes."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def main() -> None:
    """Print one line for each picture."""
    pictures = [Path(argument) for argument in sys.argv[1:]] or [
        Path(skimage.__file__).parent / "data" / "astronaut.png",
        Path(mpl.get_data_path()) / "sample_data" / "grace_hopper.jpg",
    ]
    package, same, usual = MTCNN(), Mtcnn(min_face_size=20), Mtcnn(min_face_size=40)
    print("median ms, smallest face in brackets; ratio: package / ours")
    for path in pictures:
        image = read(path)
        calls: dict[str, Callable[[], object]] = {
            "package (20)": lambda image=image: package.detect_faces(image),  # type: ignore[misc]
            "ours (20)": lambda image=image: same.detect(image),  # type: ignore[misc]
            "ours (40)": lambda image=image: usual.detect(image),  # type: ignore[misc]
        }
        times: dict[str, list[float]] = {name: [] for name in calls}
        for turn in range(ROUNDS + 1):
            for name, call in calls.items():
                taken = seconds(call)
                if turn:  # the first one warms up
                    times[name].append(taken)
        reference = median(times["package (20)"])
        columns = [
            f"{name} {median(values) * 1e3:.0f} ({reference / median(values):.1f}x)"
            for name, values in times.items()
        ]
        print(f"{path.name} {image.shape[1]}x{image.shape[0]}:", ", ".join(columns))


if __name__ == "__main__":
    main()
