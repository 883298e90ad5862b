"""What a recipe's network makes of a few faces that it is shown again and again."""

from pathlib import Path

import keras
import numpy as np

from trainer.config import Config
from trainer.data import faces
from trainer.evaluation import figures
from trainer.evaluation.predictions import Predictions
from trainer.models import heads, recipes
from trainer.training.phases import enter, phases


def learnt(settings: Config, manifest: Path, *, batch_size: int, epochs: int) -> dict[str, float]:
    """Train on 64 faces as they are, and judge by these."""
    asked, system = heads.of(settings), recipes.recipe(settings.recipe)
    seen = faces.load([manifest], ["train"], 64)
    keras.utils.set_random_seed(1)
    network = system.build(settings, asked)
    (phase,) = phases(settings, pretrained=False)
    enter(phase, network, system, settings, asked)
    views = np.concatenate([system.views(face, settings) for face in seen.images])
    targets = {name: head.targets(seen.table) for name, head in asked.items()}
    network.fit(views.astype(np.float32), targets, batch_size=batch_size, epochs=epochs, verbose=0)
    outputs = recipes.outputs(network, seen, settings)
    return figures.figures(seen, Predictions.from_outputs(asked, outputs), asked)
