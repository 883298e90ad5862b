"""What is said about a model on a set of faces, as data."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from rich.table import Table

from agegender_vision.census import BAND_CONFIDENCE, GENDER_CONFIDENCE, GENDERS, AgeBands
from trainer.data.faces import Faces
from trainer.evaluation import metrics
from trainer.evaluation.predictions import Predictions
from trainer.models.heads import Head

TITLES = {
    "faces": "faces",
    "mae": "age MAE, years",
    "rmse": "age RMSE, years",
    "cs5": "within 5 years",
    "mae_children": "age MAE of children 0-9, years",
    "interval_coverage": "80 % interval holds the age",
    "gender": "gender accuracy",
    "gender_ece": "gender calibration error (ECE)",
    "gender_ece_chance": "the same, were it perfect: chance alone",
    "gender_gap": "gender accuracy, best group less worst",
    "gender_gap_chance": "the same, were all groups alike: chance alone",
    "fairface_exact": "FairFace band, exact",
    "fairface_one_off": "FairFace band, one-off",
    "fairface_commonest": "FairFace band, exact, of always answering the commonest",
    "adience_exact": "Adience band, exact",
    "adience_one_off": "Adience band, one-off",
    "adience_commonest": "Adience band, exact, of always answering the commonest",
    "undefined": "taken for no face (Undefined)",
    "median_mae": "age MAE of always answering the median",
    "majority_gender": "gender accuracy of always answering the majority",
    "random_mae": "age MAE of a linear probe on random weights",
    "random_gender": "gender accuracy of a linear probe on random weights",
    "probe_mae": "age MAE of a linear probe on the pretrained encoder",
    "probe_gender": "gender accuracy of a linear probe on the pretrained encoder",
}
"""What each figure of :func:`figures` means, in the order shown; attributes follow."""
YEARS = {"mae", "rmse", "mae_children", "median_mae", "random_mae", "probe_mae"}
"""The figures that are years; all others but `faces` are shares in [0, 1]."""

BANDS = {name: AgeBands.preset(name) for name in ("fairface", "adience")}
"""The age bands that accuracies are given for."""
COUNTED = "household"
"""The age bands by which the census counts unless asked for others."""
FITTING = 0.95
"""Least share of the age labels that lie in one band each, for an accuracy over the bands."""
SMALLEST_GROUP = 20
"""Fewest faces of a group whose accuracy says something."""
MOST_UNKNOWN = 0.1
"""The `unknown` threshold chosen is the highest that refuses at most this share of faces."""
WORST = 10
"""Largest error of the cumulative scores, years."""
LEVELS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)


def errors(faces: Faces, found: Predictions) -> dict[str, NDArray[np.float64]]:
    """Return what each face contributes to the figures that are means over faces.

    Returns
    -------
    dict
        Figure to (N,), NaN where the face has no such label: `mae` |error| in years, `rmse`
        its square, `undefined` 1 where the model sees no face, the others 1 where the answer
        is right and 0 where it is wrong or undefined. A figure is absent where no face has
        the label, or the model no answer.
    """
    out: dict[str, NDArray[np.float64]] = {}
    low, high = faces.ages.T.astype(np.float64)
    refused = np.zeros(len(faces), np.bool_) if found.undefined is None else found.undefined
    if found.knows_age:
        error = np.where(low == high, found.age - low, np.nan)
        out["mae"], out["rmse"] = np.abs(error), np.square(error)
        out["cs5"] = np.where(np.isnan(error), np.nan, np.abs(error) <= 5)
        for name, bands in BANDS.items():
            true = band_labels(faces, bands)
            if (known := ~np.isnan(low)).any() and np.mean(true[known] >= 0) >= FITTING:
                off = np.where(true < 0, np.nan, np.abs(found.bands(bands) - true))
                for key, most in (("exact", 0), ("one_off", 1)):
                    right = (off <= most) & ~refused
                    out[f"{name}_{key}"] = np.where(np.isnan(off), np.nan, right)
    if found.knows_gender:
        right = ((found.p_female >= 0.5) == (faces.female == 1)) & ~refused
        out["gender"] = np.where(np.isnan(faces.female), np.nan, right)
    if found.undefined is not None:
        out["undefined"] = refused.astype(np.float64)
    return {name: values for name, values in out.items() if not np.isnan(values).all()}


def mean(name: str, values: NDArray[np.float64], axis: int = -1) -> Any:
    """Return a figure from :func:`errors`, over the faces that have it."""
    average = np.nanmean(values, axis=axis)
    return np.sqrt(average) if name == "rmse" else average


def figures(
    faces: Faces, found: Predictions, heads: Mapping[str, Head] | None = None
) -> dict[str, float]:
    """Return the figures of one set of faces.

    Parameters
    ----------
    faces
        With labels; unknown ones are left out of the figures that need them.
    found
        The model's answers, in the same order.
    heads
        The model's; those other than age and gender get an accuracy each.

    Returns
    -------
    dict
        A subset of the keys of :data:`TITLES`, and `NAME_accuracy` and `NAME_balanced` of
        further heads: years, or shares in [0, 1]. Errors in years are there only where
        ages are exact, accuracies over bands where the labels say which band it is.
    """
    single = errors(faces, found)
    out: dict[str, float] = {"faces": len(faces)}
    out |= {name: float(mean(name, values)) for name, values in single.items()}
    low, high = faces.ages.T.astype(np.float64)
    if (children := (low == high) & (low < 10)).any() and "mae" in single:
        out["mae_children"] = float(np.mean(single["mae"][children]))
    if (exact := low == high).any() and "mae" in single:
        out["median_mae"] = float(np.abs(low[exact] - np.median(low[exact])).mean())
    for name, bands in BANDS.items():
        if f"{name}_exact" in single:
            true = band_labels(faces, bands)
            counts = np.bincount(true[true >= 0])
            out[f"{name}_commonest"] = float(counts.max() / counts.sum())
    known = ~np.isnan(low)
    if known.any() and found.knows_age:
        held = metrics.mass_within(low[known], high[known], found.ages[known])
        out["interval_coverage"] = float(held.mean())
    if "gender" in single:
        known = ~np.isnan(faces.female)
        p = found.p_female[known]
        out["gender_ece"] = metrics.expected_calibration_error(faces.female[known], p)
        out["gender_ece_chance"] = metrics.chance_calibration_error(p)
        women = float(np.mean(faces.female[known]))
        out["majority_gender"] = max(women, 1 - women)
        out |= _gap(faces, single["gender"])
    for name, head in (heads or {}).items():
        if name in found.attributes:
            true, said = _attribute(head, faces, found.attributes[name])
            if len(true):
                out[f"{name}_accuracy"] = metrics.class_accuracy(true, said)
                out[f"{name}_balanced"] = metrics.balanced_accuracy(true, said)
    return {name: out[name] for name in (*TITLES, *out) if name in out}


def band_labels(faces: Faces, bands: AgeBands) -> NDArray[np.int64]:
    """Return the band of each age label, (N,); -1 where it is unknown or spans several."""
    out = np.full(len(faces), -1)
    for row, (low, high) in enumerate(faces.ages.astype(float)):
        if not np.isnan(low) and bands.index(low) == bands.index(high):
            out[row] = bands.index(low)
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
    right = errors(faces, found).get("gender", np.full(len(faces), np.nan))
    for decade in np.unique(decades[exact]) if found.knows_age else ():
        for gender, wanted in (("all", None), ("female", 1), ("male", 0)):
            here = exact & (decades == decade)
            if wanted is not None:
                here &= faces.female == wanted
            if not here.any():
                continue
            error = found.age[here] - faces.ages[here, 0]
            judged = right[here][~np.isnan(right[here])]
            rows.append(
                {
                    "decade": f"{decade:.0f}-{decade + 9:.0f}" if decade < 90 else "90+",
                    "gender": gender,
                    "faces": int(here.sum()),
                    "mae": float(np.abs(error).mean()),
                    "bias": float(error.mean()),
                    "accuracy": float(judged.mean()) if len(judged) else None,
                }
            )
    return pd.DataFrame(rows)


def by_group(faces: Faces, found: Predictions) -> pd.DataFrame:
    """Return the main figures by the manifest's column `group`."""
    names = ("faces", "gender", "fairface_exact", "fairface_one_off", "mae")
    return pd.DataFrame(
        [
            {"group": group} | {n: part[n] for n in names if n in part}
            for group, held, said in each_dataset(faces, found, "group")
            for part in (figures(held, said),)
        ]
    )


def unknown(faces: Faces, found: Predictions) -> dict[str, Any]:
    """Return what not answering below a confidence costs, and what it gains.

    Returns
    -------
    dict
        For `gender` and `band` (the bands that the census counts by): `curve`, see
        :func:`trainer.evaluation.metrics.selective`; `census`, the point of the integration's own
        threshold; and `chosen`, the highest threshold that leaves at most
        :data:`MOST_UNKNOWN` of the faces unknown.
    """
    out: dict[str, Any] = {}
    known = ~np.isnan(faces.female)
    if known.any() and found.knows_gender:
        p = found.p_female[known]
        out["gender"] = _selective(
            np.maximum(p, 1 - p), (p >= 0.5) == (faces.female[known] == 1), GENDER_CONFIDENCE, 0.5
        )
    bands = AgeBands.preset(COUNTED)
    true = band_labels(faces, bands)
    known = true >= 0
    if known.any() and found.knows_age:
        of_each = [bands.of(one) for one in found.subset(np.flatnonzero(known)).estimates]
        said, confidence = (np.array(column) for column in zip(*of_each, strict=True))
        out["band"] = _selective(confidence, said == true[known], BAND_CONFIDENCE, 0.0)
    return out


def confusions(
    faces: Faces, found: Predictions, heads: Mapping[str, Head] | None = None
) -> dict[str, dict[str, Any]]:
    """Return how many of each class were taken for each.

    Returns
    -------
    dict
        By name (the band accuracies that :func:`figures` gives, `gender`, further heads):
        `labels` (K) and `counts` (K, K), the true class by row.
    """
    out = {}
    single = errors(faces, found)
    for name, bands in BANDS.items():
        if f"{name}_exact" in single:
            true = band_labels(faces, bands)
            cells = metrics.confusion(
                true[true >= 0], found.bands(bands)[true >= 0], len(bands.labels)
            )
            out[f"{name} band"] = {"labels": list(bands.labels), "counts": cells.tolist()}
    if "gender" in single:
        known = ~np.isnan(faces.female)
        male, taken = faces.female[known] != 1, found.p_female[known] < 0.5
        cells = metrics.confusion(male.astype(np.int64), taken.astype(np.int64), 2)
        out["gender"] = {"labels": list(GENDERS), "counts": cells.tolist()}
    for name, head in (heads or {}).items():
        if name in found.attributes:
            true, said = _attribute(head, faces, found.attributes[name])
            names = classes(head)
            cells = metrics.confusion(true, said, len(names))
            out[name] = {"labels": names, "counts": cells.tolist()}
    return out


def cumulative_scores(faces: Faces, found: Predictions) -> list[dict[str, float]]:
    """Return the share of exact ages met within each number of years, 0 to :data:`WORST`.

    The CS curve of Geng et al., TPAMI 2007.
    """
    exact = faces.ages[:, 0] == faces.ages[:, 1]
    if not exact.any() or not found.knows_age:
        return []
    age, said = faces.ages[exact, 0], found.age[exact]
    return [
        {"years": years, "score": metrics.cumulative_score(age, said, years)}
        for years in range(WORST + 1)
    ]


def interval_coverage(faces: Faces, found: Predictions) -> list[dict[str, float]]:
    """Return which share of labels central intervals of each nominal share hold."""
    low, high = faces.ages.T.astype(np.float64)
    known = ~np.isnan(low)
    if not known.any() or not found.knows_age:
        return []
    return [
        {
            "share": level,
            "holds": float(
                metrics.mass_within(low[known], high[known], found.ages[known], level).mean()
            ),
        }
        for level in LEVELS
    ]


def classes(head: Head) -> list[str]:
    """Return the names of a head's classes, in the order of its probabilities."""
    about = head.description
    if about["type"] == "logit":
        positive = str(about["positive"])
        return ["no" if positive == "yes" else f"not {positive}", positive]
    return [str(label) for label in about["labels"]]


def missing(faces: Faces, heads: Mapping[str, Head]) -> list[str]:
    """Return what no face shows, a clause for each label or class of a head."""
    out = []
    for name, head in heads.items():
        if "support" in head.description:
            if np.isnan(faces.ages[:, 0]).all():
                out.append("no face has an age")
            continue
        labels = head.targets(faces.table)[:, 0]
        seen = set(labels[~np.isnan(labels)].astype(int))
        if not seen:
            out.append(f"no face has a label for {name}")
            continue
        out += [
            f"no face is labelled {word} ({name})"
            for place, word in enumerate(GENDERS[::-1] if name == "gender" else classes(head))
            if place not in seen
        ]
    return out


def describe(
    faces: Faces, found: Predictions, heads: Mapping[str, Head] | None = None
) -> dict[str, Any]:
    """Return everything about one set of faces, ready for JSON."""
    said: dict[str, Any] = _rounded(
        {
            "figures": figures(faces, found, heads),
            "by_decade": by_decade(faces, found).to_dict("records"),
            "by_group": by_group(faces, found).to_dict("records"),
            "unknown": unknown(faces, found),
            "intervals": interval_coverage(faces, found),
            "cumulative_scores": cumulative_scores(faces, found),
            "confusion": confusions(faces, found, heads),
        }
    )
    return said


def each_dataset(
    faces: Faces, found: Predictions, column: str = "dataset"
) -> Iterator[tuple[str, Faces, Predictions]]:
    """Give the faces and answers of each data set (or other column's value) in turn."""
    if column not in faces.table:
        return
    for value in sorted(faces.table[column].dropna().unique()):
        here = np.flatnonzero(faces.table[column] == value)
        yield str(value), faces.subset(here), found.subset(here)


def title(name: str) -> str:
    """Return what a figure means."""
    if name in TITLES:
        return TITLES[name]
    head, _, kind = name.rpartition("_")
    return f"{head}, {kind} accuracy" if kind == "balanced" else f"{head}, accuracy"


def shown(name: str, value: float | None) -> str:
    """Return a figure as people read it: a percentage, years, or a whole number."""
    if value is None:
        return "-"
    if name == "faces":
        return f"{value:,.0f}"
    return f"{value:.2f}" if name in YEARS or name == "bias" else f"{100 * value:.1f} %"


def rows(
    columns: Mapping[str, Mapping[str, Any]], tell: Callable[[str, Any], str] = shown
) -> Iterator[list[str]]:
    """Yield each figure that any column has: its meaning, then its values as `tell` puts them."""
    names = dict.fromkeys(name for part in columns.values() for name in part)
    for name in (*(n for n in TITLES if n in names), *(n for n in names if n not in TITLES)):
        yield [title(name), *(tell(name, part.get(name)) for part in columns.values())]


def table(
    columns: Mapping[str, Mapping[str, Any]],
    heading: str,
    tell: Callable[[str, Any], str] = shown,
) -> Table:
    """Return figures side by side, as a table for the terminal; see :func:`rows`."""
    view = Table("", title=heading)
    for name in columns:
        view.add_column(name, justify="right")
    for row in rows(columns, tell):
        view.add_row(*row)
    return view


def _gap(faces: Faces, right: NDArray[np.float64]) -> dict[str, float]:
    """Return what is said about the groups' accuracies: nothing where there are not several."""
    if "group" not in faces.table:
        return {}
    groups = faces.table["group"].where(~np.isnan(right))
    large = groups.map(groups.value_counts()) >= SMALLEST_GROUP
    numbers, names = pd.factorize(groups[large])
    if len(names) < 2:
        return {}
    judged = right[large.to_numpy()]
    return {
        "gender_gap": metrics.group_gap(judged, numbers),
        "gender_gap_chance": metrics.chance_group_gap(judged, numbers),
    }


def _attribute(
    head: Head, faces: Faces, answer: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    labels = head.targets(faces.table)[:, 0]
    known = ~np.isnan(labels)
    return labels[known].astype(np.int64), answer[known].argmax(axis=1)


def _selective(
    confidence: NDArray[np.float64], right: NDArray[np.bool_], own: float, lowest: float
) -> dict[str, Any]:
    curve = metrics.selective(confidence, right, np.arange(lowest, 1, 0.05))
    return {
        "curve": curve,
        "census": metrics.selective(confidence, right, np.array([own]))[0],
        "chosen": [point for point in curve if point["answered"] >= 1 - MOST_UNKNOWN][-1],
    }


def _rounded(value: Any) -> Any:
    """Round floats inside of a document; NaN, which JSON does not have, becomes None."""
    if isinstance(value, dict):
        return {key: _rounded(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_rounded(inner) for inner in value]
    if isinstance(value, float):
        return None if np.isnan(value) else round(value, 4)
    return value
