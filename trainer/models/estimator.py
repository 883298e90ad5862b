"""The whole network: pixels, encoder, neck, and the age and gender heads."""

from __future__ import annotations

import keras
from keras import layers

from trainer.config import ModelConfig
from trainer.models import encoder
from trainer.models.autoencoder import chain

YEARS = 101
"""Age classes: 0 to 100 years."""


def build(config: ModelConfig) -> keras.Model:
    """Build the estimator with random weights.

    Returns
    -------
    keras.Model
        Images (N, S, S, 3) in [0, 255] -> {"age": (N, 101) logits over years,
        "gender": (N, 1) logit, positive for female}. Its layer `encoder` is the stack
        that :mod:`trainer.training.pretrain` trains.
    """
    stack = chain(encoder.stages(config.size, config.channels), "encoder")
    image = keras.Input((config.size, config.size, 3), name="image")
    x = layers.Rescaling(1 / 127.5, -1.0, name="pixels")(image)
    x = stack(x)
    # Aligned faces keep each feature in its place, so the neck sees positions instead of
    # their average. It normalises, because nothing bounds the scale of what the
    # autoencoder has made of the features.
    x = layers.Conv2D(config.neck, 1, use_bias=False, name="neck_conv")(x)
    x = layers.BatchNormalization(momentum=0.98, name="neck_conv_norm")(x)
    x = layers.Activation("relu", name="neck_conv_relu")(x)
    x = layers.Flatten(name="neck_flatten")(x)
    x = layers.Dense(config.hidden, use_bias=False, name="neck_dense")(x)
    x = layers.BatchNormalization(momentum=0.98, name="neck_dense_norm")(x)
    x = layers.Activation("relu", name="neck_dense_relu")(x)
    x = layers.Dropout(config.dropout, name="dropout")(x)
    heads = {
        "age": layers.Dense(YEARS, name="age")(x),
        "gender": layers.Dense(1, name="gender")(x),
    }
    return keras.Model(image, heads, name="estimator")
