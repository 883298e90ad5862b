"""How models err on faces that are badly cut, and on the pictures of cheap cameras.

    .venv/trainer/bin/python benchmarks/degraded.py models/research --manifest data/utkface

The `val` faces are degraded in one way at a time, and judged by each model: a run, or an exported
one.
"""

from __future__ import annotations

import argparse
import dataclasses
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from agegender_vision.align import align
from trainer.data import faces
from trainer.data.augment import Augmentation, view
from trainer.data.faces import STORED_SIDE
from trainer.data.geometry import GEOMETRY
from trainer.evaluation import models
from trainer.evaluation.figures import figures
from trainer.training.trials import MEASURES

SEED = 1
SIDE = 2 * STORED_SIDE
"""Faces are cut anew with twice their pixels, so that cutting alone costs no detail."""

Face = NDArray[np.uint8]
Degrade = Callable[[Face, np.random.Generator], Face]
Points = NDArray[np.float64]
"""Landmarks (5, 2) in shares of the face's side, from its middle."""


def cut(displace: Callable[[Points, np.random.Generator], Points]) -> Degrade:
    """Return what cuts a face by displaced landmarks."""

    def degrade(face: Face, random: np.random.Generator) -> Face:
        points = displace(GEOMETRY.points(1) - 0.5, random) + 0.5
        return align(face, points * face.shape[0] - 0.5, GEOMETRY, SIDE)

    return degrade


def turned(degrees: float) -> Degrade:
    """Return what turns faces."""
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return cut(lambda points, _: points @ np.array([[cos, sin], [-sin, cos]]))


def scattered(share: float) -> Degrade:
    """Return what moves each landmark on its own, by a share of the eyes' distance."""
    spread = share * (GEOMETRY.right_eye[0] - GEOMETRY.left_eye[0])
    return cut(lambda points, random: points + random.normal(0, spread, points.shape))


def fault(**faults: float) -> Degrade:
    """Return what does to a picture what a camera does; see `trainer.data.augment`."""
    return lambda face, random: view(face, STORED_SIDE, Augmentation(**faults), random)


WAYS: dict[str, Degrade] = {
    "as they are": lambda face, _: face,
    "each landmark off by 4 % of the eyes' distance": scattered(0.04),
    "by 8 %": scattered(0.08),
    "by 16 %": scattered(0.16),
    "turned by 5 degrees": turned(5),
    "by 10 degrees": turned(10),
    "by 20 degrees": turned(20),
    "moved right and down by 3 % of the side": cut(lambda points, _: points - 0.03),
    "by 6 %": cut(lambda points, _: points - 0.06),
    "a tenth less of the face seen": cut(lambda points, _: points * 0.9),
    "a fifth less": cut(lambda points, _: points * 0.8),
    "a tenth more, of which the edges are missing": cut(lambda points, _: points * 1.1),
    "grey": fault(grey=1),
    "blurred": fault(blur=1),
    "a sensor's noise": fault(noise=1),
    "compressed": fault(compress=1),
    "blurred, noise, compressed": fault(blur=1, noise=1, compress=1),
}


def main() -> None:
    """Print the figures of each data set, a row for each way."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=_Help)
    parser.add_argument("models", type=Path, nargs="+", help="such as models/research runs/mine")
    parser.add_argument("--manifest", type=Path, action="append", required=True, help="repeatable")
    parser.add_argument("--limit", type=int, help="faces of each manifest; left out: all")
    asked = parser.parse_args()
    opened = [models.load(folder) for folder in asked.models]
    for manifest in asked.manifest:
        held = faces.load([manifest], ["val"], asked.limit)
        rows = {}
        for name, degrade in track(WAYS.items(), manifest.name):
            random = np.random.default_rng(SEED)
            images = np.stack([degrade(face, random) for face in held.images])
            shown = dataclasses.replace(held, images=images)
            rows[name] = [figures(shown, model.answer(shown)) for model in opened]
        aged = "mae" in rows["as they are"][0]
        keys = ["mae" if aged else "fairface_exact", "gender"]
        titles = [f"{folder}: {MEASURES[key][0]}" for key in keys for folder in asked.models]
        print(f"\n| {len(held):,} faces of {manifest.name} | " + " | ".join(titles) + " |")
        print("|---|" + "---:|" * len(titles))
        for name, found in rows.items():
            told = [f"{MEASURES[key][1] * each[key]:.2f}" for key in keys for each in found]
            print(f"| {name} | " + " | ".join(told) + " |")


class _Help(argparse.ArgumentDefaultsHelpFormatter, argparse.RawDescriptionHelpFormatter):
    """The text as it stands, and the defaults."""


if __name__ == "__main__":
    main()
