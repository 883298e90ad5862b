"""Losses for partial labels: an unknown label costs nothing, a band is an interval."""

from __future__ import annotations

from typing import Any

from keras import ops


def age_likelihood(
    labels: Any, logits: Any, *, sigma: float, distance: float, smoothness: float
) -> Any:
    """Negative log-likelihood of age labels under logits over single years.

    An exact age is softened to a Gaussian (label distribution learning, Gao et al., IEEE
    TIP 2017); a band is interval-censored: its likelihood is the probability of the whole
    band. Added to it is the distance from the expected age to the label (DEX's
    expectation, Rothe et al., IJCV 2018), zero inside a band. A band leaves open how its
    probability is spread over its years, and the winner would take all: a penalty on the
    curvature of the log-probabilities keeps neighbouring years alike.

    Parameters
    ----------
    labels
        (N, 2): lowest and highest possible age in years, equal where it is known exactly,
        NaN where it is not known; clipped to the years that have a logit.
    logits
        (N, A), for the ages 0 to A - 1.
    sigma
        Standard deviation of the softened exact label, years; 0 leaves it as it is, one
        class among the years, as DEX does.
    distance
        Weight of one year of distance.
    smoothness
        Weight of the squared second differences of the log-probabilities, summed over the
        years.

    Returns
    -------
    tensor
        (N,), zero where the label is unknown.
    """
    known = ops.logical_not(ops.isnan(labels[:, 0]))
    years = logits.shape[-1]
    # NaN must leave before the arithmetic: a masked NaN still has a NaN gradient.
    label = ops.where(ops.isnan(labels), ops.zeros_like(labels), labels)
    label = ops.clip(label, 0.0, years - 1.0)
    low, high = label[:, :1], label[:, 1:]
    ages = ops.expand_dims(ops.arange(years, dtype=logits.dtype), 0)
    log_p = ops.log_softmax(logits, axis=-1)

    if sigma:
        soft = ops.softmax(-0.5 * ops.square((ages - low) / sigma), axis=-1)
    else:
        soft = ops.one_hot(ops.cast(ops.round(low[:, 0]), "int32"), years, dtype=log_p.dtype)
    exact = -ops.sum(soft * log_p, axis=-1)
    inside = ops.logical_and(ages >= low - 0.5, ages <= high + 0.5)
    within = -ops.logsumexp(ops.where(inside, log_p, ops.full_like(log_p, -1e9)), axis=-1)
    likelihood = ops.where(low[:, 0] == high[:, 0], exact, within)

    expected = ops.sum(ops.exp(log_p) * ages, axis=-1, keepdims=True)
    outside = ops.maximum(low - expected, 0.0) + ops.maximum(expected - high, 0.0)
    curvature = log_p[:, 2:] - 2 * log_p[:, 1:-1] + log_p[:, :-2]
    loss = likelihood + distance * outside[:, 0]
    loss = loss + smoothness * ops.sum(ops.square(curvature), axis=-1)
    return ops.where(known, loss, ops.zeros_like(loss))


def binary(labels: Any, logits: Any, *, smoothing: float = 0.0) -> Any:
    """Binary cross-entropy on a logit.

    Parameters
    ----------
    labels
        (N, 1): 1 yes, 0 no, NaN unknown.
    logits
        (N, 1), positive for yes.
    smoothing
        Share of each label moved to the other side: some labels are wrong.

    Returns
    -------
    tensor
        (N,), zero where the label is unknown.
    """
    unknown = ops.isnan(labels)
    label = ops.where(unknown, ops.zeros_like(labels), labels)
    label = label * (1 - smoothing) + smoothing / 2
    loss = ops.binary_crossentropy(label, logits, from_logits=True)
    return ops.where(unknown, ops.zeros_like(loss), loss)[:, 0]


def categorical(labels: Any, logits: Any, *, smoothing: float = 0.0) -> Any:
    """Cross-entropy of one class among K.

    Parameters
    ----------
    labels
        (N, 1): index of the class, NaN unknown.
    logits
        (N, K).
    smoothing
        Share of each label spread evenly over all classes (Szegedy et al., CVPR 2016).

    Returns
    -------
    tensor
        (N,), zero where the label is unknown.
    """
    unknown = ops.isnan(labels[:, 0])
    label = ops.where(unknown, ops.zeros_like(labels[:, 0]), labels[:, 0])
    log_p = ops.log_softmax(logits, axis=-1)
    wanted = ops.one_hot(ops.cast(label, "int32"), logits.shape[-1], dtype=log_p.dtype)
    wanted = wanted * (1 - smoothing) + smoothing / logits.shape[-1]
    loss = -ops.sum(wanted * log_p, axis=-1)
    return ops.where(unknown, ops.zeros_like(loss), loss)
