"""What the frames of one person say together."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from .estimator import Estimate, summarize

# Frames of one person err alike: so much of what two of them say is the same thing said
# twice. 0 would multiply the frames as if they were independent, 1 take their mean.
AGE_CORRELATION = 0.9
GENDER_CORRELATION = 0.9
_LEAST = 1e-6  # a probability of 0 would outlaw a year for good


class Evidence:
    """Running sums over the judged frames of one person; no frame is kept.

    Ages are pooled log-linearly, genders by their log-odds, both divided by how often the
    correlated frames repeat one another: n of them count as n / (1 + (n - 1) r).

    References
    ----------
    C. Genest and J. V. Zidek, "Combining probability distributions: a critique and an
    annotated bibliography", Statistical Science 1, 1986 (the logarithmic pool).
    L. Kish, "Survey Sampling", 1965 (the design effect of correlated samples).
    """

    def __init__(self) -> None:
        """Start from nothing."""
        self.frames = 0
        """How many frames were judged."""
        self._log_ages: NDArray[np.float64] = np.zeros(0)
        self._log_odds = 0.0
        self._first_year = 0.0

    def add(self, estimate: Estimate) -> None:
        """Take in one frame.

        Raises
        ------
        ValueError
            Its ages have another support than those before.
        """
        if not self.frames:
            self._log_ages = np.zeros(len(estimate.ages))
            self._first_year = estimate.first_year
        elif (len(estimate.ages), estimate.first_year) != (len(self._log_ages), self._first_year):
            raise ValueError("the frames of one person must be judged by one model")
        self._log_ages += np.log(np.maximum(estimate.ages, _LEAST))
        p = min(max(estimate.p_female, _LEAST), 1 - _LEAST)
        self._log_odds += math.log(p / (1 - p))
        self.frames += 1

    def estimate(self) -> Estimate:
        """Return what is known so far; of someone never judged, that nothing is."""
        if not self.frames:
            return UNJUDGED
        log_ages = self._log_ages / self._repetition(AGE_CORRELATION)
        ages = np.exp(log_ages - log_ages.max())
        log_odds = self._log_odds / self._repetition(GENDER_CORRELATION)
        return summarize(
            (ages / ages.sum()).astype(np.float32),
            0.5 * (1 + math.tanh(log_odds / 2)),
            self._first_year,
        )

    def _repetition(self, correlation: float) -> float:
        return 1 + (self.frames - 1) * correlation


UNJUDGED = summarize(np.full(101, 1 / 101, np.float32), 0.5)
"""Someone seen, but never well enough to be judged: any age, either gender."""
