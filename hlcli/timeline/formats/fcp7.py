"""FCP7 XML (xmeml), the fallback that both Premiere Pro and DaVinci Resolve read.

Written here and not by otio-fcp-adapter, see docs/decisions/0010; the tests read it back with it.

What the format cannot say, and what is done instead:

* In and out of a clip count from the file's FIRST frame, not from its timecode, and at the rate
  of the SEQUENCE: both editors take them so whatever rate stands beside them. A source of another
  rate starts at the nearest frame of the sequence (`Event.conformed`).
* Rates are whole numbers or 1000/1001 of them; others are refused.
* DaVinci Resolve shows every marker in blue and has been seen to play the first sound track of a
  file for each of several: for those, and for clip metadata, `.otio` is the better file.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from xml.etree import ElementTree as ET

from hlcli.atomic import write_text
from hlcli.media.rates import NTSC
from hlcli.timeline.edit_list import EditList, Event, Marker
from hlcli.timeline.formats.fcp7_elements import (
    add,
    add_file,
    add_motion,
    add_picture,
    add_rate,
    add_sound,
    add_timecode,
    has_rate,
)
from hlcli.timeline.formats.fcp7_sound import (
    SoundItem,
    SoundTrack,
    exploded_items,
    exploded_tracks,
    plain_items,
    plain_tracks,
)
from hlcli.timeline.formats.rates import check_rates


@dataclass(frozen=True, slots=True, kw_only=True)
class Fcp7Dialect:
    """How one editor wants its file."""

    version: str
    """Version of xmeml that it writes itself."""
    sound_tracks: Callable[[EditList], list[SoundTrack]]
    """Sound tracks of the file."""
    sound_items: Callable[[EditList], list[list[SoundItem]]]
    """What each event puts on them."""
    is_premiere: bool
    """Whether to write what only Premiere reads: track types, motion, colours of markers."""


DIALECTS = {
    "premiere": Fcp7Dialect(
        version="4", sound_tracks=exploded_tracks, sound_items=exploded_items, is_premiere=True
    ),
    "resolve": Fcp7Dialect(
        version="5", sound_tracks=plain_tracks, sound_items=plain_items, is_premiere=False
    ),
}
"""Dialects by their value of --for."""

MARKER_COLORS = {
    "RED": 0xFF362CD2,
    "ORANGE": 0xFF246FE9,
    "YELLOW": 0xFF2BA1D0,
    "CYAN": 0xFFD6F419,
    "BLUE": 0xFFFC8D42,
    "PURPLE": 0xFFB18BAF,
    "WHITE": 0xFFFFFFFF,
}
"""Premiere's palette, as 0xAABBGGRR; green is what it takes without one."""
# Premiere's numbers of its ways to show time; only by them can it tell drop-frame.
_TIME_DISPLAYS = {
    (24 * NTSC, False): 110,
    (Fraction(24), False): 100,
    (Fraction(25), False): 101,
    (30 * NTSC, True): 102,
    (30 * NTSC, False): 103,
    (Fraction(30), False): 104,
    (Fraction(50), False): 105,
    (60 * NTSC, True): 106,
    (60 * NTSC, False): 107,
    (Fraction(60), False): 108,
}


def write(edit: EditList, path: Path, *, target: str = "premiere") -> None:
    """Write FCP7 XML, the same bytes for the same edit list.

    Raises:
        UsageError: The timeline or a source has a rate that the format has no name for.
        OutputError: It cannot be written there.
    """
    check_rates(edit, title="FCP7 XML", has_rate=has_rate)
    root = _Document(edit, DIALECTS[target]).root()
    ET.indent(root, "\t")
    text = ET.tostring(root, encoding="unicode")
    write_text(path, f'<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE xmeml>\n{text}\n')


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """One clipitem: where it stands and what it is."""

    identifier: str
    track: int
    """`<trackindex>` of its own kind, 1 is the first."""
    index: int
    """`<clipindex>` within that track, 1 is the first."""
    sound: SoundItem | None


class _Document:
    """Builds the document; knows which files it has described already."""

    def __init__(self, edit: EditList, dialect: Fcp7Dialect) -> None:
        self._edit = edit
        self._dialect = dialect
        self._numbers = {source: number for number, source in enumerate(edit.sources, start=1)}
        self._described: set[int] = set()
        self._places = self._all_places()

    def root(self) -> ET.Element:
        edit = self._edit
        root = ET.Element("xmeml", version=self._dialect.version)
        sequence = add(root, "sequence", id="sequence-1")
        if self._dialect.is_premiere:
            sequence.set("explodedTracks", "true")
            display = _TIME_DISPLAYS.get((edit.frame_rate, edit.drop_frame))
            if display is not None:
                sequence.set("MZ.Sequence.VideoTimeDisplayFormat", str(display))
        add(sequence, "duration", edit.num_frames)
        add_rate(sequence, edit.frame_rate)
        add(sequence, "name", edit.name)
        media = add(sequence, "media")
        self._add_video(media)
        self._add_audio(media)
        add_timecode(sequence, edit.start_frame, edit.frame_rate, drop_frame=edit.drop_frame)
        self._add_markers(sequence)
        return root

    def _all_places(self) -> list[list[_Place]]:
        """Number the clipitems; those of one event are linked."""
        lengths: dict[tuple[str, int], int] = {}
        number = 0
        places = []
        sounds = self._dialect.sound_items(self._edit)
        for event, items in zip(self._edit.events, sounds, strict=True):
            wanted: list[tuple[str, int, SoundItem | None]] = []
            if event.video_track is not None:
                wanted.append(("video", event.video_track, None))
            wanted += [("audio", item.track, item) for item in items]
            group = []
            for kind, track, item in wanted:
                number += 1
                lengths[kind, track] = lengths.get((kind, track), 0) + 1
                group.append(
                    _Place(
                        identifier=f"clipitem-{number}",
                        track=track + 1,
                        index=lengths[kind, track],
                        sound=item,
                    )
                )
            places.append(group)
        return places

    def _add_video(self, media: ET.Element) -> None:
        edit = self._edit
        video = add(media, "video")
        known = ((s.width, s.height) for s in edit.sources if s.width and s.height)
        size = (edit.width, edit.height)
        if not all(size):
            size = next(known, (1920, 1080))  # A sequence without a size is refused by Resolve.
        add_picture(add(video, "format"), edit.frame_rate, size)
        for number in range(edit.num_video_tracks):
            track = add(video, "track")
            for event, group in zip(edit.events, self._places, strict=True):
                for place in group:
                    if place.sound is None and event.video_track == number:
                        self._add_clipitem(track, event, place, group)
            add(track, "enabled", "TRUE")
            add(track, "locked", "FALSE")

    def _add_audio(self, media: ET.Element) -> None:
        audio = add(media, "audio")
        add(audio, "numOutputChannels", 2)
        add_sound(add(audio, "format"), self._edit.sample_rate)
        outputs = add(audio, "outputs")
        for number in (1, 2):
            group = add(outputs, "group")
            add(group, "index", number)
            add(group, "numchannels", 1)
            add(group, "downmix", 0)
            add(add(group, "channel"), "index", number)
        for sound_track in self._dialect.sound_tracks(self._edit):
            track = add(audio, "track")
            if self._dialect.is_premiere:
                track.set("currentExplodedTrackIndex", str(sound_track.half))
                track.set("totalExplodedTrackCount", "2" if sound_track.is_stereo else "1")
                track.set("premiereTrackType", "Stereo" if sound_track.is_stereo else "Mono")
            for event, places in zip(self._edit.events, self._places, strict=True):
                for place in places:
                    if place.sound is not None and place.sound.track == sound_track.number:
                        self._add_clipitem(track, event, place, places)
            add(track, "enabled", "TRUE")
            add(track, "locked", "FALSE")
            add(track, "outputchannelindex", sound_track.half + 1)

    def _add_clipitem(
        self, track: ET.Element, event: Event, place: _Place, group: list[_Place]
    ) -> None:
        edit, source = self._edit, event.source
        number = self._numbers[source]
        frames = event.conformed(edit.frame_rate)
        length = math.floor(source.num_frames * edit.frame_rate / source.frame_rate)
        item = add(track, "clipitem", id=place.identifier)
        if place.sound is not None and self._dialect.is_premiere:
            item.set("premiereChannelType", "stereo" if place.sound.is_stereo else "mono")
        add(item, "masterclipid", f"masterclip-{number}")
        add(item, "name", source.name)
        add(item, "enabled", "TRUE")
        add(item, "duration", max(length, frames.stop))
        add_rate(item, edit.frame_rate)
        add(item, "start", event.record.start)
        add(item, "end", event.record.stop)
        add(item, "in", frames.start)
        add(item, "out", frames.stop)
        if place.sound is None:
            add(item, "alphatype", "none")
            add(item, "pixelaspectratio", "square")
            add(item, "anamorphic", "FALSE")
        if number in self._described:
            add(item, "file", id=f"file-{number}")
        else:
            self._described.add(number)
            add_file(item, source, f"file-{number}")
        if place.sound is None and self._dialect.is_premiere:
            add_motion(item, event, edit)
        if place.sound is not None:
            source_track = add(item, "sourcetrack")
            add(source_track, "mediatype", "audio")
            add(source_track, "trackindex", place.sound.source_track)
        if len(group) > 1:
            for other in group:
                link = add(item, "link")
                add(link, "linkclipref", other.identifier)
                add(link, "mediatype", "video" if other.sound is None else "audio")
                add(link, "trackindex", other.track)
                add(link, "clipindex", other.index)
                if other.sound is not None:
                    add(link, "groupindex", 1)

    def _add_markers(self, sequence: ET.Element) -> None:
        rate = self._edit.frame_rate
        found: dict[tuple[int, int, Marker], None] = {}
        for event in self._edit.events:
            for marker in event.markers:
                start = event.record_of(marker.frames.start, rate)
                end = event.record_of(marker.frames.stop - 1, rate) + 1
                found[start, end if len(marker.frames) > 1 else -1, marker] = None
        for start, end, marker in sorted(found, key=lambda entry: entry[:2]):
            element = add(sequence, "marker")
            add(element, "comment", marker.comment)
            add(element, "name", marker.name)
            add(element, "in", start)
            add(element, "out", end)
            if self._dialect.is_premiere and marker.written_color in MARKER_COLORS:
                add(element, "pproColor", MARKER_COLORS[marker.written_color])
