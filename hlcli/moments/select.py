"""From scores to moments, in one call.

Axes: T clips, S shot boundaries.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from hlcli.moments.budget import choose, join_touching, share_handles
from hlcli.moments.candidates import ClipSpan, grow_candidates, settle
from hlcli.moments.curve import EPSILON, Curve
from hlcli.moments.speech import Pauses, into_pauses
from hlcli.moments.types import Moment, Selection, Why
from hlcli.moments.variety import varied


def select_moments(
    scores_T: npt.ArrayLike,
    *,
    clip_seconds: float,
    duration_seconds: float,
    selection: Selection,
    shot_boundaries_seconds: Sequence[float] | npt.NDArray[Any] = (),
    picture_T: npt.ArrayLike | None = None,
    sound_T: npt.ArrayLike | None = None,
    raw_T: npt.ArrayLike | None = None,
    pauses: Pauses | None = None,
    looks_T: npt.ArrayLike | None = None,
    unusable: Sequence[tuple[float, float]] = (),
) -> list[Moment]:
    """Choose the moments worth keeping, best first; `hlcli.moments` states the rules.

    Args:
        scores_T: Score of each clip, in [0, 1], shape `(T,)`, at least one.
        clip_seconds: Length of one clip, in seconds.
        duration_seconds: Length of the video, in seconds; `T = ceil(duration / clip)`.
        selection: How much to keep, and how long a moment may be.
        shot_boundaries_seconds: Instants at which a new shot starts, in seconds, shape `(S,)`.
        picture_T: The picture's own score of each clip, shape `(T,)`, for `Moment.why`.
        sound_T: The sound's own score of each clip, shape `(T,)`, for `Moment.why`.
        raw_T: Scores before squashing, shape `(T,)`: they choose where the scores are flat; without
            them the mean of the picture's and the sound's own scores does.
        looks_T: Group of pictures that look alike each clip belongs to, shape `(T,)`: what looks
            like a moment that is chosen already counts for less.
        pauses: Where nobody speaks: ends inside speech go there. None: speech is not known.
        unusable: Stretches in which nothing is chosen, start and end in seconds, unless
            `selection.keep_all`.

    Returns:
        Moments that do not overlap, inside the video, highest score first, earlier first among
        equals. Empty only when no clip reaches a given threshold, or nothing can be used; none
        scores less than it.

    Raises:
        ValueError: The scores are not finite, or their number does not fit the duration.

    Example:
        >>> scores = [0.1, 0.1, 0.9, 0.9, 0.9, 0.1, 0.1, 0.1]
        >>> chosen = Selection(top=1, handles_seconds=0.25)
        >>> best = select_moments(scores, clip_seconds=1, duration_seconds=8, selection=chosen)[0]
        >>> best.start_seconds, best.end_seconds
        (1.75, 5.25)
    """
    picture = None if picture_T is None else Curve(picture_T, clip_seconds, duration_seconds)
    sound = None if sound_T is None else Curve(sound_T, clip_seconds, duration_seconds)
    second = None if raw_T is None else Curve(raw_T, clip_seconds, duration_seconds)
    sides = [side.scores_T for side in (picture, sound) if side is not None]
    if second is None and sides:
        second = Curve(sum(sides) / len(sides), clip_seconds, duration_seconds)
    pins = _pins(selection, duration_seconds)
    avoids = [(avoid.start_seconds, avoid.end_seconds) for avoid in selection.avoids]
    curve = Curve(
        scores_T,
        clip_seconds,
        duration_seconds,
        shot_boundaries_seconds,
        second,
        [*(() if selection.keep_all else unusable), *avoids, *pins],
    )
    if duration_seconds <= selection.min_duration_seconds:
        peak = int(np.argmax(curve.scores_T))
        reached = selection.threshold is None or curve.scores_T[peak] >= selection.threshold
        low, high = curve.room(float(curve.centres_T[peak]))
        spans = [ClipSpan(low, high, low, high, peak)] if reached and high > low else []
    else:
        ranked = grow_candidates(curve, selection)
        ranked.sort(key=lambda span: _rank(span, curve))
        if looks_T is not None and selection.threshold is None:
            ranked = varied(ranked, curve, np.asarray(looks_T))
        spans = join_touching(choose(ranked, curve, selection, pins), curve, selection)
        spans = share_handles(spans, curve, selection)
        if selection.threshold is not None:
            _settle_all(spans, curve, selection)
        if pauses is not None:
            into_pauses(spans, curve, selection, pauses)
    moments = [_moment(span, curve, picture, sound, selection.threshold) for span in spans]
    moments += [
        measure_span(
            scores_T,
            clip_seconds=clip_seconds,
            duration_seconds=duration_seconds,
            start_seconds=start,
            end_seconds=end,
            picture_T=picture_T,
            sound_T=sound_T,
        )
        for start, end in pins
    ]
    return sorted(moments, key=lambda moment: (-moment.score, moment.start_seconds))


def _pins(selection: Selection, duration: float) -> list[tuple[float, float]]:
    """Return the pinned stretches inside the video in time order, those that meet as one."""
    pins: list[tuple[float, float]] = []
    for start, end in sorted((pin.start_seconds, pin.end_seconds) for pin in selection.pins):
        end = min(end, duration)
        if end - start <= EPSILON:
            continue
        if pins and start <= pins[-1][1]:
            pins[-1] = pins[-1][0], max(end, pins[-1][1])
        else:
            pins.append((start, end))
    return pins


def measure_span(
    scores_T: npt.ArrayLike,
    *,
    clip_seconds: float,
    duration_seconds: float,
    start_seconds: float,
    end_seconds: float,
    picture_T: npt.ArrayLike | None = None,
    sound_T: npt.ArrayLike | None = None,
) -> Moment:
    """Return a stretch that somebody chose as a moment: its mean score, its peak, why.

    Args:
        scores_T: Score of each clip, in [0, 1], shape `(T,)`.
        clip_seconds: Length of one clip, in seconds.
        duration_seconds: Length of the video, in seconds.
        start_seconds: First instant of the stretch, in seconds, 0 or more.
        end_seconds: First instant after it, above `start_seconds`, at most `duration_seconds`.
        picture_T: The picture's own score of each clip, shape `(T,)`.
        sound_T: The sound's own score of each clip, shape `(T,)`.
    """
    curve = Curve(scores_T, clip_seconds, duration_seconds)
    picture = None if picture_T is None else Curve(picture_T, clip_seconds, duration_seconds)
    sound = None if sound_T is None else Curve(sound_T, clip_seconds, duration_seconds)
    middle = (start_seconds + end_seconds) / 2
    nearest = int(np.argmin(np.abs(curve.centres_T - middle)))
    span = ClipSpan(start_seconds, end_seconds, start_seconds, end_seconds, nearest)
    return _moment(span, curve, picture, sound, None)


def _rank(span: ClipSpan, curve: Curve) -> tuple[float, float, float]:
    """Sort by mean score, then by the second criterion, then by time."""
    second = 0.0 if curve.second is None else curve.second.mean(span.start, span.end)
    return -round(curve.mean(span.start, span.end), 9), -round(second, 9), span.start


def _settle_all(spans: list[ClipSpan], curve: Curve, selection: Selection) -> None:
    """Settle spans in time order, each in the room that its neighbours leave."""
    for index, span in enumerate(spans):
        usable = curve.room(float(curve.centres_T[span.peak]))
        low = max(usable[0], spans[index - 1].end if index else 0.0)
        high = min(usable[1], spans[index + 1].start if index + 1 < len(spans) else curve.duration)
        settle(span, curve, selection, low, high)


def _moment(
    span: ClipSpan,
    curve: Curve,
    picture: Curve | None,
    sound: Curve | None,
    threshold: float | None,
) -> Moment:
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
        if lesser >= greater / 2 or greater < EPSILON:
            why = "both"
        else:
            why = "picture" if rises["picture"] > rises["sound"] else "sound"
    return Moment(
        start_seconds=start,
        end_seconds=end,
        score=curve.mean(start, end)
        if threshold is None
        else curve.mean_from(threshold, start, end),
        peak_seconds=min(max(float(curve.centres_T[peak]), start), end),
        picture=None if picture is None else picture.mean(start, end),
        sound=None if sound is None else sound.mean(start, end),
        why=why,
    )
