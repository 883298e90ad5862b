"""Data sets by name: the built-in ones and those of other packages."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import pandas as pd

from agegender_vision.plugins import PluginError, Registry
from trainer.data.pack import PackSource
from trainer.errors import InputError


class Dataset(Protocol):
    """A reader that turns a downloaded data set into a manifest."""

    def prepare(self, source: Path, output: Path) -> pd.DataFrame:
        """Write `output`/manifest.csv; return the rejected files (`file`, `reason`)."""


datasets: Registry[Dataset] = Registry(
    "dataset", {name: PackSource(name) for name in ("utkface", "fairface", "fgnet", "lfw")}
)
"""Other packages add theirs through the entry point group `agegender.datasets`."""


def dataset(name: str) -> Dataset:
    """Return the data set called `name`; raises InputError listing the names otherwise."""
    try:
        return datasets.get(name)
    except PluginError as error:
        raise InputError(str(error)) from error
