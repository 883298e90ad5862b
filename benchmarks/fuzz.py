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
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
LANES = {
    "trainer": ("tests/vision/test_fuzz.py", "tests/trainer/test_fuzz.py"),
    "ha": ("tests/component/test_fuzz.py",),
}
"""Tests by environment."""
_TARGET = re.compile(r"^tests/\S+?/test_fuzz\.py::test_(\S+):$")
_CASES = re.compile(r"(\d+) passing, (\d+) failing, and \d+ invalid test cases")
_SECONDS = re.compile(r"- during \w+ phase \(([\d.]+) seconds\)")


def fuzz(environment: str, inputs: int) -> tuple[bool, str]:
    """Run an environment's tests, telling how far they are; returns if all passed, and all said."""
    pytest = ROOT / ".venv" / environment / "bin" / "pytest"
    command = [
        *(str(pytest), *LANES[environment], "-v", "--tb=short", "--show-capture=no"),
        *("--hypothesis-profile=long", "--hypothesis-show-statistics", "-p", "no:cacheprovider"),
    ]
    said = []
    with subprocess.Popen(  # noqa: S603  our own tests
        command,
        cwd=ROOT,
        env=os.environ | {"FUZZ_INPUTS": str(inputs), "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout  # noqa: S101  asked for above
        for line in process.stdout:
            said.append(line)
            if "%]" in line:
                print(line, end="", file=sys.stderr)
    return process.returncode == 0, "".join(said)


class Row(NamedTuple):
    """What came of one target: inputs tried, how many of them failed, and seconds."""

    target: str
    tried: int = 0
    failed: int = 0
    seconds: float = 0.0


def table(output: str) -> list[Row]:
    """Read hypothesis's statistics."""
    rows: list[Row] = []
    for line in output.splitlines():
        if target := _TARGET.match(line):
            rows.append(Row(target[1].replace("_", " ")))
        elif rows and (cases := _CASES.search(line)):
            passed, failed = int(cases[1]), int(cases[2])
            row = rows[-1]
            rows[-1] = row._replace(tried=row.tried + passed + failed, failed=row.failed + failed)
        elif rows and (phase := _SECONDS.search(line)):
            rows[-1] = rows[-1]._replace(seconds=rows[-1].seconds + float(phase[1]))
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
            print(output, file=sys.stderr)
    print("| What is read | Inputs | Found | Seconds |\n| --- | ---: | ---: | ---: |")
    for row in rows:
        print(f"| {row.target} | {row.tried:,} | {row.failed} | {row.seconds:.0f} |")
    tried, failed, seconds = (
        sum(row.tried for row in rows),
        sum(row.failed for row in rows),
        sum(row.seconds for row in rows),
    )
    print(f"| **all** | **{tried:,}** | **{failed}** | **{seconds:.0f}** |")
    sys.exit(not all(sound for sound, _ in ended))


if __name__ == "__main__":
    main()
