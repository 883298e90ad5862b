"""Every fault once: nobody is lost or counted twice, and nothing unforeseen is logged.

`benchmarks/soak.py` goes on so for tens of thousands of frames.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.faults import FULL_DISK, NO_ROOM, TROUBLE_LINES, Log
from tests.e2e.faulty_camera import Trouble
from tests.e2e.program import ROOT
from tests.e2e.soak import lacking

FAULTS = (
    *Trouble,
    "clock backwards",
    "clock forwards",
    "clock to the next day",
    "full disk",
    "kill -9",
    "reload",
)


def test_every_fault_is_survived() -> None:
    if missing := lacking():
        pytest.skip(f"this machine lacks {missing}")
    done = subprocess.run(
        [sys.executable, "benchmarks/soak.py", "--cameras", str(1 + len(Trouble))],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": f".{os.pathsep}src"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    for fault in FAULTS:
        assert f"| {fault} | 1 |" in done.stdout


TIME = "2026-11-24 07:02:12.954"
DOWN = (
    f"{TIME} ERROR (MainThread) [custom_components.agegender] Error fetching camera.door_1 data: "
    "camera.door_1 delivers no frame: Error getting a new image from Door 1\n"
)
UP = (
    f"{TIME} INFO (MainThread) [custom_components.agegender] Fetching camera.door_1 data "
    "recovered\n"
)
NOT_OURS = (
    f"{TIME} ERROR (Recorder) [homeassistant.components.recorder.core] Error in database "
    "connectivity during commit: Error executing query: (sqlite3.OperationalError) database or "
    "disk is full\n(Background on this error at: https://sqlalche.me/e/20/e3q8). (retrying in "
    "3 seconds)\n"
)


@pytest.mark.parametrize(
    ("said", "unexpected", "missing"),
    [
        (DOWN + NOT_OURS + UP + NOT_OURS, 0, 0),
        (DOWN + UP + DOWN + UP, 2, 0),  # one line down and one up, not more
        (DOWN, 0, 1),
        (DOWN.replace("door_1", "door_2") + UP, 1, 1),
        (DOWN + UP + f"{TIME} WARNING (MainThread) [asyncio] slow\nTraceback:\n", 1, 0),
        ("Fatal Python error\n" + DOWN + UP, 1, 0),
    ],
)
def test_other_lines_than_those_of_the_faults_are_found(
    tmp_path: Path, said: str, unexpected: int, missing: int
) -> None:
    console = tmp_path / "console.log"
    console.write_text(said)
    log = Log(console)
    log.judge([(line, "camera.door_1") for line in TROUBLE_LINES[Trouble.OFF]], NO_ROOM)
    assert (len(log.unexpected), len(log.missing)) == (unexpected, missing)


def test_a_line_is_heard_when_it_is_whole(tmp_path: Path) -> None:
    console = tmp_path / "console.log"
    line = f"{TIME} INFO (MainThread) [custom_components.agegender] The totals are saved again\n"
    console.write_text(line[:-5])
    log = Log(console)
    assert not log.heard(FULL_DISK[1])
    console.write_text(line)
    assert log.heard(FULL_DISK[1])
