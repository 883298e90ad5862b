"""Cameras take turns on one thread; of each the newest frame counts, and none piles up."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from threading import Event
from typing import Self

import pytest
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.event import async_track_state_change_event
from homeassistant.util import dt as dt_util
from pytest_homeassistant_custom_component.common import async_fire_time_changed

from custom_components.agegender.vision.engine import Engine
from custom_components.agegender.vision.frame import FrameError
from custom_components.agegender.vision.watch import Watch
from custom_components.agegender.worker import Look, Worker

from .conftest import (
    CLOCK,
    HOME,
    INTERVAL,
    NOBODY,
    OLDER_WOMAN,
    PATIENCE,
    WOMAN,
    AddCamera,
    WilfulCamera,
    next_frame,
    side_by_side,
)
from .conftest import Watch as SetUp


class Frame(bytes):
    """Bytes that are counted while they are held."""

    held = 0

    def __new__(cls, content: bytes) -> Self:
        cls.held += 1
        return super().__new__(cls, content)

    def __del__(self) -> None:
        type(self).held -= 1


@pytest.fixture
async def worker(hass: HomeAssistant) -> AsyncIterator[Worker]:
    worker = Worker(hass, HOME)
    yield worker
    await worker.async_shutdown()


@pytest.fixture
async def engine(worker: Worker) -> Engine:
    return await worker.async_load()


def people(look: Look | None) -> int | None:
    return None if look is None else len(look.scene.present)


type Release = Callable[[], Awaitable[None]]


@pytest.fixture
def busy(hass: HomeAssistant, worker: Worker) -> Callable[[], Awaitable[Release]]:
    """Keep the worker's thread busy, whatever the machine's pace, until it is released."""

    async def start() -> Release:
        begun, over = Event(), Event()

        def work() -> bool:
            begun.set()
            return over.wait()

        turn = asyncio.create_task(worker.async_take_turn(work))
        await hass.async_add_executor_job(begun.wait)

        async def release() -> None:
            over.set()
            assert await turn

        return release

    return start


async def test_cameras_that_share_an_engine_do_not_mix(worker: Worker, engine: Engine) -> None:
    frames = [WOMAN, NOBODY, OLDER_WOMAN, NOBODY]
    watches = [Watch(engine) for _ in frames]
    for _ in range(3):
        looks = await asyncio.gather(*map(worker.async_look, watches, frames, strict=True))
        assert [people(look) for look in looks] == [1, 0, 1, 0]
    younger, older = (look.scene.present[0].age for look in (looks[0], looks[2]) if look)
    assert younger + 15 < older


async def test_turns_go_by_arrival_however_eager_one_camera_is(
    worker: Worker, engine: Engine
) -> None:
    done: list[str] = []

    async def watch_forever(name: str, looks: int) -> None:
        watch = Watch(engine)
        for _ in range(looks):
            await worker.async_look(watch, WOMAN)
            done.append(name)

    await asyncio.gather(
        watch_forever("eager", 12), watch_forever("second", 4), watch_forever("third", 4)
    )
    assert done == 4 * ["eager", "second", "third"] + 8 * ["eager"]


async def test_the_newest_frame_takes_the_place_of_one_that_waits(
    worker: Worker, engine: Engine
) -> None:
    busy, other = Watch(engine), Watch(engine)
    looks = await asyncio.gather(
        worker.async_look(busy, WOMAN),
        worker.async_look(other, NOBODY),
        worker.async_look(other, NOBODY),
        worker.async_look(other, WOMAN),
        worker.async_look(busy, NOBODY),
    )
    # One of the calls tells of the newest frame; what was replaced is counted nowhere.
    assert [people(look) for look in looks] == [1, 1, None, None, 1]


async def test_frames_that_wait_do_not_pile_up(
    worker: Worker, engine: Engine, busy: Callable[[], Awaitable[Release]]
) -> None:
    release = await busy()
    other = Watch(engine)
    looks = []
    for _ in range(200):
        looks.append(asyncio.create_task(worker.async_look(other, Frame(WOMAN))))
        await asyncio.sleep(0)  # until it waits
        assert Frame.held <= 2  # waiting, and about to be handed over
    await release()
    results = await asyncio.gather(*looks)
    assert [people(look) for look in results] == [1, *199 * [None]]
    del looks, results
    assert Frame.held == 0


async def test_a_bad_frame_is_its_own_camera_s_trouble(worker: Worker, engine: Engine) -> None:
    results = await asyncio.gather(
        worker.async_look(Watch(engine), b"<html>"),
        worker.async_look(Watch(engine), WOMAN),
        worker.async_look(Watch(engine), WOMAN[:5000]),
        return_exceptions=True,
    )
    assert isinstance(results[0], FrameError)
    assert isinstance(results[1], Look)
    assert isinstance(results[2], FrameError)


async def test_who_stops_waiting_holds_nobody_up(worker: Worker, engine: Engine) -> None:
    watches = [Watch(engine) for _ in range(3)]
    looks = [asyncio.create_task(worker.async_look(watch, WOMAN)) for watch in watches]
    await asyncio.sleep(0)
    looks[0].cancel()  # its frame is in hand
    looks[1].cancel()  # its frame waits
    assert people(await looks[2]) == 1
    assert looks[0].cancelled()
    assert looks[1].cancelled()


async def test_shutting_down_drops_what_waits(
    worker: Worker, engine: Engine, busy: Callable[[], Awaitable[Release]]
) -> None:
    release = await busy()
    looks = [asyncio.create_task(worker.async_look(Watch(engine), WOMAN)) for _ in range(3)]
    await asyncio.sleep(0)  # until they wait
    ending = asyncio.create_task(worker.async_shutdown())
    await asyncio.sleep(0)
    # What is in hand is finished.
    await release()
    assert await asyncio.gather(*looks) == 3 * [None]
    await ending


@pytest.mark.usefixtures("patient")
async def test_a_hung_camera_delays_no_other(
    hass: HomeAssistant, add_camera: AddCamera, wilful: WilfulCamera, watch: SetUp
) -> None:
    gate = await add_camera("gate", NOBODY)
    await watch(wilful.watched, gate)
    assert gate.counts()["People in view"] == "0"

    counted = asyncio.Event()
    async_track_state_change_event(
        hass, [gate.sensor("people_in_view")], callback(lambda _: counted.set())
    )
    wilful.delivers.clear()
    asked = wilful.requests
    couple = side_by_side(WOMAN, OLDER_WOMAN)
    for step, (picture, number) in enumerate([(WOMAN, "1"), (couple, "2")], 1):
        counted.clear()
        gate.show(picture)
        CLOCK.ahead += INTERVAL
        async_fire_time_changed(hass, dt_util.utcnow() + timedelta(seconds=step * INTERVAL))
        async with asyncio.timeout(PATIENCE / 2):
            await counted.wait()
        assert gate.counts()["People in view"] == number
    # It has not answered yet, and is asked once.
    assert wilful.requests == asked + 1

    wilful.delivers.set()
    await next_frame(hass)
    assert wilful.watched.available()
