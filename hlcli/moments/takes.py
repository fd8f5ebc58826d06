"""Takes: the same again, filmed again, from about the same place.

Two stretches are takes of one another if they look alike throughout and change alike: what differs
from their own mean, second by second, correlates in picture and sound. A talk in one shot, a rally
from the same camera and the next shot of the same scene look alike too, but do not change alike.
The speed may differ by a twentieth. Only whole shots are compared, never two parts of one shot:
there a repeated movement is the subject, not another take.

Footage without movement and without sound has nothing that could change alike: its takes are not
found.

Axes: T clips, P numbers of a picture's fingerprint, S of a sound's, M clips compared, O places.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from hlcli.moments.types import Moment

FloatArray = npt.NDArray[np.float32]

LEAST_LIKENESS = 0.85
"""Least mean cosine of the fingerprints of two takes' pictures."""
LEAST_CHANGE_ALIKE = 0.6
"""Least correlation of how two takes change, that of picture and that of sound added up."""
LEAST_WITHOUT_SOUND = 0.7
"""The same where one of them has no sound that could bear it out."""
_LEAST_CLIPS, _MOST_CLIPS = 3, 8
_SPEEDS = (0.95, 1.0, 1.05)
_STEPS = 4  # places that are tried for each clip
_LIKE_ON_AVERAGE = 0.75
_SNAP_SECONDS = 1.0
_MOST_OF_IT = 0.5
_MOST_ROUNDS = 12

Span = tuple[float, float]


@dataclass(frozen=True)
class Footage:
    """What takes are found by in one file."""

    picture_TP: FloatArray
    """Fingerprint of each clip's picture, shape `(T, P)`."""
    sound_TS: FloatArray | None
    """Fingerprint of each clip's sound, shape `(T, S)`; None without sound."""
    cuts: Sequence[float]
    """Instants at which a new shot starts, ascending, in seconds."""
    clip_seconds: float
    """Length of one clip, in seconds."""
    duration: float
    """Length of the video, in seconds."""

    @cached_property
    def shots(self) -> list[Span]:
        """Start and end of each shot, in seconds."""
        inside = [cut for cut in self.cuts if 0 < cut < self.duration]
        return list(zip([0.0, *inside], [*inside, self.duration], strict=True))

    @cached_property
    def means(self) -> FloatArray:
        """Mean fingerprint of each shot's pictures, of length 1, float32, shape `(shots, P)`."""
        rows = [self.picture_TP[self.clips(shot)].mean(axis=0) for shot in self.shots]
        return _unit(np.array(rows, dtype=np.float32))

    def clips(self, span: Span) -> slice:
        """Return the clips that lie wholly inside a span; where there is none, that of its start.

        At a cut a clip has parts of two shots.
        """
        first = int(np.ceil(span[0] / self.clip_seconds - 0.02))
        last = int(np.floor(span[1] / self.clip_seconds + 0.02))
        first = min(first, len(self.picture_TP) - 1)
        return slice(first, max(first + 1, min(last, len(self.picture_TP))))

    def shot_at(self, instant: float) -> Span:
        """Return the shot an instant lies in."""
        return next((shot for shot in self.shots if shot[0] <= instant < shot[1]), self.shots[-1])


def takes_of(moment: Moment, footage: Footage, other: Footage) -> list[Span]:
    """Find the other takes of what a moment shows.

    Args:
        moment: A moment; what it shows is the shot its peak lies in, which must make up half of it.
        footage: The file it is in.
        other: The file to look in; the same object looks in the other shots of the same file.

    Returns:
        Start and end of each in `other`, in seconds, in order, at most one in each shot.
    """
    shot = footage.shot_at(moment.peak_seconds)
    part = max(shot[0], moment.start_seconds), min(shot[1], moment.end_seconds)
    if part[1] - part[0] < _MOST_OF_IT * moment.duration_seconds:
        return []
    clips = footage.clips(part)
    if clips.stop - clips.start < _LEAST_CLIPS:
        clips = footage.clips(shot)
    if clips.stop - clips.start > _MOST_CLIPS:
        peak = int(moment.peak_seconds / footage.clip_seconds)
        first = min(max(clips.start, peak - _MOST_CLIPS // 2), clips.stop - _MOST_CLIPS)
        clips = slice(first, first + _MOST_CLIPS)
    if clips.stop - clips.start < _LEAST_CLIPS:
        return []
    mean = _unit(footage.picture_TP[clips].mean(axis=0))
    found: list[Span] = []
    for place in np.flatnonzero(other.means @ mean >= _LIKE_ON_AVERAGE).tolist():
        there = other.shots[place]
        if other is footage and there == shot:
            continue
        match = _best_match(footage, clips, other, other.clips(there))
        if match is None:
            continue
        offset, speed = match
        length = footage.clip_seconds
        ends = [offset * length + (instant - clips.start * length) / speed for instant in part]
        start, end = max(there[0], ends[0]), min(there[1], ends[1])
        start = there[0] if start - there[0] < _SNAP_SECONDS else start
        end = there[1] if there[1] - end < _SNAP_SECONDS else end
        if end > start:
            found.append((start, end))
    return found


def _best_match(
    footage: Footage, clips: slice, other: Footage, there: slice
) -> tuple[float, float] | None:
    """Return where in the clips of a shot the first of `clips` lies, and how fast it goes there."""
    num_there = there.stop - there.start
    num_clips = min(clips.stop - clips.start, num_there)
    if num_clips < _LEAST_CLIPS:
        return None
    pictures = _between(other.picture_TP[there])
    sounds = None
    if footage.sound_TS is not None and other.sound_TS is not None:
        sounds = _between(other.sound_TS[there])
    least = LEAST_WITHOUT_SOUND if sounds is None else LEAST_CHANGE_ALIKE
    best: tuple[float, float, float] | None = None
    for first in range(clips.start, clips.stop - num_clips + 1):
        part = slice(first, first + num_clips)
        for speed in _SPEEDS:
            steps = np.round(np.arange(num_clips) / speed * _STEPS).astype(np.intp)
            # A slower take may last a step longer than what is there.
            places_OM = np.arange(max(1, len(pictures) - steps[-1]))[:, None] + steps
            places_OM = np.minimum(places_OM, len(pictures) - 1)
            alike_O, change_O = _compared(footage.picture_TP[part], pictures[places_OM])
            if sounds is not None and footage.sound_TS is not None:
                sound_O = _compared(footage.sound_TS[part], sounds[places_OM])[1]
                change_O = change_O + np.maximum(sound_O, 0)
            change_O = np.where(alike_O >= LEAST_LIKENESS, change_O, -1)
            place = int(np.argmax(change_O))
            if change_O[place] >= (least if best is None else best[0]):
                start = there.start + place / _STEPS - (first - clips.start) / speed
                best = float(change_O[place]), start, speed
    return None if best is None else (best[1], best[2])


def _compared(rows_MP: FloatArray, there_OMP: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return how alike rows are in each place, and how alike they change; both shape `(O,)`."""
    alike_O = (_unit(rows_MP) * _unit(there_OMP)).sum(axis=-1).mean(axis=-1)
    changes = rows_MP - rows_MP.mean(axis=0)
    changes_there = there_OMP - there_OMP.mean(axis=1, keepdims=True)
    norms = np.linalg.norm(changes) * np.linalg.norm(changes_there, axis=(1, 2))
    change_O = (changes * changes_there).sum(axis=(1, 2)) / np.maximum(norms, 1e-6)
    return alike_O, change_O


def _between(rows_TP: FloatArray) -> FloatArray:
    """Return rows with those in between, shape `((T - 1) * _STEPS + 1, P)`."""
    times = np.arange((len(rows_TP) - 1) * _STEPS + 1) / _STEPS
    low = np.minimum(times.astype(np.intp), max(0, len(rows_TP) - 2))
    high = np.minimum(low + 1, len(rows_TP) - 1)
    share = (times - low).astype(np.float32)[:, None]
    between: FloatArray = rows_TP[low] * (1 - share) + rows_TP[high] * share
    return between


def _unit(rows: FloatArray) -> FloatArray:
    unit: FloatArray = rows / np.maximum(np.linalg.norm(rows, axis=-1, keepdims=True), 1e-6)
    return unit


def is_take(moment: Moment, spans: Sequence[Span]) -> Span | None:
    """Return the span that makes up half of a moment or more; None without one."""
    for start, end in spans:
        shared = min(end, moment.end_seconds) - max(start, moment.start_seconds)
        if shared >= _MOST_OF_IT * moment.duration_seconds:
            return start, end
    return None


def repeated(
    moment: Moment, takes: Sequence[Span], others: Iterable[tuple[Moment, Sequence[Span]]]
) -> Span | None:
    """Return what to leave out for a moment that repeats a better one; None where it does not.

    Args:
        moment: The moment.
        takes: The takes of better moments, in the moment's own file.
        others: Better moments, each with the takes of this moment in their files: a take may be
            found from one of two alone.
    """
    span = is_take(moment, takes)
    if span is None and any(is_take(better, spans) for better, spans in others):
        span = moment.start_seconds, moment.end_seconds
    if span is None:
        return None
    return min(span[0], moment.start_seconds), max(span[1], moment.end_seconds)


def choose_without_repeats(
    choose: Callable[[list[Span]], list[Moment]],
    find: Callable[[Moment], list[Span]],
    pins: Sequence[Span] = (),
) -> list[Moment]:
    """Choose moments of which no two are takes of one another: the better one stays.

    Args:
        choose: Returns moments, best first, that keep out of the spans it is given.
        find: Returns the other takes of a moment in the same file.
        pins: What stays in any case, in seconds.
    """
    left_out: list[Span] = []
    for _ in range(_MOST_ROUNDS):
        moments = choose(left_out)
        repeats = _repeats(moments, find, pins)
        if not repeats:
            return moments
        left_out += [span for _, span in repeats]
    gone = [moment for moment, _ in _repeats(moments, find, pins)]
    return [moment for moment in moments if moment not in gone]


def _repeats(
    moments: Sequence[Moment], find: Callable[[Moment], list[Span]], pins: Sequence[Span]
) -> list[tuple[Moment, Span]]:
    """Return the moments that are takes of better ones, and what to leave out for each."""
    kept = [moment for moment in moments if is_take(moment, pins)]
    repeats: list[tuple[Moment, Span]] = []
    for moment in moments:
        if moment in kept:
            continue
        takes = [span for better in kept for span in find(better)]
        span = repeated(moment, takes, ((better, find(moment)) for better in kept))
        if span is None:
            kept.append(moment)
        else:
            repeats.append((moment, span))
    return repeats
