"""Kendall's tau-b and Spearman's rho against their definitions and scipy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hlcli.evaluation.rank_correlation import centred_ranks, kendall_tau, spearman_rho

PAIRS = st.lists(st.tuples(st.integers(-4, 4), st.integers(-9, 9)), min_size=2, max_size=60)


def tau_of_all_pairs(first: np.ndarray, second: np.ndarray) -> float:
    signs = [np.sign(side[:, None] - side[None, :]) for side in (first, second)]
    untied = np.sqrt(np.count_nonzero(signs[0]) * np.count_nonzero(signs[1]))
    return 0.0 if untied == 0 else float((signs[0] * signs[1]).sum() / untied)


@given(PAIRS)
@settings(max_examples=100, deadline=None)
def test_tau_counts_what_a_loop_over_all_pairs_counts(pairs: list[tuple[int, int]]) -> None:
    first, second = np.array(pairs, dtype=float).T
    expected = tau_of_all_pairs(first, second)
    assert kendall_tau(first, second) == pytest.approx(expected, abs=1e-12)
    assert kendall_tau(second, first) == pytest.approx(expected, abs=1e-12)
    assert kendall_tau(-first, second) == pytest.approx(-expected, abs=1e-12)


@pytest.mark.parametrize("levels", [2, 7, 10**9])
def test_both_against_scipy_on_ten_thousand_frames(levels: int) -> None:
    stats = pytest.importorskip("scipy.stats")
    random = np.random.default_rng(levels)
    first = random.normal(size=10_000)
    second = random.integers(0, levels, 10_000) + (first > 1) * (levels // 2)
    assert kendall_tau(first, second) == pytest.approx(stats.kendalltau(first, second).statistic)
    assert spearman_rho(first, second) == pytest.approx(stats.spearmanr(first, second).statistic)


def test_rho_by_hand() -> None:
    # 1 - 6 * (0 + 1 + 1) / (3 * 8)
    assert spearman_rho([10, 20, 30], [1, 3, 2]) == pytest.approx(0.5)
    assert spearman_rho([1, 2, 3], [9, 5, 1]) == pytest.approx(-1.0)
    assert spearman_rho([2, 2, 2], [1, 2, 3]) == 0.0


def test_equal_values_share_their_rank() -> None:
    assert centred_ranks([5, 1, 5, 9]).tolist() == [0.0, -1.5, 0.0, 1.5]


@pytest.mark.parametrize("correlation", [kendall_tau, spearman_rho])
def test_nonsense_is_refused(correlation: object) -> None:
    assert callable(correlation)
    with pytest.raises(ValueError, match="one length"):
        correlation([1, 2], [1, 2, 3])
    with pytest.raises(ValueError, match="finite"):
        correlation([1, float("nan")], [1, 2])
