"""Supervised training of the heads and the network beneath them."""

from __future__ import annotations

from pathlib import Path

import keras

from trainer.config import Config
from trainer.data.batches import FaceBatches
from trainer.data.faces import Faces
from trainer.models import heads as head_kinds
from trainer.models.recipes import recipe
from trainer.run import CHECKPOINT
from trainer.training.callbacks import Bar, Checkpoint, Log, Validate


def train(
    config: Config,
    faces: Faces,
    held_out: Faces | None,
    run: Path,
    encoder_weights: Path | None,
) -> Path:
    """Train a model by its recipe; continues where a killed run stopped.

    Parameters
    ----------
    config
        The run's configuration, its heads resolved
        (:func:`trainer.models.heads.resolve`).
    faces, held_out
        What to learn from, and what to report figures on every few epochs.
    run
        The run's folder; checkpoints are kept in its subfolder `train`.
    encoder_weights
        What :func:`trainer.training.pretrain.pretrain` made; None starts from chance.

    Returns
    -------
    pathlib.Path
        The finished model, `run`/checkpoint.keras.
    """
    keras.utils.set_random_seed(config.seed)
    settings, system = config.train, recipe(config.recipe)
    heads = head_kinds.of(config)
    model = system.build(config, heads)
    if encoder_weights is not None:
        model.get_layer("encoder").load_weights(encoder_weights)
    system.compile(model, config, heads)
    checkpoint = Checkpoint(run / "train", config.seed)
    done = checkpoint.restore(model)
    batches = FaceBatches(
        faces,
        lambda face, random: system.views(face, config, random)[0],
        {name: head.targets(faces.table) for name, head in heads.items()},
        batch_size=settings.batch_size,
        steps=settings.steps,
        seed=config.seed,
        first_epoch=done,
    )
    validate = [Validate(held_out, config, every=5)] if held_out is not None else []
    model.fit(
        batches,
        epochs=settings.epochs,
        initial_epoch=done,
        verbose=0,
        shuffle=False,
        callbacks=[
            *validate,
            Bar("train", settings.batch_size),
            Log(run / "train.csv"),
            checkpoint,
        ],
    )
    # A bare copy: others can load it without our losses.
    finished = system.build(config, heads)
    finished.set_weights(model.get_weights())
    result = run / CHECKPOINT
    partial = run / "partial.keras"
    finished.save(partial)
    partial.replace(result)
    return result
