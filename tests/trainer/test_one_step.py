"""One-step networks: losses by hand, what is no face, and the accuracy that is none."""

from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from agegender_vision.census import AgeBands
from trainer import config
from trainer.data import faces, manifest, noface, prepare
from trainer.errors import InputError
from trainer.evaluation import figures, models
from trainer.evaluation.calibration import calibrate
from trainer.evaluation.predictions import Predictions
from trainer.export.artefact import ExportError, trace
from trainer.models import heads, recipes
from trainer.models.heads import Head
from trainer.models.one_step import OneStepAge, OneStepGender, squared_error, two_hot
from trainer.models.reading import probabilities, undefined
from trainer.recipes.one_step import Grey

from .conftest import ASTRONAUT, NO_FACE, agegender, options

NAN = float("nan")


def table(*rows: tuple[float, float, str | None, str | None]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["age_low", "age_high", "gender", "face"])


NOTHING = (NAN, NAN, None, "no")
FOUR = table((30, 30, "male", None), (20, 29, "female", None), (60, 100, None, None), NOTHING)


def test_the_two_hot_loss_asks_each_output_by_itself() -> None:
    logits = np.log(np.array([[0.9 / 0.1, 0.3 / 0.7, 0.2 / 0.8]] * 3, np.float32))
    found = np.asarray(two_hot(np.array([[1], [-1], [NAN]], np.float32), logits))
    by_hand = [
        -np.log(0.1) - np.log(0.3) - np.log(0.8),
        -np.log(0.1) - np.log(0.7) - np.log(0.8),  # of no face, no output is to be hot
        0,
    ]
    np.testing.assert_allclose(found, by_hand, rtol=1e-5)


def test_the_tuple_s_loss_is_the_squared_error() -> None:
    targets = np.array([[4], [-1], [NAN]], np.float32)
    found = np.asarray(squared_error(targets, np.array([[2.5], [0.5], [3]], np.float32)))
    np.testing.assert_allclose(found, [2.25, 2.25, 0])


def test_labels_are_unified_to_bands_and_no_face_is_one_of_them() -> None:
    age, gender = OneStepAge(name="age"), OneStepGender(name="gender")
    # 20 to 29 may be 15-20 or 25-32; 30 is the fifth of the eight bands, 60 the last.
    np.testing.assert_array_equal(age.targets(FOUR)[:, 0], [4, NAN, 7, -1])
    np.testing.assert_array_equal(gender.targets(FOUR)[:, 0], [0, 1, NAN, -1])


def test_a_two_hot_answer_is_undefined_where_its_outputs_sum_to_less_than_half() -> None:
    logits = np.array([[2.0, -3.0], [-1.0, -2.0], [-0.9, -0.9]])  # 0.88 + 0.05, 0.27 + 0.12
    about = {"type": "two-hot", "labels": ["male", "female"]}
    yes = 1 / (1 + np.exp(-logits[0]))
    np.testing.assert_allclose(probabilities(about, logits)[0], yes / yes.sum())
    assert undefined(about, logits).tolist() == [False, True, False]


def test_a_tuple_is_the_nearest_class_and_undefined_beyond_them() -> None:
    about = {"type": "tuple", "labels": list("abcdefgh")}
    values = np.array([[2.4], [6.6], [-0.6], [7.6], [-0.4]])
    assert probabilities(about, values).argmax(axis=1).tolist() == [2, 7, 0, 7, 0]
    assert undefined(about, values).tolist() == [False, False, True, True, False]
    # Of a Gaussian, the neighbours' odds depend on the variance, here 2.
    p = probabilities(about, np.array([[3.0]]), 2.0)[0]
    assert p[4] / p[3] == pytest.approx(np.exp(-1 / 4))


def test_an_undefined_face_counts_as_a_wrong_answer(two_faces: Path) -> None:
    pair = faces.load([two_faces], ["val"])
    both: dict[str, Head] = {"age": OneStepAge(name="age"), "gender": OneStepGender(name="gender")}
    age = np.full((2, 8), -5, np.float32)
    age[:, [5, 7]] = [[-5, 5], [-5, 5]]  # Grace Hopper's band; the other's spans two
    gender = np.array([[-5, 5], [-5, -5]], np.float32)
    order = np.argsort(pair.ages[:, 0])
    said = Predictions.from_outputs(both, {"age": age, "gender": gender[order]})
    found = figures.figures(pair, said, both)
    assert (found["gender"], found["undefined"]) == (0.5, 0.5)
    assert said.bands(AgeBands.preset("adience")).tolist() == [7, 7]


def test_what_is_no_face_does_not_calibrate() -> None:
    asked: dict[str, Head] = {"gender": OneStepGender(name="gender")}
    outputs = {"gender": np.array([[1, -1], [-1, 1], [2, -2], [9, -9]], np.float32)}
    rows = table(*[(NAN, NAN, sex, None) for sex in ("male", "female", "female")], NOTHING)
    without = {"gender": outputs["gender"][:3]}
    assert calibrate(asked, outputs, rows) == calibrate(asked, without, rows[:3])


@pytest.mark.parametrize(
    ("recipe", "widths", "outputs"),
    [
        ("fcn-2hot", [64, 32, 32, 16, 16], {"age": 8, "gender": 2}),
        ("fcn-tuple", [32, 32, 16, 16, 10], {"age": 1, "gender": 1}),
    ],
)
def test_the_layers_are_the_source_s(
    recipe: str, widths: list[int], outputs: dict[str, int]
) -> None:
    settings = config.load(
        None, [f"recipe={recipe}", "options.l2=0.01", "options.max_norm=3", "model.dropout=0.25"]
    )
    model = recipes.recipe(recipe).build(settings, heads.of(settings))
    dense = [layer for layer in model.layers if layer.name.startswith("dense")]
    assert [layer.units for layer in dense] == widths
    assert {name: output.shape[1] for name, output in model.output.items()} == outputs
    assert all(layer.kernel_constraint.max_value == 3 for layer in dense)
    assert all(layer.kernel_regularizer.l2 == pytest.approx(0.01) for layer in dense)
    assert [layer.rate for layer in model.layers if "dropout" in layer.name] == [0.25] * 5
    with pytest.raises(ExportError, match="Grey"):
        trace(model)  # nobody would equalise the histogram


def test_a_setting_of_another_recipe_is_refused() -> None:
    with pytest.raises(InputError, match=r"options\.l1\. The recipe 'fcn-2hot' knows: l2, max_n"):
        config.load(None, ["recipe=fcn-2hot", "options.l1=1"])
    with pytest.raises(InputError, match=r"options\.l2. The recipe 'sdae' knows: none"):
        config.load(None, ["options.l2=1"])


def test_the_face_is_shown_grey_with_an_even_histogram() -> None:
    settings = config.load(None, ["recipe=fcn-2hot"])
    with Image.open(ASTRONAUT) as picture:
        face = np.asarray(picture.convert("RGB").crop((180, 60, 276, 156)))
    dark = (face * 0.3).astype(np.uint8)
    views = [recipes.recipe("fcn-2hot").views(one, settings) for one in (face, dark)]
    assert views[0].shape == (1, 48, 48, 3)
    assert (views[0][..., :1] == views[0]).all()
    assert views[0].min() == 0
    assert views[0].max() == 255
    # Light and dark look much the same afterwards.
    assert np.abs(views[0].astype(float) - views[1]).mean() < 12
    seen = np.asarray(Grey()(views[0].astype(np.float32)))
    assert (seen.shape, seen.min(), seen.max()) == ((1, 48 * 48), -1, 1)
    assert abs(seen.mean()) < 0.05


@pytest.fixture(scope="module")
def nothing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A manifest of squares out of a photograph of a cup, in training and in validation."""
    folder, output = (tmp_path_factory.mktemp(name) for name in ("photographs", "nothing"))
    for name in ("a", "b"):
        with Image.open(NO_FACE) as picture:
            half = picture.width // 2
            left = half * (name == "b")
            picture.convert("RGB").crop((left, 0, left + half, 400)).save(folder / f"{name}.png")
    splits = prepare.Splits(val=0.5, test=0)
    pictures = prepare.Pictures(workers=1)
    with prepare.prepare(noface, folder, output, splits, pictures) as found:
        assert found.usable() == 48
    return output


def test_squares_of_one_photograph_stay_together(nothing: Path) -> None:
    rows = manifest.read(nothing)
    assert (rows["face"] == "no").all()
    assert rows["subject"].nunique() == 2
    assert rows.groupby("subject")["split"].nunique().eq(1).all()


def test_a_folder_without_a_photograph_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no picture"):
        list(noface.samples(tmp_path))


@pytest.mark.parametrize("recipe", ["fcn-2hot", "fcn-tuple"])
def test_it_learns_faces_and_what_is_none(
    recipe: str, two_faces: Path, nothing: Path, tmp_path: Path
) -> None:
    run = tmp_path / recipe
    chosen = (
        f"recipe={recipe}",
        f'data.manifests=["{two_faces}", "{nothing}"]',
        "model.size=32",
        "train.epochs=4",
        "train.steps=50",
        "train.batch_size=16",
        "train.learning_rate=0.01",
        "train.augmentation.flip=0",
    )
    agegender("train", "--run", run, *options(two_faces, *chosen))
    model = models.load(run)
    seen = faces.load([two_faces, nothing], ["train"])
    said = model.answer(seen)
    assert said.undefined is not None
    isnt = (seen.table["face"] == "no").to_numpy()
    assert said.undefined[isnt].mean() > 0.9
    assert not said.undefined[~isnt].any()
    assert (said.p_female[~isnt] > 0.5).all()
    assert "undefined" in figures.figures(seen, said, model.heads)


def test_keras_accuracy_of_a_tuple_asks_which_of_its_numbers_is_larger() -> None:
    true = np.array([[0, 0], [0, 1], [3, 1], [7, 0]], np.float32)
    metric = keras.metrics.CategoricalAccuracy()
    metric.update_state(true, np.tile([[4.0, 0.5]], (4, 1)))  # the same answer for everybody
    assert float(metric.result()) == 0.75  # wrong for baby girls alone
