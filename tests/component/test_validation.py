"""What hassfest and HACS look at, so that they find nothing when the workflows run them.

They are not packages that can be installed; the rules here are theirs, as of Home Assistant
2026.11 and HACS 2.
"""

import json
import re
import struct
from collections.abc import Iterator
from pathlib import Path
from string import Formatter
from typing import Any
from urllib.parse import urlsplit

import probatio as vol
import pytest
from awesomeversion import AwesomeVersion, AwesomeVersionStrategy
from homeassistant.components import __path__ as core_components
from homeassistant.const import Platform
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers.selector import TargetSelector, validate_selector
from homeassistant.util.yaml import load_yaml_dict

from custom_components.agegender.vision.census import AgeBands
from custom_components.agegender.vision.privacy import Home, Mode, Public
from custom_components.agegender.vision.reading import PAUSE, RESET, STATUS, measures

ROOT = Path(__file__).parents[2]
INTEGRATION = ROOT / "custom_components" / "agegender"
TRANSLATIONS = INTEGRATION / "translations"
LANGUAGES = ("de", "en", "es", "fr", "nl", "pl", "zh-Hans")


def read(name: str) -> Any:
    return json.loads((INTEGRATION / name).read_text("utf-8"))


MANIFEST = read("manifest.json")
ENGLISH = read("translations/en.json")
ICONS = read("icons.json")


def web_address(value: Any) -> str:
    if urlsplit(cv.string(value)).scheme != "https":
        raise vol.Invalid("expected an address that begins with https")
    return str(value)


MANIFEST_SCHEMA = vol.Schema(
    {
        vol.Required("domain"): INTEGRATION.name,
        vol.Required("name"): str,
        vol.Optional("after_dependencies"): [str],
        vol.Required("codeowners"): vol.All([vol.Match(r"@[\w/-]+$")], vol.Length(min=1)),
        vol.Required("config_flow"): True,
        vol.Optional("dependencies"): [str],
        vol.Required("documentation"): web_address,
        vol.Required("integration_type"): vol.In(
            ["device", "entity", "hardware", "helper", "hub", "service", "system"]
        ),
        vol.Required("iot_class"): vol.In(
            ["assumed_state", "calculated", "local_polling", "local_push"]
        ),
        vol.Required("issue_tracker"): web_address,
        vol.Optional("loggers"): [str],
        vol.Required("requirements"): [str],
        vol.Optional("single_config_entry"): bool,
        vol.Required("version"): str,
    }
)


def test_the_manifest_is_complete_and_has_no_other_keys() -> None:
    MANIFEST_SCHEMA(MANIFEST)
    AwesomeVersion(MANIFEST["version"], ensure_strategy=[AwesomeVersionStrategy.SEMVER])


def test_the_manifests_keys_are_in_order() -> None:
    first = ["domain", "name"]
    assert list(MANIFEST) == [*first, *sorted(MANIFEST.keys() - first)]


def test_dependencies_exist_and_the_domain_is_not_taken() -> None:
    (core,) = map(Path, core_components)
    for name in (*MANIFEST["dependencies"], *MANIFEST.get("after_dependencies", ())):
        assert (core / name / "manifest.json").is_file()
    assert not (core / MANIFEST["domain"]).exists()


def test_every_component_that_is_imported_is_a_dependency() -> None:
    declared = {*MANIFEST["dependencies"], *MANIFEST["after_dependencies"]}
    declared |= {platform.value for platform in Platform}
    for path in INTEGRATION.glob("*.py"):
        imported = re.findall(r"homeassistant\.components(?:\.| import )(\w+)", path.read_text())
        # A file that is called like a component is what that component looks for.
        assert {*imported} <= declared | {path.stem}, path.name


def test_nothing_is_required_but_what_home_assistant_has() -> None:
    assert MANIFEST["requirements"] == ["numpy", "Pillow"]


def test_there_is_one_integration() -> None:
    folders = [path.name for path in INTEGRATION.parent.iterdir() if path.is_dir()]
    assert [name for name in folders if name != "__pycache__"] == [INTEGRATION.name]


def test_hacs_knows_every_key() -> None:
    vol.Schema(
        {
            vol.Required("name"): MANIFEST["name"],
            vol.Required("filename"): "agegender.zip",
            vol.Required("hide_default_branch"): True,
            vol.Required("homeassistant"): vol.Match(r"20\d\d\.\d+\.\d+$"),
            vol.Required("zip_release"): True,
        }
    )(json.loads((ROOT / "hacs.json").read_text("utf-8")))
    for name in ("README.md", "LICENSE"):
        assert (ROOT / name).is_file()


@pytest.mark.parametrize(("name", "side"), [("icon.png", 256), ("icon@2x.png", 512)])
def test_the_brand_has_its_icons(name: str, side: int) -> None:
    content = (INTEGRATION / "brand" / name).read_bytes()
    assert content.startswith(b"\x89PNG\r\n\x1a\n")
    assert struct.unpack(">II", content[16:24]) == (side, side)


def sentence(value: Any) -> str:
    """Validate a text of the user interface."""
    text = cv.string_with_no_html(value)
    if not isinstance(value, str) or text != text.strip() or not text:
        raise vol.Invalid("expected text without spaces around it")
    if re.search(r"'\{\w+\}'|\[%|%\]|\w+://|www\.", text):
        raise vol.Invalid("quoted placeholders, references and addresses cannot be translated")
    for _, name, _, _ in Formatter().parse(text):
        if name is not None and not name.isidentifier():
            raise vol.Invalid(f"{name!r} is no placeholder")
    return text


def plain(value: Any) -> str:
    """Validate a text in which nothing is filled in."""
    if "{" in sentence(value):
        raise vol.Invalid("nothing can be filled in here")
    return str(value)


def key(value: Any) -> str:
    """Validate the key of a translation."""
    if not re.fullmatch(r"(?!.*[_-]{2})[a-z0-9]([a-z0-9_-]*[a-z0-9])?", cv.string(value)):
        raise vol.Invalid(f"{value!r} is no translation key")
    return str(value)


FLOW: dict[Any, Any] = {
    vol.Optional("abort"): {key: sentence},
    vol.Optional("create_entry"): {key: sentence},
    vol.Optional("error"): {key: sentence},
    vol.Optional("progress"): {key: sentence},
    vol.Required("step"): {
        key: {
            vol.Optional("title"): sentence,
            vol.Optional("description"): sentence,
            vol.Optional("data"): {key: sentence},
            vol.Optional("data_description"): {key: sentence},
            vol.Optional("menu_options"): {key: sentence},
            vol.Optional("submit"): sentence,
            vol.Optional("sections"): {
                key: {
                    vol.Required("name"): sentence,
                    vol.Optional("description"): sentence,
                    vol.Optional("data"): {key: sentence},
                    vol.Optional("data_description"): {key: sentence},
                }
            },
        }
    },
}
OFFERED = {
    key: {
        vol.Required("name"): sentence,
        vol.Required("description"): sentence,
        vol.Optional("fields"): {
            key: {vol.Required("name"): sentence, vol.Optional("description"): sentence}
        },
    }
}
STRINGS = vol.Schema(
    {
        vol.Required("config"): FLOW,
        vol.Required("config_subentries"): {
            cv.slug: {
                **FLOW,
                vol.Required("entry_type"): sentence,
                vol.Required("initiate_flow"): {vol.Required("user"): sentence, key: sentence},
            }
        },
        vol.Optional("conditions"): OFFERED,
        vol.Optional("device"): {key: {vol.Required("name"): sentence}},
        vol.Required("entity"): {
            vol.In([platform.value for platform in Platform]): {
                key: {
                    vol.Required("name"): sentence,
                    vol.Optional("state"): {key: plain},
                    vol.Optional("unit_of_measurement"): plain,
                }
            }
        },
        vol.Optional("exceptions"): {key: {vol.Required("message"): sentence}},
        vol.Optional("issues"): {
            key: vol.Any(
                {vol.Required("title"): sentence, vol.Required("description"): sentence},
                {vol.Required("title"): sentence, vol.Required("fix_flow"): FLOW},
            )
        },
        vol.Optional("selector"): {
            key: {
                vol.Optional("options"): {key: sentence},
                vol.Optional("choices"): {key: sentence},
            }
        },
        vol.Optional("services"): OFFERED,
        vol.Optional("system_health"): {vol.Required("info"): {key: sentence}},
        vol.Optional("triggers"): OFFERED,
    }
)


def texts(strings: dict[str, Any], path: str = "") -> Iterator[tuple[str, str]]:
    for name, value in strings.items():
        if isinstance(value, dict):
            yield from texts(value, f"{path}.{name}")
        else:
            yield f"{path}.{name}".removeprefix("."), value


def placeholders(text: str) -> set[str | None]:
    return {name for _, name, _, _ in Formatter().parse(text)} - {None}


def test_there_are_seven_languages() -> None:
    assert {path.stem for path in TRANSLATIONS.iterdir()} == set(LANGUAGES)


@pytest.mark.parametrize("language", LANGUAGES)
def test_translations_have_the_form_that_home_assistant_reads(language: str) -> None:
    STRINGS(read(f"translations/{language}.json"))


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_text_is_translated_with_its_placeholders(language: str) -> None:
    english, other = dict(texts(ENGLISH)), dict(texts(read(f"translations/{language}.json")))
    assert other.keys() == english.keys()
    for path, text in english.items():
        assert placeholders(other[path]) == placeholders(text), path


@pytest.mark.parametrize("language", sorted({*LANGUAGES} - {"en"}))
def test_no_sentence_is_left_in_english(language: str) -> None:
    english, other = dict(texts(ENGLISH)), dict(texts(read(f"translations/{language}.json")))
    assert not [
        path
        for path, text in english.items()
        if " " in text
        and other[path] == text
        and re.search(r"[a-z]{3,}", re.sub(r"\{\w+\}|Adience|FairFace|minutes$", "", text))
    ]


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_field_that_is_explained_is_one_that_is_asked(language: str) -> None:
    strings = read(f"translations/{language}.json")
    flows = (strings["config"], *strings["config_subentries"].values())
    for flow in flows:
        for step in flow["step"].values():
            assert step.get("data_description", {}).keys() == step.get("data", {}).keys()


def icon(value: Any) -> str:
    if not re.fullmatch(r"mdi:[a-z0-9]+(-[a-z0-9]+)*", cv.string(value)):
        raise vol.Invalid("expected an icon of Material Design Icons, mdi:name")
    return str(value)


def test_icons_have_the_form_that_home_assistant_reads() -> None:
    vol.Schema(
        {
            vol.Required("entity"): {
                cv.slug: {key: {vol.Optional("default"): icon, vol.Optional("state"): {key: icon}}}
            },
            vol.Optional("services"): {key: {vol.Required("service"): icon}},
            vol.Optional("triggers"): {key: {vol.Required("trigger"): icon}},
            vol.Optional("conditions"): {key: {vol.Required("condition"): icon}},
        }
    )(ICONS)


@pytest.mark.parametrize("mode", [Home(), Public()])
def test_every_entity_and_each_of_its_states_has_a_name_and_an_icon(mode: Mode) -> None:
    bands = AgeBands.preset()
    for entity in (*measures(bands, mode), STATUS, PAUSE, RESET):
        strings = ENGLISH["entity"][entity.platform][entity.name]
        assert placeholders(strings["name"]) == ({"band"} if entity.band else set())
        assert ICONS["entity"][entity.platform][entity.name]["default"]
        if entity.options and entity.options != bands.labels:  # "60+" is so in any language
            assert strings["state"].keys() == set(entity.options)


def test_there_are_icons_of_nothing_else() -> None:
    for platform, entities in ICONS["entity"].items():
        assert entities.keys() == ENGLISH["entity"][platform].keys()
        for name, entity in entities.items():
            states = ENGLISH["entity"][platform][name].get("state", {})
            assert entity.get("state", {}).keys() <= states.keys() | {"on", "off"}


FIELD = {
    vol.Optional("example"): vol.Any(str, int, float, bool, list, dict),
    vol.Optional("default"): vol.Any(str, int, float, bool, list, dict),
    vol.Optional("required"): bool,
    vol.Optional("context"): {str: str},
    vol.Optional("selector"): validate_selector,
}


@pytest.mark.parametrize("kind", ["services", "triggers", "conditions"])
def test_what_automations_use_is_described(kind: str) -> None:
    listed = load_yaml_dict(str(INTEGRATION / f"{kind}.yaml"))
    # Anchors for parts that are repeated begin with a dot.
    listed = {name: description for name, description in listed.items() if name[0] != "."}
    vol.Schema(
        {
            key: vol.Any(
                None,
                {
                    vol.Optional("target"): vol.Any(None, TargetSelector.CONFIG_SCHEMA),
                    vol.Optional("fields"): {key: FIELD},
                },
            )
        }
    )(listed)
    assert listed.keys() == ENGLISH[kind].keys() == ICONS[kind].keys()
    for name, description in listed.items():
        fields = (description or {}).get("fields", {})
        assert fields.keys() == ENGLISH[kind][name].get("fields", {}).keys()
        for field in fields.values():
            chosen = field.get("selector", {}).get("select") or {}
            if "translation_key" in chosen:
                options = ENGLISH["selector"][chosen["translation_key"]]["options"]
                assert set(options) == set(chosen["options"])


def shown(where: str) -> bool:
    """Tell whether a test, or a heading of a page, exists."""
    path, _, test = where.partition("::")
    path, _, heading = path.partition("#")
    if not (ROOT / path).is_file():
        return False
    content = (ROOT / path).read_text("utf-8")
    headings = (line.strip("# ").lower() for line in content.splitlines() if line[:1] == "#")
    return (not test or re.search(rf"def {test}\(", content) is not None) and (
        not heading
        or heading in {re.sub(r"[^a-z0-9 ]", "", each).replace(" ", "-") for each in headings}
    )


def test_every_rule_of_the_quality_scale_is_kept_and_shown() -> None:
    (core,) = map(Path, core_components)
    known = load_yaml_dict(str(core / "peblar" / "quality_scale.yaml"))["rules"]
    rules = load_yaml_dict(str(INTEGRATION / "quality_scale.yaml"))["rules"]
    assert rules.keys() == known.keys()
    assert len(rules) == 54
    for rule, state in rules.items():
        if state["status"] == "exempt":
            assert state["comment"].endswith("."), rule
        else:
            assert state["status"] == "done", rule
            assert shown(state["comment"]), f"{rule}: {state['comment']}"


def test_common_parts_are_where_home_assistant_expects_them() -> None:
    assert "DataUpdateCoordinator" in (INTEGRATION / "coordinator.py").read_text()
    assert "CoordinatorEntity" in (INTEGRATION / "entity.py").read_text()


def test_every_platform_says_how_many_updates_run_at_once() -> None:
    platforms = [INTEGRATION / f"{platform}.py" for platform in ENGLISH["entity"]]
    assert platforms
    for platform in platforms:
        assert re.search(r"^PARALLEL_UPDATES = \d$", platform.read_text(), re.MULTILINE), platform
