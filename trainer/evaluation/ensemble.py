"""Several models that answer as one, by the mean of what they say or by vote."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import tomli_w
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from trainer.errors import InputError
from trainer.evaluation.predictions import YEARS, Predictions
from trainer.files import atomically
from trainer.models.bands import years

FILE = "ensemble.toml"

Rule = Literal["mean", "majority"]


class Ensemble(BaseModel):
    """Which models answer together, and how.

    Attributes
    ----------
    models
        Folders of runs or exported models; in the file relative to its own folder.
    rule
        ``mean``: of their probabilities. ``majority``: each has one vote, and a tie is
        decided by the mean; ages in years are those of the model with the median age.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    models: tuple[Path, ...] = Field(min_length=2)
    rule: Rule = "majority"


def read(folder: Path) -> Ensemble:
    """Return the ensemble in a folder; raises InputError if the file is none."""
    path = folder / FILE
    try:
        found = Ensemble.model_validate(tomllib.loads(path.read_text("utf-8")))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, ValidationError) as error:
        raise InputError(
            f"{path}: not an ensemble ({error}). `agegender ensemble` writes one."
        ) from error
    return found.model_copy(update={"models": tuple(folder / one for one in found.models)})


def write(ensemble: Ensemble, folder: Path) -> Path:
    """Write an ensemble into a folder; return the file."""
    models = [os.path.relpath(one, folder) for one in ensemble.models]
    text = tomli_w.dumps({"rule": ensemble.rule, "models": models})
    folder.mkdir(parents=True, exist_ok=True)
    atomically(folder / FILE, lambda partial: partial.write_text(text, "utf-8"))
    return folder / FILE


def together(answers: Sequence[Predictions], rule: Rule) -> Predictions:
    """Return one answer for each face.

    Parameters
    ----------
    answers
        What each model says of the same N faces. A model without a head has no vote on it.
    rule
        See :class:`Ensemble`.
    """
    combine = _vote if rule == "majority" else _mean
    genders = [one.probabilities("gender") for one in answers if one.knows_gender]
    aged = [one for one in answers if one.knows_age]
    attributes = {
        name: combine([one.attributes[name] for one in answers])
        for name in answers[0].attributes
        if all(
            name in one.attributes
            and one.attributes[name].shape == answers[0].attributes[name].shape
            for one in answers
        )
    }
    unknown = np.full(len(answers[0].p_female), np.nan)
    p_female = combine(genders)[:, 1] if genders else unknown
    banded = [one.banded for one in aged if one.banded]
    if banded and len(banded) == len(aged) and len({bands for bands, _ in banded}) == 1:
        bands, shares = banded[0][0], combine([each for _, each in banded])
        return Predictions(years(bands, shares, YEARS), p_female, attributes, (bands, shares))
    if not aged:
        return Predictions(np.full((len(unknown), YEARS), np.nan), p_female, attributes)
    ages = np.stack([one.ages for one in aged])
    if rule == "mean":
        return Predictions(ages.mean(axis=0), p_female, attributes)
    order = np.argsort(np.stack([one.age for one in aged]), axis=0)
    median = order[(len(aged) - 1) // 2]
    return Predictions(ages[median, np.arange(len(median))], p_female, attributes)


def _mean(answers: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    mean: NDArray[np.float64] = np.mean(answers, axis=0)
    return mean


def _vote(answers: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Return the shares of votes, (N, K); the mean counts as one that cannot outvote any."""
    votes = np.sum([np.eye(one.shape[1])[one.argmax(axis=1)] for one in answers], axis=0)
    shares: NDArray[np.float64] = (votes + _mean(answers)) / (len(answers) + 1)
    return shares
