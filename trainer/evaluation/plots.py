"""The figures as pictures; each function draws what was computed before into its axes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray

BLUE, RED, GREEN, GREY = "#4477aa", "#ee6677", "#228833", "0.6"

Records = Sequence[Mapping[str, Any]]


def figure(width: float = 5, height: float = 4) -> Figure:
    """Return an empty figure, inches."""
    return Figure(figsize=(width, height), layout="constrained")


def age_scatter(ax: Any, age: NDArray[Any], said: NDArray[Any]) -> None:
    """Draw predicted over true age, both (N,) in years."""
    ax.plot([0, 100], [0, 100], color=GREY, lw=0.8)
    ax.scatter(age, said, s=4, alpha=0.25, color=BLUE, linewidths=0)
    ax.set(xlim=(0, 100), ylim=(0, 100), xlabel="true age, years", ylabel="predicted, years")
    ax.set(title="age", aspect="equal")


def error_by_decade(ax: Any, by_decade: pd.DataFrame) -> None:
    """Draw :func:`trainer.evaluation.figures.by_decade`: the error of both genders, and bias."""
    every = by_decade[by_decade["gender"] == "all"]
    ax.bar(every["decade"], every["mae"], color=BLUE, label="MAE, all")
    for gender, marker, colour in (("female", "^", RED), ("male", "v", GREEN)):
        part = by_decade[by_decade["gender"] == gender]
        ax.plot(part["decade"], part["mae"], marker, color=colour, label=f"MAE, {gender}")
    ax.plot(every["decade"], every["bias"], "o-", color="0.3", ms=3, lw=1, label="bias, all")
    ax.axhline(0, color=GREY, lw=0.8)
    ax.set(xlabel="true age, years", ylabel="error, years", title="error by decade")
    ax.tick_params(axis="x", rotation=60)
    ax.legend(fontsize="small")


def figures_by_group(ax: Any, by_group: pd.DataFrame) -> None:
    """Draw :func:`trainer.evaluation.figures.by_group`: shares of right answers."""
    places = np.arange(len(by_group))
    shares = {"gender": "gender", "fairface_exact": "FairFace band, exact"}
    drawn = {name: label for name, label in shares.items() if name in by_group}
    width = 0.8 / max(len(drawn), 1)
    for number, (name, label) in enumerate(drawn.items()):
        colour = (BLUE, RED)[number]
        offset = (number - (len(drawn) - 1) / 2) * width
        ax.barh(places + offset, 100 * by_group[name], width, color=colour, label=label)
    ax.set_yticks(places, by_group["group"])
    ax.invert_yaxis()
    ax.set(xlim=(0, 100), xlabel="right, %", title="by group, as labelled by the source")
    ax.legend(fontsize="small", loc="lower left")


def reliability(ax: Any, positive: NDArray[Any], p: NDArray[Any], name: str) -> None:
    """Draw how often a class is there over its predicted probability, both (N,)."""
    bins = np.minimum((p * 10).astype(int), 9)
    used = np.unique(bins)
    ax.plot([0, 1], [0, 1], color=GREY, lw=0.8)
    ax.plot(
        [p[bins == b].mean() for b in used],
        [positive[bins == b].mean() for b in used],
        "o-",
        color=BLUE,
    )
    ax.set(xlabel=f"predicted p({name})", ylabel=f"share that is {name}", aspect="equal")
    ax.set(title=f"calibration of {name}")


def intervals(ax: Any, coverage: Records) -> None:
    """Draw how many labels the age intervals hold, over how many they should."""
    ax.plot([0, 1], [0, 1], color=GREY, lw=0.8)
    ax.plot([r["share"] for r in coverage], [r["holds"] for r in coverage], "o-", color=BLUE)
    ax.set(xlabel="interval's share", ylabel="share of labels inside", aspect="equal")
    ax.set(title="calibration of age intervals")


def cumulative_scores(ax: Any, scores: Records) -> None:
    """Draw :func:`trainer.evaluation.figures.cumulative_scores`."""
    ax.plot([r["years"] for r in scores], [100 * r["score"] for r in scores], "o-", color=BLUE)
    ax.set(xlabel="error of at most so many years", ylabel="faces, %", ylim=(0, 100))
    ax.set(title="cumulative score")
    ax.grid(alpha=0.3)


def unknown(ax: Any, found: Mapping[str, Any], name: str) -> None:
    """Draw :func:`trainer.evaluation.figures.unknown` of one answer."""
    curve = [point for point in found["curve"] if "right" in point]
    ax.plot(
        [100 * point["answered"] for point in curve],
        [100 * point["right"] for point in curve],
        ".-",
        color=BLUE,
    )
    for key, colour, marker in (("chosen", RED, "o"), ("census", GREEN, "s")):
        point = found[key]
        if "right" in point:
            ax.plot(
                100 * point["answered"],
                100 * point["right"],
                marker,
                color=colour,
                label=f"{key}: {point['threshold']:g}",
            )
    ax.set(xlabel="answered, % of faces", ylabel="right, % of the answers")
    ax.set(title=f"{name}: unknown below a confidence")
    ax.legend(fontsize="small", title="threshold")


def confusion(ax: Any, labels: Sequence[str], counts: NDArray[np.int64], name: str) -> None:
    """Draw a confusion matrix (K, K), shares of each row, the counts written in."""
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    ax.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for (row, column), count in np.ndenumerate(counts):
        if count:
            colour = "white" if shares[row, column] > 0.5 else "black"
            ax.text(
                column, row, f"{count:,}", ha="center", va="center", color=colour, fontsize="small"
            )
    ax.set_xticks(range(len(labels)), labels, rotation=60)
    ax.set_yticks(range(len(labels)), labels)
    ax.set(xlabel="predicted", ylabel="true", title=name)


def curves(ax: Any, log: pd.DataFrame, columns: Sequence[str], label: str) -> None:
    """Draw columns of a training's log over its epochs; gaps are bridged."""
    for name in columns:
        known = log[["epoch", name]].dropna()
        ax.plot(known["epoch"], known[name], label=name, marker="." if len(known) < 60 else None)
    ax.set(xlabel="epoch", ylabel=label)
    ax.xaxis.get_major_locator().set_params(integer=True)
    ax.grid(alpha=0.3)
    ax.legend(fontsize="small")


def roc(ax: Any, curve: Any) -> None:
    """Draw a :class:`trainer.evaluation.verification.Roc`, and where its errors are equal."""
    rate, _ = curve.equal
    ax.plot([0, 100], [0, 100], color=GREY, lw=0.8, label="by chance")
    ax.plot(100 * curve.false_accepts, 100 * curve.true_accepts, color=BLUE)
    ax.plot(100 * rate, 100 * (1 - rate), "o", color=RED, label=f"equal errors, {100 * rate:.1f} %")
    ax.set(xlabel="strangers accepted, %", ylabel="same person accepted, %", aspect="equal")
    ax.set(title=f"verification, area {curve.area:.3f}")
    ax.legend(fontsize="small", loc="lower right")


def matches(ax: Any, shares: NDArray[np.float64]) -> None:
    """Draw a cumulative match characteristic, (G,) shares at the ranks from 1 on."""
    ranks = np.arange(1, len(shares) + 1)
    ax.plot(ranks, 100 * ranks / len(shares), color=GREY, lw=0.8, label="by chance")
    ax.plot(ranks, 100 * shares, color=BLUE)
    ax.set(xlabel=f"rank among {len(shares)} people", ylabel="found, %", ylim=(0, 100))
    ax.set(title=f"identification, rank 1: {100 * shares[0]:.1f} %")
    ax.legend(fontsize="small", loc="lower right")


def grid(
    rows: Sequence[tuple[str, NDArray[np.uint8]]], captions: Sequence[str] | None = None
) -> Figure:
    """Return rows of pictures (N, S, S, 3), each row with its name, as a figure.

    Parameters
    ----------
    rows
        Name and pictures.
    captions
        Below each picture of the last row.
    """
    columns = max(len(images) for _, images in rows)
    view = figure(1.2 * columns + 0.8, 1.25 * len(rows) + (0.5 if captions else 0.1))
    axes = view.subplots(len(rows), columns, squeeze=False)
    for ax in axes.flat:
        ax.set_xticks([])
        ax.set_yticks([])
        ax.spines[:].set_visible(False)
    for line, (name, images) in zip(axes, rows, strict=True):
        line[0].set_ylabel(name)
        for ax, image in zip(line, images, strict=False):
            ax.imshow(image)
    for ax, caption in zip(axes[-1], captions or (), strict=False):
        ax.set_xlabel(caption, fontsize="x-small")
    return view
