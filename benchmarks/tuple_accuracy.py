"""Why the 97 % "accuracy" of a network that answers (age band, gender) as a tuple is none.

Keras, asked for "accuracy" of two numbers, takes them for two classes and compares where the
larger one stands. The band's number, 0 to 7, is larger than the gender's, 0 or 1, unless the
face is a baby's: nearly everybody is in the same "class", and any network is right.

With --two-hot a network that gives each band a probability is read both ways: as its likeliest
band, and as the mean of its bands, which is what a squared error teaches one number to be.

usage: benchmarks/tuple_accuracy.py RUN [--split val] [--adience FOLDER] [--two-hot RUN]
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from trainer.data import adience, faces
from trainer.data.faces import Faces
from trainer.evaluation import models
from trainer.models import heads, recipes
from trainer.models.reading import probabilities

Floats = NDArray[np.float32]


def main() -> None:
    """Print one table for Adience's labels, and one for a run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("--split", default="val")
    parser.add_argument("--adience", type=Path, help="folder with fold_0_data.txt to fold_4")
    parser.add_argument("--two-hot", type=Path, help="run of fcn-2hot")
    given = parser.parse_args()
    if given.adience:
        labels = adience_labels(given.adience)
        print(f"| {len(labels):,} faces of Adience, labels alone | Keras' accuracy |")
        print("|---|---:|")
        print(f"| the same answer for everybody, (4, 0.5) | {share(same(labels))} |")
        print(f"| an answer at random, from 0 to 7 and 0 to 1 | {share(drawn(labels))} |\n")

    settings, network, _ = models.trained(given.run)
    asked = heads.of(settings)
    held_out = faces.load(settings.data.manifests, [given.split], settings.data.limit)
    true = np.hstack([asked[name].targets(held_out.table) for name in ("age", "gender")])
    known = (true >= 0).all(axis=1)
    shown = recipes.outputs(network, held_out, settings)
    said = np.hstack([shown["age"], shown["gender"]])[known]
    true = true[known]
    shuffled = np.random.default_rng(1).permutation(said)
    pairs = pd.DataFrame(true).value_counts(normalize=True)
    commonest = np.tile(np.float32(pairs.index[0]), (len(true), 1))
    scored = "Keras' accuracy | band | one-off | gender | both"
    print(f"| {len(true):,} faces of {given.split} | {scored} |")
    print("|---|---:|---:|---:|---:|---:|")
    for name, answers in (
        (str(given.run), said),
        ("its answers, dealt to other faces", shuffled),
        ("always the commonest pair", commonest),
    ):
        right = np.round(answers) == true
        off = np.abs(np.round(answers[:, 0]) - true[:, 0]) <= 1
        scores = (keras_accuracy(true, answers), right[:, 0].mean(), off.mean())
        row = (*scores, right[:, 1].mean(), right.all(axis=1).mean())
        print(f"| {name} | {' | '.join(map(share, row))} |")

    if given.two_hot:
        print(f"\n| {given.two_hot}, {len(true):,} faces | band | one-off | mean square |")
        print("|---|---:|---:|---:|")
        for name, band in both_readings(given.two_hot, held_out.subset(np.flatnonzero(known))):
            off = np.abs(np.round(band) - true[:, 0])
            square = np.square(band - true[:, 0]).mean()
            print(
                f"| {name} | {share((off == 0).mean())} | {share((off <= 1).mean())} "
                f"| {square:.2f} |"
            )


def both_readings(run: Path, held_out: Faces) -> list[tuple[str, Floats]]:
    """Return the number of each face's likeliest band, and the mean over its bands, (N,)."""
    settings, network, _ = models.trained(run)
    logits = recipes.outputs(network, held_out, settings)["age"]
    shares = probabilities(heads.of(settings)["age"].description, logits)
    likeliest = shares.argmax(axis=1).astype(np.float32)
    mean = (shares @ np.arange(shares.shape[1])).astype(np.float32)
    return [("its likeliest band", likeliest), ("the mean of its bands", mean)]


def adience_labels(folder: Path) -> Floats:
    """Return (band, gender) of each face of Adience with both labels, (N, 2)."""
    table = adience.labels(folder)
    names = [f"{low}-{high}" for low, high in adience.BANDS]
    band = table["age"].map(adience.band).map({name: i for i, name in enumerate(names)})
    gender = table["gender"].map({"m": 0, "f": 1})
    return np.column_stack([band, gender])[(band.notna() & gender.notna())].astype(np.float32)


def same(true: Floats) -> float:
    """Return the accuracy of one answer for all."""
    return keras_accuracy(true, np.tile(np.float32([4, 0.5]), (len(true), 1)))


def drawn(true: Floats) -> float:
    """Return the accuracy of answers drawn by chance."""
    random = np.random.default_rng(1)
    return keras_accuracy(true, random.uniform((0, 0), (7, 1), true.shape).astype(np.float32))


def keras_accuracy(true: Floats, said: Floats) -> float:
    """Return what a model that says (N, 2) reports when compiled with metrics=["accuracy"]."""
    model = keras.Sequential([keras.Input((2,)), keras.layers.Identity()])
    model.compile(loss="mse", metrics=["accuracy"])
    found = model.evaluate(said, true, batch_size=4096, verbose=0, return_dict=True)
    return float(found["accuracy"])


def share(value: float) -> str:
    """Return a share as a percentage."""
    return f"{100 * value:.1f} %"


if __name__ == "__main__":
    main()
