import itertools
from importlib.util import find_spec

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from agegender_vision.assignment import Costs, Pairs, assign, shortest_paths

matrices = npst.arrays(
    np.float64,
    npst.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=7),
    # Few values make ties, which is where solvers go wrong.
    elements=st.integers(-3, 3) | st.floats(-1e4, 1e4),
)


def total(costs: Costs, pairs: Pairs) -> float:
    return float(sum(costs[row, column] for row, column in pairs))


@given(matrices)
def test_each_row_gets_a_column_of_its_own(costs: Costs) -> None:
    for solve in (assign, shortest_paths):
        pairs = solve(costs)
        rows, columns = zip(*pairs, strict=True)
        assert len(pairs) == min(costs.shape)
        assert len(set(rows)) == len(set(columns)) == len(pairs)
        assert list(rows) == sorted(rows)


@given(matrices.filter(lambda costs: max(costs.shape) <= 5))
def test_no_other_pairing_costs_less(costs: Costs) -> None:
    tall = costs if costs.shape[0] >= costs.shape[1] else costs.T
    columns = range(tall.shape[1])
    best = min(
        sum(tall[row, column] for column, row in zip(columns, rows, strict=True))
        for rows in itertools.permutations(range(len(tall)), len(columns))
    )
    assert total(costs, shortest_paths(costs)) == pytest.approx(best, abs=1e-6)


@pytest.mark.skipif(find_spec("scipy") is None, reason="needs SciPy to compare with")
@given(matrices)
def test_the_plain_solver_is_as_good_as_scipy(costs: Costs) -> None:
    from scipy.optimize import linear_sum_assignment  # noqa: PLC0415

    expected = costs[linear_sum_assignment(costs)].sum()
    assert total(costs, shortest_paths(costs)) == pytest.approx(expected, abs=1e-6)


@given(st.integers(15, 40), st.integers(15, 40), st.integers(0, 2**32 - 1))
def test_crowds_are_solved_the_same_with_and_without_scipy(
    rows: int, columns: int, seed: int
) -> None:
    costs = np.random.default_rng(seed).normal(size=(rows, columns))
    assert total(costs, assign(costs)) == pytest.approx(total(costs, shortest_paths(costs)))


def test_a_hand_computed_pairing() -> None:
    costs = np.array([[4.0, 1, 3], [2, 0, 5], [3, 2, 2]])
    assert shortest_paths(costs) == [(0, 1), (1, 0), (2, 2)]
    assert shortest_paths(costs[:, :2]) == [(0, 1), (1, 0)]


@pytest.mark.parametrize("shape", [(0, 0), (0, 3), (2, 0)])
def test_nobody_to_pair(shape: tuple[int, int]) -> None:
    assert assign(np.zeros(shape)) == []


@pytest.mark.parametrize("wrong", [np.array([[np.nan, 1], [1, 1]]), np.array([np.inf]), np.ones(3)])
def test_costs_that_are_no_finite_matrix_are_refused(wrong: Costs) -> None:
    with pytest.raises(ValueError, match="matrix of finite costs"):
        assign(wrong)
