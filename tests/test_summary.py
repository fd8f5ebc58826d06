"""Knapsack summaries against brute force, and F1 by hand."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hlcli.evaluation.summary import f_scores, knapsack, summarise


@given(
    st.lists(st.tuples(st.integers(0, 20), st.integers(1, 9)), min_size=1, max_size=9),
    st.integers(0, 30),
    st.integers(0, 5),
)
@settings(max_examples=100, deadline=None)
def test_knapsack_finds_what_trying_everything_finds(
    segments: list[tuple[int, int]], capacity: int, seed: int
) -> None:
    worth, lengths = np.array(segments, dtype=float)[:, 0], np.array(segments)[:, 1]
    best = max(
        float(worth @ choice)
        for choice in product((0, 1), repeat=len(segments))
        if lengths @ choice <= capacity
    )
    chosen = knapsack(worth, lengths, capacity=capacity, seed=seed)
    assert lengths[chosen].sum() <= capacity
    assert worth[chosen].sum() == best


def test_equal_segments_are_chosen_by_the_seed_and_not_by_their_place() -> None:
    counts = np.zeros(10)
    for seed in range(300):
        counts += knapsack(np.ones(10), np.full(10, 5), capacity=14, seed=seed)
    assert counts.sum() == 2 * 300
    assert counts.min() > 30  # 60 expected


def test_the_summary_holds_the_best_segments_within_15_percent() -> None:
    scores = np.zeros(100)
    scores[30:40], scores[70:75], scores[10:40:11] = 5.0, 9.0, 7.0
    chosen = summarise(scores, np.array([0, 10, 20, 30, 40, 70, 75]))
    assert np.flatnonzero(chosen).tolist() == [*range(30, 40), *range(70, 75)]


@pytest.mark.parametrize("shift", [-1000.0, 0.0, 1e6])
def test_the_scale_of_the_scores_does_not_matter(shift: float) -> None:
    scores = np.random.default_rng(0).integers(0, 50, 200).astype(float)
    starts = np.arange(0, 200, 10)
    expected = summarise(scores, starts)
    assert expected.sum() == 30
    np.testing.assert_array_equal(summarise(scores * 4 + shift, starts), expected)


def test_constant_scores_still_give_a_summary() -> None:
    assert summarise(np.full(100, -3.0), np.arange(0, 100, 5)).sum() == 15


def test_nothing_fits_gives_an_empty_summary() -> None:
    assert summarise(np.arange(20.0), np.array([0, 10])).sum() == 0


def test_f_scores_by_hand() -> None:
    summary = [1, 1, 0, 0, 0]
    # Precision 1/2 and recall 1/3; the same frames; no frame shared; nothing kept at all.
    references = np.array([[1, 0, 1, 1, 0], [1, 1, 0, 0, 0], [0, 0, 0, 0, 1], [0, 0, 0, 0, 0]]).T
    assert f_scores(summary, references) == pytest.approx([0.4, 1.0, 0.0, 0.0])


def test_nonsense_is_refused() -> None:
    with pytest.raises(ValueError, match="finite"):
        summarise(np.array([1.0, np.nan]), np.array([0]))
    with pytest.raises(ValueError, match="begin with frame 0"):
        summarise(np.ones(4), np.array([1, 2]))
