"""The whole network: pixels, encoder, neck, and the heads."""

from __future__ import annotations

from collections.abc import Mapping

import keras
from keras import layers

from trainer.config import ModelConfig
from trainer.models import encoders
from trainer.models.autoencoder import chain
from trainer.models.heads import Head


def build(config: ModelConfig, heads: Mapping[str, Head]) -> keras.Model:
    """Build the estimator with random weights.

    Returns
    -------
    keras.Model
        Images (N, S, S, 3) in [0, 255] -> {name of a head: its outputs (N, K)}, such as
        {"age": (N, 101) logits over years, "gender": (N, 1) logit, positive for female}.
        Its layer `encoder` is the stack that :mod:`trainer.training.pretrain` trains.
    """
    stack = chain(encoders.stages(config), "encoder")
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
    answers = {name: head.outputs(x) for name, head in heads.items()}
    return keras.Model(image, answers, name="estimator")
