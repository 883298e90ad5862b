"""How the labels of manifests are distributed: by age, gender, split and any other column."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from rich.table import Table

from trainer.data import manifest

STEP = 5
EDGES = np.arange(0, manifest.MAX_AGE + STEP, STEP)
GENDERS = ("female", "male", "unknown")
MOST_VALUES = 12
"""A further column with more distinct values is shown as that number alone."""


@dataclass
class Histogram:
    """Counts of the labels of one or more manifests.

    Attributes
    ----------
    ages
        Faces by split and gender: an array of one number for each five years. A band of
        ages counts in equal parts in each of its years.
    faces
        Number of faces by (split, gender).
    age_labels
        Number of faces by the kind of their age: `years`, `band` or `unknown`.
    columns
        For each further column, its values and how often each is there.
    """

    ages: dict[tuple[str, str], NDArray[np.float64]] = field(default_factory=dict)
    faces: Counter[tuple[str, str]] = field(default_factory=Counter)
    age_labels: Counter[str] = field(default_factory=Counter)
    columns: dict[str, Counter[str]] = field(default_factory=dict)

    def add(self, table: pd.DataFrame) -> None:
        """Count some rows of a manifest."""
        gender = table["gender"].fillna("unknown")
        for (split, sex), part in table.groupby([table["split"], gender]):
            key = (str(split), str(sex))
            self.faces[key] += len(part)
            known = part[["age_low", "age_high"]].dropna()
            self.ages[key] = self.ages.get(key, 0) + _spread(known.to_numpy(np.float64))
        width = table["age_high"] - table["age_low"]
        kinds = width.map(lambda years: "years" if years == 0 else "band" if years > 0 else "")
        self.age_labels.update(kinds.replace("", "unknown"))
        for name in table.columns.difference([*manifest.COLUMNS, "dataset"], sort=False):
            seen = self.columns.setdefault(str(name), Counter())
            if len(seen) <= MOST_VALUES:
                seen.update(table[name].dropna().astype(str))


def count(manifests: Sequence[Path]) -> Histogram:
    """Count the labels of manifests, in parts: memory does not grow with them."""
    histogram = Histogram()
    for path in manifests:
        for table in manifest.stream(path):
            histogram.add(table)
    return histogram


def _spread(bands: NDArray[np.float64]) -> NDArray[np.float64]:
    """Count ages (N, 2) by five years, a band in equal parts in each of its years."""
    years = np.zeros(int(EDGES[-1]))
    low, high = np.minimum(bands, len(years) - 1).astype(int).T
    for first, last in zip(low, high, strict=True):
        years[first : last + 1] += 1 / (last + 1 - first)
    counts: NDArray[np.float64] = years.reshape(-1, STEP).sum(axis=1)
    return counts


def splits(histogram: Histogram) -> list[str]:
    """Return the splits that have faces, in their usual order."""
    return [name for name in manifest.SPLITS if any(key[0] == name for key in histogram.faces)]


def tables(histogram: Histogram) -> list[Table]:
    """Return the counts for a terminal: faces by split and gender, by age, by further column."""
    names = splits(histogram)
    total = Table("faces", *names, title="Faces by gender")
    for gender in GENDERS:
        row = [histogram.faces[name, gender] for name in names]
        if any(row):
            total.add_row(gender, *(f"{number:,}" for number in row))
    ages = Table("age", *names, title="Faces by age (" + _kinds(histogram) + ")")
    summed = [_of_split(histogram, name) for name in names]
    for step, start in enumerate(EDGES[:-1]):
        row_ = [counts[step] for counts in summed]
        if any(row_):
            ages.add_row(f"{start:.0f}-{start + STEP - 1:.0f}", *(f"{n:,.0f}" for n in row_))
    found = [total, ages]
    if histogram.columns:
        further = Table("column", "values", title="Further columns")
        for name, seen in histogram.columns.items():
            shown = ", ".join(f"{value} {number:,}" for value, number in seen.most_common())
            further.add_row(name, shown if len(seen) <= MOST_VALUES else "many")
        found.append(further)
    return found


def _kinds(histogram: Histogram) -> str:
    return ", ".join(f"{number:,} {kind}" for kind, number in histogram.age_labels.most_common())


def _of_split(histogram: Histogram, split: str) -> NDArray[np.float64]:
    parts = [counts for key, counts in histogram.ages.items() if key[0] == split]
    total: NDArray[np.float64] = np.sum(parts, axis=0)
    return total


def draw(histogram: Histogram, title: str, path: Path) -> None:
    """Draw the ages of each split, stacked by gender, and the further columns below."""
    from matplotlib.figure import Figure  # noqa: PLC0415  # slow to import, seldom needed

    names = splits(histogram)
    further = {name: seen for name, seen in histogram.columns.items() if seen}
    further = {name: seen for name, seen in further.items() if len(seen) <= MOST_VALUES}
    panels = len(names) + len(further)
    figure = Figure(figsize=(8, 2.4 * panels), layout="constrained")
    figure.suptitle(title)
    axes = figure.subplots(panels, 1, squeeze=False)[:, 0]
    for ax, name in zip(axes, names, strict=False):
        below = np.zeros(len(EDGES) - 1)
        for gender in GENDERS:
            counts = histogram.ages.get((name, gender))
            if counts is not None:
                ax.bar(EDGES[:-1], counts, STEP * 0.9, below, align="edge", label=gender)
                below = below + counts
        ax.set(title=f"{name}: {sum(n for k, n in histogram.faces.items() if k[0] == name):,}")
        ax.set(xlabel="age", ylabel="faces", xlim=(0, EDGES[-1]))
        ax.legend()
    for ax, (name, seen) in zip(axes[len(names) :], further.items(), strict=True):
        values, numbers = zip(*seen.most_common(), strict=True)
        ax.barh(values, numbers)
        ax.invert_yaxis()
        ax.set(title=name, xlabel="faces")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)
