"""One network from several trainings: the mean of their weights."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
import pandas as pd

from trainer.errors import InputError
from trainer.evaluation.models import trained
from trainer.evaluation.seeds import alike
from trainer.files import atomically, existing, write_json
from trainer.run import BUDGET, CHECKPOINT, CONFIG, SOUP, open_run, remember_first
from trainer.training.checkpoint import load_weights


def soup(runs: Sequence[Path], folder: Path, start: float = 0.0) -> Path:
    """Average the weights of runs that went on from the same ones.

    A uniform soup (Wortsman et al., "Model soups", ICML 2022). It costs what one of them costs,
    and comes near to what all of them say together: from one start, different seeds end in one
    valley of the loss, and the middle of it is better than its sides. What they went on from may
    have a share (WiSE-FT: Wortsman et al., "Robust fine-tuning of zero-shot models", CVPR 2022),
    which keeps more of what it could.

    Parameters
    ----------
    runs
        Two or more, trained with the same settings but for the seed.
    folder
        Gets the network, the first run's settings, all seeds, and the budgets together.
    start
        Share of the weights that all went on from, in [0, 1); the runs have the rest alike.

    Returns
    -------
    pathlib.Path
        `folder`/checkpoint.keras.

    Raises
    ------
    InputError
        As :func:`trainer.evaluation.seeds.alike` and :func:`trainer.evaluation.models.trained` say,
        or the runs have no start in common or, where it has a share, are of another network, or
        `folder` holds a run; nothing was written.
    """
    seeds, shared = alike(runs)
    if shared is None:
        names = ", ".join(map(str, runs))
        msg = (
            f"{names}: they do not go on from the same weights, and the mean of networks that "
            "learned apart knows nothing. Train each with the same train.initial_weights and a "
            "seed of its own; `agegender ensemble` lets any models answer together."
        )
        raise InputError(msg)
    networks = [trained(run)[1] for run in runs]
    mean, shares = networks[0], [(1 - start) / len(runs)] * len(runs)
    if start:
        first = keras.models.clone_model(mean)
        load_weights(first, existing(shared, "what they went on from"))
        networks, shares = [*networks, first], [*shares, start]
    budgets = [
        pd.read_csv(existing(run / BUDGET, "what its training was given, as trainings write it"))
        for run in runs
    ]
    open_run(folder, runs[0] / CONFIG, [], resume=False)
    mean.set_weights(
        [
            np.average(np.asarray(weights, np.float64), axis=0, weights=shares)
            for weights in zip(*(network.get_weights() for network in networks), strict=True)
        ]
    )
    remember_first(folder, shared)
    made_of = {"runs": {str(run): seed for run, seed in seeds.items()}, "start": start}
    write_json(folder / SOUP, made_of)
    together = pd.concat(budgets, ignore_index=True)
    atomically(folder / BUDGET, lambda partial: together.to_csv(partial, index=False))
    result = folder / CHECKPOINT
    atomically(result, mean.save)
    return result
