"""What a user of scripts/develop sees, in the terminal and in the browser."""

import json
import re

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.e2e.program import ROOT, Program

ARTEFACTS = ROOT / "artefacts"


def section(dashboard: Page, camera: str) -> Locator:
    """The part of the dashboard that shows one camera."""
    return dashboard.locator("hui-grid-section").filter(
        has=dashboard.get_by_role("heading", name=camera, exact=True)
    )


def states(dashboard: Page) -> dict[str, str]:
    """All states, from Home Assistant's interface, by entity id."""
    tokens = json.loads(dashboard.evaluate("localStorage.hassTokens"))
    answer = dashboard.request.get(
        f"{tokens['hassUrl']}/api/states",
        headers={"Authorization": f"Bearer {tokens['access_token']}"},
    )
    return {state["entity_id"]: state["state"] for state in answer.json()}


COUNTS = {
    "Astronaut": r"1 in view: 1 female, 0 male;",
    # Her uniform leaves the model in doubt, more or less; nobody is called what they are not.
    "Grace Hopper": r"1 in view: (1 female, 0 male|0 female, 0 male, 1 of unknown gender);",
    "Coffee table": r"0 in view: 0 female, 0 male$",
}


@pytest.mark.parametrize("camera", COUNTS)
def test_the_terminal_shows_the_counts(program: Program, camera: str) -> None:
    program.wait_for(lambda: bool(re.match(COUNTS[camera], program.counts()[camera])))


@pytest.mark.parametrize(
    ("camera", "counts"),
    [
        ("Astronaut", {"People in view": 1, "Female": 1, "Male": 0, "Unknown": 0}),
        ("Grace Hopper", {"People in view": 1, "Male": 0}),
        ("Coffee table", {"People in view": 0, "Visitors today": 0, "Female": 0, "Male": 0}),
    ],
)
def test_the_dashboard_shows_the_counts(
    dashboard: Page, camera: str, counts: dict[str, int]
) -> None:
    tiles = section(dashboard, camera).locator("hui-tile-card")
    for name, count in counts.items():
        expect(tiles.filter(has_text=re.compile(rf"^\s*{name}\b"))).to_have_text(
            re.compile(rf"{name}\s+{count}\b")
        )


@pytest.mark.parametrize("camera", ["Astronaut", "Grace Hopper", "Coffee table"])
def test_the_dashboard_shows_the_picture(dashboard: Page, camera: str) -> None:
    picture = section(dashboard, camera).locator("hui-image img")
    expect(picture).to_be_visible()
    dashboard.wait_for_function("image => image.naturalWidth > 0", arg=picture.element_handle())


def test_the_states_agree_with_the_dashboard(program: Program, dashboard: Page) -> None:
    people = {"sensor.astronaut_people_in_view": "1", "sensor.coffee_table_people_in_view": "0"}
    program.wait_for(lambda: people.items() <= states(dashboard).items())
    assert "unavailable" not in {
        value for entity, value in states(dashboard).items() if entity.startswith("sensor.")
    }


def test_screenshot(dashboard: Page) -> None:
    ARTEFACTS.mkdir(exist_ok=True)
    dashboard.screenshot(path=ARTEFACTS / "dashboard.png")


def test_another_start_goes_on_with_the_same_cameras(program: Program) -> None:
    before = program.counts()
    assert program.press_ctrl_c() == 0
    program.start().wait_for(lambda: program.counts() == before)
    assert program.press_ctrl_c() == 0
