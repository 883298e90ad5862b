"""mini-Xception: a small network for gender, and for emotions, on grey faces.

Arriaga, Valdenegro-Toro and Ploeger, "Real-time convolutional neural networks for emotion and
gender classification", 2017 (arXiv:1710.07557).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
from keras import layers, ops

from trainer.config import Config
from trainer.data.fer2013 import EMOTIONS
from trainer.models.heads import Head, head_losses
from trainer.recipes.views import face_and_mirror

CHANNELS = (16, 32, 64, 128)
"""Of the four residual modules."""
DECAY = 0.01
"""L2 penalty on the kernels of the two plain convolutions."""
MOMENTUM = 0.9
"""Of the moving statistics of the normalisation."""

_TRAIN: dict[str, Any] = {
    "epochs": 60,
    "steps": 400,
    "batch_size": 32,
    "learning_rate": 1e-3,
    "augmentation": {"flip": 0.5, "rotate": 5, "shift": 0.05, "zoom": 0.05},
}
GENDER: dict[str, Any] = {
    "model": {"size": 64},
    "train": _TRAIN,
    "heads": {"age": {"kind": "none"}, "gender": {"smoothing": 0.0}},
}
EMOTION: dict[str, Any] = {
    "model": {"size": 48},
    "train": _TRAIN,
    "heads": {
        "age": {"kind": "none"},
        "gender": {"kind": "none"},
        "emotion": {"kind": "categorical", "classes": list(EMOTIONS)},
    },
}


class MiniXception:
    """Two convolutions, four residual modules of separable ones, and a mean over all places."""

    pretrained = False

    def __init__(self, defaults: Mapping[str, Any]) -> None:
        self.defaults = defaults

    def build(self, config: Config, heads: Mapping[str, Head]) -> keras.Model:
        """Return the network; it makes faces grey itself."""
        size = config.model.size
        image = keras.Input((size, size, 3), name="image")
        x = layers.Rescaling(1 / 127.5, -1.0, name="pixels")(image)
        x = ops.image.rgb_to_grayscale(x)
        for number in (1, 2):
            x = layers.Conv2D(
                8,
                3,
                use_bias=False,
                kernel_regularizer=keras.regularizers.L2(DECAY),
                name=f"conv{number}",
            )(x)
            x = _normalised(x, f"conv{number}")
            x = layers.Activation("relu", name=f"conv{number}_relu")(x)
        for number, channels in enumerate(CHANNELS, start=1):
            x = _module(x, channels, f"module{number}")
        # A 3x3 convolution to the classes and the mean over its places is linear in the means
        # of nine windows, one for each place in the kernel: the heads are dense on these.
        _, height, width, _ = x.shape
        x = layers.ZeroPadding2D(1, name="border")(x)
        x = layers.AveragePooling2D((height, width), 1, name="windows")(x)
        x = layers.Flatten(name="features")(x)
        answers = {name: head.outputs(x) for name, head in heads.items()}
        return keras.Model(image, answers, name="mini_xception")

    def compile(self, model: keras.Model, config: Config, heads: Mapping[str, Head]) -> None:
        """Adam (Kingma and Ba, ICLR 2015) under a cosine."""
        steps = config.train.epochs * config.train.steps
        schedule = keras.optimizers.schedules.CosineDecay(config.train.learning_rate, steps)
        model.compile(keras.optimizers.Adam(schedule), **head_losses(config, heads))

    views = staticmethod(face_and_mirror)


def _module(x: keras.KerasTensor, channels: int, name: str) -> keras.KerasTensor:
    beside = layers.Conv2D(
        channels, 1, strides=2, padding="same", use_bias=False, name=f"{name}_beside"
    )(x)
    beside = _normalised(beside, f"{name}_beside")
    for number in (1, 2):
        x = layers.SeparableConv2D(
            channels, 3, padding="same", use_bias=False, name=f"{name}_separable{number}"
        )(x)
        x = _normalised(x, f"{name}_separable{number}")
        if number == 1:
            x = layers.Activation("relu", name=f"{name}_relu")(x)
    x = layers.MaxPooling2D(3, 2, padding="same", name=f"{name}_pool")(x)
    return layers.Add(name=f"{name}_add")([x, beside])


def _normalised(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    return layers.BatchNormalization(momentum=MOMENTUM, name=f"{name}_norm")(x)


RECIPE = MiniXception(GENDER)
FOR_EMOTION = MiniXception(EMOTION)
