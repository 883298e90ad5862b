"""What one camera is to Home Assistant: the entities of a device, and their values.

Keys, names, icons, units and classes are the integration's, so that a camera looks the same
whether a Home Assistant watches it or a node does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Any, NamedTuple

from agegender_vision.census import (
    GENDERS,
    UNKNOWN,
    AgeBands,
    Counts,
    majority_band,
    majority_gender,
    mean_age,
)
from agegender_vision.privacy import Home, Mode, Publication

ONLINE, OFFLINE = "online", "offline"


class Health(NamedTuple):
    """How the last look went; at home only, as it tells what there was to see.

    Attributes
    ----------
    taken
        When the frame was taken, aware.
    processing_ms
        Milliseconds from the frame to the people in it.
    """

    taken: datetime
    processing_ms: float


@dataclass(frozen=True, slots=True)
class Reading:
    """All that may be told of a camera.

    Attributes
    ----------
    shown
        The counts, as the privacy mode publishes them.
    children
        Somebody in view is a child; None in public, and before the first look.
    health
        None in public, and before the first look.
    """

    shown: Publication
    children: bool | None = None
    health: Health | None = None


Value = str | float | None


@dataclass(frozen=True, slots=True)
class Entity:
    """One entity of a camera.

    Attributes
    ----------
    key
        Its name among the values.
    config
        What Home Assistant is told of it.
    value
        Reads its value.
    diagnostic
        The value changes with every look and is told once a minute.
    """

    key: str
    config: Mapping[str, Any]
    value: Callable[[Reading], Value]
    diagnostic: bool = False


@dataclass(frozen=True, slots=True)
class Topics:
    """Where a node and a camera are told of.

    Attributes
    ----------
    node
        Of the node's availability.
    state, diagnostics, status
        Of the camera's values, those of the last look, and its availability.
    config
        Of its discovery.
    """

    node: str
    state: str
    diagnostics: str
    status: str
    config: str

    @classmethod
    def of(cls, node: str, camera: str, *, topic: str, discovery: str) -> Topics:
        """Name the topics of a camera; node and camera are slugs or ``+``."""
        base = f"{topic}/{node}"
        return cls(
            f"{base}/status",
            f"{base}/{camera}/state",
            f"{base}/{camera}/diagnostics",
            f"{base}/{camera}/status",
            f"{discovery}/device/agegender_{node}/{camera}/config",
        )


def entities(bands: AgeBands, mode: Mode) -> tuple[Entity, ...]:
    """Return the entities of a camera in a privacy mode."""
    return tuple(_home(bands) if isinstance(mode, Home) else _public(bands))


def values(entities: tuple[Entity, ...], reading: Reading, *, diagnostic: bool) -> dict[str, Value]:
    """Return what is published of a reading: those of every look, or all others."""
    return {
        entity.key: entity.value(reading) for entity in entities if entity.diagnostic is diagnostic
    }


def discovery(
    entities: tuple[Entity, ...],
    topics: Topics,
    *,
    device: str,
    name: str,
    model: str,
    noisy: bool,
) -> dict[str, Any]:
    """Return Home Assistant's discovery payload of a camera.

    Parameters
    ----------
    entities
        Of the camera.
    topics
        Where their values are.
    device
        What ids begin with.
    name
        Of the device.
    model
        Name of the model that judges.
    noisy
        Numbers are randomly changed.
    """
    noise = {
        "json_attributes_topic": topics.state,
        "json_attributes_template": "{{ {'noise': true} | tojson }}",
    }
    return {
        "device": {"identifiers": [device], "name": name, "model": model},
        "origin": _origin(),
        "availability": [{"topic": topics.node}, {"topic": topics.status}],
        "availability_mode": "all",
        "state_topic": topics.state,
        "components": {
            entity.key: {
                "unique_id": f"{device}_{entity.key}",
                "value_template": f"{{{{ value_json['{entity.key}'] }}}}",
                **({"state_topic": topics.diagnostics} if entity.diagnostic else {}),
                **(noise if noisy else {}),
                **entity.config,
            }
            for entity in entities
        },
    }


def _origin() -> dict[str, str]:
    try:
        return {"name": "agegender", "sw_version": version("agegender")}
    except PackageNotFoundError:  # run from a checkout
        return {"name": "agegender"}


@dataclass(frozen=True, slots=True)
class _Group:
    """The sensors of one set of counts: what keys begin with, and names end with."""

    prefix: str
    of: Callable[[Reading], Counts | None]
    state_class: str
    unit: str
    people: str
    suffix: str = ""
    unknown: bool = True
    icons: Mapping[str, str] = field(default_factory=dict)

    def sensors(self, bands: AgeBands) -> Iterator[Entity]:
        """Describe people, genders and bands, in the integration's order."""
        yield self._sensor("people", self.people, lambda counts: counts.people)
        for gender, name in zip(GENDERS, ("Women and girls", "Men and boys"), strict=True):
            yield self._sensor(gender, f"{name}{self.suffix}", self._gender(gender))
        who = self.unit.capitalize()
        yield self._sensor(
            "gender_unknown",
            f"{who} of unknown gender{self.suffix}",
            self._gender(UNKNOWN),
            enabled=self.unknown,
        )
        for band in bands.labels:
            yield self._sensor(f"age_{band}", f"{who} aged {band}{self.suffix}", self._band(band))
        yield self._sensor(
            "age_unknown",
            f"{who} of unknown age{self.suffix}",
            self._band(UNKNOWN),
            enabled=self.unknown,
        )

    def _sensor(
        self, key: str, name: str, number: Callable[[Counts], int], *, enabled: bool = True
    ) -> Entity:
        def value(reading: Reading) -> Value:
            counts = self.of(reading)
            return None if counts is None else number(counts)

        icon = self.icons.get(key) or _ICONS.get(key, "mdi:cake-variant")
        return Entity(
            f"{self.prefix}{key}",
            {
                "platform": "sensor",
                "name": name,
                "icon": icon,
                "state_class": self.state_class,
                "unit_of_measurement": self.unit,
                **({} if enabled else {"enabled_by_default": False}),
            },
            value,
        )

    @staticmethod
    def _gender(gender: str) -> Callable[[Counts], int]:
        return lambda counts: counts.by_gender[gender]

    @staticmethod
    def _band(band: str) -> Callable[[Counts], int]:
        return lambda counts: counts.by_band[band]


_ICONS = {
    "people": "mdi:account-group",
    "female": "mdi:human-female",
    "male": "mdi:human-male",
    "gender_unknown": "mdi:help-circle-outline",
    "age_unknown": "mdi:cake",
}
_IN_VIEW = _Group(
    "",
    lambda reading: reading.shown.current,
    "measurement",
    "people",
    people="People in view",
)
_WINDOW = _Group(
    "window_",
    lambda reading: reading.shown.current,
    "measurement",
    "visitors",
    people="Visitors in the last window",
    suffix=" in the last window",
)
_TODAY = _Group(
    "today_",
    lambda reading: reading.shown.today,
    "total_increasing",
    "visitors",
    people="Visitors today",
    suffix=" today",
    unknown=False,
    icons={"people": "mdi:counter"},
)


def _home(bands: AgeBands) -> Iterator[Entity]:
    def of_view(number: Callable[[Counts], Value]) -> Callable[[Reading], Value]:
        def value(reading: Reading) -> Value:
            current = reading.shown.current
            return None if current is None else number(current)

        return value

    def of_health(number: Callable[[Health], Value]) -> Callable[[Reading], Value]:
        def value(reading: Reading) -> Value:
            return None if reading.health is None else number(reading.health)

        return value

    yield from _IN_VIEW.sensors(bands)
    yield from _TODAY.sensors(bands)
    enum = {"platform": "sensor", "device_class": "enum", "icon": "mdi:podium"}
    yield Entity(
        "majority_band",
        {**enum, "name": "Age band of most", "options": list(bands.labels)},
        of_view(majority_band),
    )
    yield Entity(
        "majority_gender",
        {**enum, "name": "Gender of most", "options": list(GENDERS)},
        of_view(majority_gender),
    )
    yield Entity(
        "mean_age",
        {
            "platform": "sensor",
            "name": "Mean age",
            "icon": "mdi:cake-variant-outline",
            "state_class": "measurement",
            "unit_of_measurement": "y",
            "suggested_display_precision": 0,
        },
        of_view(lambda counts: mean_age(counts, bands)),
    )
    yield Entity(
        "children",
        {
            "platform": "binary_sensor",
            "name": "Children",
            "icon": "mdi:human-child",
            "device_class": "occupancy",
        },
        lambda reading: None if reading.children is None else "ON" if reading.children else "OFF",
    )
    rare = {"platform": "sensor", "entity_category": "diagnostic", "enabled_by_default": False}
    yield Entity(
        "processing_time",
        {
            **rare,
            "name": "Processing time",
            "icon": "mdi:timer-outline",
            "device_class": "duration",
            "state_class": "measurement",
            "unit_of_measurement": "ms",
            "suggested_display_precision": 0,
        },
        of_health(lambda health: round(health.processing_ms, 1)),
        diagnostic=True,
    )
    yield Entity(
        "last_frame",
        {**rare, "name": "Last frame", "icon": "mdi:camera", "device_class": "timestamp"},
        of_health(lambda health: health.taken.isoformat(timespec="seconds")),
        diagnostic=True,
    )


def _public(bands: AgeBands) -> Iterator[Entity]:
    yield from _WINDOW.sensors(bands)
    yield from _TODAY.sensors(bands)
    yield Entity(
        "window_end",
        {
            "platform": "sensor",
            "name": "End of the last window",
            "icon": "mdi:clock-end",
            "device_class": "timestamp",
        },
        lambda reading: None if reading.shown.end is None else reading.shown.end.isoformat(),
    )
