"""A browser in front of a Home Assistant; when a test fails it tells what it showed."""

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from playwright.async_api import Locator, Page, ViewportSize, async_playwright, expect
from playwright.async_api import TimeoutError as WaitedInVain

from scripts.demo_home.program import PASSWORD, USER
from tests.e2e.home import Home, until
from tests.e2e.program import PATIENCE, ROOT

ARTEFACTS = ROOT / "artefacts"
LOADING = 60
"""Seconds until a page without what it has to show is opened again."""


def chromium() -> str:
    """Return the path of the browser."""
    names = ("chromium", "chromium-browser", "google-chrome")
    path = next(filter(None, map(shutil.which, names)), None)
    assert path, "no Chromium here: install it with `scripts/setup browser`"
    return path


@asynccontextmanager
async def signed_in(home: Home, name: str, size: ViewportSize) -> AsyncIterator[Page]:
    """Open Home Assistant and sign in.

    If the block fails, the page's address and console are added to the error, and its
    picture is kept as NAME-failed.png.
    """
    ARTEFACTS.mkdir(exist_ok=True)
    picture = ARTEFACTS / f"{name}-failed.png"
    picture.unlink(missing_ok=True)
    said: list[str] = []
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium())
        page = await browser.new_page(viewport=size)
        page.set_default_timeout(PATIENCE * 1000)
        expect.set_options(timeout=PATIENCE * 1000)
        page.on("console", lambda message: said.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: said.append(f"uncaught: {error}"))
        try:
            await page.goto(home.url)
            await page.locator("input[name=username]").fill(USER)
            await page.locator("input[name=password]").fill(PASSWORD)
            await page.keyboard.press("Enter")
            await expect(page.locator("ha-sidebar")).to_be_visible()
            yield page
        except Exception as error:
            console = "\n".join(said) or "nothing"
            error.add_note(f"The page was {page.url}; see {picture}. Its console said:\n{console}")
            await page.screenshot(path=picture)
            raise
        finally:
            await browser.close()


async def closed(page: Page) -> None:
    """Wait until no dialog is open: one that closes leads back to the page below it."""
    await page.wait_for_function("!history.state?.dialog")


async def go(page: Page, home: Home, path: str, content: Locator) -> None:
    """Open a page as if its address was typed, until it shows the content.

    It is opened again where it does not, as a user would: the pages of integrations stay
    empty if an entry changes while they wait for their translations.
    """
    await closed(page)

    async def shown() -> bool:
        await page.goto(home.url + path)
        try:
            await content.first.wait_for(timeout=LOADING * 1000)
        except WaitedInVain:
            return False
        # A change that is still to be taken may take it away again.
        await page.evaluate("new Promise(done => setTimeout(done))")
        return await content.first.is_visible()

    await until(shown, f"{content} on {path}")
