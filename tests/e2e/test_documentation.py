"""The documentation as `scripts/docs` builds it, read in a browser."""

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, override
from urllib.parse import unquote, urldefrag, urlsplit

import pytest
from playwright.sync_api import Browser, expect

from tests.e2e.program import ROOT

ARTEFACTS = ROOT / "artefacts"
DOCS = ROOT / "docs"
SITE = ROOT / "build" / "site"


class Links(HTMLParser):
    """What a page links to or loads, and where it can be linked to."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.targets: set[str] = set()
        self.anchors: set[str] = set()
        self.feed(path.read_text("utf-8"))

    @override
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value for name, value in attrs if value}
        self.anchors.update(given[name] for name in ("id", "name") if name in given)
        if given.get("rel") != "canonical":
            self.targets.update(given[name] for name in ("href", "src") if name in given)


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    """The address of the site, built strictly."""
    build = subprocess.run([ROOT / "scripts" / "docs"], capture_output=True, text=True, check=False)
    assert build.returncode == 0, build.stdout + build.stderr
    command = [sys.executable, "-u", "-m", "http.server", "0", "--bind", "127.0.0.1"]
    with subprocess.Popen(
        [*command, "--directory", SITE],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as server:
        assert server.stdout
        address = re.search(r"http://\S+/", server.stdout.readline())
        assert address
        yield address[0]
        server.terminate()


def navigation(entries: list[Any]) -> Iterator[str]:
    """Yield the files of the pages in a navigation, at any depth."""
    for entry in entries:
        if isinstance(entry, str):
            yield entry
        else:
            (inside,) = entry.values()
            yield from navigation(inside if isinstance(inside, list) else [inside])


@pytest.mark.usefixtures("site")  # one of the pages is made when it is built
def test_every_page_is_in_the_navigation() -> None:
    settings = tomllib.loads((ROOT / "zensical.toml").read_text("utf-8"))
    pages = (str(page.relative_to(DOCS)) for page in DOCS.rglob("*.md"))
    assert sorted(navigation(settings["project"]["nav"])) == sorted(pages)


@pytest.mark.usefixtures("site")
def test_every_link_within_the_site_leads_somewhere() -> None:
    pages = {page: Links(page) for page in SITE.rglob("*.html") if page.name != "404.html"}
    broken = []
    for page, links in pages.items():
        for target in links.targets:
            if urlsplit(target).scheme:
                continue
            path, fragment = urldefrag(target)
            file = (page.parent / unquote(path)).resolve() if path else page
            file = file / "index.html" if file.is_dir() else file
            anchors = pages[file].anchors if file in pages else {fragment}
            if not file.is_file() or (fragment and unquote(fragment) not in anchors):
                broken.append(f"{page.relative_to(SITE)}: {target}")
    assert not broken


def test_reading_and_searching_fetches_nothing_from_elsewhere(browser: Browser, site: str) -> None:
    page = browser.new_page()
    requested: list[str] = []
    page.on("request", lambda request: requested.append(request.url))
    failures: list[str] = []
    page.on("console", lambda said: failures.append(said.text) if said.type == "error" else None)

    for path in ("", "how-it-works/", "commands/", "reference/vision/"):
        page.goto(site + path, wait_until="networkidle")
    page.get_by_role("button", name="Search").click()
    page.get_by_role("combobox").fill("contributing")
    expect(page.get_by_role("option").first).to_contain_text("Contributing")
    page.close()

    assert not failures
    assert not [url for url in requested if not url.startswith((site, "data:", "blob:"))]


@pytest.mark.parametrize(
    ("device", "width", "height", "scheme"),
    [("desktop", 1400, 1000, "light"), ("phone", 390, 844, "dark")],
)
def test_pages_fit_the_screen(
    browser: Browser, site: str, device: str, width: int, height: int, scheme: Any
) -> None:
    page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
    for path in ("", "how-it-works/", "configuration/", "commands/", "models/research/"):
        page.goto(site + path)
        wide = "document.documentElement.scrollWidth"
        assert page.evaluate(wide) <= width, f"{path} can be scrolled sideways"
    page.goto(site)
    ARTEFACTS.mkdir(exist_ok=True)
    page.screenshot(path=ARTEFACTS / f"documentation-{device}.png")
    page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_data_flow_is_drawn_for_the_colour_scheme(
    browser: Browser, site: str, scheme: Any
) -> None:
    page = browser.new_page(color_scheme=scheme)
    page.goto(f"{site}how-it-works/")
    picture = page.locator("article img:visible")
    expect(picture).to_have_count(1)
    expect(picture).to_have_attribute("src", re.compile(f"flow-{scheme}"))
    page.close()
