"""The stacked denoising autoencoder (Vincent et al., JMLR 11, 2010), convolutional."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import layers, ops


@keras.saving.register_keras_serializable("agegender")
class Corruption(layers.Layer):  # type: ignore[misc]
    """Destroys part of its input: masked blocks, and Gaussian noise on what is left.

    Active in training only; at inference the input passes unchanged.

    Parameters
    ----------
    masking
        Share of the blocks set to zero, in [0, 1).
    noise
        Standard deviation of the Gaussian noise, in units of the input's own standard
        deviation, so that one value suits pixels and features alike.
    block
        Side of a masked block in pixels of the input; 1 masks single positions. All
        channels of a position are masked together, otherwise the other channels would
        give the answer away.
    seed
        Seed of the random stream; its state is saved with the weights.
    """

    def __init__(
        self, masking: float, noise: float, block: int = 1, seed: int = 0, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.masking, self.noise, self.block, self.seed = masking, noise, block, seed
        self.random = keras.random.SeedGenerator(seed)

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Return the corrupted input, same shape (N, H, W, C) and dtype."""
        if not training:
            return inputs
        batch, height, width, _ = ops.shape(inputs)
        rows, columns = -(-height // self.block), -(-width // self.block)
        kept = keras.random.uniform((batch, rows, columns, 1), seed=self.random) >= self.masking
        mask = ops.cast(kept, inputs.dtype)
        if self.block > 1:
            mask = ops.repeat(ops.repeat(mask, self.block, axis=1), self.block, axis=2)
            mask = mask[:, :height, :width]
        spread = ops.std(inputs)
        noise = keras.random.normal(ops.shape(inputs), seed=self.random, dtype=inputs.dtype)
        return (inputs + self.noise * spread * noise) * mask

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {
            **super().get_config(),
            "masking": self.masking,
            "noise": self.noise,
            "block": self.block,
            "seed": self.seed,
        }


class DenoisingAutoencoder(keras.Model):  # type: ignore[misc]
    """Learns to give back the clean input of `encoder` from a corrupted one.

    The same class serves each greedy stage and the unrolled stack: a stage learns on the
    features of the frozen stages `below` it, the stack on pixels with nothing below.

    Parameters
    ----------
    below
        Frozen model that makes the clean target from the image, or None for the image.
    corruption
        Applied to the clean target.
    encoder, decoder
        Trained; `decoder(encoder(x))` has the shape of x.
    """

    def __init__(
        self,
        below: keras.Model | None,
        corruption: Corruption,
        encoder: keras.Model,
        decoder: keras.Model,
    ) -> None:
        super().__init__()
        self.below, self.corruption = below, corruption
        self.encoder, self.decoder = encoder, decoder
        if below is not None:
            below.trainable = False

    def clean(self, image: Any) -> Any:
        """Return the reconstruction target of an image batch in [0, 255]."""
        image = ops.cast(image, "float32") / 127.5 - 1.0
        return image if self.below is None else self.below(image, training=False)

    def call(self, image: Any, training: bool = False) -> Any:
        """Return (target, reconstruction), same shape, from images (N, H, W, 3) in [0, 255]."""
        target = self.clean(image)
        corrupted = self.corruption(target, training=training)
        code = self.encoder(corrupted, training=training)
        return target, self.decoder(code, training=training)

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Any:
        """Return the mean squared error relative to the target's variance.

        1 is what predicting the mean would give, so stages can be compared.
        """
        del x, y, sample_weight, training
        target, reconstruction = y_pred
        scale = ops.sqrt(ops.var(target) + 1e-6)
        # Keras' own loss, because it knows the share of a batch that a device has of it.
        return keras.losses.MeanSquaredError()(target / scale, reconstruction / scale)


def decoder(index: int, size: int, channels_in: int, channels: int) -> keras.Model:
    """Mirror of encoder stage `index`: one transposed convolution that doubles the size.

    Every target but the pixels is the output of a ReLU, so every decoder but the first
    ends in one; that also makes the unrolled decoder nonlinear.

    Returns
    -------
    keras.Model
        (N, size, size, channels_in) -> (N, 2 size, 2 size, channels).
    """
    name = f"decoder{index}"
    code = keras.Input((size, size, channels_in), name=f"{name}_input")
    x = layers.Conv2DTranspose(
        channels,
        4,
        strides=2,
        padding="same",
        activation="linear" if index == 1 else "relu",
        name=f"{name}_out",
    )(code)
    return keras.Model(code, x, name=name)


def decoders(size: int, channels: Sequence[int]) -> list[keras.Model]:
    """Return the mirrors of :func:`trainer.models.encoders.stages`, in the same order."""
    widths = [3, *channels]
    return [
        decoder(index, size >> index, widths[index], widths[index - 1])
        for index in range(1, len(widths))
    ]


def chain(models: Sequence[keras.Model], name: str) -> keras.Model:
    """Return one model that applies `models` in turn."""
    x = image = keras.Input(models[0].input_shape[1:])
    for model in models:
        x = model(x)
    return keras.Model(image, x, name=name)
