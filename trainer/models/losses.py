"""Losses for partial labels: an unknown label costs nothing, a band is an interval."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable("agegender")
class AgeLoss(keras.losses.Loss):  # type: ignore[misc]
    """Negative log-likelihood of an age label under logits over single years.

    An exact age is softened to a Gaussian (label distribution learning, Gao et al., IEEE
    TIP 2017); a band is interval-censored: its likelihood is the probability of the whole
    band. Added to it is the distance from the expected age to the label (DEX's
    expectation, Rothe et al., IJCV 2018), zero inside a band. A band leaves open how its
    probability is spread over its years, and the winner would take all: a penalty on the
    curvature of the log-probabilities keeps neighbouring years alike.

    Parameters
    ----------
    years
        Number of classes: ages 0 to years - 1; labels beyond are clipped.
    sigma
        Standard deviation of the softened exact label, years.
    distance
        Weight of one year of distance.
    smoothness
        Weight of the squared second differences of the log-probabilities, summed over the
        years.
    """

    def __init__(
        self,
        years: int = 101,
        sigma: float = 2.0,
        distance: float = 0.05,
        smoothness: float = 0.0,
        name: str = "age",
        **kwargs: Any,
    ) -> None:
        super().__init__(name=name, **kwargs)
        self.years, self.sigma = years, sigma
        self.distance, self.smoothness = distance, smoothness

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Return (N,) losses of labels (N, 2) [low, high] in years and logits (N, years)."""
        known = ops.logical_not(ops.isnan(y_true[:, 0]))
        # NaN must leave before the arithmetic: a masked NaN still has a NaN gradient.
        label = ops.where(ops.isnan(y_true), ops.zeros_like(y_true), y_true)
        label = ops.clip(label, 0.0, self.years - 1.0)
        low, high = label[:, :1], label[:, 1:]
        ages = ops.expand_dims(ops.arange(self.years, dtype=y_pred.dtype), 0)
        log_p = ops.log_softmax(y_pred, axis=-1)

        soft = ops.softmax(-0.5 * ops.square((ages - low) / self.sigma), axis=-1)
        exact = -ops.sum(soft * log_p, axis=-1)
        inside = ops.logical_and(ages >= low - 0.5, ages <= high + 0.5)
        within = -ops.logsumexp(ops.where(inside, log_p, ops.full_like(log_p, -1e9)), axis=-1)
        likelihood = ops.where(low[:, 0] == high[:, 0], exact, within)

        expected = ops.sum(ops.exp(log_p) * ages, axis=-1, keepdims=True)
        outside = ops.maximum(low - expected, 0.0) + ops.maximum(expected - high, 0.0)
        curvature = log_p[:, 2:] - 2 * log_p[:, 1:-1] + log_p[:, :-2]
        loss = likelihood + self.distance * outside[:, 0]
        loss = loss + self.smoothness * ops.sum(ops.square(curvature), axis=-1)
        return ops.where(known, loss, ops.zeros_like(loss))

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {
            **super().get_config(),
            "years": self.years,
            "sigma": self.sigma,
            "distance": self.distance,
            "smoothness": self.smoothness,
        }


@keras.saving.register_keras_serializable("agegender")
class GenderLoss(keras.losses.Loss):  # type: ignore[misc]
    """Binary cross-entropy on a logit, zero where the label is NaN.

    Parameters
    ----------
    smoothing
        Share of each label moved to the other side: some labels are wrong.
    """

    def __init__(self, smoothing: float = 0.05, name: str = "gender", **kwargs: Any) -> None:
        super().__init__(name=name, **kwargs)
        self.smoothing = smoothing

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Return (N,) losses of labels (N, 1) 1 female, 0 male, NaN unknown; logits (N, 1)."""
        unknown = ops.isnan(y_true)
        label = ops.where(unknown, ops.zeros_like(y_true), y_true)
        label = label * (1 - self.smoothing) + self.smoothing / 2
        loss = ops.binary_crossentropy(label, y_pred, from_logits=True)
        return ops.where(unknown, ops.zeros_like(loss), loss)[:, 0]

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "smoothing": self.smoothing}
