"""What Shotcut's and Kdenlive's projects have in common: the XML of the MLT framework.

MLT counts everything in frames of the profile, sources too, from the first frame of the file; start
timecodes are not its business. Outs are inclusive. A source of another rate is asked for the frame
at that time.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path

from hlcli.atomic import write_bytes
from hlcli.errors import OutputError
from hlcli.timeline.edit_list import EditList, Event, Marker, Source
from hlcli.timeline.paths import absolute_path, legal_xml, readable

MLT_VERSION = "7.12.0"
"""Of the framework whose XML is written; newer ones read it."""
COLORS = {
    "RED": "#da4453",
    "PINK": "#f06ea8",
    "ORANGE": "#f39c1f",
    "YELLOW": "#f2d13c",
    "GREEN": "#2ecc71",
    "CYAN": "#1abcd4",
    "BLUE": "#3d6ee9",
    "PURPLE": "#9b59b6",
    "MAGENTA": "#d434c8",
    "BLACK": "#202020",
    "WHITE": "#f0f0f0",
}
"""Colours of markers by OpenTimelineIO's name, as HTML writes them."""

_DEFAULT_SIZE = (1920, 1080)


def root(**attributes: str) -> ET.Element:
    """Return an empty MLT document."""
    return ET.Element("mlt", {"LC_NUMERIC": "C", "version": MLT_VERSION, **attributes})


def add_profile(parent: ET.Element, edit: EditList) -> None:
    """Add the exact rate and the size, which nobody but the document knows."""
    width, height = (edit.width, edit.height) if edit.width and edit.height else _DEFAULT_SIZE
    # Encoders and MLT's scalers want even sizes.
    width, height = width + width % 2, height + height % 2
    aspect = Fraction(width, height)
    ET.SubElement(
        parent,
        "profile",
        {
            "description": f"{width}x{height} {float(edit.frame_rate):.5g} fps",
            "width": str(width),
            "height": str(height),
            "progressive": "1",
            "sample_aspect_num": "1",
            "sample_aspect_den": "1",
            "display_aspect_num": str(aspect.numerator),
            "display_aspect_den": str(aspect.denominator),
            "frame_rate_num": str(edit.frame_rate.numerator),
            "frame_rate_den": str(edit.frame_rate.denominator),
            "colorspace": "709",
        },
    )


def add_properties(parent: ET.Element, properties: Mapping[str, str | int]) -> None:
    """Add MLT properties in the order given."""
    for name, value in properties.items():
        ET.SubElement(parent, "property", {"name": name}).text = str(value)


def add_source(
    parent: ET.Element, source: Source, length: int, *, tag: str, name: str
) -> ET.Element:
    """Add a source over its whole length, so that every cut keeps its handles.

    Args:
        parent: The document.
        source: What to add.
        length: Its length, of `source_lengths`.
        tag: "producer", or "chain" as Shotcut has it.
        name: Its id in the document.

    Raises:
        OutputError: Its path has characters that XML cannot hold.
    """
    element = ET.SubElement(parent, tag, {"id": name, "in": "0", "out": str(length - 1)})
    add_properties(
        element,
        {
            "length": length,
            "eof": "pause",
            "resource": resource(source),
            "mlt_service": "avformat",
            "seekable": 1,
        },
    )
    return element


def source_lengths(edit: EditList) -> dict[Source, int]:
    """Return the sources in the order of their first event, with their lengths.

    Returns:
        Frames at the timeline's rate.
    """
    lengths: dict[Source, int] = {}
    for event in edit.events:
        source = event.source
        whole = int(source.num_frames * edit.frame_rate // source.frame_rate)
        used = event.conformed(edit.frame_rate).stop
        lengths[source] = max(lengths.get(source, whole), used)
    return lengths


def resource(source: Source) -> str:
    """Return a path as MLT's `resource` must have it: bare and absolute.

    Every character stands for itself, "?" and ":" too; the escapes of MLT's manual are for command
    lines, and a URL would not be decoded. Windows paths have forward slashes, as Qt writes.

    Raises:
        OutputError: It has characters that XML cannot hold.
    """
    path = absolute_path(source.path)
    if legal_xml(path) != path:
        raise OutputError(
            f"the name of {readable(path)!r} cannot be written in an XML project: "
            "it has control characters or is not UTF-8",
            hint="rename the file and score it again, or write an .otio",
        )
    return path if path.startswith("/") else path.replace("\\", "/")


def place(
    playlist: ET.Element, clips: Sequence[tuple[Event, str]], edit: EditList
) -> list[ET.Element]:
    """Lay events on a playlist, with blanks between them.

    Args:
        playlist: The MLT playlist.
        clips: What lies on the track, in the order of `record`, each with the id of its producer.
        edit: The timeline.

    Returns:
        The entry of each.
    """
    entries = []
    at = 0
    for event, name in clips:
        if event.record.start > at:
            ET.SubElement(playlist, "blank", {"length": str(event.record.start - at)})
        frames = event.conformed(edit.frame_rate)
        span = {"in": str(frames.start), "out": str(frames.stop - 1)}
        entries.append(ET.SubElement(playlist, "entry", {"producer": name, **span}))
        at = event.record.stop
    return entries


def track_clips(edit: EditList, name: str) -> list[tuple[Event, int | None]]:
    """Return what lies on a track, "V1" or "A2", each with the sound track it plays."""
    number = int(name[1:]) - 1
    if name.startswith("V"):
        return [(event, None) for event in edit.events if event.video_track == number]
    return [
        (event, sound.stream)
        for event in edit.events
        for sound in event.sound
        if sound.track == number
    ]


def only(source: Source, stream: int | None) -> dict[str, str | int]:
    """Return the properties that make a source give its picture alone, or one sound track."""
    if stream is None:
        return {"audio_index": -1}
    if len(source.audio) == 1:
        return {"video_index": -1}  # MLT finds it by itself, also where the index is not known.
    # MLT counts all streams of the container; the picture comes first nearly always.
    index = source.audio[stream].index
    return {"video_index": -1, "audio_index": stream + 1 if index is None else index}


def timeline_markers(edit: EditList) -> list[tuple[range, Marker]]:
    """Return the markers with the frames of the timeline they cover, in their order there."""
    found = [
        (
            range(
                event.record_of(marker.frames.start, edit.frame_rate),
                event.record_of(marker.frames.stop - 1, edit.frame_rate) + 1,
            ),
            marker,
        )
        for event in edit.events
        for marker in event.markers
    ]
    return sorted(found, key=lambda pair: (pair[0].start, pair[0].stop))


def caption(event: Event) -> str:
    """Return what a clip is called on the timeline."""
    if event.highlight is None:
        return event.source.name
    return f"H{event.highlight.rank:02d} {event.highlight.moment.score:.2f} {event.source.name}"


def write_document(document: ET.Element, path: Path) -> None:
    """Write a document, the same bytes for the same elements.

    Raises:
        OutputError: It cannot be written there.
    """
    for element in document.iter():
        # A name of another program's timeline may hold anything.
        if element.text:
            element.text = legal_xml(element.text)
        for name, value in element.attrib.items():
            element.set(name, legal_xml(value))
    ET.indent(document)
    data = ET.tostring(document, encoding="utf-8", xml_declaration=True)
    write_bytes(path, data + b"\n")
