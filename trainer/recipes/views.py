"""What most networks are shown of a face."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trainer.config import Config
from trainer.data.augment import view
from trainer.data.crops import random_crop
from trainer.data.geometry import aligned, centre


def face_and_mirror(
    face: NDArray[np.uint8], config: Config, random: np.random.Generator | None = None
) -> NDArray[np.uint8]:
    """Return an augmented view, or the face as the engine would cut it and its mirror image.

    The mirror image only with `model.mirror`; see
    :meth:`trainer.models.recipes.Recipe.views`.
    """
    size = config.model.size
    if random is not None:
        return view(face, size, config.train.augmentation, random)[None]
    plain = aligned(face, size)
    return np.stack([plain, plain[:, ::-1]] if config.model.mirror else [plain])


def crop(
    face: NDArray[np.uint8],
    config: Config,
    share: float,
    random: np.random.Generator | None = None,
) -> NDArray[np.uint8]:
    """Return a crop from anywhere in an augmented view, or the middle of the face.

    `share` is the crop's of the whole side; see :meth:`trainer.models.recipes.Recipe.views`.
    """
    size = config.model.size
    if random is None:
        return aligned(face, size, centre(share))[None]
    whole = view(face, round(size / share), config.train.augmentation, random)
    return random_crop(whole, size, random)[None]
