"""Counts of people, per camera: in view and today, or in completed windows of time."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, override

from homeassistant.components.sensor import (
    SensorDeviceClass,
    SensorEntity,
    SensorEntityDescription,
    SensorStateClass,
)
from homeassistant.const import EntityCategory, Platform, UnitOfTime
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .coordinator import AgeGenderConfigEntry, CameraCoordinator, Live, Reading, Status
from .entity import AgeGenderEntity, add_entities
from .vision.census import (
    GENDERS,
    UNKNOWN,
    AgeBands,
    Counts,
    majority_band,
    majority_gender,
    mean_age,
)
from .vision.privacy import Home

# Entities only show what their coordinator has; nothing to limit.
PARALLEL_UPDATES = 0

ATTR_NOISE = "noise"
"""The number was randomly changed; absent where it was not."""


@dataclass(frozen=True, kw_only=True)
class AgeGenderSensorDescription(SensorEntityDescription):
    """A sensor and how to read its value; None is unknown."""

    value_fn: Callable[[Reading], datetime | float | str | None]
    placeholders: Mapping[str, str] = field(default_factory=dict)


def in_view(reading: Reading) -> Counts | None:
    """Return the people in view; in public, those of the last completed window."""
    return reading.shown.current


def today(reading: Reading) -> Counts | None:
    """Return the visitors of the day so far."""
    return reading.shown.today


def live(reading: Reading) -> Live | None:
    """Return what only those at home may know."""
    return reading.live


def value_of[Part, Value](
    part: Callable[[Reading], Part | None], value: Callable[[Part], Value]
) -> Callable[[Reading], Value | None]:
    """Return what reads a value from a part of a reading: None without that part."""

    def read(reading: Reading) -> Value | None:
        found = part(reading)
        return None if found is None else value(found)

    return read


def count_sensors(
    prefix: str,
    of: Callable[[Reading], Counts | None],
    bands: AgeBands,
    state_class: SensorStateClass,
    *,
    unknown: bool = True,
) -> Iterator[AgeGenderSensorDescription]:
    """Describe the sensors of one set of counts.

    Parameters
    ----------
    prefix
        What their keys begin with.
    of
        The counts in a reading, None if there are none.
    bands
        Age bands that people are counted in.
    state_class
        Whether the counts come and go or only rise.
    unknown
        Whether the sensors for unknown age and gender are enabled from the start.
    """

    def sensor(
        name: str,
        number: Callable[[Counts], int],
        *,
        key: str | None = None,
        enabled: bool = True,
        **placeholders: str,
    ) -> AgeGenderSensorDescription:
        return AgeGenderSensorDescription(
            key=f"{prefix}{key or name}",
            translation_key=f"{prefix}{name}",
            placeholders=placeholders,
            entity_registry_enabled_default=enabled,
            state_class=state_class,
            value_fn=value_of(of, number),
        )

    def of_gender(gender: str) -> Callable[[Counts], int]:
        return lambda counts: counts.by_gender[gender]

    def of_band(band: str) -> Callable[[Counts], int]:
        return lambda counts: counts.by_band[band]

    yield sensor("people", lambda counts: counts.people)
    for gender in GENDERS:
        yield sensor(gender, of_gender(gender))
    yield sensor("gender_unknown", of_gender(UNKNOWN), enabled=unknown)
    for band in bands.labels:
        yield sensor("age_band", of_band(band), key=f"age_{band}", band=band)
    yield sensor("age_unknown", of_band(UNKNOWN), enabled=unknown)


def home_sensors(bands: AgeBands) -> Iterator[AgeGenderSensorDescription]:
    """Describe what those at home see: who is in view, and today's visitors."""
    yield from count_sensors("", in_view, bands, SensorStateClass.MEASUREMENT)
    yield from count_sensors(
        "today_", today, bands, SensorStateClass.TOTAL_INCREASING, unknown=False
    )
    yield AgeGenderSensorDescription(
        key="majority_band",
        translation_key="majority_band",
        device_class=SensorDeviceClass.ENUM,
        options=list(bands.labels),
        value_fn=value_of(in_view, majority_band),
    )
    yield AgeGenderSensorDescription(
        key="majority_gender",
        translation_key="majority_gender",
        device_class=SensorDeviceClass.ENUM,
        options=list(GENDERS),
        value_fn=value_of(in_view, majority_gender),
    )
    yield AgeGenderSensorDescription(
        key="mean_age",
        translation_key="mean_age",
        native_unit_of_measurement=UnitOfTime.YEARS,
        state_class=SensorStateClass.MEASUREMENT,
        suggested_display_precision=0,
        value_fn=value_of(in_view, lambda counts: mean_age(counts, bands)),
    )
    yield AgeGenderSensorDescription(
        key="processing_time",
        translation_key="processing_time",
        device_class=SensorDeviceClass.DURATION,
        entity_category=EntityCategory.DIAGNOSTIC,
        entity_registry_enabled_default=False,
        native_unit_of_measurement=UnitOfTime.MILLISECONDS,
        state_class=SensorStateClass.MEASUREMENT,
        suggested_display_precision=0,
        value_fn=value_of(live, lambda live: live.processing_ms),
    )
    yield AgeGenderSensorDescription(
        key="frames_per_minute",
        translation_key="frames_per_minute",
        entity_category=EntityCategory.DIAGNOSTIC,
        entity_registry_enabled_default=False,
        state_class=SensorStateClass.MEASUREMENT,
        suggested_display_precision=0,
        value_fn=value_of(live, lambda live: live.frames_per_minute),
    )
    yield AgeGenderSensorDescription(
        key="last_frame",
        translation_key="last_frame",
        device_class=SensorDeviceClass.TIMESTAMP,
        entity_category=EntityCategory.DIAGNOSTIC,
        entity_registry_enabled_default=False,
        value_fn=value_of(live, lambda live: live.taken),
    )


def public_sensors(bands: AgeBands) -> Iterator[AgeGenderSensorDescription]:
    """Describe what anybody may see: the last completed window, and today's sum of them.

    Nothing else, for whatever changes with the frames tells who is there.
    """
    yield from count_sensors("window_", in_view, bands, SensorStateClass.MEASUREMENT)
    yield from count_sensors(
        "today_", today, bands, SensorStateClass.TOTAL_INCREASING, unknown=False
    )
    yield AgeGenderSensorDescription(
        key="window_end",
        translation_key="window_end",
        device_class=SensorDeviceClass.TIMESTAMP,
        value_fn=lambda reading: reading.shown.end,
    )


STATUS = SensorEntityDescription(
    key="status",
    translation_key="status",
    device_class=SensorDeviceClass.ENUM,
    entity_category=EntityCategory.DIAGNOSTIC,
    options=list(Status),
)


async def async_setup_entry(
    hass: HomeAssistant,
    entry: AgeGenderConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Set up the sensors of every camera."""
    describe = home_sensors if isinstance(entry.runtime_data.mode, Home) else public_sensors

    def make(coordinator: CameraCoordinator) -> Iterator[AgeGenderSensor | StatusSensor]:
        for description in describe(coordinator.census.bands):
            yield AgeGenderSensor(coordinator, description)
        yield StatusSensor(coordinator, STATUS)

    add_entities(hass, entry, Platform.SENSOR, async_add_entities, make)


class AgeGenderSensor(AgeGenderEntity, SensorEntity):
    """A value in the camera's latest reading."""

    entity_description: AgeGenderSensorDescription

    def __init__(
        self, coordinator: CameraCoordinator, description: AgeGenderSensorDescription
    ) -> None:
        """Bind the sensor to its camera."""
        super().__init__(coordinator, description)
        self._attr_translation_placeholders = dict(description.placeholders)

    @property
    @override
    def native_value(self) -> datetime | float | str | None:
        """The value in the latest reading."""
        return self.entity_description.value_fn(self.coordinator.data)

    @property
    @override
    def extra_state_attributes(self) -> dict[str, Any] | None:
        """Whether the number is not the one that was counted."""
        return {ATTR_NOISE: True} if self.coordinator.data.shown.noisy else None


class StatusSensor(AgeGenderEntity, SensorEntity):
    """What the camera is doing, also while it delivers nothing."""

    @property
    @override
    def available(self) -> bool:
        """Whatever the camera does, there is something to tell."""
        return True

    @property
    @override
    def native_value(self) -> str:
        """One word of it."""
        return self.coordinator.status
