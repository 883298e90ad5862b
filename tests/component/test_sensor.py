"""What the sensors show of what a camera sees."""

import io
from datetime import timedelta

from homeassistant.const import (
    ATTR_UNIT_OF_MEASUREMENT,
    STATE_UNAVAILABLE,
    EntityCategory,
)
from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers import entity_registry as er
from homeassistant.util import dt as dt_util
from PIL import Image

from .conftest import (
    INTERVAL,
    NOBODY,
    OLDER_WOMAN,
    WOMAN,
    AddCamera,
    Watch,
    next_frame,
    settle,
)

AGE_SENSORS = [
    "People aged 0-12",
    "People aged 13-19",
    "People aged 20-39",
    "People aged 40-59",
    "People aged 60+",
]
COUNTS = ["People in view", "Women and girls", "Men and boys", *AGE_SENSORS]


async def test_the_astronaut_is_one_woman(add_camera: AddCamera, watch: Watch) -> None:
    camera = await add_camera("hall", WOMAN)
    await watch(camera)

    counts = camera.counts()
    assert counts["People in view"] == "1"
    assert counts["Women and girls"] == "1"
    assert counts["Men and boys"] == "0"
    # The model may take her for anything from 25 to 45.
    assert int(counts["People aged 20-39"]) + int(counts["People aged 40-59"]) == 1


async def test_everybody_is_counted_once_by_age_and_once_by_gender(
    add_camera: AddCamera, watch: Watch
) -> None:
    both = Image.new("RGB", (1024, 600))
    for left, portrait in ((0, WOMAN), (512, OLDER_WOMAN)):
        both.paste(Image.open(io.BytesIO(portrait)), (left, 0))
    file = io.BytesIO()
    both.save(file, "PNG")
    camera = await add_camera("hall", file.getvalue())
    await watch(camera)

    counts = {name: int(number) for name, number in camera.counts().items()}
    assert counts["People in view"] == 2
    assert counts["Women and girls"] + counts["Men and boys"] == 2
    assert sum(counts[name] for name in AGE_SENSORS) == 2


async def test_nobody_in_view_counts_nobody(add_camera: AddCamera, watch: Watch) -> None:
    camera = await add_camera("hall", NOBODY)
    await watch(camera)

    assert camera.counts() == dict.fromkeys(COUNTS, "0")


async def test_counts_follow_the_frames(
    hass: HomeAssistant, add_camera: AddCamera, watch: Watch
) -> None:
    camera = await add_camera("hall", NOBODY)
    await watch(camera)
    assert camera.counts()["People in view"] == "0"

    camera.show(WOMAN)
    await next_frame(hass, seconds=INTERVAL - 10)
    assert camera.counts()["People in view"] == "0"

    await next_frame(hass)
    assert camera.counts()["People in view"] == "1"

    camera.show(NOBODY)
    await next_frame(hass)
    assert camera.counts()["People in view"] == "0"


async def test_each_camera_has_its_own_counts(add_camera: AddCamera, watch: Watch) -> None:
    hall = await add_camera("hall", WOMAN)
    garden = await add_camera("garden", NOBODY)
    await watch(hall, garden)

    assert hall.counts()["People in view"] == "1"
    assert garden.counts()["People in view"] == "0"


async def test_sensors_exist_before_anybody_was_seen(add_camera: AddCamera, watch: Watch) -> None:
    camera = await add_camera("hall", b"not a picture")
    await watch(camera)

    assert camera.counts() == dict.fromkeys(COUNTS, STATE_UNAVAILABLE)


async def test_counts_are_measurements_of_people(
    hass: HomeAssistant, add_camera: AddCamera, watch: Watch
) -> None:
    camera = await add_camera("hall")
    await watch(camera)

    for name in COUNTS:
        state = hass.states.get(camera.sensor(name))
        assert state is not None
        # Nothing else is told: no list of faces, no single person's estimate.
        assert dict(state.attributes) == {
            "friendly_name": f"Hall {name}",
            "state_class": "measurement",
            ATTR_UNIT_OF_MEASUREMENT: "people",
        }


async def test_sensors_share_one_service_device_of_their_own(
    device_registry: dr.DeviceRegistry,
    entity_registry: er.EntityRegistry,
    add_camera: AddCamera,
    watch: Watch,
) -> None:
    camera = await add_camera("hall")
    entry = await watch(camera)
    (subentry,) = entry.subentries.values()

    (device,) = dr.async_entries_for_config_entry(device_registry, entry.entry_id)
    assert device.name == "Hall"
    assert device.entry_type is dr.DeviceEntryType.SERVICE
    sensors = er.async_entries_for_config_entry(entity_registry, entry.entry_id)
    assert {sensor.device_id for sensor in sensors} == {device.id}
    assert {sensor.config_subentry_id for sensor in sensors} == {subentry.subentry_id}
    assert {sensor.unique_id for sensor in sensors} == {
        f"{subentry.subentry_id}_{key}"
        for key in (
            "people",
            "female",
            "male",
            "age_0-12",
            "age_13-19",
            "age_20-39",
            "age_40-59",
            "age_60+",
            "processing_time",
            "last_frame",
        )
    }


async def test_diagnostic_sensors_wait_to_be_enabled(
    hass: HomeAssistant,
    entity_registry: er.EntityRegistry,
    add_camera: AddCamera,
    watch: Watch,
) -> None:
    camera = await add_camera("hall")
    entry = await watch(camera)
    names = ("Processing time", "Last frame")
    for name in names:
        registered = entity_registry.async_get(camera.sensor(name))
        assert registered is not None
        assert registered.entity_category is EntityCategory.DIAGNOSTIC
        assert registered.disabled_by is er.RegistryEntryDisabler.INTEGRATION
        entity_registry.async_update_entity(registered.entity_id, disabled_by=None)
    await hass.config_entries.async_reload(entry.entry_id)
    await settle(hass)

    counts = camera.counts()
    assert float(counts["Processing time"]) > 0
    last_frame = dt_util.parse_datetime(counts["Last frame"], raise_on_error=True)
    assert timedelta(0) <= dt_util.utcnow() - last_frame < timedelta(minutes=1)
