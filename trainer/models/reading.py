"""How the outputs of a head are read, by the type that its description gives."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, softmax

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
        What the logits are divided by (Guo et al., ICML 2017).

    Returns
    -------
    numpy.ndarray
        (N, A) over years or classes; of a logit (N, 2): the negative class, the positive.
        Rows sum to 1.

    Raises
    ------
    InputError
        The description is of a type that nobody here reads.
    """
    try:
        read = READERS[description["type"]]
    except KeyError:
        raise InputError(
            f"a head of the type {description['type']!r} cannot be read; the types are "
            f"{', '.join(READERS)}."
        ) from None
    return read(outputs.astype(np.float64) / temperature, description)


def refuses(description: Description) -> bool:
    """Return whether a head can answer that this is no face: whether it learns from such."""
    return description["type"] in ("two-hot", "tuple")


def undefined(description: Description, outputs: Floats) -> NDArray[np.bool_]:
    """Return where a head that :func:`refuses` answers that this is no face, (N,).

    It is where no output of a two-hot head reaches one half, and where the nearest whole
    number of a tuple is no class.
    """
    nothing: NDArray[np.bool_] = outputs.max(axis=1) < 0
    if description["type"] == "tuple":
        nearest = np.round(outputs[:, 0])
        nothing = (nearest < 0) | (nearest >= len(description["labels"]))
    return nothing


def _softmax(logits: Floats, _: Description) -> NDArray[np.float64]:
    shares: NDArray[np.float64] = softmax(logits, axis=1)
    return shares


def _logit(logits: Floats, about: Description) -> NDArray[np.float64]:
    return _softmax(np.concatenate([np.zeros_like(logits), logits], axis=1), about)


def _coral(logits: Floats, _: Description) -> NDArray[np.float64]:
    above = np.pad(expit(logits), ((0, 0), (1, 0)), constant_values=1.0)
    at_least = np.pad(above, ((0, 0), (0, 1)))
    return np.maximum(at_least[:, :-1] - at_least[:, 1:], 0.0)


def _two_hot(logits: Floats, _: Description) -> NDArray[np.float64]:
    yes = expit(logits)
    shares: NDArray[np.float64] = yes / yes.sum(axis=1, keepdims=True)
    return shares


def _tuple(values: Floats, about: Description) -> NDArray[np.float64]:
    # A squared error is the likelihood of a Gaussian about the class's number.
    classes = np.arange(len(about["labels"]))
    return _softmax(values * classes - np.square(classes) / 2, about)


READERS[description["type"]]
    except KeyError:
        raise InputError(
            f"a head of the type {description['type']!r} cannot be read; the types are "
            f"{', '.join(READERS)}."
        ) from None
    return read(outputs.astype(np.float64) / temperature, description)


def refuses(description: Description) -> bool:
    """Return whether a head can answer that this is no face: whether it learns from such."""
    return description["type"] in ("two-hot", "tuple")


def undefined(description: Description, outputs: Floats) -> NDArray[np.bool_]:
    """Return where a head that :func:`refuses` answers that this is no face, (N,).

    It is where no output of a two-hot head reaches one half, and where the nearest whole
    number of a tuple is no class.
    """
    nothing: NDArray[np.bool_] = outputs.max(axis=1) < 0
    if description["type"] == "tuple":
        nearest = np.round(outputs[:, 0])
        nothing = (nearest < 0) | (nearest >= len(description["labels"]))
    return nothing


def _softmax(logits: Floats, _: Description) -> NDArray[np.float64]:
    shares: NDArray[np.float64] = softmax(logits, axis=1)
    return shares


def _logit(logits: Floats, about: Description) -> NDArray[np.float64]:
    return _softmax(np.concatenate([np.zeros_like(logits), logits], axis=1), about)


def _coral(logits: Floats, _: Description) -> NDArray[np.float64]:
    above = np.pad(expit(logits), ((0, 0), (1, 0)), constant_values=1.0)
    at_least = np.pad(above, ((0, 0), (0, 1)))
    return np.maximum(at_least[:, :-1] - at_least[:, 1:], 0.0)


def _two_hot(logits: Floats, about: Description) -> NDArray[np.float64]:
    yes = expit(logits)
    return _over_years(yes / yes.sum(axis=1, keepdims=True), about)


def _tuple(values: Floats, about: Description) -> NDArray[np.float64]:
    # A squared error is the likelihood of a Gaussian about the class's number.
    classes = np.arange(_classes(about))
    return _over_years(_softmax(values * classes - np.square(classes) / 2, about), about)


def _classes(about: Description) -> int:
    own = bands(about)
    return len(own.labels if own else about["labels"])


def _over_years(shares: NDArray[np.float64], about: Description) -> NDArray[np.float64]:
    """Spread the probability of each age band evenly over its years."""
    own = bands(about)
    if own is None:
        return shares
    first, last = about["support"]
    of_each = np.array([own.index(year) for year in range(first, last + 1)])
    return (shares / np.bincount(of_each))[:, of_each]


READERS: Mapping[str, Callable[[Floats, Description], NDArray[np.float64]]] = {
    "distribution": _softmax,
    "classes": _softmax,
    "logit": _logit,
    "coral": _coral,
    "two-hot": _two_hot,
    "tuple": _tuple,
}
