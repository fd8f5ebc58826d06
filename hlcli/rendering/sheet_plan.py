"""What stands on a contact sheet: one shot for each moment, the shots of a video together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal

from hlcli.moments import in_words
from hlcli.timeline.edit_list import EditList, Event, Marker, Source
from hlcli.timeline.timecode import format_timecode, frame_at


@dataclass(frozen=True, slots=True, kw_only=True)
class SheetCell:
    """One moment on the sheet."""

    frame: int
    """Frame of the source to show, from its first frame."""
    timecode: str
    """That frame's timecode, the source's own."""
    rank: int | None
    """1 is the best of all videos; None where the timeline does not say."""
    score: float | None
    """In [0, 1]; None where the timeline does not say."""
    reasons: str = ""
    """Why it was chosen, in one line; empty where the timeline does not say."""
    within: range | None = None
    """Frames among which a sharper one near it may be shown; None for this very frame."""


@dataclass(slots=True, kw_only=True)
class Section:
    """One video and its shots."""

    source: Source
    """The video."""
    shots: list[SheetCell] = field(default_factory=list)
    """Its moments in the order they are drawn."""


def plan_sheet(edits: Iterable[EditList], *, order: Literal["time", "rank"]) -> list[Section]:
    """Choose what to show of timelines.

    Shown of a cut is the sharpest frame near its peak where `hl` chose it, its marker where it has
    one, and else about its middle; of a video laid down whole, each of its markers.

    Args:
        edits: Timelines; a video that several use gets one section.
        order: "time" keeps the videos as they come and their moments as they happened; "rank"
            puts the best first, videos by their best moment.
    """
    sections: dict[str, Section] = {}
    for edit in edits:
        for event in edit.events:
            if event.video_track is None:
                continue
            section = sections.setdefault(event.source.path, Section(source=event.source))
            for shot in _shots(event):
                if shot not in section.shots:
                    section.shots.append(shot)
    planned = [section for section in sections.values() if section.shots]
    for section in planned:
        section.shots.sort(key=lambda shot: shot.frame)
    if order == "rank":
        for section in planned:
            section.shots.sort(key=_place)
        planned.sort(key=lambda section: _place(section.shots[0]))
    return planned


def _shots(event: Event) -> Iterator[SheetCell]:
    if event.highlight is not None:
        moment = event.highlight.moment
        peak = frame_at(moment.peak_seconds, event.source.frame_rate)
        peak = min(max(peak, event.frames.start), event.frames[-1])
        words = in_words(moment.reasons)
        rank = event.highlight.rank
        yield _shot(event.source, peak, rank, moment.score, words, event.frames)
    elif event.markers:
        for marker in event.markers:
            words = in_words(marker.reasons)
            # A frame that somebody marked by hand is meant as it is.
            by_hand = marker.rank is None and len(marker.frames) == 1
            frames = marker.frames if len(marker.frames) > 1 else event.frames
            within = None if by_hand else frames
            yield _shot(event.source, _middle(marker), marker.rank, marker.score, words, within)
    else:
        yield _shot(
            event.source, event.frames[len(event.frames) // 2], None, None, "", event.frames
        )


def _middle(marker: Marker) -> int:
    return marker.frames[len(marker.frames) // 2]


def _shot(
    source: Source,
    frame: int,
    rank: int | None,
    score: float | None,
    reasons: str,
    within: range | None,
) -> SheetCell:
    return SheetCell(
        frame=frame,
        timecode=timecode_of(source, frame),
        rank=rank,
        score=score,
        reasons=reasons,
        within=within,
    )


def timecode_of(source: Source, frame: int) -> str:
    """Return the timecode of a frame, the source's own."""
    return format_timecode(
        source.start_frame + frame, source.frame_rate, drop_frame=source.drop_frame
    )


def _place(shot: SheetCell) -> tuple[float, int]:
    # What has no rank comes last, in the order it happens.
    return (float("inf") if shot.rank is None else shot.rank), shot.frame
