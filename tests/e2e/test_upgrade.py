"""Home Assistant starts with this release on what the one before it has stored.

The files of `releases/0.1.0` were written by that release, in a home with two cameras: one
was renamed by its user, of the other an entity was enabled that is disabled at first.
"""

import asyncio
import json
from collections.abc import Iterable
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
import pytest_socket
from PIL import Image

from tests.e2e.home import ZONE, problems, running, until

RELEASES = Path(__file__).with_name("releases")
KEPT = ("id", "entity_id", "unique_id", "name", "disabled_by", "device_id", "config_subentry_id")
"""What the user, automations and the recorder know an entity by."""


def lay_out(release: Path, folder: Path) -> Path:
    """Make a configuration folder as that release left it an hour ago."""
    pictures, storage = folder / "pictures", folder / "config" / ".storage"
    pictures.mkdir()
    storage.mkdir(parents=True)
    for name in ("shop.png", "hall.png"):  # nobody is in view, so that nobody is added
        Image.fromarray(np.full((480, 640, 3), 128, np.uint8)).save(pictures / name)
    for file in release.iterdir():
        content = file.read_text().replace("PICTURES", str(pictures))
        if file.name.startswith("agegender."):
            content = json.dumps(as_of_today(json.loads(content)))
        (storage / file.name).write_text(content)
    return folder / "config"


def as_of_today(totals: dict[str, Any]) -> dict[str, Any]:
    """Return the totals as they would be had they been counted today."""
    zone = ZoneInfo(ZONE)
    today = datetime.now(zone).date()
    midnights = (datetime.combine(today + timedelta(days), time(), zone) for days in (0, 1))
    start, end = (midnight.astimezone(ZoneInfo("UTC")).isoformat() for midnight in midnights)
    for census in totals.values():
        census["window"] |= {"day": str(today), "start": start, "end": end}
    return totals


def ours(entities: Iterable[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return what is kept of our entities, by their unique id."""
    return {
        entity["unique_id"]: {key: entity[key] for key in KEPT}
        for entity in entities
        if entity["platform"] == "agegender"
    }


async def upgrade(release: Path, folder: Path) -> None:
    config = lay_out(release, folder)
    stored = json.loads((release / "core.entity_registry").read_text())["data"]["entities"]
    async with running(config) as home:

        async def shown() -> dict[str, str]:
            states = {
                state["entity_id"]: state["state"] for state in await home.client.call("get_states")
            }
            wanted = ("sensor.crowd_in_shop", "sensor.hall_processing_time")
            return states if all(states.get(each, "")[:1].isdecimal() for each in wanted) else {}

        states = await until(shown, "a frame of both cameras")
        entities = ours(await home.client.call("config/entity_registry/list"))

    before = ours(stored)
    assert len(before) > 40
    assert {unique_id: entities.get(unique_id) for unique_id in before} == before
    assert states["sensor.crowd_in_shop"] == "0"
    for total, visitors in {
        "sensor.shop_visitors_today": "6",
        "sensor.shop_women_and_girls_today": "6",
        "sensor.shop_visitors_aged_20_39_today": "6",
        "sensor.hall_visitors_today": "2",
        "sensor.hall_men_and_boys_today": "0",
    }.items():
        assert states[total] == visitors, total
    assert problems(config) == []


@pytest.mark.parametrize("release", sorted(RELEASES.iterdir()), ids=lambda path: path.name)
def test_an_upgrade_keeps_entities_ids_and_totals(release: Path, tmp_path: Path) -> None:
    pytest_socket.enable_socket()
    asyncio.run(upgrade(release, tmp_path))
