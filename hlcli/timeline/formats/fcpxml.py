"""FCPXML for Final Cut Pro and DaVinci Resolve.

One project with one sequence; the lowest video track is its spine, with gaps where nothing lies,
the tracks above it are connected clips in lanes. All times are exact rational seconds: places on
the timeline count from the timeline's own start timecode, those in a clip from its file's.

Our own writer: OpenTimelineIO's FCPXML adapters cannot hold NTSC rates (docs/decisions/0011).
What the format has no place for: colours of markers, numbers of audio tracks, the detector.
"""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from hlcli.atomic import write_text
from hlcli.errors import UsageError
from hlcli.timeline.edit_list import EditList, Event
from hlcli.timeline.formats.fcpxml_resources import RATE_NAMES, Resources, seconds_text, xml_text
from hlcli.timeline.formats.rates import EDITOR_RATES, nearest_rate

VERSIONS = {"finalcut": "1.10", "resolve": "1.10"}
"""FCPXML version by target: Resolve 18.5 reads 1.3 to 1.10, and refuses later ones."""
_SAMPLE_RATES = {
    32000: "32k",
    44100: "44.1k",
    48000: "48k",
    88200: "88.2k",
    96000: "96k",
    176400: "176.4k",
    192000: "192k",
}
_SURROUND_CHANNELS = 6


def write(edit: EditList, path: Path, *, target: str = "finalcut") -> None:
    """Write FCPXML, the same bytes for the same edit list.

    Raises:
        UsageError: The timeline has a rate that no project can have.
        OutputError: It cannot be written there.
    """
    write_text(path, fcpxml_text(edit, target=target))


def fcpxml_text(edit: EditList, *, target: str = "finalcut") -> str:
    """Return an edit list as FCPXML.

    Args:
        edit: The timeline.
        target: `finalcut` or `resolve`, which differ in where they look for a file's timecode.

    Raises:
        UsageError: The timeline has a rate that no project can have.
    """
    if edit.frame_rate not in EDITOR_RATES:
        nearest = nearest_rate(edit.frame_rate)
        raise UsageError(
            f"FCPXML has no timelines of {float(edit.frame_rate):.6g} frames per second",
            hint=f"--frame-rate {nearest} is the nearest it has; an .otio file can have any",
        )
    resources = Resources(
        reads_camera_clock=target != "finalcut",
        pictured={event.source for event in edit.events if event.video_track is not None},
    )
    sequence = _sequence(edit, resources)
    root = ET.Element("fcpxml", {"version": VERSIONS[target]})
    root.append(resources.element)
    name = xml_text(edit.name)
    event = ET.SubElement(ET.SubElement(root, "library"), "event", {"name": name})
    ET.SubElement(event, "project", {"name": name}).append(sequence)
    ET.indent(root)
    head = '<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE fcpxml>\n'
    return head + ET.tostring(root, encoding="unicode") + "\n"


def _sequence(edit: EditList, resources: Resources) -> ET.Element:
    channels = [track.channels for source in edit.sources for track in source.audio]
    start_seconds = edit.start_frame / edit.frame_rate
    sequence = ET.Element(
        "sequence",
        {
            "format": resources.format(edit.frame_rate, edit.width, edit.height),
            "duration": seconds_text(edit.num_frames / edit.frame_rate),
            "tcStart": seconds_text(start_seconds),
            "tcFormat": "DF" if edit.drop_frame else "NDF",
            # "mono" is in the DTD and refused by Final Cut Pro.
            "audioLayout": "surround" if _SURROUND_CHANNELS in channels else "stereo",
            "audioRate": _SAMPLE_RATES.get(edit.sample_rate, "48k"),
        },
    )
    spine = ET.SubElement(sequence, "spine")
    stretches = list(_stretches(edit))
    starts = [stretch.record.start for stretch in stretches]
    connected: list[list[Event]] = [[] for _ in stretches]
    for event in edit.events:
        if event.video_track != 0:
            connected[bisect_right(starts, event.record.start) - 1].append(event)
    for stretch, above in zip(stretches, connected, strict=True):
        offset = start_seconds + stretch.record.start / edit.frame_rate
        if stretch.event is None:
            clock = Fraction(0)
            gap = {"name": "Gap", "offset": seconds_text(offset), "start": "0s"}
            gap["duration"] = seconds_text(len(stretch.record) / edit.frame_rate)
            element = ET.SubElement(spine, "gap", gap)
        else:
            clock = _start_seconds(stretch.event, edit, resources)
            element = _clip(stretch.event, edit, resources, offset=offset)
            spine.append(element)
        for event in above:
            past = (event.record.start - stretch.record.start) / edit.frame_rate
            clip = _clip(event, edit, resources, offset=clock + past)
            _finish(clip, event, resources)
            element.append(clip)
        if stretch.event is not None:
            _finish(element, stretch.event, resources)
    return sequence


@dataclass(frozen=True, slots=True)
class _Stretch:
    """A part of the spine."""

    record: range
    event: Event | None
    """None for a gap."""


def _stretches(edit: EditList) -> Iterator[_Stretch]:
    """Yield the spine's clips and the gaps between them, up to the timeline's end."""
    at = 0
    for event in edit.events:
        if event.video_track != 0:
            continue
        if event.record.start > at:
            yield _Stretch(range(at, event.record.start), None)
        yield _Stretch(event.record, event)
        at = event.record.stop
    if at < edit.num_frames:
        yield _Stretch(range(at, edit.num_frames), None)


def _start_seconds(event: Event, edit: EditList, resources: Resources) -> Fraction:
    """Return the clock of a clip's first frame: its file's timecode.

    A clip's length is in frames of the timeline. Where those of a file of another rate end sooner,
    the clip starts so much earlier: Final Cut Pro refuses clips that run past their file.
    """
    source = event.source
    first = event.frames.start
    if source.frame_rate != edit.frame_rate:
        length = math.ceil(len(event.record) / edit.frame_rate * source.frame_rate)
        first = max(0, min(first, source.num_frames - length))
    return resources.start_seconds(source) + first / source.frame_rate


def _clip(event: Event, edit: EditList, resources: Resources, *, offset: Fraction) -> ET.Element:
    """Return a clip without its connected clips, markers and sound, which follow in this order."""
    source = event.source
    attributes = {"ref": resources.asset(source)}
    if event.video_track is None:
        attributes["lane"] = str(-1 - min((sound.track for sound in event.sound), default=0))
    elif event.video_track > 0:
        attributes["lane"] = str(event.video_track)
    attributes |= {
        "offset": seconds_text(offset),
        "name": xml_text(source.name),
        "start": seconds_text(_start_seconds(event, edit, resources)),
        "duration": seconds_text(len(event.record) / edit.frame_rate),
    }
    if event.video_track is None:
        attributes["srcEnable"] = "audio"
    elif source.audio and not event.sound:
        attributes["srcEnable"] = "video"
    if resources.has_video(source):
        attributes["format"] = resources.format(source.frame_rate, source.width, source.height)
    attributes["tcFormat"] = "DF" if source.drop_frame else "NDF"
    if event.sound:
        attributes["audioRole"] = "dialogue"
    clip = ET.Element("asset-clip", attributes)
    if source.frame_rate != edit.frame_rate and source.frame_rate in RATE_NAMES:
        # Final Cut Pro would run 24 frames a second at 23.976 and lose the sound's place.
        attributes = {"scaleEnabled": "0", "srcFrameRate": RATE_NAMES[source.frame_rate]}
        ET.SubElement(clip, "conform-rate", attributes)
    return clip


def _finish(clip: ET.Element, event: Event, resources: Resources) -> None:
    """Add the markers, and the state of each sound track where a file has several."""
    source = event.source
    for marker in sorted(event.markers, key=lambda marker: marker.frames.start):
        start_seconds = resources.start_seconds(source) + marker.frames.start / source.frame_rate
        attributes = {
            "start": seconds_text(start_seconds),
            "duration": seconds_text(len(marker.frames) / source.frame_rate),
            "value": xml_text(marker.name),
        }
        if marker.comment:
            attributes["note"] = xml_text(marker.comment)
        ET.SubElement(clip, "marker", attributes)
    if not event.sound or len(source.audio) == 1:
        return
    played = {sound.stream for sound in event.sound}
    first_channel = 1
    for stream, track in enumerate(source.audio):
        channels = range(first_channel, first_channel + track.channels)
        attributes = {
            "srcCh": ", ".join(str(channel) for channel in channels),
            "role": f"dialogue.dialogue-{stream + 1}",
        }
        if stream not in played:
            attributes["enabled"] = "0"
        ET.SubElement(clip, "audio-channel-source", attributes)
        first_channel = channels.stop
