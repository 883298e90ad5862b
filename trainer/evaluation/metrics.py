"""The field's metrics, as pure functions of labels and predictions."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]
Integers = NDArray[np.int64]


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


def class_accuracy(true: Integers, predicted: Integers, off: int = 0) -> float:
    """Return the share of faces whose class is right, or at most `off` classes away.

    Parameters
    ----------
    true, predicted
        Positions of classes, (N,); of age bands in their order, for `off` to mean something.
        With `off` 1 it is the one-off accuracy of Eidinger et al., TIFS 2014.
    """
    return float(np.mean(np.abs(predicted - true) <= off))


def balanced_accuracy(true: Integers, predicted: Integers) -> float:
    """Return the mean over the classes that occur of the share that is right, in [0, 1].

    Brodersen et al., ICPR 2010; a rare class counts as much as a frequent one.
    """
    return float(np.mean([np.mean(predicted[true == c] == c) for c in np.unique(true)]))


def confusion(true: Integers, predicted: Integers, classes: int) -> Integers:
    """Return how many faces of each class (rows) were taken for each (columns), (K, K)."""
    cells = np.bincount(true * classes + predicted, minlength=classes * classes)
    return cells.reshape(classes, classes).astype(np.int64)


def accuracy(female: Floats, p_female: Floats) -> float:
    """Return the share of faces whose gender is right at a threshold of one half."""
    return float(np.mean((p_female >= 0.5) == (female == 1)))


def expected_calibration_error(positive: Floats, p: Floats, bins: int = 15) -> float:
    """Return the ECE of a probability (Guo et al., ICML 2017), in [0, 1].

    Confidence is the probability of the predicted class, cut into equal-width bins
    between one half and one: below there is none, of two classes.

    Parameters
    ----------
    positive
        Labels (N,): 1 yes, 0 no.
    p
        Probabilities of yes, (N,).
    bins
        How many.
    """
    confidence = np.maximum(p, 1 - p)
    right = (p >= 0.5) == (positive == 1)
    place = np.minimum(((confidence - 0.5) * 2 * bins).astype(int), bins - 1)
    return float(np.abs(np.bincount(place, right - confidence)).sum() / len(p))


def chance_calibration_error(p: Floats, draws: int = 200, seed: int = 0) -> float:
    """Return the ECE that the probabilities would show on average were they right, in [0, 1].

    It is not zero, because the faces of a bin are few: what is measured is at least partly
    chance where it is not far above this.

    Parameters
    ----------
    p
        Probabilities of yes, (N,); by them labels are drawn.
    draws
        How often.
    seed
        Of the draws.
    """
    random = np.random.default_rng(seed)
    drawn = ((random.random(len(p)) < p).astype(np.float64) for _ in range(draws))
    return float(np.mean([expected_calibration_error(labels, p) for labels in drawn]))


def group_gap(right: Floats, groups: NDArray[np.int64]) -> float:
    """Return how far the best group's accuracy is above the worst's, in [0, 1].

    Parameters
    ----------
    right
        1 where the answer is right, else 0, (N,).
    groups
        The group of each face, (N,), numbered from 0; none is empty.
    """
    accuracies = np.bincount(groups, right) / np.bincount(groups)
    return float(accuracies.max() - accuracies.min())


def chance_group_gap(
    right: Floats, groups: NDArray[np.int64], draws: int = 200, seed: int = 0
) -> float:
    """Return the gap that groups of these sizes would show on average were they all alike.

    It is not zero, because the faces of a group are few. The groups are drawn anew each time,
    as in a permutation test (Fisher, The Design of Experiments, 1935).

    Parameters
    ----------
    right, groups
        As for :func:`group_gap`.
    draws
        How often.
    seed
        Of the draws.
    """
    random = np.random.default_rng(seed)
    return float(np.mean([group_gap(random.permutation(right), groups) for _ in range(draws)]))


def mass_within(low: Floats, high: Floats, ages: Floats, share: float = 0.8) -> Floats:
    """Return which part of each label lies in the central interval of its prediction.

    The mean over faces is the interval's coverage, which is `share` where the predictions
    are calibrated (the probability integral transform for discrete outcomes: Czado,
    Gneiting and Held, Biometrics 2009). A label, be it a year or a band, counts in part
    where the interval ends inside of it.

    Parameters
    ----------
    low, high
        Labels in years, (N,), both ends inside; those beyond the years count as the last.
    ages
        Probability of each year from 0, (N, A).
    share
        Probability inside the interval.

    Returns
    -------
    numpy.ndarray
        (N,), in [0, 1].
    """
    last = ages.shape[1] - 1
    first, end = (np.clip(np.round(bound), 0, last).astype(int) for bound in (low, high))
    cumulative = np.pad(np.cumsum(ages, axis=1, dtype=np.float64), ((0, 0), (1, 0)))
    rows = np.arange(len(ages))
    start, stop = cumulative[rows, first], cumulative[rows, end + 1]
    outside = (1 - share) / 2
    inside = np.clip(np.minimum(stop, 1 - outside) - np.maximum(start, outside), 0, None)
    # Where the model gives the label no probability at all, the label lies outside.
    parts: Floats = inside / np.maximum(stop - start, np.finfo(float).tiny)
    return parts


def selective(
    confidence: Floats, right: NDArray[np.bool_], thresholds: Floats
) -> list[dict[str, float]]:
    """Return what refusing to answer below a confidence costs, and what it gains.

    The risk-coverage curve of El-Yaniv and Wiener, JMLR 2010.

    Parameters
    ----------
    confidence
        (N,), in [0, 1].
    right
        (N,): whether the answer is right.
    thresholds
        Least confidence of an answer, one for each point of the curve.

    Returns
    -------
    list of dict
        `threshold`, `answered` (share of faces), and `right`, the share of right answers
        among them; no `right` where nothing is answered.
    """
    points = []
    for threshold in thresholds:
        given = confidence >= threshold
        point = {"threshold": round(float(threshold), 4), "answered": float(given.mean())}
        points.append(point | ({"right": float(right[given].mean())} if given.any() else {}))
    return points


def coverage(low: Floats, high: Floats, interval_low: Floats, interval_high: Floats) -> float:
    """Return the share of labels [low, high] that their predicted interval overlaps."""
    return float(np.mean((interval_low <= high) & (interval_high >= low)))
