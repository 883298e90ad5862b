"""Losses on tensors small enough to compute by hand."""

import keras
import numpy as np
import pytest

from trainer.models.heads import Binary, Categorical, Distribution, Head, HeadLoss
from trainer.models.losses import age_likelihood, binary, categorical

NAN = float("nan")


def age_loss(label: list[float], p: list[float], **options: float) -> float:
    chosen = {"sigma": 2.0, "distance": 0.0, "smoothness": 0.0, **options}
    logits = np.log(np.array([p], np.float32))
    return float(age_likelihood(np.array([label], np.float32), logits, **chosen)[0])


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


def test_binary_cross_entropy_and_an_unknown_label_costs_nothing() -> None:
    labels = np.array([[1], [0], [NAN]], np.float32)
    losses = np.asarray(binary(labels, np.full((3, 1), 2.0, np.float32)))
    np.testing.assert_allclose(losses, [np.log1p(np.exp(-2)), np.log1p(np.exp(2)), 0], rtol=1e-5)


def test_smoothing_moves_the_optimum_away_from_certainty() -> None:
    label = np.ones((1, 1), np.float32)
    sure, less_sure = (
        float(binary(label, np.array([[x]], np.float32), smoothing=0.1)[0]) for x in (20.0, 3.0)
    )
    assert less_sure < sure


def test_categorical_cross_entropy_and_an_unknown_label_costs_nothing() -> None:
    logits = np.log(np.array([[0.2, 0.5, 0.3]] * 2, np.float32))
    labels = np.array([[1], [NAN]], np.float32)
    np.testing.assert_allclose(categorical(labels, logits), [-np.log(0.5), 0], rtol=1e-5)
    smoothed = -(0.9 * np.log(0.5) + 0.1 / 3 * np.log(0.2 * 0.5 * 0.3))
    np.testing.assert_allclose(categorical(labels, logits, smoothing=0.1), [smoothed, 0], rtol=1e-5)


@pytest.mark.parametrize(
    ("head", "unknown", "known"),
    [
        (Distribution(name="age", years=4), [NAN, NAN], [1, 2]),
        (Binary(name="hat"), [NAN], [1]),
        (Categorical(name="hat", classes=("cap", "none", "straw")), [NAN], [2]),
    ],
)
def test_an_unknown_label_leaves_the_gradients_finite(
    head: Head, unknown: list[float], known: list[float]
) -> None:
    features = keras.Input((2,))
    model = keras.Model(features, head.outputs(features))
    model.compile("sgd", loss=HeadLoss(head))
    model.train_on_batch(np.ones((2, 2), np.float32), np.array([unknown, known], np.float32))
    assert all(np.isfinite(weight).all() for weight in model.get_weights())
