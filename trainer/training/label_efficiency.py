"""Does pretraining pay? The same training on ever fewer labels, with and without it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from trainer.config import Config
from trainer.data.faces import Faces
from trainer.evaluation.figures import each_dataset, figures
from trainer.evaluation.predictions import Predictions
from trainer.models import heads, recipes
from trainer.training.finetune import train

STARTS = ("pretrained", "random")
KEY = ["share", "start", "seed"]
MEASURES = {
    "mae": ("age MAE, years", 1.0),
    "gender": ("gender accuracy, %", 100.0),
    "fairface_exact": ("FairFace band, exact, %", 100.0),
}
"""What is drawn: its axis label and factor."""


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
    """
    path = output / "results.csv"
    found = pd.read_csv(path) if path.exists() else pd.DataFrame(columns=KEY)
    for share in shares:
        for seed in range(1, seeds + 1):
            chosen = _choose(faces, share, seed)
            for start in STARTS:
                if ((found[KEY] == [share, start, seed]).all(axis=1)).any():
                    continue
                keras.backend.clear_session()
                run = output / f"{share:g}-{start}-{seed}"
                model = train(
                    config.model_copy(update={"seed": seed}),
                    faces.subset(chosen),
                    None,
                    run,
                    encoder_weights if start == "pretrained" else None,
                )
                answers = recipes.outputs(keras.saving.load_model(model), held_out, config)
                said = Predictions.from_outputs(heads.of(config), answers)
                row: dict[str, Any] = dict(zip(KEY, (share, start, seed), strict=True))
                row["labels"] = len(chosen)
                row |= {
                    f"{name}:{key}": value
                    for name, part, answers in each_dataset(held_out, said)
                    for key, value in figures(part, answers).items()
                }
                found = pd.concat([found, pd.DataFrame([row])], ignore_index=True)
                partial = path.with_suffix(".partial")
                found.to_csv(partial, index=False)
                partial.replace(path)
                shutil.rmtree(run)
    return found


def summary(results: pd.DataFrame) -> pd.DataFrame:
    """Return mean and standard deviation over the seeds, by share and start."""
    names = [name for name, _, _ in _measured(results)]
    return results.groupby(["share", "labels", "start"])[names].agg(["mean", "std"])


def plot(results: pd.DataFrame, path: Path) -> None:
    """Draw each measure against the number of labels, with its deviation over the seeds."""
    from matplotlib.figure import Figure  # noqa: PLC0415  (slow to import)

    panels = [
        (name, dataset, key)
        for name, dataset, key in _measured(results)
        # Exact ages say more than the bands made of them.
        if not (key == "fairface_exact" and f"{dataset}:mae" in results)
    ]
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


def _measured(results: pd.DataFrame) -> Iterator[tuple[str, str, str]]:
    for name in map(str, results):
        dataset, _, key = name.partition(":")
        if key in MEASURES:
            yield name, dataset, key


def _choose(faces: Faces, share: float, seed: int) -> NDArray[np.int64]:
    """Draw a share of each data set; a smaller share is part of a larger one."""
    random = np.random.default_rng(seed)
    chosen = [
        random.permutation(np.flatnonzero(faces.table["dataset"] == name))
        for name in sorted(faces.table["dataset"].unique())
    ]
    return np.sort(np.concatenate([part[: max(1, round(share * len(part)))] for part in chosen]))
