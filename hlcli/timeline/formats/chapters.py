"""Chapters of the finished film, and the list of them that YouTube reads in a description.

A film made of cuts has a chapter for each cut; a whole source (`markers_only`) one from each
moment on, after a first one up to it. Chapters touch: each ends where the next begins.

YouTube shows chapters only if there are three or more, the first at 00:00, each at least ten
seconds long by the whole seconds it reads. Shorter ones are joined with what follows; where fewer
than three are left, the list is refused.

Titles are for those who watch the film: what happens, "Cheering, fast movement", where `hl` knows
it, and else "Moment 3", counted as they come. Ranks, scores and comparisons with the rest of the
footage are for those who cut it and stand in markers.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from hlcli.atomic import write_text
from hlcli.errors import UsageError
from hlcli.moments import what_happens
from hlcli.timeline.edit_list import EditList, Marker
from hlcli.timeline.paths import readable
from hlcli.timeline.timecode import frame_at

LEAST_CHAPTERS = 3
"""Fewer are none to YouTube."""
LEAST_SECONDS = 10
"""Length under which YouTube shows no chapters at all, in whole seconds."""
_LEAD_IN = "Start"
_MOST_WORDS = 3
# Of use to who cuts; a viewer is told nothing by it.
_NO_TITLE = ("hardly any movement", "fast cutting")


@dataclass(frozen=True, slots=True, kw_only=True)
class Chapter:
    """A stretch of the finished film."""

    frames: range
    """Frames of the timeline."""
    name: str = ""
    """One line that somebody wrote, or the name of a file; empty for moments of `hl`."""
    moments: range = range(0)
    """Numbers of its moments, counted from 1 as they come in the film; empty without one."""
    happens: tuple[str, ...] = ()
    """What happens in them, in words, where `hl` knows it."""

    @property
    def title(self) -> str:
        """What a viewer reads, in one line."""
        first, count = self.moments.start, len(self.moments)
        if self.name:
            return f"{self.name}, and {count - 1} more" if count > 1 else self.name
        if self.happens:
            what = _one_line(", ".join(self.happens[:_MOST_WORDS]))
            return what[:1].upper() + what[1:]
        if count == 1:
            return f"Moment {first}"
        return f"Moments {first} {'and' if count == 2 else 'to'} {first + count - 1}"


def chapters_of(edit: EditList) -> list[Chapter]:
    """Return the chapters of a film, touching, from its first frame to its last."""
    starts = sorted(_starts(edit), key=lambda chapter: chapter.frames.start)
    if not starts or starts[0].frames.start > 0:
        starts.insert(0, Chapter(frames=range(0, 1), name=_LEAD_IN))
    joined: list[Chapter] = []
    number = 1
    for start in starts:
        moments = range(number, number + len(start.moments))
        chapter = dataclasses.replace(start, moments=moments)
        number = moments.stop
        if joined and joined[-1].frames.start == chapter.frames.start:
            joined[-1] = _together(joined[-1], chapter)
        else:
            joined.append(chapter)
    ends = [chapter.frames.start for chapter in joined[1:]] + [edit.num_frames]
    return [
        dataclasses.replace(chapter, frames=range(chapter.frames.start, end))
        for chapter, end in zip(joined, ends, strict=True)
    ]


def youtube_chapters(edit: EditList) -> list[Chapter]:
    """Return the chapters of a film as YouTube accepts them.

    Raises:
        UsageError: Fewer than three of ten seconds each would be left.
    """
    end = math.floor(edit.num_frames / edit.frame_rate)
    kept: list[Chapter] = []
    for chapter in chapters_of(edit):
        start = _whole_seconds(edit, chapter.frames.start)
        if kept and (
            start - _whole_seconds(edit, kept[-1].frames.start) < LEAST_SECONDS
            or end - start < LEAST_SECONDS
        ):
            frames = range(kept[-1].frames.start, chapter.frames.stop)
            kept[-1] = dataclasses.replace(_together(kept[-1], chapter), frames=frames)
        else:
            kept.append(chapter)
    if len(kept) < LEAST_CHAPTERS or end < LEAST_CHAPTERS * LEAST_SECONDS:
        raise UsageError(
            f"YouTube shows {LEAST_CHAPTERS} or more chapters of at least {LEAST_SECONDS} seconds, "
            f"this film of {end} seconds has {len(kept)}",
            hint="choose more or longer moments, or write .ffmetadata, which has no such rule",
        )
    return kept


def write(edit: EditList, path: Path, *, target: str = "generic") -> None:
    """Write one line for each chapter: "01:05 Moment 2".

    Raises:
        UsageError: See `youtube_chapters`.
        OutputError: It cannot be written there.
    """
    lines = []
    for chapter in youtube_chapters(edit):
        # The description refuses angle brackets.
        title = chapter.title.translate({ord("<"): None, ord(">"): None})
        lines.append(f"{_clock(_whole_seconds(edit, chapter.frames.start))} {title}\n")
    write_text(path, "".join(lines))


def _starts(edit: EditList) -> Iterator[Chapter]:
    """Yield where chapters begin; their ends and the numbers of their moments are not known yet."""
    pictures = [event for event in edit.events if event.video_track is not None]
    for event in pictures or edit.events:
        if event.highlight is not None and event.highlight.moment.continues and event.record.start:
            continue  # a moment over a joint of two files is one
        whole = event.highlight is None and event.markers
        for marker in event.markers if whole else event.markers[:1]:
            at = event.record_of(marker.frames.start, edit.frame_rate)
            yield Chapter(
                frames=range(at, at + 1) if whole else event.record,
                # A rank is ours; without one the words are somebody else's.
                name="" if marker.rank is not None else _words(marker),
                moments=range(1),
                happens=tuple(
                    event for event in what_happens(marker.reasons) if event not in _NO_TITLE
                ),
            )
        if not event.markers:
            yield Chapter(frames=event.record, name=_one_line(event.source.name))


def _together(first: Chapter, second: Chapter) -> Chapter:
    """Join two chapters under the name of the first one that has a moment."""
    named = first if first.moments or not second.moments else second
    moments = range(named.moments.start, max(first.moments.stop, second.moments.stop))
    happens = tuple(dict.fromkeys(first.happens + second.happens))
    return dataclasses.replace(first, name=named.name, moments=moments, happens=happens)


def _words(marker: Marker) -> str:
    """Return a marker's name and comment in one line."""
    name = marker.name or marker.comment or "Moment"
    both = marker.comment and marker.comment != name
    return _one_line(f"{name}: {marker.comment}" if both else name)


def _one_line(text: str) -> str:
    return " ".join(readable(text).split())


def _whole_seconds(edit: EditList, frame: int) -> int:
    """Return the whole second that is nearest to a frame: YouTube reads no parts of one."""
    return frame_at(frame / edit.frame_rate, Fraction(1))


def _clock(seconds: int) -> str:
    minutes, second = divmod(seconds, 60)
    if minutes < 60:
        return f"{minutes:02d}:{second:02d}"
    return f"{minutes // 60}:{minutes % 60:02d}:{second:02d}"
