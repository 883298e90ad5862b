"""`agegender demo`, as a visitor meets it in the browser."""

import base64
import io
import os
import re
import shutil
import subprocess
import sys
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib as mpl
import pytest
import skimage.data
from PIL import Image, ImageFilter
from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, Request, expect

from tests.e2e.home import CLIP, film
from tests.e2e.program import ROOT
from tests.e2e.tracing import OPTIONS, SEND, calls, written

ARTEFACTS = ROOT / "artefacts"
ASTRONAUT = Path(skimage.data.__file__).with_name("astronaut.png")
NO_FACE = Path(skimage.data.__file__).with_name("coffee.png")
HOPPER = Path(mpl.get_data_path()) / "sample_data" / "grace_hopper.jpg"
PATIENCE = 60_000
"""Milliseconds; a slow machine that runs other tests beside needs some."""

GENDER = re.compile(r"Looks (fe)?male, \d\d % sure|Female or male: cannot tell")

expect.set_options(timeout=PATIENCE)


@contextmanager
def running(*before: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Start the demo, and yield where it is."""
    command = [*before, sys.executable, "-u", "-m", "trainer", "demo", "--port", "0"]
    environment = os.environ | {"PYTHONPATH": f"{ROOT}:{ROOT / 'src'}"}
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment | {"OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout
        said = process.stdout.readline()
        address = re.search(r"http://\S+/", said)
        assert address, said + process.stdout.read()
        # What else it says is thrown away, so that it never has to wait for us.
        threading.Thread(target=process.stdout.read, daemon=True).start()
        try:
            yield address[0], process
        finally:
            process.terminate()
            process.wait(30)


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with running() as (address, _):
        yield address


@pytest.fixture(scope="module")
def browser_options(
    browser_options: list[str], tmp_path_factory: pytest.TempPathFactory
) -> list[str]:
    """A camera that plays a film."""
    path = tmp_path_factory.mktemp("camera") / "film.mjpeg"
    with path.open("wb") as file:
        for frame in film():
            Image.fromarray(frame).save(file, "JPEG", quality=90)
    return [
        *browser_options,
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-video-capture={path}",
    ]


Open = Callable[..., Page]


@pytest.fixture
def visit(browser: Browser, address: str) -> Iterator[Open]:
    """Open the page, in a browser session of its own."""
    contexts = []
    foreign: list[str] = []
    violations: list[str] = []

    def seen(request: Request) -> None:
        if not request.url.startswith((address, f"blob:{address}")):
            foreign.append(request.url)

    def logged(message: ConsoleMessage) -> None:
        if "Content Security Policy" in message.text:
            violations.append(message.text)

    def visit(*, camera: bool = True, **options: Any) -> Page:
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 860}} | options)
        contexts.append(context)
        if camera:
            context.grant_permissions(["camera"], origin=address)
        page = context.new_page()
        page.set_default_timeout(PATIENCE)
        page.on("request", seen)
        page.on("console", logged)
        page.on("pageerror", lambda error: violations.append(str(error)))
        page.goto(address)
        return page

    yield visit
    for context in contexts:
        context.close()
    assert foreign == []
    assert violations == []


@pytest.fixture(scope="module")
def couple(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eileen Collins and Grace Hopper side by side."""
    both = Image.new("RGB", (1024, 512))
    both.paste(Image.open(ASTRONAUT), (0, 0))
    both.paste(Image.open(HOPPER), (512, 0))
    path = tmp_path_factory.mktemp("photos") / "couple.jpg"
    both.save(path, quality=92)
    return path


def choose(page: Page, photo: Path) -> None:
    page.get_by_label("Choose a photo").set_input_files(photo)


def faces(page: Page) -> Locator:
    return page.get_by_role("listitem")


def heading(page: Page) -> Locator:
    return page.locator("#heading")


def problem(page: Page) -> Locator:
    return page.get_by_role("alert")


def test_a_photo_of_two(visit: Open, couple: Path) -> None:
    page = visit()
    choose(page, couple)
    expect(heading(page)).to_have_text("2 faces found")
    expect(faces(page)).to_have_count(2)
    for face, (youngest, oldest) in zip(faces(page).all(), ((15, 60), (45, 99)), strict=True):
        match = re.search(r"Looks (\d+) to (\d+)", face.inner_text())
        assert match
        assert youngest <= int(match[1]) < int(match[2]) <= oldest
        expect(face).to_contain_text(GENDER)
    left, right = (box.bounding_box() for box in page.locator(".box").all())
    picture = page.get_by_role("img", name="Your photo").bounding_box()
    assert left
    assert right
    assert picture
    # Where the faces are in the picture, as it is shown.
    assert left["x"] - picture["x"] == pytest.approx(0.18 * picture["width"], abs=15)
    assert right["x"] - picture["x"] == pytest.approx(0.68 * picture["width"], abs=15)


def test_a_photo_taken_sideways_is_shown_and_looked_at_upright(visit: Open, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    sideways = Image.open(ASTRONAUT).crop((0, 0, 512, 400)).transpose(Image.Transpose.ROTATE_90)
    sideways.convert("RGB").save(tmp_path / "sideways.jpg", exif=exif, quality=95)
    page = visit()
    choose(page, tmp_path / "sideways.jpg")
    expect(heading(page)).to_have_text("1 face found")
    picture = page.get_by_role("img", name="Your photo").bounding_box()
    box = page.locator(".box").bounding_box()
    assert picture
    assert box
    assert picture["width"] > picture["height"]
    assert (box["x"] + box["width"] / 2 - picture["x"]) / picture["width"] == pytest.approx(
        0.44, abs=0.04
    )
    assert (box["y"] + box["height"] / 2 - picture["y"]) / picture["height"] == pytest.approx(
        0.29, abs=0.06
    )


def test_nobody_is_said_to_be_nobody(visit: Open) -> None:
    page = visit()
    choose(page, NO_FACE)
    expect(heading(page)).to_have_text("No faces found")
    expect(page.get_by_role("status")).to_contain_text("well lit and turned to the camera")
    expect(faces(page)).to_have_count(0)


def test_a_face_that_shows_too_little_is_said_to(visit: Open, tmp_path: Path) -> None:
    blurred = Image.open(ASTRONAUT).filter(ImageFilter.GaussianBlur(5))
    blurred.crop((100, 0, 400, 300)).save(tmp_path / "blurred.png")
    page = visit()
    choose(page, tmp_path / "blurred.png")
    expect(heading(page)).to_have_text("1 face found")
    expect(faces(page)).to_have_text(re.compile(r"Cannot tell\s*The face is too blurred"))
    expect(page.get_by_role("status")).to_contain_text("Face 1: cannot tell, the face is too")
    page.screenshot(path=ARTEFACTS / "demo-unclear.png")


@pytest.mark.parametrize("way", ["drop", "paste"])
def test_a_photo_dropped_or_pasted(visit: Open, way: str) -> None:
    page = visit()
    page.evaluate(
        """([way, data]) => {
            const bytes = Uint8Array.from(atob(data), (c) => c.charCodeAt(0));
            const transfer = new DataTransfer();
            transfer.items.add(new File([bytes], "hopper.jpg", { type: "image/jpeg" }));
            document.body.dispatchEvent(way === "drop"
                ? new DragEvent("drop", { dataTransfer: transfer, bubbles: true })
                : new ClipboardEvent("paste", { clipboardData: transfer, bubbles: true }));
        }""",
        [way, base64.b64encode(HOPPER.read_bytes()).decode()],
    )
    expect(heading(page)).to_have_text("1 face found")


def test_a_dropped_address_is_not_opened(visit: Open) -> None:
    page = visit()
    page.evaluate(
        """() => {
            const transfer = new DataTransfer();
            transfer.setData("text/uri-list", "http://evil.example/face.jpg");
            document.body.dispatchEvent(
                new DragEvent("drop", { dataTransfer: transfer, bubbles: true }));
        }"""
    )
    expect(problem(page)).to_contain_text("That was an address, not a file")


def text(tmp_path: Path) -> Path:
    (tmp_path / "notes.txt").write_text("no picture")
    return tmp_path / "notes.txt"


def truncated(tmp_path: Path) -> Path:
    (tmp_path / "half.jpg").write_bytes(HOPPER.read_bytes()[:20_000])
    return tmp_path / "half.jpg"


def enormous_file(tmp_path: Path) -> Path:
    with (tmp_path / "film.jpg").open("wb") as file:
        file.truncate(2_000_000_000)
    return tmp_path / "film.jpg"


def enormous_picture(tmp_path: Path) -> Path:
    """30,000 pixels wide and high; a grey picture needs one byte for each."""
    line = Image.new("1", (30_000, 1_000))
    whole = io.BytesIO()
    line.save(whole, "PNG")
    data = bytearray(whole.getvalue())
    header = data.index(b"IHDR")
    data[header + 8 : header + 12] = (30_000).to_bytes(4, "big")
    data[header + 17 : header + 21] = zlib.crc32(data[header : header + 17]).to_bytes(4, "big")
    (tmp_path / "map.png").write_bytes(data)
    return tmp_path / "map.png"


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (text, "This is not a picture that the demo can read."),
        (truncated, "The picture is damaged or cut short."),
        (enormous_file, "The file is larger than 20 MB."),
        (enormous_picture, "The picture has too many pixels"),
    ],
)
def test_what_cannot_be_looked_at_is_explained(
    visit: Open, tmp_path: Path, make: Callable[[Path], Path], said: str
) -> None:
    page = visit()
    choose(page, make(tmp_path))
    expect(problem(page)).to_contain_text(said)
    expect(page.get_by_role("img", name="Your photo")).to_be_hidden()
    choose(page, HOPPER)
    expect(heading(page)).to_have_text("1 face found")
    expect(problem(page)).to_be_empty()


def test_the_camera(visit: Open) -> None:
    page = visit()
    page.get_by_role("button", name="Use the camera").click()
    expect(faces(page)).to_have_count(3 if CLIP.exists() else 1)
    expect(page.get_by_role("img", name="Your camera")).to_be_visible()
    expect(page.get_by_role("status")).to_contain_text(re.compile(r"faces? found\. Face 1: looks"))
    page.get_by_role("button", name="Stop the camera").click()
    expect(page.get_by_role("img", name="Your camera")).to_be_hidden()
    expect(heading(page)).to_have_text("No picture yet")


def test_the_camera_is_refused(visit: Open) -> None:
    page = visit(camera=False)
    page.get_by_role("button", name="Use the camera").click()
    expect(problem(page)).to_contain_text("The browser did not allow the camera.")
    choose(page, HOPPER)
    expect(heading(page)).to_have_text("1 face found")


def test_there_is_no_camera(visit: Open) -> None:
    page = visit()
    page.evaluate(
        """() => {
            navigator.mediaDevices.getUserMedia = async () => {
                throw new DOMException("", "NotFoundError");
            };
        }"""
    )
    page.get_by_role("button", name="Use the camera").click()
    expect(problem(page)).to_contain_text("No camera was found.")


def test_the_camera_is_unplugged(visit: Open) -> None:
    page = visit()
    page.evaluate(
        """() => {
            const devices = navigator.mediaDevices;
            const open = devices.getUserMedia.bind(devices);
            devices.getUserMedia = async (wanted) => (window.opened = await open(wanted));
        }"""
    )
    page.get_by_role("button", name="Use the camera").click()
    expect(page.get_by_role("img", name="Your camera")).to_be_visible()
    page.evaluate("window.opened.getTracks().forEach((track) => track.stop())")
    expect(problem(page)).to_contain_text("The camera was unplugged or switched off.")
    page.get_by_role("button", name="Use the camera").click()
    expect(page.get_by_role("img", name="Your camera")).to_be_visible()
    expect(problem(page)).to_be_empty()


def test_two_visitors_at_once(visit: Open, couple: Path) -> None:
    one, other = visit(), visit()
    one.get_by_role("button", name="Use the camera").click()
    expect(one.get_by_role("img", name="Your camera")).to_be_visible()
    for photo, found in ((couple, "2 faces found"), (HOPPER, "1 face found")):
        choose(other, photo)
        expect(heading(other)).to_have_text(found)
    expect(faces(one)).to_have_count(3 if CLIP.exists() else 1)


def test_the_demo_ends_while_the_page_is_open(browser: Browser) -> None:
    with running() as (address, process):
        page = browser.new_page()
        page.goto(address)
        process.terminate()
        process.wait(30)
        choose(page, HOPPER)
        expect(problem(page)).to_contain_text("The demo does not answer any more.")
        page.close()


def test_by_keyboard_alone(visit: Open) -> None:
    page = visit()
    page.on("filechooser", lambda _: None)  # asks for the event before it can be missed
    page.keyboard.press("Tab")
    file = page.get_by_label("Choose a photo")
    expect(file).to_be_focused()
    label = page.get_by_text("Choose a photo", exact=True)
    assert label.evaluate("label => getComputedStyle(label).outlineStyle") == "solid"
    with page.expect_file_chooser() as chooser:
        page.keyboard.press("Space")
    chooser.value.set_files(HOPPER)
    expect(heading(page)).to_have_text("1 face found")
    page.keyboard.press("Tab")
    switch = page.get_by_role("button", name="Use the camera")
    expect(switch).to_be_focused()
    assert switch.evaluate("button => getComputedStyle(button).outlineStyle") == "solid"
    page.keyboard.press("Space")
    expect(page.get_by_role("img", name="Your camera")).to_be_visible()
    page.keyboard.press("Space")
    expect(page.get_by_role("img", name="Your camera")).to_be_hidden()


def test_what_a_screen_reader_is_told(visit: Open) -> None:
    page = visit()
    body = page.locator("body")
    expect(body).to_match_aria_snapshot(
        """
        - banner:
          - heading "agegender demo" [level=1]
        - main:
          - region "Picture":
            - paragraph:
              - strong: Drop a photo here
              - text: ", or paste one."
            - alert
            - button "Choose a photo"
            - button "Use the camera"
          - region "No picture yet":
            - heading "No picture yet" [level=2]
            - list
            - status
        - contentinfo:
          - heading "What the numbers are" [level=2]
          - heading "What they are not" [level=2]
          - heading "Where the picture goes" [level=2]
        """
    )
    choose(page, HOPPER)
    expect(body).to_match_aria_snapshot(
        r"""
        - main:
          - region "Picture":
            - img "Your photo, with the faces found marked"
          - region "1 face found":
            - heading "1 face found" [level=2]
            - list:
              - listitem:
                - heading "Face 1" [level=3]
                - strong: /Looks \d+ to \d+/
                - text: /Looks (fe)?male, \d\d % sure|cannot tell/
            - status: "/1 face found\\. Face 1: looks \\d+ to \\d+, (looks|female)/"
        """
    )


CONTRASTS = """() => {
    const parse = (colour) => colour.match(/[\\d.]+/g).map(Number);
    const light = ([r, g, b]) => [r, g, b].map((v) => v / 255)
        .map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
        .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
    const ground = (node) => {
        for (; node; node = node.parentElement) {
            const colour = parse(getComputedStyle(node).backgroundColor);
            if (colour.length === 3 || colour[3] === 1) return colour;
        }
    };
    const speaks = (node) => [...node.childNodes].some((c) => c.nodeType === 3 && c.data.trim());
    return [...document.body.querySelectorAll("*")]
        .filter((node) => speaks(node) && node.checkVisibility() && node.tagName !== "NOSCRIPT")
        .map((node) => {
            const [a, b] = [parse(getComputedStyle(node).color), ground(node)].map(light);
            const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
            return [node.textContent.trim().slice(0, 40), contrast];
        });
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_word_can_be_read(visit: Open, couple: Path, tmp_path: Path, scheme: str) -> None:
    page = visit(color_scheme=scheme)
    measured = page.evaluate(CONTRASTS)
    choose(page, couple)
    expect(faces(page)).to_have_count(2)
    measured += page.evaluate(CONTRASTS)
    choose(page, text(tmp_path))
    expect(problem(page)).not_to_be_empty()
    measured += page.evaluate(CONTRASTS)
    assert len(measured) > 50
    assert [said for said in measured if said[1] < 4.5] == []  # WCAG's AA


def test_on_a_telephone(visit: Open, couple: Path, tmp_path: Path) -> None:
    page = visit(
        viewport={"width": 390, "height": 844},
        device_scale_factor=2,
        has_touch=True,
        is_mobile=True,
    )
    ARTEFACTS.mkdir(exist_ok=True)

    def fits() -> bool:
        return bool(page.evaluate("document.documentElement.scrollWidth <= 390"))

    assert fits()
    page.screenshot(path=ARTEFACTS / "demo-telephone-empty.png", full_page=True)
    for control in ("Choose a photo", "Use the camera"):
        size = page.get_by_text(control, exact=True).bounding_box()
        assert size
        assert size["height"] >= 44
    choose(page, couple)
    expect(faces(page)).to_have_count(2)
    assert fits()
    page.screenshot(path=ARTEFACTS / "demo-telephone.png", full_page=True)
    choose(page, text(tmp_path))
    expect(problem(page)).not_to_be_empty()
    assert fits()


def test_screenshot(visit: Open, couple: Path) -> None:
    page = visit(viewport={"width": 1280, "height": 760})
    choose(page, couple)
    expect(faces(page)).to_have_count(2)
    ARTEFACTS.mkdir(exist_ok=True)
    page.screenshot(path=ARTEFACTS / "demo.png")


def test_nothing_is_stored_or_sent_elsewhere(browser: Browser, tmp_path: Path) -> None:
    strace = shutil.which("strace")
    if not strace or subprocess.run([strace, "true"], capture_output=True, check=False).returncode:
        pytest.skip("strace is not here, or may not trace: this test watches system calls")
    trace = tmp_path / "trace"
    with running(strace, *OPTIONS, f"--output={trace}") as (address, process):
        context = browser.new_context()
        for photo, status in ((HOPPER, 200), (NO_FACE, 200), (truncated(tmp_path), 422)):
            answer = context.request.post(f"{address}look", data=photo.read_bytes(), timeout=0)
            assert answer.status == status
        context.close()
        traced_until_now = list(calls(trace))
        assert process.poll() is None
    port = int(address.rsplit(":", 1)[1].strip("/"))
    assert {path for path in written(traced_until_now) if path != os.devnull} == set()
    answered = [call for call in traced_until_now if call.name in SEND]
    assert any(f"TCP:[127.0.0.1:{port}->" in call.arguments for call in answered)
    elsewhere = [
        call
        for call in answered
        if f"TCP:[127.0.0.1:{port}->" not in call.arguments
        and not call.descriptor.startswith(("UNIX-STREAM:[", "NETLINK:"))
    ]
    assert elsewhere == []
