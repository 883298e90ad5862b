"""Temperatures that make the probabilities mean what they say."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from trainer.evaluation.predictions import Predictions

RANGE = (0.3, 3.0)


def calibrate(
    age: NDArray[np.float32],
    gender: NDArray[np.float32],
    ages: NDArray[np.float32],
    female: NDArray[np.float32],
) -> dict[str, float]:
    """Fit one temperature per head by maximum likelihood (Guo et al., ICML 2017).

    Parameters
    ----------
    age, gender
        Logits (N, 101) and (N, 1) of held-out faces.
    ages, female
        Labels as in :class:`trainer.data.faces.Faces`; NaN is left out. An age label,
        exact or a band, is scored by the probability of its interval.

    Returns
    -------
    dict
        `age_temperature` and `gender_temperature`, 1 where a label is absent altogether.
    """
    found = {"age_temperature": 1.0, "gender_temperature": 1.0}
    known = ~np.isnan(ages[:, 0])
    if known.any():
        low, high = np.clip(np.round(ages[known]), 0, age.shape[1] - 1).astype(int).T
        rows = np.arange(len(low))

        def age_loss(temperature: float) -> float:
            p = Predictions.from_logits(age[known], gender[known], age_temperature=temperature)
            cumulative = np.pad(np.cumsum(p.ages, axis=1), ((0, 0), (1, 0)))
            mass = cumulative[rows, high + 1] - cumulative[rows, low]
            return float(-np.mean(np.log(mass + 1e-12)))

        found["age_temperature"] = _minimise(age_loss)
    known = ~np.isnan(female)
    if known.any():

        def gender_loss(temperature: float) -> float:
            p = Predictions.from_logits(
                age[known], gender[known], gender_temperature=temperature
            ).p_female
            likelihood = np.where(female[known] == 1, p, 1 - p)
            return float(-np.mean(np.log(likelihood + 1e-12)))

        found["gender_temperature"] = _minimise(gender_loss)
    return found


def _minimise(loss: Callable[[float], float]) -> float:
    found = minimize_scalar(loss, bounds=RANGE, method="bounded")
    return round(float(found.x), 4)
