"""Which candidates become moments, and the few changes that meet a budget."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

from hlcli.moments.candidates import ClipSpan, best_clip, best_window, placed, settle, widened
from hlcli.moments.curve import EPSILON, Curve
from hlcli.moments.types import Selection

DEFAULT_SHARE = 0.15
"""Share of the video kept when nothing is asked for."""
DEFAULT_LIMIT_SECONDS = 180.0
"""Most that is kept when nothing is asked for."""
DEFAULT_PROMINENCE = 0.5
"""Lowest peak kept when nothing is asked for, as a fraction of the highest one over the floor."""

STANDS_OUT = 0.2
"""When nothing is asked for, a video without any score as high as this has no moment."""


def choose(
    ranked: list[ClipSpan],
    curve: Curve,
    selection: Selection,
    pins: Sequence[tuple[float, float]] = (),
) -> list[ClipSpan]:
    """Take the candidates that the selection asks for, beside the stretches that are pinned."""
    pinned = sum(end - start for start, end in pins)
    shortest = selection.min_duration_seconds
    if selection.threshold is not None:
        return ranked
    if selection.top is not None:
        return ranked[: max(0, selection.top - len(pins))]
    if selection.target_duration_seconds is not None:
        target = min(selection.target_duration_seconds, curve.duration) - pinned
        if pins and target < shortest - EPSILON:
            return []
        return _fill(ranked, target, curve, selection, exactly=True)
    highest = float(curve.scores_T.max())
    if highest < STANDS_OUT:
        return []
    bar = curve.floor + DEFAULT_PROMINENCE * (highest - curve.floor)
    prominent = [span for span in ranked if curve.scores_T[span.peak] >= bar - EPSILON]
    least = shortest + 2 * selection.handles_seconds
    budget = max(least, min(DEFAULT_SHARE * curve.duration, DEFAULT_LIMIT_SECONDS)) - pinned
    if pins and budget < shortest - EPSILON:
        return []
    return _fill(prominent, budget, curve, selection, exactly=False)


def _fill(
    ranked: list[ClipSpan], target: float, curve: Curve, selection: Selection, *, exactly: bool
) -> list[ClipSpan]:
    """Take candidates best first until their lengths make `target`.

    The total never falls when the target rises: each step of the walk below either reaches the
    target exactly, or stops at a total that a higher target reaches too.
    """
    shortest = selection.min_duration_seconds
    chosen: list[ClipSpan] = []
    room = target
    for span in ranked:
        if span.length > room + EPSILON:
            if room >= shortest - EPSILON or not chosen:
                length = max(room, shortest)
                if exactly:
                    _shrink(span, length, curve, shortest)
                    chosen.append(span)
                elif _settled(span, length, curve, selection) or not chosen:
                    chosen.append(span)
                return chosen
            spare = sum(taken.length - shortest for taken in chosen)
            if exactly and _slack(chosen, curve, selection) < room and spare >= shortest - room:
                # The chosen ones cannot grow enough, but can give way to one more.
                missing = shortest - room
                for taken in reversed(chosen):
                    give = min(missing, taken.length - shortest)
                    _shrink(taken, taken.length - give, curve, shortest)
                    missing -= give
                _shrink(span, shortest, curve, shortest)
                chosen.append(span)
                return chosen
            break
        chosen.append(span)
        room -= span.length
    if exactly:
        _grow(chosen, room, curve, selection)
    return chosen


def _settled(span: ClipSpan, length: float, curve: Curve, selection: Selection) -> bool:
    """Cut a span to whole shots of at most `length` seconds; False, and no change, if it cannot."""
    part = ClipSpan(span.start, span.end, span.core_start, span.core_end, span.peak)
    _shrink(part, length, curve, selection.min_duration_seconds)
    if not settle(part, curve, selection, span.start, span.end, length):
        return False
    span.start, span.end = part.start, part.end
    span.core_start, span.core_end, span.peak = part.core_start, part.core_end, part.peak
    return True


def _shrink(span: ClipSpan, length: float, curve: Curve, shortest: float) -> None:
    """Cut a span to the best window of `length` around its peak."""
    if span.length <= length:
        return
    start, end = best_window(curve, span.peak, span.start, span.end, length, shortest)
    span.start, span.end = max(span.start, start), min(span.end, end)
    span.core_start = max(span.core_start, span.start)
    span.core_end = min(span.core_end, span.end)
    span.peak = best_clip(curve, span.peak, span.start, span.end)


def _slack(chosen: list[ClipSpan], curve: Curve, selection: Selection) -> float:
    """By how much `_grow` could widen the chosen spans, in seconds."""
    copies = [ClipSpan(s.start, s.end, s.core_start, s.core_end, s.peak) for s in chosen]
    return _grow(copies, math.inf, curve, selection)


def _grow(chosen: list[ClipSpan], room: float, curve: Curve, selection: Selection) -> float:
    """Widen spans, best first, into the free space around them by up to `room` seconds."""
    in_time = sorted(chosen, key=lambda span: span.start)
    place = {id(span): index for index, span in enumerate(in_time)}
    grown = 0.0
    for span in chosen:
        index = place[id(span)]
        low, high = curve.room(float(curve.centres_T[span.peak]))
        if index:
            low = max(low, in_time[index - 1].end)
        if index + 1 < len(in_time):
            high = min(high, in_time[index + 1].start)
        more = min(room - grown, selection.longest_seconds - span.length, high - low - span.length)
        if more > EPSILON:
            length = span.length + more
            start, _ = widened(span.start, span.end, length, low, high)
            first, last = max(low, span.end - length), min(span.start, high - length)
            start = placed(curve, start, length, first, last, selection.min_duration_seconds)
            span.start, span.end = start, min(start + length, high)
            grown += more
    return grown


def join_touching(spans: list[ClipSpan], curve: Curve, selection: Selection) -> list[ClipSpan]:
    """Make moments of one shot that touch one moment, where the longest length allows it."""
    joined: list[ClipSpan] = []
    for span in sorted(spans, key=lambda span: span.start):
        last = joined[-1] if joined else None
        if (
            last is not None
            and span.start - last.end <= EPSILON
            and not curve.on_cut(span.start)
            and span.end - last.start <= selection.longest_seconds + EPSILON
        ):
            last.end, last.core_end = span.end, span.core_end
            last.peak = max(last.peak, span.peak, key=lambda clip: (curve.scores_T[clip], -clip))
        else:
            joined.append(span)
    return joined


def share_handles(spans: list[ClipSpan], curve: Curve, selection: Selection) -> list[ClipSpan]:
    """Put the border of touching moments halfway between what both have without handles."""
    in_time = sorted(spans, key=lambda span: span.start)
    for left, right in itertools.pairwise(in_time):
        space = right.core_start - left.core_end
        touching = right.start - left.end <= EPSILON
        if not touching or curve.on_cut(left.end) or not 0 < space <= 2 * selection.handles_seconds:
            continue
        border = (left.core_end + right.core_start) / 2
        lengths = (border - left.start, right.end - border)
        if selection.min_duration_seconds <= min(lengths) and (
            max(lengths) <= selection.longest_seconds
        ):
            left.end = right.start = border
    return in_time
