"""The story of an FCPXML, spines in lanes and clips in clips, as flat clips in exact seconds."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction

import opentimelineio as otio

from hlcli.timeline.read.bounds import MOST_TRACKS, ItemCount
from hlcli.timeline.read.exact import exact_number, exact_rate, settled
from hlcli.timeline.read.fcpxml_assets import Assets
from hlcli.timeline.read.fcpxml_clips import (
    AUDIO,
    VIDEO,
    ClipMaker,
    Clock,
    LeftOut,
    Placed,
    silences_of,
)
from hlcli.timeline.read.types import listed

_LEAVES = ("asset-clip", "video", "audio")
_CONTAINERS = ("clip", "sync-clip", "ref-clip", "mc-clip")
_LEFT_OUT = {"title": "title", "caption": "caption"}
_KINDS = {"all": (VIDEO, AUDIO), "video": (VIDEO,), "audio": (AUDIO,), "none": ()}
_DEEPEST = 32


class Story:
    """Walks one project.

    Args:
        assets: The resources of its document.
        rate: Frames per second of the timeline.
    """

    def __init__(self, assets: Assets, rate: Fraction) -> None:
        self._assets = assets
        self._rate = rate
        self._left_out = LeftOut()
        self._maker = ClipMaker(assets, rate, self._left_out)
        self._num_transitions = 0
        self._laid_down = ItemCount()
        self.markers_of_gaps: list[otio.schema.Marker] = []
        """Markers that stand on no clip, by their place on the timeline."""

    def placed(self, sequence: ET.Element) -> list[Placed]:
        """Return the pictures and the sounds of a sequence.

        Raises:
            ValueError: A time is none, or clips lie in clips without end.
        """
        start = self._maker.time(sequence, "tcStart")
        return list(self._items(sequence, Clock(shows=start), start))

    def left_out(self) -> tuple[str, ...]:
        """Return what the file says and a timeline cannot, a sentence each."""
        notes = list(self._left_out.lines)
        for what, names in self._left_out.names.items():
            count = len(names)
            many = f"{count} {what if count == 1 else what.replace('clip', 'clips')}"
            if what == "clip of another rate":
                notes.append(
                    f"{many} would be sped up to the timeline's, not here: {listed(names)}"
                )
            else:
                many = f"{count} {what}{'s' if count > 1 else ''}"
                notes.append(f"{many} left out, a gap stays: {listed(names)}")
        if self._num_transitions:
            many = f"{self._num_transitions} transition{'s' if self._num_transitions > 1 else ''}"
            notes.append(f"{many} became plain cuts at the edit points")
        return tuple(notes)

    def _items(self, holder: ET.Element, clock: Clock, origin: Fraction) -> Iterator[Placed]:
        """Yield what lies in a holder: in a spine one after the other where nothing is said.

        Args:
            holder: A sequence, a spine, an angle, or the clip that holds the items.
            clock: The time of the holder.
            origin: Where that time begins, in seconds.
        """
        if clock.depth > _DEEPEST:
            raise ValueError(f"clips lie in clips more than {_DEEPEST} deep")
        at = origin if holder.tag in ("spine", "sequence", "mc-angle") else Fraction(0)
        for item in holder:
            self._laid_down.add()
            chosen = item
            if item.tag == "audition" and len(item):
                # The first is the one that is picked; it stands where the audition does.
                chosen = ET.Element(item[0].tag, {**item[0].attrib, **item.attrib})
                chosen.extend(item[0])
            if chosen.tag == "transition":
                self._num_transitions += 1
            elif chosen.tag == "spine":
                yield from self._spine(chosen, clock, origin)
            elif chosen.tag in (*_LEAVES, *_CONTAINERS, "gap", *_LEFT_OUT):
                offset = self._maker.time(chosen, "offset", at)
                yield from self._item(chosen, clock, clock.place(offset))
                if holder.tag in ("spine", "mc-angle"):
                    at = settled(offset + (self._duration(chosen) or 0))

    def _spine(self, spine: ET.Element, clock: Clock, origin: Fraction) -> Iterator[Placed]:
        inside = replace(clock, depth=clock.depth + 1)
        if spine.get("lane") is None and spine.get("offset") is None:
            # The storyline of what holds it: it counts as its holder does.
            yield from self._items(spine, inside, origin)
            return
        offset = self._maker.time(spine, "offset", origin)
        lane = clock.lane + _lane(spine)
        # A connected storyline counts from its own start.
        own = replace(inside, at=clock.place(offset), shows=Fraction(0), lane=lane)
        yield from self._items(spine, own, Fraction(0))

    def _item(self, item: ET.Element, clock: Clock, at: Fraction) -> Iterator[Placed]:
        duration = self._duration(item)
        own = replace(
            clock,
            at=at,
            shows=self._start(item),
            lane=clock.lane + _lane(item),
            enabled=clock.enabled and item.get("enabled", "1") == "1",
            depth=clock.depth + 1,
        )
        if item.tag in _LEFT_OUT or (duration is None and item.tag not in _LEAVES):
            self._left_out.add(_LEFT_OUT.get(item.tag, "clip without a length"), item.get("name"))
        elif item.tag in _LEAVES:
            yield from self._maker.clips(item, own, duration)
        elif item.tag == "gap":
            for marker in item.findall("marker"):
                place = own.place(self._maker.time(marker, "start"))
                self.markers_of_gaps.append(self._maker.marker(marker, place, self._rate))
        else:
            assert duration is not None
            content, anchored = self._parts_of(item, own, duration)
            yield from self._container(item, content, own, duration)
            yield from self._items(anchored, own, Fraction(0))
            return
        yield from self._items(item, own, Fraction(0))

    def _start(self, item: ET.Element) -> Fraction:
        """Return the clock of an item's first frame; a file's where nothing is said."""
        if item.get("start") is None and item.tag in _CONTAINERS:
            return self._origin(item)
        asset = self._assets.asset(item.get("ref", "")) if item.tag in _LEAVES else None
        return self._maker.time(item, "start", Fraction(0) if asset is None else asset.start)

    def _origin(self, item: ET.Element) -> Fraction:
        """Return where the time inside a container begins."""
        media = self._media(item) if item.tag in ("ref-clip", "mc-clip") else item
        return Fraction(0) if media is None else self._maker.time(media, "tcStart")

    def _duration(self, item: ET.Element) -> Fraction | None:
        if item.get("duration") is not None:
            return self._maker.time(item, "duration")
        asset = self._assets.asset(item.get("ref", "")) if item.tag in _LEAVES else None
        if asset is None or asset.duration is None:
            return None
        return asset.start + asset.duration - self._start(item)

    def _media(self, item: ET.Element) -> ET.Element | None:
        """Return the sequence or the angles that a compound or a multicam clip refers to."""
        media = self._assets.by_id.get(item.get("ref", ""))
        return None if media is None else media.find(_MEDIA[item.tag])

    def _parts_of(
        self, item: ET.Element, own: Clock, duration: Fraction
    ) -> tuple[ET.Element, ET.Element]:
        """Tell what a container holds, which it trims, from what hangs on it, which it does not.

        Both are its children, and both may lie in lanes.
        """
        content, anchored = ET.Element(item.tag), ET.Element(item.tag)
        has_storyline = any(child.tag == "spine" and child.get("lane") is None for child in item)
        for child in item:
            lane = _lane(child)
            offset = self._maker.time(child, "offset")
            # Nothing can hang on a frame that is not shown.
            hidden = not own.shows <= offset < own.shows + duration
            sound = item.tag == "sync-clip" and not has_storyline and self._is_sound(child)
            is_content = item.tag in ("clip", "sync-clip") and (
                not lane or child.tag in ("video", "audio") or hidden or sound
            )
            (content if is_content else anchored).append(child)
        return content, anchored

    def _is_sound(self, item: ET.Element) -> bool:
        asset = self._assets.asset(item.get("ref", ""))
        return item.get("srcEnable") == "audio" or (asset is not None and not asset.has_video)

    def _container(
        self, item: ET.Element, content: ET.Element, own: Clock, duration: Fraction
    ) -> Iterator[Placed]:
        """Yield what a clip that holds clips shows and plays of them."""
        name = item.get("name", "")
        speed, shows = self._maker.speed(item, own.shows)
        if speed is None or speed <= 0:
            what = "changes its speed" if speed is None else "plays backwards or stands still"
            self._left_out.lines.setdefault(f"{name!r} {what}: left out, a gap stays")
            return
        if speed != 1:
            self._left_out.lines.setdefault(
                f"{name!r} runs at {float(speed):g} times the speed: it plays at normal speed from "
                "the same first frame, as long as it lay on the timeline"
            )
        sound_at = own.place(self._maker.time(item, "audioStart", own.shows))
        sound_end = sound_at + self._maker.time(item, "audioDuration", duration)
        inside = replace(
            own,
            shows=shows,
            window=own.cut(VIDEO, own.at, own.at + duration),
            sound_window=own.cut(AUDIO, sound_at, sound_end),
            silences=(*own.silences, *silences_of(item, own.lane, None)),
        )
        if item.tag == "ref-clip":
            parts = list(self._compound(item, inside))
        elif item.tag == "mc-clip":
            parts = list(self._multicam(item, inside))
        else:
            for source in item.findall("sync-source"):
                hangs = source.get("sourceID") == "connected"
                silences = silences_of(source, own.lane, hangs)
                inside = replace(inside, silences=(*inside.silences, *silences))
            parts = list(self._items(content, inside, self._origin(item)))
        wanted = _KINDS.get(item.get("srcEnable", "all"), _KINDS["all"])
        parts = [part for part in parts if part.kind in wanted]
        self._hand_down_markers(item, parts, inside)
        if parts:
            parts[0].clip.effects.extend(self._maker.effects(item))
        yield from parts

    def _compound(self, item: ET.Element, inside: Clock) -> Iterator[Placed]:
        sequence = self._media(item)
        if sequence is None:
            self._left_out.add("clip without media", item.get("name"))
            return
        name = item.get("name", "")
        self._left_out.lines.setdefault(f"the compound clip {name!r} is laid out in place")
        yield from self._items(sequence, inside, self._origin(item))

    def _multicam(self, item: ET.Element, inside: Clock) -> Iterator[Placed]:
        """Yield the angles that a multicam clip shows and plays."""
        multicam = self._media(item)
        angles = (
            {}
            if multicam is None
            else {angle.get("angleID", ""): angle for angle in multicam.findall("mc-angle")}
        )
        if not angles:
            self._left_out.add("multicam clip without media", item.get("name"))
            return
        name = item.get("name", "")
        self._left_out.lines.setdefault(f"the multicam clip {name!r} is laid out in place")
        sources = item.findall("mc-source")
        if not sources:
            sources = [ET.Element("mc-source", {"angleID": next(iter(angles))})]
        for source in sources:
            angle = angles.get(source.get("angleID", ""))
            if angle is None:
                self._left_out.add("angle that is not there", item.get("name"))
                continue
            wanted = _KINDS.get(source.get("srcEnable", "all"), _KINDS["all"])
            silences = (*inside.silences, *silences_of(source, inside.lane, None))
            own = replace(inside, silences=silences)
            for part in self._items(angle, own, self._origin(item)) if wanted else ():
                if part.kind in wanted:
                    yield part

    def _hand_down_markers(self, item: ET.Element, parts: list[Placed], inside: Clock) -> None:
        """Give the markers of a clip to the picture in it, or to the sound where there is none."""
        ordered = sorted(parts, key=lambda part: (part.kind != VIDEO, part.lane))
        for marker in item.findall("marker"):
            place = inside.place(self._maker.time(marker, "start"))
            for part in ordered:
                if part.start <= place < part.stop:
                    time = part.media_start + place - part.start
                    rate = exact_rate(part.clip.source_range.start_time.rate)
                    part.clip.markers.append(self._maker.marker(marker, time, rate))
                    break


_MEDIA = {"ref-clip": "sequence", "mc-clip": "multicam"}


def _lane(item: ET.Element) -> int:
    number = int(exact_number(item.get("lane", "0")))
    if abs(number) > MOST_TRACKS:
        raise ValueError(f"lane {number} is beyond {MOST_TRACKS}")
    return number
