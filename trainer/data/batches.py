"""The batches that training draws."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from typing import Self

import keras
import numpy as np
from numpy.typing import NDArray

from trainer.data.faces import Faces

Batch = tuple[NDArray[np.float32] | dict[str, NDArray[np.float32]], ...]
View = Callable[[NDArray[np.uint8], np.random.Generator], NDArray[np.uint8]]
"""Makes one view (S, S, 3) of a face, with a source of chance."""


class FaceBatches(keras.utils.PyDataset):  # type: ignore[misc]
    """An endless shuffled stream of augmented batches, cut into epochs of equal length.

    Batch i of epoch e depends on (seed, e, i) alone. A run that is killed and resumed at
    an epoch's start therefore sees what the uninterrupted run would have seen.

    Parameters
    ----------
    faces
        Where to draw from; each face is drawn once before any is drawn twice.
    view
        What is seen of a face.
    targets
        Labels of all faces by head, (N, L); empty for training without labels.
    weights
        What each face's loss is multiplied with, by head, (N,); empty: nothing.
    batch_size, steps
        Faces per batch and batches per epoch.
    seed
        Of the order of the faces and of all their views.
    first_epoch
        Epoch to start at.
    workers
        Threads that prepare batches ahead.
    """

    def __init__(
        self,
        faces: Faces,
        view: View,
        targets: Mapping[str, NDArray[np.float32]],
        *,
        weights: Mapping[str, NDArray[np.float32]] | None = None,
        batch_size: int,
        steps: int,
        seed: int,
        first_epoch: int = 0,
        workers: int = 2,
    ) -> None:
        super().__init__(workers=workers, max_queue_size=8)
        self.faces, self.view, self.targets = faces, view, targets
        self.weights = weights or {}
        self.batch_size, self.steps = batch_size, steps
        self.seed = seed
        self.epoch = first_epoch
        self.number, self.parts = 0, 1

    def __len__(self) -> int:
        return self.steps

    def on_epoch_end(self) -> None:
        """Move on to the next epoch's batches."""
        self.epoch += 1

    def __getitem__(self, index: int) -> Batch:
        """Return ((B, S, S, 3) float32 in [0, 255], {name of a head: labels (B, L)}).

        With weights there is a third item, {name of a head: (B,)}.
        """
        chosen = self._draw((self.epoch * self.steps + index) * self.batch_size)
        chosen = np.array_split(chosen, self.parts)[self.number]
        seeds = (self.seed, self.epoch, index)
        random = np.random.default_rng((*seeds, self.number) if self.number else seeds)
        views = [self.view(self.faces.images[i], random) for i in chosen]
        labels, weights = (
            {name: values[chosen] for name, values in of_all.items()}
            for of_all in (self.targets, self.weights)
        )
        images = np.stack(views).astype(np.float32)
        return (images, labels, weights) if weights else (images, labels)

    def part(self, number: int, parts: int) -> Self:
        """Return the same stream with part `number`, from 0, of each batch alone."""
        part = copy.copy(self)
        part.number, part.parts = number, parts
        return part

    def endless(self) -> Iterator[Batch]:
        """Yield this and all later epochs' batches."""
        while True:
            yield from (self[index] for index in range(len(self)))
            self.on_epoch_end()

    def _draw(self, start: int) -> NDArray[np.int64]:
        positions = np.arange(start, start + self.batch_size)
        rounds, places = np.divmod(positions, len(self.faces))
        chosen = np.empty(self.batch_size, np.int64)
        for number in np.unique(rounds):
            order = np.random.default_rng((self.seed, int(number))).permutation(len(self.faces))
            chosen[rounds == number] = order[places[rounds == number]]
        return chosen
