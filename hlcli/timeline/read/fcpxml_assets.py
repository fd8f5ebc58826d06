"""The formats and the files that an FCPXML's clips refer to."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from hlcli.errors import shortened
from hlcli.media.rates import rate_text, snap_rate
from hlcli.timeline.read.exact import (
    MOST_CHANNELS,
    exact_number,
    exact_rate,
    possible_seconds,
    whole_or_zero,
)
from hlcli.timeline.timecode import format_timecode

_TIME = re.compile(r"(-?\d+(?:\.\d+)?)(?:/(\d+))?s?")
_NAMED_RATE = re.compile(r"FFVideoFormat.*p(2398|2997|5994|\d\d)$")


@dataclass(frozen=True, slots=True)
class Shape:
    """One format."""

    frame_rate: Fraction | None
    """Frames per second; None where it is not stated, as for a varying one."""
    width: int
    """Width in pixels, 0 where it is not stated."""
    height: int
    """Height in pixels, 0 where it is not stated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asset:
    """One file."""

    url: str
    """Where it is, as the document says it."""
    name: str
    """What the document calls it."""
    shape: Shape
    """Its format."""
    start: Fraction
    """Clock of its first frame, in seconds."""
    duration: Fraction | None
    """Length in seconds; None where it is not stated."""
    has_video: bool
    """Whether it has a picture."""
    has_audio: bool
    """Whether it has sound."""
    channels: tuple[int, ...]
    """Channels of each of its sound tracks, as far as they are stated."""
    sample_rate: int
    """Samples of sound per second, in Hz."""

    def written(self, *, drop_frame: bool, rate: Fraction) -> dict[str, Any]:
        """Return what an OpenTimelineIO clip of `hl` says about its source.

        Args:
            drop_frame: Whether the clip says that its file counts so.
            rate: Frames per second where the file states none.
        """
        own = self.shape.frame_rate or rate
        start = round(self.start * own)
        return {
            "frame_rate": rate_text(own),
            "num_frames": None if self.duration is None else round(self.duration * own),
            "start_timecode": format_timecode(start, own, drop_frame=drop_frame) if start else None,
            "width": self.shape.width,
            "height": self.shape.height,
            "audio": [
                {"channels": count, "sample_rate": self.sample_rate} for count in self.channels
            ],
        }


class Assets:
    """The resources of one document, by their id."""

    def __init__(self, root: ET.Element) -> None:
        self.by_id = {element.get("id", ""): element for element in root.findall("resources/*")}
        self._components = _components(root)
        self._made: dict[str, Asset | None] = {}

    @staticmethod
    def seconds(text: str) -> Fraction:
        """Read a time: "1001/30000s", "5s" or "2.5s".

        Raises:
            ValueError: It is none.
        """
        match = _TIME.fullmatch(text.strip())
        if match is None:
            raise ValueError(f"{shortened(text)!r} is no time")
        return possible_seconds(exact_number(match[1]) / exact_number(match[2] or 1))

    def shape(self, ref: str) -> Shape:
        """Return a format; nothing is stated about one that is not there."""
        element = self.by_id.get(ref)
        if element is None or element.tag != "format":
            return Shape(None, 0, 0)
        rate = None
        name = element.get("name", "")
        named = _NAMED_RATE.fullmatch(name)
        if element.get("frameDuration") and "RateUndefined" not in name:
            rate = exact_rate(1 / self.seconds(element.get("frameDuration", "")))
        elif named is not None:
            rate = Fraction(named[1]) if len(named[1]) == 2 else Fraction(int(named[1]), 100)
        if rate is not None:
            rate = snap_rate(rate) or rate
        return Shape(
            rate, whole_or_zero(element.get("width")), whole_or_zero(element.get("height"))
        )

    def asset(self, ref: str) -> Asset | None:
        """Return a file; None for what is none, an effect or a compound clip."""
        if ref not in self._made:
            element = self.by_id.get(ref)
            is_file = element is not None and element.tag == "asset"
            self._made[ref] = self._asset(element) if is_file and element is not None else None
        return self._made[ref]

    def _asset(self, element: ET.Element) -> Asset:
        place = element.find("media-rep")
        # Before version 1.9 the file stood in the asset itself.
        url = (element if place is None else place).get("src", "")
        sample_rate = element.get("audioRate", "48000")
        if sample_rate.endswith("k"):
            sample_rate = str(round(exact_number(sample_rate[:-1]) * 1000))
        duration = element.get("duration")
        return Asset(
            url=url,
            name=element.get("name", ""),
            shape=self.shape(element.get("format", "")),
            start=self.seconds(element.get("start", "0s")),
            duration=None if duration is None else self.seconds(duration),
            has_video=element.get("hasVideo") == "1",
            has_audio=element.get("hasAudio") == "1",
            channels=self._channels(element) if element.get("hasAudio") == "1" else (),
            sample_rate=whole_or_zero(sample_rate) or 48000,
        )

    def _channels(self, element: ET.Element) -> tuple[int, ...]:
        sources = max(1, whole_or_zero(element.get("audioSources"), most=MOST_CHANNELS))
        count = whole_or_zero(element.get("audioChannels", 2), most=MOST_CHANNELS) or 1
        components = self._components.get(element.get("id", ""), ())
        if len(components) == sources:
            return components
        # The count is that of all sources together, or that of each.
        each = count // sources if sources > 1 and count % sources == 0 else count
        return (each,) * sources


def channel_numbers(text: str | None) -> list[int]:
    """Read "3, 4", counted from 1, as channels counted from 0."""
    numbers = (exact_number(part) for part in (text or "").split(",") if part.strip())
    return [min(int(number), MOST_CHANNELS) - 1 for number in numbers if number >= 1]


def _components(root: ET.Element) -> dict[str, tuple[int, ...]]:
    """Return how the clips of each asset group its channels, where they do."""
    found: dict[str, tuple[int, ...]] = {}
    for clip in root.iter("asset-clip"):
        groups = [
            channel_numbers(part.get("srcCh")) for part in clip.findall("audio-channel-source")
        ]
        numbers = [number for group in groups for number in group]
        if groups and numbers == list(range(len(numbers))):
            found.setdefault(clip.get("ref", ""), tuple(len(group) for group in groups))
    return found
