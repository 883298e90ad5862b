"""Heads: what a network is asked about a face. Age and gender are two of them."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import keras
import numpy as np
import pandas as pd
from keras import layers
from numpy.typing import NDArray
from pydantic import Field, ValidationError

from agegender_vision.plugins import PluginError, Registry
from trainer.config import NO_HEAD, Config, HeadConfig
from trainer.data.augment import Fraction
from trainer.errors import InputError
from trainer.models import bands, losses
from trainer.models.coral import Coral
from trainer.models.kind import Kind, smoothed
from trainer.models.one_step import OneStepAge, OneStepGender

WORDS = {"yes": 1.0, "true": 1.0, "1": 1.0, "no": 0.0, "false": 0.0, "0": 0.0}
"""What a column of yes and no may hold, in any case."""


class Head(Protocol):
    """One question about a face: its outputs, its labels and its loss.

    Attributes
    ----------
    description
        How the outputs are read, as `model.json` says it to every runtime: `type`
        "distribution" (logits over the years `support`, first and last), "coral" (logits of
        being older than each year of `support` but the last), "logit" (of the class
        `positive`), "classes" (logits over `labels`), or another of
        :mod:`trainer.models.reading`. Those with a `support` are about years. `smoothing` is
        the share of each label that was spread over the classes, which reading undoes.
    """

    @property
    def description(self) -> Mapping[str, Any]:
        """See above."""

    def outputs(self, features: keras.KerasTensor) -> keras.KerasTensor:
        """Return the outputs (N, K) on features (N, F)."""

    def targets(self, table: pd.DataFrame) -> NDArray[np.float32]:
        """Return the labels (N, L) of a manifest's rows, NaN where unknown."""

    def loss(self, targets: Any, outputs: Any) -> Any:
        """Return the loss of each face, (N,): zero where the label is unknown."""


class Distribution(Kind):
    """Age as a distribution over years; learns from exact ages and from bands.

    See :func:`trainer.models.losses.age_likelihood` for the options.
    """

    years: int = Field(default=101, gt=1)
    sigma: float = Field(default=2.0, ge=0)
    distance: float = Field(default=0.05, ge=0)
    smoothness: float = Field(default=0.01, ge=0)

    @property
    def description(self) -> Mapping[str, Any]:
        """Logits over the years."""
        return {"type": "distribution", "support": [0, self.years - 1]}

    def outputs(self, features: keras.KerasTensor) -> keras.KerasTensor:
        """Return logits (N, years)."""
        return layers.Dense(self.years, name=self.name)(features)

    def targets(self, table: pd.DataFrame) -> NDArray[np.float32]:
        """Return (N, 2): lowest and highest possible age in years."""
        return table[["age_low", "age_high"]].to_numpy(np.float32)

    def loss(self, targets: Any, outputs: Any) -> Any:
        """Return the negative log-likelihood (N,)."""
        return losses.age_likelihood(
            targets,
            outputs,
            sigma=self.sigma,
            distance=self.distance,
            smoothness=self.smoothness,
        )


class Binary(Kind):
    """One of two: a column of yes and no, or of `positive` and one other word.

    Attributes
    ----------
    column
        Of the manifest; left out: the head's name.
    positive
        The class that the logit stands for; left out, the column holds yes and no, true
        and false, or 1 and 0.
    smoothing
        Share of each label moved to the other side.
    """

    column: str | None = None
    positive: str | None = None
    smoothing: Fraction = 0.0

    @property
    def description(self) -> Mapping[str, Any]:
        """One logit."""
        about = {"type": "logit", "positive": self.positive or "yes"}
        return about | smoothed(self.smoothing)

    def outputs(self, features: keras.KerasTensor) -> keras.KerasTensor:
        """Return a logit (N, 1)."""
        return layers.Dense(1, name=self.name)(features)

    def targets(self, table: pd.DataFrame) -> NDArray[np.float32]:
        """Return (N, 1): 1 for yes or `positive`, 0 for the other; raises InputError."""
        column = self.column or self.name
        words = labels(table, column)
        if self.positive is None:
            known = words.str.lower().map(WORDS)
            wrong = sorted(words[words.notna() & known.isna()].unique())
            if wrong:
                raise InputError(
                    f"heads.{self.name}: the column {column!r} holds {_listed(wrong)}, not yes "
                    'and no. Say which of two is meant with positive="...", or take '
                    'kind="categorical".'
                )
        else:
            found = sorted(words.dropna().unique())
            if len({*found, self.positive}) > 2:
                raise InputError(
                    f"heads.{self.name}: the column {column!r} holds {_listed(found)}, more "
                    f'than {self.positive!r} and one other. Take kind="categorical".'
                )
            known = (words == self.positive).astype(float).where(words.notna())
        return known.to_numpy(np.float32)[:, None]

    def loss(self, targets: Any, outputs: Any) -> Any:
        """Return the binary cross-entropy (N,)."""
        return losses.binary(targets, outputs, smoothing=self.smoothing)


class Categorical(Kind):
    """One class of several.

    Attributes
    ----------
    column
        Of the manifest; left out: the head's name.
    classes
        The classes in the order of the outputs; left out: those of the training faces, in
        alphabetical order, which the run's `config.toml` then names.
    smoothing
        Share of each label spread over all classes.
    """

    column: str | None = None
    classes: tuple[str, ...] = ()
    smoothing: Fraction = 0.0

    @property
    def description(self) -> Mapping[str, Any]:
        """Logits over the classes."""
        return {"type": "classes", "labels": list(self.classes)} | smoothed(self.smoothing)

    def outputs(self, features: keras.KerasTensor) -> keras.KerasTensor:
        """Return logits (N, K)."""
        return layers.Dense(len(self.classes), name=self.name)(features)

    def targets(self, table: pd.DataFrame) -> NDArray[np.float32]:
        """Return (N, 1): the index of the class; raises InputError for another class."""
        words = labels(table, self.column or self.name)
        index = words.map({word: float(place) for place, word in enumerate(self.classes)})
        wrong = sorted(words[words.notna() & index.isna()].unique())
        if wrong:
            raise InputError(
                f"heads.{self.name}: {_listed(wrong)} is not among the classes "
                f"{_listed(self.classes)}. Correct the manifest, or name all classes: "
                f'heads.{self.name}.classes=["...", "..."].'
            )
        return index.to_numpy(np.float32)[:, None]

    def loss(self, targets: Any, outputs: Any) -> Any:
        """Return the cross-entropy (N,)."""
        return losses.categorical(targets, outputs, smoothing=self.smoothing)


heads: Registry[Callable[..., Head]] = Registry(
    "head",
    {
        "bands": bands.Bands,
        "binary": Binary,
        "categorical": Categorical,
        "coral": Coral,
        "distribution": Distribution,
        "one-step-age": OneStepAge,
        "one-step-gender": OneStepGender,
    },
)
"""Kinds of heads, called with `name` and the options of the configuration. Other packages
add theirs through the entry point group `agegender.heads`."""


class HeadLoss(keras.losses.Loss):  # type: ignore[misc]
    """A head's loss, as Keras takes it."""

    def __init__(self, head: Head) -> None:
        super().__init__()
        self.head = head

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Return (N,) losses."""
        return self.head.loss(y_true, y_pred)


def head_losses(config: Config, heads: Mapping[str, Head]) -> dict[str, Any]:
    """Return the losses of the heads and their weights, as arguments of `Model.compile`."""
    return {
        "loss": {name: HeadLoss(head) for name, head in heads.items()},
        "loss_weights": {name: config.heads[name].weight for name in heads},
    }


def of(config: Config) -> dict[str, Head]:
    """Return the heads that a configuration asks for, by name.

    Raises
    ------
    InputError
        No kind of head has that name, an option is unknown (the nearest known one is
        named), a value is outside its range, or heads that need each other are not there.
    """
    asked = {
        name: _head(name, settings)
        for name, settings in config.heads.items()
        if settings.kind != NO_HEAD
    }
    bands.check(asked)
    return asked


def resolve(config: Config, table: pd.DataFrame) -> Config:
    """Write down what heads leave to the training faces: classes, importance of ranks.

    Parameters
    ----------
    config
        The run's.
    table
        The manifest's rows of the training faces.

    Returns
    -------
    Config
        With `classes`, or `importance`, wherever the kind of head has them.

    Raises
    ------
    InputError
        No training face has a label for one of the heads.
    """
    resolved = {}
    for name, settings in config.heads.items():
        resolved[name] = settings
        if settings.kind == NO_HEAD:
            continue
        options = settings.options
        if "classes" in _parameters(settings.kind) and not options.get("classes"):
            column = str(options.get("column") or name)
            classes = sorted(labels(table, column).dropna().unique())
            if len(classes) == 1:
                raise InputError(
                    f"heads.{name}: every label of the training faces is {classes[0]!r}, so there "
                    "is nothing to tell apart. Add faces of other classes, or leave the head out."
                )
            resolved[name] = settings.model_copy(update={"classes": classes})
        head = _head(name, resolved[name])
        if np.isnan(head.targets(table)).all():
            raise InputError(
                f"heads.{name}: no training face has a label for it. The columns are "
                f"{', '.join(map(str, table))}. Name another with heads.{name}.column, or "
                f'leave the head out: heads.{name}.kind="{NO_HEAD}".'
            )
        if isinstance(head, Coral):
            resolved[name] = resolved[name].model_copy(update=head.found(table))
    return config.model_copy(update={"heads": resolved})


def labels(table: pd.DataFrame, column: str) -> pd.Series:
    """Return a column as words, numbers without a fraction as whole ones; NaN where empty.

    A manifest without the column has no labels in it.
    """
    if column not in table:
        return pd.Series(np.nan, table.index, dtype=object)
    return table[column].map(
        lambda value: f"{value:.12g}" if isinstance(value, float) else str(value).strip(),
        na_action="ignore",
    )


def _head(name: str, settings: HeadConfig) -> Head:
    known = _parameters(settings.kind)
    for option in settings.options:
        if option not in known:
            near = difflib.get_close_matches(option, known, n=1, cutoff=0.3)
            hint = f" Did you mean {near[0]}?" if near else ""
            raise InputError(
                f"unknown setting heads.{name}.{option}.{hint} A head of the kind "
                f"{settings.kind!r} knows: {', '.join(['kind', 'weight', *known])}."
            )
    try:
        return heads.get(settings.kind)(name=name, **settings.options)
    except ValidationError as error:
        wrong = error.errors()[0]
        key = ".".join(map(str, ("heads", name, *wrong["loc"])))
        raise InputError(f"{key} = {wrong['input']!r}: {wrong['msg']}.") from error
    except (TypeError, ValueError) as error:  # a kind of another package
        raise InputError(f"heads.{name}: {error}") from error


def _parameters(kind: str) -> list[str]:
    try:
        return [name for name in inspect.signature(heads.get(kind)).parameters if name != "name"]
    except PluginError as error:
        raise InputError(str(error)) from error


def _listed(words: Sequence[str]) -> str:
    return ", ".join(map(repr, words[:5])) + (", ..." if len(words) > 5 else "")
