"""CORAL-LSTM: age and gender from a row of frames, by a recurrent network on a trained CNN.

The CNN, made by the recipe `resnet34-coral` or any other, is frozen; the LSTM (Hochreiter and
Schmidhuber, Neural Computation 9, 1997) and the heads on it are learnt.
"""

from __future__ import annotations

import zlib
from collections import deque
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import layers, ops
from numpy.typing import NDArray
from pydantic import Field

from trainer.config import Config
from trainer.data.augment import Fraction, view
from trainer.errors import InputError
from trainer.models.heads import Head, head_losses
from trainer.recipes.options import Options, of
from trainer.run import CHECKPOINT

CNN, RECURRENT = "cnn", "recurrent"
"""The model's two parts: a frame's features, and the answers to a row of features."""


class SequenceOptions(Options):
    """What a sequence is, and who looks at it.

    Attributes
    ----------
    cnn
        Finished run whose network, without its heads, looks at each frame.
    frames
        In a sequence.
    layers
        Of the LSTM, each `model.hidden` wide.
    lost
        Share of the frames in which nothing is seen.
    """

    cnn: Path
    frames: int = Field(default=20, gt=0)
    layers: int = Field(default=1, ge=1, le=3)
    lost: Fraction = 0.1


class CoralLstm:
    """One answer for a row of frames.

    The data sets hold photographs. A sequence is made of one: its frames are turned, shifted,
    lit and blurred each by chance, and some are lost.
    """

    defaults: Mapping[str, Any] = {
        "model": {"hidden": 64, "dropout": 0.0, "mirror": False},
        "train": {
            "batch_size": 16,
            "learning_rate": 1e-3,
            "augmentation": {
                "rotate": 6,
                "zoom": 0.06,
                "shift": 0.04,
                "colour": 0.3,
                "blur": 0.5,
                "erase": 0.2,
            },
        },
        "heads": {"age": {"kind": "coral"}, "gender": {"smoothing": 0.0, "weight": 10.0}},
    }
    pretrained = False
    options = SequenceOptions

    def build(self, config: Config, heads: Mapping[str, Head]) -> keras.Model:
        """Return the network: (N, F, S, S, 3) in [0, 255] to the heads' outputs.

        Raises
        ------
        InputError
            The CNN's run is not finished, or takes faces of another size.
        """
        chosen, size = of(config, SequenceOptions), config.model.size
        cnn = _cnn(chosen.cnn)
        if cnn.input_shape[1] != size:
            raise InputError(
                f"model.size is {size}; the CNN of {chosen.cnn} takes faces of "
                f"{cnn.input_shape[1]} pixels. Set model.size={cnn.input_shape[1]}."
            )
        width = cnn.output_shape[-1]
        x = rows = keras.Input((None, width), name="features")
        for number in range(1, chosen.layers + 1):
            x = layers.LSTM(
                config.model.hidden, return_sequences=number < chosen.layers, name=f"lstm{number}"
            )(x)
        x = layers.Dropout(config.model.dropout, name="dropout")(x)
        answers = {name: head.outputs(x) for name, head in heads.items()}
        recurrent = keras.Model(rows, answers, name=RECURRENT)
        images = keras.Input((chosen.frames, size, size, 3), name="frames")
        # All frames of all sequences are one batch for the CNN.
        features = cnn(ops.reshape(images, (-1, size, size, 3)), training=False)
        said = recurrent(ops.reshape(features, (-1, chosen.frames, width)))
        return keras.Model(images, said)

    def compile(self, model: keras.Model, config: Config, heads: Mapping[str, Head]) -> None:
        """Adam (Kingma and Ba, ICLR 2015) at a constant rate."""
        optimizer = keras.optimizers.Adam(config.train.learning_rate)
        model.compile(optimizer, **head_losses(config, heads))

    def views(
        self,
        face: NDArray[np.uint8],
        config: Config,
        random: np.random.Generator | None = None,
    ) -> NDArray[np.uint8]:
        """Return a sequence (1, F, S, S, 3); without a source of chance always the same."""
        chosen, size = of(config, SequenceOptions), config.model.size
        random = random or np.random.default_rng(zlib.crc32(face.tobytes()))
        row = np.stack(
            [view(face, size, config.train.augmentation, random) for _ in range(chosen.frames)]
        )
        row[random.random(chosen.frames) < chosen.lost] = 0
        return row[None]


class Follower:
    """Judges somebody frame by frame, looking at each frame once.

    What the CNN made of the last frames is kept, so that a new one costs one extraction and
    the LSTM, which is small, runs over the features of them all.

    Parameters
    ----------
    model
        Trained by the recipe.
    """

    def __init__(self, model: keras.Model) -> None:
        self._extract: Callable[..., Any] = model.get_layer(CNN)
        self._recurrent = model.get_layer(RECURRENT)
        self._features: deque[Any] = deque(maxlen=model.input_shape[1])

    def see(self, frame: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
        """Return what the heads say after a further frame (S, S, 3), each (K,).

        Until as many frames were seen as the network learnt with, of those there are.
        """
        self._features.append(self._extract(frame[None].astype(np.float32), training=False))
        said = self._recurrent(ops.stack(list(self._features), axis=1), training=False)
        return {name: np.asarray(output)[0] for name, output in said.items()}


def _cnn(run: Path) -> keras.Model:
    """Return the frozen network of a run up to what its heads are put on."""
    path = run / CHECKPOINT
    if not path.exists():
        raise InputError(
            f"options.cnn: {path}: no such file. Train a network for single faces first, such as "
            f"`agegender train --run {run} --set recipe=resnet34-coral`."
        )
    # Trained already, and the same each time: it is built twice in a training.
    return _loaded(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=1)
def _loaded(path: Path, _: int) -> keras.Model:
    network = keras.saving.load_model(path)
    below = {id(x): x for x in (network.get_layer(head).input for head in network.output)}
    if len(below) != 1:
        raise InputError(
            f"options.cnn: {path}: its heads do not share their features. Take a run of another "
            "recipe, such as resnet34-coral."
        )
    cnn = keras.Model(network.input, *below.values(), name=CNN)
    cnn.trainable = False
    return cnn


RECIPE = CoralLstm()
