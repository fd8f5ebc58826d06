"""Variety: a scene that comes back does not take everything."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
from document_factory import make_document
from hypothesis import given, settings
from hypothesis import strategies as st

from hlcli.document import find_moments
from hlcli.moments import Selection, select_moments


def hills(*heights: float) -> list[float]:
    """Return a hill of four clips every twelve."""
    return [height if 4 <= clip < 8 else 0.1 for height in heights for clip in range(12)]


def scene(*groups: int) -> list[int]:
    return [group for group in groups for _ in range(12)]


def chosen(scores: list[float], looks: list[int] | None, **rule) -> list[int]:
    """Return which hills are kept, by their numbers."""
    moments = select_moments(
        scores,
        clip_seconds=1,
        duration_seconds=float(len(scores)),
        selection=Selection(**rule),
        looks_T=looks,
    )
    return sorted(int(moment.peak_seconds // 12) for moment in moments)


def test_another_scene_goes_first_from_three_quarters_of_the_height_on() -> None:
    scores = hills(0.9, 0.89, 0.88, 0.75, 0.6)
    assert chosen(scores, None, top=2) == [0, 1]
    looks = scene(0, 0, 0, 1, 2)
    assert chosen(scores, looks, top=2) == [0, 3]
    assert chosen(scores, looks, top=3) == [0, 1, 3]
    # Before the third of that scene, half of the height is enough.
    assert chosen(scores, looks, top=4) == [0, 1, 3, 4]
    assert chosen(hills(0.9, 0.89, 0.6), scene(0, 0, 1), top=2) == [0, 1]


def test_a_scene_cannot_take_the_whole_budget() -> None:
    scores = hills(*[0.9] * 8, 0.5, 0.5)
    looks = scene(*[0] * 8, 1, 2)
    assert chosen(scores, None, top=5) == [0, 1, 2, 3, 4]
    assert chosen(scores, looks, top=5) == [0, 1, 2, 8, 9]
    assert {8, 9} <= set(chosen(scores, looks, target_duration_seconds=25.0))


def test_a_threshold_keeps_whatever_reaches_it() -> None:
    scores = hills(0.9, 0.9, 0.8)
    assert chosen(scores, scene(0, 0, 0), threshold=0.5) == [0, 1, 2]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1), st.integers(0, 4)), min_size=3, max_size=90))
def test_more_keep_what_fewer_kept(clips: list[tuple[float, int]]) -> None:
    scores, looks = [score for score, _ in clips], [look for _, look in clips]

    def spans(top: int) -> set[tuple[float, float]]:
        found = select_moments(
            scores,
            clip_seconds=1,
            duration_seconds=float(len(scores)),
            selection=Selection(top=top),
            looks_T=looks,
        )
        return {(round(m.start_seconds, 6), round(m.end_seconds, 6)) for m in found}

    best = [max(map(len, [spans(1)]))]
    assert best == [1]
    for fewer, more in itertools.pairwise(range(1, 5)):
        # Moments that touch become one, so that ends may differ; none is lost.
        covered = spans(more)
        for start, end in spans(fewer):
            assert any(low <= start + 1e-6 and end <= high + 1e-6 for low, high in covered)


def test_the_looks_of_the_document_count() -> None:
    scores = hills(0.9, 0.89, 0.75)
    document = make_document(num_frames=36 * 30, scores=scores)
    plain = find_moments(document, Selection(top=2))
    other = find_moments(
        dataclasses.replace(document, looks=tuple(scene(0, 0, 1))), Selection(top=2)
    )
    assert sorted(int(m.peak_seconds // 12) for m in plain) == [0, 1]
    assert sorted(int(m.peak_seconds // 12) for m in other) == [0, 2]
    assert np.isfinite([m.score for m in other]).all()
