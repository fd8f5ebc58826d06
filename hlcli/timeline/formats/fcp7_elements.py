"""Parts of FCP7 XML that say what a file, a rate or a timecode is."""

from __future__ import annotations

import re
from fractions import Fraction
from xml.etree import ElementTree as ET

from hlcli.media.rates import NTSC
from hlcli.timeline.edit_list import EditList, Event, Source
from hlcli.timeline.paths import file_url, legal_xml
from hlcli.timeline.timecode import format_timecode, labels_per_second


def has_rate(frame_rate: Fraction) -> bool:
    """Return whether a whole timebase, or one slowed down by 1000/1001, is that rate.

    Below 2 lie time lapses, whose rate no program takes for one of a timeline.
    """
    return frame_rate >= 2 and frame_rate in (
        labels_per_second(frame_rate),
        labels_per_second(frame_rate) * NTSC,
    )


def add(parent: ET.Element, tag: str, text: object = None, **attributes: str) -> ET.Element:
    """Append an element; what XML cannot hold (control characters of a name) is replaced."""
    element = ET.SubElement(parent, tag, attributes)
    if text is not None:
        element.text = legal_xml(str(text))
    return element


def add_rate(parent: ET.Element, frame_rate: Fraction) -> None:
    """Append `<rate>`: 30000/1001 is the timebase 30 with ntsc TRUE."""
    rate = add(parent, "rate")
    add(rate, "timebase", labels_per_second(frame_rate))
    add(rate, "ntsc", "FALSE" if frame_rate.denominator == 1 else "TRUE")


def add_timecode(parent: ET.Element, frame: int, frame_rate: Fraction, *, drop_frame: bool) -> None:
    """Append `<timecode>` of a first frame, as label and as frame count."""
    timecode = add(parent, "timecode")
    add_rate(timecode, frame_rate)
    add(timecode, "string", format_timecode(frame, frame_rate, drop_frame=drop_frame))
    add(timecode, "frame", frame)
    add(timecode, "displayformat", "DF" if drop_frame else "NDF")


def add_picture(parent: ET.Element, frame_rate: Fraction, size: tuple[int, int]) -> None:
    """Append `<samplecharacteristics>` of a picture with square pixels; a size of 0 is left out."""
    characteristics = add(parent, "samplecharacteristics")
    add_rate(characteristics, frame_rate)
    if all(size):
        add(characteristics, "width", size[0])
        add(characteristics, "height", size[1])
    add(characteristics, "anamorphic", "FALSE")
    add(characteristics, "pixelaspectratio", "square")
    add(characteristics, "fielddominance", "none")


def add_sound(parent: ET.Element, sample_rate: int) -> None:
    """Append `<samplecharacteristics>` of a sound."""
    characteristics = add(parent, "samplecharacteristics")
    add(characteristics, "depth", 16)
    add(characteristics, "samplerate", sample_rate)


def add_file(parent: ET.Element, source: Source, identifier: str) -> None:
    """Append `<file>` with everything that is known about a source.

    The size is the stored one: readers turn a rotated picture themselves, or are told to by
    `add_motion`. Each sound track has an `<audio>` of its own; where there are several, each says
    which channels of the file are its own.
    """
    file = add(parent, "file", id=identifier)
    add(file, "name", source.name)
    add(file, "pathurl", path_url(source.path))
    add_rate(file, source.frame_rate)
    add(file, "duration", source.num_frames)
    add_timecode(file, source.start_frame, source.frame_rate, drop_frame=source.drop_frame)
    media = add(file, "media")
    size = (source.width, source.height)
    if source.rotation_degrees in (90, 270):
        size = (source.height, source.width)
    add_picture(add(media, "video"), source.frame_rate, size)
    channel = 0
    for stream in source.audio:
        audio = add(media, "audio")
        add_sound(audio, stream.sample_rate)
        add(audio, "channelcount", stream.channels)
        for _ in range(stream.channels):
            channel += 1
            if len(source.audio) > 1:
                add(add(audio, "audiochannel"), "sourcechannel", channel)


def path_url(path: str) -> str:
    r"""Return a path as editors write it here: `file://localhost/C%3a/a%20b.mp4`.

    A share keeps its server: `\\server\share\a.mp4` becomes `file://server/share/a.mp4`.
    """
    url = file_url(path)
    if url.startswith("file:///"):
        url = "file://localhost/" + url[len("file:///") :]
    return re.sub(r"^(file://localhost/[A-Za-z]):", r"\1%3a", url)


def add_motion(parent: ET.Element, event: Event, edit: EditList) -> None:
    """Append the turn and the scale that bring a picture upright and into the frame, if any.

    Premiere heeds neither the rotation that a phone writes into its files nor another size.
    """
    source = event.source
    degrees = source.rotation_degrees - 360 * (source.rotation_degrees > 180)
    percent = Fraction(100)
    if source.width and source.height and edit.width and edit.height:
        percent *= min(Fraction(edit.width, source.width), Fraction(edit.height, source.height))
    if not degrees and percent == 100:
        return
    effect = add(add(parent, "filter"), "effect")
    add(effect, "name", "Basic Motion")
    add(effect, "effectid", "basic")
    add(effect, "effectcategory", "motion")
    add(effect, "effecttype", "motion")
    add(effect, "mediatype", "video")
    for identifier, name, limit, value in (
        ("scale", "Scale", (0, 1000), f"{float(percent):.6g}"),
        ("rotation", "Rotation", (-8640, 8640), f"{degrees}"),
    ):
        parameter = add(effect, "parameter")
        add(parameter, "parameterid", identifier)
        add(parameter, "name", name)
        add(parameter, "valuemin", limit[0])
        add(parameter, "valuemax", limit[1])
        add(parameter, "value", value)
