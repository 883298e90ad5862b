"""An encoder without residual pairs: one convolution of stride 2 a stage."""

from collections.abc import Sequence

import keras
from keras import layers


def stages(size: int, channels: Sequence[int]) -> list[keras.Model]:
    """Return one model for each of `channels`; each halves the side of its input."""
    made, below = [], 3
    for number, width in enumerate(channels, start=1):
        image = keras.Input((size >> (number - 1), size >> (number - 1), below))
        x = layers.Conv2D(width, 3, strides=2, padding="same", use_bias=False)(image)
        x = layers.BatchNormalization()(x)
        made.append(keras.Model(image, layers.Activation("relu")(x), name=f"plain{number}"))
        below = width
    return made
