"""Local response normalisation, which Keras does not have."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="agegender")
class LocalResponseNormalization(keras.layers.Layer):  # type: ignore[misc]
    """Damp each channel by the energy of its neighbours at the same place.

    Krizhevsky, Sutskever and Hinton, NeurIPS 2012, as Caffe computes it::

        y[c] = x[c] / (k + alpha / size * sum(x[j]**2 for j around c)) ** beta

    where `size` channels around c count, those beyond the first and the last as zero.

    Parameters
    ----------
    size
        Channels in the neighbourhood, odd.
    alpha, beta, k
        See above.
    **kwargs
        Of every Keras layer, such as `name`.
    """

    def __init__(
        self,
        size: int = 5,
        alpha: float = 1e-4,
        beta: float = 0.75,
        k: float = 1.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if size < 1 or size % 2 == 0:
            raise ValueError(f"a neighbourhood is an odd number of channels, got {size}")
        self.size, self.alpha, self.beta, self.k = size, alpha, beta, k

    def call(self, inputs: Any) -> Any:
        """Return the damped channels, (N, H, W, C) as given."""
        channels, reach = inputs.shape[-1], self.size // 2
        energy = ops.pad(ops.square(inputs), [[0, 0]] * 3 + [[reach, reach]])
        around = sum(energy[..., start : start + channels] for start in range(self.size))
        return inputs * ops.power(self.k + self.alpha / self.size * around, -self.beta)

    def get_config(self) -> dict[str, Any]:
        """Return the parameters."""
        own = {"size": self.size, "alpha": self.alpha, "beta": self.beta, "k": self.k}
        return {**super().get_config(), **own}
