"""What did an idea buy? The same training with one thing changed at a time."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from trainer import config
from trainer.config import Config
from trainer.data import faces
from trainer.errors import InputError
from trainer.models import heads
from trainer.training.pretrain import encoder_weights, faces_to_see, pretrain
from trainer.training.trials import MEASURES, Trials, file_name, measured, spread

BASE = "as it is"
KEY = ["idea", "seed"]
SAME_COST = 0.02
"""Share of the base's cost by which an idea's may differ without a name in the plot."""
OTHERS = "other ideas, see the table"
COLOURS = {BASE: "black", OTHERS: "silver"}
"""Of the plot's points; the rest take turns with Matplotlib's own."""


class Idea(BaseModel):
    """What is changed.

    Attributes
    ----------
    set
        Settings as `section.key=value`.
    from_scratch
        Whether the encoder starts from random weights.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    set: tuple[str, ...] = ()
    from_scratch: bool = False


def read(path: Path) -> dict[str, Idea]:
    """Read ideas from a TOML file: a table for each, named after it.

    Raises
    ------
    InputError
        The file cannot be read, or a table has another key than those of :class:`Idea`.
    """
    try:
        found = TypeAdapter(dict[str, Idea]).validate_python(tomllib.loads(path.read_text("utf-8")))
    except (OSError, ValueError, RecursionError) as error:
        if isinstance(error, ValidationError):
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"]))
            error = ValueError(f"{where}: {first['msg']}")
        msg = (
            f"{path}: cannot be read as ideas ({error}). Write a table for each, such as\n"
            '["no cutout"]\nset = ["train.augmentation.erase=0"]'
        )
        raise InputError(msg) from error
    return {BASE: Idea()} | found


def measure(
    ideas: Mapping[str, Idea],
    settings: Path,
    overrides: list[str],
    encoder: Path,
    output: Path,
    seeds: int,
) -> pd.DataFrame:
    """Train once for each seed and idea; what an earlier call has done is not done again.

    An idea that changes the encoder or its pretraining gets an encoder of its own, pretrained
    by its own settings. All have the same budget of gradient steps, unless that is the idea.

    Parameters
    ----------
    ideas
        By name, see :func:`read`.
    settings, overrides
        What they change: a TOML file, and settings that replace its own for all.
    encoder
        Pretrained by these settings.
    output
        Folder for `results.csv`, the pretrained encoders, and the training in hand.
    seeds
        Trainings of each idea.

    Returns
    -------
    pandas.DataFrame
        As :attr:`Trials.results`, with the columns `idea` and `seed`.

    Raises
    ------
    InputError
        A setting does not exist, its value is outside its range, or it is one that all ideas
        share; nothing was trained.
    """
    base = config.load(settings, overrides)
    changed = {name: config.load(settings, [*overrides, *idea.set]) for name, idea in ideas.items()}
    for name, own in changed.items():
        if (own.data, own.seed) != (base.data, base.seed):
            msg = (
                f"{name}: all ideas learn from the same faces and with the same seeds, so an idea "
                "cannot set data.* or seed. Change them for all, with --set and --seeds."
            )
            raise InputError(msg)
    manifests, limit = base.data.manifests, base.data.limit
    seen = faces.load(manifests, ["train"], limit)
    trials = Trials(output, faces.load(manifests, ["val"], limit), *KEY)
    for seed in range(1, seeds + 1):
        for name, own in changed.items():
            key = {"idea": name, "seed": seed}
            if key in trials:
                continue
            if ideas[name].from_scratch:
                start = None
            elif _pretraining(own) == _pretraining(base):
                start = encoder
            else:
                start = _pretrained(own, output / file_name(name))
            resolved = heads.resolve(own, seen.table).model_copy(update={"seed": seed})
            trials.run(key, resolved, seen, start)
    return trials.results


def summary(results: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each idea, as text: what it costs, and what it makes of each measure.

    Means over the seeds, `±` their standard deviation where there are several; in brackets the
    difference from :data:`BASE`.
    """
    by_idea = results.groupby("idea", sort=False)
    table = pd.DataFrame(index=by_idea["parameters"].first().index)
    table["parameters"] = [f"{value:,.0f}" for value in by_idea["parameters"].first()]
    table["multiply-adds, millions"] = [
        f"{value / 1e6:.1f}" for value in by_idea["multiply_adds"].first()
    ]
    for name, dataset, key in measured(results):
        title, factor = MEASURES[key]
        mean, deviations = factor * by_idea[name].mean(), factor * by_idea[name].std()
        table[f"{dataset} {title}"] = [
            spread(value, deviation) + ("" if idea == BASE else f" ({value - mean[BASE]:+.2f})")
            for idea, value, deviation in zip(mean.index, mean, deviations, strict=True)
        ]
    return table.reset_index()


def plot(results: pd.DataFrame, path: Path) -> None:
    """Draw each measure against what a face costs, a point for each idea."""
    from matplotlib.figure import Figure  # noqa: PLC0415  (slow to import)

    panels = list(measured(results))
    figure = Figure(figsize=(5 * len(panels), 5), layout="constrained")
    by_idea = results.groupby("idea", sort=False)
    cost = by_idea["multiply_adds"].first() / 1e6
    # Those that cost what the base does lie on one line; the table tells them apart.
    alike = (abs(cost / cost[BASE] - 1) <= SAME_COST) & (cost.index != BASE)
    for axis, (name, dataset, key) in zip(
        np.ravel(figure.subplots(1, len(panels))), panels, strict=True
    ):
        title, factor = MEASURES[key]
        points = pd.DataFrame({"cost": cost, "mean": factor * by_idea[name].mean()})
        points["deviation"] = factor * by_idea[name].std()
        parts = {OTHERS: points[alike]} | {one: points.loc[[one]] for one in points.index[~alike]}
        for idea, part in parts.items():
            if len(part):
                drawn = {"fmt": "o", "capsize": 3, "color": COLOURS.get(idea), "label": idea}
                axis.errorbar(*part.to_numpy().T, **drawn)
        axis.set(xlabel="multiply-adds per face, millions", ylabel=title, title=dataset)
        axis.grid(alpha=0.3)
    figure.legend(*axis.get_legend_handles_labels(), loc="outside lower center", ncols=5)
    figure.savefig(path, dpi=110)


def _pretraining(settings: Config) -> tuple[object, ...]:
    """Return what the pretrained encoder depends on."""
    model = settings.model
    return model.encoder, model.size, model.channels, settings.pretrain


def _pretrained(settings: Config, folder: Path) -> Path:
    made = encoder_weights(folder)
    if not made.exists():
        pretrain(settings, faces_to_see(settings), folder)
    return made
