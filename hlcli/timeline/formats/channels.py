"""Sound for formats whose tracks have one channel: every channel of every track has a lane."""

from __future__ import annotations

import bisect
from dataclasses import dataclass

from hlcli.timeline.edit_list import EditList, Event


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """A track of one channel."""

    number: int
    """Its place among the lanes, 0 is the first."""
    track: int
    """Audio track of the timeline that it is a part of."""
    channel: int
    """Channel of that track, 0 is the first (left)."""
    width: int
    """Channels of that track: those of the widest sound on it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelUse:
    """One channel of a source on a lane."""

    lane: Lane
    """Where it plays."""
    stream: int
    """Sound track of the source, an index into `Source.audio`."""
    num_channels: int
    """Channels of that sound track."""
    file_channel: int
    """Which channel of the file it is, counted over all its sound tracks, 0 is the first."""


def lanes_of(edit: EditList) -> list[Lane]:
    """Return the lanes of a timeline, in the order of its audio tracks."""
    widths = [1] * edit.num_audio_tracks
    for event in edit.events:
        for sound in event.sound:
            channels = event.source.audio[sound.stream].channels
            widths[sound.track] = max(widths[sound.track], channels)
    parts = [(track, channel) for track, width in enumerate(widths) for channel in range(width)]
    return [
        Lane(number=number, track=track, channel=channel, width=widths[track])
        for number, (track, channel) in enumerate(parts)
    ]


def channel_uses(event: Event, lanes: list[Lane]) -> list[ChannelUse]:
    """Return what an event plays on which lane, in the order of its sounds and their channels."""
    uses = []
    for sound in event.sound:
        streams = event.source.audio
        before = sum(audio.channels for audio in streams[: sound.stream])
        # Lanes lie in the order of their tracks; a track has one for each channel of its sounds.
        first = bisect.bisect_left(lanes, sound.track, key=lambda lane: lane.track)
        uses += [
            ChannelUse(
                lane=lane,
                stream=sound.stream,
                num_channels=streams[sound.stream].channels,
                file_channel=before + lane.channel,
            )
            for lane in lanes[first : first + streams[sound.stream].channels]
        ]
    return uses
