"""Compare training on augmented faces with the same steps on batches that lie ready in memory.

Both take turns, in one run, with the default settings and network; the input pipeline is
good when its speed is near the one without it::

    PYTHONPATH=.:src .venv/trainer/bin/python benchmarks/input_pipeline.py [ROUNDS]

What else the machine does changes the speed from one moment to the next: the rounds are short
and many, and the median counts; where others use the cores too, the images per CPU second say
more than those per second. The faces are noise: neither decoding, which happens once, nor
their looks matter here.
"""

from __future__ import annotations

import os
import sys
import time
from statistics import median
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # as `prepare` says, and before Keras

import keras
import numpy as np
import pandas as pd

from trainer.config import Config
from trainer.data.batches import Batch, FaceBatches
from trainer.data.faces import STORED_SIDE, Faces
from trainer.models import heads
from trainer.models.recipes import recipe
from trainer.training.phases import enter, phases
from trainer.training.processor import prepare

FACES = 4096
WARM, STEPS = 8, 16


class Ready(keras.utils.PyDataset):  # type: ignore[misc]
    """Batches that were made before."""

    def __init__(self, batches: FaceBatches) -> None:
        super().__init__()
        self.batches = [batches[index] for index in range(8)]

    def __len__(self) -> int:
        return WARM + STEPS

    def __getitem__(self, index: int) -> Batch:
        return self.batches[index % len(self.batches)]


class Clock(keras.callbacks.Callback):  # type: ignore[misc]
    """Times the steps after the first few."""

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Start when the pipeline has filled."""
        del logs
        if batch == WARM - 1:
            self.start = time.perf_counter(), time.process_time()

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Stop."""
        del logs
        wall, cpu = time.perf_counter() - self.start[0], time.process_time() - self.start[1]
        self.steps_per_second, self.cores = STEPS / wall, cpu / wall


def noise() -> Faces:
    """Return faces in memory, as training holds them."""
    random = np.random.default_rng(0)
    ages = random.integers(0, 100, FACES).astype(np.float32)
    women = random.integers(0, 2, FACES)
    table = pd.DataFrame(
        {
            "age_low": ages,
            "age_high": ages,
            "gender": np.where(women, "female", "male"),
            "dataset": "noise",
        }
    )
    images = random.integers(0, 256, (FACES, STORED_SIDE, STORED_SIDE, 3), dtype=np.uint8)
    return Faces(images, np.stack([ages, ages], axis=1), women.astype(np.float32), table)


def augmented(config: Config, steps: int) -> FaceBatches:
    """Return what a training by these settings would draw from the noise."""
    system, seen = recipe(config.recipe), noise()
    return FaceBatches(
        seen,
        lambda face, random: system.views(face, config, random)[0],
        {name: head.targets(seen.table) for name, head in heads.of(config).items()},
        batch_size=config.train.batch_size,
        steps=steps,
        seed=1,
    )


def main() -> None:
    """Print one row for each round, and the medians."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 15
    prepare()
    config = Config()
    system, asked = recipe(config.recipe), heads.of(config)
    model = system.build(config, asked)
    enter(phases(config, pretrained=False)[0], model, system, config, asked)
    faces = augmented(config, WARM + STEPS)
    ready = Ready(faces)
    model.fit(ready, verbose=0, steps_per_epoch=2)  # compiles
    ratios = []
    print("| in memory, images/s (cores) | augmented, images/s (cores) | ratio | per CPU second |")
    print("|---:|---:|---:|---:|")
    for number in range(rounds):
        # What the machine does beside may change in a round: each is first in turn.
        sources = [ready, faces] if number % 2 else [faces, ready]
        clocks = {source: Clock() for source in sources}
        for source, clock in clocks.items():
            model.fit(source, verbose=0, shuffle=False, callbacks=[clock])
        without, with_ = clocks[ready], clocks[faces]
        ratio = with_.steps_per_second / without.steps_per_second
        ratios.append((ratio, ratio * without.cores / with_.cores))
        cells = (
            f"{clock.steps_per_second * config.train.batch_size:.0f} ({clock.cores:.2f})"
            for clock in (without, with_)
        )
        print(f"| {' | '.join(cells)} | {ratios[-1][0]:.2f} | {ratios[-1][1]:.2f} |", flush=True)
    wall, cpu = (median(column) for column in zip(*ratios, strict=True))
    print(f"\nmedian ratio of images/s: {wall:.2f}, of images per CPU second: {cpu:.2f}")


if __name__ == "__main__":
    main()
