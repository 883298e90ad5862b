"""MobileNetV2, fine-tuned: first new layers on a frozen base, then all of it.

Sandler et al., "MobileNetV2: inverted residuals and linear bottlenecks", CVPR 2018. One
network for each question, trained side by side.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import keras
from keras import layers
from pydantic import Field

from trainer.config import Config
from trainer.errors import InputError
from trainer.models.encoders import ENCODER
from trainer.models.heads import Head, head_losses
from trainer.recipes import options
from trainer.recipes.options import Options
from trainer.recipes.views import face_and_mirror

IMAGENET = "imagenet"
MEAN = (123.68, 116.779, 103.939)
"""Mean colour of ImageNet, subtracted from the pixels."""
SCALE = 127.5
"""What is left is divided by this: the published weights expect about -1 to 1."""
MOMENTUM = 0.9
"""Of the moving statistics of the normalisation. Keras' 0.999 needs thousands of steps."""
UNFROZEN = 0.1
"""Learning rate once the base is unfrozen, as a multiple of the rate before."""


class BaseOptions(Options):
    """Which MobileNetV2 it is, and what it starts from.

    Attributes
    ----------
    alpha
        Multiplies the published widths.
    weights
        Of the bases: a file of Keras' weights without top, the `checkpoint.keras` of a run of
        this recipe, or "imagenet", which Keras downloads. None: random ones, and then no
        phase is frozen.
    """

    alpha: float = Field(default=1.0, gt=0)
    weights: Literal["imagenet"] | Path | None = None


class MobileNetV2:
    """A MobileNetV2 with a hidden layer on top, for each head its own.

    Attributes
    ----------
    defaults
        224 pixels; five of 30 epochs on a frozen base; flips, shears and rotations.
    scale
        See :data:`SCALE`.
    momentum
        See :data:`MOMENTUM`.
    """

    defaults: Mapping[str, Any] = {
        "model": {"size": 224, "dropout": 0.5},
        "train": {
            "epochs": 30,
            "frozen_epochs": 5,
            "steps": 400,
            "batch_size": 32,
            "learning_rate": 0.05,
            "augmentation": {"flip": 0.5, "rotate": 10, "shear": 6, "zoom": 0.08, "shift": 0.05},
        },
        "heads": {"age": {"kind": "bands"}},
    }
    pretrained = False
    options = BaseOptions

    def __init__(self, scale: float = SCALE, momentum: float = MOMENTUM) -> None:
        self.scale, self.momentum = scale, momentum

    def build(self, config: Config, heads: Mapping[str, Head]) -> keras.Model:
        """Return the networks as one model, their bases with the weights that are configured.

        Raises
        ------
        InputError
            The weights cannot be had, or are another network's.
        """
        settings, own = config.model, options.of(config, BaseOptions)
        shape = (settings.size, settings.size, 3)
        image = keras.Input(shape, name="image")
        # Not Rescaling: the mean is one number for each channel.
        pixels = layers.Normalization(mean=MEAN, variance=[self.scale**2] * 3, name="pixels")(image)
        answers = {}
        for name, head in heads.items():
            base = keras.applications.MobileNetV2(
                shape,
                alpha=own.alpha,
                include_top=False,
                weights=None,
                name=f"{ENCODER}_{name}",
            )
            for layer in base.layers:
                if isinstance(layer, layers.BatchNormalization):
                    layer.momentum = self.momentum
            _load(base, own.weights, own.alpha)
            x = layers.GlobalAveragePooling2D(name=f"{name}_pool")(base(pixels))
            x = layers.Dense(settings.hidden, activation="relu", name=f"{name}_hidden")(x)
            x = layers.Dropout(settings.dropout, name=f"{name}_dropout")(x)
            answers[name] = head.outputs(x)
        return keras.Model(image, answers, name="mobilenetv2")

    def compile(self, model: keras.Model, config: Config, heads: Mapping[str, Head]) -> None:
        """SGD with Nesterov's momentum under a cosine, in each phase.

        `train.frozen_epochs` are those behind the phase, see :mod:`trainer.training.phases`.
        """
        settings = config.train
        slow = UNFROZEN if settings.frozen_epochs else 1.0
        schedule = keras.optimizers.schedules.CosineDecay(
            settings.learning_rate * slow, settings.epochs * settings.steps
        )
        # From random weights it learns sooner than Adam, whose steps are alike for all weights.
        optimizer = keras.optimizers.SGD(schedule, momentum=0.9, nesterov=True)
        model.compile(optimizer, **head_losses(config, heads))

    views = staticmethod(face_and_mirror)


def _load(base: keras.Model, weights: Path | str | None, alpha: float) -> None:
    """Give a base its weights: ImageNet's, a file's, or those of another run's base."""
    if weights is None:
        return
    if weights == IMAGENET:
        try:
            published = keras.applications.MobileNetV2(
                base.input_shape[1:], alpha=alpha, include_top=False, weights=IMAGENET
            )
        except Exception as error:  # whatever a download raises, or an alpha without weights
            raise InputError(
                f"the ImageNet weights of MobileNetV2 cannot be had ({error}). Name a file that "
                'was downloaded elsewhere, the one without top: options.weights="weights.h5"; or '
                "leave options.weights away to train from scratch."
            ) from error
        base.set_weights(published.get_weights())
        return
    try:
        if Path(weights).suffix == ".keras":
            run = keras.saving.load_model(weights)
            names = [layer.name for layer in run.layers if layer.name.startswith(ENCODER)]
            base.set_weights(run.get_layer(names[0]).get_weights())
        else:
            base.load_weights(weights)
    except (OSError, ValueError, KeyError, IndexError) as error:
        raise InputError(
            f"options.weights = {str(weights)!r}: not the weights of a MobileNetV2 without top of "
            f"options.alpha = {alpha:g} ({error})."
        ) from error


RECIPE = MobileNetV2()
