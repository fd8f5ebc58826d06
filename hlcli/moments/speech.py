"""Ends of moments go into the pauses of speech.

An end inside speech moves to a pause whose nearer edge is within `REACH_SECONDS`, outwards or
inwards, and lies there at least `MARGIN_SECONDS` from the words, or in the middle. It never crosses
a cut, and it leaves a cut only inwards, so that no piece of another shot comes in: speech that goes
on over a cut is a reason to end before it, and a pause at the cut is a reason to stay.

Axes: P pauses.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from hlcli.moments.candidates import ClipSpan, window_fragments
from hlcli.moments.curve import EPSILON, Curve
from hlcli.moments.types import Selection

REACH_SECONDS = 0.5
"""Farthest pause that an end moves to, in seconds."""
SENTENCE_REACH_SECONDS = 4.0
"""Farthest end of a sentence that an end moves to, in seconds."""
MARGIN_SECONDS = 0.15
"""Least distance of an end from the words beside its pause; less in the middle of a short one."""
SHORT_SECONDS = 0.1
"""Pauses shorter than this are taken where no longer one is as near, in seconds."""

_IN_WORD = 20.0
_IN_SENTENCE = 10.0
_LOST = 5.0
_LONG_SECONDS = 0.3  # a longer pause is no better


class Pauses:
    """The stretches of a video in which nobody speaks, before the first word and after the last.

    Args:
        speech: Start and end of each stretch of speech, or of each word, ascending, in seconds.
        duration: Length of the video, in seconds.
        sentence_ends: Instants at which a sentence ends, in seconds; a pause is between sentences
            if it begins at one. Empty where sentences are not known.
    """

    def __init__(
        self,
        speech: Sequence[tuple[float, float]],
        duration: float,
        sentence_ends: Sequence[float] = (),
    ) -> None:
        spans = np.array(speech, dtype=np.float64).reshape(-1, 2)
        self.starts_P = np.concatenate([[0.0], spans[:, 1]])
        self.ends_P = np.maximum(np.concatenate([spans[:, 0], [duration]]), self.starts_P)
        self.knows_sentences = bool(len(sentence_ends))
        self.is_between_P = np.isin(self.starts_P, np.array(sentence_ends, dtype=np.float64))
        self.is_between_P[[0, -1]] = True

    def around(self, instant: float) -> int | None:
        """Return the pause an instant lies in, its edges included; None inside speech."""
        index = int(np.searchsorted(self.starts_P, instant + EPSILON)) - 1
        return index if index >= 0 and instant <= self.ends_P[index] + EPSILON else None

    def near(self, instant: float, reach: float) -> range:
        """Return the pauses of which a part is within `reach` seconds."""
        first = int(np.searchsorted(self.ends_P, instant - reach - EPSILON))
        last = int(np.searchsorted(self.starts_P, instant + reach + EPSILON))
        return range(first, max(first, last))


@dataclass(frozen=True, slots=True)
class _Place:
    """Where an end could go."""

    instant: float
    cost: float


def into_pauses(spans: list[ClipSpan], curve: Curve, selection: Selection, pauses: Pauses) -> None:
    """Move the ends of chosen spans into pauses, in place.

    Lengths stay between the shortest and the longest, no piece of another shot appears, neighbours
    keep apart, and touching ones share their end. An exact target is met as before: what the moves
    change is made up for inside the pauses, and where those are too short, the lowest ranked ones
    keep their ends.

    Args:
        spans: The chosen spans, best first.
        curve: Scores and shots.
        selection: The lengths, and what was asked for.
        pauses: Where nobody speaks.
    """
    before = [replace(span) for span in spans]
    in_time = sorted(spans, key=lambda span: span.start)
    for index, span in enumerate(in_time):
        left = in_time[index - 1] if index else None
        right = in_time[index + 1] if index + 1 < len(in_time) else None
        _move(span, left, right, curve, selection, pauses)
    if selection.target_duration_seconds is not None:
        _restore_total(spans, before, curve, selection, pauses)


def _move(
    span: ClipSpan,
    left: ClipSpan | None,
    right: ClipSpan | None,
    curve: Curve,
    selection: Selection,
    pauses: Pauses,
) -> None:
    """Move both ends of a span; what touches it moves with it, or has moved before."""
    touches_left = left is not None and span.start - left.end <= EPSILON
    touches_right = right is not None and right.start - span.end <= EPSILON
    low, high = curve.room(float(curve.centres_T[span.peak]))
    if left is not None:
        low = max(low, left.end)
    if right is not None:
        high = min(high, right.start)
    starts = _places(span.start, -1, low, high, curve, selection, pauses)
    shares_end = right is not None and touches_right and not curve.on_cut(span.end)
    if right is not None and shares_end:
        low = right.end - max(selection.longest_seconds, right.length)
        high = right.end - min(selection.min_duration_seconds, right.length)
    ends = _places(span.end, 1, low, high, curve, selection, pauses)
    if touches_left:
        starts = starts[:1]
    peak = float(curve.centres_T[span.peak])
    shortest = min(selection.min_duration_seconds, span.length)
    longest = max(selection.longest_seconds, span.length)
    allowed = _fragments(span.start, span.end, curve, selection)
    best = None
    for start, end in itertools.product(starts, ends):
        length = end.instant - start.instant
        if not shortest - EPSILON <= length <= longest + EPSILON:
            continue
        if start.instant > max(peak, span.start) or end.instant < min(peak, span.end):
            continue
        cost = start.cost + end.cost
        if best is not None and cost >= best[0] - EPSILON:
            continue
        if _fragments(start.instant, end.instant, curve, selection) <= allowed:
            best = cost, start.instant, end.instant
    if best is not None:
        if right is not None and shares_end:
            right.start = best[2]
        _, span.start, span.end = best


def _places(
    instant: float,
    outwards: int,
    low: float,
    high: float,
    curve: Curve,
    selection: Selection,
    pauses: Pauses,
) -> list[_Place]:
    """Return where one end could go and what that costs, the place it has first."""
    if instant <= EPSILON or instant >= curve.duration - EPSILON:
        return [_Place(instant, 0.0)]
    exact = selection.target_duration_seconds is not None
    sentences = pauses.knows_sentences and not exact
    on_cut = bool(curve.on_cut(instant))
    here = pauses.around(instant)
    cost = _IN_WORD if here is None else 0.0
    if here is not None and sentences and not pauses.is_between_P[here]:
        cost = _IN_SENTENCE
    elif here is not None and not on_cut:
        start, end = float(pauses.starts_P[here]), float(pauses.ends_P[here])
        margin = min(MARGIN_SECONDS, (end - start) / 2)
        cost = max(0.0, start + margin - instant, instant + margin - end)
    places = [_Place(instant, cost)]
    if cost <= EPSILON:
        return places
    # The shot that the moment is in at this end.
    inside = instant - outwards * 10 * EPSILON
    low = max(low, float(curve.last_shot(inside)))
    high = min(high, float(curve.next_shot(inside)))
    reach = SENTENCE_REACH_SECONDS if sentences else REACH_SECONDS
    for index in pauses.near(instant, reach):
        start, end = float(pauses.starts_P[index]), float(pauses.ends_P[index])
        nearest = min(max(instant, start), end)
        is_between = sentences and bool(pauses.is_between_P[index])
        if abs(nearest - instant) > REACH_SECONDS + EPSILON and not is_between:
            continue
        margin = min(MARGIN_SECONDS, (end - start) / 2)
        place = min(max(instant, start + margin), end - margin)
        place = min(max(place, low), high)
        if not start - EPSILON <= place <= end + EPSILON:
            continue
        cost = abs(place - instant) - min(end - start, _LONG_SECONDS)
        cost += SENTENCE_REACH_SECONDS / 8 if end - start < SHORT_SECONDS else 0.0
        if sentences and not is_between:
            cost += _IN_SENTENCE
        if selection.threshold is not None and (place - instant) * outwards < 0:
            cost += _LOST  # what reaches the threshold is kept where that is possible
        places.append(_Place(place, cost))
    return places


def _fragments(start: float, end: float, curve: Curve, selection: Selection) -> int:
    """Count the ends at which a piece of another shot shorter than the minimum stays in."""
    counts = window_fragments(curve, np.array([start]), end - start, selection.min_duration_seconds)
    return int(counts[0])


def _restore_total(
    spans: list[ClipSpan],
    before: list[ClipSpan],
    curve: Curve,
    selection: Selection,
    pauses: Pauses,
) -> None:
    """Give spans back the total length they had, inside their pauses; else put ends back."""
    total = sum(span.length for span in before)
    moved = [replace(span) for span in spans]
    for num_moved in range(len(spans), -1, -1):
        for index, span in enumerate(spans):
            source = moved[index] if index < num_moved else before[index]
            span.start, span.end = source.start, source.end
        in_time = sorted(spans, key=lambda span: span.start)
        if any(b.start < a.end - EPSILON for a, b in itertools.pairwise(in_time)):
            continue
        if any(span.length < selection.min_duration_seconds - EPSILON for span in spans):
            continue
        if _absorb_rest(in_time, total, curve, selection, pauses):
            return
    for span, source in zip(spans, before, strict=True):
        span.start, span.end = source.start, source.end


def _absorb_rest(
    in_time: list[ClipSpan], total: float, curve: Curve, selection: Selection, pauses: Pauses
) -> bool:
    """Move ends inside their pauses until the spans have `total` seconds; False if they cannot."""
    rest = total - sum(span.length for span in in_time)
    for index, span in enumerate(in_time):
        for outwards in (-1, 1):
            if abs(rest) <= EPSILON:
                return True
            instant = span.start if outwards < 0 else span.end
            here = pauses.around(instant)
            if here is None or curve.on_cut(instant) or not 0 < instant < curve.duration:
                continue
            low = max(float(pauses.starts_P[here]), float(curve.last_shot(instant)))
            high = min(float(pauses.ends_P[here]), float(curve.next_shot(instant)))
            if index and outwards < 0:
                if in_time[index - 1].end >= span.start - EPSILON:
                    continue
                low = max(low, in_time[index - 1].end)
            if index + 1 < len(in_time) and outwards > 0:
                if in_time[index + 1].start <= span.end + EPSILON:
                    continue
                high = min(high, in_time[index + 1].start)
            room = high - instant if outwards > 0 else instant - low
            give = instant - low if outwards > 0 else high - instant
            room = min(room, selection.longest_seconds - span.length)
            give = min(give, span.length - selection.min_duration_seconds)
            change = min(rest, max(room, 0.0)) if rest > 0 else max(rest, -max(give, 0.0))
            peak = float(curve.centres_T[span.peak])
            if outwards < 0:
                span.start = min(span.start - change, peak)
            else:
                span.end = max(span.end + change, peak)
            rest = total - sum(one.length for one in in_time)
    return abs(rest) <= EPSILON
