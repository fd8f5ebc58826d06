"""Peaks and how far they reach: every stretch that could become a moment.

Axes: T clips, E = T + 1 clip edges.
"""

from __future__ import annotations

import bisect
from dataclasses import dataclass

import numpy as np

from hlcli.moments.curve import EPSILON, Curve
from hlcli.moments.types import Selection

END_FRACTION = 0.5
"""A moment ends where the score falls below this fraction of its peak over the floor."""
VALLEY_FRACTION = 0.25
"""A dip ends a moment when the score rises again by this fraction of the peak over the floor."""
SNAP_SECONDS = 0.75
"""Farthest an end moves to reach a shot boundary."""


@dataclass(slots=True)
class Span:
    """A candidate: its ends, the same without handles, and its peak's clip."""

    start: float
    end: float
    core_start: float
    core_end: float
    peak: int

    @property
    def length(self) -> float:
        """Length, handles included, in seconds."""
        return self.end - self.start


def grow_candidates(curve: Curve, selection: Selection, cuts: list[float]) -> list[Span]:
    """Grow disjoint spans from the peaks, highest first, until no room is left."""
    spans: list[Span] = []  # in time order
    starts: list[float] = []
    scores_T, threshold = curve.scores_T, selection.threshold
    for peak in np.argsort(-scores_T, kind="stable").tolist():
        if threshold is not None and scores_T[peak] < threshold:
            break
        instant = float(curve.centres_T[peak])
        place = bisect.bisect_right(starts, instant)
        low = spans[place - 1].end if place else 0.0
        high = starts[place] if place < len(starts) else curve.duration
        if not low <= instant < high:
            continue
        if high - low < selection.min_duration_seconds - EPSILON:
            if threshold is not None:
                _absorb(curve, selection, spans, starts, place, peak)
            continue
        start, end = _natural_ends(curve, peak, low, high, threshold)
        if end - start > selection.max_duration_seconds:
            start, end = best_window(curve, peak, start, end, selection.max_duration_seconds)
        start, end = widened(start, end, selection.min_duration_seconds, low, high)
        span = Span(start, end, start, end, peak)
        span.start = max(low, start - selection.handles_seconds)
        span.end = min(high, end + selection.handles_seconds)
        _snap(span, cuts, instant, low, high, selection)
        spans.insert(place, span)
        starts.insert(place, span.start)
    return spans


def _natural_ends(
    curve: Curve, peak: int, low: float, high: float, threshold: float | None
) -> tuple[float, float]:
    """Walk down from a peak on both sides, inside `[low, high]`."""
    scores_T, centres_T = curve.scores_T, curve.centres_T
    height = float(scores_T[peak]) - curve.floor
    level = curve.floor + END_FRACTION * height if threshold is None else threshold
    # Below the floor there is no height to lose: such a peak keeps its own clip's level.
    level = min(level, float(scores_T[peak]))
    ends: list[float] = []
    for step in (-1, 1):
        clip = lowest = peak
        end = None
        while end is None:
            ahead = clip + step
            if not 0 <= ahead < len(scores_T) or not low < centres_T[ahead] < high:
                end = low if step < 0 else high
            elif scores_T[ahead] < level:
                drop = float((scores_T[clip] - level) / (scores_T[clip] - scores_T[ahead]))
                end = float(centres_T[clip] + drop * (centres_T[ahead] - centres_T[clip]))
                if threshold is not None:  # a clip that counts is kept whole
                    edge = float(curve.edges_E[max(clip, ahead)])
                    end = min(end, edge) if step < 0 else max(end, edge)
            elif (
                threshold is None
                and scores_T[ahead] - scores_T[lowest] > VALLEY_FRACTION * height + EPSILON
            ):
                end = float(curve.edges_E[lowest + (step > 0)])
            else:
                clip = ahead
                lowest = clip if scores_T[clip] < scores_T[lowest] else lowest
        ends.append(min(max(end, low), high))
    return ends[0], ends[1]


def best_window(
    curve: Curve, peak: int, start: float, end: float, length: float
) -> tuple[float, float]:
    """Return the window of `length` in `[start, end]` around the peak with the highest mean."""
    first = max(start, float(curve.edges_E[peak + 1]) - length)
    last = min(end - length, float(curve.edges_E[peak]))
    if first > last:  # shorter than one clip
        first = last = min(max(start, float(curve.centres_T[peak]) - length / 2), end - length)
    inside = curve.edges_E[(curve.edges_E > first) & (curve.edges_E < last)]
    starts = np.concatenate([[first], inside, [last]])
    # Sums of equal scores differ in their last digits; the earliest of equals wins.
    areas = np.round(curve.area(starts, starts + length), 9)
    best = float(starts[int(np.argmax(areas))])
    return best, best + length


def widened(
    start: float, end: float, length: float, low: float, high: float
) -> tuple[float, float]:
    """Widen a span to `length` as evenly as `[low, high]` allows."""
    missing = max(0.0, length - (end - start))
    left = min(missing / 2, start - low)
    right = min(missing - left, high - end)
    left = min(missing - right, start - low)
    return start - left, end + right


def _snap(
    span: Span, cuts: list[float], peak: float, low: float, high: float, selection: Selection
) -> None:
    """Move ends to shot boundaries where lengths, neighbours and the peak allow it."""
    starts = [*_near(cuts, span.start, low, peak), span.start]
    ends = [*_near(cuts, span.end, peak, high), span.end]
    # Both ends moved, else the start, else the end, else neither.
    for start, end in ((start, end) for start in starts for end in ends):
        length = end - start
        if (
            selection.min_duration_seconds - EPSILON
            <= length
            <= selection.longest_seconds + EPSILON
        ):
            span.start, span.end = start, end
            span.core_start, span.core_end = max(span.core_start, start), min(span.core_end, end)
            return


def _near(cuts: list[float], instant: float, low: float, high: float) -> list[float]:
    """Return the shot boundary nearest to an instant as a list; empty when none is near."""
    place = bisect.bisect_left(cuts, instant)
    around = [cut for cut in cuts[max(0, place - 1) : place + 1] if low <= cut <= high]
    around = [cut for cut in around if abs(cut - instant) <= SNAP_SECONDS]
    return sorted(around, key=lambda cut: abs(cut - instant))[:1]


def _absorb(
    curve: Curve,
    selection: Selection,
    spans: list[Span],
    starts: list[float],
    place: int,
    peak: int,
) -> None:
    """Give a counting clip that has no room of its own to a neighbour, if that stays in length."""
    if place and curve.edges_E[peak + 1] - starts[place - 1] <= selection.longest_seconds:
        limit = starts[place] if place < len(starts) else curve.duration
        spans[place - 1].end = min(float(curve.edges_E[peak + 1]), limit)
        spans[place - 1].core_end = spans[place - 1].end
    elif place < len(spans) and spans[place].end - curve.edges_E[peak] <= selection.longest_seconds:
        limit = spans[place - 1].end if place else 0.0
        starts[place] = max(float(curve.edges_E[peak]), limit)
        spans[place].start = spans[place].core_start = starts[place]
