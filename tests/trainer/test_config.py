"""Configuration: one TOML file, overrides, and answers to mistakes."""

from pathlib import Path

import pytest

from trainer import config
from trainer.errors import InputError


def test_overrides_win_over_the_file_and_the_file_over_the_defaults(tmp_path: Path) -> None:
    path = tmp_path / "run.toml"
    path.write_text("seed = 7\n[train]\nepochs = 3\nsteps = 5\n")
    found = config.load(path, ["train.epochs=4", "model.name=mine", "train.augmentation.flip=0"])
    assert (found.seed, found.train.epochs, found.train.steps) == (7, 4, 5)
    assert found.model.name == "mine"
    assert found.train.augmentation.flip == 0
    assert found.pretrain == config.Config().pretrain


def test_what_is_saved_is_what_was_resolved(tmp_path: Path) -> None:
    found = config.load(None, ["model.channels=[8, 16]", "data.limit=5", 'data.manifests=["a"]'])
    config.save(found, tmp_path / "config.toml")
    assert config.load(tmp_path / "config.toml") == found


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("train.epoch=4", r"unknown setting train.epoch. Did you mean epochs\?"),
        ("trian.epochs=4", r"unknown setting trian. Did you mean train\?"),
        ("train.augmentation.flp=1", r"train.augmentation.flp. Did you mean flip\?"),
        ("train.epochs=-1", r"train.epochs = -1: .*greater than 0"),
        ("train.epochs=many", r"train.epochs = 'many': .*integer"),
        ("train.augmentation.flip=2", r"train.augmentation.flip = 2: .*less than or equal to 1"),
        ("seed.value=2", r"seed"),
        ("epochs", r"write section.key=value"),
    ],
)
def test_a_wrong_setting_is_named_with_the_nearest_right_one(override: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        config.load(None, [override])


def test_a_file_that_is_no_toml_is_named(tmp_path: Path) -> None:
    path = tmp_path / "run.toml"
    path.write_text("epochs: 3")
    with pytest.raises(InputError, match=r"run.toml: cannot be read as a TOML"):
        config.load(path)
