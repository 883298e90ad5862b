"""What a program asked of the system, as strace wrote it down."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

OPEN = ("open", "openat", "openat2", "creat", "truncate", "mknod", "mknodat", "memfd_create")
RENAME = ("rename", "renameat", "renameat2", "link", "linkat", "symlink", "symlinkat")
SEND = ("sendto", "sendmsg", "sendmmsg", "sendfile", "splice")
SOCKET = ("socket", "connect", "bind", "accept", "accept4", *SEND)
OPTIONS = (
    "--daemonize",  # the traced program stays the one that was started
    "--follow-forks",
    "--seccomp-bpf",
    "--decode-pids=comm",
    "--decode-fds=all",
    "--string-limit=256",
    # Those a kind of machine does not have are asked for and not missed.
    "--trace=" + ",".join(f"?{name}" for name in (*OPEN, *RENAME, *SOCKET, "io_uring_setup")),
)
LINE = re.compile(r"\d+<(?P<thread>.*?)> (?P<name>\w+)\((?P<arguments>.*)")
WRITING = re.compile(r"\bO_(WRONLY|RDWR|CREAT|TRUNC|APPEND|TMPFILE)\b")
PATH = re.compile(r'(?:(?:AT_FDCWD|\d+)<(?P<folder>.*?)>, )?"(?P<path>(?:[^"\\]|\\.)*)"')
DESCRIPTOR = re.compile(r"\d+<(?P<kind>.*?)>[,)]")


@dataclass(frozen=True, slots=True)
class Call:
    """One system call.

    Parameters
    ----------
    thread
        What the thread that made it is called.
    name
        Of the system call.
    arguments
        As strace writes them, with paths behind descriptors.
    """

    thread: str
    name: str
    arguments: str

    @property
    def written(self) -> str | None:
        """The file that is created, opened for writing or renamed to."""
        paths = [
            str(Path(match["folder"] or "", match["path"]))
            for match in PATH.finditer(self.arguments)
        ]
        if self.name in RENAME:
            return paths[-1]
        if self.name in OPEN and (
            not self.name.startswith("open") or WRITING.search(self.arguments)
        ):
            return paths[0] if paths else self.arguments
        return None

    @property
    def descriptor(self) -> str:
        """What the first argument is: a path, or the kind and ends of a socket."""
        match = DESCRIPTOR.match(self.arguments)
        return match["kind"] if match else ""


def calls(trace: Path) -> Iterator[Call]:
    """Read a trace; a call that was interrupted is told once."""
    with trace.open(errors="replace") as lines:
        for line in lines:
            if match := LINE.match(line):
                yield Call(match["thread"], match["name"], match["arguments"].rstrip())


def written(traced: Iterable[Call]) -> set[str]:
    """All files that were written, or tried to."""
    return {path for call in traced if (path := call.written) is not None}
