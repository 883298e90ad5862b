"""What an LSTM over the frames of a sequence adds to the mean over its frames.

The sequences are those that `agegender evaluate` shows the recipe `coral-lstm`: photographs,
disturbed frame by frame. All rows see the same ones; the CNN is the one that the LSTM sits on.

usage: benchmarks/sequences.py RUN [RUN ...] [--split val] [--limit 300]
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
from numpy.typing import NDArray

from agegender_vision.runtime.blas import one_thread
from trainer.data import faces
from trainer.data.faces import Faces
from trainer.evaluation import figures, models
from trainer.evaluation.predictions import Predictions
from trainer.models import heads, recipes
from trainer.recipes.coral_lstm import Follower

SHOWN = ("mae", "rmse", "cs5", "gender")


def main() -> None:
    """Print one table for each run's CNN, with a row for each way to judge a sequence."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path, nargs="+")
    parser.add_argument("--split", default="val")
    parser.add_argument("--limit", type=int, default=300)
    given = parser.parse_args()
    chosen, _, _ = models.trained(given.run[0])
    held_out = faces.load(chosen.data.manifests, [given.split], given.limit)
    print(f"| {len(held_out)} sequences of {given.split} | MAE | RMSE | CS(5) | gender |")
    print("|---|---:|---:|---:|---:|")
    cnn = Path(chosen.options["cnn"])
    for name, said in [
        ("the photograph itself", models.load(cnn).answer(held_out)),
        *single_frames(given.run[0], cnn, held_out),
    ]:
        row(name, held_out, said)
    for run in given.run:
        depth = models.trained(run)[0].options.get("layers", 1)
        row(f"LSTM, {depth} layers", held_out, models.load(run).answer(held_out))
    first, further = cost(given.run[0], held_out)
    print(f"\nA new frame costs {further / first:.2f} of the whole sequence.")


def single_frames(run: Path, cnn: Path, held_out: Faces) -> list[tuple[str, Predictions]]:
    """Return what the CNN says of the first frame, of all, and of all in which there is one."""
    chosen, _, _ = models.trained(run)
    settings, network, temperatures = models.trained(cnn)
    show = recipes.recipe(chosen.recipe).views
    parts: dict[str, list[dict[str, NDArray[np.float32]]]] = {
        "one frame": [],
        "mean over the frames": [],
        "mean over the frames that are not lost": [],
    }
    for face in held_out.images:
        (frames,) = show(face, chosen)
        said = network.predict_on_batch(frames.astype(np.float32))
        there = frames.any(axis=(1, 2, 3))
        for key, which in zip(
            parts, (slice(0, 1), slice(None), there if there.any() else slice(None)), strict=True
        ):
            parts[key].append({name: output[which].mean(axis=0) for name, output in said.items()})
    return [
        (
            key,
            Predictions.from_outputs(
                heads.of(settings),
                {name: np.stack([one[name] for one in answers]) for name in answers[0]},
                temperatures,
            ),
        )
        for key, answers in parts.items()
    ]


def row(name: str, held_out: Faces, said: Predictions) -> None:
    """Print one line."""
    found = figures.figures(held_out, said)
    print(f"| {name} | {' | '.join(figures.shown(key, found.get(key)) for key in SHOWN)} |")


def cost(run: Path, held_out: Faces, repeats: int = 5) -> tuple[float, float]:
    """Return the CPU seconds for a sequence, and for a new frame of one, the least of some."""
    chosen, network, _ = models.trained(run)
    (frames,) = recipes.recipe(chosen.recipe).views(held_out.images[0], chosen)
    follower = Follower(network)
    whole, one = [], []
    with one_thread():
        for _ in range(repeats):
            start = time.process_time()
            network(frames[None].astype(np.float32), training=False)
            whole.append(time.process_time() - start)
            start = time.process_time()
            follower.see(frames[0])
            one.append(time.process_time() - start)
    return min(whole), min(one)


if __name__ == "__main__":
    main()
