"""How much each face counts: weights of classes and groups by head, of data sets and faces."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from trainer.config import Config
from trainer.errors import InputError
from trainer.models.heads import Head, labels


def face_weights(
    config: Config, heads: Mapping[str, Head], table: pd.DataFrame
) -> dict[str, NDArray[np.float32]]:
    """Return what the loss of each face is multiplied with, by head.

    Parameters
    ----------
    config
        `heads.NAME.class_weights` and `group_weights`, `train.dataset_weights` and
        `train.weight_column`.
    heads
        By name.
    table
        The manifest's rows of the training faces, with the column `dataset`.

    Returns
    -------
    dict
        Name of a head to (N,); empty where the configuration weighs nothing.

    Raises
    ------
    InputError
        A data set, class, group or column is not there, or a weight is not a number from 0
        on.
    """
    settings = {name: config.heads[name] for name in heads}
    importance = _importance(config, table)
    if importance is None and not any(
        own.class_weights or own.group_weights for own in settings.values()
    ):
        return {}
    shared = np.ones(len(table)) if importance is None else importance
    return {
        name: (
            shared
            * _class_weights(name, head, settings[name].class_weights, table)
            * _group_weights(name, settings[name].group_weights, table)
        ).astype(np.float32)
        for name, head in heads.items()
    }


def _importance(config: Config, table: pd.DataFrame) -> NDArray[np.float64] | None:
    datasets, column = config.train.dataset_weights, config.train.weight_column
    if not datasets and column is None:
        return None
    _refuse_unknown("train.dataset_weights", datasets, table["dataset"])
    weights = table["dataset"].map(lambda name: datasets.get(name, 1.0)).to_numpy(np.float64)
    if column is not None:
        if column not in table:
            msg = (
                f"train.weight_column = {column!r}: no manifest has that column. There are "
                f"{', '.join(map(str, table))}."
            )
            raise InputError(msg)
        own = pd.to_numeric(table[column], errors="coerce")
        wrong = (table[column].notna() & own.isna()) | (own < 0) | np.isinf(own)
        if wrong.any():
            row = table[wrong].iloc[0]
            msg = (
                f"train.weight_column = {column!r}: {row['file']} has {row[column]!r}, a weight "
                "is a number from 0 on (or empty: 1)."
            )
            raise InputError(msg)
        weights = weights * own.fillna(1.0).to_numpy(np.float64)
    return weights


def _class_weights(
    name: str, head: Head, wanted: str | Mapping[str, float] | None, table: pd.DataFrame
) -> NDArray[np.float64]:
    if not wanted:
        return np.ones(len(table))
    classes = _classes(name, head, table)
    if isinstance(wanted, str):  # "balanced": King and Zeng, Political Analysis 9, 2001
        counts = classes.value_counts()
        by_class = dict(classes.count() / (len(counts) * counts))
    else:
        _refuse_unknown(f"heads.{name}.class_weights", wanted, classes)
        by_class = dict(wanted)
    return classes.map(lambda word: by_class.get(word, 1.0)).fillna(1.0).to_numpy(np.float64)


def _group_weights(
    name: str, wanted: Mapping[str, float] | None, table: pd.DataFrame
) -> NDArray[np.float64]:
    if not wanted:
        return np.ones(len(table))
    group = labels(table, "group")
    narrower = group + " " + labels(table, "gender")
    _refuse_unknown(f"heads.{name}.group_weights", wanted, pd.concat([group, narrower]))
    own = narrower.map(wanted).fillna(group.map(wanted)).fillna(1.0)
    return np.asarray(own, np.float64)


def _classes(name: str, head: Head, table: pd.DataFrame) -> pd.Series:
    """Return each face's class as a word, NaN where it is unknown; of ages the decade."""
    about = head.description
    if "support" in about:
        decade = (table["age_low"] + table["age_high"]) // 20 * 10
        return decade.map(lambda age: f"{age:.0f}-{age + 9:.0f}", na_action="ignore")
    if "labels" in about:
        return pd.Series(head.targets(table)[:, 0]).map(dict(enumerate(about["labels"])))
    return labels(table, str(getattr(head, "column", None) or name))


def _refuse_unknown(setting: str, wanted: Mapping[str, float], there: pd.Series) -> None:
    found = set(there.dropna())
    if unknown := [name for name in wanted if name not in found]:
        msg = (
            f"{setting}: no training face is of {unknown[0]!r}. There are "
            f"{', '.join(sorted(found))}."
        )
        raise InputError(msg)
