"""Random views of a face."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from trainer.data.augment import NOISE, Augmentation, view
from trainer.data.batches import FaceBatches
from trainer.data.faces import load
from trainer.data.geometry import aligned

EVERYTHING = Augmentation(
    flip=0.5,
    rotate=6,
    zoom=0.06,
    shift=0.03,
    colour=0.25,
    grey=0.1,
    blur=0.2,
    noise=0.2,
    compress=0.2,
    erase=0.2,
)


@pytest.fixture(scope="module")
def face(two_faces: Path) -> NDArray[np.uint8]:
    return np.asarray(Image.open(two_faces / "collins.png"))


def test_the_plain_view_at_full_size_is_the_face_itself(face: NDArray[np.uint8]) -> None:
    plain = view(face, 96, Augmentation(), np.random.default_rng(0))
    np.testing.assert_array_equal(plain, face)


def test_a_certain_flip_is_the_exact_mirror(face: NDArray[np.uint8]) -> None:
    mirrored = view(face, 96, Augmentation(flip=1), np.random.default_rng(0))
    np.testing.assert_array_equal(mirrored, face[:, ::-1])


def test_grey_leaves_one_value_per_pixel(face: NDArray[np.uint8]) -> None:
    grey = view(face, 64, Augmentation(grey=1), np.random.default_rng(0)).astype(int)
    assert np.ptp(grey, axis=2).max() <= 1
    assert grey.std() > 20


def test_noise_is_a_sensor_s(face: NDArray[np.uint8]) -> None:
    noise = [
        view(face, 96, Augmentation(noise=1), np.random.default_rng(seed)).astype(float) - face
        for seed in range(40)
    ]
    spread = [one[20:76, 20:76].std() for one in noise]  # the middle is neither black nor white
    assert max(spread) < NOISE + 1
    assert min(spread) < 2 < NOISE / 2 < np.mean(sorted(spread)[20:])
    assert abs(np.mean(noise)) < 0.5


def test_a_compressed_view_keeps_the_face_but_not_its_fine_grain(face: NDArray[np.uint8]) -> None:
    compressed = view(face, 96, Augmentation(compress=1), np.random.default_rng(0)).astype(float)
    lost = np.abs(compressed - face).mean()
    assert 0.5 < lost < 8


def test_rotation_turns_about_the_centre(face: NDArray[np.uint8]) -> None:
    turned = view(face, 96, Augmentation(rotate=10), np.random.default_rng(3))
    assert np.abs(turned[46:50, 46:50].astype(int) - face[46:50, 46:50]).mean() < 6
    assert np.abs(turned.astype(int) - face).mean() > 6


def test_chance_repeats_with_the_generator(face: NDArray[np.uint8]) -> None:
    first, again = (view(face, 64, EVERYTHING, np.random.default_rng(7)) for _ in range(2))
    other = view(face, 64, EVERYTHING, np.random.default_rng(8))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    assert first.shape == (64, 64, 3)


def test_the_engine_s_resampling_and_training_s_agree(face: NDArray[np.uint8]) -> None:
    trained = view(face, 64, Augmentation(), np.random.default_rng(0)).astype(int)
    assert np.abs(trained - aligned(face, 64)).mean() < 3


def test_every_face_is_drawn_once_before_any_is_drawn_twice(two_faces: Path) -> None:
    faces = load([two_faces], ["train", "val"])

    def drawn(first_epoch: int) -> list[list[list[float]]]:
        batches = FaceBatches(
            faces,
            lambda face, random: view(face, 32, EVERYTHING, random),
            {"age": faces.ages},
            batch_size=2,
            steps=2,
            seed=5,
            first_epoch=first_epoch,
        )
        labels = []
        for _ in range(2):
            of_all: list[Any] = [batches[i][1] for i in range(len(batches))]
            labels += [targets["age"].tolist() for targets in of_all]
            batches.on_epoch_end()
        return labels

    uninterrupted = drawn(first_epoch=0)
    ages = [age for batch in uninterrupted[:2] for age in batch]
    assert sorted(ages) == sorted(faces.ages.tolist())
    assert drawn(first_epoch=1)[:2] == uninterrupted[2:]
