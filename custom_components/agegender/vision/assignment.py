"""Pair rows with columns at the lowest total cost, exactly."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
from numpy.typing import NDArray

Costs = NDArray[np.float64]
Pairs = list[tuple[int, int]]

# Up to here ours takes less than a millisecond, and importing SciPy would cost a small
# computer seconds and 44 MB.
_FEW = 16


def assign(costs: Costs) -> Pairs:
    """Give as many rows as possible a column of their own, at the lowest total cost.

    SciPy solves the large problems, of crowds, where it is installed (Home Assistant
    does not ask for it); all others are solved here, with the same total.

    Parameters
    ----------
    costs
        (N, M), float64, finite.

    Returns
    -------
    list of (row, column)
        min(N, M) pairs, by row.

    Raises
    ------
    ValueError
        The costs are not a matrix of finite numbers.

    References
    ----------
    H. W. Kuhn, "The Hungarian method for the assignment problem", Naval Research
    Logistics Quarterly 2, 1955.
    """
    if costs.ndim != 2 or not np.isfinite(costs).all():
        raise ValueError(f"expected a matrix of finite costs, got shape {costs.shape}: {costs}")
    if 0 in costs.shape:
        return []
    if max(costs.shape) <= _FEW:
        return shortest_paths(costs)
    return _solver()(costs)


def shortest_paths(costs: Costs) -> Pairs:
    """Solve what `assign` solves (N, M at least 1), without SciPy.

    Rows come in one after another; each is given a column along the cheapest chain of
    exchanges, found with Dijkstra's algorithm in prices that keep every cost at least 0.
    Takes N^2 M steps.

    References
    ----------
    N. Tomizawa, "On some techniques useful for solution of transportation network
    problems", Networks 1, 1971; R. Jonker and A. Volgenant, "A shortest augmenting path
    algorithm for dense and sparse linear assignment problems", Computing 38, 1987.
    """
    rows, columns = costs.shape
    if rows > columns:
        return sorted((row, column) for column, row in shortest_paths(costs.T))
    row_prices, column_prices = np.zeros(rows), np.zeros(columns)
    owner = np.full(columns, -1)
    for newcomer in range(rows):
        distance = np.full(columns, np.inf)
        reached_from = np.full(columns, -1)
        settled = np.zeros(columns, np.bool_)
        row, travelled = newcomer, 0.0
        while True:
            onward = travelled + costs[row] - row_prices[row] - column_prices
            shorter = ~settled & (onward < distance)
            distance[shorter] = onward[shorter]
            reached_from[shorter] = row
            column = int(np.argmin(np.where(settled, np.inf, distance)))
            travelled = distance[column]
            if owner[column] < 0:
                break
            settled[column] = True
            row = owner[column]
        saved = travelled - distance[settled]
        row_prices[newcomer] += travelled
        row_prices[owner[settled]] += saved
        column_prices[settled] -= saved
        while column >= 0:
            row = reached_from[column]
            (held,) = np.nonzero(owner == row)
            owner[column] = row
            column = int(held[0]) if row != newcomer else -1
    return sorted((int(row), column) for column, row in enumerate(owner) if row >= 0)


@cache
def _solver() -> Callable[[Costs], Pairs]:
    try:
        from scipy.optimize import linear_sum_assignment  # noqa: PLC0415 - optional, and slow
    except ImportError:
        return shortest_paths

    def solve(costs: Costs) -> Pairs:
        rows, columns = linear_sum_assignment(costs)
        return list(zip(rows.tolist(), columns.tolist(), strict=True))

    return solve
