"""What counting costs: who stays unknown, and what is left of a crowd in public.

Sorts faces that no model trained on into age bands and genders, as `census.count` does,
at its own thresholds and at others; then counts made-up visitors in the public mode::

    OMP_NUM_THREADS=1 .venv/trainer/bin/python benchmarks/census.py [--people 600]
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from agegender_vision import artefact
from agegender_vision.census import (
    AGE_SPREAD,
    BAND_CONFIDENCE,
    GENDER_CONFIDENCE,
    PRESETS,
    UNKNOWN,
    AgeBands,
    Counts,
)
from agegender_vision.engine import BUNDLED_MODEL
from agegender_vision.estimator import Estimate, Estimator
from agegender_vision.privacy import Public
from agegender_vision.runtime import runtimes
from benchmarks.tracking import FACES, Person, people
from trainer.data.geometry import aligned

BAND_CONFIDENCES = (0.0, 0.3, BAND_CONFIDENCE, 0.5, 0.6)
GENDER_CONFIDENCES = (0.5, 0.6, GENDER_CONFIDENCE, 0.75, 0.9)
CROWD = {"0-12": 0.12, "13-19": 0.08, "20-39": 0.38, "40-59": 0.27, "60+": 0.15}
"""Made-up visitors of a shop, by household band."""
UNKNOWNS = 0.08
"""And how many of them have no known band, and how many no known gender."""


def sorted_into_bands(
    group: Sequence[Person], said: Sequence[Estimate], bands: AgeBands
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return how probable the band of each person is, and whether it is right."""
    of_each = [bands.of(one) for one in said]
    position, probability = (np.array(column) for column in zip(*of_each, strict=True))
    spread = np.array([one.age_high - one.age_low for one in said])
    true = np.array([bands.index(one.age) for one in group])
    return np.where(spread <= AGE_SPREAD, probability, 0.0), position == true


def table_of_bands(group: Sequence[Person], said: Sequence[Estimate]) -> None:
    """Print, for each threshold, how many stay unknown and how many of the others are right."""
    print("\nage band: unknown / right where known, by the least probability of the band")
    print(f"{'':10}" + "".join(f"{threshold:>19g}" for threshold in BAND_CONFIDENCES))
    for name, bands in PRESETS.items():
        top, right = sorted_into_bands(group, said, bands)
        cells = [_rates(top >= threshold, right) for threshold in BAND_CONFIDENCES]
        print(f"{name:10}" + "".join(f"{cell:>19}" for cell in cells))


def table_of_genders(group: Sequence[Person], said: Sequence[Estimate]) -> None:
    """Print the same for genders, of all and of those in whom it can be told."""
    female = np.array([one.female for one in group])
    age = np.array([one.age for one in group])
    p_female = np.array([one.p_female for one in said])
    sure = np.maximum(p_female, 1 - p_female)
    right = (p_female > 0.5) == female
    print("\ngender: unknown / right where known, by the least probability of the gender")
    print(f"{'':10}" + "".join(f"{threshold:>19g}" for threshold in GENDER_CONFIDENCES))
    for name, of in (("all", age >= 0), ("under 5", age < 5), ("from 13 on", age >= 13)):
        cells = [_rates((sure >= t)[of], right[of]) for t in GENDER_CONFIDENCES]
        print(f"{name:10}" + "".join(f"{cell:>19}" for cell in cells))


def _rates(known: NDArray[np.bool_], right: NDArray[np.bool_]) -> str:
    return f"{100 * (1 - known.mean()):.1f} / {100 * right[known].mean():.1f} %"


def table_of_crowds(mode: Public) -> None:
    """Print how many visitors of a day public numbers tell of."""
    rng = np.random.default_rng(0)
    bands = AgeBands.preset("household")
    print(f"\nshare of the visitors that public mode (k = {mode.k}) tells of, over 100 hours")
    print("visitors an hour   window   people  with band  with gender")
    for hourly in (10, 30, 60, 120, 300):
        for minutes in (15, 60, 240):
            true, told = np.zeros(3), np.zeros(3)
            for _ in range(100 * 60 // minutes):
                window = _visitors(rng, rng.poisson(hourly * minutes / 60), bands)
                true += _numbers(window)
                told += _numbers(mode.suppress(window))
            share = 100 * told / true
            print("{:16d} {:4d} min {:6.0f} % {:8.0f} % {:10.0f} %".format(hourly, minutes, *share))


def _visitors(rng: np.random.Generator, number: int, bands: AgeBands) -> Counts:
    by_band = rng.multinomial(
        number, [*((1 - UNKNOWNS) * CROWD[label] for label in bands.labels), UNKNOWNS]
    )
    by_gender = rng.multinomial(number, [(1 - UNKNOWNS) / 2, (1 - UNKNOWNS) / 2, UNKNOWNS])
    return Counts(
        number,
        dict(zip((*bands.labels, UNKNOWN), map(int, by_band), strict=True)),
        dict(zip(("female", "male", UNKNOWN), map(int, by_gender), strict=True)),
    )


def _numbers(counts: Counts) -> tuple[int, int, int]:
    """People, those with a band, and those with a gender."""
    return (
        counts.people,
        counts.people - counts.by_band[UNKNOWN],
        counts.people - counts.by_gender[UNKNOWN],
    )


def main() -> None:
    """Print all tables."""
    parser = argparse.ArgumentParser(description="What counting costs.")
    parser.add_argument("--people", type=int, help="at most so many faces of each source")
    parser.add_argument("--model", type=Path, default=BUNDLED_MODEL)
    arguments = parser.parse_args()
    loaded = artefact.load(arguments.model)
    estimator = Estimator(loaded, runtimes.get("numpy"))
    group = [
        one
        for source in ("utkface", "fgnet")
        for one in people(FACES, source, "test", arguments.people)
    ]
    said = [
        estimate
        for start in range(0, len(group), 32)
        for estimate in estimator.estimate(
            np.stack([aligned(one.face, estimator.size) for one in group[start : start + 32]])
        )
    ]
    spread = np.median([one.age_high - one.age_low for one in said])
    print(
        f"{len(group)} faces of exact age from the test splits of UTKFace and FG-NET, model "
        f"{loaded.name}; half of their 80 % intervals are at most {spread:.1f} years wide"
    )
    table_of_bands(group, said)
    table_of_genders(group, said)
    table_of_crowds(Public())


if __name__ == "__main__":
    main()
