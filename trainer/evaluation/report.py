"""The figures of one model on one split, as data, as a table and as plots."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from rich.table import Table

from trainer.data.faces import Faces
from trainer.evaluation import metrics
from trainer.evaluation.predictions import Predictions

TITLES = {
    "faces": "faces",
    "mae": "age MAE, years",
    "rmse": "age RMSE, years",
    "cs5": "within 5 years",
    "mae_children": "age MAE of children 0-9, years",
    "interval_coverage": "80 % interval holds the age",
    "gender": "gender accuracy",
    "gender_ece": "gender calibration error (ECE)",
    "fairface_exact": "FairFace band, exact",
    "fairface_one_off": "FairFace band, one-off",
    "adience_exact": "Adience band, exact",
    "adience_one_off": "Adience band, one-off",
    "median_mae": "age MAE of always answering the median",
}
"""What each figure of :func:`figures` means, in the order shown."""

SHARES = {
    "cs5",
    "interval_coverage",
    "gender",
    "gender_ece",
    "fairface_exact",
    "fairface_one_off",
    "adience_exact",
    "adience_one_off",
}


def figures(faces: Faces, found: Predictions) -> dict[str, float]:
    """Return the figures of one set of faces.

    Parameters
    ----------
    faces
        With labels; unknown ones are left out of the figures that need them.
    found
        The model's answers, in the same order.

    Returns
    -------
    dict
        A subset of the keys of :data:`TITLES`: years, or shares in [0, 1]. Errors in years
        are there only where ages are exact, band accuracies where ages are known at all.
    """
    out: dict[str, float] = {"faces": len(faces)}
    low, high = faces.ages.T.astype(np.float64)
    age, (interval_low, interval_high) = found.age, found.interval(0.8)
    exact = low == high
    if exact.any():
        true, said = low[exact], age[exact]
        out["mae"] = metrics.mean_absolute_error(true, said)
        out["rmse"] = metrics.root_mean_squared_error(true, said)
        out["cs5"] = metrics.cumulative_score(true, said)
        out["median_mae"] = metrics.mean_absolute_error(true, np.full_like(true, np.median(true)))
        if (children := true < 10).any():
            out["mae_children"] = metrics.mean_absolute_error(true[children], said[children])
        out["interval_coverage"] = metrics.coverage(
            true, true, interval_low[exact], interval_high[exact]
        )
    known = ~np.isnan(low)
    if known.any():
        for name, bands in (
            ("fairface", metrics.FAIRFACE_BANDS),
            ("adience", metrics.ADIENCE_BANDS),
        ):
            if name == "adience" and not exact[known].all():
                continue  # FairFace's bands cut across Adience's
            out[f"{name}_exact"], out[f"{name}_one_off"] = metrics.band_accuracy(
                low[known], high[known], age[known], bands
            )
    known = ~np.isnan(faces.female)
    if known.any():
        out["gender"] = metrics.accuracy(faces.female[known], found.p_female[known])
        out["gender_ece"] = metrics.expected_calibration_error(
            faces.female[known], found.p_female[known]
        )
    return out


def by_decade(faces: Faces, found: Predictions) -> pd.DataFrame:
    """Return errors by decade of true age and gender; exact ages only.

    Returns
    -------
    pandas.DataFrame
        Columns `decade`, `gender` ("female", "male", "all"), `faces`, `mae` and `bias`
        (mean of predicted minus true) in years, `accuracy` of the gender in [0, 1].
    """
    rows = []
    exact = faces.ages[:, 0] == faces.ages[:, 1]
    decades = np.minimum(faces.ages[:, 0] // 10 * 10, 90)
    for decade in np.unique(decades[exact]):
        for gender, wanted in (("all", None), ("female", 1), ("male", 0)):
            here = exact & (decades == decade)
            if wanted is not None:
                here &= faces.female == wanted
            if not here.any():
                continue
            error = found.age[here] - faces.ages[here, 0]
            labelled = here & ~np.isnan(faces.female)
            rows.append(
                {
                    "decade": f"{decade:.0f}-{decade + 9:.0f}" if decade < 90 else "90+",
                    "gender": gender,
                    "faces": int(here.sum()),
                    "mae": float(np.abs(error).mean()),
                    "bias": float(error.mean()),
                    "accuracy": metrics.accuracy(faces.female[labelled], found.p_female[labelled])
                    if labelled.any()
                    else None,
                }
            )
    return pd.DataFrame(rows)


def by_group(faces: Faces, found: Predictions) -> pd.DataFrame:
    """Return gender accuracy and exact FairFace band by the manifest's column `group`."""
    names = ("faces", "gender", "fairface_exact", "mae")
    return pd.DataFrame(
        [
            {"group": group} | {n: part[n] for n in names if n in part}
            for group, held, said in _split(faces, found, "group")
            for part in (figures(held, said),)
        ]
    )


def each_dataset(faces: Faces, found: Predictions) -> Iterator[tuple[str, Faces, Predictions]]:
    """Give the faces and answers of each data set in turn."""
    return _split(faces, found, "dataset")


def report(faces: Faces, found: Predictions) -> dict[str, Any]:
    """Return everything about each data set, ready for JSON."""
    return {
        name: {
            "figures": {key: round(value, 4) for key, value in figures(part, said).items()},
            "by_decade": by_decade(part, said).round(4).to_dict("records"),
            "by_group": by_group(part, said).round(4).to_dict("records"),
        }
        for name, part, said in each_dataset(faces, found)
    }


def shown(name: str, value: float) -> str:
    """Return a figure as people read it: a percentage, years, or a whole number."""
    if name == "faces":
        return f"{value:,.0f}"
    return f"{100 * value:.1f} %" if name in SHARES else f"{value:.2f}"


def rows(result: dict[str, Any]) -> Iterator[list[str]]:
    """Yield each figure that any part of :func:`report` has: its meaning, then its values."""
    for key, meaning in TITLES.items():
        values = [part["figures"].get(key) for part in result.values()]
        if any(value is not None for value in values):
            yield [meaning, *("-" if v is None else shown(key, v) for v in values)]


def table(result: dict[str, Any], title: str) -> Table:
    """Return the figures of :func:`report` as a table for the terminal."""
    view = Table("", *result, title=title)
    for row in rows(result):
        view.add_row(*row)
    return view


def plot(faces: Faces, found: Predictions, path: Path, title: str) -> None:
    """Draw age scatter, error by decade and gender calibration into a PNG."""
    from matplotlib.figure import Figure  # noqa: PLC0415  (slow to import)

    figure = Figure(figsize=(13, 4.2), layout="constrained")
    figure.suptitle(title)
    scatter, decades, reliability = figure.subplots(1, 3)
    exact = faces.ages[:, 0] == faces.ages[:, 1]
    _plot_scatter(scatter, faces.ages[exact, 0], found.age[exact])
    table = by_decade(faces, found)
    if len(table):
        every = table[table["gender"] == "all"]
        decades.bar(every["decade"], every["mae"], color="#4477aa", label="MAE")
        decades.plot(every["decade"], every["bias"], "o-", color="#ee6677", label="bias")
        decades.axhline(0, color="0.6", lw=0.8)
        decades.set(xlabel="true age, years", ylabel="error, years", title="error by decade")
        decades.tick_params(axis="x", rotation=60)
        decades.legend()
    known = ~np.isnan(faces.female)
    _plot_reliability(reliability, faces.female[known], found.p_female[known])
    figure.savefig(path, dpi=110)


def _plot_scatter(ax: Any, age: NDArray[np.float32], said: NDArray[np.float64]) -> None:
    ax.plot([0, 100], [0, 100], color="0.6", lw=0.8)
    ax.scatter(age, said, s=4, alpha=0.25, color="#4477aa", linewidths=0)
    ax.set(xlim=(0, 100), ylim=(0, 100), xlabel="true age, years", ylabel="predicted, years")
    ax.set(title="age", aspect="equal")


def _plot_reliability(ax: Any, female: NDArray[np.float32], p: NDArray[np.float64]) -> None:
    bins = np.minimum((p * 10).astype(int), 9)
    used = np.unique(bins)
    ax.plot([0, 1], [0, 1], color="0.6", lw=0.8)
    ax.plot(
        [p[bins == b].mean() for b in used],
        [female[bins == b].mean() for b in used],
        "o-",
        color="#4477aa",
    )
    ax.set(xlabel="predicted p(female)", ylabel="share of women", title="gender calibration")
    ax.set(aspect="equal")


def _split(
    faces: Faces, found: Predictions, column: str
) -> Iterator[tuple[str, Faces, Predictions]]:
    if column not in faces.table:
        return
    for value in sorted(faces.table[column].dropna().unique()):
        here = np.flatnonzero(faces.table[column] == value)
        yield str(value), faces.subset(here), found.subset(here)
