"""DEX: one class among 101 years, and the mean of the softmax."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from trainer import config
from trainer.models import heads, recipes
from trainer.models.heads import HeadLoss

from .conftest import agegender, options

DEX = config.load(None, ["recipe=dex", "heads.age.years=4"])


def test_the_loss_is_the_cross_entropy_of_the_year_and_nothing_else() -> None:
    logits = np.log(np.array([[0.1, 0.2, 0.3, 0.4]], np.float32))
    loss = HeadLoss(heads.of(DEX)["age"])
    assert float(loss(np.array([[2, 2]], np.float32), logits)) == pytest.approx(-np.log(0.3))
    assert float(loss(np.array([[1, 2]], np.float32), logits)) == pytest.approx(-np.log(0.5))


def test_it_has_a_class_for_each_of_101_years() -> None:
    settings = config.load(None, ["recipe=dex", "model.size=32", "model.channels=[4, 8]"])
    model = recipes.recipe("dex").build(settings, heads.of(settings))
    shapes = {name: output.shape for name, output in model.output.items()}
    assert shapes == {"age": (None, 101), "gender": (None, 1)}
    assert recipes.recipe("dex").pretrained


def test_it_learns(two_faces: Path, tmp_path: Path) -> None:
    chosen = ("recipe=dex", "model.size=32", "model.channels=[4, 8]", "train.epochs=3")
    quick = ("train.steps=10", "train.batch_size=8", "train.learning_rate=0.01")
    agegender("train", "--from-scratch", "--run", tmp_path, *options(two_faces, *chosen, *quick))
    log = pd.read_csv(tmp_path / "train.csv")
    assert log["loss"].iloc[-1] < 0.8 * log["loss"].iloc[0]
