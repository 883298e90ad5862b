"""Counts give statistics that Home Assistant has nothing to say against."""

from datetime import timedelta

import pytest
from homeassistant.components.recorder.core import Recorder
from homeassistant.components.recorder.models import StatisticMeanType
from homeassistant.components.recorder.statistics import (
    async_import_statistics,
    get_metadata,
    validate_statistics,
)
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.recorder import get_instance
from homeassistant.util import dt as dt_util
from pytest_homeassistant_custom_component.components.recorder.common import (
    async_wait_recording_done,
    do_adhoc_statistics,
)

from .conftest import HOME, AddCamera, Watch, next_frame


@pytest.fixture(autouse=True)
def _integration(recorder_mock: Recorder, enable_custom_integrations: None) -> None:
    """Record from the start; the recorder has to be there first."""


async def metadata(hass: HomeAssistant) -> dict[str, tuple[str | None, str]]:
    """Unit, and what is kept, of the statistics of our sensors."""
    found = await get_instance(hass).async_add_executor_job(lambda: get_metadata(hass))
    return {
        name: (
            entity["unit_of_measurement"],
            "sum" if entity["has_sum"] else StatisticMeanType(entity["mean_type"]).name,
        )
        for name, (_, entity) in found.items()
    }


async def compiled(hass: HomeAssistant) -> dict[str, tuple[str | None, str]]:
    await async_wait_recording_done(hass)
    now = dt_util.utcnow()
    do_adhoc_statistics(
        hass, start=now.replace(minute=now.minute // 5 * 5, second=0, microsecond=0)
    )
    await async_wait_recording_done(hass)
    return await metadata(hass)


async def test_people_have_means_and_visitors_have_sums(
    hass: HomeAssistant, add_camera: AddCamera, watch: Watch
) -> None:
    camera = await add_camera("hall")
    await watch(camera)
    await next_frame(hass)

    told = await compiled(hass)
    assert told[camera.sensor("People in view")] == (None, "ARITHMETIC")
    assert told[camera.sensor("Women and girls")] == (None, "ARITHMETIC")
    assert told[camera.sensor("Visitors today")] == (None, "sum")
    assert told[camera.sensor("Mean age")] == ("y", "ARITHMETIC")
    # Neither what most are, nor who is a child, nor a status is a number.
    assert camera.sensor("Age band of most") not in told
    assert camera.sensor("Status") not in told
    assert await get_instance(hass).async_add_executor_job(validate_statistics, hass) == {}


async def test_statistics_of_counts_that_had_a_unit_go_on(
    hass: HomeAssistant,
    entity_registry: er.EntityRegistry,
    add_camera: AddCamera,
    watch: Watch,
) -> None:
    camera = await add_camera("hall")
    entry = await watch(camera, engine=HOME)
    await hass.config_entries.async_unload(entry.entry_id)
    for name, unit, kept in (
        ("People in view", "people", StatisticMeanType.ARITHMETIC),
        ("Visitors today", "Besucher", StatisticMeanType.NONE),
    ):
        entity_registry.async_update_entity(camera.sensor(name), unit_of_measurement=unit)
        async_import_statistics(
            hass,
            {
                "statistic_id": camera.sensor(name),
                "source": "recorder",
                "name": None,
                "has_sum": kept is StatisticMeanType.NONE,
                "mean_type": kept,
                "unit_class": None,
                "unit_of_measurement": unit,
            },
            [
                {
                    "start": dt_util.utcnow().replace(minute=0, second=0, microsecond=0)
                    - timedelta(hours=2),
                    "mean": 1,
                    "sum": 1,
                }
            ],
        )
    await async_wait_recording_done(hass)
    assert (await metadata(hass))[camera.sensor("Visitors today")] == ("Besucher", "sum")

    assert await hass.config_entries.async_setup(entry.entry_id)
    await next_frame(hass)
    told = await compiled(hass)
    assert told[camera.sensor("People in view")] == (None, "ARITHMETIC")
    assert told[camera.sensor("Visitors today")] == (None, "sum")
    assert await get_instance(hass).async_add_executor_job(validate_statistics, hass) == {}
