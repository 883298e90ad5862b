"""ResNet-34 with CORAL, as Cao, Mirjalili and Raschka trained it (2020)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray
from pydantic import PositiveInt

from agegender_vision.align import CropGeometry
from trainer.config import Config
from trainer.data.geometry import centre
from trainer.errors import InputError
from trainer.models.heads import Head, head_losses
from trainer.recipes.options import Options, of
from trainer.recipes.views import crop

CROP = 120 / 128
"""Share of the face's side that is looked at."""
FEATURES = "features"
"""Layer whose outputs (N, last of model.channels) the heads are put on."""


class ResNetOptions(Options):
    """How deep the network is.

    Attributes
    ----------
    blocks
        Residual blocks of each stage, of two convolutions each: with the first convolution
        and the heads 34 layers; (2, 2, 2, 2) makes 18.
    """

    blocks: tuple[PositiveInt, ...] = (3, 4, 6, 3)


class ResNet34:
    """A residual network (He et al., CVPR 2016) below heads for age, by CORAL, and gender."""

    defaults: Mapping[str, Any] = {
        "model": {"size": 120, "channels": (64, 128, 256, 512), "mirror": False, "dropout": 0.0},
        "train": {
            "epochs": 200,
            "batch_size": 256,
            "learning_rate": 5e-4,
            "augmentation": {"flip": 0.0},
        },
        "heads": {"age": {"kind": "coral"}, "gender": {"smoothing": 0.0, "weight": 10.0}},
    }
    pretrained = False
    options = ResNetOptions

    def build(self, config: Config, heads: Mapping[str, Head]) -> keras.Model:
        """Return the network; `model.channels` are the widths of its stages.

        Raises
        ------
        InputError
            There are not as many widths as stages.
        """
        size, widths, depths = config.model.size, config.model.channels, of(config, ResNetOptions)
        if len(widths) != len(depths.blocks):
            raise InputError(
                f"model.channels names {len(widths)} widths, options.blocks {len(depths.blocks)} "
                "stages: give as many of both."
            )
        image = keras.Input((size, size, 3), name="image")
        x = layers.Rescaling(1 / 255, name="pixels")(image)
        x = _convolution(x, widths[0], 7, 2, "stem", relu=True)
        x = layers.MaxPooling2D(3, 2, padding="same", name="stem_pool")(x)
        stages = zip(widths, depths.blocks, strict=True)
        for stage, (width, blocks) in enumerate(stages, start=1):
            for block in range(1, blocks + 1):
                stride = 2 if block == 1 < stage else 1
                x = _block(x, width, stride, f"stage{stage}_block{block}")
        x = layers.GlobalAveragePooling2D(name=FEATURES)(x)
        if config.model.dropout:
            x = layers.Dropout(config.model.dropout, name="dropout")(x)
        return keras.Model(image, {name: head.outputs(x) for name, head in heads.items()})

    def compile(self, model: keras.Model, config: Config, heads: Mapping[str, Head]) -> None:
        """Adam (Kingma and Ba, ICLR 2015) at a constant rate."""
        optimizer = keras.optimizers.Adam(config.train.learning_rate)
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
        """Return a random crop, or the middle: 120 pixels of 128, or as much at another size."""
        return crop(face, config, CROP, random)


def _convolution(
    x: keras.KerasTensor, width: int, side: int, stride: int, name: str, *, relu: bool
) -> keras.KerasTensor:
    x = layers.Conv2D(
        width,
        side,
        strides=stride,
        padding="same",
        use_bias=False,
        kernel_initializer="he_normal",
        name=f"{name}_conv",
    )(x)
    x = layers.BatchNormalization(momentum=0.9, name=f"{name}_norm")(x)
    return layers.Activation("relu", name=f"{name}_relu")(x) if relu else x


def _block(x: keras.KerasTensor, width: int, stride: int, name: str) -> keras.KerasTensor:
    y = _convolution(x, width, 3, stride, f"{name}_first", relu=True)
    y = _convolution(y, width, 3, 1, f"{name}_second", relu=False)
    if stride > 1 or x.shape[-1] != width:
        x = _convolution(x, width, 1, stride, f"{name}_short", relu=False)
    x = layers.Add(name=f"{name}_add")([x, y])
    return layers.Activation("relu", name=f"{name}_relu")(x)


RECIPE = ResNet34()
