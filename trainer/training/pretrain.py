"""Greedy stage-wise, then end-to-end pretraining of the encoder on faces without labels."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np

from trainer.config import Config
from trainer.data.augment import view
from trainer.data.batches import FaceBatches
from trainer.data.faces import Faces
from trainer.models import autoencoder, encoders
from trainer.training.callbacks import Bar, Checkpoint, Log


def pretrain(config: Config, faces: Faces, run: Path) -> Path:
    """Train the stacked denoising autoencoder; continues where a killed run stopped.

    Each stage learns to rebuild its own clean input while the stages below stay frozen
    (Vincent et al., JMLR 2010); then the unrolled stack learns to rebuild the image.

    Parameters
    ----------
    config
        The run's configuration.
    faces
        Labels are ignored.
    run
        The run's folder; everything is kept in its subfolder `pretrain`.

    Returns
    -------
    pathlib.Path
        The encoder's weights, `run`/pretrain/encoder.weights.h5.
    """
    result = run / "pretrain" / "encoder.weights.h5"
    if result.exists():
        return result
    keras.utils.set_random_seed(config.seed)
    settings = config.pretrain
    stages = encoders.stages(config.model)
    decoders = autoencoder.decoders(config.model.size, config.model.channels)
    for number, (stage, decoder) in enumerate(zip(stages, decoders, strict=True), start=1):
        below = autoencoder.chain(stages[: number - 1], f"below{number}") if number > 1 else None
        block = settings.block if number == 1 else 1
        model = autoencoder.DenoisingAutoencoder(below, _corruption(config, block), stage, decoder)
        _fit(model, config, faces, run, f"stage{number}", settings.stage_epochs)
    for stage in stages:
        stage.trainable = True
    stack = autoencoder.chain(stages, "encoder")
    model = autoencoder.DenoisingAutoencoder(
        None,
        _corruption(config, settings.block),
        stack,
        autoencoder.chain(decoders[::-1], "decoder"),
    )
    _fit(model, config, faces, run, "stack", settings.stack_epochs)
    partial = result.with_name("partial.weights.h5")
    stack.save_weights(partial)
    partial.replace(result)
    autoencoder.chain([*stages, *decoders[::-1]], "autoencoder").save(
        result.with_name("autoencoder.keras")
    )
    return result


def _corruption(config: Config, block: int) -> autoencoder.Corruption:
    settings = config.pretrain
    return autoencoder.Corruption(settings.masking, settings.noise, block, config.seed)


def _fit(
    model: keras.Model, config: Config, faces: Faces, run: Path, name: str, epochs: int
) -> None:
    settings = config.pretrain
    if not epochs:
        return
    model.compile(
        keras.optimizers.AdamW(
            keras.optimizers.schedules.CosineDecay(
                0.0,
                epochs * settings.steps,
                warmup_target=settings.learning_rate,
                warmup_steps=settings.steps // 4,
            )
        ),
        # XLA is slower than plain kernels for transposed convolutions on a CPU.
        jit_compile=False,
    )
    # One forward pass makes every variable, which restoring a checkpoint needs.
    model(np.zeros((1, config.model.size, config.model.size, 3), np.float32))
    checkpoint = Checkpoint(run / "pretrain" / name, config.seed)
    done = checkpoint.restore(model)
    if done >= epochs:
        return
    batches = FaceBatches(
        faces,
        lambda face, random: view(face, config.model.size, settings.augmentation, random),
        {},
        batch_size=settings.batch_size,
        steps=settings.steps,
        seed=config.seed,
        first_epoch=done,
    )
    model.fit(
        batches,
        epochs=epochs,
        initial_epoch=done,
        verbose=0,
        shuffle=False,
        callbacks=[
            Bar(f"pretrain {name}", settings.batch_size),
            Log(run / "pretrain" / f"{name}.csv"),
            checkpoint,
        ],
    )
