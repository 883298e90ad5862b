"""Data sets by name: the built-in ones and those of other packages."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from agegender_vision.plugins import PluginError, Registry
from trainer.data import (
    adience,
    afad,
    csv_file,
    fairface,
    fer2013,
    folder,
    imdb_wiki,
    noface,
    utkface,
)
from trainer.data.pack import Pack
from trainer.data.sample import Rejected, Sample
from trainer.errors import InputError


class Dataset(Protocol):
    """A reader of a downloaded data set; a module with this function will do."""

    def samples(self, source: Path) -> Iterator[Sample | Rejected]:
        """Yield each labelled face, and each file that cannot be used, in a fixed order.

        The labels are read, the pictures are not opened: :mod:`trainer.data.prepare` does
        that, the same way for all data sets.

        Raises
        ------
        InputError
            `source` does not hold this data set; the message says what is missing.
        """


datasets: Registry[Dataset] = Registry(
    "dataset",
    {
        "adience": adience,
        "afad": afad,
        "csv": csv_file,
        "fairface": fairface,
        "fer2013": fer2013,
        "fgnet": Pack("fgnet"),
        "folder": folder,
        "imdb-wiki": imdb_wiki,
        "lfw": Pack("lfw"),
        "noface": noface,
        "utkface": utkface,
    },
)
"""Other packages add theirs through the entry point group `agegender.datasets`."""


def dataset(name: str) -> Dataset:
    """Return the data set called `name`; raises InputError listing the names otherwise."""
    try:
        return datasets.get(name)
    except PluginError as error:
        raise InputError(str(error)) from error
