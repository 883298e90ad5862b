"""The mini-Xception recipes for gender and emotion, and the reader of FER-2013."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from keras import layers
from PIL import Image

from trainer import config
from trainer.data import fer2013, manifest
from trainer.data.sample import Rejected, Sample
from trainer.errors import InputError
from trainer.models import heads
from trainer.recipes.mini_xception import FOR_EMOTION, RECIPE

from .conftest import agegender
from .learning import learnt


def test_the_published_size() -> None:
    settings = config.load(None, ["recipe=mini-xception-emotion"])
    network = FOR_EMOTION.build(settings, heads.of(settings))
    plain = (9 * 1 * 8 + 4 * 8) + (9 * 8 * 8 + 4 * 8)
    modules = sum(
        (below * width + 4 * width)  # beside
        + (9 * below + below * width + 4 * width)
        + (9 * width + width * width + 4 * width)
        for below, width in ((8, 16), (16, 32), (32, 64), (64, 128))
    )
    classes = 9 * 128 * 7 + 7
    assert network.count_params() == plain + modules + classes == 58_423


def test_windows_are_a_convolution_and_a_mean() -> None:
    random = np.random.default_rng(1)
    maps = random.normal(size=(2, 3, 3, 4)).astype(np.float32)
    kernel = random.normal(size=(3, 3, 4, 5)).astype(np.float32)
    convolution = layers.Conv2D(5, 3, padding="same", use_bias=False)
    convolution.build(maps.shape)
    convolution.set_weights([kernel])
    expected = np.asarray(convolution(maps)).mean(axis=(1, 2))
    windows = layers.AveragePooling2D((3, 3), 1)(layers.ZeroPadding2D(1)(maps))
    found = np.asarray(windows).reshape(2, -1) @ kernel.reshape(-1, 5)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_it_looks_at_grey() -> None:
    settings = config.load(None, ["recipe=mini-xception", "model.size=32"])
    network = RECIPE.build(settings, heads.of(settings))
    red = np.zeros((1, 32, 32, 3), np.float32)
    red[..., 0] = 200
    grey = np.full_like(red, 200 * 0.2989)
    found = [float(network(picture)["gender"][0, 0]) for picture in (red, grey)]
    assert found[0] == pytest.approx(found[1], abs=1e-3)


def test_the_loss_of_an_emotion_by_hand() -> None:
    settings = config.load(None, ["recipe=mini-xception-emotion"])
    head = heads.of(settings)["emotion"]
    assert head.description["labels"] == list(fer2013.EMOTIONS)
    targets = head.targets(pd.DataFrame({"emotion": ["happy", None]}))
    logits = np.zeros((2, 7), np.float32)
    logits[:, 3] = math.log(6)
    np.testing.assert_allclose(head.loss(targets, logits), [-math.log(0.5), 0], rtol=1e-5)


def line(emotion: object, pixels: np.ndarray, usage: str) -> str:
    return f"{emotion},{' '.join(map(str, pixels.ravel()))},{usage}\n"


def test_the_reader_of_fer2013(tmp_path: Path) -> None:
    pixels = np.random.default_rng(3).integers(0, 256, (5, 48, 48))
    (tmp_path / "fer2013.csv").write_text(
        "emotion,pixels,Usage\n"
        + line(0, pixels[0], "Training")
        + line(3, pixels[1], "PublicTest")
        + line(6, pixels[2], "PrivateTest")
        + line(7, pixels[3], "Training")
        + line(1, pixels[3], "Test")
        + line(1, pixels[3, :47], "Training")
        + line(1, pixels[4] + 200, "Training")
    )
    good: list[Sample] = []
    bad: list[Rejected] = []
    for one in fer2013.samples(tmp_path):
        if isinstance(one, Sample):
            good.append(one)
        else:
            bad.append(one)
    said = [(one.split, one.attributes["emotion"]) for one in good]
    assert said == [("train", "angry"), ("val", "happy"), ("test", "neutral")]
    reasons = [one.reason for one in bad]
    for reason, part in zip(
        reasons,
        (
            "line 5: emotion '7' is none of 0 to 6",
            "line 6: Usage 'Test' is none of Training",
            "line 7: 2256 pixels instead of 48 x 48",
            "line 8: the pixels are not whole numbers from 0 to 255",
        ),
        strict=True,
    ):
        assert part in reason

    agegender("data", "prepare", "fer2013", "--source", tmp_path, "--output", tmp_path / "fer")
    table = manifest.read(tmp_path / "fer")
    assert sorted(table["emotion"]) == ["angry", "happy", "neutral"]
    (angry,) = table.loc[table["emotion"] == "angry", "file"]
    with Image.open(angry) as picture:
        np.testing.assert_array_equal(np.asarray(picture), pixels[0])


def test_another_table_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "icml_face_data.csv"
    path.write_text("emotion, Usage, pixels\n")
    with pytest.raises(InputError, match="not FER-2013's table"):
        list(fer2013.samples(path))


STEPS = (
    "model.size=32",
    "model.mirror=false",
    "train.epochs=1",
    "train.steps=60",
    "train.learning_rate=0.01",
)


@pytest.mark.data
def test_it_learns_the_gender_of_real_faces(few_faces: Path) -> None:
    settings = config.load(None, ["recipe=mini-xception", *STEPS])
    found = learnt(settings, few_faces, batch_size=32, epochs=30)
    assert found["gender"] > found["majority_gender"] + 0.1


@pytest.fixture
def fer(few_faces: Path, tmp_path: Path) -> Path:
    """Real faces in the format of FER-2013, whose own may not be passed on.

    Nobody has labelled the emotions of these: the number is the decade of age instead.
    """
    table = manifest.read(few_faces).iloc[:64]
    rows = ["emotion,pixels,Usage\n"]
    for file, age in zip(table["file"], table["age_low"], strict=True):
        with Image.open(file) as picture:
            grey = np.asarray(picture.convert("L").resize((48, 48)))
        rows.append(line(int(min(age // 10, 6)), grey, "Training"))
    (tmp_path / "fer2013.csv").write_text("".join(rows))
    agegender("data", "prepare", "fer2013", "--source", tmp_path, "--output", tmp_path / "fer")
    return tmp_path / "fer"


@pytest.mark.data
def test_it_learns_seven_classes_of_real_faces(fer: Path) -> None:
    settings = config.load(None, ["recipe=mini-xception-emotion", *STEPS])
    found = learnt(settings, fer, batch_size=32, epochs=30)
    emotions = manifest.read(fer)["emotion"]
    assert found["emotion_accuracy"] > emotions.value_counts(normalize=True).max() + 0.15
