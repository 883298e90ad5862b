"""Start a Home Assistant in a configuration folder of its own, and stop it."""

import asyncio
import json
import shutil
import socket
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
from homeassistant.components.http.config import (
    HTTP_STORAGE_SCHEMA,
    STORAGE_KEY,
    STORAGE_MINOR_VERSION,
    STORAGE_VERSION,
)

HOST = "127.0.0.1"
START_TIMEOUT = 300
"""Seconds; a first start on a slow machine compiles all of Home Assistant."""
STOP_TIMEOUT = 60
"""Seconds."""
CONFIGURATION = """\
# Written once by scripts/develop; yours to change.
homeassistant:
  name: Demo home
  country: GB
config:
frontend:
history:
logbook:
logger:
  default: warning
"""
END_WITH_US = ("setpriv", "--pdeathsig", "TERM") if shutil.which("setpriv") else ()
"""Have Home Assistant end as well if this program is killed."""
HOME_ASSISTANT = (
    *(sys.executable, "-m", "homeassistant"),
    # The environment holds all that is needed; nothing is fetched at run time.
    "--skip-pip",
)
INTEGRATION = Path(__file__).parents[2] / "custom_components" / "agegender"


class StartError(Exception):
    """Home Assistant did not come up; the message holds what it said last."""


def free_port(wanted: int) -> int:
    """Return the wanted port, or any free one if it is taken or 0."""
    for port in (wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise StartError(f"no free port at {HOST}")


def prepare(config: Path, port: int, configuration: str = CONFIGURATION) -> None:
    """Lay out the configuration folder; what the user changed in it stays.

    Parameters
    ----------
    config
        The folder, made if needed.
    port
        Where Home Assistant is to listen, on this machine alone.
    configuration
        What configuration.yaml says, where there is none yet.
    """
    (config / "custom_components").mkdir(parents=True, exist_ok=True)
    link = config / "custom_components" / INTEGRATION.name
    if link.is_symlink() or not link.exists():  # else it was installed there
        link.unlink(missing_ok=True)
        link.symlink_to(INTEGRATION)
    if not (file := config / "configuration.yaml").exists():
        file.write_text(configuration)

    # Home Assistant takes its address from its own storage. The same settings in
    # configuration.yaml are deprecated, and read at the first start only.
    settings = {
        **HTTP_STORAGE_SCHEMA({"server_host": [HOST], "server_port": port}),
        "created_at": datetime.now(UTC).isoformat(),
        "error": None,
        "error_message": None,
    }
    storage = config / ".storage"
    storage.mkdir(exist_ok=True)
    (storage / STORAGE_KEY).write_text(
        json.dumps(
            {
                "version": STORAGE_VERSION,
                "minor_version": STORAGE_MINOR_VERSION,
                "key": STORAGE_KEY,
                "data": {"stable": settings, "pending": None, "yaml_migration_done": True},
            }
        )
    )


@asynccontextmanager
async def running(
    config: Path,
    url: str,
    *,
    under: Sequence[str] = (),
    program: Sequence[str] = HOME_ASSISTANT,
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run Home Assistant for as long as the block lasts.

    Parameters
    ----------
    config
        A folder laid out by `prepare`.
    url
        Where it will answer.
    under
        A command that runs the command behind it in its own process, such as a tracer.
    program
        Which Home Assistant to run.

    Raises
    ------
    StartError
        If it ends, or does not answer within `START_TIMEOUT`.
    """
    console = config / "console.log"
    with console.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *END_WITH_US,
            *under,
            *program,
            *("--config", str(config)),
            "--log-no-color",
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            # Ctrl-C in the terminal is for us; we then stop Home Assistant in order.
            start_new_session=True,
        )
    try:
        if not await _answers(process, url):
            last = "\n".join(_last_lines(console))
            raise StartError(f"Home Assistant did not start. It said:\n{last}")
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
            try:
                await asyncio.wait_for(process.wait(), STOP_TIMEOUT)
            except TimeoutError:
                process.kill()
                await process.wait()


async def _answers(process: asyncio.subprocess.Process, url: str) -> bool:
    """Wait for the first answer; `False` if the process ends or takes too long."""
    try:
        async with asyncio.timeout(START_TIMEOUT), aiohttp.ClientSession() as session:
            while process.returncode is None:
                with suppress(aiohttp.ClientError):
                    async with session.get(f"{url}/manifest.json"):
                        return True
                await asyncio.sleep(0.2)
    except TimeoutError:
        pass
    return False


def _last_lines(log: Path) -> list[str]:
    return log.read_text(errors="replace").splitlines()[-20:]
