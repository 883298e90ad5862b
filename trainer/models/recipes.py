"""Recipes: how a whole model is built, taught and shown faces."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Protocol

import keras
import numpy as np
from numpy.typing import NDArray

from agegender_vision.align import CropGeometry
from agegender_vision.plugins import PluginError, Registry
from trainer.config import Config
from trainer.data.faces import Faces
from trainer.data.geometry import GEOMETRY
from trainer.errors import InputError
from trainer.models import estimator
from trainer.models.heads import Head, head_losses
from trainer.recipes import (
    coral_lstm,
    levi_hassner,
    mini_xception,
    mobilenetv2,
    one_step,
    resnet34,
)
from trainer.recipes.views import face_and_mirror


class Recipe(Protocol):
    """A system: its network, its training and its views of a face.

    Attributes
    ----------
    defaults
        Settings as in the TOML file, such as {"model": {"size": 227}}, in place of the
        general defaults; the user's own win.
    pretrained
        Whether the model has a layer `encoder` that `agegender pretrain` teaches first.

    Notes
    -----
    It may also have `options`, its own settings (:mod:`trainer.recipes.options`), and a method
    `geometry`, if it does not look at the whole face (:func:`geometry`).
    """

    defaults: Mapping[str, Any]
    pretrained: bool

    def build(self, config: Config, heads: Mapping[str, Head]) -> keras.Model:
        """Return the network with random weights.

        (N, S, S, 3) in [0, 255] -> {name of a head: its outputs (N, K)}.
        """

    def compile(self, model: keras.Model, config: Config, heads: Mapping[str, Head]) -> None:
        """Give the network its optimizer and its losses.

        See :func:`trainer.models.heads.head_losses`.
        """

    def views(
        self,
        face: NDArray[np.uint8],
        config: Config,
        random: np.random.Generator | None = None,
    ) -> NDArray[np.uint8]:
        """Return what the network sees of a face: (V, S, S, 3).

        With a source of chance one view to train on; without, the views whose mean
        outputs are the answer, such as the face and its mirror image, or ten crops.
        """


class Sdae:
    """The heads on the encoder of a stacked denoising autoencoder: our own system."""

    defaults: Mapping[str, Any] = {}
    pretrained = True

    def build(self, config: Config, heads: Mapping[str, Head]) -> keras.Model:
        """Return the estimator."""
        return estimator.build(config.model, heads)

    def compile(self, model: keras.Model, config: Config, heads: Mapping[str, Head]) -> None:
        """AdamW (Loshchilov and Hutter, ICLR 2019) under a warmed-up cosine that ends at zero."""
        settings = config.train
        steps = settings.epochs * settings.steps
        warmup = int(settings.warmup * steps)
        schedule = keras.optimizers.schedules.CosineDecay(
            0.0,
            max(steps - warmup, 1),
            alpha=0.0,
            warmup_target=settings.learning_rate,
            warmup_steps=warmup,
        )
        model.compile(
            keras.optimizers.AdamW(schedule, weight_decay=settings.weight_decay),
            **head_losses(config, heads),
        )

    views = staticmethod(face_and_mirror)


class Dex(Sdae):
    """DEX (Rothe, Timofte and Van Gool, IJCV 2018) on our encoder.

    101 years as 101 classes; the mean of the softmax is the age. It is `sdae` without what
    that adds: soft labels, the distance of the mean, the smoothness of a band.
    """

    defaults: Mapping[str, Any] = {
        "heads": {"age": {"kind": "distribution", "sigma": 0, "distance": 0, "smoothness": 0}}
    }


recipes: Registry[Recipe] = Registry(
    "recipe",
    {
        "coral-lstm": coral_lstm.RECIPE,
        "dex": Dex(),
        "fcn-2hot": one_step.TWO_HOT,
        "fcn-tuple": one_step.TUPLE,
        "levi-hassner": levi_hassner.RECIPE,
        "levi-hassner-chained": levi_hassner.CHAINED,
        "mini-xception": mini_xception.RECIPE,
        "mini-xception-emotion": mini_xception.FOR_EMOTION,
        "mobilenetv2": mobilenetv2.RECIPE,
        "resnet34-coral": resnet34.RECIPE,
        "sdae": Sdae(),
    },
)
"""Other packages add theirs through the entry point group `agegender.recipes`."""


def recipe(name: str) -> Recipe:
    """Return the recipe called `name`; raises InputError listing the names otherwise."""
    try:
        return recipes.get(name)
    except PluginError as error:
        raise InputError(str(error)) from error


def geometry(config: Config) -> CropGeometry:
    """Return where the landmarks lie in what the recipe looks at; the whole face, as a rule."""
    system = recipe(config.recipe)
    found: CropGeometry = system.geometry() if hasattr(system, "geometry") else GEOMETRY
    return found


def outputs(
    model: keras.Model, faces: Faces, config: Config, *, chunk: int = 256
) -> dict[str, NDArray[np.float32]]:
    """Show a trained model faces, each in all views of its recipe.

    Parameters
    ----------
    model, faces, config
        The model, what it looks at, and the configuration it was trained with.
    chunk
        Pictures at a time, if it is not one face's views that are more.

    Returns
    -------
    dict
        Name of a head to its outputs (N, K), the mean over the views.
    """
    system = recipe(config.recipe)
    parts: dict[str, list[NDArray[np.float32]]] = {}
    pictures = system.views(faces.images[0], config).shape[:-3]  # of a face, or of its frames
    step = max(1, chunk // math.prod(pictures))
    for start in range(0, len(faces), step):
        shown = [system.views(face, config) for face in faces.images[start : start + step]]
        answers: dict[str, NDArray[np.float32]] = model.predict_on_batch(
            np.concatenate(shown).astype(np.float32)
        )
        for name, answer in answers.items():
            each = answer.reshape(len(shown), -1, answer.shape[-1])
            parts.setdefault(name, []).append(each.mean(axis=1, dtype=np.float32))
    return {name: np.concatenate(part) for name, part in parts.items()}
