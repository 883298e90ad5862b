"""Temperatures that make the probabilities mean what they say."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import keras
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from trainer.config import Config
from trainer.data.faces import Faces
from trainer.files import write_json
from trainer.models import heads as head_kinds
from trainer.models.heads import Head
from trainer.models.reading import probabilities
from trainer.models.recipes import outputs
from trainer.run import CALIBRATION, CHECKPOINT

RANGE = (0.3, 3.0)


def calibrate_run(run: Path, config: Config, held_out: Faces) -> None:
    """Calibrate the network of a run that has been trained; writes `run`/calibration.json.

    Parameters
    ----------
    run
        Its folder.
    config
        Its settings, the heads resolved.
    held_out
        Faces that it was not trained on, with labels.
    """
    network = keras.saving.load_model(run / CHECKPOINT)
    answers = outputs(network, held_out, config)
    found = calibrate(head_kinds.of(config), answers, held_out.table)
    write_json(run / CALIBRATION, found)


def calibrate(
    heads: Mapping[str, Head], answers: Mapping[str, NDArray[np.float32]], table: pd.DataFrame
) -> dict[str, float]:
    """Fit one temperature per head by maximum likelihood (Guo et al., ICML 2017).

    Parameters
    ----------
    heads, answers
        By name; what the heads said of held-out faces, (N, K).
    table
        The manifest's rows of these faces. Unknown labels are left out; an age label, exact
        or a band, is scored by the probability of its interval.

    Returns
    -------
    dict
        `NAME_temperature` of each head, 1 where no label is known.
    """
    return {
        f"{name}_temperature": _temperature(head, answers[name], head.targets(table))
        for name, head in heads.items()
    }


def _temperature(head: Head, answers: NDArray[np.float32], targets: NDArray[np.float32]) -> float:
    """Fit one head's; its label is a first and, of years, a last place."""
    known = targets[:, 0] >= 0  # neither NaN nor the label of no face
    if not known.any():
        return 1.0
    places = probabilities(head.description, answers[:1]).shape[1]
    ends = np.clip(np.round(targets[known][:, [0, -1]]), 0, places - 1)
    first, last = ends.astype(int).T
    rows = np.arange(len(first))

    def loss(temperature: float) -> float:
        p = probabilities(head.description, answers[known], temperature)
        cumulative = np.pad(np.cumsum(p, axis=1), ((0, 0), (1, 0)))
        mass = cumulative[rows, last + 1] - cumulative[rows, first]
        return float(-np.mean(np.log(mass + 1e-12)))

    found = minimize_scalar(loss, bounds=RANGE, method="bounded")
    return round(float(found.x), 4)
