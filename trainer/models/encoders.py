"""Encoders: stacks of stages that the autoencoder pretrains and the heads sit on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import keras
from keras import layers

from agegender_vision.plugins import PluginError, Registry
from trainer.config import ModelConfig
from trainer.errors import InputError

ENCODER = "encoder"
"""Layers whose names begin so hold what was pretrained."""
PAIRS = (("first", "second", "ones"), ("third", "fourth", "zeros"))
"""Names of a residual pair's convolutions, and what its last normalisation first scales by."""


def _convolution(
    x: keras.KerasTensor, channels: int, size: int, stride: int, name: str, scale: str = "ones"
) -> keras.KerasTensor:
    x = layers.Conv2D(
        channels, size, strides=stride, padding="same", use_bias=False, name=f"{name}_conv"
    )(x)
    return layers.BatchNormalization(momentum=0.98, gamma_initializer=scale, name=f"{name}_norm")(x)


def stage(index: int, size: int, channels_in: int, channels: int, *, pairs: int) -> keras.Model:
    """One encoder stage: a convolution of stride 2, then residual pairs.

    Parameters
    ----------
    index
        Position in the stack, from 1; part of every layer's name.
    size
        Height and width of the input in pixels; the output has half of it.
    channels_in, channels
        Channels of the input and of the output.
    pairs
        How many residual pairs of 3x3 convolutions follow (He et al., CVPR 2016), at most two.
        The second begins as the identity (Goyal et al., arXiv:1706.02677), so a network that
        is given one answers as it did before.

    Returns
    -------
    keras.Model
        (N, size, size, channels_in) -> (N, size / 2, size / 2, channels), non-negative.
    """
    name = f"stage{index}"
    image = keras.Input((size, size, channels_in), name=f"{name}_input")
    x = _convolution(image, channels, 5 if index == 1 else 3, 2, f"{name}_down")
    x = layers.Activation("relu", name=f"{name}_down_relu")(x)
    for pair, (first, second, scale) in enumerate(PAIRS[:pairs]):
        y = _convolution(x, channels, 3, 1, f"{name}_{first}")
        y = layers.Activation("relu", name=f"{name}_{first}_relu")(y)
        y = _convolution(y, channels, 3, 1, f"{name}_{second}", scale)
        end = f"{name}_{second}" if pair else name
        x = layers.Add(name=f"{end}_add")([x, y])
        x = layers.Activation("relu", name=f"{end}_relu")(x)
    return keras.Model(image, x, name=name)


def residual(size: int, channels: Sequence[int]) -> list[keras.Model]:
    """Return our encoder's stages, first to last.

    The first works on pixels in [-1, 1] and has no residual pair: at full resolution it
    would cost as much as all the others together.
    """
    return _stages(size, channels, in_second=1)


def deeper(size: int, channels: Sequence[int]) -> list[keras.Model]:
    """Return the stages of :func:`residual`, with another residual pair in the second.

    A pair costs the same time in each stage; in the second it has the fewest weights.
    """
    return _stages(size, channels, in_second=2)


def _stages(size: int, channels: Sequence[int], *, in_second: int) -> list[keras.Model]:
    widths, pairs = [3, *channels], {1: 0, 2: in_second}
    return [
        stage(
            index,
            size >> (index - 1),
            widths[index - 1],
            widths[index],
            pairs=pairs.get(index, 1),
        )
        for index in range(1, len(widths))
    ]


class Encoder(Protocol):
    """Makes the stages of an encoder, each (N, S, S, C) -> (N, S / 2, S / 2, C')."""

    def __call__(self, size: int, channels: Sequence[int]) -> list[keras.Model]:
        """Return one model for each of `channels`.

        The first takes `size` x `size` RGB pixels in [-1, 1]. All outputs are
        non-negative, as the decoders of the autoencoder make theirs.
        """


encoders: Registry[Encoder] = Registry("encoder", {"residual": residual, "deeper": deeper})
"""Other packages add theirs through the entry point group `agegender.encoders`."""


def check(config: ModelConfig) -> Encoder:
    """Return the encoder that is configured.

    Raises
    ------
    InputError
        There is none of that name (the message lists them), or the side cannot be halved
        once for each stage.
    """
    stages = len(config.channels)
    if config.size % 2**stages:
        raise InputError(
            f"model.size = {config.size}: cannot be halved {stages} times, once for each of "
            f"model.channels. Give a multiple of {2**stages}."
        )
    try:
        return encoders.get(config.encoder)
    except PluginError as error:
        raise InputError(str(error)) from error


def stages(config: ModelConfig) -> list[keras.Model]:
    """Return the stages of the encoder that is configured.

    Raises
    ------
    InputError
        As :func:`check` says, or a stage does not halve its input.
    """
    made = check(config)(config.size, config.channels)
    for number, (model, channels) in enumerate(zip(made, config.channels, strict=True), start=1):
        side = config.size >> number
        if model.output_shape[1:] != (side, side, channels):
            raise InputError(
                f"the encoder {config.encoder!r} makes {model.output_shape[1:]} in stage "
                f"{number}, not {(side, side, channels)}: each stage must halve its input."
            )
    return made
