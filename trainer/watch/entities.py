"""What one camera is to Home Assistant: the entities of a device, and their values.

They are the integration's, from `agegender_vision.reading`; names and icons are those of its
translations. So a camera looks the same whether a Home Assistant watches it or a node does.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from typing import Any

from agegender_vision.census import AgeBands
from agegender_vision.privacy import Mode
from agegender_vision.reading import (
    PAUSE,
    RESET,
    STATUS,
    Description,
    Measure,
    Reading,
    Status,
    measures,
)
from agegender_vision.reading import Value as Read

ONLINE, OFFLINE = "online", "offline"
ON, OFF, PRESS = "ON", "OFF", "PRESS"
COMMANDS = (PAUSE, RESET)
"""What a camera can be told."""

Value = str | float | None


@dataclass(frozen=True, slots=True)
class Topics:
    """Where a node and a camera are told of, and where the camera is told something.

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

    def command(self, key: str) -> str:
        """Return where the camera is told something; the key is one of `COMMANDS`, or ``+``."""
        return f"{self.state.removesuffix('/state')}/{key}/set"


def entities(bands: AgeBands, mode: Mode) -> tuple[Description, ...]:
    """Return the entities of a camera in a privacy mode."""
    return (*measures(bands, mode), STATUS, *COMMANDS)


def states(entities: tuple[Description, ...], reading: Reading, status: Status) -> dict[str, Value]:
    """Return what is told when it changes."""
    return {
        **{
            entity.key: _plain(entity.read(reading))
            for entity in entities
            if isinstance(entity, Measure) and not entity.category
        },
        STATUS.key: status,
        PAUSE.key: ON if status is Status.PAUSED else OFF,
    }


def diagnostics(entities: tuple[Description, ...], reading: Reading) -> dict[str, Value]:
    """Return what changes with every look, and is told once a minute."""
    return {
        entity.key: _plain(entity.read(reading))
        for entity in entities
        if isinstance(entity, Measure) and entity.category
    }


def _plain(value: Read) -> Value:
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds")
    if isinstance(value, bool):
        return ON if value else OFF
    return round(value, 1) if isinstance(value, float) else value


def discovery(
    entities: tuple[Description, ...],
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
    return {
        "device": {"identifiers": [device], "name": name, "model": model},
        "origin": _origin(),
        "availability": [{"topic": topics.node}, {"topic": topics.status}],
        "availability_mode": "all",
        "state_topic": topics.state,
        "components": {
            entity.key: {
                "unique_id": f"{device}_{entity.key}",
                **_shown(entity),
                **_read(entity, topics, noisy=noisy),
            }
            for entity in entities
        },
    }


def _shown(entity: Description) -> dict[str, Any]:
    """Return how an entity looks, in Home Assistant's words for discovery."""
    told = {
        "platform": entity.platform,
        "name": _strings("strings.json", entity)["name"].replace("{band}", entity.band or ""),
        "icon": _strings("icons.json", entity).get("default"),
        "entity_category": entity.category,
        "device_class": entity.device_class,
        "state_class": entity.state_class,
        "unit_of_measurement": entity.unit,
        "options": entity.options,
        "suggested_display_precision": entity.precision,
        "enabled_by_default": None if entity.enabled else False,
    }
    return {name: value for name, value in told.items() if value is not None}


def _read(entity: Description, topics: Topics, *, noisy: bool) -> dict[str, Any]:
    """Return where its value is, and where it can be told something."""
    told: dict[str, Any] = {}
    if entity is not RESET:
        told["value_template"] = f"{{{{ value_json['{entity.key}'] }}}}"
    if entity in COMMANDS:
        told["command_topic"] = topics.command(entity.key)
    if entity.always:
        told["availability"] = [{"topic": topics.node}]
    elif entity.category:
        told["state_topic"] = topics.diagnostics
    if noisy and not entity.always:
        told["json_attributes_topic"] = topics.state
        told["json_attributes_template"] = "{{ {'noise': true} | tojson }}"
    return told


@cache
def _file(name: str) -> dict[str, dict[str, dict[str, Any]]]:
    found: dict[str, dict[str, dict[str, Any]]] = json.loads(
        files(__package__).joinpath(name).read_text("utf-8")
    )["entity"]
    return found


def _strings(name: str, entity: Description) -> dict[str, Any]:
    """Return what one of the integration's files, linked here, says of an entity."""
    return _file(name)[entity.platform][entity.name]


def _origin() -> dict[str, str]:
    try:
        return {"name": "agegender", "sw_version": version("agegender")}
    except PackageNotFoundError:  # run from a checkout
        return {"name": "agegender"}
