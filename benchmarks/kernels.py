"""Compare the kernels that TensorFlow can train with: its own or oneDNN's, and XLA's.

Each choice is a process of its own, all take turns, in one run, with the default settings and
network, on batches that lie ready in memory::

    PYTHONPATH=.:src .venv/trainer/bin/python benchmarks/kernels.py [ROUNDS]
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from itertools import product
from statistics import median

from benchmarks.input_pipeline import augmented
from trainer.config import Config
from trainer.models import heads
from trainer.models.recipes import recipe

BATCHES, STEPS = 4, 24


def child(xla: bool) -> None:
    """Print how many images a second are trained on."""
    config = Config()
    system, asked = recipe(config.recipe), heads.of(config)
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
    """Print a row for each choice: the median speed, and how it compares with the first."""
    if sys.argv[1:2] == ["--child"]:
        return child(xla=sys.argv[2] == "True")
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    speeds: dict[tuple[bool, bool], list[float]] = {}
    for _ in range(rounds):
        for onednn, xla in product((False, True), repeat=2):
            done = subprocess.run(  # noqa: S603
                [sys.executable, __file__, "--child", str(xla)],
                env=os.environ | {"TF_ENABLE_ONEDNN_OPTS": str(int(onednn))},
                stdout=subprocess.PIPE,
                check=True,
                text=True,
            )
            speeds.setdefault((onednn, xla), []).append(float(done.stdout.split()[-1]))
    print("| oneDNN | XLA | images/s | ratio |\n|---|---|---:|---:|")
    first = median(speeds[False, True])
    for (onednn, xla), found in speeds.items():
        words = " | ".join("yes" if there else "no" for there in (onednn, xla))
        print(f"| {words} | {median(found):.0f} | {median(found) / first:.2f} |")
    return None


if __name__ == "__main__":
    main()
