"""What most networks are shown of a face."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trainer.config import Config
from trainer.data.augment import view
from trainer.data.geometry import aligned


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
