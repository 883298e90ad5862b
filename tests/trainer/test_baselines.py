"""Linear probes on encoders that nobody taught ages or genders."""

from pathlib import Path

import keras
import numpy as np
import pytest

from trainer.config import Config
from trainer.data import faces
from trainer.data.augment import view
from trainer.errors import InputError
from trainer.evaluation import baselines
from trainer.models import heads, recipes
from trainer.training.pretrain import encoder_weights

CONFIG = Config.model_validate({"model": {"size": 16, "channels": [4, 8], "neck": 4, "hidden": 8}})


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose encoder is there; that it learned nothing does not matter here."""
    folder = tmp_path_factory.mktemp("run")
    keras.utils.set_random_seed(2)
    path = encoder_weights(folder)
    path.parent.mkdir()
    recipes.recipe(CONFIG.recipe).build(CONFIG, heads.of(CONFIG)).get_layer("encoder").save(path)
    return folder


def _views(two_faces: Path, seed: int) -> faces.Faces:
    """Twenty views of each of two people, one in her thirties and one of 77 years."""
    known = faces.load([two_faces], ["train"]).subset(np.repeat([0, 1], 20))
    random = np.random.default_rng(seed)
    augmentation = CONFIG.train.augmentation
    shown = np.stack([view(face, 96, augmentation, random) for face in known.images])
    return faces.Faces(shown, known.ages, known.female, known.table)


def test_a_probe_tells_by_linear_features_who_is_older(two_faces: Path, run: Path) -> None:
    """Not the views it was fitted on, but others of the same people."""
    answers = baselines.probes(CONFIG, run, _views(two_faces, 1))
    held_out = _views(two_faces, 2)
    found = {name: answer(held_out) for name, answer in answers.items()}
    for said in found.values():
        np.testing.assert_allclose(said.ages.sum(axis=1), 1)
        younger, older = said.age[:20], said.age[20:]
        assert np.mean(older > np.median(younger)) > 0.7
        assert (said.p_female > 0.5).all()
    assert not np.array_equal(found["probe"].age, found["random"].age)


def test_labels_that_are_missing_are_left_out(two_faces: Path, run: Path) -> None:
    """A face without an age says nothing about ages."""
    known = _views(two_faces, 1)
    known.ages[:20] = np.nan
    answers = baselines.probes(CONFIG, run, known)
    assert answers["probe"](known).age == pytest.approx(77, abs=1)


def test_a_folder_without_pretraining_is_refused(two_faces: Path, tmp_path: Path) -> None:
    """A folder under models/ has no encoder of its own."""
    with pytest.raises(InputError, match="pretrained"):
        baselines.probes(CONFIG, tmp_path, _views(two_faces, 1))
