"""The field's metrics, as pure functions of labels and predictions."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]

FAIRFACE_BANDS = (0, 3, 10, 20, 30, 40, 50, 60, 70)
"""Lowest age of each of FairFace's nine bands (Karkkainen and Joo, WACV 2021)."""
ADIENCE_BANDS = (0, 3, 8, 15, 25, 38, 48, 60)
"""Lowest age of Adience's eight bands (Eidinger et al., TIFS 2014); gaps go to the older."""


def mean_absolute_error(age: Floats, predicted: Floats) -> float:
    """Return the mean of |predicted - age| in years; arrays (N,)."""
    return float(np.mean(np.abs(predicted - age)))


def root_mean_squared_error(age: Floats, predicted: Floats) -> float:
    """Return the root of the mean squared error in years; arrays (N,)."""
    return float(np.sqrt(np.mean(np.square(predicted - age))))


def cumulative_score(age: Floats, predicted: Floats, years: float = 5) -> float:
    """Return the share of faces with an error of at most `years`, in [0, 1].

    CS of Geng et al., TPAMI 2007.
    """
    return float(np.mean(np.abs(predicted - age) <= years))


def band(age: Floats, lowest: tuple[int, ...]) -> NDArray[np.int64]:
    """Return the index of the band that holds each age; `lowest` as FAIRFACE_BANDS."""
    return np.searchsorted(np.asarray(lowest), age, side="right") - 1


def band_accuracy(
    low: Floats, high: Floats, predicted: Floats, lowest: tuple[int, ...]
) -> tuple[float, float]:
    """Return the exact and the one-off accuracy over age bands, in [0, 1].

    Parameters
    ----------
    low, high
        Label interval in years, (N,); its midpoint names the true band.
    predicted
        Years, (N,).
    lowest
        Lowest age of each band.
    """
    off = np.abs(band((low + high) / 2, lowest) - band(predicted, lowest))
    return float(np.mean(off == 0)), float(np.mean(off <= 1))


def accuracy(female: Floats, p_female: Floats) -> float:
    """Return the share of faces whose gender is right at a threshold of one half."""
    return float(np.mean((p_female >= 0.5) == (female == 1)))


def expected_calibration_error(female: Floats, p_female: Floats, bins: int = 15) -> float:
    """Return the ECE of the predicted gender (Guo et al., ICML 2017), in [0, 1].

    Confidence is the probability of the predicted class, cut into equal-width bins
    between one half and one.
    """
    confidence = np.maximum(p_female, 1 - p_female)
    right = (p_female >= 0.5) == (female == 1)
    place = np.minimum(((confidence - 0.5) * 2 * bins).astype(int), bins - 1)
    gaps = [
        abs(right[place == b].mean() - confidence[place == b].mean()) * np.mean(place == b)
        for b in np.unique(place)
    ]
    return float(np.sum(gaps))


def coverage(low: Floats, high: Floats, interval_low: Floats, interval_high: Floats) -> float:
    """Return the share of labels [low, high] that their predicted interval overlaps."""
    return float(np.mean((interval_low <= high) & (interval_high >= low)))
