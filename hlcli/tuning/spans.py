"""Spans that an editor kept or passed over, and what they say about each clip.

A clip is kept when at least half of it is. One that is kept in part, but less, is nobody's: at the
edges of a span neither side is right.

Axes: T clips.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from hlcli.errors import TrainingError
from hlcli.media.clips import ClipGrid, true_runs
from hlcli.tuning.footage import RawFile

Marks = npt.NDArray[np.int8]
"""1 kept, 0 passed over, -1 nobody said; one a clip."""
Interval = tuple[Fraction, Fraction]
"""Half-open, in seconds from the first video frame."""

_HALF = Fraction(1, 2)
_SLACK_SECONDS = Fraction(1, 20)
"""Spans may overlap by so much before they contradict: programs round to frames."""
_SHOWN = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkedSpan:
    """A stretch of one file with a verdict."""

    file: RawFile
    """The file."""
    start: Fraction
    """First instant, in seconds from the first video frame."""
    end: Fraction
    """Instant after the last, above `start`."""
    keep: bool
    """Whether the editor keeps it."""
    where: str
    """Where this is said, such as "line 3 of marks.csv"."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotations:
    """What one cut or one file of marks says."""

    way: Literal["cut", "labels"]
    """Which of the two."""
    file: Path
    """The file that was read."""
    spans: tuple[MarkedSpan, ...]
    """What it says; a cut says only what is kept, the rest of its files is passed over."""
    unused: tuple[RawFile, ...] = ()
    """Short files that a cut shows nothing of, although it shows others of their folder: they were
    passed over."""
    num_unmatched: int = 0
    """Spans whose footage was not found."""
    notes: tuple[str, ...] = ()
    """What its user should know, one sentence each, without a full stop."""

    @property
    def num_kept(self) -> int:
        """Stretches that are kept, overlapping ones counted once."""
        return sum(len(merged(_intervals(spans, keep=True))) for spans in by_file(self.spans))

    @property
    def num_passed(self) -> int:
        """Stretches passed over: marked so, rest of a file that a cut uses, unused short files."""
        if self.way == "labels":
            return sum(len(merged(_intervals(spans, keep=False))) for spans in by_file(self.spans))
        return len(self.unused) + sum(len(_passed(spans)) for spans in by_file(self.spans))


def marks_of(annotations: Sequence[Annotations], file: RawFile, num_clips: int) -> Marks:
    """Return what cuts and marks say about the clips of one file, shape `(T,)`.

    What any cut uses is kept; the rest of a file that a cut uses is passed over, and so is a short
    file that it could have used. Marks correct cuts. A file that has only marks to keep and no cut
    counts as passed over elsewhere.

    Args:
        annotations: All of them.
        file: The file.
        num_clips: T.
    """
    cut = [s for t in annotations if t.way == "cut" for s in t.spans if s.file == file]
    labels = [s for t in annotations if t.way == "labels" for s in t.spans if s.file == file]
    marks = np.full(num_clips, -1, np.int8)
    if cut:
        _write_kept(marks, _intervals(cut, keep=True), file, rest_is_passed=True)
    elif any(file in annotation.unused for annotation in annotations):
        marks[:] = 0
    dropped = _intervals(labels, keep=False)
    kept = _intervals(labels, keep=True)
    if kept:
        _write_kept(marks, kept, file, rest_is_passed=not cut and not dropped)
    if dropped:
        marks[_at_least_half(dropped, file, num_clips)] = 0
    return marks


def check_contradictions(annotations: Sequence[Annotations]) -> None:
    """Refuse marks that keep and drop the same second.

    Raises:
        TrainingError: Some do; the message lists them.
    """
    found = []
    for spans in by_file(s for t in annotations if t.way == "labels" for s in t.spans):
        for kept in (span for span in spans if span.keep):
            for dropped in (span for span in spans if not span.keep):
                start, end = max(kept.start, dropped.start), min(kept.end, dropped.end)
                if end - start > _SLACK_SECONDS:
                    found.append(
                        f"{kept.file.path.name} from {float(start):.2f} s to {float(end):.2f} s "
                        f"({kept.where} keeps it, {dropped.where} drops it)"
                    )
    if found:
        more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
        raise TrainingError(
            "the marks contradict each other: " + "; ".join(found[:_SHOWN]) + more,
            hint="keep or drop each second, not both",
        )


def by_file(spans: Iterable[MarkedSpan]) -> list[list[MarkedSpan]]:
    """Group spans by their file, in the order of the first."""
    groups: dict[str, list[MarkedSpan]] = {}
    for span in spans:
        groups.setdefault(span.file.identity, []).append(span)
    return list(groups.values())


def merged(intervals: Iterable[Interval]) -> list[Interval]:
    """Join stretches that touch or overlap; in order of time.

    Example:
        >>> [(int(a), int(b)) for a, b in merged([(Fraction(4), Fraction(6)),
        ...     (Fraction(1), Fraction(2)), (Fraction(2), Fraction(3))])]
        [(1, 3), (4, 6)]
    """
    joined: list[Interval] = []
    for start, end in sorted(intervals):
        if joined and start <= joined[-1][1]:
            joined[-1] = joined[-1][0], max(joined[-1][1], end)
        else:
            joined.append((start, end))
    return joined


def num_runs(marks: Marks, value: int) -> int:
    """Count the stretches of clips with one verdict."""
    return len(true_runs(marks == value))


def _write_kept(
    marks: Marks, intervals: Sequence[Interval], file: RawFile, *, rest_is_passed: bool
) -> None:
    if rest_is_passed:
        touched = _coverage(intervals, file, len(marks)) > 0
        marks[~touched] = 0
        marks[touched] = -1
    marks[_at_least_half(intervals, file, len(marks))] = 1


def _at_least_half(
    intervals: Sequence[Interval], file: RawFile, num_clips: int
) -> npt.NDArray[np.bool_]:
    chosen = _coverage(intervals, file, num_clips) >= 0.5
    for one in merged(intervals):
        # A shot of a few frames counts for the clip that has most of it.
        own = _coverage([one], file, num_clips)
        if not (own >= 0.5).any() and own.any():
            chosen[int(own.argmax())] = True
    return chosen


def _coverage(
    intervals: Iterable[Interval], file: RawFile, num_clips: int
) -> npt.NDArray[np.float64]:
    """Share of each clip that lies in the stretches, `(T,)`."""
    grid = ClipGrid(num_clips)
    share = np.zeros(num_clips)
    for start, end in merged(intervals):
        first = max(0, int(start / grid.clip_seconds))
        for clip in range(first, num_clips):
            clip_start, clip_end = grid.span(clip)
            if clip_start >= end:
                break
            length = max(min(clip_end, file.info.duration_seconds) - clip_start, Fraction(1, 1000))
            inside = min(end, clip_end) - max(start, clip_start)
            share[clip] += min(1.0, float(max(inside, Fraction(0)) / length))
    return share


def _passed(spans: Sequence[MarkedSpan]) -> list[Interval]:
    """Stretches of a file that a cut passes over, of half a second and more."""
    gaps: list[Interval] = []
    at = Fraction(0)
    for start, end in merged(_intervals(spans, keep=True)):
        gaps.append((at, start))
        at = end
    gaps.append((at, spans[0].file.info.duration_seconds))
    return [(start, end) for start, end in gaps if end - start >= _HALF]


def _intervals(spans: Iterable[MarkedSpan], *, keep: bool) -> list[Interval]:
    return [(span.start, span.end) for span in spans if span.keep is keep]
