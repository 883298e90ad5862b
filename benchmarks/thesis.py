"""Compare with the stack of the retail thesis, rebuilt from its parts.

The thesis counted customers on a Raspberry Pi with OpenCV's Haar cascade and two Keras
networks, one for age and one for gender, each a MobileNetV2 of 224x224 pixels. Both
systems get the same encoded frames, in turns, on one thread each; the networks' weights
are random, which costs the same as trained ones::

    .venv/uv/bin/uv pip install --python .venv/trainer --target artefacts/opencv4 --no-deps \
      'opencv-python-headless<5'
    OMP_NUM_THREADS=1 .venv/trainer/bin/python benchmarks/thesis.py

(OpenCV 5 has no cascades.) Times are CPU times, which what else the machine does changes
little: of a whole process up to its first answer, and from a frame's bytes to the answer.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from compileall import compile_dir
from importlib import import_module
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage
from statistics import fmean
from typing import IO, Any

import numpy as np
import skimage
from PIL import Image

ROUNDS = 30  # at five frames a second somebody stays for six seconds
LOADS = 2
OPENCV4 = Path(__file__).parents[1] / "artefacts" / "opencv4"
SIZE = 640, 480

Answer = Callable[[bytes], int]  # a frame to the number of faces


def thesis(folder: Path) -> Answer:
    """Load the thesis's parts; every frame is searched and every face judged."""
    import keras  # noqa: PLC0415
    import tensorflow as tf  # noqa: PLC0415

    cv2: Any = import_module("cv2")  # OpenCV 4, whatever the stubs of another version say
    cv2.setNumThreads(1)
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    networks = [keras.models.load_model(folder / f"{name}.keras") for name in ("age", "gender")]
    path = Path(cv2.data.haarcascades) / "haarcascade_frontalface_default.xml"
    cascade = cv2.CascadeClassifier(str(path))

    def answer(frame: bytes) -> int:
        image = cv2.imdecode(np.frombuffer(frame, np.uint8), cv2.IMREAD_COLOR)
        grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
        faces = cascade.detectMultiScale(grey, 1.1, 5, minSize=(40, 40))
        for x, y, width, height in faces:
            crop = cv2.resize(image[y : y + height, x : x + width], (224, 224))
            batch = crop[None].astype(np.float32) / 127.5 - 1
            for network in networks:
                network.predict(batch, verbose=0)
        return len(faces)

    return answer


def searching(_: Path) -> Answer:
    """Load our engine; every frame is searched and every face judged."""
    from agegender_vision.engine import Engine  # noqa: PLC0415
    from agegender_vision.frame import decode  # noqa: PLC0415

    engine = Engine.load(runtime="numpy")
    return lambda frame: len(engine.analyze(decode(frame)))


def watching(_: Path) -> Answer:
    """Load our engine as it runs for a camera: what did not move is not looked at."""
    from agegender_vision.engine import Engine  # noqa: PLC0415
    from agegender_vision.watch import Watch  # noqa: PLC0415

    watch = Watch(Engine.load(runtime="numpy"))
    start = time.monotonic()
    # Five frames a second, however fast they are asked for.
    ticks = iter(range(1_000_000))
    return lambda frame: len(watch.look(frame, start + next(ticks) / 5).present)


SYSTEMS = {"thesis": thesis, "ours, every frame searched": searching, "ours": watching}


class Program:
    """One of the systems, in a process of its own."""

    def __init__(self, name: str, folder: Path, first: Path) -> None:
        """Start it and wait for its first answer; `load` is the time that took."""
        self._process = subprocess.Popen(  # noqa: S603  this file
            [sys.executable, __file__, name, str(folder), str(first)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=os.environ
            | {"PYTHONPATH": f"{OPENCV4}:{os.environ.get('PYTHONPATH', '')}"}
            | {"OMP_NUM_THREADS": "1", "TF_CPP_MIN_LOG_LEVEL": "3"},
        )
        first_answer = self._line()
        self.faces, self.load = int(first_answer["faces"]), first_answer["seconds"]

    def seconds(self, frame: Path) -> float:
        """Return how long the answer to a frame takes."""
        return float(self._ask(str(frame))["seconds"])

    def megabytes(self) -> float:
        """Return the memory it holds."""
        return float(self._ask("memory")["megabytes"])

    def stop(self) -> None:
        """End it."""
        self._pipe(self._process.stdin).close()
        self._process.wait()

    def _ask(self, question: str) -> dict[str, float]:
        print(question, file=self._pipe(self._process.stdin), flush=True)
        return self._line()

    def _line(self) -> dict[str, float]:
        line = self._pipe(self._process.stdout).readline()
        if not line:
            raise SystemExit("a system stopped; for the thesis's, see the commands in this file")
        answer: dict[str, float] = json.loads(line)
        return answer

    @staticmethod
    def _pipe(pipe: IO[str] | None) -> IO[str]:
        assert pipe is not None  # noqa: S101  asked for above
        return pipe


def serve(name: str, folder: Path, first: Path) -> None:
    """Answer frames named on the standard input, after the first."""
    answer = SYSTEMS[name](folder)
    faces = answer(first.read_bytes())
    print(json.dumps({"seconds": time.process_time(), "faces": faces}), flush=True)
    for line in sys.stdin:
        question = line.strip()
        if question == "memory":
            print(json.dumps({"megabytes": resident()}), flush=True)
            continue
        frame = Path(question).read_bytes()
        start = time.process_time()
        faces = answer(frame)
        print(json.dumps({"seconds": time.process_time() - start, "faces": faces}), flush=True)


def resident() -> float:
    """Return this process's resident memory in MB."""
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def networks(folder: Path) -> None:
    """Write the thesis's two networks, with random weights."""
    import keras  # noqa: PLC0415

    for name, classes in (("age", 8), ("gender", 2)):
        base = keras.applications.MobileNetV2((224, 224, 3), include_top=False, weights=None)
        pooled = keras.layers.GlobalAveragePooling2D()(base.output)
        output = keras.layers.Dense(classes, "softmax")(pooled)
        keras.Model(base.input, output).save(folder / f"{name}.keras")


def frames(folder: Path) -> Iterator[tuple[str, list[Path]]]:
    """Write a person who moves, an empty scene with something moving, and still ones.

    Every frame has the noise of a sensor, but those of the last kind, which are one file.
    """
    data = Path(skimage.__file__).parent / "data"
    scene = Image.open(data / "coffee.png").convert("RGB").resize(SIZE)
    person = Image.open(data / "astronaut.png").convert("RGB").crop((135, 15, 315, 360))
    thing = Image.open(data / "rocket.jpg").convert("RGB").resize((160, 107))
    random = np.random.default_rng(0)
    for kind, moving, noise in (
        ("one face", person, 2),
        ("no face", thing, 2),
        ("still", None, 2),
        ("the same again", None, 0),
    ):
        paths = []
        for number in range((ROUNDS if moving else 2 * ROUNDS) + 1):  # stillness lasts longer
            frame = scene.copy()
            if moving:
                frame.paste(moving, (150 + 4 * number, 90))
            values = np.asarray(frame) + random.normal(0, noise, (*SIZE[::-1], 3))
            encoded = io.BytesIO()
            Image.fromarray(values.clip(0, 255).astype(np.uint8)).save(encoded, "JPEG", quality=85)
            paths.append(folder / f"{kind} {number}.jpg")
            paths[-1].write_bytes(encoded.getvalue())
        yield kind, paths


def alone(program: str) -> float:
    """Return the CPU time of a whole process that runs nothing but this, in ms; the least."""
    times = []
    for _ in range(LOADS):
        before = getrusage(RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-c", program], check=True)  # noqa: S603  ours
        after = getrusage(RUSAGE_CHILDREN)
        times.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return min(times) * 1e3


def main() -> None:
    """Print the table."""
    if len(sys.argv) == 4:
        serve(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
        return
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # as installed: the first load writes it
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        compile_dir(import_module("agegender_vision").__path__[0], quiet=1)
        networks(folder)
        kinds = dict(frames(folder))
        rows: dict[str, dict[str, float]] = {}
        loads: dict[str, list[float]] = {system: [] for system in SYSTEMS}
        for turn in range(LOADS):
            programs = {system: Program(system, folder, kinds["one face"][0]) for system in SYSTEMS}
            for system, program in programs.items():
                loads[system].append(program.load)
                if turn < LOADS - 1:
                    program.stop()
        print("faces in the first frame:", {name: p.faces for name, p in programs.items()})
        rows["load to first answer, ms"] = {s: min(taken) * 1e3 for s, taken in loads.items()}
        for kind, paths in kinds.items():
            times: dict[str, list[float]] = {system: [] for system in SYSTEMS}
            for number, path in enumerate(paths):
                for system, program in programs.items():
                    taken = program.seconds(path)
                    if number > 3:  # the first warm up, and a still scene is looked at
                        times[system].append(taken)
            rows[f"frame, {kind}, ms"] = {s: fmean(taken) * 1e3 for s, taken in times.items()}
        rows["memory, MB"] = {system: p.megabytes() for system, p in programs.items()}
        for program in programs.values():
            program.stop()
    print("|  |", " | ".join(SYSTEMS), "|")
    print("|---|" + "---:|" * len(SYSTEMS))
    for row, values in rows.items():
        reference = values["thesis"]
        cells = [f"{values['thesis']:.0f}"] + [
            f"{values[system]:.1f} ({reference / values[system]:.0f}x)"
            for system in list(SYSTEMS)[1:]
        ]
        print(f"| {row} |", " | ".join(cells), "|")
    python, numpy = alone("pass"), alone("import numpy")
    print(f"of loading, Python takes {python:.0f} ms and importing NumPy {numpy - python:.0f}")


if __name__ == "__main__":
    main()
