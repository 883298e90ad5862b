"""The program of scripts/develop, and a browser in front of it."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.e2e.browser import chromium
from tests.e2e.program import PATIENCE, Program


# Home Assistant's test package gives each test an event loop, and looks after it. Here
# Home Assistant runs outside the test, and the browser's driver has a loop of its own.
@pytest.fixture(autouse=True)
def configure_event_loop() -> None: ...


@pytest.fixture(autouse=True)
def enable_event_loop_debug() -> None: ...


@pytest.fixture(autouse=True)
def verify_cleanup() -> None: ...


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    """The program, with a frame of every camera counted."""
    folder = tmp_path_factory.mktemp("develop")
    program = Program(folder / "config", folder / "demo").start()
    try:
        program.wait_for_counts()
        yield program
    finally:
        if not program.ended:
            program.press_ctrl_c()


@pytest.fixture(scope="module")
def browser_options() -> list[str]:
    """What Chromium is started with."""
    return [
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-quic",
        "--disable-sync",
        "--no-first-run",
    ]


@pytest.fixture(scope="module")
def browser(browser_options: list[str]) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=browser_options)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def dashboard(program: Program, browser: Browser) -> Iterator[Page]:
    """The dashboard, after signing in as the program says."""
    page = browser.new_page(viewport={"width": 1600, "height": 960})
    page.set_default_timeout(PATIENCE * 1000)
    page.goto(program.printed("Dashboard"))
    page.locator("input[name=username]").fill(program.printed("User"))
    page.locator("input[name=password]").fill(program.printed("Password"))
    page.keyboard.press("Enter")
    page.locator("hui-tile-card").first.wait_for()
    yield page
    page.close()
