"""A Home Assistant that is killed while it counts goes on where it was, but for seconds."""

import asyncio
import random
from pathlib import Path
from time import monotonic

import pytest_socket

from tests.e2e.home import Home, film, playing, running, stored_totals, until

KILLS = 2
LOST = 30
"""Seconds of counting that a power cut may cost."""
VISITORS = "sensor.shop_visitors_today"


async def visitors(home: Home) -> int | None:
    """How many visitors are shown; None while nothing is."""
    state = (await home.states()).get(VISITORS, "")
    return int(state) if state.isdecimal() else None


def saved(config: Path) -> int:
    """How many visitors are in the file."""
    (census,) = stored_totals(config)
    return int(census["window"]["counts"]["people"])


async def counting(home: Home, before: int) -> list[tuple[float, int]]:
    """Return when so many visitors were shown.

    It ends some time after one more than before must have been saved.
    """
    shown: list[tuple[float, int]] = []
    more = random.uniform(LOST + 2, LOST + 12)  # noqa: S311

    async def counted() -> bool:
        if (count := await visitors(home)) is not None:
            shown.append((monotonic(), count))
        return any(count > before and time < monotonic() - more for time, count in shown)

    await until(counted, "visitors in the film")
    return shown


async def kill_again_and_again(folder: Path) -> None:
    config, picture = folder / "config", folder / "shop.png"
    before = 0
    with playing(picture, film(), per_second=4):
        for kill in range(KILLS):
            async with running(config) as home:
                if kill == 0:
                    await home.watch(picture, {"acknowledged": True})

                async def shown(home: Home = home) -> bool:
                    return await visitors(home) is not None

                await until(shown, "the first frame")
                history = await counting(home, before)
                home.process.kill()
                killed = monotonic()
                await home.process.wait()
            # Nothing saved before is lost, and nothing counted but the latest.
            assert history[0][1] >= before
            before = saved(config)
            assert before >= max(count for time, count in history if time <= killed - LOST)
    assert not list((config / ".storage").glob("agegender.*.corrupt.*"))


def test_a_power_cut_loses_half_a_minute_at_most(tmp_path: Path) -> None:
    pytest_socket.enable_socket()
    asyncio.run(kill_again_and_again(tmp_path))
