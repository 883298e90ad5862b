"""The documentation tells of every option and every entity, by the names a user sees."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
STRINGS: dict[str, Any] = json.loads(
    (ROOT / "custom_components" / "agegender" / "translations" / "en.json").read_text("utf-8")
)
CAMERA = STRINGS["config_subentries"]["camera"]


def options() -> Iterator[str]:
    for step in (*STRINGS["config"]["step"].values(), *CAMERA["step"].values()):
        yield from (name for key, name in step.get("data", {}).items() if key != "acknowledged")


def entities() -> Iterator[str]:
    for platform in STRINGS["entity"].values():
        yield from (entity["name"].format(band="0-12") for entity in platform.values())


@pytest.mark.parametrize("name", sorted(set(options())))
def test_every_option_is_explained(name: str) -> None:
    assert f"**{name}**" in (ROOT / "docs" / "configuration.md").read_text("utf-8")


@pytest.mark.parametrize("name", sorted(set(entities())))
def test_every_entity_is_explained(name: str) -> None:
    assert f"**{name}**" in (ROOT / "docs" / "entities.md").read_text("utf-8")
