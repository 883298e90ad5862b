"""Greedy stage-wise, then end-to-end pretraining of the encoder on faces without labels."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np

from trainer.config import Config
from trainer.data.augment import view
from trainer.data.batches import FaceBatches
from trainer.data.faces import Faces, load
from trainer.files import atomically
from trainer.models import autoencoder, encoders
from trainer.run import BUDGET
from trainer.training.callbacks import Bar, Budget, Finite, Log, TensorBoard
from trainer.training.checkpoint import Checkpoint, Reseed
from trainer.training.cluster import Cluster
from trainer.training.processor import jit_compile


def encoder_weights(run: Path) -> Path:
    """Return where a run's pretrained encoder is, once it is finished."""
    older = run / "pretrain" / "encoder.weights.h5"  # until November 2026
    return older if older.exists() else run / "pretrain" / "encoder.keras"


def faces_to_see(config: Config) -> Faces:
    """Read what :func:`pretrain` learns from: all faces but those held out, labelled or not."""
    manifests = [*config.data.manifests, *config.data.unlabeled]
    return load(manifests, ["train", "unlabeled"], config.data.limit)


def pretrain(config: Config, faces: Faces, run: Path, cluster: Cluster | None = None) -> Path:
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
    cluster
        Who trains; None: this process alone.

    Returns
    -------
    pathlib.Path
        The encoder, `run`/pretrain/encoder.keras.
    """
    result = encoder_weights(run)
    if result.exists():
        return result
    cluster = cluster or Cluster()
    with cluster.scope():
        keras.utils.set_random_seed(config.seed)
        stages = encoders.stages(config.model)
        decoders = autoencoder.decoders(config.model.size, config.model.channels)
    settings = config.pretrain
    for number, (stage, decoder) in enumerate(zip(stages, decoders, strict=True), start=1):
        with cluster.scope():
            below = (
                autoencoder.chain(stages[: number - 1], f"below{number}") if number > 1 else None
            )
            corruption = _corruption(config, settings.block if number == 1 else 1)
            model = autoencoder.DenoisingAutoencoder(below, corruption, stage, decoder)
        _fit(model, config, faces, run, f"stage{number}", settings.stage_epochs, cluster)
    for stage in stages:
        stage.trainable = True
    with cluster.scope():
        stack = autoencoder.chain(stages, "encoder")
        model = autoencoder.DenoisingAutoencoder(
            None,
            _corruption(config, settings.block),
            stack,
            autoencoder.chain(decoders[::-1], "decoder"),
        )
    _fit(model, config, faces, run, "stack", settings.stack_epochs, cluster)
    if cluster.chief:
        whole = autoencoder.chain([*stages, *decoders[::-1]], "autoencoder")
        atomically(result.with_name("autoencoder.keras"), whole.save)
        atomically(result, stack.save)
    cluster.wait()
    return result


def _corruption(config: Config, block: int) -> autoencoder.Corruption:
    settings = config.pretrain
    return autoencoder.Corruption(settings.masking, settings.noise, block, config.seed)


def _fit(
    model: keras.Model,
    config: Config,
    faces: Faces,
    run: Path,
    name: str,
    epochs: int,
    cluster: Cluster,
) -> None:
    settings = config.pretrain
    if not epochs:
        return
    checkpoint = Checkpoint(run / "pretrain" / name, config)
    with cluster.scope():
        model.compile(
            keras.optimizers.AdamW(
                keras.optimizers.schedules.CosineDecay(
                    0.0,
                    epochs * settings.steps,
                    warmup_target=settings.learning_rate,
                    warmup_steps=settings.steps // 4,
                )
            ),
            jit_compile=jit_compile(),
        )
        # One forward pass makes every variable, which restoring a checkpoint needs.
        model(np.zeros((1, config.model.size, config.model.size, 3), np.float32))
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
    with Bar(f"pretrain {name}", settings.batch_size) as bar:
        callbacks = [Reseed(config.seed), bar]
        if cluster.chief:
            log = Log(run / "pretrain" / f"{name}.csv")
            curves = TensorBoard(run / "tensorboard" / f"pretrain-{name}")
            views = settings.steps * settings.batch_size
            callbacks += [Finite(), Budget(run / BUDGET, f"pretrain {name}", views), log, curves]
            callbacks.append(checkpoint)
        cluster.fit(model, batches, epochs=epochs, done=done, callbacks=callbacks)
