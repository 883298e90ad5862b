"""How fast a large manifest is prepared, and whether memory grows with it.

usage: manifest.py [--pictures N ...] [--rows N ...]

`--pictures` looks at so many pictures with two processes: two photographs' faces, repeated,
each file a little different at its end. `--rows` does everything else for so many faces:
collects them, searches copies and near-duplicates among fingerprints that are random but for
one in a hundred, draws splits, writes the manifest and streams it. Each runs in a process of
its own, whose peak memory is shown.
"""

from __future__ import annotations

import argparse
import hashlib
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import matplotlib as mpl
import numpy as np
import skimage
from PIL import Image

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

from trainer.data import manifest  # noqa: E402
from trainer.data.collection import Collection, Face  # noqa: E402
from trainer.data.prepare import Pictures, Splits, finish, prepare  # noqa: E402
from trainer.data.sample import Rejected, Sample  # noqa: E402

PHOTOGRAPHS = (
    Path(skimage.__file__).parent / "data" / "astronaut.png",
    Path(mpl.get_data_path()) / "sample_data" / "grace_hopper.jpg",
)


class Repeated:
    """A data set of so many repeated pictures, each written just before it is looked at."""

    def __init__(self, number: int) -> None:
        self._number = number

    def samples(self, source: Path) -> Iterator[Sample | Rejected]:
        """Yield the pictures."""
        originals = []
        for path in PHOTOGRAPHS:
            small = source / f"{path.stem}.jpg"
            Image.open(path).convert("RGB").resize((96, 96)).save(small)
            originals.append(small.read_bytes())
        for number in range(self._number):
            path = source / f"{number // 1000}" / f"{number}.jpg"
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(originals[number % 2] + b"%d" % number)
            years = float(number % 90)
            yield Sample(
                path.relative_to(source).as_posix(),
                age=(years, years),
                gender=("female", "male")[number // 2 % 2],
                split=("train", "val", "test")[number % 3],
                place="aligned",
            )


def look(number: int, folder: Path) -> None:
    """Prepare so many pictures."""
    (folder / "source").mkdir()
    with prepare(
        Repeated(number), folder / "source", folder / "out", pictures=Pictures(workers=2)
    ) as found:
        assert found.usable() == number  # noqa: S101


def tabulate(number: int, folder: Path) -> None:
    """Make a manifest of so many faces without pictures."""
    random = np.random.default_rng(0)
    last = random.bytes(32)
    with Collection() as found:
        for start in range(0, number, 1000):
            faces = []
            for row in range(start, start + 1000):
                # One in a hundred is nearly the same as the one before.
                last = random.bytes(32) if row % 100 else last[:-1] + bytes([last[-1] ^ 5])
                digest = hashlib.sha256(b"%d" % row).hexdigest()
                years = float(row % 90)
                gender = ("female", "male")[row % 2]
                sample = Sample(f"images/{row}.jpg", (years, years), gender, f"person {row // 3}")
                faces.append(Face(sample, sample.file, digest, last))
            found.add(faces)
        finish(found, folder, Splits())
        near = sum(1 for _ in found.near_duplicates())
    rows = sum(len(table) for table in manifest.stream(folder))
    assert rows == number  # noqa: S101
    assert near >= 2 * (number // 100 - 1)  # noqa: S101


def measure(part: str, number: int) -> tuple[float, float, float]:
    """Return seconds, and peak megabytes of the process and of the largest of its own."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, __file__, "--part", part, str(number), folder]
        done = subprocess.run(  # noqa: S603
            command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
    seconds, own, others = map(float, done.stdout.split())
    return seconds, own, others


def main() -> None:
    """Measure all sizes and print the tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--pictures", type=int, nargs="*", default=[1_000, 10_000])
    parser.add_argument("--rows", type=int, nargs="*", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--part", nargs=3)
    given = parser.parse_args()
    if given.part:
        part, number, folder = given.part
        start = time.perf_counter()
        {"look": look, "tabulate": tabulate}[part](int(number), Path(folder))
        usage = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
        peaks = [resource.getrusage(who).ru_maxrss / 1024 for who in usage]
        print(time.perf_counter() - start, *peaks)
        return
    if given.pictures:
        print("| pictures | a second | memory, MB | of each process, MB |")
        print("|---:|---:|---:|---:|")
    for number in given.pictures:
        seconds, own, others = measure("look", number)
        print(f"| {number:,} | {number / seconds:,.0f} | {own:.0f} | {others:.0f} |", flush=True)
    if given.rows:
        print("\n| rows | seconds | memory, MB |\n|---:|---:|---:|")
    for number in given.rows:
        seconds, own, _ = measure("tabulate", number)
        print(f"| {number:,} | {seconds:.0f} | {own:.0f} |", flush=True)


if __name__ == "__main__":
    main()
