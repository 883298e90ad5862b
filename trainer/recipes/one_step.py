"""One-step networks: fully connected, age band and gender at once from a grey face."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import keras
import numpy as np
from keras import layers, ops
from numpy.typing import NDArray
from PIL import Image, ImageOps
from pydantic import Field

from trainer.config import Config
from trainer.data.augment import view
from trainer.data.geometry import aligned
from trainer.models.heads import Head, head_losses
from trainer.recipes.options import Options, of


class OneStepOptions(Options):
    """How the layers are held back; `model.dropout` is the third way.

    Attributes
    ----------
    l2
        Weight of the squared weights in the loss.
    max_norm
        Largest norm of the weights into one unit (Srivastava et al., JMLR 2014); none: any.
    """

    l2: float = Field(default=0.0, ge=0)
    max_norm: float | None = Field(default=None, gt=0)


@keras.saving.register_keras_serializable("agegender")
class Grey(layers.Layer):  # type: ignore[misc]
    """One channel of a grey picture, side by side, from -1 to 1.

    Its histogram is even, so the numbers' mean is about zero: from 0 to 1 all weights of a
    unit were pulled the same way, and a training of the same length learnt less.

    A layer of its own, so that no export takes the network for one that can do without the
    equalised histogram.
    """

    def call(self, inputs: Any) -> Any:
        """Return (N, S * S) of (N, S, S, 3) in [0, 255]."""
        return ops.reshape(inputs[..., 0], (-1, inputs.shape[1] * inputs.shape[2])) / 127.5 - 1.0


class OneStep:
    """Fully connected layers, `model.channels` wide, below both heads.

    Parameters
    ----------
    encoding
        Of the answers, see :mod:`trainer.models.one_step`.
    widths
        Of the hidden layers.
    """

    pretrained = False
    options = OneStepOptions

    def __init__(self, encoding: Literal["two-hot", "tuple"], widths: tuple[int, ...]) -> None:
        self.defaults: Mapping[str, Any] = {
            "model": {"size": 48, "channels": widths, "dropout": 0.0, "mirror": False},
            "train": {"learning_rate": 1e-3, "augmentation": {"flip": 0.5}},
            "heads": {
                "age": {"kind": "one-step-age", "encoding": encoding},
                "gender": {"kind": "one-step-gender", "encoding": encoding},
            },
        }

    def build(self, config: Config, heads: Mapping[str, Head]) -> keras.Model:
        """Return the network."""
        size, chosen = config.model.size, of(config, OneStepOptions)
        image = keras.Input((size, size, 3), name="image")
        x = Grey(name="grey")(image)
        for number, width in enumerate(config.model.channels, 1):
            x = layers.Dense(
                width,
                activation="relu",
                kernel_initializer="he_normal",
                kernel_regularizer=keras.regularizers.L2(chosen.l2) if chosen.l2 else None,
                kernel_constraint=(
                    keras.constraints.MaxNorm(chosen.max_norm) if chosen.max_norm else None
                ),
                name=f"dense{number}",
            )(x)
            x = layers.Dropout(config.model.dropout, name=f"dropout{number}")(x)
        return keras.Model(image, {name: head.outputs(x) for name, head in heads.items()})

    def compile(self, model: keras.Model, config: Config, heads: Mapping[str, Head]) -> None:
        """Adam (Kingma and Ba, ICLR 2015) at a constant rate."""
        optimizer = keras.optimizers.Adam(config.train.learning_rate)
        model.compile(optimizer, **head_losses(config, heads))

    def views(
        self,
        face: NDArray[np.uint8],
        config: Config,
        random: np.random.Generator | None = None,
    ) -> NDArray[np.uint8]:
        """Return one view, grey and with its histogram equalised, its channels all alike."""
        size = config.model.size
        seen = (
            aligned(face, size)
            if random is None
            else view(face, size, config.train.augmentation, random)
        )
        grey = ImageOps.equalize(Image.fromarray(seen).convert("L"))
        return np.repeat(np.asarray(grey, np.uint8)[None, ..., None], 3, axis=-1)


TWO_HOT = OneStep("two-hot", (64, 32, 32, 16, 16))
TUPLE = OneStep("tuple", (32, 32, 16, 16, 10))
