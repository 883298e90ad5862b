"""Whether its normalisation is why a MobileNetV2 is stuck at the commonest age band.

    .venv/trainer/bin/python benchmarks/stuck_age.py data/utkface

One training of the recipe `mobilenetv2`, age bands alone, with the normalisation as Keras
makes it: its moving statistics keep 0.999 of themselves at each step. Training itself does not
use them, so one training shows both: what the network answers with these statistics, and with
statistics of the same weights that were allowed to catch up.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray

from trainer import config
from trainer.data import faces
from trainer.data.batches import FaceBatches
from trainer.data.faces import Faces
from trainer.evaluation import metrics
from trainer.models import heads, recipes
from trainer.recipes.mobilenetv2 import MOMENTUM, MobileNetV2

KERAS_MOMENTUM = 0.999
CATCH_UP = 50
"""Batches by which the statistics catch up; 0.9 ** 50 of what they were is left."""


def main() -> None:
    """Train once, and print what it answers with either statistics."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=_Help)
    parser.add_argument("manifest", type=Path, help="such as data/utkface")
    parser.add_argument("--steps", type=int, default=300, help="of 32 faces")
    parser.add_argument("--size", type=int, default=48, help="of the faces, pixels")
    parser.add_argument("--limit", type=int, help="take at most so many faces")
    asked = parser.parse_args()
    settings = config.load(
        None,
        [
            "recipe=mobilenetv2",
            "heads.gender.kind=none",
            f"model.size={asked.size}",
            "model.mirror=false",
            "options.alpha=0.35",
            "train.epochs=1",
            f"train.steps={asked.steps}",
            "train.learning_rate=0.003",
        ],
    )
    seen = faces.load([asked.manifest], ["train"], asked.limit)
    held_out = faces.load([asked.manifest], ["val"], asked.limit)
    head = heads.of(settings)["age"]
    recipe = MobileNetV2(momentum=KERAS_MOMENTUM)
    keras.utils.set_random_seed(settings.seed)
    model = recipe.build(settings, {"age": head})
    recipe.compile(model, settings, {"age": head})
    batches = FaceBatches(
        seen,
        lambda face, random: recipe.views(face, settings, random)[0],
        {"age": head.targets(seen.table)},
        batch_size=settings.train.batch_size,
        steps=asked.steps,
        seed=settings.seed,
    )
    model.fit(batches, verbose=0, shuffle=False)

    true = head.targets(held_out.table)[:, 0].astype(np.int64)
    commonest = np.bincount(true).argmax()
    print(f"{asked.steps} steps of {settings.train.batch_size} faces, {asked.size} pixels")
    print(f"always the commonest band: {_said(true, np.full(len(true), commonest))}")
    left = KERAS_MOMENTUM**asked.steps
    print(f"statistics of momentum {KERAS_MOMENTUM}, {100 * left:.0f} % of them still those of an")
    print(f"untrained network: {_said(true, _answers(model, held_out, settings))}")
    for base in model.layers:
        for layer in getattr(base, "layers", ()):
            if isinstance(layer, keras.layers.BatchNormalization):
                layer.momentum = MOMENTUM
    for number in range(CATCH_UP):
        model(batches[number % asked.steps][0], training=True)
    print(f"statistics of momentum {MOMENTUM}, same weights:")
    print(_said(true, _answers(model, held_out, settings)))


class _Help(argparse.ArgumentDefaultsHelpFormatter, argparse.RawDescriptionHelpFormatter):
    """The text as it stands, and the defaults."""


def _answers(model: keras.Model, held_out: Faces, settings: config.Config) -> NDArray[np.int64]:
    answers: NDArray[np.int64] = recipes.outputs(model, held_out, settings)["age"].argmax(axis=1)
    return answers


def _said(true: NDArray[np.int64], said: NDArray[np.int64]) -> str:
    return (
        f"{100 * metrics.class_accuracy(true, said):.1f} % exact, "
        f"{100 * metrics.balanced_accuracy(true, said):.1f} % balanced, "
        f"{len(np.unique(said))} of {len(np.unique(true))} bands ever answered"
    )


if __name__ == "__main__":
    main()
