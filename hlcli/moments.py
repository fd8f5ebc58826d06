"""Turns one score per clip into the moments worth keeping.

1. **Candidates.** From the highest clip down, each clip outside the candidates so far is a peak. It
   grows to both sides while the score stays above halfway between the video's floor (its 20th
   percentile) and the peak, and ends at a valley when the score climbs again by a quarter of the
   peak's height. Ends between two clips are interpolated. Longer than the maximum: the best window
   around the peak; shorter than the minimum: widened evenly. Then handles are added, and the ends
   move to a shot boundary within 0.75 s, so that no flash of another shot stays in.
   The candidates are ranked by mean score.
2. **Choice**, by at most one rule:
   a *target duration* takes candidates best first, handles included, cuts the last one around its
   peak to meet the target exactly, and widens the chosen ones where no further one fits;
   *top* takes the N best; a *threshold* keeps every stretch whose clips score at least X (peaks
   and ends are then judged against X). By default: the best candidates that fill 15 % of the
   video, at most 180 s, at least one, and only peaks that stand at least half as high over the
   floor as the video's highest.

A flat curve has no peaks: every clip ties, ties go to the earlier one, so the moments come from the
start of the video. A video no longer than the minimum is one moment. Same input, same moments.

Axes: T clips, E = T + 1 clip edges, S shot boundaries.
"""

from __future__ import annotations

import bisect
import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from hlcli.errors import UsageError

Why: TypeAlias = Literal["picture", "sound", "both"]
"""What makes a moment stand out."""

FLOOR_PERCENTILE = 20.0
"""The score below which a fifth of the video lies counts as "nothing happens"."""
END_FRACTION = 0.5
"""A moment ends where the score falls below this fraction of its peak over the floor."""
VALLEY_FRACTION = 0.25
"""A dip ends a moment when the score rises again by this fraction of the peak over the floor."""
SNAP_SECONDS = 0.75
"""Farthest an end moves to reach a shot boundary."""
DEFAULT_SHARE = 0.15
"""Share of the video kept when nothing is asked for."""
DEFAULT_LIMIT_SECONDS = 180.0
"""Most that is kept when nothing is asked for."""
DEFAULT_PROMINENCE = 0.5
"""Lowest peak kept when nothing is asked for, as a fraction of the highest one over the floor."""
_EPSILON = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """A stretch of video worth keeping, half-open: `[start_seconds, end_seconds)`."""

    start_seconds: float
    """First instant inside, handles included, in seconds from the first video frame."""
    end_seconds: float
    """First instant after it, handles included, in seconds from the first video frame."""
    score: float
    """Mean score of the clips inside, weighted by overlap, in [0, 1]."""
    peak_seconds: float
    """Middle of the best clip inside, in seconds from the first video frame."""
    picture: float | None = None
    """Mean of the picture's own score inside, in [0, 1]; None when it was not looked at."""
    sound: float | None = None
    """Mean of the sound's own score inside, in [0, 1]; None when it was not listened to."""
    why: Why = "picture"
    """Which side rises above its own usual level here, measured in its standard deviations; "both"
    when the lesser one rises at least half as much."""

    @property
    def duration_seconds(self) -> float:
        """Length, handles included, in seconds."""
        return self.end_seconds - self.start_seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """How much to keep: at most one of the first three, else the default rule above.

    Raises:
        UsageError: More than one rule, or a value out of its range.
    """

    target_duration_seconds: float | None = None
    """Total length of all moments, handles included, in seconds, over 0."""
    top: int | None = None
    """Number of moments, at least 1."""
    threshold: float | None = None
    """Lowest score of a clip that counts, in [0, 1]."""
    min_duration_seconds: float = 2.0
    """Shortest moment, in seconds, over 0."""
    max_duration_seconds: float = 20.0
    """Longest moment without its handles, in seconds, at least the shortest."""
    handles_seconds: float = 0.5
    """Extra footage on each side, in seconds, 0 or more; less where a neighbour, the end of the
    video or a shot boundary is nearer."""

    def __post_init__(self) -> None:
        rules = ("target_duration_seconds", "top", "threshold")
        given = [name for name in rules if getattr(self, name) is not None]
        if len(given) > 1:
            options = " and ".join(
                "--" + name.removesuffix("_seconds").replace("_", "-") for name in given
            )
            raise UsageError(f"{options} exclude each other", hint="give only one of them")
        target, top, threshold = self.target_duration_seconds, self.top, self.threshold
        shortest, longest = self.min_duration_seconds, self.max_duration_seconds
        if target is not None:
            _require(0 < target < math.inf, "--target-duration must be more than 0 s", target)
        if top is not None:
            _require(top >= 1, "--top must be at least 1", top)
        if threshold is not None:
            _require(0 <= threshold <= 1, "--threshold must be between 0 and 1", threshold)
        _require(0 < shortest < math.inf, "--min-duration must be more than 0 s", shortest)
        _require(0 < longest < math.inf, "--max-duration must be more than 0 s", longest)
        _require(0 <= self.handles_seconds < math.inf, "--handles must be 0 s or more",
                 self.handles_seconds)  # fmt: skip
        if shortest > longest:
            raise UsageError(
                f"--min-duration {shortest:g} s is longer than --max-duration {longest:g} s",
                hint="raise --max-duration or lower --min-duration",
            )

    @property
    def longest_seconds(self) -> float:
        """Longest moment with both handles, in seconds."""
        return self.max_duration_seconds + 2 * self.handles_seconds


def select_moments(
    scores_T: npt.ArrayLike,
    *,
    clip_seconds: float,
    duration_seconds: float,
    selection: Selection,
    shot_boundaries_seconds: Sequence[float] | npt.NDArray[Any] = (),
    picture_T: npt.ArrayLike | None = None,
    sound_T: npt.ArrayLike | None = None,
) -> list[Moment]:
    """Choose the moments worth keeping, best first; the module docstring states the rules.

    Args:
        scores_T: Score of each clip, in [0, 1], shape `(T,)`, at least one.
        clip_seconds: Length of one clip, in seconds.
        duration_seconds: Length of the video, in seconds; `T = ceil(duration / clip)`.
        selection: How much to keep, and how long a moment may be.
        shot_boundaries_seconds: Instants at which a new shot starts, in seconds, shape `(S,)`.
        picture_T: The picture's own score of each clip, shape `(T,)`, for `Moment.why`.
        sound_T: The sound's own score of each clip, shape `(T,)`, for `Moment.why`.

    Returns:
        Moments that do not overlap, inside the video, highest mean score first, earlier first
        among equals. Empty only when no clip reaches a given threshold.

    Raises:
        ValueError: The scores are not finite, or their number does not fit the duration.

    Example:
        >>> scores = [0.1, 0.1, 0.9, 0.9, 0.9, 0.1, 0.1, 0.1]
        >>> chosen = Selection(top=1, handles_seconds=0.25)
        >>> best = select_moments(scores, clip_seconds=1, duration_seconds=8, selection=chosen)[0]
        >>> best.start_seconds, best.end_seconds
        (1.75, 5.25)
    """
    curve = _Curve(scores_T, clip_seconds, duration_seconds)
    picture = None if picture_T is None else _Curve(picture_T, clip_seconds, duration_seconds)
    sound = None if sound_T is None else _Curve(sound_T, clip_seconds, duration_seconds)
    cuts = sorted(float(cut) for cut in shot_boundaries_seconds)
    if duration_seconds <= selection.min_duration_seconds:
        peak = int(np.argmax(curve.scores_T))
        reached = selection.threshold is None or curve.scores_T[peak] >= selection.threshold
        spans = [_Span(0.0, duration_seconds, 0.0, duration_seconds, peak)] if reached else []
    else:
        ranked = _candidates(curve, selection, cuts)
        ranked.sort(key=lambda span: (-curve.mean(span.start, span.end), span.start))
        spans = _share_handles(_choose(ranked, curve, selection), selection, cuts)
    moments = [_moment(span, curve, picture, sound) for span in spans]
    return sorted(moments, key=lambda moment: (-moment.score, moment.start_seconds))


@dataclass(slots=True)
class _Span:
    """A candidate: its ends, the same without handles, and its peak's clip."""

    start: float
    end: float
    core_start: float
    core_end: float
    peak: int

    @property
    def length(self) -> float:
        return self.end - self.start


class _Curve:
    """Scores over time: a step per clip, and where each clip lies."""

    def __init__(self, scores_T: npt.ArrayLike, clip_seconds: float, duration: float) -> None:
        scores = np.asarray(scores_T, dtype=np.float64)
        if scores.ndim != 1 or not len(scores) or not np.isfinite(scores).all():
            raise ValueError(f"scores must be finite, shape (T,), got {scores.shape}")
        if not 0 < duration < math.inf or abs(len(scores) - duration / clip_seconds) > 1.001:
            raise ValueError(f"{len(scores)} clips of {clip_seconds} s do not make {duration} s")
        self.scores_T = scores
        self.clip_seconds = clip_seconds
        self.duration = duration
        self.edges_E = np.minimum(np.arange(len(scores) + 1) * clip_seconds, duration)
        self.edges_E[-1] = duration
        self.centres_T = (self.edges_E[:-1] + self.edges_E[1:]) / 2
        self.floor = float(np.percentile(scores, FLOOR_PERCENTILE))
        self._areas_E = np.concatenate([[0.0], np.cumsum(scores * np.diff(self.edges_E))])

    def area(self, start: Any, end: Any) -> Any:
        """Integral of the score between two instants; arrays are taken too."""
        return np.interp(end, self.edges_E, self._areas_E) - np.interp(
            start, self.edges_E, self._areas_E
        )

    def mean(self, start: float, end: float) -> float:
        """Mean score between two instants, free of rounding beyond the scores' own range."""
        mean = self.area(start, end) / (end - start)
        return float(np.clip(mean, self.scores_T.min(), self.scores_T.max()))

    def rise(self, start: float, end: float) -> float:
        """How far the mean between two instants lies over the median, in standard deviations."""
        spread = float(self.scores_T.std())
        over = self.mean(start, end) - float(np.median(self.scores_T))
        return over / spread if spread > _EPSILON else 0.0


def _candidates(curve: _Curve, selection: Selection, cuts: list[float]) -> list[_Span]:
    """Grow disjoint spans from the peaks, highest first, until no room is left."""
    spans: list[_Span] = []  # in time order
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
        if high - low < selection.min_duration_seconds - _EPSILON:
            if threshold is not None:
                _absorb(curve, selection, spans, starts, place, peak)
            continue
        start, end = _natural_ends(curve, peak, low, high, threshold)
        if end - start > selection.max_duration_seconds:
            start, end = _best_window(curve, peak, start, end, selection.max_duration_seconds)
        start, end = _widened(start, end, selection.min_duration_seconds, low, high)
        span = _Span(start, end, start, end, peak)
        span.start = max(low, start - selection.handles_seconds)
        span.end = min(high, end + selection.handles_seconds)
        _snap(span, cuts, instant, low, high, selection)
        spans.insert(place, span)
        starts.insert(place, span.start)
    return spans


def _natural_ends(
    curve: _Curve, peak: int, low: float, high: float, threshold: float | None
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
                and scores_T[ahead] - scores_T[lowest] > VALLEY_FRACTION * height + _EPSILON
            ):
                end = float(curve.edges_E[lowest + (step > 0)])
            else:
                clip = ahead
                lowest = clip if scores_T[clip] < scores_T[lowest] else lowest
        ends.append(min(max(end, low), high))
    return ends[0], ends[1]


def _best_window(
    curve: _Curve, peak: int, start: float, end: float, length: float
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


def _widened(
    start: float, end: float, length: float, low: float, high: float
) -> tuple[float, float]:
    """Widen a span to `length` as evenly as `[low, high]` allows."""
    missing = max(0.0, length - (end - start))
    left = min(missing / 2, start - low)
    right = min(missing - left, high - end)
    left = min(missing - right, start - low)
    return start - left, end + right


def _snap(
    span: _Span, cuts: list[float], peak: float, low: float, high: float, selection: Selection
) -> None:
    """Move ends to shot boundaries where lengths, neighbours and the peak allow it."""
    starts = [*_near(cuts, span.start, low, peak), span.start]
    ends = [*_near(cuts, span.end, peak, high), span.end]
    # Both ends moved, else the start, else the end, else neither.
    for start, end in ((start, end) for start in starts for end in ends):
        length = end - start
        if (
            selection.min_duration_seconds - _EPSILON
            <= length
            <= selection.longest_seconds + _EPSILON
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
    curve: _Curve,
    selection: Selection,
    spans: list[_Span],
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


def _choose(ranked: list[_Span], curve: _Curve, selection: Selection) -> list[_Span]:
    """Take the candidates that the selection asks for."""
    if selection.threshold is not None:
        return ranked
    if selection.top is not None:
        return ranked[: selection.top]
    if selection.target_duration_seconds is not None:
        target = min(selection.target_duration_seconds, curve.duration)
        return _fill(ranked, target, curve, selection, exactly=True)
    highest = float(curve.scores_T.max())
    bar = curve.floor + DEFAULT_PROMINENCE * (highest - curve.floor)
    prominent = [span for span in ranked if curve.scores_T[span.peak] >= bar - _EPSILON]
    least = selection.min_duration_seconds + 2 * selection.handles_seconds
    budget = max(least, min(DEFAULT_SHARE * curve.duration, DEFAULT_LIMIT_SECONDS))
    return _fill(prominent, budget, curve, selection, exactly=False)


def _fill(
    ranked: list[_Span], target: float, curve: _Curve, selection: Selection, *, exactly: bool
) -> list[_Span]:
    """Take candidates best first until their lengths make `target`.

    The total never falls when the target rises: each step of the walk below either reaches the
    target exactly, or stops at a total that a higher target reaches too.
    """
    shortest = selection.min_duration_seconds
    chosen: list[_Span] = []
    room = target
    for span in ranked:
        if span.length > room + _EPSILON:
            if room >= shortest - _EPSILON or not chosen:
                _shrink(span, max(room, shortest), curve)
                chosen.append(span)
                return chosen
            spare = sum(taken.length - shortest for taken in chosen)
            if exactly and _slack(chosen, curve, selection) < room and spare >= shortest - room:
                # The chosen ones cannot grow enough, but can give way to one more.
                missing = shortest - room
                for taken in reversed(chosen):
                    give = min(missing, taken.length - shortest)
                    _shrink(taken, taken.length - give, curve)
                    missing -= give
                _shrink(span, shortest, curve)
                chosen.append(span)
                return chosen
            break
        chosen.append(span)
        room -= span.length
    if exactly:
        _grow(chosen, room, curve, selection)
    return chosen


def _shrink(span: _Span, length: float, curve: _Curve) -> None:
    """Cut a span to `length`, keeping the peak's relative place in it."""
    if span.length <= length:
        return
    peak = float(curve.centres_T[span.peak])
    start = peak - (peak - span.start) * length / span.length
    span.start, span.end = max(span.start, start), min(span.end, start + length)
    span.core_start = max(span.core_start, span.start)
    span.core_end = min(span.core_end, span.end)


def _slack(chosen: list[_Span], curve: _Curve, selection: Selection) -> float:
    """By how much `_grow` could widen the chosen spans, in seconds."""
    copies = [_Span(s.start, s.end, s.core_start, s.core_end, s.peak) for s in chosen]
    return _grow(copies, math.inf, curve, selection)


def _grow(chosen: list[_Span], room: float, curve: _Curve, selection: Selection) -> float:
    """Widen spans, best first, into the free space around them by up to `room` seconds."""
    in_time = sorted(chosen, key=lambda span: span.start)
    place = {id(span): index for index, span in enumerate(in_time)}
    grown = 0.0
    for span in chosen:
        index = place[id(span)]
        low = in_time[index - 1].end if index else 0.0
        high = in_time[index + 1].start if index + 1 < len(in_time) else curve.duration
        more = min(room - grown, selection.longest_seconds - span.length, high - low - span.length)
        if more > _EPSILON:
            span.start, span.end = _widened(span.start, span.end, span.length + more, low, high)
            grown += more
    return grown


def _share_handles(spans: list[_Span], selection: Selection, cuts: list[float]) -> list[_Span]:
    """Put the border of touching moments halfway between what both have without handles."""
    in_time = sorted(spans, key=lambda span: span.start)
    for left, right in itertools.pairwise(in_time):
        space = right.core_start - left.core_end
        touching = right.start - left.end <= _EPSILON
        if not touching or left.end in cuts or not 0 < space <= 2 * selection.handles_seconds:
            continue
        border = (left.core_end + right.core_start) / 2
        lengths = (border - left.start, right.end - border)
        if selection.min_duration_seconds <= min(lengths) and (
            max(lengths) <= selection.longest_seconds
        ):
            left.end = right.start = border
    return in_time


def _moment(span: _Span, curve: _Curve, picture: _Curve | None, sound: _Curve | None) -> Moment:
    """Finish a span: its numbers, and what makes it stand out."""
    start, end = span.start, span.end
    inside = (curve.centres_T >= start) & (curve.centres_T < end)
    peak = int(np.argmax(np.where(inside, curve.scores_T, -np.inf))) if inside.any() else span.peak
    why: Why = "picture"
    if sound is not None and picture is None:
        why = "sound"
    elif sound is not None and picture is not None:
        rises = {"picture": picture.rise(start, end), "sound": sound.rise(start, end)}
        lesser, greater = sorted(rises.values())
        if lesser >= greater / 2:
            why = "both"
        else:
            why = "picture" if rises["picture"] > rises["sound"] else "sound"
    return Moment(
        start_seconds=start,
        end_seconds=end,
        score=curve.mean(start, end),
        peak_seconds=min(max(float(curve.centres_T[peak]), start), end),
        picture=None if picture is None else picture.mean(start, end),
        sound=None if sound is None else sound.mean(start, end),
        why=why,
    )


def _require(fine: bool, message: str, value: float) -> None:
    if not fine or isinstance(value, bool):
        raise UsageError(f"{message}, got {value:g}", hint="hl score --help lists the options")
