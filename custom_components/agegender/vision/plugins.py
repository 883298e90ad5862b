"""Exchangeable parts by name: our own, and those of other installed packages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib import import_module
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class PluginError(LookupError):
    """No part of that name, or one that failed to load."""


class Registry(Generic[T]):
    """Parts of one kind by name.

    Other distributions add theirs through an entry point of the registry's group
    whose value is what `register` would have been given.

    Parameters
    ----------
    kind
        What the parts are: ``detector``, ``runtime``. Names the group of entry points,
        ``agegender.<kind>s``.
    own
        Our own parts by name.
    """

    def __init__(self, kind: str, own: Mapping[str, T]) -> None:
        """Start with our own parts."""
        self.kind = kind
        self.group = f"agegender.{kind}s"
        self._parts = dict(own)

    def register(self, name: str, part: T) -> None:
        """Add a part.

        Raises
        ------
        PluginError
            The name is taken.
        """
        if name in self._parts:
            raise PluginError(f"two {self.kind}s are called {name!r}")
        self._parts[name] = part

    def names(self) -> list[str]:
        """Return all names, sorted; loads nothing."""
        found = {entry.name for entry in self._offered()}
        return sorted(found | self._parts.keys())

    def get(self, name: str) -> T:
        """Return the part called ``name``; ours win over another package's.

        Raises
        ------
        PluginError
            It does not exist (the message lists those that do) or failed to import.
        """
        if name in self._parts:
            return self._parts[name]
        for entry in self._offered(name=name):
            try:
                part: T = entry.load()
            except Exception as error:  # whatever another package's import raises
                raise PluginError(
                    f"the {self.kind} {name!r} ({entry.value}) failed to load: {error}"
                ) from error
            return part
        raise PluginError(
            f"no {self.kind} is called {name!r}; there are: {', '.join(self.names())}"
        )

    def _offered(self, **of: str) -> Iterable[Any]:
        """Return the entry points of other packages; what reads them is slow to import."""
        offered: Iterable[Any] = import_module("importlib.metadata").entry_points(
            group=self.group, **of
        )
        return offered
