"""What the frames of one person say together."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from .estimator import Estimate, summarize

# Both are chosen by `benchmarks/tracking.py --choose`. Frames of one person err alike: the
# errors of two correlate by about so much, and with it 80 % of all ages lie in the 80 %
# intervals however many frames there are. 0 would take the frames for independent and be
# far too sure; 1 would never grow surer.
CORRELATION = 0.8
# A frame weighs by the width of its age interval to this power: a blurred face leaves a
# wide one. 2 is what averaging independent measurements asks for.
SHARPNESS = 2.0

_LEAST = 1e-6  # a probability of 0 would outlaw a year for good


class Evidence:
    """Running sums over the judged frames of one person; no frame is kept.

    Ages are pooled log-linearly and genders by their log-odds: both are the weighted mean
    of the frames, times the number of independent frames that they are worth.

    References
    ----------
    C. Genest and J. V. Zidek, "Combining probability distributions: a critique and an
    annotated bibliography", Statistical Science 1, 1986 (the logarithmic pool).
    L. Kish, "Survey Sampling", 1965 (what weighted and correlated samples are worth).
    """

    def __init__(self) -> None:
        """Start from nothing."""
        self.frames = 0
        """How many frames were judged."""
        self._weight = self._squared_weight = 0.0
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
        weight = max(estimate.age_high - estimate.age_low, 1.0) ** -SHARPNESS
        p = min(max(estimate.p_female, _LEAST), 1 - _LEAST)
        self.frames += 1
        self._weight += weight
        self._squared_weight += weight**2
        self._log_ages += weight * np.log(np.maximum(estimate.ages, _LEAST))
        self._log_odds += weight * math.log(p / (1 - p))

    def estimate(self) -> Estimate:
        """Return what is known so far; of someone never judged, that nothing is."""
        if not self.frames:
            return UNJUDGED
        frames = self._weight**2 / self._squared_weight
        worth = frames / (1 + (frames - 1) * CORRELATION) / self._weight
        log_ages = worth * self._log_ages
        ages = np.exp(log_ages - log_ages.max())
        return summarize(
            (ages / ages.sum()).astype(np.float32),
            0.5 * (1 + math.tanh(worth * self._log_odds / 2)),
            self._first_year,
        )


UNJUDGED = summarize(np.full(101, 1 / 101, np.float32), 0.5)
"""Someone seen, but never well enough to be judged: any age, either gender."""
