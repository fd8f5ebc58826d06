"""One clip of an FCPXML that shows a file, as OpenTimelineIO clips of its picture and its sound."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import opentimelineio as otio

from hlcli.timeline.formats.fcpxml_resources import RATE_NAMES
from hlcli.timeline.read.fcpxml_assets import Asset, Assets, channel_numbers

VIDEO: str = otio.schema.TrackKind.Video
AUDIO: str = otio.schema.TrackKind.Audio
_NO_EFFECTS = ("adjust-conform", "adjust-panner")
_OWN_NAME = re.compile(r"H(\d+) ([01]\.\d\d)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """One picture or one sound on the timeline."""

    kind: str
    """`TrackKind.Video` or `TrackKind.Audio`."""
    lane: int
    """0 is the spine, higher ones lie over it."""
    start: Fraction
    """Begin, in seconds from the timeline's start."""
    stop: Fraction
    """End, in the same."""
    media_start: Fraction
    """What its file's clock shows there, in seconds."""
    clip: otio.schema.Clip
    """It, counted by that clock."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """How the time of what holds an item relates to the timeline."""

    at: Fraction = Fraction(0)
    """Place on the timeline where it shows `shows`, in seconds."""
    shows: Fraction = Fraction(0)
    """What it shows there, in seconds."""
    window: tuple[Fraction, Fraction] | None = None
    """What of the timeline it may fill, in seconds; None for all."""
    lane: int = 0
    """0 is the spine."""
    enabled: bool = True
    """Whether nothing around it is switched off."""
    depth: int = 0
    """How many clips it lies in."""

    def place(self, time: Fraction) -> Fraction:
        """Return where an instant lies on the timeline."""
        return self.at + time - self.shows

    def cut(self, start: Fraction, stop: Fraction) -> tuple[Fraction, Fraction]:
        """Return what the window leaves of a stretch."""
        begin, end = self.window or (start, stop)
        return max(start, begin), min(stop, end)


class ClipMaker:
    """Makes the clips of one project.

    Args:
        assets: The resources of its document.
        rate: Frames per second of the timeline.
        counts: Gets what is left out.
    """

    def __init__(self, assets: Assets, rate: Fraction, counts: Counter[str]) -> None:
        self._assets = assets
        self._rate = rate
        self._counts = counts
        self._num_links = 0

    def time(self, element: ET.Element, name: str, missing: Fraction = Fraction(0)) -> Fraction:
        """Return a time that an attribute holds, in seconds."""
        text = element.get(name)
        return missing if text is None else self._assets.seconds(text)

    def clips(self, item: ET.Element, own: Clock, duration: Fraction | None) -> Iterator[Placed]:
        """Yield the picture and the sound of one file."""
        asset = self._assets.asset(item.get("ref", ""))
        if asset is None:
            self._counts["generator"] += 1
            return
        if duration is None:
            raise ValueError(f"the clip {item.get('name')!r} does not say how long it is")
        conform = item.find("conform-rate")
        if conform is not None and conform.get("scaleEnabled", "1") == "1":
            named = conform.get("srcFrameRate", RATE_NAMES.get(self._rate))
            self._counts["clip of another rate"] += named != RATE_NAMES.get(self._rate)
        self._num_links += 1
        enabled = item.get("srcEnable", "all")
        unsaid = not asset.has_video and not asset.has_audio
        effects = self._effects(item)
        if item.tag != "audio" and enabled != "audio" and (asset.has_video or unsaid):
            yield from self._part(item, asset, VIDEO, own, own.shows, duration, effects)
            effects = []
        channels = self._channels(item, asset)
        if item.tag != "video" and enabled != "video" and channels and (asset.has_audio or unsaid):
            start = self.time(item, "audioStart", own.shows)
            length = self.time(item, "audioDuration", duration)
            yield from self._part(item, asset, AUDIO, own, start, length, effects, channels)

    def _part(
        self,
        item: ET.Element,
        asset: Asset,
        kind: str,
        own: Clock,
        start: Fraction,
        duration: Fraction,
        effects: list[otio.schema.Effect],
        channels: list[int] | None = None,
    ) -> Iterator[Placed]:
        at = own.place(start)
        begin, end = own.cut(at, at + duration)
        if begin >= end:
            return
        speed, media_start = self._speed(item, start + begin - at)
        rate = asset.shape.frame_rate or self._rate
        clip = otio.schema.Clip(name=item.get("name") or asset.name)
        clip.enabled = own.enabled
        clip.source_range = otio.opentime.TimeRange(
            _rational(media_start, rate), _rational(end - begin, self._rate)
        )
        clip.media_reference = otio.schema.ExternalReference(target_url=asset.url)
        clip.media_reference.name = asset.name
        if asset.duration is not None:
            clip.media_reference.available_range = otio.opentime.TimeRange(
                _rational(asset.start, rate), _rational(asset.duration, rate)
            )
        written = asset.written(drop_frame=item.get("tcFormat") == "DF", rate=self._rate)
        if channels is not None:
            written["audio_channels"] = channels
        clip.metadata["hl"] = {"link": str(self._num_links), "source": written}
        clip.effects.extend(effects)
        if speed is None:
            clip.effects.append(otio.schema.TimeEffect())
        elif speed != 1:
            clip.effects.append(otio.schema.LinearTimeWarp(time_scalar=float(speed)))
        for marker in item.findall("marker") if kind == VIDEO or not asset.has_video else ():
            time = media_start + (own.place(self.time(marker, "start")) - begin) * (speed or 1)
            clip.markers.append(self.marker(marker, time, rate))
        yield Placed(
            kind=kind, lane=own.lane, start=begin, stop=end, media_start=media_start, clip=clip
        )

    def _speed(self, item: ET.Element, time: Fraction) -> tuple[Fraction | None, Fraction]:
        """Return speed and file's clock at an instant of a clip; None for a changing speed."""
        points = [
            (self.time(point, "time"), self._assets.seconds(point.get("value", "0s")))
            for point in item.findall("timeMap/timept")
        ]
        if not points:
            return Fraction(1), time
        if len(points) != 2 or points[0][0] == points[1][0]:
            return None, time
        (first, shown), (last, shown_last) = points
        speed = (shown_last - shown) / (last - first)
        return speed, shown + (time - first) * speed

    def _channels(self, item: ET.Element, asset: Asset) -> list[int]:
        """Return the channels of a file that a clip plays, counted from 0 over all its sound."""
        components = item.findall("audio-channel-source")
        if components:
            return [
                channel
                for part in components
                if part.get("enabled", "1") == "1" and part.get("active", "1") == "1"
                for channel in channel_numbers(part.get("srcCh"))
            ]
        everything = list(range(sum(asset.channels) or 2))
        if item.tag != "audio":
            return everything
        source = int(item.get("srcID", 1)) - 1 if item.get("srcID", "1").isdigit() else 0
        first = sum(asset.channels[:source])
        count = asset.channels[source] if source < len(asset.channels) else len(everything)
        numbers = channel_numbers(item.get("srcCh")) or list(range(count))
        return [first + number for number in numbers]

    def _effects(self, item: ET.Element) -> list[otio.schema.Effect]:
        return [
            otio.schema.Effect(effect_name=child.get("name") or child.tag.partition("-")[2])
            for child in item
            if child.tag.startswith(("adjust-", "filter-"))
            and child.tag not in _NO_EFFECTS
            and child.get("enabled", "1") == "1"
        ]

    def marker(self, marker: ET.Element, time: Fraction, rate: Fraction) -> otio.schema.Marker:
        """Return a marker at an instant in seconds, counted in frames of a rate."""
        duration = self.time(marker, "duration", 1 / rate)
        name = marker.get("value", "")
        made = otio.schema.Marker(
            name=name,
            marked_range=otio.opentime.TimeRange(_rational(time, rate), _rational(duration, rate)),
        )
        made.color = otio.schema.MarkerColor.GREEN
        made.comment = marker.get("note", "")
        own = _OWN_NAME.fullmatch(name)
        if own is not None and made.comment.startswith("score "):
            made.metadata["hl"] = {"rank": int(own[1]), "score": float(own[2])}
        return made


def _rational(seconds: Fraction, rate: Fraction) -> otio.opentime.RationalTime:
    return otio.opentime.RationalTime(float(seconds * rate), float(rate))
