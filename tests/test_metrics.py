"""Metrics against worked values and independent definitions; bootstrap behaviour."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hlcli.evaluation.bootstrap import (
    bootstrap_interval,
    bootstrap_over_strata,
    paired_difference,
)
from hlcli.evaluation.metrics import (
    average_precision,
    best_first,
    top5_average_precision,
    trapezoid_average_precision,
)
from hlcli.evaluation.rank_correlation import kendall_tau

# Hits in rank order and UMT's value for them.
WORKED = [
    ([1, 0, 0, 0, 0], 1.0),
    ([0, 1, 0, 0, 0], 0.25),
    ([0, 0, 0, 0, 1], 0.1),
    ([1, 1, 0, 0, 1], 0.85),
    ([1, 0, 1, 0, 1], 0.711),
    ([0, 0, 1, 1, 1], 0.378),
]


@pytest.mark.parametrize(("hits", "expected"), WORKED)
def test_trapezoid_worked_values(hits: list[int], expected: float) -> None:
    scores = np.arange(5, 0, -1)
    assert trapezoid_average_precision(hits, scores) == pytest.approx(expected, abs=5e-4)
    # Positives below the first five must not count in the top-5 variant.
    longer = [*hits, 1, 1, 1]
    assert top5_average_precision(longer, np.arange(8, 0, -1)) == pytest.approx(expected, abs=5e-4)


def test_trapezoid_is_not_the_step_wise_ap() -> None:
    hits, scores = [0, 1, 0, 1], [4.0, 3.0, 2.0, 1.0]
    assert average_precision(hits, scores) == pytest.approx((1 / 2 + 2 / 4) / 2)
    assert trapezoid_average_precision(hits, scores) == pytest.approx(
        0.5 * (0 + 1 / 2) / 2 + 0.5 * (1 / 3 + 2 / 4) / 2
    )


@given(
    st.lists(st.tuples(st.booleans(), st.integers(0, 10**6)), min_size=1, max_size=40).filter(
        lambda rows: len({score for _, score in rows}) == len(rows)
    )
)
@settings(max_examples=50, deadline=None)
def test_average_precision_is_the_area_under_the_steps(rows: list[tuple[bool, int]]) -> None:
    positive = np.array([row[0] for row in rows])
    scores = np.array([row[1] for row in rows])
    area, recall_before = 0.0, 0.0
    for threshold in sorted(scores, reverse=True):
        chosen = scores >= threshold
        recall = (positive & chosen).sum() / max(1, positive.sum())
        area += (recall - recall_before) * (positive & chosen).sum() / chosen.sum()
        recall_before = recall
    assert average_precision(positive, scores) == pytest.approx(area)


def test_no_positive_is_zero_and_all_positive_is_one() -> None:
    for metric in (average_precision, trapezoid_average_precision, top5_average_precision):
        assert metric([0, 0, 0], [3, 2, 1]) == 0.0
        assert metric([1, 1, 1], [1, 2, 3]) == 1.0


def test_ties_are_chance_and_not_file_order() -> None:
    positive = np.zeros(40)
    positive[:10] = 1
    values = [average_precision(positive, np.ones(40), seed=seed) for seed in range(300)]
    # File order would give 1.0; the expectation of a random ranking is near 10/40 plus a bit.
    assert 0.27 < np.mean(values) < 0.34
    assert max(values) < 1.0
    assert values[7] == average_precision(positive, np.ones(40), seed=7)


def test_order_among_distinct_scores_ignores_the_seed() -> None:
    assert list(best_first([0.1, 0.9, 0.5], seed=1)) == [1, 2, 0]
    assert list(best_first([0.1, 0.9, 0.5], seed=2)) == [1, 2, 0]


def test_not_a_number_is_refused() -> None:
    with pytest.raises(ValueError, match="not a finite number"):
        average_precision([1, 0], [float("nan"), 1.0])
    with pytest.raises(ValueError, match="one length"):
        average_precision([1, 0, 1], [0.5, 1.0])


def test_kendall_tau_by_hand() -> None:
    assert kendall_tau([1, 2, 3], [4, 5, 9]) == pytest.approx(1.0)
    assert kendall_tau([1, 2, 3], [3, 2, 1]) == pytest.approx(-1.0)
    # Pairs: 2 agree, 1 disagrees.
    assert kendall_tau([1, 2, 3], [1, 3, 2]) == pytest.approx(1 / 3)
    # tau-b: 2 agree, none disagrees, one tie on the left: 2 / sqrt(2 * 3).
    assert kendall_tau([1, 1, 2], [1, 2, 3]) == pytest.approx(2 / np.sqrt(6))
    assert kendall_tau([1, 1, 1], [1, 2, 3]) == 0.0


def test_kendall_tau_against_scipy() -> None:
    stats = pytest.importorskip("scipy.stats")
    random = np.random.default_rng(0)
    for _ in range(5):
        first, second = random.integers(0, 6, 30), random.integers(0, 6, 30)
        assert kendall_tau(first, second) == pytest.approx(
            stats.kendalltau(first, second).statistic
        )


def test_interval_holds_the_mean_and_narrows_with_more_videos() -> None:
    random = np.random.default_rng(0)
    few, many = random.random(10), random.random(1000)
    small, large = bootstrap_interval(few), bootstrap_interval(many)
    assert small.mean == pytest.approx(few.mean())
    assert small.low < small.mean < small.high
    assert large.high - large.low < (small.high - small.low) / 4
    # Standard error of 1000 uniform draws: 0.2887 / sqrt(1000); 95 % is +-1.96 of it.
    assert large.high - large.low == pytest.approx(2 * 1.96 * many.std() / np.sqrt(1000), rel=0.1)
    assert (small.n, large.n) == (10, 1000)


def test_values_of_one_video_are_drawn_together() -> None:
    values = np.repeat([0.0, 1.0, 0.0, 1.0], 25)
    alone = bootstrap_interval(values)
    grouped = bootstrap_interval(values, videos=np.repeat([0, 1, 2, 3], 25).tolist())
    assert grouped.mean == alone.mean == 0.5
    assert grouped.n == 4
    assert (grouped.low, grouped.high) == (0.0, 1.0)
    assert alone.low > 0.35


def test_strata_weigh_the_same_and_are_drawn_apart() -> None:
    values = [1.0] * 30 + [0.0] * 3
    interval = bootstrap_interval(values, strata=["a"] * 30 + ["b"] * 3)
    assert (interval.low, interval.mean, interval.high) == (0.5, 0.5, 0.5)


def test_paired_difference_removes_what_videos_share() -> None:
    random = np.random.default_rng(1)
    difficulty = random.random(30)
    better = difficulty + 0.05 + 0.01 * random.random(30)
    interval = paired_difference(better, difficulty)
    assert interval.low > 0.05
    assert bootstrap_interval(better).low < bootstrap_interval(difficulty).high


def test_same_seed_same_interval_and_empty_is_refused() -> None:
    values = np.random.default_rng(2).random(12)
    assert bootstrap_interval(values, seed=3) == bootstrap_interval(values, seed=3)
    assert bootstrap_interval(values, seed=3) != bootstrap_interval(values, seed=4)
    with pytest.raises(ValueError, match="at least one"):
        bootstrap_interval([])
    with pytest.raises(ValueError, match="cannot pair"):
        paired_difference([1.0], [1.0, 2.0])


def test_a_lone_stratum_and_entries_of_one_video_together() -> None:
    # Stratum b has one video with two entries: four draws of the two videos are possible.
    interval = bootstrap_over_strata(
        [1.0, 0.0, 0.4], strata=["a", "b", "b"], videos=["x", "y", "y"]
    )
    assert interval.mean == pytest.approx((1.0 + 0.2) / 2)
    assert (interval.low, interval.high) == pytest.approx((0.2, 1.0))
    assert interval.n == 2
