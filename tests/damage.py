"""Bad input for fuzzing: real files, damaged as cables, disks and attackers damage them."""

import copy
import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

SPARE = 1 << 30
"""Bytes of memory that code under test may ask for in all, on top of what there is."""
LONGEST = 100
"""Seconds that one input may take; a few milliseconds are usual, machines are shared."""

ODD: tuple[Any, ...] = (
    None,
    True,
    -1,
    0,
    1,
    1.5,
    10**6,
    10**30,
    float("nan"),
    float("inf"),
    -float("inf"),
    "",
    "1",
    "\x00",
    "../../../etc/passwd",
    "\ud800",
    [],
    {},
    [[]],
    [0, 0, 0, 0],
    [10**6] * 4,
    {"": {"": []}},
)
"""Values of JSON that are seldom thought of."""


class Hang(BaseException):
    """What takes so long does not end; no Exception, as code under test catches these."""


@contextmanager
def bounds() -> Iterator[None]:
    """Let requests for more than `SPARE` bytes fail, and end what takes `LONGEST` seconds."""

    def end(*_: object) -> None:
        raise Hang

    pages = int(Path("/proc/self/statm").read_text("ascii").split()[0])
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    before = signal.signal(signal.SIGALRM, end)
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + SPARE, hard))
    signal.alarm(LONGEST)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


@st.composite
def damaged(draw: st.DrawFn, whole: bytes) -> bytes:
    """Cut, overwrite, drop, repeat or insert, up to four times."""
    data = bytearray(whole)
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(data)))
        end = min(len(data), start + draw(st.integers(0, 64)))
        match draw(st.sampled_from(["cut", "overwrite", "flip", "drop", "repeat", "insert"])):
            case "cut":
                del data[start:]
            case "overwrite":
                data[start:end] = draw(st.binary(min_size=end - start, max_size=end - start))
            case "flip":
                if start < len(data):
                    data[start] ^= 1 << draw(st.integers(0, 7))
            case "drop":
                del data[start:end]
            case "repeat":
                data[end:end] = data[start:end] * draw(st.integers(1, 50))
            case "insert":
                data[start:start] = draw(st.binary(max_size=64))
    return bytes(data)


@st.composite
def distorted(draw: st.DrawFn, document: Any) -> Any:
    """Return JSON data with up to three entries changed, removed or renamed."""
    root = {"": copy.deepcopy(document)}
    for _ in range(draw(st.integers(1, 3))):
        parent: Any = root
        key: Any = ""
        while isinstance(parent[key], (dict, list)) and parent[key] and draw(st.integers(0, 9)):
            parent = parent[key]
            keys = list(parent) if isinstance(parent, dict) else range(len(parent))
            key = draw(st.sampled_from(keys))
        match draw(st.sampled_from(["odd", "odd", "remove", "rename", "nest"])):
            case "remove" if parent is not root:
                del parent[key]
            case "rename" if isinstance(parent, dict) and parent is not root:
                parent[draw(st.text(max_size=4))] = parent.pop(key)
            case "nest":
                parent[key] = [parent[key]]
            case _:
                parent[key] = copy.deepcopy(draw(st.sampled_from(ODD)))
    return root[""]
