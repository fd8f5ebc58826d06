"""Sound tracks of FCP7 XML.

Premiere writes a stereo track as two tracks of one channel that it puts together again when it
reads them ("exploded"); a mono sound is not one half of a stereo track, and says so. DaVinci
Resolve writes one track for one sound track of the source, whatever its channels.
"""

from __future__ import annotations

from dataclasses import dataclass

from hlcli.timeline.edit_list import EditList, Event
from hlcli.timeline.formats.channels import Lane, channel_uses, lanes_of


@dataclass(frozen=True, slots=True, kw_only=True)
class SoundTrack:
    """One `<track>` below `<audio>`."""

    number: int
    """Its place there, 0 is the first."""
    is_stereo: bool = False
    """Whether it is one half of a stereo track."""
    half: int = 0
    """Which half: 0 is left, 1 is right."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SoundItem:
    """What one event puts on one `<track>`."""

    track: int
    """Number of the track."""
    is_stereo: bool
    """Whether it is one half of a stereo pair."""
    source_track: int
    """`<sourcetrack><trackindex>`, 1 is the first."""


def exploded_tracks(edit: EditList) -> list[SoundTrack]:
    """Return the tracks as Premiere wants them: two for stereo, otherwise one for each channel."""
    return [
        SoundTrack(number=lane.number, is_stereo=True, half=lane.channel)
        if lane.width == 2
        else SoundTrack(number=lane.number)
        for lane in lanes_of(edit)
    ]


def exploded_items(edit: EditList) -> list[list[SoundItem]]:
    """Return what each event puts on Premiere's tracks, one item for each channel.

    The index of a mono item counts channels of the file. That of a stereo pair counts sound tracks
    as soon as there are several; of a single one Premiere itself writes 1 and 2.
    """
    lanes = lanes_of(edit)
    return [_exploded(event, lanes) for event in edit.events]


def _exploded(event: Event, lanes: list[Lane]) -> list[SoundItem]:
    items = []
    for use in channel_uses(event, lanes):
        is_stereo = use.lane.width == use.num_channels == 2
        by_stream = is_stereo and len(event.source.audio) > 1
        items.append(
            SoundItem(
                track=use.lane.number,
                is_stereo=is_stereo,
                source_track=1 + (use.stream if by_stream else use.file_channel),
            )
        )
    return items


def plain_tracks(edit: EditList) -> list[SoundTrack]:
    """Return the tracks as Resolve wants them: one for each audio track of the timeline."""
    return [SoundTrack(number=number) for number in range(edit.num_audio_tracks)]


def plain_items(edit: EditList) -> list[list[SoundItem]]:
    """Return what each event puts on Resolve's tracks, one item for each sound track."""
    return [
        [
            SoundItem(track=sound.track, is_stereo=False, source_track=sound.stream + 1)
            for sound in event.sound
        ]
        for event in edit.events
    ]
