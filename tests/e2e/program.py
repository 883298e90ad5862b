"""`scripts/develop`, driven as a person drives it."""

import re
import signal
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from time import monotonic, sleep
from typing import Self

ROOT = Path(__file__).parents[2]
PATIENCE = 300
"""Seconds until something that a person waits for must have happened; a slow machine
that runs other tests beside needs some."""
COUNTS = re.compile(r"^\d\d:\d\d:\d\d  (?P<camera>.+?)  +(?P<counts>.+)$")


class Program:
    """`scripts/develop` as it runs in a terminal."""

    def __init__(self, config: Path, demo: Path) -> None:
        self._command = [
            str(ROOT / "scripts" / "develop"),
            *("--config", str(config)),
            *("--demo", str(demo)),
            *("--port", "0"),
        ]
        self.config = config
        self.output: list[str] = []

    def start(self) -> Self:
        self.output.clear()
        self._process = subprocess.Popen(
            self._command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        threading.Thread(target=self._read, daemon=True).start()
        return self

    def press_ctrl_c(self) -> int:
        """Interrupt the program and return its exit status."""
        self._process.send_signal(signal.SIGINT)
        return self._process.wait(PATIENCE)

    @property
    def ended(self) -> bool:
        return self._process.poll() is not None

    def printed(self, label: str) -> str:
        """What was printed behind a label."""
        return next(line.split()[1] for line in self.output if line.split()[:1] == [label])

    def counts(self) -> dict[str, str]:
        """The last line about each camera."""
        matches = filter(None, map(COUNTS.match, self.output))
        return {match["camera"]: match["counts"] for match in matches}

    def wait_for(self, condition: Callable[[], bool]) -> None:
        deadline = monotonic() + PATIENCE
        while not condition():
            said = "\n".join(self.output)
            assert not self.ended, f"scripts/develop ended. It said:\n{said}"
            assert monotonic() < deadline, f"waited in vain. scripts/develop said:\n{said}"
            sleep(0.2)

    def wait_for_counts(self) -> None:
        """Wait until a frame of every camera was counted."""
        self.wait_for(
            lambda: (
                len(self.counts()) >= 3
                and all("in view" in counts for counts in self.counts().values())
            )
        )

    def _read(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            self.output.append(line.rstrip("\n"))
