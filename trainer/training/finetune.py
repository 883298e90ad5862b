"""Supervised training of the age and gender heads and the encoder beneath them."""

from __future__ import annotations

from pathlib import Path

import keras

from trainer.config import Config
from trainer.data.batches import FaceBatches
from trainer.data.faces import Faces
from trainer.models import estimator
from trainer.models.losses import AgeLoss, GenderLoss
from trainer.run import CHECKPOINT
from trainer.training.callbacks import Bar, Checkpoint, Log, Validate


def train(
    config: Config,
    faces: Faces,
    held_out: Faces | None,
    run: Path,
    encoder_weights: Path | None,
) -> Path:
    """Train the estimator; continues where a killed run stopped.

    AdamW (Loshchilov and Hutter, ICLR 2019) under a warmed-up cosine that ends at zero.

    Parameters
    ----------
    config
        The run's configuration.
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
    settings, size = config.train, config.model.size
    model = estimator.build(config.model)
    if encoder_weights is not None:
        model.get_layer("encoder").load_weights(encoder_weights)
    steps = settings.epochs * settings.steps
    warmup = int(settings.warmup * steps)
    model.compile(
        keras.optimizers.AdamW(
            keras.optimizers.schedules.CosineDecay(
                0.0,
                max(steps - warmup, 1),
                alpha=0.0,
                warmup_target=settings.learning_rate,
                warmup_steps=warmup,
            ),
            weight_decay=settings.weight_decay,
        ),
        loss={
            "age": AgeLoss(
                estimator.YEARS,
                settings.age_sigma,
                settings.age_distance,
                settings.age_smoothness,
            ),
            "gender": GenderLoss(settings.gender_smoothing),
        },
        loss_weights={"age": 1.0, "gender": settings.gender_weight},
    )
    checkpoint = Checkpoint(run / "train", config.seed)
    done = checkpoint.restore(model)
    batches = FaceBatches(
        faces,
        size=size,
        batch_size=settings.batch_size,
        steps=settings.steps,
        augmentation=settings.augmentation,
        seed=config.seed,
        first_epoch=done,
    )
    validate = [Validate(held_out, size, every=5)] if held_out is not None else []
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
    finished = estimator.build(config.model)
    finished.set_weights(model.get_weights())
    result = run / CHECKPOINT
    partial = run / "partial.keras"
    finished.save(partial)
    partial.replace(result)
    return result
