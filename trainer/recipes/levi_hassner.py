"""Levi and Hassner's networks for age bands and gender.

Levi and Hassner, "Age and gender classification using convolutional neural networks", CVPR
workshops 2015. One network for each question, trained side by side.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

from agegender_vision.align import CropGeometry
from trainer.config import Config
from trainer.data.crops import ten_crops
from trainer.data.geometry import aligned, centre
from trainer.models.heads import Head, head_losses
from trainer.models.normalisation import LocalResponseNormalization
from trainer.recipes import options
from trainer.recipes.options import Options
from trainer.recipes.views import crop

CROP = 227 / 256
"""Share of the face's side that a crop has."""
FALL = 10_000
"""Steps after which the learning rate falls to a tenth; at the latest when four fifths of
the training are done."""

DEFAULTS: dict[str, Any] = {
    "model": {"size": 227, "dropout": 0.5},
    "train": {
        "epochs": 100,
        "steps": 500,
        "batch_size": 50,
        "learning_rate": 1e-3,
        "weight_decay": 5e-4,
        "augmentation": {"flip": 0.5},
    },
    "heads": {"age": {"kind": "bands"}, "gender": {"smoothing": 0.0}},
}
_CHAINED: dict[str, Any] = {
    "age": {"kind": "none"},
    "gender": {"smoothing": 0.0},
    "age_of_women": {"kind": "bands", "given": "female"},
    "age_of_men": {"kind": "bands", "given": "male"},
}


class CropOptions(Options):
    """What a finished model looks at: the crop in the middle, or ten."""

    crops: Literal[1, 10] = 1


class LeviHassner:
    """Three convolutions and two dense layers of 512, for each head its own.

    Attributes
    ----------
    defaults
        The paper's: crops of 227 pixels out of 256, SGD from 1e-3 to 1e-4, dropout 0.5.
    """

    pretrained = False
    options = CropOptions

    def __init__(self, defaults: Mapping[str, Any]) -> None:
        self.defaults = defaults

    def build(self, config: Config, heads: Mapping[str, Head]) -> keras.Model:
        """Return the networks as one model."""
        size = config.model.size
        image = keras.Input((size, size, 3), name="image")
        pixels = layers.Rescaling(1 / 127.5, -1.0, name="pixels")(image)
        answers = {
            name: head.outputs(_features(pixels, config.model.dropout, name))
            for name, head in heads.items()
        }
        return keras.Model(image, answers, name="levi_hassner")

    def compile(self, model: keras.Model, config: Config, heads: Mapping[str, Head]) -> None:
        """SGD with momentum, its rate falling to a tenth once."""
        settings = config.train
        fall = min(FALL, settings.epochs * settings.steps * 4 // 5)
        rates = [settings.learning_rate, settings.learning_rate / 10]
        schedule = keras.optimizers.schedules.PiecewiseConstantDecay([fall], rates)
        optimizer = keras.optimizers.SGD(schedule, momentum=0.9, weight_decay=settings.weight_decay)
        model.compile(optimizer, **head_losses(config, heads))

    def geometry(self) -> CropGeometry:
        """Return what is looked at: the middle of a face."""
        return centre(CROP)

    def views(
        self,
        face: NDArray[np.uint8],
        config: Config,
        random: np.random.Generator | None = None,
    ) -> NDArray[np.uint8]:
        """Return a random crop; or the middle, or with `crops` 10 that and the corners."""
        if random is None and options.of(config, CropOptions).crops == 10:
            size = config.model.size
            return ten_crops(aligned(face, round(size / CROP)), size)
        return crop(face, config, CROP, random)


def _features(x: keras.KerasTensor, dropout: float, name: str) -> keras.KerasTensor:
    for number, (channels, size, stride) in enumerate(((96, 7, 4), (256, 5, 1), (384, 3, 1)), 1):
        x = layers.Conv2D(
            channels,
            size,
            strides=stride,
            # Strided without a border; 227 pixels become 56.
            padding="valid" if stride > 1 else "same",
            activation="relu",
            kernel_initializer="he_normal",
            name=f"{name}_conv{number}",
        )(x)
        x = layers.MaxPooling2D(3, 2, padding="same", name=f"{name}_pool{number}")(x)
        if number < 3:
            x = LocalResponseNormalization(name=f"{name}_norm{number}")(x)
    x = layers.Flatten(name=f"{name}_flatten")(x)
    for number in (1, 2):
        x = layers.Dense(
            512, activation="relu", kernel_initializer="he_normal", name=f"{name}_dense{number}"
        )(x)
        x = layers.Dropout(dropout, name=f"{name}_dropout{number}")(x)
    return x


RECIPE = LeviHassner(DEFAULTS)
CHAINED = LeviHassner({**DEFAULTS, "heads": _CHAINED})
"""Gender first, then age by the network of that gender."""
