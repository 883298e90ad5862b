"""Metrics on values small enough to compute by hand."""

import numpy as np
import pandas as pd
import pytest

from trainer.config import Config, load
from trainer.evaluation import metrics
from trainer.evaluation.calibration import calibrate
from trainer.evaluation.predictions import Predictions
from trainer.models import heads

AGE = np.array([10.0, 20.0, 30.0, 40.0])
SAID = np.array([10.0, 23.0, 26.0, 52.0])


def test_age_errors() -> None:
    assert metrics.mean_absolute_error(AGE, SAID) == (0 + 3 + 4 + 12) / 4
    assert metrics.root_mean_squared_error(AGE, SAID) == pytest.approx(np.sqrt(169 / 4))
    assert metrics.cumulative_score(AGE, SAID, 5) == 0.75


def test_classes_exact_one_off_and_balanced() -> None:
    true, said = np.array([3, 4, 8, 0]), np.array([3, 5, 5, 0])
    assert metrics.class_accuracy(true, said) == 0.5
    assert metrics.class_accuracy(true, said, off=1) == 0.75
    often, rarely = np.array([0, 0, 0, 1]), np.array([0, 0, 0, 0])
    assert metrics.class_accuracy(often, rarely) == 0.75
    assert metrics.balanced_accuracy(often, rarely) == 0.5
    assert metrics.confusion(often, rarely, 2).tolist() == [[3, 0], [1, 0]]


def test_a_label_counts_as_far_as_the_interval_holds_it() -> None:
    ages = np.full((3, 101), 0.0)
    ages[:, 20:30] = 0.1  # the central 80 % are the years 21 to 28
    low, high = np.array([21.0, 20.0, 20.0]), np.array([28.0, 20.0, 29.0])
    assert metrics.mass_within(low, high, ages) == pytest.approx([1, 0, 0.8])


def test_not_answering_costs_answers_and_gains_right_ones() -> None:
    confidence, right = np.array([0.9, 0.8, 0.6, 0.5]), np.array([True, True, False, True])
    points = metrics.selective(confidence, right, np.array([0.5, 0.7, 0.95]))
    assert points == [
        {"threshold": 0.5, "answered": 1.0, "right": 0.75},
        {"threshold": 0.7, "answered": 0.5, "right": 1.0},
        {"threshold": 0.95, "answered": 0.0},
    ]


def test_accuracy_and_its_calibration() -> None:
    female, p = np.array([1.0, 1, 0, 0]), np.array([0.9, 0.9, 0.9, 0.1])
    assert metrics.accuracy(female, p) == 0.75
    # All four answers are 90 % sure and three are right.
    assert metrics.expected_calibration_error(female, p) == pytest.approx(0.15)


def test_an_interval_covers_the_label_it_overlaps() -> None:
    low, high = np.array([20.0, 30.0]), np.array([29.0, 30.0])
    assert metrics.coverage(low, high, np.array([28.0, 31.0]), np.array([35.0, 40.0])) == 0.5


def test_predictions_of_outputs() -> None:
    age = np.full((1, 101), -50.0, np.float32)
    age[0, [20, 40]] = 0
    outputs = {"age": age, "gender": np.array([[0.0]], np.float32)}
    found = Predictions.from_outputs(heads.of(Config()), outputs)
    assert found.age == pytest.approx([30])
    assert found.estimates[0].age_low == pytest.approx(19.7, abs=0.01)
    assert found.estimates[0].age_high == pytest.approx(40.3, abs=0.01)
    assert found.p_female == pytest.approx([0.5])


def test_calibration_finds_the_temperature_that_was_applied() -> None:
    random = np.random.default_rng(0)
    honest = random.normal(0, 2, (4000, 1)).astype(np.float32)
    female = random.random(4000) < 1 / (1 + np.exp(-honest[:, 0]))
    table = pd.DataFrame(
        {"gender": np.where(female, "female", "male"), "age_low": np.nan, "age_high": np.nan}
    )
    outputs = {"age": np.zeros((4000, 101), np.float32), "gender": honest * 2}
    asked = heads.of(load(None, ["heads.gender.smoothing=0"]))
    found = calibrate(asked, outputs, table)
    assert found["gender_temperature"] == pytest.approx(2, abs=0.15)
    assert found["age_temperature"] == 1


def test_calibration_undoes_the_smoothing_that_a_head_was_trained_with() -> None:
    random = np.random.default_rng(0)
    honest = random.beta(0.5, 0.5, 4000).clip(0.01, 0.99)
    female = random.random(4000) < honest
    table = pd.DataFrame(
        {"gender": np.where(female, "female", "male"), "age_low": np.nan, "age_high": np.nan}
    )
    learned = 0.9 * honest + 0.05
    outputs = {"gender": np.log(learned / (1 - learned))[:, None].astype(np.float32)}
    settings = load(None, ["heads.gender.smoothing=0.1", "heads.age.kind=none"])
    asked = heads.of(settings)
    temperatures = calibrate(asked, outputs, table)
    assert temperatures["gender_temperature"] == pytest.approx(1, abs=0.05)
    said = Predictions.from_outputs(asked, outputs, temperatures)
    np.testing.assert_allclose(said.p_female, honest, atol=0.02)


def test_a_perfect_calibration_shows_an_error_by_chance() -> None:
    random = np.random.default_rng(0)
    p = random.random(1000)
    chance = metrics.chance_calibration_error(p)
    female = (random.random(1000) < p).astype(float)
    assert metrics.expected_calibration_error(female, p) == pytest.approx(chance, rel=0.5)
    assert metrics.chance_calibration_error(np.repeat(p, 100)) < chance / 5
    assert metrics.chance_calibration_error(np.array([0.0, 1.0])) == 0


def test_the_gap_between_groups_beside_what_chance_alone_would_show() -> None:
    assert metrics.group_gap(np.array([1.0, 1, 1, 0]), np.array([0, 0, 1, 1])) == 0.5
    groups = np.repeat([0, 1, 2], [400, 400, 200])
    alike = (np.random.default_rng(0).random((100, 1000)) < 0.9).astype(float)
    found = np.mean([metrics.group_gap(right, groups) for right in alike])
    assert metrics.chance_group_gap(alike[0], groups) == pytest.approx(found, rel=0.15)
    unlike = np.where(groups == 2, 0.0, alike[0])
    assert metrics.group_gap(unlike, groups) > 10 * metrics.chance_group_gap(unlike, groups)
    assert metrics.chance_group_gap(np.ones(1000), groups) == 0
