"""Several models on the same faces: one table, with paired bootstrap confidence intervals."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from rich.table import Table
from scipy.stats import bootstrap

from trainer.data.faces import Faces
from trainer.errors import InputError
from trainer.evaluation.cost import COSTS
from trainer.evaluation.figures import TITLES, each_dataset, errors, mean, shown, title
from trainer.evaluation.predictions import Predictions
from trainer.files import atomically

RESAMPLES = 1000
CONFIDENCE = 0.95
COLUMNS = [
    *("model", "dataset", "figure", "value", "low", "high"),
    *("difference", "difference_low", "difference_high"),
]
BEGIN, END = "<!-- compare -->", "<!-- /compare -->"
"""Between these lines of a page the table stands."""


def compare(
    faces: Faces,
    answers: Mapping[str, Predictions],
    costs: Mapping[str, Mapping[str, float]],
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
        By model, see :func:`trainer.evaluation.cost.table`.
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
        rows += [
            {"model": model, "dataset": "", "figure": name, "value": value}
            for name, value in costs.get(model, {}).items()
        ]
    return pd.DataFrame(rows, columns=COLUMNS)


def wide(found: pd.DataFrame) -> pd.DataFrame:
    """Return the table of a paper as text: a row for each data set and model.

    Where the difference from the first model is beyond chance, a star follows.
    """
    cells: dict[tuple[str, str], dict[str, str]] = {}
    datasets = [name for name in found["dataset"].unique() if name]
    for row in found.fillna({"difference_low": 0, "difference_high": 0}).itertuples():
        name, model, value = str(row.figure), str(row.model), float(str(row.value))
        if not row.dataset:
            for dataset in datasets:
                cells.setdefault((dataset, model), {})[COSTS[name]] = _told(name, value)
            continue
        low, high = float(str(row.difference_low)), float(str(row.difference_high))
        star = "*" if low * high > 0 else ""
        span = f"{shown(name, float(str(row.low)))} to {shown(name, float(str(row.high)))}"
        text = f"{shown(name, value)} ({span.replace(' %', '')}){star}"
        cells.setdefault((str(row.dataset), model), {})[title(name)] = text
    columns = [*COSTS.values(), *TITLES.values()]
    rows = [
        {"data set": dataset, "model": model} | cells.get((dataset, model), {})
        for dataset in datasets
        for model in found["model"].unique()
    ]
    table = pd.DataFrame(rows, columns=["data set", "model", *columns])
    result: pd.DataFrame = table.dropna(axis="columns", how="all").fillna("-")
    return result


def view(table: pd.DataFrame, heading: str, width: int) -> Table:
    """Return :func:`wide` for a terminal of so many characters.

    Where its rows are wider than that, the models stand side by side.
    """
    rows = [list(map(str, table.columns)), *table.to_numpy(str).tolist()]
    widths = [max(map(len, column)) + 3 for column in zip(*rows, strict=True)]
    if sum(widths) + 1 > width:
        rows = [list(column) for column in zip(*rows, strict=True)]
    caption = "95 % confidence intervals; * differs from the first model beyond chance"
    out = Table(*rows[0], title=heading, caption=caption)
    for row in rows[1:]:
        out.add_row(*row)
    return out


def markdown(table: pd.DataFrame) -> str:
    """Return :func:`wide` as Markdown."""
    head = [str(name) for name in table.columns]
    lines = [head, ["---"] * len(head), *table.to_numpy(str).tolist()]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def into_page(page: Path, text: str) -> None:
    """Put a table between the marks of a page, in place of what is there.

    Raises
    ------
    InputError
        The page cannot be read, or has no such marks.
    """
    try:
        before, _, rest = page.read_text("utf-8").partition(BEGIN)
    except OSError as error:
        raise InputError(f"{page}: cannot be read ({error.strerror}).") from error
    _, end, after = rest.partition(END)
    if not end:
        raise InputError(f"{page}: has no line {BEGIN!r} with a line {END!r} below it.")
    made = f"{before}{BEGIN}\n\n{text}\n{END}{after}"
    atomically(page, lambda partial: partial.write_text(made, "utf-8"))


def _told(name: str, value: float) -> str:
    if name == "milliseconds":
        return f"{value:.2f}"
    if name == "cpu_minutes":
        return f"{value:.1f}"
    if name in {"bytes", "views"}:
        return f"{value / 1e3:,.0f}"
    return f"{value / 1e6:,.2f}" if name == "multiply_adds" else f"{value:,.0f}"


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
