"""What a model says about faces, before anyone asks whether it is right."""

from __future__ import annotations

from dataclasses import dataclass

import keras
import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Predictions:
    """A model's answers for N faces.

    Attributes
    ----------
    ages
        float (N, 101): probability of each year of age, rows sum to 1.
    p_female
        float (N,) in [0, 1].
    """

    ages: NDArray[np.float64]
    p_female: NDArray[np.float64]

    @classmethod
    def from_logits(
        cls,
        age: NDArray[np.float32],
        gender: NDArray[np.float32],
        *,
        age_temperature: float = 1.0,
        gender_temperature: float = 1.0,
    ) -> Predictions:
        """Make predictions of logits (N, 101) and (N, 1), softened by temperatures."""
        scaled = age.astype(np.float64) / age_temperature
        weights = np.exp(scaled - scaled.max(axis=1, keepdims=True))
        return cls(
            weights / weights.sum(axis=1, keepdims=True),
            1 / (1 + np.exp(-gender[:, 0].astype(np.float64) / gender_temperature)),
        )

    @property
    def age(self) -> NDArray[np.float64]:
        """Expected age in years, (N,)."""
        return self.ages @ np.arange(self.ages.shape[1])

    def interval(self, share: float = 0.8) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the central interval holding `share` of the probability: low, high (N,)."""
        cumulative = np.cumsum(self.ages, axis=1)
        low = np.argmax(cumulative >= (1 - share) / 2, axis=1)
        high = np.argmax(cumulative >= 1 - (1 - share) / 2, axis=1)
        return low.astype(np.float64), high.astype(np.float64)


def logits(
    model: keras.Model, images: NDArray[np.float32], *, mirror: bool
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Run a Keras estimator on images (N, S, S, 3) in [0, 255].

    Parameters
    ----------
    model, images
        The estimator and what it looks at.
    mirror
        Whether it looks at each image and its mirror image, and the mean counts.

    Returns
    -------
    tuple
        Age logits (N, 101) and gender logits (N, 1).
    """
    views = [images, images[:, :, ::-1]] if mirror else [images]
    outs = [model.predict(view, batch_size=256, verbose=0) for view in views]
    age, gender = (np.mean([out[head] for out in outs], axis=0) for head in ("age", "gender"))
    return age, gender
