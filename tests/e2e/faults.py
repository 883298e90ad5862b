"""What goes wrong in a soak, and every line that Home Assistant may log for it."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from tests.e2e.faulty_camera import Trouble

OURS = r"\[custom_components\.agegender\] "


def _outage(reason: str) -> tuple[str, ...]:
    """One line down and one up, as a camera's entities become unavailable and are back."""
    return (
        rf"ERROR .*{OURS}Error fetching (?P<camera>camera\.\w+) data: {reason}",
        rf"INFO .*{OURS}Fetching (?P<camera>camera\.\w+) data recovered$",
    )


TROUBLE_LINES: dict[Trouble, tuple[str, ...]] = {
    Trouble.OFF: _outage(r"camera\.\w+ delivers no frame: Error getting a new image from [\w ]+$"),
    Trouble.GARBAGE: _outage(r".* cannot be used: the frame is not a picture in a known format "),
    Trouble.TRUNCATED: _outage(r".* cannot be used: the frame is damaged or cut short "),
    Trouble.HUGE: _outage(
        r".* cannot be used: the frame (has 10000x10000 pixels, more|is damaged)"
    ),
    Trouble.SLOW: _outage(
        r"camera\.\w+ delivers no frame: (Unable to get image|Timeout getting an image from .*)$"
    ),
    Trouble.LATE: (),
}
"""For each camera with the trouble, each of these once."""

FULL_DISK = (
    rf"ERROR .*{OURS}The totals cannot be saved to .* again: .* No space left on device",
    rf"INFO .*{OURS}The totals are saved again$",
)
"""Each of these once."""

_CORE = r" .*\[homeassistant\.components\."
_RECORDER = r" \(Recorder\) \[homeassistant\.[\w.]*recorder[\w.]*\]"
BUSY = (
    rf"WARNING .*{OURS}The cameras need \d+ % of the time there is",
    rf"INFO .*{OURS}There is time for every frame again$",
)
"""Any number, at any time: what else the machine does is not ours to say."""
START = (
    r"WARNING .*\[homeassistant\.bootstrap\] Skipping pip installation",
    r"WARNING .*\[homeassistant\.loader\] We found a custom integration agegender ",
    # Not installed here, and not needed: every new home has them.
    r"WARNING .*\[aiohttp_fast_zlib\] zlib_ng and isal are not available",
    r"(ERROR|WARNING) .*\[haffmpeg\.\w+\] ",
    rf"ERROR{_CORE}camera\.img_util\] Error loading libturbojpeg",
    rf"ERROR{_CORE}\w+\] Error occurred loading flow .*No module named",
    r"ERROR .*\[homeassistant\] Error doing job: (?s:.*)UnknownHandler$",
    r"ERROR .*Error setting up entry Google Translate (?s:.*)ModuleNotFoundError",
)
"""Of others, any number, when Home Assistant starts."""
POWER_CUT = (
    rf"WARNING{_CORE}recorder\.util\] The system could not validate .* was shutdown cleanly",
    rf"WARNING{_CORE}recorder\.util\] Ended unfinished session",
)
"""Of others, any number, at the next start."""
NO_ROOM = (
    rf"ERROR{_RECORDER} Error (in database|executing) (?s:.*)database or disk is full",
    rf"ERROR{_RECORDER} SQLAlchemyError error processing task \w+Task\(",
    r"ERROR .*\[homeassistant\.util\.file\] Saving file failed: (?s:.*)No space left on device",
    r"ERROR .*\[homeassistant\.helpers\.storage\] Error writing .* No space left on device",
)
"""Of others, any number, while the disk is full."""


@dataclass(slots=True)
class Log:
    """What Home Assistant says, held against what it should.

    Parameters
    ----------
    path
        Its console.
    """

    path: Path
    expected: int = 0
    unexpected: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    _read: int = 0
    _heard: list[str] = field(default_factory=list)

    def heard(self, pattern: str) -> bool:
        """Tell whether a line was logged since the last judgement."""
        self._listen()
        return any(re.match(rf"\S+ \S+ {pattern}", message) for message in self._heard)

    def begin_anew(self) -> None:
        """Home Assistant is started again, with an empty log; what it said before counts."""
        self._listen()
        self._read = 0

    def judge(self, once: Iterable[tuple[str, str | None]], others: Iterable[str]) -> None:
        """Compare what was said since the last judgement.

        Parameters
        ----------
        once
            Patterns of lines that have to be there once each, and the camera they are of.
        others
            Patterns of lines of which there may be any number.
        """
        self._listen()
        heard, self._heard = self._heard, []
        for pattern, camera in once:
            for message in heard:
                match = re.match(rf"\S+ \S+ {pattern}", message)
                if match and camera == match.groupdict().get("camera"):
                    heard.remove(message)
                    self.expected += 1
                    break
            else:
                self.missing.append(f"{camera or ''} {pattern}")
        also = [re.compile(rf"\S+ \S+ {pattern}") for pattern in others]
        for message in heard:
            if any(pattern.match(message) for pattern in also):
                self.expected += 1
            else:
                self.unexpected.append(message)

    def _listen(self) -> None:
        with self.path.open("rb") as file:
            file.seek(self._read)
            new = file.read()
        # A message may have many lines, the last of which may not be whole yet.
        whole = new[: new.rfind(b"\n") + 1]
        self._read += len(whole)
        for line in whole.decode(errors="replace").splitlines(keepends=True):
            if re.match(r"\d{4}-\d\d-\d\d \d\d:", line) or not self._heard:
                self._heard.append(line)
            else:
                self._heard[-1] += line
