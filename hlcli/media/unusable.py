"""Finds stretches that nobody keeps: black, colour bars, credits, text cards, lost focus and sound.

Each kind is a rule on what was measured of every clip while it was decoded. A rule fires late
rather than wrongly: a dark concert, a white-out in snow and a soft shot stay. A kind that makes up
more than half of a video is what the video is made of (slides, stills, a screen), and stays too,
unless nothing at all can be seen in it.

Axes: T clips.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from hlcli.media.clips import true_runs

if TYPE_CHECKING:
    from hlcli.media.measures import PictureMeasures

Mask = npt.NDArray[np.bool_]

MOST_OF_A_VIDEO = 0.5
"""A kind with a larger share of the clips is not reported, unless nothing can be seen in it."""

BLACK = "black"
BARS = "colour bars"
COVERED = "covered lens"
CREDITS = "credits"
CARD = "text card"
FROZEN = "frozen picture"
BLURRED = "blurred picture"
LEFT_RUNNING = "camera left running"
NO_SOUND = "missing sound"
REASONS = (BLACK, BARS, COVERED, CREDITS, CARD, FROZEN, BLURRED, LEFT_RUNNING, NO_SOUND)
"""All kinds; where two fit, the earlier one is named."""

_SHORTEST_SECONDS = {
    BLACK: 1, BARS: 1, COVERED: 2, CREDITS: 4, CARD: 2, FROZEN: 3, BLURRED: 2,
    LEFT_RUNNING: 6, NO_SOUND: 3,
}  # fmt: skip
_SEES_NOTHING = (BLACK, BARS, COVERED)
# A cut nearer than this to the end of a stretch is its end, in clips.
_SNAP_CLIPS = 1.0
# Credits pause for pictures and pages between two scrolling parts.
_LONGEST_PAUSE_SECONDS = 8
_SCROLL_HEIGHTS_PER_SECOND = (0.02, 0.7)
_STEADY = 0.12
_LEAST_TEXT = 0.22
_MOST_TEXTURE = 0.2
_SHARP_TEXT = 2.2
_TEXT_ONLY = 0.4
# A picture that loses its focus keeps its brightness, its colours and most of its contrast.
_FOCUS_CLIPS = 8
_SHARP_BEFORE = 2
_MOST_FOCUS_LEFT = 0.25
# No microphone is as quiet as this; one that is switched off is.
_DIGITAL_SILENCE_DBFS = -90.0
# With more gaps than this, silence is how the sound is made: a noise gate, speech by a machine.
_MOST_GAPS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Unusable:
    """A stretch of video that nobody keeps, half-open: `[start_seconds, end_seconds)`."""

    start_seconds: float
    """First instant inside, in seconds from the first video frame."""
    end_seconds: float
    """First instant after it, in seconds from the first video frame."""
    reason: str
    """What it is, one of `REASONS`."""

    @property
    def duration_seconds(self) -> float:
        """Length in seconds."""
        return self.end_seconds - self.start_seconds


def find_unusable(
    pictures: PictureMeasures,
    motion_T: npt.NDArray[np.float32],
    shot_boundaries_seconds: npt.ArrayLike,
    *,
    clip_seconds: float,
    duration_seconds: float,
    loudness_T: npt.NDArray[np.float32] | None = None,
) -> list[Unusable]:
    """Find what cannot be used in a video.

    Args:
        pictures: How the picture of each clip looks and moves.
        motion_T: Mean absolute luma change within each clip, in [0, 1], shape `(T,)`.
        shot_boundaries_seconds: Instants at which a new shot starts, ascending, in seconds.
        clip_seconds: Length of one clip, in seconds.
        duration_seconds: Length of the video, in seconds.
        loudness_T: RMS level of each clip in dBFS, shape `(T,)`; None without sound.

    Returns:
        Stretches that do not overlap, in order; their ends lie on cuts where one is near.
    """
    cuts = np.asarray(shot_boundaries_seconds, dtype=np.float64)
    masks = _masks(pictures, motion_T)
    masks[NO_SOUND] = _sound_gaps(loudness_T, cuts / clip_seconds, len(motion_T))
    taken_T = np.zeros(len(motion_T), dtype=bool)
    found: list[Unusable] = []
    for reason in REASONS:
        mask_T = masks[reason] & ~taken_T
        runs = [
            run
            for run in true_runs(mask_T)
            if (run[1] - run[0]) * clip_seconds >= _SHORTEST_SECONDS[reason]
        ]
        num_clips = sum(end - start for start, end in runs)
        if reason not in _SEES_NOTHING and num_clips > MOST_OF_A_VIDEO * len(mask_T):
            continue
        for first, last in runs:
            taken_T[first:last] = True
            start = _snapped(first * clip_seconds, cuts, clip_seconds)
            end = _snapped(last * clip_seconds, cuts, clip_seconds)
            found.append(
                Unusable(
                    start_seconds=max(0.0, start),
                    end_seconds=min(duration_seconds, end),
                    reason=reason,
                )
            )
    return _without_overlap(found)


def in_words(unusable: Sequence[Unusable]) -> str:
    """Say how much was left out and what it is, the longest first.

    Example:
        >>> in_words([Unusable(start_seconds=0, end_seconds=89, reason="credits")])
        '1:29 of credits'
    """
    totals: dict[str, float] = {}
    for one in unusable:
        totals[one.reason] = totals.get(one.reason, 0.0) + one.duration_seconds
    longest_first = sorted(totals.items(), key=lambda item: -item[1])
    return ", ".join(f"{_minutes(seconds)} of {reason}" for reason, seconds in longest_first)


def _minutes(seconds: float) -> str:
    whole = max(1, round(seconds))
    return f"{whole // 60}:{whole % 60:02d}"


def _masks(pictures: PictureMeasures, motion_T: npt.NDArray[np.float32]) -> dict[str, Mask]:
    luma_T, contrast_T = pictures.luma_T, pictures.contrast_T
    text_T = pictures.edges_T / (pictures.edges_T + pictures.texture_T + 1e-3)
    black_T = (luma_T < 0.06) & (contrast_T < 0.015)
    even_T = (contrast_T < 0.008) & (pictures.frozen_T > 0.9)
    # One small lamp has an edge: that is a stage, or the sky at night.
    without_edge_T = pictures.edges_T < 5e-5
    covered_T = (luma_T < 0.12) & (contrast_T < 0.025) & without_edge_T & ~black_T
    page_T = (text_T > _TEXT_ONLY) & (pictures.edges_T > 0.003) & (pictures.texture_T < 0.06)
    # A leader counts: it stands still but for once a second.
    still_T = (motion_T < 0.006) | ((pictures.frozen_T > 0.8) & (motion_T < 0.05))
    card_T = (
        (text_T > 0.3)
        & (pictures.edges_T > 0.003)
        & (pictures.texture_T < 0.09)
        & (pictures.background_T > 0.7)
        & (pictures.sharpness_T > 2.0)
        & still_T
    )
    # A card that fades, and a leader that counts, around their still part.
    like_card_T = (text_T > 0.25) & (pictures.background_T > 0.6) & (pictures.texture_T < 0.12)
    seen = pictures.sharpness_T[~(black_T | even_T | covered_T | card_T)]
    usual = float(np.median(seen)) if len(seen) else 0.0
    # A soft shot may be meant; here nothing at all can be made out.
    blurred_T = (
        (pictures.sharpness_T < 0.25)
        & (pictures.sharpness_T < 0.2 * usual)
        & (pictures.edges_T < 1e-3)
        & (pictures.texture_T < 0.05)
    )
    left_running_T = (
        (luma_T < 0.15)
        & (contrast_T < 0.06)
        & without_edge_T
        & (pictures.sharpness_T < 1.5)
        & (motion_T < 0.03)
    )
    return {
        BLACK: black_T | even_T,
        BARS: pictures.bars_T >= 0.4,
        COVERED: covered_T,
        CREDITS: _credits(pictures, text_T, page_T),
        CARD: _with_surroundings(card_T, like_card_T),
        FROZEN: _frozen(pictures, motion_T) & ~black_T,
        BLURRED: (blurred_T | _lost_focus(pictures)) & ~black_T & ~covered_T,
        LEFT_RUNNING: left_running_T,
    }


def _frozen(pictures: PictureMeasures, motion_T: npt.NDArray[np.float32]) -> Mask:
    """Mark clips of one repeated frame, which changes at key frames alone.

    A quiet landscape from a tripod changes by a trace all the time, even compressed.
    """
    mask_T: Mask = (pictures.frozen_T > 0.85) & (motion_T < 5e-4)
    for start, end in true_runs(mask_T):
        mask_T[start:end] = np.median(motion_T[start:end]) < 1e-5
    return mask_T


def _lost_focus(pictures: PictureMeasures) -> Mask:
    """Mark clips that are far less sharp than the same view was a few seconds before.

    A soft shot that was never sharp may be meant; so may one that becomes sharp.
    """
    soft_T = (pictures.sharpness_T < 0.6) & (pictures.edges_T < 0.004)
    mask_T: Mask = np.zeros_like(soft_T)
    for place in np.flatnonzero(soft_T).tolist():
        before = slice(max(0, place - _FOCUS_CLIPS), place)
        contrast = pictures.contrast_T[place] / np.maximum(pictures.contrast_T[before], 1e-3)
        sharp = (
            (pictures.sharpness_T[place] < _MOST_FOCUS_LEFT * pictures.sharpness_T[before])
            & (np.abs(pictures.luma_T[place] - pictures.luma_T[before]) < 0.05)
            & (np.abs(pictures.saturation_T[place] - pictures.saturation_T[before]) < 0.06)
            & (contrast > 0.3)
            & (contrast < 1.05)
        )
        mask_T[place] = np.count_nonzero(sharp) >= _SHARP_BEFORE
    return mask_T


def _sound_gaps(
    loudness_T: npt.NDArray[np.float32] | None, cuts: npt.NDArray[np.float64], num_clips: int
) -> Mask:
    """Mark where a sound track drops out within a shot and comes back; `cuts` are in clips.

    Sound that starts late, ends early or stops at a cut is left: it may be edited so.
    """
    mask_T: Mask = np.zeros(num_clips, dtype=bool)
    if loudness_T is None:
        return mask_T
    gaps = [
        run for run in true_runs(loudness_T < _DIGITAL_SILENCE_DBFS)
        if run[0] > 0 and run[1] < num_clips
    ]  # fmt: skip
    if len(gaps) <= _MOST_GAPS:
        for start, end in gaps:
            # The sound may stop and begin anywhere in the clips around the gap.
            at_cut = (np.abs(cuts - (start - 0.5)) <= 1) | (np.abs(cuts - (end + 0.5)) <= 1)
            mask_T[start:end] = not at_cut.any()
    return mask_T


def _credits(pictures: PictureMeasures, text_T: npt.NDArray[np.float32], page_T: Mask) -> Mask:
    """Mark text that rolls at a steady speed, with the pages and pauses between its parts."""
    scroll_T = pictures.scroll_T
    low, high = _SCROLL_HEIGHTS_PER_SECOND
    rolling_T = (
        (scroll_T > low)
        & (scroll_T < high)
        & (np.abs(pictures.crawl_T) < 0.02)
        & (pictures.shake_T < 0.02)
        & (text_T > _LEAST_TEXT)
        & (pictures.texture_T < _MOST_TEXTURE)
        & (pictures.sharpness_T > _SHARP_TEXT)
    )
    mask_T: Mask = np.zeros(len(scroll_T), dtype=bool)
    parts: list[tuple[int, int, float]] = []
    for start, end in true_runs(rolling_T):
        speed = float(np.median(scroll_T[start:end]))
        steady = np.abs(scroll_T[start:end] - speed) < _STEADY * speed
        if end - start >= _SHORTEST_SECONDS[CREDITS] and steady.mean() > 0.6:
            parts.append((start, end, speed))
            mask_T[start:end] = True
    if not parts:
        return mask_T
    speed = float(np.median([part[2] for part in parts]))
    like_T = mask_T | page_T | (rolling_T & (np.abs(scroll_T - speed) < 2 * _STEADY * speed))
    rolled = np.flatnonzero(mask_T)
    near_T = np.zeros_like(mask_T)
    for place in rolled.tolist():
        near_T[max(0, place - _LONGEST_PAUSE_SECONDS) : place + _LONGEST_PAUSE_SECONDS + 1] = True
    mask_T = mask_T | (like_T & near_T)
    worded_T = (
        (pictures.texture_T < _MOST_TEXTURE)
        & (text_T > _LEAST_TEXT)
        & (pictures.sharpness_T > _SHARP_TEXT)
    )
    marked = np.flatnonzero(mask_T)
    for before, after in zip(marked[:-1].tolist(), marked[1:].tolist(), strict=True):
        gap = slice(before + 1, after)
        is_short = after - before == 2
        if after - before <= _LONGEST_PAUSE_SECONDS + 1 and (is_short or worded_T[gap].all()):
            mask_T[gap] = True
    for start, end in true_runs(mask_T):
        if not (rolled[(rolled >= start) & (rolled < end)]).size:
            mask_T[start:end] = False
    return mask_T


def _with_surroundings(mask_T: Mask, wider_T: Mask) -> Mask:
    """Widen each run of at least two clips to all touching clips of a wider mask."""
    result: Mask = mask_T.copy()
    sure_T: Mask = np.zeros(len(mask_T), dtype=bool)
    for start, end in true_runs(mask_T):
        sure_T[start:end] = end - start >= 2
    for start, end in true_runs(mask_T | wider_T):
        if sure_T[start:end].any():
            result[start:end] = True
    return result


def _snapped(seconds: float, cuts: npt.NDArray[np.float64], clip_seconds: float) -> float:
    if not len(cuts):
        return seconds
    nearest = float(cuts[np.abs(cuts - seconds).argmin()])
    return nearest if abs(nearest - seconds) < _SNAP_CLIPS * clip_seconds else seconds


def _without_overlap(found: Iterable[Unusable]) -> list[Unusable]:
    """Put stretches in order; where two share a cut's second, the later one gives way."""
    kept: list[Unusable] = []
    for one in sorted(found, key=lambda one: (one.start_seconds, one.end_seconds)):
        start = max(one.start_seconds, kept[-1].end_seconds if kept else 0.0)
        if one.end_seconds - start > 0.05:
            kept.append(
                Unusable(start_seconds=start, end_seconds=one.end_seconds, reason=one.reason)
            )
    return kept
