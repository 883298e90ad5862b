"""What another seed makes of the same settings: chance's share in every figure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from trainer import config
from trainer.config import Config
from trainer.errors import InputError
from trainer.evaluation.spread import summary
from trainer.files import existing
from trainer.run import CONFIG, INITIAL, METRICS

FEWEST = 2
FIGURES = [
    *("mae", "rmse", "cs5", "mae_children", "interval_coverage"),
    *("gender", "gender_ece", "gender_gap"),
    *("fairface_exact", "fairface_one_off", "adience_exact", "adience_one_off"),
]
"""Those of :data:`trainer.evaluation.figures.TITLES` that a training may change."""


def alike(runs: Sequence[Path]) -> tuple[dict[Path, int], Path | None]:
    """Return the seed of each run, and the weights that all go on from.

    Parameters
    ----------
    runs
        Two or more, trained with the same settings but for the seed. Where they go on from trained
        weights, these may be each run's own; then, and where there are none, None is returned.

    Raises
    ------
    InputError
        There are fewer than two, two have one seed, or a run has other settings.
    """
    if len(runs) < FEWEST:
        raise InputError(f"{runs[0]}: one run says nothing about chance; give two or more.")
    trainings = [_trainings(run) for run in runs]
    by_seed: dict[int, Path] = {}
    for run, (own, *_) in zip(runs, trainings, strict=True):
        if (twin := by_seed.setdefault(own.seed, run)) is not run:
            raise InputError(f"{run}: has the seed {own.seed} of {twin}. Train it with another.")
    for run, chain in zip(runs, trainings, strict=True):
        for first, own in zip(trainings[0], chain, strict=False):
            if other := config.difference(_but_for_chance(first), _but_for_chance(own)):
                msg = f"{run}: differs from {runs[0]} in more than its seed: {other}."
                raise InputError(msg)
    start, *more = {last.train.initial_weights for last, *_ in trainings}
    return {run: seed for seed, run in by_seed.items()}, None if more else start


def gather(runs: Sequence[Path]) -> dict[str, Any]:
    """Return mean and standard deviation of the figures that all the runs have.

    Parameters
    ----------
    runs
        See :func:`alike`; evaluated on the same faces.

    Returns
    -------
    dict
        `runs`: folder and seed of each. `shared`: the weights that all go on from, so that chance
        before these is not in the figures; None if there are none. `figures`: see
        :func:`trainer.evaluation.spread.summary`, by `DATASET SPLIT`.

    Raises
    ------
    InputError
        As :func:`alike` says, or a run has no figures, or they share none.
    """
    seeds, shared = alike(runs)
    return {
        "runs": {str(run): seed for run, seed in seeds.items()},
        "shared": shared and str(shared),
        "figures": summary(_figures(runs), "seed"),
    }


def _trainings(run: Path) -> list[Config]:
    """Return the settings of a run, and behind them those of the runs that it goes on from."""
    own = config.load(existing(run / CONFIG, "a run's settings"))
    before = run / INITIAL
    return [own, *(_trainings(before) if (before / CONFIG).exists() else [])]


def _but_for_chance(settings: Config) -> Config:
    train = settings.train.model_copy(update={"initial_weights": None})
    return settings.model_copy(update={"seed": 0, "train": train})


def _figures(runs: Sequence[Path]) -> pd.DataFrame:
    """Return a row for each run and data set that all were evaluated on."""
    first, *others = (
        json.loads(existing(run / METRICS, "figures, from `agegender evaluate`").read_text("utf-8"))
        for run in runs
    )
    rows = []
    for split, parts in first.items():
        for dataset, part in parts.items():
            columns = [part, *(other.get(split, {}).get(dataset, {}) for other in others)]
            if not all(columns):
                continue
            names = [name for name in FIGURES if all(name in one["figures"] for one in columns)]
            rows += [
                {"seed": number, "dataset": f"{dataset} {split}"}
                | {name: one["figures"][name] for name in names}
                for number, one in enumerate(columns)
            ]
    if not rows:
        which = ", ".join(map(str, runs))
        raise InputError(f"{which}: there is no data set and split that all were evaluated on.")
    return pd.DataFrame(rows)
