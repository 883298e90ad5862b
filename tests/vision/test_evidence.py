import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from agegender_vision import artefact
from agegender_vision.engine import BUNDLED_MODEL
from agegender_vision.estimator import Estimate, Estimator, summarize
from agegender_vision.evidence import UNJUDGED, Evidence
from agegender_vision.runtime.choice import AUTO, choose
from benchmarks.tracking import judged, log_loss, people
from trainer.evaluation.metrics import mean_absolute_error


def looks_like(age: float, p_female: float = 0.5, spread: float = 5) -> Estimate:
    ages = np.exp(-0.5 * ((np.arange(101) - age) / spread) ** 2)
    return summarize((ages / ages.sum()).astype(np.float32), p_female)


def combined(*frames: Estimate) -> Estimate:
    evidence = Evidence()
    for frame in frames:
        evidence.add(frame)
    return evidence.estimate()


def odds(p: float) -> float:
    return math.log(p / (1 - p))


estimates = st.builds(looks_like, st.floats(0, 100), st.floats(0.01, 0.99), st.floats(1, 30))


def test_nothing_is_known_of_someone_never_judged() -> None:
    assert Evidence().estimate() is UNJUDGED
    assert UNJUDGED.p_female == 0.5
    assert UNJUDGED.age_high - UNJUDGED.age_low > 75


def test_of_a_person_nothing_is_kept_but_age_and_gender() -> None:
    assert combined(replace(looks_like(40), attributes={"hat": {"yes": 0.9}})).attributes == {}


@given(estimates)
def test_one_frame_says_what_it_says(frame: Estimate) -> None:
    alone = combined(frame)
    assert alone.p_female == pytest.approx(frame.p_female, abs=1e-6)
    assert alone.age == pytest.approx(frame.age, abs=0.1)
    assert alone.ages == pytest.approx(frame.ages, abs=1e-4)


def test_two_frames_by_hand() -> None:
    """Two equal frames are worth 2 / (1 + 0.8) frames."""
    both = combined(*[looks_like(40, 0.9, spread=6)] * 2)
    assert odds(both.p_female) == pytest.approx(odds(0.9) * 2 / 1.8, abs=1e-3)
    width = looks_like(40, spread=6 / math.sqrt(2 / 1.8))
    assert both.age_high - both.age_low == pytest.approx(width.age_high - width.age_low, abs=0.1)


def test_frames_that_agree_make_surer_but_never_certain() -> None:
    sure = [combined(*[looks_like(40, 0.8)] * count).p_female for count in (1, 2, 4, 16, 1000)]
    assert all(a < b for a, b in pairwise(sure))
    assert odds(sure[-1]) < odds(0.8) / 0.8 + 1e-6


def test_frames_that_disagree_leave_it_open() -> None:
    assert combined(looks_like(40, 0.9), looks_like(40, 0.1)).p_female == pytest.approx(0.5)


def test_a_frame_with_a_sharp_answer_weighs_more() -> None:
    sharp, blurred = looks_like(20, 0.9, spread=4), looks_like(50, 0.3, spread=12)
    both = combined(sharp, blurred)
    assert abs(both.age - sharp.age) < abs(both.age - blurred.age)
    assert both.p_female > 0.8


@given(
    st.lists(estimates, min_size=1, max_size=6).flatmap(
        lambda frames: st.tuples(st.just(frames), st.permutations(frames))
    )
)
def test_the_order_of_the_frames_does_not_matter(
    frames: tuple[list[Estimate], list[Estimate]],
) -> None:
    one, other = (combined(*order) for order in frames)
    assert one.p_female == pytest.approx(other.p_female)
    assert one.ages == pytest.approx(other.ages, abs=1e-6)
    assert one.ages.sum() == pytest.approx(1, abs=1e-4)
    assert one.age_low <= one.age_high


def test_a_frame_that_is_certain_and_wrong_can_be_outvoted() -> None:
    certain = np.zeros(101, np.float32)
    certain[3] = 1
    wrong = summarize(certain, 1.0)
    assert combined(wrong, *[looks_like(40, 0.1)] * 200).age == pytest.approx(40, abs=3)


def test_years_keep_their_names() -> None:
    ages: NDArray[np.float32] = np.full(11, 1 / 11, np.float32)
    assert combined(*[summarize(ages, 0.5, first_year=20.5)] * 3).age == pytest.approx(25.5)


def test_frames_of_two_models_are_not_mixed() -> None:
    evidence = Evidence()
    evidence.add(looks_like(30))
    with pytest.raises(ValueError, match="one model"):
        evidence.add(summarize(np.full(11, 1 / 11, np.float32), 0.5))


@pytest.mark.data
def test_several_frames_judge_better_than_one(detection_data: Path) -> None:
    """Faces the model never trained on, as a camera would show them."""
    model = artefact.load(BUNDLED_MODEL)
    estimator = Estimator(model, choose(AUTO))
    group = people(detection_data.parent / "faces96", "utkface", "test", 80)
    said = judged(group, estimator, 6)
    age = np.array([one.age for one in group])
    female = np.array([float(one.female) for one in group])

    def scores(answers: Sequence[Estimate]) -> tuple[float, float]:
        ages, p_female = zip(*((one.age, one.p_female) for one in answers), strict=True)
        return mean_absolute_error(age, np.array(ages)), log_loss(female, np.array(p_female))

    alone = np.mean([scores(frame) for frame in zip(*said, strict=True)], axis=0)
    together = np.array(scores([combined(*frames) for frames in said]))
    assert (together < 0.95 * alone).all(), (together, alone)
