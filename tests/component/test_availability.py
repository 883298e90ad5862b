"""Sensors are unavailable exactly while their camera delivers nothing usable."""

import io
from pathlib import Path

import pytest
from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import EVENT_HOMEASSISTANT_STARTED
from homeassistant.core import CoreState, HomeAssistant
from homeassistant.helpers import entity_registry as er
from PIL import Image

from custom_components.agegender.const import CONF_CAMERA

from .conftest import (
    NOBODY,
    WOMAN,
    AddCamera,
    FileCamera,
    Watch,
    WilfulCamera,
    next_frame,
    our_log,
    settle,
)


def encoded(image: Image.Image, picture_format: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, picture_format, **options)
    return file.getvalue()


def portrait(mode: str = "RGB") -> Image.Image:
    return Image.open(io.BytesIO(WOMAN)).convert(mode)


def sixteen_bit() -> Image.Image:
    grey = portrait("L").convert("I")
    return grey.point(lambda value: value * 257).convert("I;16")


def lying() -> bytes:
    """Stored lying on its side, with the EXIF tag that says so."""
    exif = Image.Exif()
    exif[0x0112] = 6
    return encoded(portrait().transpose(Image.Transpose.ROTATE_90), "JPEG", exif=exif)


def overwritten(picture: bytes, start: int) -> bytes:
    return picture[:start] + bytes(1000) + picture[start + 1000 :]


CORRUPT = overwritten(encoded(portrait(), "JPEG"), 2)
HUGE = encoded(Image.new("L", (10_000, 10_000)), "PNG")


async def test_a_bad_frame_makes_unavailable_and_the_next_good_one_repairs(
    hass: HomeAssistant,
    add_camera: AddCamera,
    watch: Watch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    camera = await add_camera("hall", WOMAN)
    other = await add_camera("garden", WOMAN)
    entry = await watch(camera, other)
    assert camera.available()
    assert our_log(caplog) == []

    def corrupt() -> None:
        camera.show(CORRUPT)

    def empty() -> None:
        camera.show(b"")

    for break_it in (corrupt, empty, camera.path.unlink):
        break_it()
        await next_frame(hass)
        assert not camera.available()
        assert other.available()
        assert entry.state is ConfigEntryState.LOADED

    # One line when it went down, however it stayed down.
    ((level, message),) = our_log(caplog)
    assert level == "ERROR"
    assert "camera.hall delivered a frame that cannot be used" in message

    camera.show(WOMAN)
    await next_frame(hass)
    assert camera.available()
    assert camera.counts()["People in view"] == "1"
    assert our_log(caplog)[1:] == [("INFO", "Fetching camera.hall data recovered")]

    await next_frame(hass)
    assert len(our_log(caplog)) == 2


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        pytest.param(CORRUPT, "its beginning is damaged", id="corrupt jpeg"),
        pytest.param(overwritten(WOMAN, 90_000), "damaged or cut short", id="corrupt png"),
        pytest.param(encoded(portrait(), "JPEG")[:9000], "cut short", id="truncated jpeg"),
        pytest.param(WOMAN[:9000], "cut short", id="truncated png"),
        pytest.param(b"<html>401</html>", "not a picture", id="web page"),
        pytest.param(HUGE, "10000x10000 pixels", id="100 megapixels"),
    ],
)
# Pillow warns of its own limit too, which is above ours.
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
async def test_the_log_says_what_is_wrong_with_a_frame(
    hass: HomeAssistant,
    add_camera: AddCamera,
    watch: Watch,
    caplog: pytest.LogCaptureFixture,
    frame: bytes,
    reason: str,
) -> None:
    camera = await add_camera("hall", frame)
    entry = await watch(camera)

    assert not camera.available()
    ((level, message),) = our_log(caplog)
    assert level == "ERROR"
    assert "camera.hall" in message
    assert reason in message

    camera.show(WOMAN)
    await next_frame(hass)
    assert camera.available()
    assert entry.state is ConfigEntryState.LOADED


@pytest.mark.parametrize(
    "frame",
    [
        pytest.param(encoded(portrait("L"), "JPEG"), id="greyscale jpeg"),
        pytest.param(encoded(portrait("RGBA"), "PNG"), id="rgba png"),
        pytest.param(encoded(sixteen_bit(), "PNG"), id="16-bit png"),
        pytest.param(lying(), id="exif-rotated jpeg"),
        pytest.param(
            encoded(portrait().resize((10_000, 10_000)), "JPEG", quality=50),
            id="100 megapixel jpeg, decoded at reduced scale",
        ),
    ],
)
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
async def test_unusual_frames_are_counted(
    add_camera: AddCamera, watch: Watch, frame: bytes
) -> None:
    camera = await add_camera("hall", frame)
    await watch(camera)

    assert camera.available()
    assert camera.counts()["People in view"] == "1"


async def test_a_camera_that_is_off_is_unavailable_until_it_is_on(
    hass: HomeAssistant,
    wilful: WilfulCamera,
    watch: Watch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    camera = wilful.watched
    await watch(camera)
    assert camera.available()

    wilful.switch(on=False)
    for _ in range(3):
        await next_frame(hass)
        assert not camera.available()
    assert our_log(caplog) == [
        (
            "ERROR",
            "Error fetching camera.hall data: camera.hall delivers no frame: Camera is off",
        )
    ]

    wilful.switch(on=True)
    await next_frame(hass)
    assert camera.available()


@pytest.mark.parametrize("failure", [OSError("no route to host"), ZeroDivisionError("a bug")])
async def test_whatever_a_camera_raises_is_one_line_in_the_log(
    hass: HomeAssistant,
    wilful: WilfulCamera,
    watch: Watch,
    caplog: pytest.LogCaptureFixture,
    failure: Exception,
) -> None:
    camera = wilful.watched
    await watch(camera)

    wilful.failure = failure
    for _ in range(3):
        await next_frame(hass)
        assert not camera.available()
    ((level, message),) = our_log(caplog)
    assert level == "ERROR"
    assert str(failure) in message

    wilful.failure = None
    await next_frame(hass)
    assert camera.available()


async def test_a_removed_camera_is_unavailable_until_it_is_back(
    hass: HomeAssistant, add_camera: AddCamera, watch: Watch
) -> None:
    camera = await add_camera("hall")
    entry = await watch(camera)
    assert camera.available()

    await hass.config_entries.async_remove(camera.entry.entry_id)
    await next_frame(hass)
    assert not camera.available()
    assert entry.state is ConfigEntryState.LOADED

    again = await add_camera("hall")
    assert again.entity_id == camera.entity_id
    await next_frame(hass)
    assert camera.available()


async def test_a_renamed_camera_is_followed(
    hass: HomeAssistant,
    entity_registry: er.EntityRegistry,
    add_camera: AddCamera,
    watch: Watch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    camera = await add_camera("hall")
    other = await add_camera("garden")
    entry = await watch(camera, other)
    ids = set(entry.subentries)

    entity_registry.async_update_entity(camera.entity_id, name="Front door")
    entity_registry.async_update_entity(camera.entity_id, new_entity_id="camera.front_door")
    await settle(hass)
    await next_frame(hass)

    assert camera.available()
    assert other.available()
    assert set(entry.subentries) == ids
    assert {each.data[CONF_CAMERA] for each in entry.subentries.values()} == {
        "camera.front_door",
        "camera.garden",
    }
    assert our_log(caplog) == []


async def test_a_camera_that_was_renamed_while_nobody_listened_is_found(
    hass: HomeAssistant,
    entity_registry: er.EntityRegistry,
    add_camera: AddCamera,
    watch: Watch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    camera = await add_camera("hall")
    entry = await watch(camera)
    (subentry,) = entry.subentries.values()
    await hass.config_entries.async_unload(entry.entry_id)
    entity_registry.async_update_entity(camera.entity_id, new_entity_id="camera.front_door")
    await settle(hass)
    # Another camera that takes the old name is not the one that was chosen.
    await add_camera("hall", NOBODY)
    await hass.config_entries.async_setup(entry.entry_id)
    await settle(hass)

    assert subentry.data[CONF_CAMERA] == "camera.front_door"
    assert camera.counts()["People in view"] == "1"
    assert our_log(caplog) == []


async def test_a_camera_that_came_back_is_followed_again(
    hass: HomeAssistant, entity_registry: er.EntityRegistry, add_camera: AddCamera, watch: Watch
) -> None:
    camera = await add_camera("hall")
    entry = await watch(camera)
    await hass.config_entries.async_remove(camera.entry.entry_id)
    again = await add_camera("hall")  # another one in the registry, of the same name
    await hass.config_entries.async_reload(entry.entry_id)
    await settle(hass)
    assert again.available()

    entity_registry.async_update_entity(again.entity_id, new_entity_id="camera.front_door")
    await settle(hass)
    (subentry,) = entry.subentries.values()
    assert subentry.data[CONF_CAMERA] == "camera.front_door"
    assert again.available()


async def test_a_name_that_was_free_may_be_taken_by_another_camera(
    hass: HomeAssistant, entity_registry: er.EntityRegistry, add_camera: AddCamera, watch: Watch
) -> None:
    hall, shed = await add_camera("hall"), await add_camera("shed")
    entry = await watch(hall, shed)
    await hass.config_entries.async_remove(shed.entry.entry_id)
    entity_registry.async_update_entity(hall.entity_id, new_entity_id=shed.entity_id)
    await settle(hass)

    assert len({each.unique_id for each in entry.subentries.values()}) == 2
    assert hall.available()


async def test_a_camera_that_starts_after_us_is_no_outage(
    hass: HomeAssistant,
    watch: Watch,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    hass.set_state(CoreState.starting)
    camera = FileCamera(hass, tmp_path / "hall.image")
    camera.show(WOMAN)
    await watch(camera)
    await next_frame(hass)
    assert not camera.available()

    await camera.set_up()
    hass.set_state(CoreState.running)
    hass.bus.async_fire(EVENT_HOMEASSISTANT_STARTED)
    await settle(hass)
    assert camera.available()
    assert our_log(caplog) == []
