"""Cross-validation: every face is judged once, by a model that has seen nobody of its fold."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import keras
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from trainer import config as configuration
from trainer.config import Config
from trainer.data.faces import Faces
from trainer.errors import InputError
from trainer.evaluation import figures, models
from trainer.evaluation.calibration import calibrate_run
from trainer.files import atomically
from trainer.models import heads as head_kinds
from trainer.models import recipes
from trainer.run import CONFIG
from trainer.training.finetune import train
from trainer.training.pretrain import encoder_weights, pretrain
from trainer.training.trials import refuse_knowledge

RESULTS = "folds.csv"
HELD_OUT = 10
"""One in so many of the subjects trained on calibrates the model instead."""


def assign(table: pd.DataFrame, folds: int, seed: int) -> NDArray[np.int64]:
    """Return the fold of each face, (N,), from 0; -1: in none.

    A column `fold`, as Adience's protocol has it, decides where it is. Elsewhere all faces
    of a subject go into one fold, those of many faces first, each into the smallest fold.

    Parameters
    ----------
    table
        The manifest's rows.
    folds
        How many, where there is no such column.
    seed
        Of the order of the subjects.

    Raises
    ------
    InputError
        A subject is in two published folds, or there are fewer subjects than folds.
    """
    if "fold" in table and table["fold"].notna().any():
        published = pd.Categorical(table["fold"]).codes.astype(np.int64)
        if published.max() < 1:
            raise InputError("the column fold names one fold only; two or more are needed.")
        return published
    # Whose subject is unknown is nobody else's.
    alone = "?" + table.index.astype(str).to_series(index=table.index)
    subjects = (table["dataset"] + "/" + table["subject"]).fillna(alone)
    sizes = subjects.value_counts().sort_index()
    if len(sizes) < folds:
        raise InputError(f"{folds} folds need as many subjects, there are {len(sizes)}.")
    filled = np.zeros(folds, np.int64)
    place = {}
    shuffled = np.random.default_rng(seed).permutation(sizes.index.to_numpy())
    for subject in sorted(shuffled, key=lambda subject: -sizes[subject]):
        place[subject] = int(filled.argmin())
        filled[place[subject]] += sizes[subject]
    return subjects.map(place).to_numpy(np.int64)


def run(
    config: Config,
    faces: Faces,
    unlabeled: Faces | None,
    folder: Path,
    folds: int,
    *,
    scratch: bool,
) -> pd.DataFrame:
    """Pretrain, train, calibrate and judge a model for each fold; goes on where it stopped.

    Parameters
    ----------
    config
        What the trainings share.
    faces
        All labelled ones.
    unlabeled
        For the pretraining besides.
    folder
        Gets a run for each fold, and `folds.csv`.
    folds
        See :func:`assign`.
    scratch
        Whether to leave the pretraining out.

    Returns
    -------
    pandas.DataFrame
        Columns `fold`, `dataset`, and the figures.

    Raises
    ------
    InputError
        The trainings would start from a model that may know the faces it is judged on, or
        there are fewer subjects than folds.
    """
    refuse_knowledge(config)
    place = assign(faces.table, folds, config.seed)
    config = head_kinds.resolve(config, faces.table)
    path = folder / RESULTS
    done = pd.read_csv(path) if path.exists() else pd.DataFrame({"fold": []})
    for fold in range(place.max() + 1):
        if (done["fold"] == fold + 1).any():
            continue
        keras.backend.clear_session()
        rest = faces.subset(np.flatnonzero((place >= 0) & (place != fold)))
        part = folder / f"fold-{fold + 1}"
        model = _train(config, rest, unlabeled, part, scratch=scratch)
        judged = faces.subset(np.flatnonzero(place == fold))
        rows = [
            {"fold": fold + 1, "dataset": name} | figures.figures(held, said, model.heads)
            for name, held, said in figures.each_dataset(judged, model.answer(judged))
        ]
        done = pd.concat([done, pd.DataFrame(rows)], ignore_index=True)
        atomically(path, partial(done.to_csv, index=False))
    return done


def _train(
    config: Config, faces: Faces, unlabeled: Faces | None, part: Path, *, scratch: bool
) -> models.Model:
    """Make a finished run of the faces outside of a fold."""
    part.mkdir(parents=True, exist_ok=True)
    configuration.save(config, part / CONFIG)
    table = faces.table.drop(columns="fold", errors="ignore")
    people = table["subject"].nunique() + int(table["subject"].isna().sum())
    inner = assign(table, min(HELD_OUT, people), config.seed)
    learnt, held_out = (faces.subset(np.flatnonzero(which)) for which in (inner > 0, inner == 0))
    if not scratch and recipes.recipe(config.recipe).pretrained:
        seen = learnt if unlabeled is None else learnt.and_those(unlabeled)
        if not encoder_weights(part).exists():
            pretrain(config, seen, part)
    start = encoder_weights(part)
    train(config, learnt, held_out, part, start if start.exists() else None)
    calibrate_run(part, config, held_out)
    return models.load(part)
