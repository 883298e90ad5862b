"""A new user adds the integration in the browser, lets it act, and removes it without a trace.

The home is a clean one; its camera shows nobody until somebody comes.
"""

import asyncio
import json
import shutil
from pathlib import Path

import pytest_socket
import skimage.data
from playwright.async_api import Page, async_playwright, expect

from scripts.demo_home.program import PASSWORD, USER
from tests.e2e.home import ZONE, Home, problems, running, until
from tests.e2e.program import PATIENCE, ROOT

ARTEFACTS = ROOT / "artefacts"
PICTURES = Path(skimage.data.__file__).parent
CONFIGURATION = f"""\
homeassistant:
  name: Home
  time_zone: {ZONE}
config:
frontend:
history:
logbook:
blueprint:
automation: !include automations.yaml
logger:
  default: warning
"""


async def photograph(page: Page, name: str) -> None:
    await page.wait_for_timeout(800)  # dialogs and cards move into their places
    await page.screenshot(path=ARTEFACTS / f"new-user-{name}.png")


async def add_integration(page: Page, home: Home) -> None:
    await page.goto(f"{home.url}/config/integrations/dashboard/add?domain=agegender")
    await page.locator("input[name=username]").fill(USER)
    await page.locator("input[name=password]").fill(PASSWORD)
    await page.keyboard.press("Enter")
    await page.get_by_role("button", name="OK").click()
    await expect(page.get_by_text("nobody is recognised")).to_be_visible()
    await photograph(page, "1-notice")
    await page.get_by_text("I have read this notice").first.click()
    await page.get_by_role("button", name="Submit").click()
    await expect(page.get_by_text("Now add the cameras, one by one.")).to_be_visible()
    await page.get_by_role("button", name="Finish").first.click()


async def add_camera(page: Page, home: Home) -> None:
    await page.goto(f"{home.url}/config/integrations/integration/agegender")
    await page.get_by_text("Add camera").first.click()
    await page.locator("ha-selector-entity").first.click()
    await page.get_by_text("Entrance").last.click()
    await photograph(page, "2-camera")
    await page.get_by_role("button", name="Submit").click()
    await expect(page.get_by_text("Faces found: 0")).to_be_visible()
    await photograph(page, "2-trial")
    await page.get_by_text("Save", exact=True).first.click()
    await expect(page.get_by_text("Created configuration for Entrance.")).to_be_visible()
    await page.get_by_role("button", name="Finish").first.click()


async def open_device(page: Page, home: Home) -> None:
    async def devices() -> list[str]:
        return [
            device["id"]
            for device in await home.client.call("config/device_registry/list")
            if device["name"] == "Entrance"
        ]

    (device,) = await until(devices, "the camera's device")
    await page.goto(f"{home.url}/config/devices/device/{device}")


async def see_counts(page: Page, home: Home) -> None:
    await open_device(page, home)
    await expect(page.get_by_text("People in view").first).to_be_visible()
    await expect(page.get_by_text("0", exact=True).first).to_be_visible()
    await expect(page.get_by_text("Counting").first).to_be_visible()
    await photograph(page, "3-counts")


async def automate(page: Page, home: Home) -> None:
    automation = {
        "alias": "Somebody is there",
        "use_blueprint": {
            "path": "agegender/occupancy_above.yaml",
            "input": {
                "count": "sensor.entrance_people_in_view",
                "limit": 0,
                "free": 1,
                "settle": {"seconds": 1},
                "full": [
                    {
                        "action": "persistent_notification.create",
                        "data": {"title": "Visitors", "message": "{{ people }} at the entrance"},
                    }
                ],
            },
        },
    }
    address = f"{home.url}/api/config/automation/config/somebody"
    async with home.session.post(address, json=automation) as answer:
        answer.raise_for_status()
    await page.goto(f"{home.url}/config/automation/edit/somebody")
    await expect(page.get_by_text("Runs an action when more people").first).to_be_visible()
    await photograph(page, "4-blueprint")


async def watch_it_fire(page: Page, picture: Path) -> None:
    shutil.copy(PICTURES / "astronaut.png", picture)
    await page.get_by_text("Notifications").first.click()
    await expect(page.get_by_text("1 at the entrance")).to_be_visible()
    await photograph(page, "5-fired")


async def pause(page: Page, home: Home) -> None:
    await open_device(page, home)
    await page.get_by_role("switch", name="Pause").first.click()
    await expect(page.get_by_text("Paused").first).to_be_visible()
    await photograph(page, "6-paused")


async def remove(page: Page, home: Home) -> None:
    await page.goto(f"{home.url}/config/integrations/integration/agegender")
    async with home.session.delete(f"{home.url}/api/config/automation/config/somebody") as answer:
        answer.raise_for_status()
    await home.client.delete_entry((await home.entry())["entry_id"])
    await expect(page.get_by_text("Entrance")).to_have_count(0)
    await photograph(page, "7-removed")


async def live(folder: Path) -> None:
    config, picture = folder / "config", folder / "entrance.png"
    config.mkdir()
    (config / "configuration.yaml").write_text(CONFIGURATION)
    (config / "automations.yaml").write_text("[]\n")
    shutil.copytree(ROOT / "blueprints", config / "blueprints")
    shutil.copy(PICTURES / "coffee.png", picture)
    ARTEFACTS.mkdir(exist_ok=True)
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    async with running(config) as home, async_playwright() as playwright:
        await home.client.run_flow(
            "flow", "local_file", {"name": "Entrance", "file_path": str(picture)}
        )
        browser = await playwright.chromium.launch(executable_path=chromium)
        page = await browser.new_page(viewport={"width": 1280, "height": 900})
        page.set_default_timeout(PATIENCE * 1000)
        expect.set_options(timeout=PATIENCE * 1000)
        await add_integration(page, home)
        await add_camera(page, home)
        await see_counts(page, home)
        await automate(page, home)
        await watch_it_fire(page, picture)
        await pause(page, home)
        await remove(page, home)
        await browser.close()

        async def gone() -> bool:
            entities = await home.client.call("config/entity_registry/list")
            return all(entity["platform"] != "agegender" for entity in entities)

        await until(gone, "the entities to go")
    assert problems(config) == []
    assert not list(config.glob(".storage/agegender*"))
    for name in ("config_entries", "device_registry", "entity_registry"):
        stored = json.loads((config / ".storage" / f"core.{name}").read_text())["data"]
        kept = {key: rows for key, rows in stored.items() if not key.startswith("deleted_")}
        assert "agegender" not in json.dumps(kept), name


def test_a_new_user_finds_the_way_in_and_out(tmp_path: Path) -> None:
    pytest_socket.enable_socket()
    asyncio.run(live(tmp_path))
