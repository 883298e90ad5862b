"""How the outputs of a head are read, by the type that its description gives."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, softmax

from agegender_vision.calibration import calibrated
from trainer.errors import InputError

Description = Mapping[str, Any]
Floats = NDArray[np.floating]


def probabilities(
    description: Description, outputs: Floats, temperature: float = 1.0
) -> NDArray[np.float64]:
    """Return what a head's outputs say, as probabilities.

    Parameters
    ----------
    description
        The head's.
    outputs
        (N, K).
    temperature
        See :func:`agegender_vision.calibration.calibrated`.

    Returns
    -------
    numpy.ndarray
        (N, C) over years or classes; of a logit the negative class, then the positive. Rows
        sum to 1.

    Raises
    ------
    InputError
        The description is of a type that nobody here reads.
    """
    kind = description["type"]
    if kind not in READERS:
        known = ", ".join(READERS)
        raise InputError(f"a head of the type {kind!r} cannot be read; the types are {known}.")
    logits = outputs.astype(np.float64)
    if kind == "tuple":
        # A squared error is the likelihood of a Gaussian about the class's number, whose
        # variance is the temperature.
        logits = -np.square(logits - np.arange(len(description["labels"]))) / 2
    return READERS[kind](calibrated(description, logits, temperature))


def refuses(description: Description) -> bool:
    """Return whether a head can answer that this is no face: whether it learns from such."""
    return description["type"] in ("two-hot", "tuple")


def undefined(description: Description, outputs: Floats) -> NDArray[np.bool_]:
    """Return where a head that :func:`refuses` answers that this is no face, (N,).

    It is where the outputs of a two-hot head sum to less than one half: the classes exclude
    each other, so the sum is the probability of any of them. Of a tuple it is where the
    nearest whole number is no class.
    """
    if description["type"] == "tuple":
        nearest = np.round(outputs[:, 0])
        beyond: NDArray[np.bool_] = (nearest < 0) | (nearest >= len(description["labels"]))
        return beyond
    none: NDArray[np.bool_] = expit(outputs).sum(axis=1) < 0.5
    return none


def _softmax(logits: Floats) -> NDArray[np.float64]:
    return np.asarray(softmax(logits, axis=1), np.float64)


def _logit(logits: Floats) -> NDArray[np.float64]:
    return _softmax(np.concatenate([np.zeros_like(logits), logits], axis=1))


def _ranks(logits: Floats) -> NDArray[np.float64]:
    older = np.pad(expit(logits), ((0, 0), (1, 0)), constant_values=1.0)
    return np.asarray(-np.diff(older, axis=1, append=0.0), np.float64)


def _each_by_itself(logits: Floats) -> NDArray[np.float64]:
    yes = expit(logits)
    return np.asarray(yes / yes.sum(axis=1, keepdims=True), np.float64)


READERS: Mapping[str, Callable[[Floats], NDArray[np.float64]]] = {
    "classes": _softmax,
    "coral": _ranks,
    "distribution": _softmax,
    "logit": _logit,
    "tuple": _softmax,
    "two-hot": _each_by_itself,
}
