"""The documentation tells of every option and every entity, by the names a user sees."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

ROOT = Path(__file__).parents[2]
STRINGS: dict[str, Any] = json.loads(
    (ROOT / "custom_components" / "agegender" / "translations" / "en.json").read_text("utf-8")
)
BLUEPRINTS = sorted((ROOT / "blueprints" / "automation" / "agegender").glob("*.yaml"))
REPOSITORY = json.loads(
    (ROOT / "custom_components" / "agegender" / "manifest.json").read_text("utf-8")
)["documentation"]
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


@pytest.mark.parametrize("kind", ["services", "triggers", "conditions"])
def test_every_part_of_automations_is_explained(kind: str) -> None:
    page = (ROOT / "docs" / "automations.md").read_text("utf-8")
    for key, part in STRINGS[kind].items():
        assert f"`agegender.{key}`" in page
        assert f"**{part['name']}**" in page or f"### {part['name']}\n" in page
    parts = {*STRINGS["services"], *STRINGS["triggers"], *STRINGS["conditions"]}
    assert set(re.findall(r"`agegender\.(\w+)`", page)) == parts


@pytest.mark.parametrize(
    "path",
    [*sorted((ROOT / "docs").rglob("*.md")), ROOT / "README.md", *BLUEPRINTS],
    ids=lambda path: path.name,
)
def test_every_part_of_automations_that_is_named_exists(path: Path) -> None:
    text = path.read_text("utf-8")
    for key, kind in (("action", "services"), ("trigger", "triggers"), ("condition", "conditions")):
        used = set(re.findall(rf"\b{key}: agegender\.(\w+)", text))
        assert used <= STRINGS[kind].keys()


@pytest.mark.parametrize("path", BLUEPRINTS, ids=lambda path: path.stem)
def test_every_blueprint_is_explained_and_can_be_imported(path: Path) -> None:
    source = f"{REPOSITORY}/blob/main/{path.relative_to(ROOT)}"
    content = path.read_text("utf-8")
    name = re.search(r"^  name: (.+)$", content, re.MULTILINE)
    assert name
    assert f"source_url: {source}\n" in content
    page = (ROOT / "docs" / "blueprints.md").read_text("utf-8")
    assert f"## {name[1]}\n" in page
    assert (
        "https://my.home-assistant.io/redirect/blueprint_import/"
        f"?blueprint_url={quote(source, safe='')}" in page
    )


@pytest.mark.parametrize(
    "picture",
    [path for path in sorted((ROOT / "docs" / "images").glob("*.png")) if not path.is_symlink()],
    ids=lambda path: path.stem,
)
def test_every_picture_is_shown_and_taken_by_a_test(picture: Path) -> None:
    pages = [*(ROOT / "docs").rglob("*.md"), ROOT / "README.md"]
    assert any(f"images/{picture.name})" in page.read_text("utf-8") for page in pages)
    taken = f'"({picture.name}|{picture.stem.removeprefix("new-user-")})"'
    command = re.search(
        r"tests/e2e/test_{(.*)}\.py", (ROOT / "scripts" / "docs").read_text("utf-8")
    )
    assert command
    tests = (ROOT / "tests" / "e2e" / f"test_{name}.py" for name in command[1].split(","))
    assert any(re.search(taken, test.read_text("utf-8")) for test in tests)
