"""Flat lanes of clips become an edit list: picture and sound of one event are joined again."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from hlcli.document import AudioRecord
from hlcli.timeline.edit_list import Event, Marker, Sound, Source
from hlcli.timeline.read.exact import entry, number_or_none, texts_or_none, whole_or_zero
from hlcli.timeline.read.types import Notes


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """One clip in whole frames, picture or sound."""

    source: Source
    """Where it comes from."""
    frames: range
    """Frames of the source."""
    record: range
    """Frames of the timeline."""
    is_video: bool
    """Whether it is a picture."""
    track: int
    """Track of its kind, 0 is the first."""
    link: str | None
    """Names what belongs together; None when the timeline does not say."""
    streams: tuple[int, ...] | None
    """Sound tracks of the file; None when the timeline does not say."""
    markers: tuple[Marker, ...] = ()
    """Its markers."""
    metadata: Any = None
    """What `hl` wrote about the moment."""


def join(pieces: Sequence[Piece], unsure_of_sound: set[str], notes: Notes) -> list[Event]:
    """Join the picture and the sounds of each event.

    Args:
        pieces: The clips of all tracks.
        unsure_of_sound: Paths of sources whose sound tracks are told by the timeline alone.
        notes: Gets what had to be assumed.

    Returns:
        Events in the order of the timeline, then of the tracks. A sound that is cut otherwise than
        its picture is an event of its own.
    """
    videos = [piece for piece in pieces if piece.is_video]
    sounds: dict[int, list[Piece]] = {number: [] for number in range(len(videos))}
    alone: dict[tuple[Any, ...], list[Piece]] = {}
    places: dict[tuple[Any, ...], list[int]] = {}
    for number, video in enumerate(videos):
        places.setdefault(_place(video), []).append(number)
    for piece in pieces:
        if piece.is_video:
            continue
        partners = places.get(_place(piece), [])
        linked = [
            number
            for number in partners
            if piece.link is not None and videos[number].link == piece.link
        ]
        if linked or partners:
            sounds[(linked or partners)[0]].append(piece)
        else:
            alone.setdefault((*_place(piece), piece.link), []).append(piece)
    groups = [([video], sounds[number]) for number, video in enumerate(videos)]
    groups += [([], parts) for parts in alone.values()]
    settled = _settle_sounds((parts for _, parts in groups), unsure_of_sound, notes)
    found = [_event(video, parts, settled, notes) for video, parts in groups]
    events = [event for event in found if event is not None]
    merged = sum(len(parts) for _, parts in groups) > sum(len(event.sound) for event in events)
    if merged or any(_shares_a_track(event) for event in events):
        events = _apart(events)
    return sorted(
        events,
        key=lambda event: (
            event.record.start,
            event.video_track is None,
            event.video_track or 0,
            [sound.track for sound in event.sound],
            event.record.stop,
        ),
    )


def _apart(events: list[Event]) -> list[Event]:
    """Give sound tracks that one clip plays together tracks of their own, without empty ones.

    Where a timeline has a track for each channel, a sound track comes from several of them.
    """
    wanted = sorted(
        {(sound.track, _nth(event, sound)) for event in events for sound in event.sound}
    )
    numbers = {place: number for number, place in enumerate(wanted)}
    return [
        dataclasses.replace(
            event,
            sound=tuple(
                Sound(sound.stream, numbers[sound.track, _nth(event, sound)])
                for sound in event.sound
            ),
        )
        for event in events
    ]


def _shares_a_track(event: Event) -> bool:
    return len({sound.track for sound in event.sound}) < len(event.sound)


def _nth(event: Event, sound: Sound) -> int:
    """Return which of the sounds on one track a sound is."""
    return [other for other in event.sound if other.track == sound.track].index(sound)


def _place(piece: Piece) -> tuple[Any, ...]:
    return (piece.source, piece.frames, piece.record)


def _settle_sounds(
    groups: Iterable[list[Piece]], unsure_of_sound: set[str], notes: Notes
) -> dict[Source, Source]:
    """Give sources that nothing is known about as many sound tracks as the timeline takes."""
    counts: dict[Source, int] = {}
    for parts in groups:
        for source in {piece.source for piece in parts}:
            if source.path in unsure_of_sound:
                counts[source] = max(
                    counts.get(source, 0),
                    1
                    + max(
                        stream
                        for index, piece in enumerate(p for p in parts if p.source == source)
                        for stream in piece.streams or (index,)
                    ),
                )
    settled = {}
    for source, count in counts.items():
        notes.add(
            f"{source.name}: its sound is taken for {count} stereo "
            f"{'track' if count == 1 else 'tracks'} at 48000 Hz, the timeline does not say"
        )
        settled[source] = dataclasses.replace(
            source, audio=(AudioRecord(channels=2, sample_rate=48000),) * count
        )
    return settled


def _event(
    video: list[Piece], sounds: list[Piece], settled: dict[Source, Source], notes: Notes
) -> Event | None:
    first = (video or sounds)[0]
    source = settled.get(first.source, first.source)
    placed: dict[int, Sound] = {}
    parts = sorted(sounds, key=lambda piece: piece.track)
    if parts and not source.audio:
        notes.add(f"{source.name} has no sound: its clips on audio tracks are left out")
        parts = []
    for index, piece in enumerate(parts):
        if piece.streams is None and index >= len(source.audio):
            # One track for each channel, as some programs lay it.
            notes.add(
                f"{source.name} lies on more audio tracks than it has sound tracks: each sound "
                "track is taken once, whole"
            )
            continue
        for stream in (index,) if piece.streams is None else piece.streams:
            if stream >= len(source.audio):
                notes.add(f"{source.name} has no sound track {stream + 1}: its clips are left out")
            elif stream not in placed:
                # Channels of one sound track may lie on tracks of their own.
                placed[stream] = Sound(stream, piece.track)
    if not video and not placed:
        return None
    return Event(
        source=source,
        frames=first.frames,
        record=first.record,
        video_track=first.track if video else None,
        sound=tuple(sorted(placed.values(), key=lambda sound: (sound.track, sound.stream))),
        markers=first.markers,
        highlight=highlight_of(first.metadata),
    )


def highlight_of(metadata: Any) -> Any:
    """Return the moment that `hl` wrote into a clip; None for others' clips."""
    from hlcli.document import ModelRecord
    from hlcli.moments import Moment
    from hlcli.timeline.edit_list import Highlight

    names = ("score", "peak_seconds", "start_seconds", "end_seconds")
    rank, why, model = (entry(metadata, name) for name in ("rank", "why", "model"))
    numbers = {name: number_or_none(entry(metadata, name)) for name in names}
    known = {name: number for name, number in numbers.items() if number is not None}
    if rank is None or why not in ("picture", "sound", "both") or len(known) < len(names):
        return None
    return Highlight(
        moment=Moment(
            start_seconds=known["start_seconds"],
            end_seconds=known["end_seconds"],
            score=known["score"],
            peak_seconds=known["peak_seconds"],
            picture=number_or_none(entry(metadata, "picture")),
            sound=number_or_none(entry(metadata, "sound")),
            why=why,
            reasons=texts_or_none(entry(metadata, "reasons")) or (),
        ),
        rank=whole_or_zero(rank),
        model=ModelRecord(
            name=str(entry(model, "name") or ""),
            version=str(entry(model, "version") or ""),
            sha256=str(entry(model, "sha256") or ""),
        ),
    )


def seconds_to_frames(start: Fraction, duration: Fraction, rate: Fraction) -> range:
    """Return the frames nearest to a stretch in seconds; empty below half a frame."""
    from hlcli.timeline.timecode import frame_at

    return range(frame_at(start, rate), frame_at(start + duration, rate))
