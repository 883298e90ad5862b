"""Supervised training of the heads and the network beneath them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import keras

from trainer.config import Config
from trainer.data.batches import FaceBatches
from trainer.data.faces import Faces, load
from trainer.files import atomically
from trainer.models import heads as head_kinds
from trainer.models.recipes import recipe
from trainer.run import BUDGET, CHECKPOINT
from trainer.training.callbacks import (
    Average,
    Bar,
    Budget,
    EarlyStopping,
    Finite,
    Log,
    TensorBoard,
    Validate,
)
from trainer.training.checkpoint import Checkpoint, Reseed, load_weights, load_weights_of_part
from trainer.training.cluster import Cluster
from trainer.training.distillation import taught
from trainer.training.phases import enter, phases
from trainer.training.processor import computing_in
from trainer.training.weights import face_weights


def sources(config: Config) -> list[tuple[Sequence[Path], list[str]]]:
    """Return the manifests that :func:`train` learns from, and which splits of them.

    The labelled faces; with `train.teachers` also those without labels, which they answer for.
    """
    data = config.data
    if not config.train.teachers:
        return [(data.manifests, ["train"])]
    found = [(data.manifests, ["train", "unlabeled"]), (data.unlabeled, ["unlabeled"])]
    return [(manifests, splits) for manifests, splits in found if manifests]


def faces_to_see(config: Config) -> Faces:
    """Read what :func:`train` learns from, see :func:`sources`."""
    first, *others = (load(*part, config.data.limit) for part in sources(config))
    for other in others:
        first = first.and_those(other)
    return first


def train(
    config: Config,
    faces: Faces,
    held_out: Faces | None,
    run: Path,
    encoder_weights: Path | None,
    cluster: Cluster | None = None,
) -> Path:
    """Train a model by its recipe; continues where a killed run stopped.

    Parameters
    ----------
    config
        The run's configuration, its heads resolved
        (:func:`trainer.models.heads.resolve`).
    faces, held_out
        What to learn from, and what to report figures on every few epochs, or in every one
        where they decide when to stop.
    run
        The run's folder; checkpoints are kept in its subfolder `train`.
    encoder_weights
        What :func:`trainer.training.pretrain.pretrain` made; None starts from chance, unless
        the configuration has `train.initial_weights`, which come before.
    cluster
        Who trains; None: this process alone.

    Returns
    -------
    pathlib.Path
        The finished model, `run`/checkpoint.keras.
    """
    result = run / CHECKPOINT
    if result.exists():
        return result
    cluster = cluster or Cluster()
    settings, system = config.train, recipe(config.recipe)
    heads = head_kinds.of(config)
    learning = taught(config, heads, faces)
    # A bare copy, of full precision: others can load it without our losses.
    finished = system.build(config, heads)
    checkpoint = Checkpoint(run / "train", config, finished if settings.ema else None)
    with cluster.scope():
        keras.utils.set_random_seed(config.seed)
        with computing_in(settings.precision):
            model = system.build(config, heads)
        pretrained = _start(model, config, encoder_weights)
        ahead = phases(config, pretrained=pretrained, done=checkpoint.finished_epochs())
        enter(ahead[0], model, system, config, learning)
        done = checkpoint.restore(model)
    if not (done and settings.ema):
        finished.set_weights(model.get_weights())
    log, best = run / "train.csv", run / "train" / "best.keras"
    stopping = None
    if settings.patience and held_out is not None:
        stopping = EarlyStopping(finished, log, settings.patience, best)
    with Bar("train", settings.batch_size) as bar:
        callbacks: list[keras.callbacks.Callback] = [Reseed(config.seed), bar]
        if cluster.chief:
            callbacks[1:] = [Finite(), Average(finished, settings.ema)]
            if held_out is not None:
                every = 1 if stopping else 5
                callbacks.append(Validate(finished, held_out, config, heads, every))
            views = settings.steps * settings.batch_size
            callbacks += [bar, Budget(run / BUDGET, "train", views), Log(log)]
            callbacks.append(TensorBoard(run / "tensorboard" / "train"))
            callbacks += [stopping, checkpoint] if stopping else [checkpoint]
        batches = FaceBatches(
            faces,
            lambda face, random: system.views(face, config, random)[0],
            {name: head.targets(faces.table) for name, head in learning.items()},
            weights=face_weights(config, heads, faces.table),
            batch_size=settings.batch_size,
            steps=settings.steps,
            seed=config.seed,
            first_epoch=done,
        )
        for phase in ahead:
            if phase is not ahead[0]:
                with cluster.scope():
                    enter(phase, model, system, config, learning)
            if stopping and stopping.due(done):
                break
            cluster.fit(model, batches, epochs=phase.last, done=done, callbacks=callbacks)
            done = phase.last
    if cluster.chief:
        if stopping:
            load_weights(finished, best)
        atomically(result, finished.save)
    cluster.wait()
    return result


def _start(model: keras.Model, config: Config, encoder_weights: Path | None) -> bool:
    """Load what a training starts from; return whether that is more than chance."""
    if (whole := config.train.initial_weights) is not None:
        load_weights_of_part(model, whole)
    elif encoder_weights is not None:
        load_weights(model.get_layer("encoder"), encoder_weights)
    starts = whole, encoder_weights, config.options.get("weights")
    return any(start is not None for start in starts)
