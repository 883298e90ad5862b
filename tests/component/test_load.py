"""A machine that cannot keep up takes fewer frames; nothing queues, and it says so at home."""

import pytest
from homeassistant.core import HomeAssistant
from homeassistant.helpers import issue_registry as ir
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.agegender import worker
from custom_components.agegender.const import CONF_INTERVAL, DOMAIN

from .conftest import (
    PUBLIC,
    AddCamera,
    FileCamera,
    Fix,
    PassTime,
    Watch,
    WilfulCamera,
    our_log,
)


class Pace:
    """Seconds that a frame takes on this machine, from its clock's point of view."""

    seconds = 0.0

    def __init__(self) -> None:
        self._now = 0.0
        self._calls = 0

    def __call__(self) -> float:
        # Asked for before and after each frame.
        self._calls += 1
        if self._calls % 2 == 0:
            self._now += self.seconds
        return self._now


@pytest.fixture
def pace(monkeypatch: pytest.MonkeyPatch) -> Pace:
    pace = Pace()
    monkeypatch.setattr(worker, "perf_counter", pace)
    return pace


def overload(issues: ir.IssueRegistry) -> ir.IssueEntry | None:
    issue = issues.async_get_issue(DOMAIN, "overload")
    return issue if issue and issue.active else None


async def test_intervals_stretch_and_shorten_again_and_nothing_queues(
    wilful: WilfulCamera,
    watch: Watch,
    pass_time: PassTime,
    pace: Pace,
    caplog: pytest.LogCaptureFixture,
) -> None:
    camera = wilful.watched
    await watch(camera, interval=2)
    pace.seconds = 2.4

    async def frames(seconds: int) -> int:
        before = wilful.requests
        for _ in range(seconds):
            asked = wilful.requests
            await pass_time(1)
            assert wilful.requests <= asked + 1
        return wilful.requests - before

    await frames(60)
    assert camera.status() == "overloaded"
    # Twice as long: 2.4 s of every 4 s, three fifths.
    assert 14 <= await frames(60) <= 16

    pace.seconds = 0.1
    await frames(80)
    assert camera.status() == "counting"
    assert 28 <= await frames(60) <= 31
    [(first, beginning), (second, end)] = our_log(caplog)
    assert (first, second) == ("WARNING", "INFO")
    assert "frames are taken less often" in beginning
    assert end == "There is time for every frame again"


async def overloaded(
    watch: Watch, cameras: list[FileCamera], pass_time: PassTime, pace: Pace, **settings: object
) -> MockConfigEntry:
    pace.seconds = 50
    entry = await watch(*cameras, **settings)
    for _ in range(16):
        await pass_time(120)
    return entry


async def test_an_overload_that_lasts_is_fixed_by_longer_intervals(
    issue_registry: ir.IssueRegistry,
    add_camera: AddCamera,
    watch: Watch,
    pass_time: PassTime,
    pace: Pace,
    fix: Fix,
) -> None:
    cameras = [await add_camera("hall"), await add_camera("garden")]
    entry = await overloaded(watch, cameras, pass_time, pace)
    issue = overload(issue_registry)
    assert issue is not None
    assert issue.translation_placeholders is not None
    before = [camera.data[CONF_INTERVAL] for camera in entry.subentries.values()]

    await fix("overload", "longer_interval")
    assert overload(issue_registry) is None
    stretch = float(issue.translation_placeholders["stretch"])
    after = [camera.data[CONF_INTERVAL] for camera in entry.subentries.values()]
    assert after == pytest.approx([seconds * stretch for seconds in before], abs=5)
    assert all(isinstance(seconds, int) for seconds in after)
    for _ in range(20):
        await pass_time(300)
    assert overload(issue_registry) is None
    assert [camera.status() for camera in cameras] == ["counting"] * 2


async def test_an_overload_that_is_accepted_is_not_told_again(
    hass: HomeAssistant,
    issue_registry: ir.IssueRegistry,
    add_camera: AddCamera,
    watch: Watch,
    pass_time: PassTime,
    pace: Pace,
    fix: Fix,
) -> None:
    camera = await add_camera("hall")
    entry = await overloaded(watch, [camera], pass_time, pace)
    assert await fix("overload", "accept") == "accepted"

    for seconds in (1, 59):
        pace.seconds = seconds
        for _ in range(25):
            await pass_time(120)
    assert camera.status() == "overloaded"
    issue = issue_registry.async_get_issue(DOMAIN, "overload")
    assert issue is not None
    assert issue.dismissed_version is not None
    assert entry.subentries
    await hass.config_entries.async_remove(entry.entry_id)
    assert issue_registry.async_get_issue(DOMAIN, "overload") is None


async def test_a_passing_overload_is_no_repair(
    issue_registry: ir.IssueRegistry,
    add_camera: AddCamera,
    watch: Watch,
    pass_time: PassTime,
    pace: Pace,
) -> None:
    camera = await add_camera("hall")
    await overloaded(watch, [camera], pass_time, pace)
    assert overload(issue_registry) is not None
    pace.seconds = 0.1
    for _ in range(25):
        await pass_time(120)
    assert overload(issue_registry) is None


async def test_a_camera_that_is_paused_is_no_load(
    issue_registry: ir.IssueRegistry,
    add_camera: AddCamera,
    watch: Watch,
    pass_time: PassTime,
    pace: Pace,
    caplog: pytest.LogCaptureFixture,
) -> None:
    hall, garden = await add_camera("hall"), await add_camera("garden")
    await overloaded(watch, [hall, garden], pass_time, pace)
    assert garden.status() == "overloaded"
    assert overload(issue_registry) is not None

    await garden.pause(on=True)
    await hall.pause(on=True)
    assert overload(issue_registry) is None
    assert our_log(caplog)[-1] == ("INFO", "There is time for every frame again")


async def test_in_public_an_overload_is_told_nowhere(
    issue_registry: ir.IssueRegistry,
    add_camera: AddCamera,
    watch: Watch,
    pass_time: PassTime,
    pace: Pace,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It tells how long frames took, and so of the faces in them."""
    camera = await add_camera("hall")
    entry = await overloaded(watch, [camera], pass_time, pace, engine=PUBLIC)
    assert entry.runtime_data.load.overloaded
    assert camera.status() == "counting"
    assert not issue_registry.issues
    assert our_log(caplog) == []
