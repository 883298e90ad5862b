"""A new user adds the integration in the browser, lets it act, and removes it without a trace.

The home is a clean one; its camera shows nobody until somebody comes. The pictures of the way
are what the documentation shows.
"""

import asyncio
import json
import re
import shutil
from pathlib import Path

import pytest_socket
import skimage.data
from aiohttp import web
from aiohttp.test_utils import TestServer
from playwright.async_api import Locator, Page, ViewportSize, expect

from scripts.demo_home.client import Client
from scripts.demo_home.program import NAME, PASSWORD, USER
from tests.e2e.browser import ARTEFACTS, closed, go, signed_in
from tests.e2e.home import ZONE, Home, problems, running, until
from tests.e2e.program import ROOT

INTEGRATION = "/config/integrations/integration/agegender"
BLUEPRINT = "agegender/occupancy_above"
PICTURES = Path(skimage.data.__file__).parent
SOMEBODY, NOBODY = PICTURES / "astronaut.png", PICTURES / "coffee.png"
SIZE: ViewportSize = {"width": 1280, "height": 900}
CONFIGURATION = f"""\
homeassistant:
  name: Home
  country: DE
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
    """Keep a picture of the page as it is once nothing moves on it."""

    async def still() -> bytes:
        before = await page.screenshot()
        await page.wait_for_timeout(500)
        now = await page.screenshot(path=ARTEFACTS / f"new-user-{name}.png")
        return now if now == before else b""

    await until(still, f"an end of what moves in {name}.png")


async def choose(page: Page, entity: str) -> None:
    """Choose in the first field for an entity, which does not open before it is loaded."""
    choices = page.locator("ha-picker-combo-box")

    async def opened() -> bool:
        await page.locator("ha-selector-entity").first.click()
        await page.wait_for_timeout(2000)
        return await choices.is_visible()

    await until(opened, "the entities to choose from")
    await choices.get_by_role("textbox").fill(entity)
    await choices.get_by_text(entity).first.click()


async def taken(page: Page, value: str | int) -> bool:
    """Tell whether a blueprint's inputs hold a value: what is entered sooner after it is lost."""
    inputs = "editor => Object.values(editor.config.use_blueprint.input ?? {})"
    return value in await page.locator("blueprint-automation-editor").evaluate(inputs)


async def enter(page: Page, number: str, value: int) -> None:
    """Enter a number that a blueprint asks for."""
    field = page.locator("ha-settings-row").filter(has=page.get_by_text(number, exact=True))

    async def entered() -> bool:
        await field.get_by_role("spinbutton").fill(str(value))
        return await taken(page, value)

    await until(entered, f"{value} as the {number}")


def row(page: Page, entity: str) -> Locator:
    """Return the line of an entity on the page of its device."""
    name = page.get_by_text(entity, exact=True)
    return page.locator("hui-generic-entity-row").filter(has=name)


async def add_integration(page: Page, home: Home) -> None:
    add = page.get_by_role("button", name="Add integration")
    await go(page, home, "/config/integrations/dashboard", add)
    await add.click()
    await page.get_by_placeholder("Search for a brand name").fill("Age and")
    await page.get_by_text("Age and Gender Counts").click()
    await expect(page.get_by_text("nobody is recognised")).to_be_visible()
    await photograph(page, "notice")
    await page.get_by_text("I have read this notice").first.click()
    await page.get_by_role("button", name="Submit").click()
    await expect(page.get_by_text("Now add the cameras, one by one.")).to_be_visible()
    await photograph(page, "added")
    await page.get_by_role("button", name="Finish").first.click()


async def add_camera(page: Page, home: Home, picture: Path) -> None:
    add = page.get_by_role("button", name="Add camera").first
    await go(page, home, INTEGRATION, add)
    await add.click()
    await choose(page, "Entrance")
    await photograph(page, "camera")
    await page.get_by_role("button", name="Submit").click()
    await expect(page.get_by_text("Faces found: 0")).to_be_visible()
    shutil.copy(SOMEBODY, picture)
    await page.get_by_text("Look again", exact=True).click()
    await expect(page.get_by_text("Faces found: 1")).to_be_visible()
    await photograph(page, "trial")
    await page.get_by_text("Save", exact=True).click()
    await expect(page.get_by_text("Created configuration for Entrance.")).to_be_visible()
    await page.get_by_role("button", name="Finish").first.click()


async def see_counts(page: Page, picture: Path) -> None:
    await closed(page)
    await page.get_by_text("Entrance research").click()
    await expect(row(page, "People in view")).to_contain_text("1")
    await expect(row(page, "Visitors today")).to_contain_text("1")
    await expect(row(page, "Status")).to_contain_text("Counting")
    await page.set_viewport_size({"width": 1280, "height": 1300})
    await photograph(page, "counts")
    await page.set_viewport_size(SIZE)
    shutil.copy(NOBODY, picture)
    await expect(row(page, "People in view")).to_contain_text("0")


async def import_blueprint(page: Page, home: Home) -> None:
    blueprints = web.Application()
    blueprints.router.add_static("/", ROOT / "blueprints" / "automation")
    start = page.get_by_role("button", name="Import blueprint")
    await go(page, home, "/config/blueprint/dashboard", start)
    await start.click()
    dialog = page.locator("ha-dialog-import-blueprint")
    async with TestServer(blueprints) as server:
        address = str(server.make_url(f"/{BLUEPRINT}.yaml"))
        await dialog.get_by_role("textbox", name="Blueprint address").fill(address)
        await dialog.get_by_role("button", name="Preview").click()
        await dialog.get_by_role("textbox", name="Blueprint path").fill(BLUEPRINT)
        await photograph(page, "blueprint")
        await dialog.get_by_role("button", name="Import blueprint").click()
        await closed(page)
    await page.get_by_text("Occupancy above a number").click()


async def automate(page: Page) -> None:
    await choose(page, "People in view")
    await until(lambda: taken(page, "sensor.entrance_people_in_view"), "the count to be taken")
    await enter(page, "Number", 0)
    await enter(page, "Free again below", 1)
    await page.get_by_role("button", name="Add action").first.click()
    dialog = page.locator("add-automation-element-dialog")
    await dialog.get_by_role("textbox").fill("persistent notification")
    await dialog.get_by_text("Create persistent notification").click()
    message = page.locator("ha-service-control").get_by_role("textbox").first
    await message.fill("{{ people }} at the entrance")
    await page.get_by_role("heading", name="Blueprint").scroll_into_view_if_needed()
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_text("Traces")).to_be_visible()
    await photograph(page, "automation")


async def watch_it_fire(page: Page, picture: Path) -> None:
    shutil.copy(SOMEBODY, picture)
    await page.get_by_text("Notifications").first.click()
    await expect(page.get_by_text("1 at the entrance")).to_be_visible()
    await photograph(page, "fired")
    await page.keyboard.press("Escape")


async def pause(page: Page, home: Home) -> None:
    device = page.get_by_text("Entrance research")
    await go(page, home, INTEGRATION, device)
    await device.click()
    await row(page, "Pause").locator("ha-switch").click()
    await expect(row(page, "Status")).to_contain_text("Paused")
    await expect(row(page, "People in view")).to_contain_text("Unknown")
    await expect(row(page, "Visitors today")).to_contain_text("2")
    await photograph(page, "paused")


async def remove(page: Page, home: Home) -> None:
    menu = page.get_by_role("button", name="Overflow menu")
    await go(page, home, "/config/automation/dashboard", menu)
    await menu.click()
    await delete(page, page.get_by_text("Delete", exact=True).locator("visible=true"))
    await expect(page.get_by_text("Start automating")).to_be_visible()

    camera = page.locator("ha-config-sub-entry-row")
    menu = camera.get_by_role("button", name="Menu").first
    await go(page, home, INTEGRATION, menu)
    await menu.click()
    await delete(page, camera.get_by_text("Delete"))
    await expect(camera).to_have_count(0)

    # The page has to be opened again for its count of entities to follow.
    engine = page.locator("ha-config-entry-row")
    menu = engine.get_by_role("button", name="Menu")
    await go(page, home, INTEGRATION, menu)
    await menu.click()
    await photograph(page, "remove")
    await delete(page, engine.get_by_text("Delete"))
    await expect(engine).to_have_count(0)

    await go(page, home, "/config/integrations/dashboard", page.get_by_text("Local file"))
    await expect(page.get_by_text("Age and Gender Counts")).to_have_count(0)
    await photograph(page, "removed")


async def delete(page: Page, item: Locator) -> None:
    """Choose to delete in a menu, and confirm it."""
    await item.first.click()
    await page.get_by_role("button", name="Delete").last.click()


def files(config: Path) -> set[str]:
    return {str(path.relative_to(config)) for path in config.rglob("*") if path.is_file()}


async def live(folder: Path) -> None:
    config, picture = folder / "config", folder / "entrance.png"
    config.mkdir()
    (config / "configuration.yaml").write_text(CONFIGURATION)
    (config / "automations.yaml").write_text("[]\n")
    shutil.copy(NOBODY, picture)
    async with running(config) as home:
        await home.client.run_flow(
            "flow", "local_file", {"name": "Entrance", "file_path": str(picture)}
        )
        for entry in await home.client.call("config_entries/get"):
            if entry["state"] == "setup_error":  # what every new home has, and needs the internet
                await home.client.delete_entry(entry["entry_id"])
        said, kept = (config / "console.log").stat().st_size, files(config)
        async with signed_in(home, "new-user", SIZE) as page:
            await add_integration(page, home)
            await add_camera(page, home, picture)
            await see_counts(page, picture)
            await import_blueprint(page, home)
            await automate(page)
            await watch_it_fire(page, picture)
            await pause(page, home)
            await remove(page, home)

        # Home Assistant hangs up on those who do not listen for so long.
        client = await Client.sign_in(
            home.session, home.url, name=NAME, user=USER, password=PASSWORD
        )
        entities = await client.call("config/entity_registry/list")
        assert not [entity for entity in entities if entity["platform"] == "agegender"]
        assert "agegender" not in json.dumps(await client.call("config/device_registry/list"))
        assert (await client.call("repairs/list_issues"))["issues"] == []
    assert problems(config) == []
    log = (config / "console.log").read_bytes()[said:].decode()
    assert not re.search(r"^\S+ \S+ (ERROR|CRITICAL) ", log, re.MULTILINE), log
    # Home Assistant's own, which it writes when it has time, and the user's blueprint.
    own = re.compile(r"\.storage/(?!agegender).*|home-assistant(_v2\.db|\.log).*")
    left = {path for path in files(config) - kept if not own.fullmatch(path)}
    assert left == {f"blueprints/automation/{BLUEPRINT}.yaml"}
    for name in ("config_entries", "device_registry", "entity_registry"):
        stored = json.loads((config / ".storage" / f"core.{name}").read_text())["data"]
        current = {key: rows for key, rows in stored.items() if not key.startswith("deleted_")}
        assert "agegender" not in json.dumps(current), name


def test_a_new_user_finds_the_way_in_and_out(tmp_path: Path) -> None:
    pytest_socket.enable_socket()
    asyncio.run(live(tmp_path))
