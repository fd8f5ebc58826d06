"""An OpenTimelineIO timeline of any program becomes an edit list."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import opentimelineio as otio

from hlcli.errors import TimelineError
from hlcli.timeline.edit_list import EditList, Event, Source
from hlcli.timeline.paths import readable
from hlcli.timeline.read.bounds import MOST_HOURS, TooMuchError
from hlcli.timeline.read.events import Piece, join
from hlcli.timeline.read.exact import (
    MOST_CHANNELS,
    entry,
    exact_rate,
    exact_seconds,
    number_or_none,
    whole_or_zero,
)
from hlcli.timeline.read.leaves import Lane, Leaf, LeafReader, stated_rate
from hlcli.timeline.read.markers import add_timeline_markers, markers_of
from hlcli.timeline.read.ranges import frames_in_file
from hlcli.timeline.read.sources import SourceBook
from hlcli.timeline.read.types import NoClipError, Notes, ReadTimeline
from hlcli.timeline.relink import NO_SEARCH, Relinker
from hlcli.timeline.timecode import frame_at, has_drop_frame

_VIDEO: str = otio.schema.TrackKind.Video
_AUDIO: str = otio.schema.TrackKind.Audio
_MOST_PIXELS = 100_000
_MOST_HERTZ = 1_000_000


def edit_of_otio(
    timeline: otio.schema.Timeline,
    *,
    folder: Path,
    relinker: Relinker = NO_SEARCH,
    known: Sequence[Source] = (),
    rate: Fraction | None = None,
    notes: Sequence[str] = (),
) -> ReadTimeline:
    """Turn a timeline into an edit list.

    Args:
        timeline: What a reader gave.
        folder: Folder of its file; relative paths start there.
        relinker: Finds media, where it may be read.
        known: Sources that need no looking at.
        rate: Rate of the timeline in frames per second; None takes its own.
        notes: What the reader of the file has left out already, a sentence each.

    Raises:
        TimelineError: It has no clip, or says something that cannot be cut without guessing.
        MediaError: A file cannot be used.
    """
    said = Notes(notes)
    rate = rate or _rate_of(timeline)
    book = SourceBook(folder=folder, relinker=relinker, known=known, timeline_rate=rate, notes=said)
    leaves = LeafReader(said, book.length_of).read(timeline)
    pieces = list(_pieces(leaves, _numbers(timeline, leaves), rate, book, said))
    events = join(pieces, book.unsure_of_sound, said)
    if any(event.record.stop / rate > MOST_HOURS * 3600 for event in events):
        raise TooMuchError(f"it is longer than {MOST_HOURS:,} hours")
    if not events:
        raise NoClipError(
            f"the timeline {readable(timeline.name)} has no clip that can be cut"
            + "".join(f"; {line}" for line in said.lines()),
            hint="a timeline of video files is needed",
        )
    return ReadTimeline(edit=_edit_list(timeline, events, rate, said), notes=said.lines())


def _rate_of(timeline: otio.schema.Timeline) -> Fraction:
    """Return the timeline's rate: as `hl` or Premiere wrote it, or as its parts count."""
    own = entry(timeline.metadata, "hl", "frame_rate")
    if number_or_none(own) is not None:
        return exact_rate(own)
    candidates = [entry(timeline.tracks.metadata, "PremierePro_OTIO", "VideoFrameRate")]
    if timeline.global_start_time is not None:
        candidates.append(timeline.global_start_time.rate)
    # Gaps count at the timeline's rate where clips count at their own.
    parts = list(timeline.tracks.find_children(descended_from_type=otio.core.Item))
    parts.sort(key=lambda part: not isinstance(part, otio.schema.Gap))
    for part in parts:
        if part.source_range is not None:
            candidates.append(part.source_range.duration.rate)
        elif isinstance(part, otio.schema.Clip) and part.media_reference is not None:
            available = part.media_reference.available_range
            if available is not None:
                candidates.append(available.duration.rate)
    for candidate in candidates:
        # Below 2 lies a default that nobody set, above 1000 a sample rate.
        number = number_or_none(candidate)
        if number is not None and 2 <= number <= 1000:
            return exact_rate(candidate)
    raise TimelineError(
        f"the timeline {readable(timeline.name)} does not say its frame rate",
        hint="export it again from the program that made it",
    )


def _numbers(timeline: otio.schema.Timeline, leaves: Sequence[Leaf]) -> dict[tuple[str, Lane], int]:
    """Return the number of each track: the timeline's own, and what nesting adds between them."""
    numbers: dict[tuple[str, Lane], int] = {}
    for kind in (_VIDEO, _AUDIO):
        count = sum(
            (child.kind if isinstance(child, otio.schema.Track) else _VIDEO) == kind
            for child in timeline.tracks
        )
        own = _written_numbers(timeline, kind)
        if own is not None:
            numbers |= {(kind, (index,)): number for index, number in enumerate(own)}
            continue
        lanes: set[Lane] = {(number,) for number in range(count)}
        lanes |= {leaf.lane for leaf in leaves if leaf.kind == kind}
        numbers |= {(kind, lane): number for number, lane in enumerate(sorted(lanes))}
    return numbers


def _written_numbers(timeline: otio.schema.Timeline, kind: str) -> list[int] | None:
    """Return the tracks of one kind as `hl` numbered them; it leaves out empty ones."""
    if entry(timeline.metadata, "hl") is None:
        return None
    names = [
        re.fullmatch(rf"{kind[0]}([1-9]\d*)", child.name)
        for child in timeline.tracks
        if isinstance(child, otio.schema.Track) and child.kind == kind
    ]
    found = [int(name[1]) - 1 for name in names if name is not None]
    nested = any(
        not isinstance(item, otio.schema.Clip | otio.schema.Gap | otio.schema.Transition)
        for track in timeline.tracks
        for item in track
    )
    return None if nested or len(found) < len(names) or found != sorted(set(found)) else found


def _pieces(
    leaves: Sequence[Leaf],
    numbers: dict[tuple[str, Lane], int],
    rate: Fraction,
    book: SourceBook,
    notes: Notes,
) -> Iterator[Piece]:
    for leaf in leaves:
        record = range(frame_at(leaf.start, rate), frame_at(leaf.start + leaf.duration, rate))
        source = book.source_of(leaf.clip)
        if source is None:
            continue
        called = readable(leaf.clip.name) or source.name
        if len(record) == 0:
            notes.add(f"{called} is shorter than half a frame: left out")
            continue
        media = leaf.clip.media_reference
        available = None if media is None else media.available_range
        origin = None if available is None else exact_seconds(available.start_time)
        frames = frames_in_file(
            source,
            start=leaf.media_start,
            duration=leaf.duration,
            available_start=origin,
            available_duration=None if available is None else exact_seconds(available.duration),
            grid=rate,
            notes=notes,
            may_end=leaf.is_retimed,
        )
        if leaf.is_retimed and frames.stop == source.num_frames:
            left = frame_at(len(frames) / source.frame_rate, rate)
            if left < len(record):
                notes.add(f"{source.name} ends before {called} does at normal speed: a gap stays")
                record = record[: max(1, left)]
        if source.frame_rate == rate and len(frames) != len(record):
            frames, record = _same_length(frames, record, source)
        counted = stated_rate(leaf.clip)
        if counted == source.frame_rate and (leaf.duration * counted).denominator != 1:
            notes.add(f"{called} is cut between frames: taken to the nearest frame")
        yield Piece(
            source=source,
            frames=frames,
            record=record,
            is_video=leaf.kind == _VIDEO,
            track=numbers[leaf.kind, leaf.lane],
            link=_link(leaf.clip),
            streams=_streams(leaf.clip, source) if leaf.kind == _AUDIO else None,
            markers=markers_of(leaf, frames, source),
            metadata=entry(leaf.clip.metadata, "hl"),
        )


def _same_length(frames: range, record: range, source: Source) -> tuple[range, range]:
    """Make both as long as what lies on the timeline, within the file."""
    stop = min(frames.start + len(record), source.num_frames)
    frames = range(frames.start, stop)
    return frames, range(record.start, record.start + len(frames))


def _link(clip: otio.schema.Clip) -> str | None:
    for keys in (("hl", "link"), ("Resolve_OTIO", "Link Group ID"), ("PremierePro_OTIO", "LinkID")):
        value = entry(clip.metadata, *keys)
        if value is not None:
            return str(value)
    return None


def _streams(clip: otio.schema.Clip, source: Source) -> tuple[int, ...] | None:
    """Return which sound tracks of its file a clip plays, where it says so."""
    channels = entry(clip.metadata, "hl", "source", "audio_channels")
    if channels is not None:
        # Channels count through all sound tracks of a file; of an unknown file, in pairs.
        owners = [n for n, track in enumerate(source.audio) for _ in range(track.channels)]
        numbers = [whole_or_zero(channel, most=MOST_CHANNELS) for channel in channels]
        streams = [
            owners[channel] if channel < len(owners) else max(len(source.audio), channel // 2)
            for channel in numbers
        ]
        return tuple(dict.fromkeys(streams))
    for value in (
        entry(clip.metadata, "hl", "source", "audio_stream"),
        entry(clip.metadata, "Resolve_OTIO", "Channels", 0, "Source Track ID"),
        entry(clip.metadata, "PremierePro_OTIO", "OriginalChannelGroupIndex"),
    ):
        number = number_or_none(value)
        if number is not None and 0 <= number < MOST_CHANNELS:
            return (int(number),)
    return None


def _pixels(metadata: Any, name: str) -> int:
    return whole_or_zero(entry(metadata, name), most=_MOST_PIXELS)


def _edit_list(
    timeline: otio.schema.Timeline, events: Sequence[Event], rate: Fraction, notes: Notes
) -> EditList:
    own = entry(timeline.metadata, "hl")
    first = events[0].source
    size = entry(timeline.tracks.metadata, "PremierePro_OTIO", "VideoResolution")
    start = timeline.global_start_time
    drop_frame = entry(own, "drop_frame")
    if drop_frame is None:
        drop_frame = first.drop_frame
    sample_rate = entry(timeline.tracks.metadata, "PremierePro_OTIO", "AudioFrameRate")
    sounds = [track for event in events for track in event.source.audio]
    start_frame = 0 if start is None else frame_at(exact_seconds(start), rate)
    events = add_timeline_markers(timeline, events, rate, notes)
    return EditList(
        name=readable(timeline.name) or "timeline",
        frame_rate=rate,
        events=tuple(events),
        start_frame=max(0, start_frame),
        drop_frame=bool(drop_frame) and has_drop_frame(rate),
        width=_pixels(own, "width") or _pixels(size, "width") or first.width,
        height=_pixels(own, "height") or _pixels(size, "height") or first.height,
        sample_rate=whole_or_zero(entry(own, "sample_rate"), most=_MOST_HERTZ)
        or whole_or_zero(sample_rate, most=_MOST_HERTZ)
        or (sounds[0].sample_rate if sounds else 48000),
    )
