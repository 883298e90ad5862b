"""Look for inputs that end in a crash, a hang or much memory, longer than the tests do.

Runs the tests marked `fuzz` in both environments, with more inputs, and prints how many were
tried. What is found is printed as a test that fails. Usage: python benchmarks/fuzz.py
[--inputs 2000]
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).parents[1]
LANES = {
    "trainer": ("tests/vision", "tests/trainer"),
    "ha": ("tests/component",),
}
"""Folders of tests by environment."""
_TARGET = re.compile(r"^tests/\S+?/test_fuzz\.py::test_(\S+):$")
_CASES = re.compile(r"(\d+) passing, (\d+) failing, and \d+ invalid test cases")
_SECONDS = re.compile(r"- during \w+ phase \(([\d.]+) seconds\)")


def fuzz(environment: str, inputs: int) -> tuple[bool, str]:
    """Run an environment's tests; returns whether all passed, and their output."""
    command = [
        *(ROOT / ".venv" / environment / "bin" / "pytest", *LANES[environment], "-m", "fuzz", "-q"),
        *("--hypothesis-profile=long", "--hypothesis-show-statistics", "--tb=short"),
        *("--show-capture=no", "-p", "no:cacheprovider"),
    ]
    done = subprocess.run(  # noqa: S603  our own tests
        command,
        cwd=ROOT,
        env=os.environ | {"FUZZ_INPUTS": str(inputs), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode == 0, done.stdout


def table(output: str) -> list[tuple[str, int, int, float]]:
    """Return (target, inputs tried, of these failing, seconds) from hypothesis's statistics."""
    rows: list[tuple[str, int, int, float]] = []
    for line in output.splitlines():
        if target := _TARGET.match(line):
            rows.append((target[1].replace("_", " "), 0, 0, 0.0))
        elif rows and (cases := _CASES.search(line)):
            name, tried, failing, seconds = rows[-1]
            passed, failed = int(cases[1]), int(cases[2])
            rows[-1] = (name, tried + passed + failed, failing + failed, seconds)
        elif rows and (phase := _SECONDS.search(line)):
            name, tried, failing, seconds = rows[-1]
            rows[-1] = (name, tried, failing, seconds + float(phase[1]))
    return rows


def main() -> None:
    """Print a table of all targets; exit with 1 if an input made one fail."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--inputs", type=int, default=2000, help="for each target")
    arguments = parser.parse_args()
    with ThreadPoolExecutor() as pool:
        ended = list(pool.map(lambda lane: fuzz(lane, arguments.inputs), LANES))
    rows = [row for _, output in ended for row in table(output)]
    for sound, output in ended:
        if not sound:
            print(output)
    print("| What is read | Inputs | Found | Seconds |\n| --- | ---: | ---: | ---: |")
    for name, tried, failing, seconds in rows:
        print(f"| {name} | {tried:,} | {failing} | {seconds:.0f} |")
    tried, failing, seconds = (sum(row[n] for row in rows) for n in (1, 2, 3))
    print(f"| **all** | **{tried:,}** | **{failing}** | **{seconds:.0f}** |")
    sys.exit(not all(sound for sound, _ in ended))


if __name__ == "__main__":
    main()
