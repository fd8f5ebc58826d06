"""MLT XML, as Shotcut and Kdenlive write it.

Only what makes a cut is read: playlists of files with in and out points. Effects, titles and
blends are left out with a note; a mix of two clips is a cut at its middle. Where a program works
with a proxy, the original is taken.
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
from hlcli.timeline.read.types import Notes, ReadTimeline, listed
from hlcli.timeline.relink import NO_SEARCH, MissingMedia, Relinker

_VIDEO: str = otio.schema.TrackKind.Video
_AUDIO: str = otio.schema.TrackKind.Audio
_FILE_SERVICES = ("avformat", "avformat-novalidate", "timewarp", "")
_PROJECT_SERVICES = ("xml", "xml-nogl", "xml-string", "consumer")
_PROJECTS = (".mlt", ".kdenlive")
_TESTS = ("image", "audio")
_DEEPEST = 32
_COLOR_SERVICES = ("color", "colour")


def read(
    path: Path,
    *,
    relinker: Relinker = NO_SEARCH,
    known: Sequence[Source] = (),
    rate: Fraction | None = None,
) -> ReadTimeline:
    """Read one project; the arguments are those of `hlcli.timeline.read.read_timeline`."""
    root = xml_root(path, "mlt", title="MLT")
    project = _Project(root, path, relinker=relinker)
    timeline = project.timeline()
    return edit_of_otio(
        timeline,
        folder=project.folder,
        relinker=relinker,
        known=known,
        rate=rate,
        notes=project.notes.lines(),
    )


class _Project:
    """One `<mlt>` document.

    Args:
        root: The document.
        path: Its file.
        relinker: Finds media, originals of proxies and nested projects, where they may be read.
        outer: The project it is nested in; None for the one that is read.
    """

    def __init__(
        self,
        root: ET.Element,
        path: Path,
        *,
        relinker: Relinker,
        outer: _Project | None = None,
    ) -> None:
        self._path = path
        self._outer = outer
        self.folder = Path(root.get("root") or path.parent)
        """Where its relative paths start."""
        self._relinker = relinker.beside(path.parent)
        self.notes: Notes = outer.notes if outer else Notes()
        """What is left out."""
        self._laid_down: ItemCount = outer._laid_down if outer else ItemCount()
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
            for number, (element, hidden, _) in enumerate(tracks):
                found = self._playlists(element, kind)
                if hidden in (kind.lower(), "both"):
                    self._leave_out(element, kind, hidden, found, number)
                else:
                    timeline.tracks.extend(found)
        return timeline

    def _leave_out(
        self, track: ET.Element, kind: str, hidden: str, found: list[otio.schema.Track], number: int
    ) -> None:
        """Note a track that is switched off; that pictures hide their sound is ordinary."""
        names = listed(clip.name for part in found for clip in part.find_clips())
        of_sound = _property(track, "shotcut:audio") or _property(track, "kdenlive:audio_track")
        if names and (hidden == "both" or (kind == _VIDEO and not of_sound)):
            called = _property(track, "shotcut:name") or _property(track, "kdenlive:track_name")
            name = repr(called) if called else f"{kind[0]}{number + 1}"
            what = "switched-off track" if hidden == "both" else "hidden picture of the track"
            self.notes.add(f"the {what} {name} is left out: {names}")

    def _tracks(self, tractor: ET.Element) -> list[tuple[ET.Element, str, ET.Element]]:
        """Return the tracks of a tractor that hold more than black.

        Returns:
            What each plays, what it hides, and the element that says so.
        """
        found = []
        holders = [tractor, *tractor.findall("multitrack")]
        for track in (track for holder in holders for track in holder.findall("track")):
            element = self._by_id.get(track.get("producer", ""))
            if element is None:
                raise self._error(f"names a track {track.get('producer')!r} that is not there")
            if not self._is_background(element):
                found.append((element, track.get("hide", ""), track))
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

    def _playlists(
        self, element: ET.Element, kind: str, holder: ET.Element | None = None
    ) -> list[otio.schema.Track]:
        """Return a track as one, or as several where it is a tractor of several."""
        if element.tag == "tractor":
            found = []
            for part, track in self._parts(element, kind):
                found += self._playlists(part, kind, track)
            return self._mixed(element, found)
        if element.tag in ("producer", "chain"):
            # A track of one clip, from its first frame.
            first, count = self._ends(holder, element)
            track = otio.schema.Track(kind=kind, children=[self._of(element, kind, first, count)])
            return [] if isinstance(track[0], otio.schema.Gap) else [track]
        if element.tag != "playlist":
            raise self._error(f"has a track of kind {element.tag!r}")
        track = otio.schema.Track(name=_property(element, "shotcut:name"), kind=kind)
        has_sound = False
        for child in element:
            self._laid_down.add(1 + len(child))
            if child.tag == "blank":
                track.append(self._gap(self._frames(child.get("length", "0"))))
            elif child.tag == "entry":
                for item in self._items(child, kind):
                    has_sound |= not isinstance(item, otio.schema.Gap)
                    track.append(item)
        # A track of sound alone is no picture track, and the other way round.
        return [track] if has_sound else []

    def _mixed(
        self, tractor: ET.Element, tracks: list[otio.schema.Track]
    ) -> list[otio.schema.Track]:
        """Return the two playlists between which Kdenlive mixes clips as one track.

        Its clips lie on one playlist and the other in turn, and overlap where they are mixed.
        """
        mixes = [
            (self._frames(mix.get("in") or "0"), self._frames(mix.get("out") or "0") + 1)
            for mix in tractor.findall("transition")
            if mix.get("out") and _property(mix, "always_active") != "1"
        ]
        if not mixes or len(tracks) != 2:
            return tracks
        placed: list[tuple[int, int, otio.core.Item]] = []
        for track in tracks:
            at = 0
            for item in track:
                if isinstance(item, otio.schema.Transition):
                    return tracks
                start, at = at, at + round(item.source_range.duration.value)
                if not isinstance(item, otio.schema.Gap):
                    placed.append((start, at, item))
        placed.sort(key=lambda part: part[:2])
        merged = otio.schema.Track(name=tracks[0].name, kind=tracks[0].kind)
        at = 0
        for index, (start, stop, item) in enumerate(placed):
            begin, end = start, stop
            if index and placed[index - 1][1] > start:
                mixed = (start, placed[index - 1][1])
                if not any(i - 1 <= mixed[0] and mixed[1] <= o + 1 for i, o in mixes):
                    return tracks
                begin = sum(mixed) // 2
                merged.append(otio.schema.Transition(transition_type="SMPTE_Dissolve"))
            if index + 1 < len(placed) and placed[index + 1][0] < stop:
                end = (placed[index + 1][0] + stop) // 2
            if end <= begin or begin < at:
                return tracks
            if begin > at:
                merged.append(self._gap(begin - at))
            cut = item.deepcopy()
            speed = next(
                (e.time_scalar for e in cut.effects if isinstance(e, otio.schema.LinearTimeWarp)), 1
            )
            first = cut.source_range.start_time.value + (begin - start) * speed
            cut.source_range = self._range(round(first), end - begin)
            merged.append(cut)
            at = end
        return [merged]

    def _parts(self, tractor: ET.Element, kind: str) -> Iterator[tuple[ET.Element, ET.Element]]:
        """Yield the tracks of a tractor within another that are seen or heard."""
        if self._depth >= _DEEPEST:
            raise TooMuchError(f"tractors lie in tractors more than {_DEEPEST} deep")
        self._depth += 1
        for element, hidden, track in self._tracks(tractor):
            self._laid_down.add()
            if hidden not in (kind.lower(), "both"):
                yield element, track
        self._depth -= 1

    def _items(self, entry: ET.Element, kind: str) -> list[otio.core.Composable]:
        """Return what an entry of a playlist plays, as one item or as the two of a mix."""
        producer = self._by_id.get(entry.get("producer", ""))
        if producer is None:
            raise self._error(f"names a clip {entry.get('producer')!r} that is not there")
        first, count = self._ends(entry, producer)
        if producer.tag == "tractor" and _property(producer, "shotcut:transition"):
            parts = [part for part in self._tracks(producer) if part[0].tag != "playlist"]
            if len(parts) == 2 and count > 1:
                return self._halves(parts, kind, first, count)
        return [self._of(producer, kind, first, count, entry)]

    def _halves(
        self,
        parts: list[tuple[ET.Element, str, ET.Element]],
        kind: str,
        first: int,
        count: int,
    ) -> list[otio.core.Composable]:
        """Return a mix of two clips, as Shotcut has it, as a cut at its middle."""
        half = count // 2
        found: list[otio.core.Composable] = []
        for (element, hidden, track), start, length in zip(
            parts, (first, first + half), (half, count - half), strict=True
        ):
            begin, _ = self._ends(track, element)
            if hidden in (kind.lower(), "both"):
                found.append(self._gap(length))
            else:
                found.append(self._of(element, kind, begin + start, length))
        mix = otio.schema.Transition(transition_type="SMPTE_Dissolve")
        return [found[0], mix, found[1]]

    def _ends(self, entry: ET.Element | None, producer: ET.Element) -> tuple[int, int]:
        """Return the first frame an entry takes of a producer, and how many."""
        said = {} if entry is None else entry.attrib
        first = self._frames(said.get("in") or producer.get("in") or "0")
        last = self._frames(said.get("out") or producer.get("out") or "0")
        return first, last - first + 1

    def _of(
        self,
        producer: ET.Element,
        kind: str,
        first: int,
        count: int,
        entry: ET.Element | None = None,
    ) -> otio.core.Item:
        """Return a stretch of what a producer plays."""
        if producer.tag == "tractor":
            stack = otio.schema.Stack(name=producer.get("id", ""))
            stack.source_range = self._range(first, count)
            for element, track in self._parts(producer, kind):
                stack.extend(self._playlists(element, kind, track))
            return stack
        muted, off = {
            _VIDEO: ("video_index", "set.test_image"),
            _AUDIO: ("audio_index", "set.test_audio"),
        }[kind]
        is_disabled = all(_property(producer, f"set.test_{what}") == "1" for what in _TESTS)
        if not is_disabled and (
            _property(producer, muted) == "-1" or _property(producer, off) == "1"
        ):
            return self._gap(count)
        made = self._nested(producer, kind, first, count)
        if made is None:
            made = self._clip(entry, producer, kind, first, count)
        made.enabled = not is_disabled
        return made

    def _nested(
        self, producer: ET.Element, kind: str, first: int, count: int
    ) -> otio.core.Item | None:
        """Return a stretch of a project that lies in this one as a clip; None for other clips."""
        resource = _property(producer, "resource")
        name = media_path(resource).name
        if (
            _property(producer, "mlt_service") not in _PROJECT_SERVICES
            and media_path(resource).suffix.lower() not in _PROJECTS
        ):
            return None
        projects: list[_Project] = [self]
        while projects[-1]._outer is not None:
            projects.append(projects[-1]._outer)
        file = self._relinker.here(self.folder / resource)
        file = file or self._relinker.find(MissingMedia(path=name))
        inner = None
        if file is None:
            self.notes.add(
                f"the nested project {name!r} is not there: left out, a gap stays; --search finds "
                "it in another folder"
            )
        elif len(projects) > _DEEPEST or any(file == project._path for project in projects):
            raise TooMuchError(f"the project {name!r} lies in itself")
        else:
            root = xml_root(file, "mlt", title="MLT")
            inner = _Project(root, file, relinker=self._relinker, outer=self)
            if inner.rate != self.rate:
                self.notes.add(
                    f"the nested project {name!r} has another frame rate: left out, a gap stays"
                )
                inner = None
        if inner is None:
            return self._gap(count)
        stack = otio.schema.Stack(name=name, source_range=self._range(first, count))
        timeline = inner.timeline()  # its tracks go with it
        for track in timeline.tracks:
            if track.kind != kind:
                continue
            for clip in track.find_clips():
                media = clip.media_reference
                url = getattr(media, "target_url", None)
                if url and "://" not in url and not media_path(url).is_absolute():
                    media.target_url = str(inner.folder / url)
            stack.append(track.deepcopy())
        return stack

    def _original(self, producer: ET.Element, resource: str) -> str:
        """Return the file a producer stands for: the original of a proxy, if it is there."""
        proxy = _property(producer, "kdenlive:proxy")
        original = (
            _property(producer, "kdenlive:originalurl")
            if proxy not in ("", "-")
            else _property(producer, "shotcut:originalResource")
            if _property(producer, "shotcut:proxy") == "1"
            else ""
        )
        if not original or original == resource:
            return resource
        here = self._relinker.here(self.folder / original)
        if here is not None or self._relinker.find(MissingMedia(path=original)) is not None:
            return original
        if self._relinker.here(self.folder / resource) is None:
            return original
        self.notes.add(f"{original} is not there: its proxy {resource} is taken")
        return resource

    def _clip(
        self, entry: ET.Element | None, producer: ET.Element, kind: str, first: int, count: int
    ) -> otio.schema.Clip:
        service = _property(producer, "mlt_service")
        resource = _property(producer, "resource")
        clip = otio.schema.Clip(source_range=self._range(first, count))
        if service == "timewarp":
            speed, _, resource = resource.partition(":")
            factor = exact_number(speed)
            clip.effects.append(otio.schema.LinearTimeWarp(time_scalar=float(factor)))
            clip.source_range = self._range(max(0, round(first * factor)), count)
        resource = self._original(producer, resource)
        if any(_property(link, "mlt_service") == "timeremap" for link in producer.findall("link")):
            clip.effects.append(otio.schema.TimeEffect())
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
        group = "" if entry is None else _property(entry, "shotcut:group")
        clip.metadata["hl"] = {"link": group} if group else {}
        stream = _property(producer, "astream")
        index = _property(producer, "audio_index")
        if kind == _AUDIO and (stream or index not in ("", "-1", "all")):
            # audio_index counts all streams of a file, the picture is the first.
            number = int(exact_number(stream) if stream else exact_number(index) - 1)
            clip.metadata["hl"]["source"] = {"audio_stream": max(0, number)}
        elif kind == _AUDIO:
            clip.metadata["hl"]["source"] = {"audio_stream": 0}
        own = [] if entry is None else entry.findall("filter")
        for effect in (*producer.findall("filter"), *own):
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
