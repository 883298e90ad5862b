"""Class weights, and the importance of data sets and faces."""

from typing import Any

import keras
import numpy as np
import pandas as pd
import pytest

from trainer import config
from trainer.errors import InputError
from trainer.models import heads
from trainer.models.heads import head_losses
from trainer.training.weights import face_weights


@pytest.fixture
def table() -> pd.DataFrame:
    """Five labelled faces of two data sets; one lacks its gender, one its age."""
    return pd.DataFrame(
        {
            "file": [f"{n}.png" for n in range(5)],
            "gender": ["female", "male", "female", "female", None],
            "age_low": [31, 35, 4, np.nan, 38],
            "age_high": [31, 39, 6, np.nan, 38],
            "dataset": ["a", "a", "a", "b", "b"],
            "group": ["x", "x", "y", "y", "x"],
            "trust": [1.0, np.nan, 0.5, 1.0, 0.0],
        }
    )


def weights(table: pd.DataFrame, *settings: str) -> dict[str, Any]:
    resolved = config.load(None, settings)
    found = face_weights(resolved, heads.of(resolved), table)
    return {name: values.tolist() for name, values in found.items()}


def test_without_settings_nothing_is_weighed(table: pd.DataFrame) -> None:
    assert weights(table) == {}


def test_balanced_classes_count_the_same_in_all(table: pd.DataFrame) -> None:
    found = weights(table, "heads.gender.class_weights=balanced")["gender"]
    women, man = found[0] + found[2] + found[3], found[1]
    assert women == pytest.approx(man)
    assert np.mean(found[:4]) == pytest.approx(1)  # of those whose gender is known
    assert found[4] == 1


def test_ages_are_balanced_by_decade(table: pd.DataFrame) -> None:
    found = weights(table, "heads.age.class_weights=balanced")
    thirties, child = 2 / 3, 2.0
    assert found["age"] == pytest.approx([thirties, thirties, child, 1, thirties])
    assert found["gender"] == [1] * 5


def test_single_classes_data_sets_and_faces_have_weights(table: pd.DataFrame) -> None:
    found = weights(
        table,
        'heads.gender.class_weights={"male" = 3}',
        "train.dataset_weights={b = 0.5}",
        "train.weight_column=trust",
    )
    assert found["age"] == [1, 1, 0.5, 0.5, 0]
    assert found["gender"] == [1, 3, 0.5, 0.5, 0]


def test_a_head_weighs_groups_and_one_gender_of_a_group(table: pd.DataFrame) -> None:
    found = weights(
        table,
        'heads.gender.group_weights={x = 2, "x female" = 5, "y female" = 0.5}',
        "train.dataset_weights={b = 0.1}",
    )
    assert found["gender"] == pytest.approx([5, 2, 0.5, 0.05, 0.2])
    assert found["age"] == pytest.approx([1, 1, 1, 0.1, 0.1])


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ('heads.age.group_weights={"y male" = 3}', r"heads.age.group_weights: .* of 'y male'.*x m"),
        ('heads.gender.class_weights={"men" = 3}', r"no training face is of 'men'.*female, male"),
        ("train.dataset_weights={c = 2}", r"train.dataset_weights: .* of 'c'. There are a, b"),
        ("train.weight_column=care", r"'care': no manifest has that column. .*trust"),
        ("train.weight_column=gender", r"0.png has 'female', a weight is a number"),
        ("train.dataset_weights={a = -1}", r"train.dataset_weights.a = -1: .*greater than or"),
        ("heads.gender.class_weights=balance", r"heads.gender.class_weights.*'balanced'"),
    ],
)
def test_a_wrong_weight_is_refused(table: pd.DataFrame, setting: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        weights(table, setting)


def test_keras_weighs_each_head_s_loss_with_its_own(table: pd.DataFrame) -> None:
    resolved = config.load(None, ['heads.gender.class_weights={"male" = 3}'])
    asked = heads.of(resolved)
    inputs = keras.Input((4,))
    model = keras.Model(inputs, {name: head.outputs(inputs) for name, head in asked.items()})
    model.compile(**head_losses(resolved, asked))
    x = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)
    targets = {name: head.targets(table) for name, head in asked.items()}
    answers, own = model.predict_on_batch(x), face_weights(resolved, asked, table)
    expected = sum(
        np.mean(np.array(head.loss(targets[name], answers[name])) * own[name])
        for name, head in asked.items()
    )
    logs = model.test_on_batch(x, targets, own, return_dict=True)
    assert float(logs["loss"]) == pytest.approx(float(expected), rel=1e-5)
