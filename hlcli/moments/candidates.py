"""Peaks and how far they reach: every stretch that could become a moment.

Axes: T clips, E = T + 1 clip edges, A possible starts, B possible ends.
"""

from __future__ import annotations

import bisect
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hlcli.moments.curve import EPSILON, Curve
from hlcli.moments.types import Selection

END_FRACTION = 0.5
"""A moment ends where the score falls below this fraction of its peak over the floor."""
VALLEY_FRACTION = 0.25
"""A dip ends a moment when the score rises again by this fraction of the peak over the floor."""
SNAP_SECONDS = 0.75
"""Farthest a moment inside one shot is widened to reach that shot's end."""


@dataclass(slots=True)
class ClipSpan:
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


def grow_candidates(curve: Curve, selection: Selection) -> list[ClipSpan]:
    """Grow disjoint spans from the peaks, highest first, until no room is left."""
    spans: list[ClipSpan] = []  # in time order
    starts: list[float] = []
    scores_T, threshold = curve.scores_T, selection.threshold
    for peak in np.argsort(-scores_T, kind="stable").tolist():
        if threshold is not None and scores_T[peak] < threshold:
            break
        instant = float(curve.centres_T[peak])
        place = bisect.bisect_right(starts, instant)
        usable = low, high = curve.room(instant)
        if place:
            low = max(low, spans[place - 1].end)
        if place < len(starts):
            high = min(high, starts[place])
        if not low <= instant < high:
            continue
        if threshold is None:
            if _joined(curve, selection, spans, starts, place, peak):
                continue
            low, high = _apart(curve, selection, low, high)
            if not low <= instant < high:
                continue
        if high - low < selection.min_duration_seconds - EPSILON:
            if threshold is not None:
                _absorb(curve, selection, spans, starts, place, peak)
            continue
        start, end = _natural_ends(curve, peak, low, high, threshold)
        if end - start > selection.max_duration_seconds:
            start, end = best_window(curve, peak, start, end, selection.max_duration_seconds)
            peak = best_clip(curve, peak, start, end)
        start, end = widened(start, end, selection.min_duration_seconds, low, high)
        span = ClipSpan(start, end, start, end, peak)
        span.start = max(low, start - selection.handles_seconds)
        span.end = min(high, end + selection.handles_seconds)
        bound = ClipSpan(span.start, span.end, span.core_start, span.core_end, span.peak)
        if (
            not settle(span, curve, selection, low, high)
            and threshold is None
            and settle(bound, curve, selection, *usable)
        ):
            continue  # better moments beside it leave no room for whole shots
        spans.insert(place, span)
        starts.insert(place, span.start)
    return spans


def _apart(curve: Curve, selection: Selection, low: float, high: float) -> tuple[float, float]:
    """Narrow the room between two moments: back to back in one shot, a cut would show nothing."""
    apart = selection.min_duration_seconds
    return (
        min(low + apart, float(curve.next_shot(low))),
        max(high - apart, float(curve.last_shot(high))),
    )


def _joined(
    curve: Curve,
    selection: Selection,
    spans: list[ClipSpan],
    starts: list[float],
    place: int,
    peak: int,
) -> bool:
    """Add a peak's stretch to a neighbour in the same shot that it is less than the minimum from.

    Only a peak that the neighbour itself would have grown over, and only within the longest length.
    """
    low = spans[place - 1].end if place else 0.0
    high = starts[place] if place < len(starts) else curve.duration
    instant, handle = float(curve.centres_T[peak]), selection.handles_seconds
    for index in (place - 1, place):
        if not 0 <= index < len(spans):
            continue
        span = spans[index]
        edge = low if index < place else high
        if curve.on_cut(edge) or not curve.last_shot(edge) < instant < curve.next_shot(edge):
            continue
        height = curve.scores_T[span.peak] - curve.floor
        if curve.scores_T[peak] < curve.floor + END_FRACTION * height:
            continue
        start, end = _natural_ends(curve, peak, low, high, None)
        start, end = max(low, start - handle), min(high, end + handle)
        if max(start - low if index < place else high - end, 0) >= selection.min_duration_seconds:
            continue
        floor = spans[index - 1].end if index else 0.0
        ceiling = starts[index + 1] if index + 1 < len(spans) else curve.duration
        floor, ceiling = _apart(curve, selection, floor, ceiling)
        usable = curve.room(instant)
        floor, ceiling = max(floor, usable[0]), min(ceiling, usable[1])
        start, end = max(floor, min(start, span.start)), min(ceiling, max(end, span.end))
        if not start <= instant <= end or end - start > selection.longest_seconds:
            continue
        span.start, span.end = start, end
        span.core_start = min(span.core_start, max(start, float(curve.edges_E[peak])))
        span.core_end = max(span.core_end, min(end, float(curve.edges_E[peak + 1])))
        settle(span, curve, selection, floor, ceiling)
        starts[index] = span.start
        return True
    return False


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
                and _has_cut(curve, lowest)
            ):
                end = float(curve.edges_E[lowest + (step > 0)])
            else:
                clip = ahead
                lowest = clip if scores_T[clip] < scores_T[lowest] else lowest
        ends.append(min(max(end, low), high))
    return ends[0], ends[1]


def _has_cut(curve: Curve, clip: int) -> bool:
    """Whether a shot starts inside a clip or a clip's length around it."""
    first = float(curve.edges_E[clip]) - curve.clip_seconds
    last = float(curve.edges_E[clip + 1]) + curve.clip_seconds
    return bool(((curve.shots_S[1:-1] >= first) & (curve.shots_S[1:-1] <= last)).any())


def best_window(
    curve: Curve, peak: int, start: float, end: float, length: float, whole: float = 0.0
) -> tuple[float, float]:
    """Return the window of `length` in `[start, end]` around the peak with the highest mean.

    Where the scores around the peak are flat for longer than `length`, they say nothing: the window
    is then the one in the flat stretch that the second criterion prefers. Windows that leave less
    than `whole` seconds of another shot at an end come last.
    """
    flat_start, flat_end = curve.plateau(peak)
    flat_start, flat_end = max(start, flat_start), min(end, flat_end)
    judge = curve
    if curve.second is not None and flat_end - flat_start > length + EPSILON:
        judge = curve.second
        first, last = flat_start, flat_end - length
    else:
        first = max(start, float(curve.edges_E[peak + 1]) - length)
        last = min(end - length, float(curve.edges_E[peak]))
    if first > last:  # shorter than one clip
        first = last = min(max(start, float(curve.centres_T[peak]) - length / 2), end - length)
    inside = [curve.edges_E, *_clean_starts(curve, length, whole)]
    starts = np.concatenate(
        [[first], *(row[(row > first) & (row < last)] for row in inside), [last]]
    )
    starts = np.unique(starts)
    # Sums of equal scores differ in their last digits; the earliest of equals wins.
    areas = np.round(judge.area(starts, starts + length), 9)
    if whole:
        areas = areas - 1e6 * window_fragments(curve, starts, length, whole)
    best = float(starts[int(np.argmax(areas))])
    return best, min(best + length, end)


def best_clip(curve: Curve, peak: int, start: float, end: float) -> int:
    """Return the peak, or the best clip inside when the window was chosen elsewhere."""
    if start <= curve.centres_T[peak] <= end:
        return peak
    inside_T = (curve.centres_T >= start) & (curve.centres_T <= end)
    return int(np.argmax(np.where(inside_T, curve.scores_T, -np.inf)))


def _clean_starts(curve: Curve, length: float, whole: float) -> list[npt.NDArray[np.float64]]:
    """Return starts of windows that have an end on a cut, or `whole` seconds from one."""
    if not whole:
        return []
    cuts = curve.shots_S
    return [cuts, cuts - length, cuts - whole, cuts + whole - length]


def window_fragments(
    curve: Curve, starts_A: npt.NDArray[np.float64], length: float, whole: float
) -> npt.NDArray[np.int64]:
    """Count the ends of windows of one length that leave a piece of another shot."""
    before, after = _pieces(curve, starts_A, starts_A + length)
    several = starts_A + before < starts_A + length - EPSILON
    cut_A, cut_B = curve.on_cut(starts_A), curve.on_cut(starts_A + length)
    short_A, short_B = before < whole - EPSILON, after < whole - EPSILON
    counts: npt.NDArray[np.int64] = np.sum(
        [several & ~cut_A & short_A, several & ~cut_B & short_B], axis=0
    )
    return counts


def _pieces(
    curve: Curve, starts_A: npt.NDArray[np.float64], ends_B: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return how long the shot lasts after each start, and how long it lasted before each end."""
    edges = curve.shots_S
    last = len(edges) - 1
    after = edges[np.minimum(np.searchsorted(edges, starts_A + EPSILON, "right"), last)]
    before = edges[np.maximum(np.searchsorted(edges, ends_B - EPSILON, "left") - 1, 0)]
    return after - starts_A, ends_B - before


def placed(
    curve: Curve, start: float, length: float, first: float, last: float, whole: float
) -> float:
    """Return the start that leaves fewest pieces of other shots, nearest to `start`."""
    rows = [row[(row >= first) & (row <= last)] for row in _clean_starts(curve, length, whole)]
    starts = np.concatenate([[start], *rows])
    costs = 1e6 * window_fragments(curve, starts, length, whole) + abs(starts - start)
    return float(starts[int(np.argmin(costs))])


def widened(
    start: float, end: float, length: float, low: float, high: float
) -> tuple[float, float]:
    """Widen a span to `length` as evenly as `[low, high]` allows."""
    missing = max(0.0, length - (end - start))
    left = min(missing / 2, start - low)
    right = min(missing - left, high - end)
    left = min(missing - right, start - low)
    return start - left, end + right


def settle(
    span: ClipSpan,
    curve: Curve,
    selection: Selection,
    low: float,
    high: float,
    longest: float | None = None,
) -> bool:
    """Move the ends of a span to shot boundaries, inwards or outwards, inside `[low, high]`.

    Of all pairs of ends that keep the lengths and the peak, those win that leave no piece of
    another shot shorter than the minimum; of these the one that costs least: the seconds by which
    both ends move and, if it holds several shots, the minimum length for each end that is not on a
    cut (whole shots are preferred) and half of it for each shorter shot at an end. Before that, a
    handle stops at a cut.

    Returns:
        Whether no such piece is left; the lengths, the neighbours or the peak may forbid that.
    """
    shortest = selection.min_duration_seconds
    longest = selection.longest_seconds if longest is None else longest
    peak = float(curve.centres_T[span.peak])
    start = max(span.start, float(curve.last_shot(span.core_start)))
    end = min(span.end, float(curve.next_shot(span.core_end)))
    edges = curve.shots_S
    near = edges[(edges >= peak - longest - shortest) & (edges <= peak + longest + shortest)]
    starts_A = np.concatenate([[start], near, near - shortest])
    ends_B = np.concatenate([[end], near, near + shortest])
    starts_A = starts_A[(starts_A >= low) & (starts_A <= peak)]
    ends_B = ends_B[(ends_B <= high) & (ends_B >= peak)]
    before_A, after_B = _pieces(curve, starts_A, ends_B)
    cut_A, cut_B = curve.on_cut(starts_A), curve.on_cut(ends_B)
    lengths_AB = ends_B[None, :] - starts_A[:, None]
    several_AB = (starts_A + before_A)[:, None] < ends_B[None, :] - EPSILON
    allowed_AB = (lengths_AB >= shortest - EPSILON) & (lengths_AB <= longest + EPSILON)
    if not allowed_AB.any():
        return False
    fragments_AB = np.zeros(lengths_AB.shape)
    lost_AB = np.zeros(lengths_AB.shape)
    costs_AB = np.zeros(lengths_AB.shape)
    last_A, next_B = curve.last_shot(starts_A), curve.next_shot(ends_B)
    for shape, instants, wanted, pieces, cut, inwards, rest, at_video_end in (
        ((-1, 1), starts_A, start, before_A, cut_A,
         starts_A - span.core_start, starts_A - last_A, last_A <= 0),
        ((1, -1), ends_B, end, after_B, cut_B,
         span.core_end - ends_B, next_B - ends_B, next_B >= curve.duration),
    ):  # fmt: skip
        short = pieces < shortest - EPSILON
        across = np.where(cut, short * shortest / 2, shortest)
        alone = np.where(~cut & ~at_video_end & (rest <= SNAP_SECONDS), SNAP_SECONDS, 0.0)
        fragments_AB += several_AB & (~cut & short).reshape(shape)
        lost_AB += np.maximum(inwards, 0).reshape(shape)
        costs_AB += np.where(several_AB, across.reshape(shape), alone.reshape(shape))
        costs_AB += abs(instants - wanted).reshape(shape)
    if selection.threshold is not None:  # what reaches the threshold is kept where that is possible
        costs_AB += 1e3 * lost_AB
    costs_AB = np.where(allowed_AB, 1e6 * fragments_AB + costs_AB, np.inf)
    best = int(np.argmin(np.round(costs_AB, 9)))
    row, column = divmod(best, len(ends_B))
    span.start, span.end = float(starts_A[row]), float(ends_B[column])
    span.core_start = min(max(span.core_start, span.start), peak)
    span.core_end = max(min(span.core_end, span.end), peak)
    return not fragments_AB[row, column]


def _absorb(
    curve: Curve,
    selection: Selection,
    spans: list[ClipSpan],
    starts: list[float],
    place: int,
    peak: int,
) -> None:
    """Give a counting clip that has no room of its own to a neighbour, if that stays in length."""
    low, high = curve.room(float(curve.centres_T[peak]))
    if (
        place
        and spans[place - 1].end > low
        and curve.edges_E[peak + 1] - starts[place - 1] <= selection.longest_seconds
    ):
        limit = min(high, starts[place]) if place < len(starts) else high
        spans[place - 1].end = min(float(curve.edges_E[peak + 1]), limit)
        spans[place - 1].core_end = spans[place - 1].end
    elif (
        place < len(spans)
        and starts[place] < high
        and spans[place].end - curve.edges_E[peak] <= selection.longest_seconds
    ):
        limit = max(low, spans[place - 1].end) if place else low
        starts[place] = max(float(curve.edges_E[peak]), limit)
        spans[place].start = spans[place].core_start = starts[place]
