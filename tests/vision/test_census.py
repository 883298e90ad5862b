"""Who is counted, and in which band."""

import numpy as np
import pytest

from agegender_vision.census import PRESETS, AgeBands, Counts, count
from agegender_vision.estimator import Estimate


def person(age: float, p_female: float) -> Estimate:
    return Estimate(np.ones(1, np.float32), age, age, age, p_female, first_year=age)


@pytest.mark.parametrize(
    ("preset", "labels"),
    [
        ("household", "0-12 13-19 20-39 40-59 60+"),
        ("fairface", "0-2 3-9 10-19 20-29 30-39 40-49 50-59 60-69 70+"),
        ("adience", "0-2 4-6 8-12 15-20 25-32 38-43 48-53 60+"),
        ("retail", "0-17 18-24 25-34 35-44 45-54 55-64 65+"),
        ("decades", "0-9 10-19 20-29 30-39 40-49 50-59 60-69 70-79 80-89 90+"),
    ],
)
def test_labels_of_the_presets(preset: str, labels: str) -> None:
    assert AgeBands.preset(preset).labels == tuple(labels.split())


def test_a_band_lasts_until_the_birthday() -> None:
    bands = AgeBands.preset("household")
    ages = [0, 12, 12.99, 13, 19.99, 20, 39.5, 40, 59.99, 60, 116]
    assert [bands.labels[bands.index(age)] for age in ages] == (
        ["0-12", "0-12", "0-12", "13-19", "13-19", "20-39", "20-39", "40-59", "40-59", "60+", "60+"]
    )


@pytest.mark.parametrize("age", [-0.1, float("nan")])
def test_no_band_for_what_is_no_age(age: float) -> None:
    with pytest.raises(ValueError, match="an age is at least 0"):
        AgeBands.preset().index(age)


@pytest.mark.parametrize("starts", [(), (1, 10), (0, 10, 10), (0, 20, 10)])
def test_bands_that_leave_someone_out(starts: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="age bands start at 0 and rise"):
        AgeBands(starts)


def test_an_unknown_preset_lists_the_known_ones() -> None:
    with pytest.raises(
        ValueError, match="'dogs'; there are: household, adience, fairface, decades, retail"
    ):
        AgeBands.preset("dogs")


def test_nobody() -> None:
    counts = count([], AgeBands.preset("household"))
    assert counts == Counts(
        people=0,
        by_band={"0-12": 0, "13-19": 0, "20-39": 0, "40-59": 0, "60+": 0, "unknown": 0},
        by_gender={"female": 0, "male": 0, "unknown": 0},
    )


def test_a_family() -> None:
    family = [person(41, 0.9), person(39.9, 0.1), person(4, 0.5), person(71, 0.2)]
    counts = count(family, AgeBands.preset("household"))
    assert counts.people == 4
    assert counts.by_band == {"0-12": 1, "13-19": 0, "20-39": 1, "40-59": 1, "60+": 1, "unknown": 0}
    assert counts.by_gender == {"female": 1, "male": 2, "unknown": 1}


@pytest.mark.parametrize("preset", PRESETS)
def test_everyone_is_in_one_band_and_of_one_gender(preset: str) -> None:
    random = np.random.default_rng(0)
    crowd = [person(age, p) for age, p in random.uniform((0, 0), (110, 1), (200, 2))]
    counts = count(crowd, AgeBands.preset(preset))
    assert sum(counts.by_band.values()) == sum(counts.by_gender.values()) == counts.people == 200
