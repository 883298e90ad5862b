"""A training in two phases: on frozen pretrained layers, then on all of them."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from trainer import config
from trainer.config import Config
from trainer.data import faces
from trainer.data.faces import Faces
from trainer.models import encoders, heads
from trainer.models.autoencoder import chain
from trainer.training import finetune
from trainer.training.phases import enter, phases

from .conftest import SMALL_NETWORK

TINY = (
    *SMALL_NETWORK,
    "train.epochs=2",
    "train.frozen_epochs=1",
    "train.steps=3",
    "train.batch_size=4",
)


def test_what_is_ahead() -> None:
    settings = config.load(None, ["train.epochs=5", "train.frozen_epochs=2"])

    def ahead(**said: Any) -> list[tuple[int, int, bool]]:
        return [(one.first, one.last, one.frozen) for one in phases(settings, **said)]

    assert ahead(pretrained=True) == [(0, 2, True), (2, 5, False)]
    assert ahead(pretrained=True, done=2) == [(0, 2, True), (2, 5, False)]
    assert ahead(pretrained=True, done=3) == [(2, 5, False)]
    assert ahead(pretrained=False) == [(0, 5, False)]


@pytest.fixture(scope="module")
def seen(two_faces: Path) -> Faces:
    return faces.load([two_faces], ["train"])


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("encoder") / "encoder.weights.h5"
    chain(encoders.stages(config.load(None, TINY).model), "encoder").save_weights(path)
    return path


def weights(run: Path) -> list[Any]:
    encoder: list[Any] = keras.saving.load_model(run).get_layer("encoder").get_weights()
    return encoder


def test_frozen_layers_stay_and_freed_ones_learn(
    seen: Faces, encoder: Path, tmp_path: Path
) -> None:
    start = chain(encoders.stages(config.load(None, TINY).model), "encoder")
    start.load_weights(encoder)
    changed = {}
    for frozen in (2, 1):
        settings = config.load(None, [*TINY, f"train.frozen_epochs={frozen}"])
        run = finetune.train(settings, seen, None, tmp_path / str(frozen), encoder)
        pairs = zip(start.get_weights(), weights(run), strict=True)
        changed[frozen] = [not np.array_equal(before, after) for before, after in pairs]
    assert not any(changed[2])
    assert all(changed[1])


def test_a_training_killed_between_the_phases_ends_alike(
    seen: Faces, encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = config.load(None, TINY)

    def killed(phase: Any, *rest: Any) -> None:
        if phase.first:
            raise KeyboardInterrupt
        enter(phase, *rest)

    monkeypatch.setattr(finetune, "enter", killed)
    with pytest.raises(KeyboardInterrupt):
        finetune.train(settings, seen, None, tmp_path / "killed", encoder)
    assert [path.stem for path in (tmp_path / "killed" / "train").glob("*.npz")] == ["00001"]
    monkeypatch.undo()
    resumed, whole = (
        weights(finetune.train(settings, seen, None, tmp_path / name, encoder))
        for name in ("killed", "whole")
    )
    for ours, theirs in zip(resumed, whole, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-6)


def test_each_phase_has_a_schedule_of_its_own() -> None:
    settings = config.load(None, [*TINY, "train.epochs=5", "train.warmup=0"])
    asked = heads.of(settings)

    class Recorded:
        def __init__(self) -> None:
            self.epochs: list[tuple[int, int]] = []

        def compile(self, _model: Any, told: Config, _heads: Any) -> None:
            self.epochs.append((told.train.epochs, told.train.frozen_epochs))

    system: Any = Recorded()
    for phase in phases(settings, pretrained=True):
        enter(phase, keras.Sequential([keras.Input((1,))]), system, settings, asked)
    assert system.epochs == [(1, 0), (4, 1)], "of the phase, and frozen ones behind it"
