"""Compare what TensorFlow can train with: its own kernels, oneDNN's, XLA's, half precision.

Each choice is a process of its own, all take turns, in one run, with the default settings and
network, on batches that lie ready in memory::

    PYTHONPATH=.:src .venv/trainer/bin/python benchmarks/kernels.py [ROUNDS]
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from statistics import median
from typing import NamedTuple

from benchmarks.input_pipeline import augmented
from trainer.config import Config
from trainer.models import heads
from trainer.models.recipes import recipe
from trainer.training.processor import computing_in

BATCHES, STEPS = 4, 24


class Choice(NamedTuple):
    """What a training runs on."""

    onednn: bool
    xla: bool
    precision: str = "float32"


CHOICES = (
    Choice(onednn=False, xla=False),
    Choice(onednn=False, xla=True),
    Choice(onednn=True, xla=False),
    Choice(onednn=True, xla=True),
    Choice(onednn=True, xla=False, precision="bfloat16"),
)
ALONE = CHOICES[1]  # what TensorFlow chooses by itself on a processor without AVX-512


def child(xla: bool, precision: str) -> None:
    """Print how many images a second are trained on."""
    config = Config()
    system, asked = recipe(config.recipe), heads.of(config)
    with computing_in(precision):
        model = system.build(config, asked)
    system.compile(model, config, asked)
    model.jit_compile = xla
    faces = augmented(config, BATCHES)
    ready = [faces[index] for index in range(BATCHES)]
    for batch in ready:
        model.train_on_batch(*batch)
    start = time.perf_counter()
    for step in range(STEPS):
        model.train_on_batch(*ready[step % BATCHES])
    print(STEPS * config.train.batch_size / (time.perf_counter() - start))


def main() -> None:
    """Print a row for each choice: the median speed, and how it compares with `ALONE`."""
    if sys.argv[1:2] == ["--child"]:
        return child(xla=sys.argv[2] == "True", precision=sys.argv[3])
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    speeds: dict[Choice, list[float]] = {choice: [] for choice in CHOICES}
    for _ in range(rounds):
        for choice, found in speeds.items():
            done = subprocess.run(  # noqa: S603
                [sys.executable, __file__, "--child", str(choice.xla), choice.precision],
                env=os.environ | {"TF_ENABLE_ONEDNN_OPTS": str(int(choice.onednn))},
                stdout=subprocess.PIPE,
                check=True,
                text=True,
            )
            found.append(float(done.stdout.split()[-1]))
    print("| oneDNN | XLA | precision | images/s | ratio |\n|---|---|---|---:|---:|")
    first = median(speeds[ALONE])
    for choice, found in speeds.items():
        words = " | ".join("yes" if there else "no" for there in choice[:2])
        speed = median(found)
        print(f"| {words} | {choice.precision} | {speed:.0f} | {speed / first:.2f} |")
    return None


if __name__ == "__main__":
    main()
