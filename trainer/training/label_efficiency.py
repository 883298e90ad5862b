"""Does pretraining pay? The same training on ever fewer labels, with and without it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from trainer.config import Config
from trainer.data.faces import Faces
from trainer.training.trials import MEASURES, Trials, measured, refuse_knowledge, spread

STARTS = ("pretrained", "random")
KEY = ["share", "start", "seed"]


def measure(
    config: Config,
    faces: Faces,
    held_out: Faces,
    encoder_weights: Path,
    output: Path,
    *,
    shares: Sequence[float],
    seeds: int,
) -> pd.DataFrame:
    """Train at every share of the labels, from both starts, with every seed.

    All trainings have the configuration's budget of gradient steps. A seed chooses the
    same faces for both starts. Each finished training is recorded at once: killed and
    called again, the rest is done.

    Parameters
    ----------
    config
        What the trainings share; its seed is replaced.
    faces, held_out
        Where labels are drawn from, and what errors are measured on.
    encoder_weights
        The pretrained encoder.
    output
        Folder for `results.csv` and the training in hand.
    shares
        Shares of the labelled faces of each data set, in (0, 1].
    seeds
        Trainings at each point.

    Returns
    -------
    pandas.DataFrame
        Columns `share`, `start` (:data:`STARTS`), `seed`, `labels` (faces trained on) and
        the figures of :func:`trainer.evaluation.figures.figures` as `dataset:figure`.

    Raises
    ------
    InputError
        See :func:`trainer.training.trials.refuse_knowledge`.
    """
    refuse_knowledge(config)
    trials = Trials(output, held_out, *KEY)
    for share in shares:
        for seed in range(1, seeds + 1):
            chosen = faces.subset(_choose(faces, share, seed))
            for start in STARTS:
                key = dict(zip(KEY, (share, start, seed), strict=True))
                if key not in trials:
                    encoder = encoder_weights if start == "pretrained" else None
                    trials.run(key, config.model_copy(update={"seed": seed}), chosen, encoder)
    return trials.results


def summary(results: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each share and start, as text: means, `±` deviation over the seeds."""
    by_start = results.groupby(["labels", "start"])
    labels, starts = zip(*by_start.groups, strict=True)
    table = pd.DataFrame({"labelled faces": [f"{n:,.0f}" for n in labels], "encoder": starts})
    for name, dataset, key in measured(results):
        title, factor = MEASURES[key]
        mean, deviations = factor * by_start[name].mean(), factor * by_start[name].std()
        table[f"{dataset} {title}"] = [*map(spread, mean, deviations)]
    return table


def plot(results: pd.DataFrame, path: Path) -> None:
    """Draw each measure against the number of labels, with its deviation over the seeds."""
    from matplotlib.figure import Figure  # noqa: PLC0415  (slow to import)

    panels = list(measured(results))
    figure = Figure(figsize=(4.2 * len(panels), 4), layout="constrained")
    axes = np.ravel(figure.subplots(1, len(panels)))
    for axis, (name, dataset, key) in zip(axes, panels, strict=True):
        title, factor = MEASURES[key]
        for start, colour in zip(STARTS, ("#0072b2", "#d55e00"), strict=True):
            part = results[results["start"] == start].groupby("labels")[name]
            mean, error = factor * part.mean(), factor * part.std()
            axis.errorbar(mean.index, mean, error, fmt="o-", capsize=3, color=colour, label=start)
        axis.set(xscale="log", xlabel="labelled faces", ylabel=title, title=dataset)
        axis.grid(alpha=0.3)
        axis.legend(title="encoder")
    figure.savefig(path, dpi=110)


def _choose(faces: Faces, share: float, seed: int) -> NDArray[np.int64]:
    """Draw a share of each data set; a smaller share is part of a larger one."""
    random = np.random.default_rng(seed)
    chosen = [
        random.permutation(np.flatnonzero(faces.table["dataset"] == name))
        for name in sorted(faces.table["dataset"].unique())
    ]
    return np.sort(np.concatenate([part[: max(1, round(share * len(part)))] for part in chosen]))
