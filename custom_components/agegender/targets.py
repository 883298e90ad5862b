"""Which of our entities a trigger or a condition means."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from homeassistant.const import ATTR_ENTITY_ID, Platform
from homeassistant.core import HomeAssistant
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.automation import DomainSpec

from .const import DOMAIN


@dataclass(frozen=True, slots=True)
class Kind:
    """Entities that tell the same kind of thing, by their translation keys.

    Parameters
    ----------
    main
        Those that a camera's device stands for, or an area, floor or label with it.
    others
        Those that are only meant when they are named.
    """

    main: frozenset[str]
    others: frozenset[str] = frozenset()

    def __contains__(self, key: str | None) -> bool:
        """Tell whether entities with a translation key are of the kind."""
        return key in self.main or key in self.others


PEOPLE = frozenset({"people", "window_people"})
COUNTS = Kind(
    main=PEOPLE,
    others=frozenset(
        f"{span}{who}"
        for span in ("", "window_", "today_")
        for who in ("people", "female", "male", "gender_unknown", "age_band", "age_unknown")
    )
    - PEOPLE,
)


class OurEntities:
    """Takes, of the entities that the target of a trigger or condition has, ours of a kind."""

    _kind: ClassVar[Kind]
    _domain_specs: Mapping[str, DomainSpec] = {Platform.SENSOR: DomainSpec()}
    _hass: HomeAssistant
    _target: dict[str, Any]

    def entity_filter(self, entities: set[str]) -> set[str]:
        """Return those of ``entities`` that are meant."""
        registry = er.async_get(self._hass)
        named = cv.ensure_list(self._target.get(ATTR_ENTITY_ID))
        meant = set()
        for entity_id in entities:
            entry = registry.async_get(entity_id)
            if entry is None or entry.platform != DOMAIN:
                continue
            key = entry.translation_key
            if key in self._kind.main or (key in self._kind and entity_id in named):
                meant.add(entity_id)
        return meant


class OurCounts(OurEntities):
    """Numbers of people."""

    _kind = COUNTS


class OurMajorities(OurEntities):
    """What most people are."""

    _kind = Kind(main=frozenset({"majority_band"}), others=frozenset({"majority_gender"}))


class OurChildren(OurEntities):
    """Whether children are in view."""

    _kind = Kind(main=frozenset({"children"}))
    _domain_specs: Mapping[str, DomainSpec] = {Platform.BINARY_SENSOR: DomainSpec()}
