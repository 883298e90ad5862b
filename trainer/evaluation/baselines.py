"""What a model has to beat: one answer for all, and linear models on untaught encoders."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import keras
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from rich.progress import track
from scipy import linalg

from trainer.config import Config
from trainer.data.faces import Faces
from trainer.data.geometry import aligned
from trainer.errors import InputError
from trainer.evaluation.predictions import YEARS, Predictions
from trainer.models import heads, recipes
from trainer.run import CONFIG, first_run, settings_of
from trainer.training.checkpoint import load_weights
from trainer.training.pretrain import encoder_weights

PENALTY = 0.01
"""Of the ridge, as a share of the variance of a standardised feature."""
CHUNK = 256

Answer = Callable[[Faces], Predictions]


def constant(faces: Faces) -> Predictions:
    """Answer alike for everybody of a data set: the median age, and the commoner gender.

    Parameters
    ----------
    faces
        Whose labels are counted; a band of ages counts as its middle.
    """
    labels = pd.DataFrame({"age": faces.ages.mean(axis=1), "female": faces.female})
    median = labels.groupby(faces.table["dataset"].to_numpy()).transform("median")
    return Predictions(_surely(median["age"].to_numpy()), median["female"].to_numpy())


def probes(config: Config, run: Path, faces: Faces) -> dict[str, Answer]:
    """Fit linear probes (Alain and Bengio, ICLR 2017 workshop) on frozen encoders.

    Ridge regressions on the flattened, standardised features: of the age (a band counts as
    its middle) and of the gender.

    Parameters
    ----------
    config, run
        The run's settings, and its folder with the pretrained encoder; that of a second
        training is in the first one's.
    faces
        Whose labels the probes learn from.

    Returns
    -------
    dict
        `probe`, on the encoder as pretraining left it, and `random`, on one of random
        weights: each answers about faces.

    Raises
    ------
    InputError
        The recipe has no encoder, or the run no pretrained one.
    """
    first = first_run(config, run)
    pretrained = encoder_weights(first)
    if not recipes.recipe(config.recipe).pretrained:
        raise InputError(f"{run}: the recipe {config.recipe!r} pretrains no encoder to probe.")
    if not pretrained.exists():
        raise InputError(f"{pretrained}: no such file. Baselines need the run that was pretrained.")
    # A later training may have added layers to what the first one pretrained.
    config = settings_of(first) if (first / CONFIG).exists() else config
    out = {}
    for name in ("probe", "random"):
        keras.utils.set_random_seed(config.seed)
        network = recipes.recipe(config.recipe).build(config, heads.of(config))
        encoder = network.get_layer("encoder")
        if name == "probe":
            load_weights(encoder, pretrained)
        seen = keras.Model(network.input, encoder(network.get_layer("pixels").output))
        out[name] = _probe(seen, config.model.size, faces, f"{name}: features")
    return out


def _probe(encoder: keras.Model, size: int, faces: Faces, title: str) -> Answer:
    width = int(np.prod(encoder.output_shape[1:])) + 1
    targets = np.stack([faces.ages.mean(axis=1), faces.female], axis=1).astype(np.float64)
    known = ~np.isnan(targets)
    grams, sums = np.zeros((2, width, width)), np.zeros((2, width))
    parts = track(_features(encoder, size, faces), title, total=-(-len(faces) // CHUNK))
    for start, features in zip(range(0, len(faces), CHUNK), parts, strict=True):
        for target in range(2):
            labelled = known[start : start + CHUNK, target]
            values = features[labelled]
            grams[target] += values.T @ values
            sums[target] += values.T @ targets[start : start + CHUNK, target][labelled]
    weights = np.stack([_ridge(gram, total) for gram, total in zip(grams, sums, strict=True)])

    def answer(shown: Faces) -> Predictions:
        found = np.concatenate([part @ weights.T for part in _features(encoder, size, shown)])
        return Predictions(_surely(found[:, 0]), np.clip(found[:, 1], 0, 1))

    return answer


def _surely(ages: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return probabilities of years (N, 101), of two neighbours, whose mean is the age (N,)."""
    age = np.clip(ages.astype(np.float64), 0, YEARS - 1)
    years: NDArray[np.float64] = np.clip(1 - np.abs(age[:, None] - np.arange(YEARS)), 0, None)
    return years


def _features(encoder: keras.Model, size: int, faces: Faces) -> Iterator[NDArray[np.float64]]:
    """Yield the features of up to CHUNK faces, and a constant, (n, F + 1)."""
    for start in range(0, len(faces), CHUNK):
        crops = [aligned(face, size) for face in faces.images[start : start + CHUNK]]
        seen = encoder.predict_on_batch(np.stack(crops).astype(np.float32))
        flat = np.asarray(seen, np.float64).reshape(len(crops), -1)
        yield np.pad(flat, ((0, 0), (0, 1)), constant_values=1)


def _ridge(gram: NDArray[np.float64], total: NDArray[np.float64]) -> NDArray[np.float64]:
    """Solve for the weights (F + 1,); the constant, last, is not penalised."""
    count = max(gram[-1, -1], 1.0)
    mean = gram[-1, :-1] / count
    variance = np.diagonal(gram)[:-1] / count - np.square(mean)
    penalty = np.append(PENALTY * count * np.maximum(variance, 1e-12), 0.0)
    weights: NDArray[np.float64] = linalg.solve(gram + np.diag(penalty), total, assume_a="pos")
    return weights
