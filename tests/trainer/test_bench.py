"""`agegender bench` on a real photograph, through the command line."""

import os
import re
import subprocess
import sys

import pytest

from .conftest import ASTRONAUT, ROOT, agegender


def milliseconds(row: str) -> float:
    (found,) = re.findall(r"([0-9.]+) ms,", row)
    return float(found)


def test_costs_are_told_beside_the_published_ones() -> None:
    printed = agegender("bench", ASTRONAUT, "--runtime", "numpy").stdout
    rows = {
        key: line
        for line in printed.splitlines()
        for key in ("load", "1 face", "without", "nothing moved", "memory")
        if key in line
    }
    assert len(rows) == 5
    assert "140 s" in rows["load"]
    assert "1.8 s a face" in rows["1 face"]
    assert "MB" in rows["memory"]
    assert "Measured: now, on this machine" in printed
    # What did not move is not looked at: not a matter of a few percent.
    assert milliseconds(rows["nothing moved"]) < milliseconds(rows["1 face"])


def test_without_a_picture_there_is_no_face() -> None:
    assert "frame with 0 faces" in agegender("bench", "--runtime", "numpy").stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(["absent.jpg"], "absent.jpg"), (["--runtime", "abacus"], "no runtime is called 'abacus'")],
)
def test_mistakes_are_told(arguments: list[str], message: str) -> None:
    done = agegender("bench", *arguments, check=False)
    assert done.returncode == 2
    assert message in done.stderr


def test_a_board_needs_no_more_than_the_integration_and_a_table() -> None:
    """NumPy, Pillow, Typer and Rich; a Raspberry Pi has no TensorFlow."""
    program = (
        "import sys\n"
        "for name in ('tensorflow', 'keras', 'pandas', 'scipy', 'cv2', 'matplotlib'):\n"
        "    sys.modules[name] = None\n"
        "sys.argv = ['agegender', 'bench', '--runtime', 'numpy']\n"
        "from trainer.cli import main\n"
        "main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env=os.environ | {"COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "nothing moved" in done.stdout, done.stderr
