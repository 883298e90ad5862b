"""Several machines that train one model together, found through `TF_CONFIG`."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, TypeVar

import keras
from rich.console import Console

from trainer.data.batches import FaceBatches
from trainer.errors import InputError

T = TypeVar("T")
TF_CONFIG = "TF_CONFIG"


class Cluster:
    """Those who train one model: this process alone, or the workers of `TF_CONFIG`.

    Each worker computes the gradient on its part of every batch, and TensorFlow's collective
    operations add the parts up. The model is the same everywhere at any time; the chief
    alone validates, logs and saves.

    Parameters
    ----------
    strategy
        A `tf.distribute.MultiWorkerMirroredStrategy`; None for this process alone.
    chief
        Whether this process is the chief.
    """

    def __init__(self, strategy: Any = None, *, chief: bool = True) -> None:
        self.strategy, self.chief = strategy, chief

    def scope(self) -> AbstractContextManager[Any]:
        """Return the context in which a model is built, compiled and restored."""
        return self.strategy.scope() if self.strategy else nullcontext()

    def first(self, act: Callable[[], T], then: Callable[[], T]) -> T:
        """Return what the chief's `act` gives and, once it is done, the others' `then`."""
        if self.chief:
            result = act()
            self.wait()
            return result
        self.wait()
        return then()

    def wait(self) -> None:
        """Return when every worker has come here."""
        if self.strategy is not None:
            self._sum(0)

    def fit(
        self,
        model: keras.Model,
        batches: FaceBatches,
        *,
        epochs: int,
        done: int,
        callbacks: Sequence[keras.callbacks.Callback],
    ) -> None:
        """Train a compiled model from epoch `done` on.

        Parameters
        ----------
        model
            Built within :meth:`scope`.
        batches
            Whole batches, of which a worker takes its part.
        epochs, done
            Epochs in all, and how many of them a checkpoint has behind it.
        callbacks
            For every epoch and step; other workers than the chief may have fewer.

        Raises
        ------
        InputError
            The batches cannot be shared equally, or the workers see different checkpoints.
        """
        if self.strategy is None:
            model.fit(
                batches,
                epochs=epochs,
                initial_epoch=done,
                verbose=0,
                shuffle=False,
                callbacks=list(callbacks),
            )
            return
        replicas = self.strategy.num_replicas_in_sync
        if batches.batch_size % replicas:
            msg = (
                f"batch_size = {batches.batch_size}: cannot be shared equally by {replicas} "
                f"devices. Take a multiple of {replicas}."
            )
            raise InputError(msg)
        if self._sum(done) != done * replicas:
            msg = (
                f"This worker's checkpoint has {done} epochs behind it, those of others have "
                "not. --run must be a folder that all workers share."
            )
            raise InputError(msg)
        self._fit(model, batches, epochs, done, callbacks)

    def _fit(
        self,
        model: keras.Model,
        batches: FaceBatches,
        epochs: int,
        done: int,
        callbacks: Sequence[keras.callbacks.Callback],
    ) -> None:
        # Keras 3's own `fit` does not run under this strategy: it averages the figures of a
        # step, which are scalars, over an axis.
        import tensorflow as tf  # noqa: PLC0415  (where it is the backend alone)

        # With the statistics of a part of the batch alone, the curve would be another.
        for layer in _layers(model):
            if isinstance(layer, keras.layers.BatchNormalization):
                layer.synchronized = True

        @tf.function  # type: ignore[untyped-decorator]
        def step(batch: Any) -> dict[str, Any]:
            logs = self.strategy.run(model.train_step, args=(batch,))
            return {
                name: self.strategy.reduce("MEAN", value, axis=None) for name, value in logs.items()
            }

        stream = iter(self._distributed(batches))
        heard = keras.callbacks.CallbackList(
            list(callbacks), model=model, epochs=epochs, steps=len(batches)
        )
        model.stop_training = False
        heard.on_train_begin()
        for epoch in range(done, epochs):
            model.reset_metrics()
            heard.on_epoch_begin(epoch)
            for index in range(len(batches)):
                heard.on_train_batch_begin(index)
                logs = {name: float(value) for name, value in step(next(stream)).items()}
                heard.on_train_batch_end(index, logs)
            heard.on_epoch_end(epoch, logs)
            if self._sum(model.stop_training):  # which the chief may have decided
                break
        heard.on_train_end()

    def _distributed(self, batches: FaceBatches) -> Any:
        import tensorflow as tf  # noqa: PLC0415

        replicas = self.strategy.num_replicas_in_sync

        def local(context: tf.distribute.InputContext) -> tf.data.Dataset:
            here = replicas // context.num_input_pipelines
            first = context.input_pipeline_id * here
            parts = [batches.part(first + index, replicas) for index in range(here)]
            spec = keras.tree.map_structure(
                lambda values: tf.TensorSpec(values.shape, values.dtype), parts[0][0]
            )
            # The devices of a worker take turns at its stream.
            turns = zip(*(part.endless() for part in parts), strict=True)
            stream = (batch for turn in turns for batch in turn)
            return tf.data.Dataset.from_generator(lambda: stream, output_signature=spec).prefetch(8)

        return self.strategy.distribute_datasets_from_function(local)

    def _sum(self, value: float) -> float:
        import tensorflow as tf  # noqa: PLC0415

        values = self.strategy.experimental_distribute_values_from_function(
            lambda _: tf.constant(float(value))
        )
        return float(self.strategy.reduce("SUM", values, axis=None))


def _layers(model: keras.Model) -> Iterator[keras.layers.Layer]:
    for layer in model.layers:
        yield layer
        if isinstance(layer, keras.Model):
            yield from _layers(layer)


@contextmanager
def joined() -> Iterator[Cluster]:
    """Join the workers that `TF_CONFIG` names, for the length of a training.

    When another worker is lost, this process begins anew with `--resume` and waits for it to
    come back: what the collective operations have in flight cannot be taken up again.

    Raises
    ------
    InputError
        `TF_CONFIG` is wrong, or Keras runs on another backend than TensorFlow.
    """
    if TF_CONFIG not in os.environ:
        yield Cluster()
        return
    said = Console(stderr=True, highlight=False, soft_wrap=True)
    name, workers, chief = _task(os.environ[TF_CONFIG])
    if keras.backend.backend() != "tensorflow":
        msg = (
            f"{TF_CONFIG} is set, but Keras runs on {keras.backend.backend()}: several machines "
            "train together with KERAS_BACKEND=tensorflow alone."
        )
        raise InputError(msg)
    import tensorflow as tf  # noqa: PLC0415

    lost = (tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.CancelledError)
    try:
        said.print(f"{name}: waiting for all {workers} workers")
        cluster = Cluster(tf.distribute.MultiWorkerMirroredStrategy(), chief=chief)
        said.print(f"{name}: all workers are here")
        yield cluster
        cluster.wait()  # the chief serves the others until they are done
    except lost:
        said.print(f"{name}: lost another worker; going on from the last checkpoint with all")
        again = [] if "--resume" in sys.argv else ["--resume"]
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:], *again])  # noqa: S606


def _task(config: str) -> tuple[str, int, bool]:
    """Return this worker's name, the number of workers, and whether it is the chief."""
    try:
        values = json.loads(config)
        cluster, task = values["cluster"], values["task"]
        kind, index = str(task["type"]), int(task["index"])
        workers = [*cluster.get("chief", []), *cluster["worker"]]
        address = cluster[kind][index]
    except (ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
        msg = (
            f"{TF_CONFIG}={config!r}: not a cluster and this machine's place in it "
            f"({type(error).__name__}: {error}). Write, for the first of two machines, "
            '{"cluster": {"worker": ["HOST:PORT", "HOST:PORT"]}, '
            '"task": {"type": "worker", "index": 0}}.'
        )
        raise InputError(msg) from error
    chief = kind == "chief" or ("chief" not in cluster and index == 0)
    return f"{kind} {index} at {address}", len(workers), chief
