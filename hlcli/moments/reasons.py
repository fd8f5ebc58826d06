"""Why a moment stands out, in words an editor uses.

Every reason is relative to the video itself: what is so throughout is no reason. Sounds that are
far more frequent inside than outside, movement and loudness against the usual, fast cutting, and
pictures that occur nowhere else in the video or in few other places.

Axes: T clips, S shot boundaries.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hlcli.clock_text import clock_text
from hlcli.moments.types import Moment

_MOST_SOUNDS = 3
_MOST_SIGHTS = 1
_LEAST_SHARE = 0.15
"""Part of a moment for which something must be heard or seen, or `_LONG_ENOUGH_SECONDS` of it."""
_LONG_ENOUGH_SECONDS = 2.0
_TIMES_OUTSIDE = 3.0
_MOST_OUTSIDE = 0.25
_BEGINS_AFTER_SECONDS = 5.0
_BEGINS = ("music", "singing", "drums")
_BACKGROUND = ("speech", "music", "birdsong", "running water", "footsteps", "crowd")
"""What is named after everything else, since it says less."""

_FAST_TIMES = 1.8
_LEAST_MOTION = 0.02
_CALM_TIMES = 0.35
_NEIGHBOURHOOD_SECONDS = 30.0
_LOUDER_DB = 6.0
_QUIETER_DB = 12.0
_RAISED_DB = 5.0
_SILENCE_DBFS = -60.0

_CUTS_IN_MOMENT = 3
_CUTS_TIMES = 2.0

_PHOTOGRAPHED = 0.5

_APART_SECONDS = 5.0
_FAR_SECONDS = 30.0
_USUAL_COMPANY = 0.5
_MOST_ALIKE = 0.15
_MOST_PLACES = 3
_SHORTEST_VIDEO_SECONDS = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """A stretch in which something can be heard or seen."""

    name: str
    """What, in a word or two: "cheering"."""
    start_seconds: float
    """Its start, in seconds from the first video frame."""
    end_seconds: float
    """Its end, in seconds from the first video frame."""
    score: float
    """Highest probability inside, in [0, 1]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What was measured in a video; an earlier `hl` did not keep it, and None or empty stands."""

    clip_seconds: float
    """Length of one clip, in seconds."""
    duration_seconds: float
    """Length of the video, in seconds."""
    cuts: Sequence[float] = ()
    """Instants at which a new shot starts, ascending, in seconds."""
    sounds: Sequence[Observation] = ()
    """What can be heard."""
    sights: Sequence[Observation] = ()
    """What can be seen."""
    motion_T: npt.NDArray[np.float64] | None = None
    """Mean absolute luma change within each clip, in [0, 1], shape `(T,)`."""
    loudness_T: npt.NDArray[np.float64] | None = None
    """RMS level of each clip in dBFS, shape `(T,)`."""
    likeness_T: npt.NDArray[np.float64] | None = None
    """How much each clip looks like a photograph of the event, in [0, 1], shape `(T,)`."""
    looks_T: npt.NDArray[np.int64] | None = None
    """Group of pictures that look alike each clip belongs to, shape `(T,)`."""


def reasons_of(moment: Moment, evidence: Evidence) -> tuple[str, ...]:
    """Say what sets a moment apart from the rest of its video, the most telling first.

    Args:
        moment: A stretch of the video.
        evidence: What is known about the whole video.

    Returns:
        Words such as "cheering", "fast movement", "unlike the rest of the film" and
        "like 0:40 and 3:12"; empty where nothing that was measured sets it apart.
    """
    return (
        *_photographed(moment, evidence),
        *_observed(evidence.sounds, moment, evidence)[:_MOST_SOUNDS],
        *_observed(evidence.sights, moment, evidence)[:_MOST_SIGHTS],
        *_movement(moment, evidence),
        *_loudness(moment, evidence),
        *_cutting(moment, evidence),
        *_looks(moment, evidence),
    )


def in_words(reasons: Sequence[str]) -> str:
    """Join reasons to one line: what happens, then each comparison with the rest.

    Example:
        >>> in_words(["cheering", "fast movement", "unlike the rest of the film"])
        'cheering, fast movement; unlike the rest of the film'
    """
    what = ", ".join(what_happens(reasons))
    return "; ".join([*filter(None, [what]), *(reason for reason in reasons if _compares(reason))])


def what_happens(reasons: Sequence[str]) -> list[str]:
    """Return the reasons that say something to those who see the moment alone: no comparisons."""
    return [reason for reason in reasons if not _compares(reason)]


def _compares(reason: str) -> bool:
    return reason.startswith(("like ", "unlike ", "take ")) or reason.endswith(" than around it")


def _observed(observations: Sequence[Observation], moment: Moment, evidence: Evidence) -> list[str]:
    """Name what is far more frequent inside the moment than outside, by how much more."""
    length = moment.duration_seconds
    rest = evidence.duration_seconds - length
    if rest < length / 2:
        return []
    found: list[tuple[float, str]] = []
    for name in dict.fromkeys(observation.name for observation in observations):
        stretches = [observation for observation in observations if observation.name == name]
        total = sum(stretch.end_seconds - stretch.start_seconds for stretch in stretches)
        here = [stretch for stretch in stretches if _overlap(stretch, moment) > 0]
        inside = sum(_overlap(one, moment) for one in here)
        share, outside = inside / length, (total - inside) / rest
        if share < _LEAST_SHARE and inside < min(_LONG_ENOUGH_SECONDS, length):
            continue
        if outside > _MOST_OUTSIDE or share < _TIMES_OUTSIDE * outside:
            continue
        telling = 0.5 if name in _BACKGROUND else 1.0
        rank = telling * (share - outside) * max(one.score for one in here)
        found.append((rank, _named(name, here, stretches, moment, evidence)))
    found.sort(key=lambda pair: -pair[0])
    return [words for _, words in found]


def _named(
    name: str,
    here: Sequence[Observation],
    everywhere: Sequence[Observation],
    moment: Moment,
    evidence: Evidence,
) -> str:
    """Return what an editor calls a sound in this place."""
    if name in _BEGINS:
        start = min(one.start_seconds for one in here)
        before = max((one.end_seconds for one in everywhere if one.end_seconds <= start), default=0)
        if start >= moment.start_seconds and start - before >= _BEGINS_AFTER_SECONDS:
            return f"{name} begin" if name.endswith("s") else f"{name} begins"
    if name == "speech" and evidence.loudness_T is not None:
        speech_T = np.zeros(len(evidence.loudness_T), dtype=bool)
        for one in everywhere:
            speech_T |= _inside(one.start_seconds, one.end_seconds, evidence)
        usual = np.median(evidence.loudness_T[speech_T]) if speech_T.any() else 0.0
        spoken_T = speech_T & _inside(moment.start_seconds, moment.end_seconds, evidence)
        if spoken_T.any() and _level(evidence.loudness_T[spoken_T]) >= usual + _RAISED_DB:
            return "raised voices"
    return name


def _photographed(moment: Moment, evidence: Evidence) -> Iterator[str]:
    inside_T = _inside(moment.start_seconds, moment.end_seconds, evidence)
    likeness_T = evidence.likeness_T
    if likeness_T is not None and likeness_T[inside_T].max(initial=0.0) >= _PHOTOGRAPHED:
        yield "as photographed"


def _movement(moment: Moment, evidence: Evidence) -> Iterator[str]:
    motion_T = evidence.motion_T
    inside_T = _inside(moment.start_seconds, moment.end_seconds, evidence)
    if motion_T is None or not inside_T.any() or inside_T.all():
        return
    here, usual = float(motion_T[inside_T].mean()), float(np.median(motion_T[~inside_T]))
    if here >= max(_LEAST_MOTION, _FAST_TIMES * usual):
        yield "fast movement"
    elif usual >= _LEAST_MOTION and here <= _CALM_TIMES * usual:
        yield "hardly any movement"


def _loudness(moment: Moment, evidence: Evidence) -> Iterator[str]:
    """Compare with half a minute on each side: what is loud in a film depends on the scene."""
    loudness_T = evidence.loudness_T
    start, end = moment.start_seconds, moment.end_seconds
    inside_T = _inside(start, end, evidence)
    around_T = _inside(start - _NEIGHBOURHOOD_SECONDS, end + _NEIGHBOURHOOD_SECONDS, evidence)
    around_T &= ~inside_T
    if loudness_T is None or not inside_T.any() or not around_T.any():
        return
    here, usual = _level(loudness_T[inside_T]), float(np.median(loudness_T[around_T]))
    if here >= max(usual, _SILENCE_DBFS) + _LOUDER_DB:
        yield "louder than around it"
    elif usual > _SILENCE_DBFS and here <= usual - _QUIETER_DB:
        yield "silence" if here <= _SILENCE_DBFS else "quieter than around it"


def _cutting(moment: Moment, evidence: Evidence) -> Iterator[str]:
    inside = sum(moment.start_seconds < cut < moment.end_seconds for cut in evidence.cuts)
    rest = evidence.duration_seconds - moment.duration_seconds
    usual = (len(evidence.cuts) - inside) / rest if rest > 0 else float("inf")
    if inside >= _CUTS_IN_MOMENT and inside / moment.duration_seconds >= _CUTS_TIMES * usual:
        yield "fast cutting"


def _looks(moment: Moment, evidence: Evidence) -> Iterator[str]:
    """Say whether what is shown occurs nowhere else, or in which few other places."""
    looks_T = evidence.looks_T
    inside_T = _inside(moment.start_seconds, moment.end_seconds, evidence)
    if looks_T is None or not inside_T.any():
        return
    if evidence.duration_seconds < _SHORTEST_VIDEO_SECONDS:
        return
    groups, counts = np.unique(looks_T[inside_T], return_counts=True)
    # Further on in the same shot it goes without saying that all looks alike.
    shot_start = max((cut for cut in evidence.cuts if cut <= moment.start_seconds), default=0.0)
    shot_end = min((cut for cut in evidence.cuts if cut >= moment.end_seconds), default=np.inf)
    apart_T = ~_inside(
        max(shot_start - _APART_SECONDS, moment.start_seconds - _FAR_SECONDS),
        min(shot_end + _APART_SECONDS, moment.end_seconds + _FAR_SECONDS),
        evidence,
    )
    if not apart_T.any():
        return
    same_T = (looks_T == groups[counts.argmax()]) & apart_T
    if not same_T.any():
        # In a film of which every picture is another, this says nothing.
        others = np.isin(looks_T, groups)
        if not (others & apart_T).any() and _company(looks_T, evidence) >= _USUAL_COMPANY:
            yield "unlike the rest of the film"
        return
    places = np.flatnonzero(same_T)
    runs = np.split(places, np.flatnonzero(np.diff(places) > 2) + 1)
    if same_T.mean() <= _MOST_ALIKE and len(runs) <= _MOST_PLACES:
        clocks = [clock_text(int(run[0]) * evidence.clip_seconds) for run in runs]
        yield "like " + " and ".join(filter(None, [", ".join(clocks[:-1]), clocks[-1]]))


def _company(looks_T: npt.NDArray[np.int64], evidence: Evidence) -> float:
    """Share of the clips whose picture comes back at some distance."""
    times_T = (np.arange(len(looks_T)) + 0.5) * evidence.clip_seconds
    first = {int(group): time for group, time in zip(looks_T[::-1], times_T[::-1], strict=True)}
    last = {int(group): time for group, time in zip(looks_T, times_T, strict=True)}
    lasting = [last[int(group)] - first[int(group)] for group in looks_T]
    return float(np.mean(np.asarray(lasting) >= 3 * _APART_SECONDS))


def _inside(start: float, end: float, evidence: Evidence) -> npt.NDArray[np.bool_]:
    """Return which clips have their middle between two instants, shape `(T,)`."""
    rows = (evidence.motion_T, evidence.loudness_T, evidence.looks_T)
    num_clips = next((len(row) for row in rows if row is not None), 0)
    middles_T = (np.arange(num_clips) + 0.5) * evidence.clip_seconds
    return (middles_T >= start) & (middles_T < end)


def _overlap(sound: Observation, moment: Moment) -> float:
    return max(
        0.0,
        min(sound.end_seconds, moment.end_seconds) - max(sound.start_seconds, moment.start_seconds),
    )


def _level(loudness: npt.NDArray[np.float64]) -> float:
    """Return the level of several clips together, in dBFS."""
    return float(10 * np.log10(np.mean(10 ** (loudness / 10))))
