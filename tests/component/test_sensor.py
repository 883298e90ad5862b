"""What the sensors show of what a camera sees."""

from datetime import timedelta

from homeassistant.const import (
    STATE_UNAVAILABLE,
    STATE_UNKNOWN,
    EntityCategory,
)
from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers import entity_registry as er
from homeassistant.util import dt as dt_util

from custom_components.agegender.const import CONF_AGE_BANDS

from .conftest import (
    HOME,
    INTERVAL,
    NOBODY,
    OLDER_WOMAN,
    WOMAN,
    AddCamera,
    Watch,
    next_frame,
    settle,
    side_by_side,
)

BANDS = ("0-12", "13-19", "20-39", "40-59", "60+")
IN_VIEW_BY_AGE = [*(f"People aged {band}" for band in BANDS), "People of unknown age"]
IN_VIEW_BY_GENDER = ["Women and girls", "Men and boys", "People of unknown gender"]
IN_VIEW = ["People in view", *IN_VIEW_BY_AGE, *IN_VIEW_BY_GENDER]
TODAY = [
    "Visitors today",
    *(f"Visitors aged {band} today" for band in BANDS),
    "Women and girls today",
    "Men and boys today",
]
OTHERS = ["Age band of most", "Gender of most", "Mean age", "Children"]


async def test_the_astronaut_is_one_woman(add_camera: AddCamera, watch: Watch) -> None:
    camera = await add_camera("hall", WOMAN)
    await watch(camera)

    counts = camera.counts()
    assert counts["People in view"] == "1"
    assert counts["Women and girls"] == "1"
    assert counts["Men and boys"] == "0"
    assert counts["Gender of most"] == "female"
    assert counts["Children"] == "off"
    # The model may take her for anything from 25 to 45.
    ages = ("People aged 20-39", "People aged 40-59", "People of unknown age")
    assert sum(int(counts[name]) for name in ages) == 1


async def test_everybody_is_counted_once_by_age_and_once_by_gender(
    add_camera: AddCamera, watch: Watch
) -> None:
    camera = await add_camera("hall", side_by_side(WOMAN, OLDER_WOMAN))
    await watch(camera)

    counts = camera.counts()
    assert counts["People in view"] == "2"
    assert sum(int(counts[name]) for name in IN_VIEW_BY_AGE) == 2
    assert sum(int(counts[name]) for name in IN_VIEW_BY_GENDER) == 2


async def test_nobody_in_view_counts_nobody(add_camera: AddCamera, watch: Watch) -> None:
    camera = await add_camera("hall", NOBODY)
    await watch(camera)

    assert camera.counts() == {
        **dict.fromkeys((*IN_VIEW, *TODAY), "0"),
        **dict.fromkeys(OTHERS, STATE_UNKNOWN),
        "Children": "off",
    }


async def test_a_mean_age_tells_no_more_than_the_bands(add_camera: AddCamera, watch: Watch) -> None:
    camera = await add_camera("hall", WOMAN)
    await watch(camera, engine={**HOME, CONF_AGE_BANDS: "20, 60"})

    state = camera.states()["Mean age"]
    # The middle of the band that she is in; not hers.
    assert state.state == "40.0"
    assert state.attributes["unit_of_measurement"] == "y"
    assert camera.counts()["Age band of most"] == "20-59"


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

    # One frame without her is no proof that she has left.
    camera.show(NOBODY)
    await next_frame(hass)
    assert camera.counts()["People in view"] == "1"
    await next_frame(hass)
    assert camera.counts()["People in view"] == "0"


async def test_a_visitor_is_counted_once(
    hass: HomeAssistant, add_camera: AddCamera, watch: Watch
) -> None:
    camera = await add_camera("hall", WOMAN)
    await watch(camera)
    for _ in range(5):
        await next_frame(hass)
    counts = camera.counts()
    assert counts["Visitors today"] == "1"
    assert counts["Women and girls today"] == "1"

    # Gone and back again: nobody is recognised, so that is another visitor.
    camera.show(NOBODY)
    for _ in range(3):
        await next_frame(hass)
    assert camera.counts()["Visitors today"] == "1"
    camera.show(WOMAN)
    for _ in range(3):
        await next_frame(hass)
    assert camera.counts()["Visitors today"] == "2"


async def test_each_camera_has_its_own_counts(add_camera: AddCamera, watch: Watch) -> None:
    hall = await add_camera("hall", WOMAN)
    garden = await add_camera("garden", NOBODY)
    await watch(hall, garden)

    assert hall.counts()["People in view"] == "1"
    assert garden.counts()["People in view"] == "0"


async def test_sensors_exist_before_anybody_was_seen(add_camera: AddCamera, watch: Watch) -> None:
    camera = await add_camera("hall", b"not a picture")
    await watch(camera)

    assert camera.counts() == dict.fromkeys((*IN_VIEW, *TODAY, *OTHERS), STATE_UNAVAILABLE)


async def test_counts_have_statistics_and_tell_nothing_else(
    add_camera: AddCamera, watch: Watch
) -> None:
    camera = await add_camera("hall")
    await watch(camera)

    states = camera.states()
    for names, state_class in ((IN_VIEW, "measurement"), (TODAY, "total_increasing")):
        for name in names:
            # No list of faces, no single person's estimate; and no unit: "1 people" is none.
            assert dict(states[name].attributes) == {
                "friendly_name": f"Hall {name}",
                "state_class": state_class,
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
    assert {sensor.unique_id.removeprefix(f"{subentry.subentry_id}_") for sensor in sensors} == {
        *(
            f"{prefix}{kind}"
            for prefix in ("", "today_")
            for kind in (
                *("people", "female", "male", "gender_unknown"),
                *("age_0-12", "age_13-19", "age_20-39", "age_40-59", "age_60+", "age_unknown"),
            )
        ),
        *("majority_band", "majority_gender", "mean_age", "children"),
        *("processing_time", "frames_per_minute", "last_frame", "status"),
        *("pause", "reset_totals"),
    }


async def test_rare_sensors_wait_to_be_enabled(
    hass: HomeAssistant,
    entity_registry: er.EntityRegistry,
    add_camera: AddCamera,
    watch: Watch,
) -> None:
    camera = await add_camera("hall")
    entry = await watch(camera)
    diagnostic = {"Processing time", "Frames per minute", "Last frame"}
    rare = {*diagnostic, "Visitors of unknown age today", "Visitors of unknown gender today"}
    for name in rare:
        registered = entity_registry.async_get(camera.sensor(name))
        assert registered is not None
        assert (registered.entity_category is EntityCategory.DIAGNOSTIC) == (name in diagnostic)
        assert registered.disabled_by is er.RegistryEntryDisabler.INTEGRATION
        entity_registry.async_update_entity(registered.entity_id, disabled_by=None)
    await hass.config_entries.async_reload(entry.entry_id)
    await settle(hass)

    counts = camera.counts()
    assert rare <= counts.keys()
    assert float(counts["Processing time"]) > 0
    assert counts["Frames per minute"] == STATE_UNKNOWN  # of one there is no rate
    last_frame = dt_util.parse_datetime(counts["Last frame"], raise_on_error=True)
    assert timedelta(0) <= dt_util.utcnow() - last_frame < timedelta(minutes=1)
