"""What Home Assistant's statistics show: the example dashboard, and `agegender stats`."""

import os
import re
import subprocess
from collections.abc import Callable
from datetime import date, datetime, timedelta
from pathlib import Path
from time import monotonic, sleep
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.program import PATIENCE, ROOT

ARTEFACTS = ROOT / "artefacts"
EXAMPLE = ROOT / "docs" / "examples" / "dashboard.yaml"
DAYS = 14
HOUR = timedelta(hours=1)
BUSY = (1, 3, 5, 6, 4, 3, 5, 7, 8, 6, 4, 2)
"""How busy the example is in each hour from 8 to 20 o'clock."""
SHARES = {
    "age_0-12": (1, 4),
    "age_13-19": (1, 3),
    "age_20-39": (3, 5),
    "age_40-59": (4, 4),
    "age_60+": (5, 1),
}
"""How many of the example's visitors are of a band, before and after 13 o'clock."""
Call = Callable[..., Any]


def visitors(kind: str, time: datetime) -> int:
    """The example's visitors in an hour: of a band, of a gender, or all people."""
    if kind == "people":
        return sum(visitors(band, time) for band in SHARES)
    if kind == "female":
        return sum(visitors(band, time) * 5 // 9 for band in SHARES)
    if kind == "male":
        return visitors("people", time) - visitors("female", time)
    if not 8 <= time.hour < 20:
        return 0
    usual = BUSY[time.hour - 8] * SHARES[kind][time.hour >= 13] // 4
    return usual + (time.toordinal() * 5 + time.hour * 3 + len(kind)) % 3


@pytest.fixture(scope="module")
def call(dashboard: Page) -> Call:
    """Runs a command of Home Assistant's websocket, as its own pages do."""

    def call(command: str, **arguments: Any) -> Any:
        return dashboard.evaluate(
            "message => document.querySelector('home-assistant').hass.callWS(message)",
            {"type": command, **arguments},
        )

    return call


@pytest.fixture(scope="module")
def yesterday(call: Call) -> date:
    """The last of the days whose example statistics Home Assistant then has."""
    zone = ZoneInfo(call("get_config")["time_zone"])
    midnight = datetime.now(zone).replace(hour=0, minute=0, second=0, microsecond=0)
    hours = [midnight - HOUR * ago for ago in range(24 * DAYS, 0, -1)]
    for entity in call("config/entity_registry/list"):
        if not entity["entity_id"].startswith("sensor.astronaut_"):
            continue
        key = entity["unique_id"].removeprefix(f"{entity['config_subentry_id']}_")
        kind = key.removeprefix("today_")
        if kind != "people" and kind not in {*SHARES, "female", "male"}:
            continue
        total, rows = 0, []
        for hour in hours:
            number = visitors(kind, hour)
            total += number
            rows.append(
                {"start": hour.isoformat(), "state": total, "sum": total}
                if key.startswith("today_")
                else {"start": hour.isoformat(), "mean": number / 4, "min": 0, "max": number}
            )
        call(
            "recorder/import_statistics",
            metadata={
                "statistic_id": entity["entity_id"],
                "source": "recorder",
                "name": None,
                "has_sum": key.startswith("today_"),
                "mean_type": 0 if key.startswith("today_") else 1,
                "unit_class": None,
                "unit_of_measurement": None,
            },
            stats=rows,
        )
        last = entity["entity_id"]
    wait_for_statistics(call, last, hours[-1])
    return (midnight - HOUR).date()


def wait_for_statistics(call: Call, entity: str, hour: datetime) -> None:
    # The recorder takes them in order, in a thread of its own.
    deadline = monotonic() + PATIENCE
    while not call(
        "recorder/statistics_during_period",
        start_time=hour.isoformat(),
        statistic_ids=[entity],
        period="hour",
    ):
        assert monotonic() < deadline, "Home Assistant did not take the example statistics"
        sleep(0.5)


@pytest.fixture(scope="module")
def token(call: Call) -> str:
    return str(call("auth/long_lived_access_token", client_name="agegender stats", lifespan=1))


def stats(page: Page, token: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `agegender stats` on the Home Assistant behind the page."""
    url = page.evaluate("location.origin")
    return subprocess.run(
        [ROOT / "scripts" / "agegender", "stats", "--url", url, *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "HASS_TOKEN": token, "COLUMNS": "160"},
    )


def paste(page: Page, configuration: str) -> None:
    """Replace the dashboard that is shown, as the documentation says."""
    page.get_by_role("button", name="Edit dashboard").click()
    page.get_by_role("button", name="Open dashboard menu").click()
    page.get_by_text("Raw configuration editor").locator("visible=true").click()
    editor = page.locator("hui-editor")
    editor.locator(".cm-content").click()
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.evaluate("text => navigator.clipboard.writeText(text)", configuration)
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.press("ControlOrMeta+v")
    editor.get_by_role("button", name="Save").click()
    expect(editor.get_by_text("Saved", exact=True)).to_be_visible()
    editor.get_by_role("button", name="Close").click()
    page.get_by_role("button", name="Done").click()
    page.mouse.move(0, 0)


@pytest.mark.usefixtures("yesterday")
def test_the_example_dashboard_shows_what_it_names(dashboard: Page, call: Call) -> None:
    call(
        "lovelace/dashboards/create",
        url_path="example-visitors",
        title="Visitors",
        mode="storage",
        require_admin=False,
        show_in_sidebar=True,
    )
    call("lovelace/config/save", url_path="example-visitors", config={"views": [{}]})
    page = dashboard
    page.goto(page.evaluate("location.origin") + "/example-visitors")
    paste(page, EXAMPLE.read_text().replace("entrance", "astronaut"))

    for card in ("tile", "distribution", "history-graph", "statistics-graph"):
        expect(page.locator(f"hui-{card}-card").first).to_be_visible(timeout=PATIENCE * 1000)
    expect(page.locator("canvas")).to_have_count(3, timeout=PATIENCE * 1000)
    people = page.locator("hui-tile-card", has_text="People in view")
    expect(people).to_contain_text(re.compile(r"People in view\s+1\b"))
    for problem in ("hui-error-card", "hui-warning", "hui-warning-element", "ha-alert"):
        expect(page.locator(problem)).to_have_count(0)
    expect(page.get_by_text("No statistics found")).to_have_count(0)
    ARTEFACTS.mkdir(exist_ok=True)
    page.set_viewport_size({"width": 1600, "height": 760})
    page.wait_for_timeout(2000)  # graphs are drawn in an animation
    page.screenshot(path=ARTEFACTS / "dashboard-example.png")


def test_a_day_is_shown_hour_by_hour(
    dashboard: Page, token: str, yesterday: date, tmp_path: Path
) -> None:
    picture = tmp_path / "day.png"
    done = stats(
        dashboard,
        token,
        "--camera",
        "Astronaut",
        "--date",
        str(yesterday),
        "--output",
        str(picture),
    )
    assert done.returncode == 0, done.stderr
    rows = [line.replace("│", " ").split() for line in done.stdout.splitlines()]
    nine = datetime(yesterday.year, yesterday.month, yesterday.day, 9)  # noqa: DTZ001  (local)
    kinds = ("people", *SHARES, "female", "male")
    assert ["09:00", *(str(visitors(kind, nine)) for kind in kinds)] in rows
    day = [nine.replace(hour=hour) for hour in range(24)]
    assert [
        "total",
        *(str(sum(visitors(kind, hour) for hour in day)) for kind in kinds),
    ] in rows
    assert picture.read_bytes().startswith(b"\x89PNG")
    ARTEFACTS.mkdir(exist_ok=True)
    (ARTEFACTS / "stats-day.png").write_bytes(picture.read_bytes())


def test_a_month_is_shown_day_by_day(
    dashboard: Page, token: str, yesterday: date, tmp_path: Path
) -> None:
    picture = tmp_path / "month.svg"
    done = stats(
        *(dashboard, token, "--period", "month", "--date", str(yesterday)),
        *("--output", str(picture)),
    )
    assert done.returncode == 0, done.stderr
    assert f"{yesterday:%d %b}" in done.stdout
    assert b"<svg" in picture.read_bytes()


@pytest.mark.usefixtures("yesterday")
def test_a_refused_token_is_told_and_not_repeated(dashboard: Page) -> None:
    done = stats(dashboard, "not-a-token-of-this-home")
    assert done.returncode == 2
    assert "refuses the token. Make one in your profile" in done.stderr
    assert "not-a-token" not in done.stdout + done.stderr


def test_a_camera_that_does_not_exist_is_answered_with_those_that_do(
    dashboard: Page, token: str
) -> None:
    done = stats(dashboard, token, "--camera", "Cellar")
    assert done.returncode == 2
    assert "no camera is called 'Cellar'" in done.stderr
    assert "Astronaut" in done.stderr


def test_a_period_without_statistics_is_told(dashboard: Page, token: str) -> None:
    done = stats(dashboard, token, "--date", "2020-02-02")
    assert done.returncode == 2
    assert "no statistics for 2020-02-02" in done.stderr
