"""Figures of several trainings: their mean, and how far they lie apart."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from trainer.evaluation import figures

Spread = dict[str, dict[str, dict[str, float]]]
"""By data set and figure: `mean` and `deviation`, the standard deviation of the trainings."""


def summary(results: pd.DataFrame, key: str) -> Spread:
    """Return mean and standard deviation over the trainings.

    Parameters
    ----------
    results
        A row for each training and data set: its number in the column `key`, `dataset`, and
        the figures.
    key
        Of which trainings they are: `fold`, or `seed`.
    """
    out: Spread = {}
    for dataset, part in results.groupby("dataset", sort=False):
        numbers = part.drop(columns=[key, "dataset"]).dropna(axis=1, how="all")
        out[str(dataset)] = {
            str(name): {"mean": float(column.mean()), "deviation": float(column.std())}
            for name, column in numbers.items()
        }
    return out


def told(name: str, value: Mapping[str, float] | None) -> str:
    """Return a figure's mean and deviation as people read them; `-` where there is none."""
    if value is None:
        return "-"
    return " ± ".join(figures.shown(name, value[key]) for key in ("mean", "deviation"))
