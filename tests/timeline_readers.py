"""Reads the cuts of every format by itself, for tests: nothing of `hl`'s own readers is used.

OpenTimelineIO and its adapters read what they can; where an adapter is known to be wrong the file
is read as plain XML, by the format's own rules.
"""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from urllib.parse import unquote, urlsplit

import opentimelineio as otio


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """One piece of picture, in exact seconds, as a file says it."""

    media: str
    """Path of the source as written, decoded from a URL; a name where a format has only that."""
    first: Fraction | None
    """Start in the source from its first frame; None where the format counts by timecode alone."""
    clock: Fraction | None
    """Start by the source's timecode; None where the format has none."""
    length: Fraction
    """Length in the source."""
    record: Fraction
    """Start on the timeline, from its start."""


def read_cuts(path: Path, frame_rate: Fraction) -> list[Cut]:
    """Return the picture cuts of a file in the order of the timeline.

    Args:
        path: A file that `hl` wrote, or another program.
        frame_rate: Rate of the timeline in frames per second, for formats that do not say it.
    """
    return sorted(READERS[path.suffix](path, frame_rate), key=lambda cut: cut.record)


def exact_rate(rate: float) -> Fraction:
    """Return the rate that a float stands for: only full doubles of NTSC rates are understood."""
    for nominal in (24, 30, 48, 60, 120):
        if rate == float(Fraction(nominal * 1000, 1001)):
            return Fraction(nominal * 1000, 1001)
    return Fraction(rate)


def seconds(time: otio.opentime.RationalTime) -> Fraction:
    """Return a time of OpenTimelineIO exactly."""
    return Fraction(time.value) / exact_rate(time.rate)


def media_of(url: str) -> str:
    """Return the path in a file URL, or a bare path as it stands."""
    if not url.startswith("file:"):
        return url
    parts = urlsplit(url)
    path = unquote(parts.path)
    if parts.netloc and parts.netloc != "localhost":
        return "\\\\" + (parts.netloc + path).replace("/", "\\")
    is_windows = len(path) > 2 and path[2] == ":"
    return path[1:].replace("/", "\\") if is_windows else path


def _of_otio(timeline: otio.schema.Timeline) -> Iterator[Cut]:
    for track in timeline.video_tracks():
        # Summed here: OpenTimelineIO adds floats.
        at = Fraction(0)
        for clip in track:
            length = seconds(clip.trimmed_range().duration)
            if isinstance(clip, otio.schema.Clip):
                media = clip.media_reference
                available = getattr(media, "available_range", None)
                start = seconds(clip.source_range.start_time)
                yield Cut(
                    media=media_of(getattr(media, "target_url", None) or clip.name),
                    first=None if available is None else start - seconds(available.start_time),
                    clock=start,
                    length=length,
                    record=at,
                )
            at += length


def _otio(path: Path, frame_rate: Fraction) -> Iterator[Cut]:
    return _of_otio(otio.adapters.read_from_file(str(path)))


def _edl(path: Path, frame_rate: Fraction) -> Iterator[Cut]:
    timeline = otio.adapters.read_from_file(str(path), "cmx_3600", rate=float(frame_rate))
    return _of_otio(timeline)


def _aaf(path: Path, frame_rate: Fraction) -> Iterator[Cut]:
    # Bins make collections of what belongs to the timeline.
    return _of_otio(otio.adapters.read_from_file(str(path), "AAF", simplify=True))


def _fcp7(path: Path, frame_rate: Fraction) -> Iterator[Cut]:
    root = ET.parse(path).getroot()
    rate = _fcp7_rate(_one(root, "sequence/rate"))
    files = {
        file.attrib["id"]: file for file in root.iter("file") if file.find("pathurl") is not None
    }
    for item in root.findall("sequence/media/video/track/clipitem"):
        file = files[_one(item, "file").attrib["id"]]
        first, out, start = (int(_text(item, tag)) for tag in ("in", "out", "start"))
        timecode = file.find("timecode")
        clock = Fraction(0)
        if timecode is not None:
            clock = int(_text(timecode, "frame")) / _fcp7_rate(_one(timecode, "rate"))
        yield Cut(
            media=media_of(_text(file, "pathurl")),
            first=first / rate,
            clock=clock + first / rate,
            length=(out - first) / rate,
            record=start / rate,
        )


def _fcp7_rate(element: ET.Element) -> Fraction:
    nominal = int(_text(element, "timebase"))
    return Fraction(nominal * 1000, 1001) if _text(element, "ntsc") == "TRUE" else Fraction(nominal)


def _fcpxml(path: Path, frame_rate: Fraction) -> Iterator[Cut]:
    root = ET.parse(path).getroot()
    assets = {asset.attrib["id"]: asset for asset in root.iter("asset")}
    sequence = next(root.iter("sequence"))
    start = _time(sequence.get("tcStart", "0s"))
    for element in _one(sequence, "spine"):
        yield from _fcpxml_clip(element, assets, _time(element.attrib["offset"]) - start)


def _fcpxml_clip(
    element: ET.Element, assets: dict[str, ET.Element], record: Fraction
) -> Iterator[Cut]:
    clock = _time(element.get("start", "0s"))
    if element.tag == "asset-clip" and element.get("srcEnable") != "audio":
        asset = assets[element.attrib["ref"]]
        yield Cut(
            media=media_of(_one(asset, "media-rep").attrib["src"]),
            first=clock - _time(asset.get("start", "0s")),
            clock=clock,
            length=_time(element.attrib["duration"]),
            record=record,
        )
    for inner in element:
        if inner.tag in ("asset-clip", "gap") and inner.get("lane"):
            past = _time(inner.attrib["offset"]) - clock
            yield from _fcpxml_clip(inner, assets, record + past)


def _time(text: str) -> Fraction:
    return Fraction(text.removesuffix("s"))


def _mlt(path: Path, frame_rate: Fraction) -> Iterator[Cut]:
    root = ET.parse(path).getroot()
    profile = _one(root, "profile").attrib
    rate = Fraction(int(profile["frame_rate_num"]), int(profile["frame_rate_den"]))
    sources = {
        one.attrib["id"]: {p.attrib["name"]: p.text or "" for p in one.findall("property")}
        for tag in ("producer", "chain")
        for one in root.iter(tag)
    }
    for playlist in root.iter("playlist"):
        if playlist.attrib["id"] in ("main_bin", "background"):
            continue
        at = 0
        for item in playlist:
            if item.tag == "blank":
                at += int(item.attrib["length"])
            if item.tag != "entry":
                continue
            first, last = int(item.attrib["in"]), int(item.attrib["out"])
            values = sources.get(item.attrib["producer"], {})
            is_sound = values.get("video_index") == "-1" or values.get("set.test_image") == "1"
            if values.get("mlt_service", "").startswith("avformat") and not is_sound:
                yield Cut(
                    media=values["resource"],
                    first=first / rate,
                    clock=None,
                    length=(last - first + 1) / rate,
                    record=at / rate,
                )
            at += last - first + 1


def _one(element: ET.Element, path: str) -> ET.Element:
    found = element.find(path)
    assert found is not None, f"<{element.tag}> has no <{path}>"
    return found


def _text(element: ET.Element, path: str) -> str:
    return _one(element, path).text or ""


def _llc(path: Path, frame_rate: Fraction) -> Iterator[Cut]:
    project = json.loads(path.read_text(encoding="utf-8"))
    record = Fraction(0)
    for segment in project["cutSegments"]:
        # Seconds to a millionth: the frame is the nearest.
        start, end = (round(Fraction(segment[name]) * frame_rate) for name in ("start", "end"))
        length = (end - start) / frame_rate
        yield Cut(
            media=project["mediaFileName"],
            first=start / frame_rate,
            clock=None,
            length=length,
            record=record,
        )
        record += length


def _v1(path: Path, frame_rate: Fraction) -> Iterator[Cut]:
    timeline = json.loads(path.read_text(encoding="utf-8"))
    record = Fraction(0)
    assert timeline["chunks"][0][0] == 0
    for start, end, speed in timeline["chunks"]:
        if speed == 1:
            length = (end - start) / frame_rate
            yield Cut(
                media=timeline["source"],
                first=start / frame_rate,
                clock=None,
                length=length,
                record=record,
            )
            record += length


def _v3(path: Path, frame_rate: Fraction) -> Iterator[Cut]:
    timeline = json.loads(path.read_text(encoding="utf-8"))
    rate = Fraction(timeline["timebase"])
    for clip in (one for track in timeline["v"] for one in track):
        yield Cut(
            media=clip["src"],
            first=clip["offset"] / rate,
            clock=None,
            length=clip["dur"] / rate,
            record=clip["start"] / rate,
        )


READERS: dict[str, Callable[[Path, Fraction], Iterator[Cut]]] = {
    ".otio": _otio,
    ".otioz": _otio,
    ".xml": _fcp7,
    ".fcpxml": _fcpxml,
    ".edl": _edl,
    ".aaf": _aaf,
    ".mlt": _mlt,
    ".kdenlive": _mlt,
    ".llc": _llc,
    ".v1": _v1,
    ".v3": _v3,
}
"""Readers by extension."""
NO_CUTS = (".txt", ".ffmetadata")
"""Chapters: places, no cuts."""
