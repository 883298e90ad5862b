"""One Home Assistant shows the shops of a chain, in public: completed windows alone."""

import asyncio
import random
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest_socket
from playwright.async_api import expect

from agegender_vision.census import AgeBands
from agegender_vision.estimator import Estimate, summarize
from agegender_vision.privacy import Public
from agegender_vision.reading import Reading, Status
from tests.broker import Mosquitto
from tests.e2e.browser import ARTEFACTS, go, signed_in
from tests.e2e.home import Home, running, until
from trainer.watch.publisher import Publisher
from trainer.watch.settings import load

SHOPS = ("Amsterdam", "Berlin", "Gdansk", "Lyon", "Madrid", "Porto")
WINDOWS = 8


def somebody(draw: random.Random) -> Estimate:
    """A visitor whose age and gender are well known."""
    ages = np.exp(-((np.arange(101) - draw.uniform(5, 80)) ** 2) / 50)
    return summarize((ages / ages.sum()).astype(np.float32), draw.choice((0.05, 0.95)))


@contextmanager
def shops(port: int) -> Iterator[dict[str, int]]:
    """Run a node for each shop, whose visitors are drawn; yields how many were published."""
    draw, mode, nodes, published = random.Random(7), Public(), [], {}  # noqa: S311
    for shop in SHOPS:
        options = {"mqtt.url": f"mqtt://127.0.0.1:{port}", "privacy.mode": "public", "name": shop}
        node = Publisher(load(None, options, ["Door=picamera"]), "open", lambda *_: None)
        time = datetime.now(UTC).replace(hour=8, minute=0, second=0, microsecond=0)
        census = mode.start(AgeBands.preset(), time)
        for _ in range(WINDOWS):
            visitors = [somebody(draw) for _ in range(draw.randrange(20, 90))]
            census = mode.advance(census, visitors, time)
            time += timedelta(minutes=15)
            census = mode.advance(census, (), time)
        shown = mode.publish(census, None)
        assert shown.today
        published[shop] = shown.today.people
        node.show("door", Reading(shown), Status.COUNTING)
        node.show_available("door", True)
        node.start()
        nodes.append(node)
    yield published
    for node in nodes:
        node.stop()


def entity(shop: str, name: str) -> str:
    return f"sensor.{shop.lower()}_door_{name}"


def dashboard() -> dict[str, Any]:
    """A part for each shop: its last quarter of an hour, and its day so far."""
    tiles = {
        "visitors_in_the_last_window": "Last window",
        "visitors_today": "Today",
        "women_and_girls_today": "Women and girls",
        "men_and_boys_today": "Men and boys",
        "visitors_aged_0_12_today": "Under 13",
        "status": "Status",
    }
    return {
        "title": "Shops",
        "views": [
            {
                "type": "sections",
                "max_columns": 3,
                "sections": [
                    {
                        "type": "grid",
                        "cards": [
                            {"type": "heading", "heading": shop, "icon": "mdi:store"},
                            *(
                                {"type": "tile", "entity": entity(shop, key), "name": name}
                                for key, name in tiles.items()
                            ),
                        ],
                    }
                    for shop in SHOPS
                ],
            }
        ],
    }


async def photograph(home: Home, published: dict[str, int]) -> None:
    async with signed_in(home, "fleet", {"width": 1600, "height": 580}) as page:
        shown = page.locator("hui-grid-section")
        await go(page, home, "/all-shops", shown)
        for shop, people in published.items():
            section = shown.filter(has=page.get_by_role("heading", name=shop, exact=True))
            today = section.locator("hui-tile-card").filter(has_text="Today").first
            await expect(today).to_contain_text(str(people))
        for problem in ("hui-error-card", "hui-warning", "hui-warning-element", "ha-alert"):
            await expect(page.locator(problem)).to_have_count(0)
        await page.wait_for_timeout(800)  # cards move into their places
        await page.screenshot(path=ARTEFACTS / "fleet.png")


async def show(folder: Path, broker: Mosquitto) -> None:
    with shops(broker.port) as published:
        async with running(folder) as home:
            await home.client.run_flow(
                "flow",
                "mqtt",
                {
                    "broker": "127.0.0.1",
                    "port": broker.port,
                    "other_settings": {"set_client_cert": False, "set_ca_cert": "off"},
                },
            )

            async def told() -> bool:
                states = {
                    state["entity_id"]: state["state"]
                    for state in await home.client.call("get_states")
                }
                return all(
                    states.get(entity(shop, "visitors_today")) == str(people)
                    for shop, people in published.items()
                )

            await until(told, "all shops")
            await home.client.call(
                "lovelace/dashboards/create",
                url_path="all-shops",
                title="Shops",
                mode="storage",
                require_admin=False,
                show_in_sidebar=True,
            )
            await home.client.call("lovelace/config/save", url_path="all-shops", config=dashboard())
            await photograph(home, published)


def test_a_dashboard_shows_all_shops(tmp_path: Path) -> None:
    pytest_socket.enable_socket()
    broker = Mosquitto(tmp_path).start()
    try:
        asyncio.run(show(tmp_path / "config", broker))
    finally:
        broker.stop()
