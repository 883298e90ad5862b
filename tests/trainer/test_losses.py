"""Losses on tensors small enough to compute by hand."""

import keras
import numpy as np
import pytest

from trainer.models.losses import AgeLoss, GenderLoss

NAN = float("nan")


def age_loss(label: list[float], p: list[float], **options: float) -> float:
    loss = AgeLoss(years=len(p), **{"distance": 0.0, **options})  # type: ignore[arg-type]
    labels = np.array([label], np.float32)
    return float(loss.call(labels, np.log(np.array([p], np.float32)))[0])


def test_a_band_costs_the_probability_outside_it() -> None:
    assert age_loss([1, 2], [0.1, 0.2, 0.3, 0.4]) == pytest.approx(-np.log(0.5), rel=1e-5)


def test_a_band_over_all_ages_costs_nothing() -> None:
    assert age_loss([0, 3], [0.1, 0.2, 0.3, 0.4]) == pytest.approx(0, abs=1e-6)


def test_an_exact_age_with_a_narrow_target_is_its_cross_entropy() -> None:
    assert age_loss([2, 2], [0.1, 0.2, 0.3, 0.4], sigma=0.05) == pytest.approx(
        -np.log(0.3), rel=1e-5
    )


def test_the_distance_counts_years_outside_the_interval_only() -> None:
    p = [0.5, 0.0001, 0.0001, 0.4998]  # expected age 1.4997
    inside, below = age_loss([0, 3], p, distance=1), age_loss([2, 3], p, distance=1)
    assert inside == pytest.approx(0, abs=1e-5)
    assert below == pytest.approx(-np.log(0.4999) + 2 - 1.4997, rel=1e-3)


def test_smoothness_charges_the_curvature_of_the_log_probabilities() -> None:
    straight = [8 / 15, 4 / 15, 2 / 15, 1 / 15]  # log-probabilities fall by the same step
    bent = [0.4, 0.1, 0.4, 0.1]  # they turn by 2 log 4 at both inner years
    assert age_loss([0, 3], straight, smoothness=1) == pytest.approx(0, abs=1e-5)
    assert age_loss([0, 3], bent, smoothness=0.5) == pytest.approx((2 * np.log(4)) ** 2, rel=1e-5)


def test_ages_beyond_the_last_class_count_as_the_last() -> None:
    assert age_loss([116, 116], [0.1, 0.2, 0.7], sigma=0.05) == pytest.approx(-np.log(0.7), 1e-4)


def test_gender_is_binary_cross_entropy_and_unknown_costs_nothing() -> None:
    labels = np.array([[1], [0], [NAN]], np.float32)
    losses = np.asarray(GenderLoss(smoothing=0).call(labels, np.full((3, 1), 2.0, np.float32)))
    np.testing.assert_allclose(losses, [np.log1p(np.exp(-2)), np.log1p(np.exp(2)), 0], rtol=1e-5)


def test_smoothing_moves_the_optimum_away_from_certainty() -> None:
    label = np.ones((1, 1), np.float32)
    loss = GenderLoss(smoothing=0.1)
    sure, less_sure = (float(loss.call(label, np.array([[x]], np.float32))[0]) for x in (20.0, 3.0))
    assert less_sure < sure


def test_an_unknown_label_leaves_the_gradients_finite() -> None:
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(4)])
    model.compile("sgd", loss=AgeLoss(years=4))
    labels = np.array([[NAN, NAN], [1, 2]], np.float32)
    model.train_on_batch(np.ones((2, 2), np.float32), labels)
    assert all(np.isfinite(weight).all() for weight in model.get_weights())
