"""A training done once in small, before hours are spent on it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd

from trainer.config import Config
from trainer.data import faces
from trainer.models import heads
from trainer.models.recipes import recipe
from trainer.training import finetune
from trainer.training.pretrain import pretrain
from trainer.training.weights import face_weights

FEW = 32
"""Faces of each manifest that are looked at."""


def try_pretraining(config: Config) -> Iterator[str]:
    """Read the manifests and do every stage once on a few faces; yield what is ahead."""
    sources, limit = [*config.data.manifests, *config.data.unlabeled], config.data.limit
    splits, settings = ["train", "unlabeled"], config.pretrain
    yield f"faces to learn from: {_counts(faces.rows(sources, splits, limit))}"
    small = config.model_copy(
        update={
            "pretrain": settings.model_copy(
                update={
                    "steps": 1,
                    "stage_epochs": min(settings.stage_epochs, 1),
                    "stack_epochs": min(settings.stack_epochs, 1),
                }
            )
        }
    )
    with TemporaryDirectory() as folder:
        pretrain(small, faces.load(sources, splits, _few(limit)), Path(folder))
    stages = len(config.model.channels)
    yield (
        f"ahead: {stages} stages of {settings.stage_epochs} epochs and the stack's "
        f"{settings.stack_epochs}, {settings.steps} steps of {settings.batch_size} faces each"
    )


def try_training(config: Config, encoder_weights: Path | None) -> Iterator[str]:
    """Read the manifests and do one step on a few faces; yield what is ahead."""
    limit, settings = config.data.limit, config.train
    table = pd.concat(
        [faces.rows(*part, limit) for part in finetune.sources(config)], ignore_index=True
    )
    held_out = faces.rows(config.data.manifests, ["val"], limit)
    yield f"faces to learn from: {_counts(table)}"
    yield f"faces to validate on: {_counts(held_out)}"
    config = heads.resolve(config, table)
    asked = heads.of(config)
    for name, head in asked.items():
        known, checked = (
            int((~np.isnan(head.targets(part)).any(axis=1)).sum()) for part in (table, held_out)
        )
        yield f"labels of {name}: {known:,}, and {checked:,} to validate on"
    face_weights(config, asked, table)
    small = config.model_copy(
        update={
            "data": config.data.model_copy(update={"limit": _few(limit)}),
            "train": settings.model_copy(update={"epochs": 1, "steps": 1}),
            # A few faces need not be of all classes and groups.
            "heads": {
                name: head.model_copy(update={"class_weights": None, "group_weights": None})
                for name, head in config.heads.items()
            },
        }
    )
    few = finetune.faces_to_see(small)
    few_held_out = faces.load(small.data.manifests, ["val"], small.data.limit)
    with TemporaryDirectory() as folder:
        finetune.train(small, few, few_held_out, Path(folder), encoder_weights)
    model = recipe(config.recipe).build(config, asked)
    yield f"network: {config.recipe}, {model.count_params():,} weights"
    yield (
        f"ahead: {settings.epochs} epochs of {settings.steps} steps of {settings.batch_size} faces"
    )


def _few(limit: int | None) -> int:
    return min(limit or FEW, FEW)


def _counts(table: pd.DataFrame) -> str:
    parts = ", ".join(f"{name} {n:,}" for name, n in table["dataset"].value_counts().items())
    return f"{len(table):,} ({parts})"
