"""The story of an FCPXML, spines in lanes and clips in clips, as flat clips in exact seconds."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction

import opentimelineio as otio

from hlcli.timeline.read.exact import exact_rate
from hlcli.timeline.read.fcpxml_assets import Assets
from hlcli.timeline.read.fcpxml_clips import AUDIO, VIDEO, ClipMaker, Clock, Placed

_LEAVES = ("asset-clip", "video", "audio")
_LEFT_OUT = {"title": "title", "caption": "caption", "mc-clip": "multicam clip"}
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
        self._counts: Counter[str] = Counter()
        self._maker = ClipMaker(assets, rate, self._counts)
        self._compounds: dict[str, None] = {}
        self.markers_of_gaps: list[otio.schema.Marker] = []
        """Markers that stand on no clip, by their place on the timeline."""

    def placed(self, sequence: ET.Element) -> list[Placed]:
        """Return the pictures and the sounds of a sequence.

        Raises:
            ValueError: A time is none, or clips lie in clips without end.
        """
        return list(self._items(sequence, Clock(shows=self._maker.time(sequence, "tcStart"))))

    def left_out(self) -> tuple[str, ...]:
        """Return what the file says and a timeline cannot, a sentence each."""
        notes = [f"the compound clip {name!r} is laid out in place" for name in self._compounds]
        for what, count in self._counts.items():
            many = f"{count} {what}{'s' if count > 1 else ''}"
            if what == "transition":
                notes.append(f"{many} became plain cuts at the edit points")
            elif what == "clip of another rate":
                many = "1 clip" if count == 1 else f"{count} clips"
                notes.append(f"{many} of another rate would be sped up to the timeline's, not here")
            else:
                notes.append(f"{many} left out, a gap stays")
        return tuple(notes)

    def _items(self, holder: ET.Element, clock: Clock) -> Iterator[Placed]:
        """Yield what lies in a holder: in a spine one after the other where nothing is said."""
        if clock.depth > _DEEPEST:
            raise ValueError(f"clips lie in clips more than {_DEEPEST} deep")
        at = clock.shows if holder.tag in ("spine", "sequence") else Fraction(0)
        for item in holder:
            chosen = item
            if item.tag == "audition" and len(item):
                # The first is the one that is picked; it stands where the audition does.
                chosen = ET.Element(item[0].tag, {**item[0].attrib, **item.attrib})
                chosen.extend(item[0])
            if chosen.tag == "transition":
                self._counts["transition"] += 1
            elif chosen.tag == "spine":
                offset = self._maker.time(chosen, "offset", clock.shows)
                # A storyline counts from its own start, the sequence's spine as the sequence.
                shows = clock.shows if holder.tag == "sequence" else Fraction(0)
                lane = int(chosen.get("lane", 0))
                yield from self._items(
                    chosen,
                    replace(
                        clock,
                        at=clock.place(offset),
                        shows=shows,
                        window=None if lane else clock.window,
                        lane=clock.lane + lane,
                        depth=clock.depth + 1,
                    ),
                )
            elif chosen.tag in (*_LEAVES, "clip", "sync-clip", "ref-clip", "gap", *_LEFT_OUT):
                offset = self._maker.time(chosen, "offset", at)
                yield from self._item(chosen, clock, clock.place(offset))
                if holder.tag == "spine":
                    at = offset + (self._duration(chosen) or 0)

    def _item(self, item: ET.Element, clock: Clock, at: Fraction) -> Iterator[Placed]:
        start = self._start(item)
        duration = self._duration(item)
        lane = int(item.get("lane", 0))
        # A connected clip reaches over the end of what it hangs on; a clip's own sound does not.
        bound = not lane or item.tag in ("video", "audio")
        own = replace(
            clock,
            at=at,
            shows=start,
            window=clock.window if bound else None,
            lane=clock.lane + lane,
            enabled=clock.enabled and item.get("enabled", "1") == "1",
            depth=clock.depth + 1,
        )
        if item.tag in _LEFT_OUT or (duration is None and item.tag not in _LEAVES):
            self._counts[_LEFT_OUT.get(item.tag, "clip without a length")] += 1
        elif item.tag in _LEAVES:
            yield from self._maker.clips(item, own, duration)
        elif item.tag == "gap":
            for marker in item.findall("marker"):
                place = own.place(self._maker.time(marker, "start"))
                self.markers_of_gaps.append(self._maker.marker(marker, place, self._rate))
        else:
            assert duration is not None
            inside = replace(own, window=own.cut(at, at + duration))
            if item.tag == "ref-clip":
                yield from self._compound(item, inside)
            else:
                parts = list(self._items(item, inside))
                self._hand_down_markers(item, parts, inside)
                yield from parts
                return
        yield from self._items(item, own)

    def _start(self, item: ET.Element) -> Fraction:
        """Return the clock of an item's first frame; a file's where nothing is said."""
        if item.get("start") is None and item.tag == "ref-clip":
            sequence = self._sequence(item)
            return Fraction(0) if sequence is None else self._maker.time(sequence, "tcStart")
        asset = self._assets.asset(item.get("ref", "")) if item.tag in _LEAVES else None
        return self._maker.time(item, "start", Fraction(0) if asset is None else asset.start)

    def _duration(self, item: ET.Element) -> Fraction | None:
        if item.get("duration") is not None:
            return self._maker.time(item, "duration")
        asset = self._assets.asset(item.get("ref", "")) if item.tag in _LEAVES else None
        if asset is None or asset.duration is None:
            return None
        return asset.start + asset.duration - self._start(item)

    def _sequence(self, item: ET.Element) -> ET.Element | None:
        media = self._assets.by_id.get(item.get("ref", ""))
        return None if media is None else media.find("sequence")

    def _compound(self, item: ET.Element, inside: Clock) -> Iterator[Placed]:
        sequence = self._sequence(item)
        if sequence is None:
            self._counts["clip without media"] += 1
            return
        self._compounds.setdefault(item.get("name", ""))
        wanted = {"audio": (AUDIO,), "video": (VIDEO,)}.get(item.get("srcEnable", "all"))
        for part in self._items(sequence, inside):
            if wanted is None or part.kind in wanted:
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
