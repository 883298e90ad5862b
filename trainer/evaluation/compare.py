"""Several models on the same faces: one table, with paired bootstrap confidence intervals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from rich.table import Table
from scipy.stats import bootstrap

from trainer.data.faces import Faces
from trainer.evaluation.cost import Cost
from trainer.evaluation.figures import each_dataset, errors, mean, shown, title
from trainer.evaluation.predictions import Predictions

RESAMPLES = 1000
CONFIDENCE = 0.95


def compare(
    faces: Faces,
    answers: Mapping[str, Predictions],
    costs: Mapping[str, Cost | None],
    seed: int = 1,
) -> pd.DataFrame:
    """Return the figures of each model on each data set.

    The faces are drawn anew with replacement, the same for both models of a pair (Efron and
    Tibshirani, 1993), so that what makes a face hard for both does not blur the difference.

    Parameters
    ----------
    faces, answers
        What was looked at, and what each model says of it.
    costs
        By model.
    seed
        Of the resampling.

    Returns
    -------
    pandas.DataFrame
        One row for each model, data set and figure: `value` with `low` and `high`, the
        bounds of its 95 % confidence interval, and `difference` from the first model,
        with `difference_low` and `difference_high`. Costs are rows without a data set.
    """
    rows: list[dict[str, Any]] = []
    first: dict[tuple[str, str], NDArray[np.float64]] = {}
    for model, found in answers.items():
        for dataset, held, said in each_dataset(faces, found):
            for name, values in errors(held, said).items():
                row: dict[str, Any] = {"model": model, "dataset": dataset, "figure": name}
                row |= _interval(name, (values,), seed)
                base = first.setdefault((dataset, name), values)
                if base is not values:
                    both = _interval(name, (values, base), seed)
                    keys = ("difference", "difference_low", "difference_high")
                    row |= dict(zip(keys, both.values(), strict=True))
                rows.append(row)
        if cost := costs.get(model):
            rows += [
                {"model": model, "dataset": "", "figure": name, "value": value}
                for name, value in (
                    ("parameters", cost.parameters),
                    ("multiply-adds", cost.multiply_adds),
                    ("bytes", cost.size),
                    ("ms per face", cost.milliseconds),
                )
            ]
    return pd.DataFrame(rows)


def wide(found: pd.DataFrame) -> pd.DataFrame:
    """Return the table of a paper: models side by side, a row for each figure, as text.

    Where the difference from the first model is beyond chance, a star follows.
    """
    cells = {}
    for row in found.fillna({"difference_low": 0, "difference_high": 0}).itertuples():
        name, value = str(row.figure), float(str(row.value))
        if not row.dataset:
            text = f"{value:.1f}" if name == "ms per face" else f"{value:,.0f}"
            cells["cost", name, str(row.model)] = text
            continue
        low, high = float(str(row.difference_low)), float(str(row.difference_high))
        star = "*" if low * high > 0 else ""
        span = f"{shown(name, float(str(row.low)))} to {shown(name, float(str(row.high)))}"
        key = str(row.dataset), title(name), str(row.model)
        cells[key] = f"{shown(name, value)} ({span}){star}"
    table = pd.Series(cells).unstack(level=2)  # noqa: PD010  (a series has no pivot_table)
    order = list(dict.fromkeys(key[:2] for key in cells))
    models = list(dict.fromkeys(found["model"]))
    result: pd.DataFrame = table.reindex(order)[models].fillna("-")
    return result


def view(table: pd.DataFrame, heading: str) -> Table:
    """Return :func:`wide` for the terminal."""
    caption = "95 % confidence intervals; * differs from the first model beyond chance"
    out = Table("", "", *map(str, table.columns), title=heading, caption=caption)
    for labels, *cells in table.itertuples():
        out.add_row(*map(str, labels), *map(str, cells))
    return out


def markdown(table: pd.DataFrame) -> str:
    """Return :func:`wide` as Markdown."""
    lines = [["", "", *map(str, table.columns)], ["---"] * (len(table.columns) + 2)]
    for labels, *cells in table.itertuples():
        lines.append([*map(str, labels), *map(str, cells)])
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def _interval(name: str, samples: tuple[NDArray[np.float64], ...], seed: int) -> dict[str, float]:
    known = ~np.isnan(samples[0])
    samples = tuple(sample[known] for sample in samples)

    def statistic(*parts: NDArray[np.float64], axis: int = -1) -> Any:
        values = [mean(name, part, axis) for part in parts]
        return values[0] - values[1] if len(values) == 2 else values[0]

    value = float(statistic(*samples))
    if len(samples[0]) < 2:
        return {"value": value, "low": value, "high": value}
    spread = bootstrap(
        samples,
        statistic,
        paired=len(samples) > 1,
        vectorized=True,
        n_resamples=RESAMPLES,
        confidence_level=CONFIDENCE,
        method="percentile",
        batch=100,
        rng=np.random.default_rng(seed),
    ).confidence_interval
    return {"value": value, "low": float(spread.low), "high": float(spread.high)}
