"""A training on pretrained layers: first with these frozen, then with all of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import keras

from trainer.config import Config
from trainer.models.encoders import ENCODER
from trainer.models.heads import Head
from trainer.models.recipes import Recipe
from trainer.training.processor import jit_compile


@dataclass(frozen=True)
class Phase:
    """Epochs that share an optimizer.

    Attributes
    ----------
    first, last
        Epochs behind it when it begins and when it ends.
    frozen
        Whether the pretrained layers stay as they are.
    """

    first: int
    last: int
    frozen: bool


def phases(config: Config, *, pretrained: bool, done: int = 0) -> list[Phase]:
    """Return what is ahead of a training, one or two phases.

    Parameters
    ----------
    config
        The run's.
    pretrained
        Whether it does not start from chance.
    done
        Epochs that a checkpoint has behind it. What was saved as a phase ended is still of
        that phase, which then comes first.
    """
    epochs = config.train.epochs
    frozen = min(config.train.frozen_epochs, epochs) if pretrained else 0
    both = [Phase(0, frozen, frozen=True), Phase(frozen, epochs, frozen=False)]
    return [phase for phase in both if phase.last > phase.first and phase.last >= done]


def enter(
    phase: Phase, model: keras.Model, system: Recipe, config: Config, heads: Mapping[str, Head]
) -> None:
    """Freeze or free the pretrained layers, and begin with a new optimizer.

    The recipe is told the phase's epochs alone, in which its learning rate falls, and as
    `frozen_epochs` how many are behind it in which the layers were frozen.
    """
    for layer in model.layers:
        if layer.name.startswith(ENCODER):
            layer.trainable = not phase.frozen
    epochs = {"epochs": phase.last - phase.first, "frozen_epochs": phase.first}
    told = config.model_copy(update={"train": config.train.model_copy(update=epochs)})
    system.compile(model, told, heads)
    if (jit := jit_compile()) != "auto":
        model.jit_compile = jit
