"""A running Home Assistant with cameras that show files, and the real engine."""

# First of all: the test package ships a `custom_components` that would shadow ours.
import custom_components.agegender  # noqa: F401, I001

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from importlib.resources import files
import io
import json
import logging
from pathlib import Path
import shutil
from time import monotonic
from types import MappingProxyType
from typing import Any, override

from freezegun.api import FrozenDateTimeFactory
from homeassistant.components.camera import Camera
from homeassistant.components.camera.const import DATA_COMPONENT
from homeassistant.config_entries import ConfigSubentry
from homeassistant.const import CONF_FILE_PATH, CONF_NAME, STATE_UNAVAILABLE
from homeassistant.core import HomeAssistant, State
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.helpers import device_registry as dr
from homeassistant.setup import async_setup_component
from homeassistant.util import dt as dt_util, slugify
from PIL import Image
import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_fire_time_changed,
)

from custom_components.agegender import coordinator, worker
from custom_components.agegender.config_flow import AgeGenderConfigFlow
from custom_components.agegender.const import (
    CONF_AGE_BANDS,
    CONF_CAMERA,
    CONF_CROWD,
    CONF_INTERVAL,
    CONF_MIN_FACE_SIZE,
    CONF_MOTION_SECONDS,
    CONF_NOISE,
    CONF_PRIVACY,
    CONF_REGION,
    CONF_RUNTIME,
    CONF_SENSITIVITY,
    CONF_WINDOW,
    DOMAIN,
    SUBENTRY_CAMERA,
)
from custom_components.agegender.vision.engine import BUNDLED_MODEL

INTERVAL = 60  # seconds; far longer than any test takes
HOME = {CONF_PRIVACY: "home", CONF_AGE_BANDS: "household", CONF_RUNTIME: "numpy"}
PUBLIC = {
    **HOME,
    CONF_PRIVACY: "public",
    CONF_WINDOW: 15,
    CONF_CROWD: 5,
    CONF_NOISE: "off",
}


def picture(package: str, *path: str) -> bytes:
    return files(package).joinpath(*path).read_bytes()


WOMAN = picture("skimage", "data", "astronaut.png")
OLDER_WOMAN = picture("matplotlib", "mpl-data", "sample_data", "grace_hopper.jpg")
NOBODY = picture("skimage", "data", "coffee.png")


def side_by_side(*pictures: bytes) -> bytes:
    """One picture of several, three in a row."""
    side = 512
    rows = -(-len(pictures) // 3)
    group = Image.new("RGB", (side * min(3, len(pictures)), side * rows))
    for index, content in enumerate(pictures):
        portrait = Image.open(io.BytesIO(content)).convert("RGB")
        portrait.thumbnail((side, side))
        group.paste(portrait, (side * (index % 3), side * (index // 3)))
    file = io.BytesIO()
    group.save(file, "PNG", compress_level=1)
    return file.getvalue()


@pytest.fixture(scope="session")
def children() -> bytes:
    """A photograph of a group of children."""
    photo = Path(__file__).parents[3] / "shared/data/detection/groups/wt_9.jpg"
    if not photo.exists():
        pytest.skip("needs the photographs of ../shared/data, which are not part of the project")
    return photo.read_bytes()


class FileCamera:
    """A `local_file` camera; what it shows is what the file holds."""

    def __init__(self, hass: HomeAssistant, path: Path) -> None:
        self._hass = hass
        self.path = path
        self.name = path.stem.replace("_", " ").title()
        self.entity_id = f"camera.{path.stem}"
        self.entry = MockConfigEntry(
            domain="local_file",
            title=self.name,
            options={CONF_NAME: self.name, CONF_FILE_PATH: str(path)},
        )

    async def set_up(self) -> None:
        self.entry.add_to_hass(self._hass)
        assert await self._hass.config_entries.async_setup(self.entry.entry_id)
        await self._hass.async_block_till_done()

    def show(self, content: bytes) -> None:
        self.path.write_bytes(content)

    def sensor(self, name: str) -> str:
        """The entity id of a sensor of ours."""
        return f"sensor.{self.path.stem}_{slugify(name)}"

    def device_id(self) -> str:
        """The id of our device for this camera."""
        registry = dr.async_get(self._hass)
        (device,) = [
            device
            for entry in self._hass.config_entries.async_entries(DOMAIN)
            for device in dr.async_entries_for_config_entry(registry, entry.entry_id)
            if device.name == self.name
        ]
        return device.id

    def states(self) -> dict[str, State]:
        """The states of our entities of this camera that need a frame, by entity name."""
        prefix = f"{self.name} "
        return {
            state.name.removeprefix(prefix): state
            for state in self._hass.states.async_all(("sensor", "binary_sensor"))
            if state.name.startswith(prefix) and state.name != f"{prefix}Status"
        }

    def counts(self) -> dict[str, str]:
        """What our entities of this camera show, by entity name."""
        return {name: state.state for name, state in self.states().items()}

    def status(self) -> str:
        """What the camera is doing; told whether or not it delivers a frame."""
        state = self._hass.states.get(self.sensor("Status"))
        assert state is not None
        return state.state

    async def pause(self, *, on: bool) -> None:
        await self._hass.services.async_call(
            "switch",
            "turn_on" if on else "turn_off",
            {"entity_id": f"switch.{self.path.stem}_pause"},
            blocking=True,
        )
        await settle(self._hass)

    def available(self) -> bool:
        states = set(self.counts().values())
        # All of them, always: half a camera cannot be available.
        assert states
        assert STATE_UNAVAILABLE not in states or states == {STATE_UNAVAILABLE}
        return STATE_UNAVAILABLE not in states


class WilfulCamera(Camera):
    """A camera that shows, fails, takes its time or is off as a test wants."""

    def __init__(self, watched: FileCamera) -> None:
        super().__init__()
        self.watched = watched
        self._attr_name = watched.name
        self.frame = WOMAN
        self.failure: Exception | None = None
        self.delivers = asyncio.Event()
        self.delivers.set()
        self.requests = 0

    @override
    async def async_camera_image(
        self, width: int | None = None, height: int | None = None
    ) -> bytes | None:
        self.requests += 1
        await self.delivers.wait()
        if self.failure:
            raise self.failure
        return self.frame

    def switch(self, *, on: bool) -> None:
        self._attr_is_on = on
        self.async_write_ha_state()


PATIENCE = 3600  # seconds; far longer than any test takes


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give a camera more time to answer than passes on the slowest machine."""
    monkeypatch.setattr(coordinator, "FRAME_TIMEOUT", PATIENCE)


type AddCamera = Callable[..., Awaitable[FileCamera]]
type Watch = Callable[..., Awaitable[MockConfigEntry]]


@pytest.fixture
def hass_config_dir(hass_tmp_config_dir: str) -> str:
    return hass_tmp_config_dir


@pytest.fixture(autouse=True)
def _integration(enable_custom_integrations: None) -> None:
    pass


@pytest.fixture
def add_camera(hass: HomeAssistant, tmp_path: Path) -> AddCamera:
    """Add a camera that shows a picture to Home Assistant."""

    async def add(name: str = "hall", content: bytes = WOMAN) -> FileCamera:
        camera = FileCamera(hass, tmp_path / f"{name}.image")
        camera.show(content)
        await camera.set_up()
        return camera

    return add


@pytest.fixture
async def wilful(hass: HomeAssistant, add_camera: AddCamera) -> WilfulCamera:
    await add_camera("other")  # sets up the camera platform
    camera = WilfulCamera(FileCamera(hass, Path("hall.image")))
    await hass.data[DATA_COMPONENT].async_add_entities([camera])
    assert camera.entity_id == camera.watched.entity_id
    return camera


def as_subentry(camera: FileCamera, interval: float = INTERVAL, **settings: Any) -> ConfigSubentry:
    """A camera's subentry as the flow makes it, before it is known whether it is registered."""
    return ConfigSubentry(
        data=MappingProxyType(
            {
                CONF_CAMERA: camera.entity_id,
                CONF_INTERVAL: interval,
                CONF_MOTION_SECONDS: 30,
                CONF_MIN_FACE_SIZE: 40,
                CONF_REGION: [0.0, 0.0, 1.0, 1.0],
                CONF_SENSITIVITY: "medium",
                **settings,
            }
        ),
        subentry_type=SUBENTRY_CAMERA,
        title=camera.name,
        unique_id=camera.entity_id,
    )


@pytest.fixture
def watch(hass: HomeAssistant) -> Watch:
    """Set up the integration on cameras and wait for their first frames."""

    async def start(
        *cameras: FileCamera,
        engine: Mapping[str, Any] = HOME,
        interval: float = INTERVAL,
        wait: bool = True,
        **settings: Any,
    ) -> MockConfigEntry:
        entry = MockConfigEntry(
            domain=DOMAIN,
            version=AgeGenderConfigFlow.VERSION,
            minor_version=AgeGenderConfigFlow.MINOR_VERSION,
            data=engine,
            subentries_data=[
                as_subentry(camera, interval, **settings).as_dict() for camera in cameras
            ],
        )
        entry.add_to_hass(hass)
        await hass.config_entries.async_setup(entry.entry_id)
        await hass.async_block_till_done(wait_background_tasks=wait)
        return entry

    return start


type Fix = Callable[..., Awaitable[str | None]]


@pytest.fixture
def fix(hass: HomeAssistant) -> Fix:
    """Go through the fix flow of a repair issue, as the user interface does.

    Returns the reason that the flow was aborted for, None if it put the issue right.
    """

    async def go(issue_id: str, choice: str | None = None) -> str | None:
        assert await async_setup_component(hass, "repairs", {})
        flows = hass.data["repairs"]["flow_manager"]
        shown = await flows.async_init(DOMAIN, context={"issue_id": issue_id})
        if choice is None:
            assert shown["type"] is FlowResultType.FORM
            answer: dict[str, str] = {}
        else:
            assert shown["type"] is FlowResultType.MENU
            assert choice in shown["menu_options"]
            answer = {"next_step_id": choice}
        assert shown["description_placeholders"]
        done = await flows.async_configure(shown["flow_id"], answer)
        await settle(hass)
        if done["type"] is FlowResultType.ABORT:
            return str(done["reason"])
        assert done["type"] is FlowResultType.CREATE_ENTRY
        return None

    return go


async def settle(hass: HomeAssistant) -> None:
    """Wait until every frame in hand is counted."""
    await hass.async_block_till_done(wait_background_tasks=True)


class Clock:
    """The clock by which people are followed; it can be put forward."""

    ahead = 0.0

    def __call__(self) -> float:
        return monotonic() + self.ahead


CLOCK = Clock()


@pytest.fixture(autouse=True)
def _clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "monotonic", CLOCK)


async def next_frame(hass: HomeAssistant, seconds: float = INTERVAL) -> None:
    """Let time pass until every camera was asked again."""
    CLOCK.ahead += seconds
    async_fire_time_changed(hass, dt_util.utcnow() + timedelta(seconds=seconds))
    await settle(hass)


type PassTime = Callable[[float], Awaitable[None]]


@pytest.fixture
async def pass_time(hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> PassTime:
    """Let so many seconds pass on all clocks; it is 10:00:30 in Berlin on an ordinary day."""
    await hass.config.async_set_time_zone("Europe/Berlin")
    freezer.move_to("2026-06-15 08:00:30+00:00")

    async def tick(seconds: float) -> None:
        CLOCK.ahead += seconds
        freezer.tick(seconds)
        async_fire_time_changed(hass)
        await settle(hass)

    return tick


def our_log(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    """Level and message of what the integration logged for users."""
    return [
        (record.levelname, record.getMessage())
        for record in caplog.records
        if record.name.startswith("custom_components.agegender") and record.levelno >= logging.INFO
    ]


@pytest.fixture
def model_folder(hass: HomeAssistant, tmp_path: Path) -> Path:
    """A copy of the bundled model, to be damaged, where Home Assistant may read."""
    hass.config.allowlist_external_dirs.add(str(tmp_path))
    return Path(shutil.copytree(BUNDLED_MODEL, tmp_path / "model"))


type Damage = Callable[[Path], object]


def _newer_format(folder: Path) -> None:
    description = folder / "model.json"
    content = json.loads(description.read_text())
    description.write_text(json.dumps({**content, "format": 99}))


def _one_bit(folder: Path) -> None:
    weights = folder / "weights.npz"
    content = bytearray(weights.read_bytes())
    content[len(content) // 2] ^= 1
    weights.write_bytes(content)


DAMAGES = [
    pytest.param(shutil.rmtree, "model.json is missing", id="no folder"),
    pytest.param(
        lambda folder: (folder / "weights.npz").unlink(),
        "weights.npz is missing",
        id="missing file",
    ),
    pytest.param(_one_bit, "weights.npz is not the file that", id="wrong hash"),
    pytest.param(_newer_format, "model.json has format 99", id="wrong version"),
]
