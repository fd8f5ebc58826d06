"""Final Cut Pro 7 XML, through `otio-fcp-adapter`.

The adapter keeps as metadata what OpenTimelineIO has no field for: the counting of a file's
timecode, its sound, which of its channels a clip plays, which clips belong together, what is
switched off, and speeds. It is put where the other readers look for it. What the adapter reads
wrongly, nested sequences and rates of 0, is put right in the XML before it gets it.
"""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import opentimelineio as otio

from hlcli.media.rates import rate_text
from hlcli.timeline.edit_list import Source
from hlcli.timeline.formats.fcp7 import MARKER_COLORS
from hlcli.timeline.read.bounds import MOST_DEPTH, ItemCount, TooMuchError, xml_root
from hlcli.timeline.read.edit_of_otio import edit_of_otio
from hlcli.timeline.read.exact import MOST_CHANNELS, entry, exact_rate, exact_seconds, whole_or_zero
from hlcli.timeline.read.otio import load
from hlcli.timeline.read.sources import NOT_MADE
from hlcli.timeline.read.types import ReadTimeline
from hlcli.timeline.relink import NO_SEARCH, Relinker
from hlcli.timeline.timecode import format_timecode, has_drop_frame


def read(
    path: Path,
    *,
    relinker: Relinker = NO_SEARCH,
    known: Sequence[Source] = (),
    rate: Fraction | None = None,
) -> ReadTimeline:
    """Read one sequence; the arguments are those of `hlcli.timeline.read.read_timeline`."""
    timeline = load(path, "fcp_xml", text=prepared(path))
    for item in timeline.find_children(descended_from_type=otio.core.Item):
        item.enabled = str(entry(item.metadata, "fcp_xml", "enabled")).upper() != "FALSE"
        _retime(item)
    for clip in timeline.find_clips():
        _explain(clip)
    # Premiere writes no colour for green; from another program a marker without one has none.
    is_premiere = entry(timeline.metadata, "fcp_xml", "@explodedTracks") is not None
    for marked in (timeline.tracks, *timeline.find_children(descended_from_type=otio.core.Item)):
        for marker in marked.markers:
            marker.color = _color(entry(marker.metadata, "fcp_xml", "pproColor"), is_premiere)
    style = entry(timeline.metadata, "fcp_xml", "media", "video", "format", "samplecharacteristics")
    display = entry(timeline.metadata, "fcp_xml", "timecode", "displayformat")
    timeline.metadata["hl"] = {
        "width": whole_or_zero(entry(style, "width")),
        "height": whole_or_zero(entry(style, "height")),
        "drop_frame": None if display is None else display == "DF",
    }
    return edit_of_otio(timeline, folder=path.parent, relinker=relinker, known=known, rate=rate)


def prepared(path: Path) -> str:
    """Return the text of a file with what the adapter reads wrongly put right.

    Raises:
        TimelineError: It is no XML.
    """
    root = xml_root(path, "xmeml", title="Final Cut Pro 7 XML")
    parents = {child: parent for parent in root.iter() for child in parent}
    for rate in list(root.iter("rate")):
        # Premiere gives placeholders a timebase of 0: they count as what they lie in.
        if (rate.findtext("timebase") or "").strip() in ("", "0"):
            parents[rate].remove(rate)
    for clip in root.iter("clipitem"):
        if clip.find("file") is None and clip.find("sequence") is None:
            # The adapter gives up at it: a multiclip, or a placeholder for nothing.
            what = NOT_MADE[clip.find("multiclip") is None]
            ET.SubElement(ET.SubElement(clip, "file"), "mediaSource").text = what
    for effect in list(root.iter("filter")):
        if (effect.findtext("enabled") or "").strip().upper() == "FALSE":
            parents[effect].remove(effect)
    nested = [sequence for clip in root.iter("clipitem") for sequence in clip.findall("sequence")]
    _define_first(root)
    _count_items(root)
    names = {sequence.get("id") for sequence in nested} - {None}
    listed = [bin_.findall("sequence") for bin_ in root.iter("children")]
    outer = [s for found in listed for s in found if s.get("id") not in names]
    uses = {sequence.get("id"): sequence for sequence in nested if not len(sequence)}
    for sequence in [s for found in listed for s in found] if outer else []:
        # Nested sequences lie in a bin of the project, too; they are laid out where they are used.
        if sequence not in outer:
            parents[sequence].remove(sequence)
            use = uses.get(sequence.get("id"))
            if len(sequence) and use is not None:
                use.extend(sequence)
    _define_first(root)
    for sequence in nested:
        # The adapter looks for the tracks of a nested sequence in the sequence itself.
        media = sequence.find("media")
        if media is not None:
            sequence.remove(media)
            sequence.extend(media)
    return ET.tostring(root, encoding="unicode")


def _define_first(root: ET.Element) -> None:
    """Let the first element of an id be the one that defines it, as the adapter takes it to be."""
    # A definition that moves up takes with it what it holds.
    for _ in range(MOST_DEPTH):
        if not _moved_up(root):
            return


def _moved_up(root: ET.Element) -> bool:
    moved = False
    first: dict[tuple[str, str], ET.Element] = {}
    for element in list(root.iter()):
        if element.tag not in ("sequence", "file") or not element.get("id"):
            continue
        known = first.setdefault((element.tag, element.get("id", "")), element)
        if known is not element and len(element) and not len(known):
            known.extend(element)
            for child in list(element):
                element.remove(child)
            moved = True
    return moved


def _count_items(root: ET.Element) -> None:
    """Refuse sequences that hold each other so often that laying them out has no end."""
    inside: dict[str | int, list[tuple[int, list[str | int]]]] = {}
    for sequence in root.iter("sequence"):
        tracks = sequence.findall("media/*/track")
        own = sum(len(track) for track in tracks)
        used = [
            nested.get("id") or id(nested)
            for track in tracks
            for nested in track.findall("clipitem/sequence")
        ]
        inside.setdefault(sequence.get("id") or id(sequence), []).append((own, used))
    counts: dict[str | int, int] = {}

    def count(name: str | int, depth: int) -> int:
        if name not in counts:
            if depth > MOST_DEPTH:
                raise TooMuchError(f"sequences are nested more than {MOST_DEPTH} deep")
            counts[name] = max(
                own + sum(count(other, depth + 1) for other in used)
                for own, used in inside.get(name, [(0, [])])
            )
        return counts[name]

    ItemCount().add(max((count(name, 0) for name in inside), default=0))


def _retime(item: otio.core.Item) -> None:
    """Make the filter for speed the effect that OpenTimelineIO has for it."""
    if str(entry(item.metadata, "fcp_xml", "stillframe")).upper() == "TRUE":
        item.effects.append(otio.schema.FreezeFrame())
    for index, effect in enumerate(item.effects):
        about = entry(effect.metadata, "fcp_xml")
        if "timeremap" not in (str(entry(about, "effectid")).lower().replace(" ", "")):
            continue
        values = {
            str(entry(part, "parameterid")): str(entry(part, "value"))
            for part in _list(entry(about, "parameter"))
        }
        speed = _speed(values)
        if speed is None:
            item.effects[index] = otio.schema.TimeEffect()
            continue
        item.effects[index] = otio.schema.LinearTimeWarp(time_scalar=speed)
        if speed > 0 and isinstance(item, otio.schema.Clip) and item.source_range is not None:
            # Its ends count in the retimed file.
            media = item.media_reference
            available = None if media is None else media.available_range
            start = item.source_range.start_time
            origin = start - start if available is None else available.start_time
            since = start - origin.rescaled_to(start.rate)
            item.source_range = otio.opentime.TimeRange(
                origin.rescaled_to(start.rate)
                + otio.opentime.RationalTime(since.value * speed, start.rate),
                item.source_range.duration,
            )


def _speed(values: dict[str, str]) -> float | None:
    """Return how many times faster a filter for speed plays; None where it changes."""
    if values.get("variablespeed", "0").strip() in ("1", "TRUE", "true"):
        return None
    try:
        speed = float(values["speed"]) / 100
    except (KeyError, ValueError):
        return None
    if not math.isfinite(speed):
        return None
    return -abs(speed) if values.get("reverse", "").strip().upper() == "TRUE" else speed


def _explain(clip: otio.schema.Clip) -> None:
    """Say in `hl`'s words what a clip's Final Cut metadata says."""
    own: dict[str, Any] = {}
    links = _list(entry(clip.metadata, "fcp_xml", "link"))
    references = [str(entry(link, "linkclipref")) for link in links]
    if references:
        own["link"] = min(references)
    media = clip.media_reference
    available = None if media is None else media.available_range
    source: dict[str, Any] = {}
    if available is not None:
        about = entry(media.metadata, "fcp_xml")
        rate = exact_rate(available.duration.rate)
        drop_frame = entry(about, "timecode", "displayformat") == "DF" and has_drop_frame(rate)
        start = round(exact_seconds(available.start_time) * rate)
        if start or drop_frame:
            source["start_timecode"] = format_timecode(start, rate, drop_frame=drop_frame)
        picture = entry(about, "media", "video", "samplecharacteristics")
        source["frame_rate"] = rate_text(rate)
        source["width"] = whole_or_zero(entry(picture, "width"))
        source["height"] = whole_or_zero(entry(picture, "height"))
        if entry(about, "media") is not None:
            source["audio"] = [
                {
                    "channels": whole_or_zero(entry(track, "channelcount"), most=MOST_CHANNELS)
                    or 1,
                    "sample_rate": whole_or_zero(
                        entry(track, "samplecharacteristics", "samplerate")
                    ),
                }
                for track in _list(entry(about, "media", "audio"))
            ]
    index = whole_or_zero(entry(clip.metadata, "fcp_xml", "sourcetrack", "trackindex"))
    if index > 0:
        kind = entry(clip.metadata, "fcp_xml", "@premiereChannelType")
        num_tracks = len(source.get("audio", ()))
        # Premiere counts channels, but of a stereo pair beside others the pairs; Resolve counts
        # sound tracks always. Where there is one sound track, only channels can be meant.
        if num_tracks > 1 and kind in (None, "stereo") and index <= num_tracks:
            source["audio_stream"] = index - 1
        else:
            source["audio_channels"] = [index - 1]
    if source:
        own["source"] = source
    clip.metadata["hl"] = own


def _color(written: Any, is_premiere: bool) -> str:
    """Return the colour of a marker, which the adapter leaves red; empty where it is not known."""
    if written is None:
        return "GREEN" if is_premiere else ""
    names = {str(number): name for name, number in MARKER_COLORS.items()}
    return names.get(str(written), "")


def _list(value: Any) -> list[Any]:
    """Return the elements of one name, which the adapter gives as one or as a list."""
    if value is None:
        return []
    return list(value) if isinstance(value, otio._otio.AnyVector | list) else [value]
