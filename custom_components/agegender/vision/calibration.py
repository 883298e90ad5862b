"""Outputs of a network become logits whose probabilities mean what they say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

_DOUBT = 0.002
"""Probability that is left to every class, however sure the network is."""


def calibrated(
    about: Mapping[str, Any], outputs: NDArray[np.floating], temperature: float
) -> NDArray[np.floating]:
    """Return an output's logits, the smoothing of its labels undone, by its temperature.

    Who learns from labels of which a share e was spread over the K classes (Szegedy et al.,
    CVPR 2016) says (1 - e) p + e / K where it should say p. A temperature (Guo et al.,
    ICML 2017) cannot mend that: it would make the sure answers too modest, or the others too
    bold.

    Parameters
    ----------
    about
        The output's description in ``model.json``; its ``smoothing`` is e, in [0, 1), and 0
        where it is not there.
    outputs
        (N, K) logits of classes, or (N, 1) of yes against no.
    temperature
        What the logits are divided by, above 0.

    Returns
    -------
    numpy.ndarray
        Of the shape and type of `outputs`.
    """
    smoothing = float(about.get("smoothing", 0.0))
    if not 0 <= smoothing < 1:
        raise ValueError(f"smoothing is from 0 to below 1, got {smoothing:.9g}")
    if smoothing:
        asked = outputs if outputs.shape[1] > 1 else np.pad(outputs, ((0, 0), (1, 0)))
        shares = np.exp(asked - asked.max(axis=1, keepdims=True))
        shares /= shares.sum(axis=1, keepdims=True)
        plain = np.log(np.maximum(shares - smoothing / asked.shape[1], _DOUBT))
        outputs = plain if outputs.shape[1] > 1 else plain[:, 1:] - plain[:, :1]
    return outputs / temperature
