"""What the engine costs on this machine, beside what the retail thesis published.

Needs what the integration needs, and what draws tables: it runs on a Raspberry Pi too.
"""

from __future__ import annotations

import io
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
from PIL import Image, ImageFilter
from rich.table import Table

from agegender_vision.detector import Detection
from agegender_vision.engine import Engine
from agegender_vision.frame import FrameError, decode
from agegender_vision.watch import Watch
from trainer.errors import InputError

SIZE = (640, 480)
ROUNDS = 20

# Haar cascade and two MobileNetV2-224 Keras networks on a Raspberry Pi 3B+, as published.
PUBLISHED = {
    "load": "140 s",
    "one": "1.8 s a face, under 1 frame/s",
    "none": "2 frames/s",
    "still": "2 frames/s",
    "memory": "not told",
}

_COLD = """
import sys, time
from pathlib import Path
from agegender_vision.engine import Engine
from agegender_vision.watch import Watch
Watch(Engine.load(runtime=sys.argv[1])).look(Path(sys.argv[2]).read_bytes(), 0.0)
"""


@dataclass(frozen=True, slots=True)
class Costs:
    """What was measured here.

    Attributes
    ----------
    load
        Seconds from the start of a program to its first answer.
    faces
        Found in the picture.
    picture, empty
        Seconds for a frame that is searched in full: the picture, and one without faces.
    still
        Seconds for a frame in which nothing moved.
    memory
        MB that this process came to hold by loading and looking, or None where the
        system does not tell.
    runtime
        What executed the networks.
    """

    load: float
    faces: int
    picture: float
    empty: float
    still: float
    memory: float | None
    runtime: str


def bench(picture: Path | None, runtime: str, folder: Path) -> Costs:
    """Measure on this machine.

    Parameters
    ----------
    picture
        A photograph with faces; None takes a synthetic frame, in which there are none.
    runtime
        What executes the networks.
    folder
        For frames that another process reads.

    Raises
    ------
    InputError
        The picture cannot be read.
    """
    shown = _photograph(picture) if picture else _landscape()
    frame, empty = _encoded(shown), _encoded(_landscape())
    file = folder / "frame.jpg"
    file.write_bytes(frame)
    before = _resident()
    engine = Engine.load(runtime=runtime)  # first: it tells what is wrong with a runtime
    load = _seconds(lambda: _first_answer(runtime, file))
    faces = len(engine.analyze(decode(frame)))
    times = _in_turns(
        {
            "picture": lambda: _searched(engine, frame),
            "empty": lambda: _searched(engine, empty),
            "still": _still(engine, frame),
        }
    )
    after = _resident()
    return Costs(
        load=load,
        faces=faces,
        **times,
        memory=None if before is None or after is None else (after - before) / 1e6,
        runtime=engine.runtime_name,
    )


def table(costs: Costs) -> Table:
    """Return the costs beside the published figures, as a table to print."""
    made = Table(
        title=f"{SIZE[0]}x{SIZE[1]}, runtime {costs.runtime}",
        caption="Measured: now, on this machine. Published: by the thesis, on its Raspberry "
        "Pi 3B+, not here; the two columns compare systems only on the same board.",
    )
    made.add_column("")
    made.add_column("measured here", justify="right")
    made.add_column("published, Pi 3B+", justify="right")
    faces = f"{costs.faces} face{'s' * (costs.faces != 1)}"
    rows = {
        "load": ("load, to the first answer", f"{costs.load:.2f} s"),
        "one": (f"frame with {faces}, searched in full", _rate(costs.picture)),
        "none": ("frame without a face, searched in full", _rate(costs.empty)),
        "still": ("frame in which nothing moved", _rate(costs.still)),
        "memory": (
            "memory for engine and frames",
            "not told" if costs.memory is None else f"{costs.memory:.0f} MB",
        ),
    }
    for key, (label, measured) in rows.items():
        made.add_row(label, measured, PUBLISHED[key])
    return made


def _rate(seconds: float) -> str:
    return f"{seconds * 1e3:.1f} ms, {1 / seconds:.0f} frames/s"


def _first_answer(runtime: str, file: Path) -> None:
    paths = os.pathsep.join(sys.path)
    subprocess.run(  # noqa: S603  our own program, above
        [sys.executable, "-c", _COLD, runtime, str(file)],
        check=True,
        env=os.environ | {"PYTHONPATH": paths},
    )


def _searched(engine: Engine, frame: bytes) -> None:
    found: list[Detection] = engine.detect(image := decode(frame))
    engine.estimate([engine.crop(image, face) for face in found])


def _still(engine: Engine, frame: bytes) -> Callable[[], None]:
    """Return a look at a scene in which nothing moved for a while."""
    watch = Watch(engine)
    clock = _clock()
    for _ in range(10):
        watch.look(frame, next(clock))

    def look() -> None:
        watch.look(frame, next(clock))

    return look


def _clock() -> Iterator[float]:
    """Yield the seconds of five frames a second."""
    now = 0.0
    while True:
        yield now
        now += 0.2


def _in_turns(calls: dict[str, Callable[[], None]]) -> dict[str, float]:
    """Return the median seconds of each; in turns, so that all meet the same machine."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for turn in range(ROUNDS + 1):
        for name, call in calls.items():
            taken = _seconds(call)
            if turn:  # the first one warms up
                times[name].append(taken)
    return {name: median(taken) for name, taken in times.items()}


def _seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def _resident() -> int | None:
    """Return the bytes of memory this process holds; None where Linux does not tell."""
    try:
        pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    except OSError:
        return None
    return pages * os.sysconf("SC_PAGE_SIZE")


def _photograph(path: Path) -> Image.Image:
    """Read a picture and fit it into a frame, grey around it."""
    try:
        image = Image.fromarray(decode(path.read_bytes()))
    except (FrameError, OSError) as error:
        raise InputError(f"{path}: {error}") from error
    image.thumbnail(SIZE)
    frame = Image.new("RGB", SIZE, (127, 127, 127))
    frame.paste(image, ((SIZE[0] - image.width) // 2, (SIZE[1] - image.height) // 2))
    return frame


def _landscape() -> Image.Image:
    """Draw a frame without a face: soft blotches, as busy as a room."""
    blotches = np.random.default_rng(0).integers(0, 256, (24, 32, 3), np.uint8)
    image = Image.fromarray(blotches).resize(SIZE, Image.Resampling.BICUBIC)
    return image.filter(ImageFilter.GaussianBlur(2))


def _encoded(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=90)
    return buffer.getvalue()
