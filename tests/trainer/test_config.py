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
        ("heads.age.sgma=1", r"unknown setting heads.age.sgma. Did you mean sigma\?"),
        ("heads.age.sigma=-1", r"heads.age.sigma = -1: .*greater than or equal to 0"),
        ("heads.hat.kind=binry", r"no head is called 'binry'; there are: bands, binary,"),
        ("heads.hat.column=hat", r"heads.hat.kind is missing"),
        ("recipe=none", r"no recipe is called 'none'; there are: .*sdae"),
        ("model.size=72", r"model.size = 72: cannot be halved 4 times.* multiple of 16"),
        ("model.encoder=none", r"no encoder is called 'none'; there are: .*residual"),
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


def test_settings_of_heads_keep_their_old_names() -> None:
    old = config.load(None, ["train.age_sigma=3", "train.gender_weight=0.5"])
    assert old == config.load(None, ["heads.age.sigma=3", "heads.gender.weight=0.5"])
    assert old.heads["age"].options["sigma"] == 3
    assert old.heads["gender"].options["positive"] == "female"


def test_an_attribute_is_one_line_more(tmp_path: Path) -> None:
    path = tmp_path / "run.toml"
    path.write_text('[heads]\neyeglasses = { kind = "binary" }\n')
    found = config.load(path)
    assert list(found.heads) == ["age", "gender", "eyeglasses"]
    config.save(found, path)
    assert config.load(path) == found
