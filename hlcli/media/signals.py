"""From frame differences to motion per clip and shot boundaries."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from hlcli.media.clips import ClipGrid

# A cut changes the mean brightness difference by this much more than its surroundings do, and
# is this many times what they show; both from looking at real footage with hand-held motion.
_LEAST_JUMP = 0.03
_TIMES_SURROUNDINGS = 3.0
_TIMES_NEIGHBOUR = 1.6
_SURROUNDINGS_SECONDS = 0.5
_FEWEST_SURROUNDINGS = 4
# Between frames far apart even a calm shot changes.
_LEAST_JUMP_APART = 0.06
_TIMES_KEYFRAMES = 2.5
_LONGEST_FRAME_STEP_SECONDS = 0.26
# A hole in a steady recording; a screen recorder's pauses come in all lengths and are none.
_SHORTEST_GAP_SECONDS = 10.0
_MOST_GAPS = 3
_FEWEST_STEPS = 20
_SLOWEST_STEP_SECONDS = 1.1


def find_shot_boundaries(
    before_seconds: npt.NDArray[np.float64],
    after_seconds: npt.NDArray[np.float64],
    change: npt.NDArray[np.float32],
    *,
    keyframes_only: bool,
) -> npt.NDArray[np.float64]:
    """Find where new shots start: changes that stand out from those around them.

    Args:
        before_seconds: Time of the first frame of each pair, ascending, shape `(P,)`.
        after_seconds: Time of the second frame of each pair, shape `(P,)`.
        change: Mean absolute luma difference of each pair, in [0, 1], shape `(P,)`.
        keyframes_only: Whether the frames are keyframes; where these are far apart a boundary
            is put halfway between them, otherwise at the second frame.

    Returns:
        Instants in seconds, ascending, shape `(S,)`.
    """
    found: list[float] = []
    usual_gap = float(np.median(after_seconds - before_seconds)) if len(change) else 1.0
    for place in np.flatnonzero(change >= _LEAST_JUMP):
        gap = after_seconds[place] - before_seconds[place]
        sparse = keyframes_only and gap > _LONGEST_FRAME_STEP_SECONDS
        # After a gap (a frame dropped, a still screen) more change is to be expected.
        stretch = 1.0 if sparse else min(4.0, max(1.0, gap / usual_gap))
        if _stands_out(int(place), after_seconds, change, sparse=sparse, stretch=stretch):
            middle = (before_seconds[place] + after_seconds[place]) / 2
            found.append(float(middle if sparse else after_seconds[place]))
    return np.asarray(found, dtype=np.float64)


def _stands_out(
    place: int,
    seconds: npt.NDArray[np.float64],
    change: npt.NDArray[np.float32],
    *,
    sparse: bool,
    stretch: float,
) -> bool:
    reach = _FEWEST_SURROUNDINGS
    low, high = max(0, place - reach), place + reach + 1
    if not sparse:
        at = seconds[place]
        low = min(low, int(np.searchsorted(seconds, at - _SURROUNDINGS_SECONDS)))
        high = max(high, int(np.searchsorted(seconds, at + _SURROUNDINGS_SECONDS, side="right")))
    around = np.concatenate([change[low:place], change[place + 1 : high]])
    jump = float(change[place])
    least = _LEAST_JUMP_APART if stretch > 3 or sparse else _LEAST_JUMP
    if not len(around):
        return jump >= _LEAST_JUMP_APART
    usual = float(np.median(around)) * stretch
    if sparse:
        return jump >= max(least, _TIMES_KEYFRAMES * usual)
    # A flash is a jump there and back within a few frames: neither half stands out.
    near = np.concatenate([change[max(0, place - 2) : place], change[place + 1 : place + 3]])
    neighbour = float(near.max(initial=0.0))
    return jump - usual >= max(least, (_TIMES_SURROUNDINGS - 1) * usual) and (
        jump >= _TIMES_NEIGHBOUR * neighbour
    )


def find_gaps(
    before_seconds: npt.NDArray[np.float64], after_seconds: npt.NDArray[np.float64]
) -> list[tuple[float, float]]:
    """Find stretches without any picture in a recording whose frames otherwise come steadily.

    A clock that jumps leaves one or a few holes of many seconds and not a single other pause. A
    screen recorder, which writes a frame when something changes, pauses for anything from a
    moment to minutes; slides and time-lapses are slow throughout. None of these is damaged.

    Args:
        before_seconds: Time of the first frame of each pair of neighbours, shape `(P,)`.
        after_seconds: Time of the second frame of each pair, shape `(P,)`.

    Returns:
        Start and end of each hole, in seconds, in order.
    """
    steps = after_seconds - before_seconds
    is_gap = steps > _SHORTEST_GAP_SECONDS
    others = steps[~is_gap]
    if not 0 < is_gap.sum() <= _MOST_GAPS or len(others) < _FEWEST_STEPS:
        return []
    usual = float(np.median(others))
    # Frames no other needs are not decoded: steps of one to several frames alternate.
    if usual > _SLOWEST_STEP_SECONDS or others.max() > max(3 * usual, _LONGEST_FRAME_STEP_SECONDS):
        return []
    return [(float(before_seconds[i]), float(after_seconds[i])) for i in np.flatnonzero(is_gap)]


def motion_per_clip(
    stretches: Sequence[tuple[float, float, float]],
    boundaries_seconds: npt.NDArray[np.float64],
    grid: ClipGrid,
) -> npt.NDArray[np.float32]:
    """Average measured motion over each clip, leaving out stretches with a shot boundary.

    Args:
        stretches: Start and end in seconds and motion in [0, 1] of each, in order.
        boundaries_seconds: Shot boundaries, ascending.
        grid: The clips.

    Returns:
        Motion of each clip, float32 in [0, 1], shape `(T,)`. A clip without any usable stretch
        takes the value between its neighbours; a video without any has no motion.
    """
    total = np.zeros(grid.num_clips)
    weight = np.zeros(grid.num_clips)
    length = float(grid.clip_seconds)
    cuts = boundaries_seconds
    for start, end, motion in stretches:
        inside = np.searchsorted(cuts, end, "right") - np.searchsorted(cuts, start, "right")
        if inside or end <= start:
            continue
        first = min(grid.num_clips - 1, math.floor(start / length))
        last = min(grid.num_clips - 1, math.ceil(end / length) - 1)
        for clip in range(max(0, first), last + 1):
            overlap = min(end, (clip + 1) * length) - max(start, clip * length)
            total[clip] += overlap * motion
            weight[clip] += overlap
    # Slivers of a neighbour's stretch say nothing about a clip.
    known = np.flatnonzero(weight > 1e-3 * length)
    if not len(known):
        return np.zeros(grid.num_clips, dtype=np.float32)
    motion_T = np.interp(np.arange(grid.num_clips), known, total[known] / weight[known])
    return np.clip(motion_T, 0.0, 1.0).astype(np.float32)
