"""Whatever is entered or stored, Home Assistant counts or says why not, and logs no traceback."""

import json
import logging
from pathlib import Path
from types import MappingProxyType
from typing import Any

import orjson
import pytest
from homeassistant.config_entries import SOURCE_USER, ConfigEntryState, ConfigSubentryDataWithId
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType, InvalidData
from homeassistant.exceptions import ConfigEntryError
from homeassistant.util import dt as dt_util
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.agegender.config_flow import AgeGenderConfigFlow
from custom_components.agegender.const import CONF_ACKNOWLEDGED, DOMAIN, SUBENTRY_CAMERA
from custom_components.agegender.vision.census import AgeBands
from custom_components.agegender.vision.privacy import Home

from ..damage import damaged, distorted
from .conftest import HOME, PUBLIC, settle

pytestmark = pytest.mark.fuzz

FEW = settings(
    max_examples=settings().max_examples // 3,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
"""The engine is loaded for each example that is accepted."""

CAMERA = {
    "camera": "camera.hall",
    "interval": 1,
    "motion_sensor": "binary_sensor.hall",
    "motion_seconds": 30,
    "region": [0.0, 0.0, 1.0, 1.0],
    "min_face_size": 40,
    "sensitivity": "medium",
}
TOTALS = json.dumps({"camera": Home().start(AgeBands.preset(), dt_util.now()).to_dict()}).encode()


def tracebacks(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What was logged with one, but for refusals: Home Assistant logs these so, too."""
    return [
        record.getMessage()
        for record in caplog.records
        if record.levelno > logging.INFO
        and record.exc_info
        and not isinstance(record.exc_info[1], ConfigEntryError)
    ]


def as_read(document: Any) -> Any:
    """Return what Home Assistant reads where data are stored or sent; None if it reads nothing."""
    try:
        return orjson.loads(json.dumps(document))
    except orjson.JSONDecodeError:
        return None


class Storage:
    """The file of an entry's totals."""

    def __init__(self, hass: HomeAssistant, entry: MockConfigEntry) -> None:
        self._path = Path(hass.config.path(".storage", f"{DOMAIN}.{entry.entry_id}"))
        self._path.parent.mkdir(exist_ok=True)

    def write(self, content: bytes) -> None:
        self._path.write_bytes(content)

    def cameras(self) -> set[str]:
        return set(json.loads(self._path.read_bytes()))

    def files(self) -> list[Path]:
        return list(self._path.parent.glob(f"{self._path.name}*"))


@FEW
@given(
    engine=st.one_of(st.sampled_from([HOME, PUBLIC]), distorted(HOME), distorted(PUBLIC)).map(
        as_read
    ),
    camera=st.one_of(st.just(CAMERA), distorted(CAMERA)).map(as_read),
    stored=st.one_of(st.just(TOTALS), damaged(TOTALS)),
)
@example(engine=HOME, camera=CAMERA, stored=TOTALS)
@example(engine=HOME, camera={**CAMERA, "interval": 0}, stored=TOTALS)
@example(engine=HOME, camera={**CAMERA, "interval": float("nan")}, stored=TOTALS)
@example(engine={**HOME, "model": "\0"}, camera=CAMERA, stored=TOTALS)
async def test_any_stored_settings_and_totals_are_used_or_refused(
    hass: HomeAssistant,
    caplog: pytest.LogCaptureFixture,
    engine: Any,
    camera: Any,
    stored: bytes,
) -> None:
    caplog.clear()
    entry = MockConfigEntry(
        domain=DOMAIN,
        version=AgeGenderConfigFlow.VERSION,
        minor_version=AgeGenderConfigFlow.MINOR_VERSION,
        data=engine if isinstance(engine, dict) else {},
        subentries_data=[
            ConfigSubentryDataWithId(
                data=MappingProxyType(camera if isinstance(camera, dict) else {}),
                subentry_id="camera",
                subentry_type=SUBENTRY_CAMERA,
                title="Hall",
                unique_id="camera.hall",
            )
        ],
    )
    storage = Storage(hass, entry)
    storage.write(stored)
    entry.add_to_hass(hass)
    await hass.config_entries.async_setup(entry.entry_id)
    await settle(hass)
    assert entry.state in {ConfigEntryState.LOADED, ConfigEntryState.SETUP_ERROR}
    if entry.state is ConfigEntryState.LOADED:
        assert storage.cameras() == {"camera"}
    await hass.config_entries.async_remove(entry.entry_id)
    assert not storage.files()
    assert not tracebacks(caplog)


ANSWERS = {**HOME, CONF_ACKNOWLEDGED: True, "model": "/media/model"}


@FEW
@given(distorted(ANSWERS).map(as_read))
async def test_any_answers_in_the_flow_are_taken_or_refused(
    hass: HomeAssistant, caplog: pytest.LogCaptureFixture, answers: Any
) -> None:
    caplog.clear()
    flow = await hass.config_entries.flow.async_init(DOMAIN, context={"source": SOURCE_USER})
    try:
        shown = await hass.config_entries.flow.async_configure(flow["flow_id"], answers)
    except InvalidData:
        shown = flow
    if shown["type"] is FlowResultType.CREATE_ENTRY:
        await settle(hass)
        await hass.config_entries.async_remove(shown["result"].entry_id)
    else:
        assert shown["type"] is FlowResultType.FORM
        hass.config_entries.flow.async_abort(flow["flow_id"])
    assert not tracebacks(caplog)
