"""Markers of clips and of timelines become markers in the sources."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from fractions import Fraction

import opentimelineio as otio

from hlcli.timeline.edit_list import Event, Marker, Source
from hlcli.timeline.paths import readable
from hlcli.timeline.read.exact import (
    entry,
    exact_seconds,
    number_or_none,
    texts_or_none,
    whole_or_zero,
)
from hlcli.timeline.read.leaves import Leaf
from hlcli.timeline.read.types import Notes
from hlcli.timeline.timecode import frame_at

_COLORS = {
    getattr(otio.schema.MarkerColor, name)
    for name in dir(otio.schema.MarkerColor)
    if name.isupper()
}


def markers_of(leaf: Leaf, frames: range, source: Source) -> tuple[Marker, ...]:
    """Return the markers of a clip that lie within its frames.

    Args:
        leaf: The clip.
        frames: The frames of the source it shows.
        source: The source.
    """
    # They count as the clip's own range does; without one, as its media does.
    origin = leaf.media_start or Fraction(0)
    found = []
    for marker in leaf.clip.markers:
        start, length = _span(marker, source.frame_rate, origin)
        first = frames.start + start
        stop = min(first + length, frames.stop)
        if frames.start <= first < frames.stop:
            found.append(_marker(marker, range(first, stop)))
    return tuple(found)


def add_timeline_markers(
    timeline: otio.schema.Timeline, events: Sequence[Event], rate: Fraction, notes: Notes
) -> list[Event]:
    """Give the markers of the timeline to the events they stand on.

    One that repeats a marker of the clip there is passed over.
    """
    markers = list(timeline.tracks.markers)
    for track in timeline.tracks:
        markers += list(track.markers)
    result = list(events)
    spans = [_span(marker, rate, Fraction(0)) for marker in markers]
    places = _events_at(events, [at for at, _ in spans])
    for marker, (at, length), under in zip(markers, spans, places, strict=True):
        if not under:
            notes.add(f"the marker {readable(marker.name)!r} stands on no clip: left out")
            continue
        number = max(
            under,
            key=lambda number: (
                -1 if result[number].video_track is None else result[number].video_track or 0
            ),
        )
        event = result[number]
        offset = frame_at(Fraction(at - event.record.start) / rate, event.source.frame_rate)
        first = min(event.frames.start + offset, event.frames[-1])
        count = max(1, frame_at(Fraction(length) / rate, event.source.frame_rate))
        made = _marker(marker, range(first, min(first + count, event.frames.stop)))
        if any(
            (made.rank is not None and made.rank == own.rank) or made.name == own.name
            for own in event.markers
        ):
            continue
        result[number] = dataclasses.replace(event, markers=(*event.markers, made))
    return result


def _events_at(events: Sequence[Event], frames: Sequence[int]) -> list[list[int]]:
    """Return which events lie at each frame of the timeline, in one pass over both."""
    found: list[list[int]] = [[] for _ in frames]
    waiting = sorted(range(len(events)), key=lambda number: -events[number].record.start)
    there: list[int] = []
    for place in sorted(range(len(frames)), key=frames.__getitem__):
        at = frames[place]
        while waiting and events[waiting[-1]].record.start <= at:
            there.append(waiting.pop())
        there = [number for number in there if at < events[number].record.stop]
        found[place] = sorted(there)
    return found


def _span(marker: otio.schema.Marker, rate: Fraction, origin: Fraction) -> tuple[int, int]:
    """Return first frame after `origin` and number of frames, at least 1."""
    start = exact_seconds(marker.marked_range.start_time) - origin
    length = exact_seconds(marker.marked_range.duration)
    return frame_at(start, rate), max(1, frame_at(length, rate))


def _marker(marker: otio.schema.Marker, frames: range) -> Marker:
    own = entry(marker.metadata, "hl")
    rank, score = entry(own, "rank"), entry(own, "score")
    note = entry(marker.metadata, "Resolve_OTIO", "Note")
    return Marker(
        frames=frames,
        name=str(entry(own, "name") or marker.name),
        comment=str(marker.comment or note or ""),
        color=color if (color := (marker.color or "").upper()) in _COLORS else None,
        rank=None if rank is None else whole_or_zero(rank),
        score=number_or_none(score),
        reasons=texts_or_none(entry(own, "reasons")) or (),
    )
