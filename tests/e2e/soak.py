"""A real Home Assistant with cameras that show known numbers of people, while all goes wrong.

People come, something breaks while they stand there, they leave: each is one visitor, whatever
broke. After every fault the totals shown must be those.
"""

import asyncio
import json
import os
import random
import shutil
import struct
import subprocess
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from io import FileIO
from itertools import cycle
from pathlib import Path
from time import monotonic
from zoneinfo import ZoneInfo

from agegender_vision import privacy
from agegender_vision.census import AgeBands
from scripts.demo_home.instance import HOME_ASSISTANT
from tests.e2e.faults import BUSY, FULL_DISK, NO_ROOM, POWER_CUT, START, TROUBLE_LINES, Log
from tests.e2e.faulty_camera import PLACES, Camera, Trouble
from tests.e2e.home import running

ZONE = ZoneInfo("Europe/Berlin")
CONFIGURATION = f"""\
homeassistant:
  name: Soak
  time_zone: {ZONE}
config:
logger:
  default: warning
  logs:
    custom_components.agegender: info
"""
HISTORY = """\
history:
recorder:
  commit_interval: 1
"""
OWN_MOUNTS = ("unshare", "--user", "--map-root-user", "--mount")
"""A command before another, which then may mount and is seen by nobody else to."""
LOST = 30
"""Seconds of counting that a power cut may cost."""
PATIENCE = 120
"""Seconds until what must happen has happened, on a machine that does other things, too."""


def lacking() -> str | None:
    """Return what this machine lacks for a soak, None if nothing."""
    if not shutil.which("cc"):
        return "a C compiler (cc), to set the clock of one process"
    if (
        not shutil.which(OWN_MOUNTS[0])
        or subprocess.run([*OWN_MOUNTS, "true"], check=False).returncode
    ):
        return f"the right to `{' '.join(OWN_MOUNTS)}`, for a small disk that gets full"
    return None


class Clock:
    """The time of day of Home Assistant's process, which can be set; timers go on as they are.

    Parameters
    ----------
    folder
        For the library that does it, and the time.
    """

    def __init__(self, folder: Path) -> None:
        library, self._file = folder / "clock.so", folder / "clock"
        source = Path(__file__).with_name("shifted_clock.c")
        subprocess.check_call(["cc", "-shared", "-fPIC", "-O2", "-o", library, source])  # noqa: S607
        self.environment = (f"LD_PRELOAD={library}", f"CLOCK_OFFSET={self._file}")
        self._file.write_bytes(bytes(8))
        self.set(datetime.now(ZONE).replace(hour=8, minute=0) + timedelta(days=1))

    @property
    def now(self) -> datetime:
        return datetime.now(ZONE) + self._offset

    def set(self, time: datetime) -> None:
        self._offset = timedelta(seconds=round((time - datetime.now(ZONE)).total_seconds()))
        with self._file.open("r+b") as file:
            file.write(struct.pack("=q", round(self._offset.total_seconds())))


@asynccontextmanager
async def full(disk: Path) -> AsyncIterator[None]:
    """Leave no room on a disk, also when others free some."""

    async def fill(file: FileIO) -> None:
        while True:
            with suppress(OSError):
                while True:
                    file.write(bytes(4096))
            await asyncio.sleep(0.1)

    ballast = disk / "ballast"
    with FileIO(ballast, "w") as file:
        room = os.statvfs(disk)
        os.posix_fallocate(file.fileno(), 0, room.f_bavail * room.f_frsize // 2)
        file.seek(0, os.SEEK_END)
        filling = asyncio.create_task(fill(file))
        try:
            yield
        finally:
            filling.cancel()
            ballast.unlink()


@dataclass(frozen=True, slots=True)
class Sample:
    """Home Assistant's process between two faults.

    Parameters
    ----------
    life
        How often it was started before.
    frames
        Delivered by all cameras until then.
    memory
        Resident, in MB.
    threads, files
        How many it has, and has open.
    """

    life: int
    frames: int
    memory: float
    threads: int
    files: int

    @classmethod
    def take(cls, process: int, life: int, frames: int) -> Sample:
        folder = Path(f"/proc/{process}")
        status = dict(
            line.split(":", 1) for line in (folder / "status").read_text("ascii").splitlines()
        )
        return cls(
            life,
            frames,
            int(status["VmRSS"].split()[0]) * 1024 / 1e6,
            int(status["Threads"]),
            len(list((folder / "fd").iterdir())),
        )


@dataclass
class Soak:
    """A home, its cameras, and what is known to be true of them.

    Parameters
    ----------
    folder
        On a small disk of its own.
    outside
        A folder on another disk.
    cameras
        Switched on.
    clock
        Home Assistant's.
    draw
        Chooses who comes, and what breaks.
    visited
        Share of the cameras that people come before.
    history
        Whether Home Assistant records its states.
    """

    folder: Path
    outside: Path
    cameras: list[Camera]
    clock: Clock
    draw: random.Random
    visited: float = 1
    history: bool = True
    faults: Counter[str] = field(default_factory=Counter)
    shown: int = 0
    """People before all cameras so far."""
    lost: int = 0
    """Of them, those whose counting a power cut undid."""
    twice: int = 0
    """Of them, those who were counted before a power cut and stood there after it."""
    wrong: list[str] = field(default_factory=list)
    """What was not as it should be when all was quiet again."""
    samples: list[Sample] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.config = self.folder / "config"
        self.config.mkdir()
        configuration = CONFIGURATION + (HISTORY if self.history else "")
        (self.config / "configuration.yaml").write_text(configuration)
        # What is said while the disk is full is to be read.
        console = self.outside / "console.log"
        (self.config / "console.log").symlink_to(console)
        self.log = Log(console)
        self.starts = 0
        self.counted = 0
        """People in the totals of all days."""
        self._today = dict.fromkeys(self.cameras, 0)
        """What the totals should be."""
        self._counted = dict(self._today)
        """What they were when all was quiet."""
        self._certain = [(monotonic(), dict(self._today))]
        self._once: list[tuple[str, str | None]] = []
        self._others: list[str] = []
        self._later: list[str] = []

    @property
    def frames(self) -> int:
        """Frames delivered to Home Assistant."""
        return sum(camera.frames for camera in self.cameras)

    @asynccontextmanager
    async def alive(self) -> AsyncIterator[None]:
        """Run Home Assistant; in the block it may be killed and started anew."""
        await self._start()
        try:
            yield
        finally:
            await self._running.__aexit__(None, None, None)

    async def _start(self) -> None:
        self.starts += 1
        self._others += START
        self._running = running(
            self.config,
            under=("env", "--unset=PYTHONPATH", *self.clock.environment),
            program=(*HOME_ASSISTANT, "--log-file", str(self.outside / "home-assistant.log")),
        )
        self.home = await self._running.__aenter__()

    async def set_up(self) -> None:
        """Set up all cameras as a user does."""
        client = self.home.client
        created = await client.run_flow("flow", "agegender", {"acknowledged": True})
        self._entry = created["result"]["entry_id"]
        for camera in self.cameras:
            address = {"mjpeg_url": camera.url, "still_image_url": camera.url}
            await client.run_flow("flow", "mjpeg", {"name": camera.name, **address})
            await client.run_flow(
                "subentries/flow",
                [self._entry, "camera"],
                {"camera": f"camera.{camera.key}", "interval": 1},
                {"next_step_id": "save"},
            )
        await self.rest()
        # A disk that is full before then makes Home Assistant forget what was set up.
        await self._must(self._written_down, "what was set up to be saved")
        for camera in self.cameras:
            camera.most_at_once = 0  # whoever sets a camera up looks at it, too

    async def visit(self, *faults: Callable[[], Awaitable[None]]) -> None:
        """Let people come before every camera, and leave when the faults are over."""
        for camera in self.cameras:
            comes = self.draw.random() < self.visited
            camera.show(self.draw.randint(1, PLACES) if comes else 0)
        await self._looked(3, 2)
        for fault in faults:
            await fault()
        if faults:
            await self._looked(2, 1)
        for camera in self.cameras:
            self.shown += camera.people
            self._today[camera] += camera.people
            camera.show(0)
        await self._looked(3, 4)

    async def rest(self) -> None:
        """Check the totals, that all entities are available, and what was logged."""
        await self._until(self._as_shown)
        states = await self._states()
        for camera in self.cameras:
            total = states[f"sensor.{camera.key}_visitors_today"]
            self._counted[camera] = int(total) if total.isdecimal() else 0
            if self._counted[camera] != self._today[camera]:
                self.wrong.append(f"{camera.name} counts {total}, not {self._today[camera]}")
                self._today[camera] = self._counted[camera]  # told once is enough
            if gone := self._unavailable(states, camera):
                self.wrong.append(f"{camera.name} stays unavailable: {gone}")
        self._certain.append((monotonic(), dict(self._today)))
        self.log.judge(self._once, [*self._others, *BUSY])
        self._once.clear()
        self._others, self._later = self._later, []
        self.samples.append(Sample.take(self.home.process.pid, self.starts, self.frames))

    async def troubled_cameras(self) -> None:
        """Of seven cameras six have a trouble each; the seventh goes on."""
        troubles = [None, *Trouble]
        self.draw.shuffle(troubles)
        failing = []
        for camera, trouble in zip(self.cameras, cycle(troubles), strict=False):
            if not trouble:
                continue
            self.faults[trouble] += 1
            self._once += [(line, f"camera.{camera.key}") for line in TROUBLE_LINES[trouble]]
            if TROUBLE_LINES[trouble]:
                failing.append(camera)
            await camera.begin(trouble)

        async def all_down() -> bool:
            states = await self._states()
            return all(self._unavailable(states, camera) for camera in failing)

        async def all_up() -> bool:
            states = await self._states()
            return not any(self._unavailable(states, camera) for camera in failing)

        await self._must(all_down, "the cameras to be unavailable")
        for camera in self.cameras:
            await camera.end()
        await self._must(all_up, "the cameras to be back")

    async def reload(self) -> None:
        """Reload the config entry."""
        self.faults["reload"] += 1
        await self.home.client.call(
            "call_service",
            domain="homeassistant",
            service="reload_config_entry",
            service_data={"entry_id": self._entry},
        )

    async def clock_forwards(self) -> None:
        """Set the clock some hours on."""
        self.faults["clock forwards"] += 1
        await self._set_clock(self.clock.now + timedelta(minutes=self.draw.randint(60, 180)))

    async def clock_backwards(self) -> None:
        """Set the clock some time back."""
        self.faults["clock backwards"] += 1
        await self._set_clock(self.clock.now - timedelta(minutes=self.draw.randint(5, 120)))

    async def next_day(self) -> None:
        """Set the clock to the next day, which begins with nobody."""
        self.faults["clock to the next day"] += 1
        self.counted += sum(self._counted.values())
        self._today = dict.fromkeys(self.cameras, 0)
        self._certain.clear()
        morning = self.clock.now.replace(hour=6, minute=self.draw.randrange(60))
        await self._set_clock(morning + timedelta(days=1))

    async def _set_clock(self, time: datetime) -> None:
        self.clock.set(time)
        await self._looked(3, 0)  # a frame is dated after it was fetched

    async def full_disk(self, *faults: Callable[[], Awaitable[None]]) -> None:
        """Have a visit while the disk is full; it is free again when that was noticed."""
        self.faults["full disk"] += 1
        self._once += [(line, None) for line in FULL_DISK]
        self._others += NO_ROOM
        self._later += NO_ROOM  # the recorder notices some seconds after us that there is room
        async with full(self.folder):
            await self.visit(*faults)
            await self._must(partial(self._heard, FULL_DISK[0]), "the error")

    async def saved_again(self) -> None:
        """Wait for what was not saved on the full disk to be saved."""
        await self._must(partial(self._heard, FULL_DISK[1]), "the totals to be saved again")

    async def power_cut(self) -> None:
        """Kill Home Assistant as a power cut would, and start it anew."""
        self.faults["kill -9"] += 1
        self.home.process.kill()
        killed = monotonic()
        await self.home.process.wait()
        self.log.begin_anew()
        self._others += POWER_CUT
        saved = self._saved()
        for camera in self.cameras:
            least = max((of[camera] for at, of in self._certain if at < killed - LOST), default=0)
            if saved[camera] < least:
                self.wrong.append(f"{camera.name} lost more than {LOST} s: {saved[camera]}")
            self.lost += max(0, self._today[camera] - saved[camera])
            self.twice += max(0, saved[camera] - self._today[camera])
        self._today = saved
        await self._running.__aexit__(None, None, None)
        await self._start()

    async def _written_down(self) -> bool:
        """Whether Home Assistant's file names every camera."""
        return {camera.name for camera in self.cameras} <= self._subentries().keys()

    def _subentries(self) -> dict[str, str]:
        """The cameras' ids by their titles, from Home Assistant's file; empty if not there yet."""
        path = self.config / ".storage/core.config_entries"
        entries = json.loads(path.read_bytes())["data"]["entries"] if path.exists() else []
        ours = (each["subentries"] for each in entries if each["entry_id"] == self._entry)
        return {each["title"]: each["subentry_id"] for each in next(ours, [])}

    def _saved(self) -> dict[Camera, int]:
        """How many visitors of today the file holds."""
        (path,) = self.config.glob(f".storage/agegender.{self._entry}")
        content = json.loads(path.read_bytes())
        titles = self._subentries()
        saved = {}
        for camera in self.cameras:
            census = privacy.Home().restore(
                content[titles[camera.name]], AgeBands.preset(), self.clock.now
            )
            saved[camera] = privacy.Home().advance(census, (), self.clock.now).today.people
        return saved

    async def _looked(self, frames: int, seconds: float) -> None:
        await asyncio.gather(*(camera.looked(frames, seconds) for camera in self.cameras))

    async def _states(self) -> dict[str, str]:
        states = await self.home.client.call("get_states")
        return {state["entity_id"]: state["state"] for state in states}

    def _unavailable(self, states: Mapping[str, str], camera: Camera) -> list[str]:
        return [
            entity
            for entity, state in states.items()
            if entity.partition(".")[2].startswith(f"{camera.key}_") and state == "unavailable"
        ]

    async def _as_shown(self) -> bool:
        states = await self._states()
        return all(
            states.get(f"sensor.{camera.key}_visitors_today") == str(self._today[camera])
            and states.get(f"sensor.{camera.key}_people_in_view") == "0"
            and not self._unavailable(states, camera)
            for camera in self.cameras
        )

    async def _heard(self, pattern: str) -> bool:
        await self._states()  # a connection that is silent for a minute is closed
        return self.log.heard(pattern)

    async def _until(self, condition: Callable[[], Awaitable[bool]]) -> bool:
        deadline = monotonic() + PATIENCE
        while not await condition():
            if monotonic() > deadline:
                return False
            await asyncio.sleep(0.3)
        return True

    async def _must(self, condition: Callable[[], Awaitable[bool]], what: str) -> None:
        if not await self._until(condition):
            self.wrong.append(f"waited in vain for {what}")

    def finish(self) -> None:
        """Add up the last day, and see whether frames ever queued."""
        self.counted += sum(self._counted.values())
        if self.counted != self.shown - self.lost + self.twice:
            self.wrong.append(f"{self.counted} counted of {self.shown}")
        self.wrong += [
            f"{camera.name} was asked for {camera.most_at_once} frames at once"
            for camera in self.cameras
            if camera.most_at_once > 1
        ]
