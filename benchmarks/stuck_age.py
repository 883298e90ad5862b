"""Why a MobileNetV2 stays at the share of the commonest age band although it learns.

    .venv/trainer/bin/python benchmarks/stuck_age.py data/utkface

The recipe `mobilenetv2` learns the age bands of a few faces by heart, once with Keras' moving
statistics, of which 0.999 stay at each step, and once with the recipe's, of which 0.9 stay.
These same faces are then judged as the training saw them, normalised by their own statistics,
and as held-out faces are, by the moving ones.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import keras
import numpy as np

from trainer import config
from trainer.data import faces
from trainer.evaluation import metrics
from trainer.models import heads
from trainer.models.heads import head_losses
from trainer.recipes.mobilenetv2 import MOMENTUM, MobileNetV2

KERAS_MOMENTUM = 0.999
FACES, BATCH = 64, 32
LEARNING_RATE = 3e-4
"""Of Adam."""


def main() -> None:
    """Train twice, and print what each network answers with either statistics."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=_Help)
    parser.add_argument("manifest", type=Path, help="such as data/utkface")
    parser.add_argument("--steps", type=int, default=100, help="of 32 faces")
    asked = parser.parse_args()
    settings = config.load(
        None,
        [
            "recipe=mobilenetv2",
            "heads.gender.kind=none",
            "model.size=32",
            "model.dropout=0",
            "model.mirror=false",
            "options.alpha=0.35",
        ],
    )
    seen = faces.load([asked.manifest], ["val"], FACES)
    head = heads.of(settings)["age"]
    targets = head.targets(seen.table)
    true = targets[:, 0].astype(np.int64)
    always = metrics.class_accuracy(true, np.full(len(true), np.bincount(true).argmax()))
    print(
        f"{len(true)} faces, {asked.steps} steps; always the commonest band: {100 * always:.1f} %"
    )
    print("| moving statistics keep | own statistics | moving statistics | bands answered |")
    print("|---:|---:|---:|---:|")
    for momentum in (KERAS_MOMENTUM, MOMENTUM):
        recipe = MobileNetV2(momentum=momentum)
        keras.utils.set_random_seed(settings.seed)
        model = recipe.build(settings, {"age": head})
        falling = keras.optimizers.schedules.CosineDecay(LEARNING_RATE, asked.steps)
        model.compile(keras.optimizers.Adam(falling), **head_losses(settings, {"age": head}))
        views = np.concatenate([recipe.views(face, settings) for face in seen.images])
        views = views.astype(np.float32)
        random = np.random.default_rng(settings.seed)
        for _ in range(asked.steps):
            chosen = random.permutation(len(true))[:BATCH]
            model.train_on_batch(views[chosen], {"age": targets[chosen]})
        moving = model.predict_on_batch(views)["age"].argmax(axis=1)
        own = np.asarray(model(views, training=True)["age"]).argmax(axis=1)
        print(
            f"| {momentum} | {100 * metrics.class_accuracy(true, own):.1f} % "
            f"| {100 * metrics.class_accuracy(true, moving):.1f} % "
            f"| {len(np.unique(moving))} of {len(np.unique(true))} |",
            flush=True,
        )


class _Help(argparse.ArgumentDefaultsHelpFormatter, argparse.RawDescriptionHelpFormatter):
    """The text as it stands, and the defaults."""


if __name__ == "__main__":
    main()
