"""A recipe: as ours, with another encoder, and trained by SGD with momentum."""

from collections.abc import Mapping
from typing import Any

import keras

from trainer.config import Config
from trainer.models.heads import Head, head_losses
from trainer.models.recipes import Sdae


class Momentum(Sdae):
    """Takes network and views of a face from `sdae`, and brings its own settings."""

    defaults: Mapping[str, Any] = {
        "model": {"encoder": "plain", "size": 48},
        "train": {"learning_rate": 0.02},
    }

    def compile(self, model: keras.Model, config: Config, heads: Mapping[str, Head]) -> None:
        """Nesterov's momentum (Sutskever et al., ICML 2013) at a constant rate."""
        optimizer = keras.optimizers.SGD(config.train.learning_rate, momentum=0.9, nesterov=True)
        model.compile(optimizer, **head_losses(config, heads))


RECIPE = Momentum()
