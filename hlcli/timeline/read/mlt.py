"""MLT XML, as Shotcut and Kdenlive write it.

Only what makes a cut is read: playlists of files with in and out points. Effects, titles and
blends are left out with a note.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import opentimelineio as otio

from hlcli.errors import TimelineError
from hlcli.media.rates import rate_text
from hlcli.timeline.edit_list import Source
from hlcli.timeline.paths import media_path
from hlcli.timeline.read.bounds import ItemCount, TooMuchError, xml_root
from hlcli.timeline.read.edit_of_otio import edit_of_otio
from hlcli.timeline.read.exact import exact_number, exact_rate, whole_or_zero
from hlcli.timeline.read.types import ReadTimeline

_VIDEO: str = otio.schema.TrackKind.Video
_AUDIO: str = otio.schema.TrackKind.Audio
_FILE_SERVICES = ("avformat", "avformat-novalidate", "timewarp", "xml", "")
_DEEPEST = 32
_COLOR_SERVICES = ("color", "colour")


def read(
    path: Path,
    *,
    search: Sequence[Path] = (),
    known: Sequence[Source] = (),
    rate: Fraction | None = None,
) -> ReadTimeline:
    """Read one project; the arguments are those of `hlcli.timeline.read.read_timeline`."""
    root = xml_root(path, "mlt", title="MLT")
    timeline = _Project(root, path).timeline()
    folder = Path(root.get("root") or path.parent)
    return edit_of_otio(timeline, folder=folder, search=search, known=known, rate=rate)


class _Project:
    """One `<mlt>` document."""

    def __init__(self, root: ET.Element, path: Path) -> None:
        self._path = path
        self._laid_down = ItemCount()
        self._depth = 0
        self._by_id = {element.get("id", ""): element for element in root.iter()}
        profile = root.find("profile")
        number = (
            (profile.get("frame_rate_num"), profile.get("frame_rate_den"))
            if (profile is not None)
            else (None, None)
        )
        if profile is None or not number[0] or not number[1]:
            raise self._error("does not say its frame rate")
        self.rate = exact_rate(exact_number(number[0]) / exact_number(number[1]))
        self._size = (whole_or_zero(profile.get("width")), whole_or_zero(profile.get("height")))
        self._root = root

    def timeline(self) -> otio.schema.Timeline:
        """Return the project's main sequence as a timeline."""
        tractors = self._root.findall("tractor")
        if not tractors:
            raise self._error("holds no sequence")
        main = tractors[-1]
        # Kdenlive wraps its sequences into a project.
        while (
            len(tracks := self._tracks(main)) == 1
            and tracks[0][0].tag == "tractor"
            and any(self._tracks(part)[1:] for part in (tracks[0][0],))
        ):
            main = tracks[0][0]
        timeline = otio.schema.Timeline(name=main.get("title") or self._path.stem)
        timeline.global_start_time = otio.opentime.RationalTime(0, float(self.rate))
        timeline.metadata["hl"] = {
            "frame_rate": rate_text(self.rate),
            "width": self._size[0],
            "height": self._size[1],
        }
        for kind in (_VIDEO, _AUDIO):
            tracks = self._tracks(main)
            if kind == _AUDIO and self._path.suffix.lower() == ".kdenlive":
                tracks.reverse()  # its first sound track lies next to the pictures
            for element, hidden in tracks:
                if hidden in (kind.lower(), "both"):
                    continue
                for track in self._playlists(element, kind):
                    timeline.tracks.append(track)
        return timeline

    def _tracks(self, tractor: ET.Element) -> list[tuple[ET.Element, str]]:
        """Return the tracks of a tractor that hold more than black, with what they hide."""
        found = []
        holders = [tractor, *tractor.findall("multitrack")]
        for track in (track for holder in holders for track in holder.findall("track")):
            element = self._by_id.get(track.get("producer", ""))
            if element is None:
                raise self._error(f"names a track {track.get('producer')!r} that is not there")
            if not self._is_background(element):
                found.append((element, track.get("hide", "")))
        return found

    def _is_background(self, element: ET.Element) -> bool:
        if element.tag in ("producer", "chain"):
            return _property(element, "mlt_service") in _COLOR_SERVICES
        if element.tag != "playlist":
            return False
        entries = element.findall("entry")
        producers = [self._by_id.get(entry.get("producer", "")) for entry in entries]
        return bool(entries) and all(
            producer is not None
            and producer.tag in ("producer", "chain")
            and _property(producer, "mlt_service") in _COLOR_SERVICES
            for producer in producers
        )

    def _playlists(self, element: ET.Element, kind: str) -> list[otio.schema.Track]:
        """Return a track as one, or as several where it is a tractor of playlists (Kdenlive)."""
        if element.tag == "tractor":
            found = []
            for part in self._parts(element, kind):
                found += self._playlists(part, kind)
            return found
        if element.tag != "playlist":
            raise self._error(f"has a track of kind {element.tag!r}")
        track = otio.schema.Track(name=_property(element, "shotcut:name"), kind=kind)
        heard = False
        for child in element:
            self._laid_down.add(1 + len(child))
            if child.tag == "blank":
                track.append(self._gap(self._frames(child.get("length", "0"))))
            elif child.tag == "entry":
                item = self._item(child, kind)
                heard |= not isinstance(item, otio.schema.Gap)
                track.append(item)
        # A track of sound alone is no picture track, and the other way round.
        return [track] if heard else []

    def _parts(self, tractor: ET.Element, kind: str) -> Iterator[ET.Element]:
        """Yield the tracks of a tractor within another that are seen or heard."""
        if self._depth >= _DEEPEST:
            raise TooMuchError(f"tractors lie in tractors more than {_DEEPEST} deep")
        self._depth += 1
        for element, hidden in self._tracks(tractor):
            self._laid_down.add()
            if hidden not in (kind.lower(), "both"):
                yield element
        self._depth -= 1

    def _item(self, entry: ET.Element, kind: str) -> otio.core.Item:
        producer = self._by_id.get(entry.get("producer", ""))
        if producer is None:
            raise self._error(f"names a clip {entry.get('producer')!r} that is not there")
        first = self._frames(entry.get("in") or producer.get("in") or "0")
        last = self._frames(entry.get("out") or producer.get("out") or "0")
        count = last - first + 1
        if producer.tag == "tractor":
            stack = otio.schema.Stack(name=producer.get("id", ""))
            stack.source_range = self._range(first, count)
            for element in self._parts(producer, kind):
                stack.extend(self._playlists(element, kind))
            return stack
        muted = "video_index" if kind == _VIDEO else "audio_index"
        if _property(producer, muted) == "-1" or _property(producer, f"set.test_{kind}") == "1":
            return self._gap(count)
        return self._clip(entry, producer, kind, first, count)

    def _clip(
        self, entry: ET.Element, producer: ET.Element, kind: str, first: int, count: int
    ) -> otio.schema.Clip:
        service = _property(producer, "mlt_service")
        resource = _property(producer, "resource")
        clip = otio.schema.Clip(source_range=self._range(first, count))
        if service == "timewarp":
            speed, _, resource = resource.partition(":")
            factor = exact_number(speed)
            clip.effects.append(otio.schema.LinearTimeWarp(time_scalar=float(factor)))
            clip.source_range = self._range(max(0, round(first * factor)), count)
        clip.name = media_path(resource).name
        length = _property(producer, "length")
        if service in _FILE_SERVICES:
            clip.media_reference = otio.schema.ExternalReference(
                target_url=resource,
                available_range=self._range(0, self._frames(length)) if length else None,
            )
        else:
            clip.name = _property(producer, "shotcut:caption") or service
            clip.media_reference = otio.schema.GeneratorReference(name=service)
        group = _property(entry, "shotcut:group")
        clip.metadata["hl"] = {"link": group} if group else {}
        stream = _property(producer, "astream")
        index = _property(producer, "audio_index")
        if kind == _AUDIO and (stream or index not in ("", "-1", "all")):
            # audio_index counts all streams of a file, the picture is the first.
            number = int(exact_number(stream) if stream else exact_number(index) - 1)
            clip.metadata["hl"]["source"] = {"audio_stream": max(0, number)}
        elif kind == _AUDIO:
            clip.metadata["hl"]["source"] = {"audio_stream": 0}
        for effect in (*producer.findall("filter"), *entry.findall("filter")):
            if _property(effect, "internal_added") or _property(effect, "shotcut:hidden"):
                continue
            if _property(effect, "disable") != "1":
                clip.effects.append(
                    otio.schema.Effect(effect_name=_property(effect, "mlt_service"))
                )
        return clip

    def _frames(self, text: str) -> int:
        """Return a place in frames: "75", or a clock "00:00:03.000" or a label "00:00:03:00"."""
        parts = text.replace(",", ".").split(":")
        try:
            if len(parts) == 1:
                return int(text)
            if len(parts) == 3:
                hours, minutes, seconds = map(exact_number, parts)
                return round(((hours * 60 + minutes) * 60 + seconds) * self.rate)
        except ValueError:
            pass
        raise self._error(f"has a place {text!r} that is no time")

    def _gap(self, count: int) -> otio.schema.Gap:
        return otio.schema.Gap(source_range=self._range(0, count))

    def _range(self, start: int, count: int) -> otio.opentime.TimeRange:
        rate = float(self.rate)
        return otio.opentime.TimeRange(
            otio.opentime.RationalTime(start, rate), otio.opentime.RationalTime(count, rate)
        )

    def _error(self, what: str) -> TimelineError:
        return TimelineError(f"{self._path} {what}", hint="save it again in Shotcut or Kdenlive")


def _property(element: ET.Element, name: str) -> str:
    for child in element.findall("property"):
        if child.get("name") == name:
            return (child.text or "").strip()
    return ""
