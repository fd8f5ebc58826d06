"""One clip of an FCPXML that shows a file, as OpenTimelineIO clips of its picture and its sound."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import opentimelineio as otio

from hlcli.timeline.formats.fcpxml_resources import RATE_NAMES
from hlcli.timeline.read.exact import MOST_CHANNELS, whole_or_zero
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


Window = tuple[Fraction, Fraction] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """A role that a clip has switched off in what it holds."""

    role: str
    """Its name, "dialogue" or "dialogue.dialogue-1"."""
    lane: int
    """Lane of the clip's own storyline."""
    connected: bool | None
    """Whether it is that of what hangs on the storyline, or of the storyline; None for both."""

    def covers(self, role: str, lane: int) -> bool:
        """Say whether sound of a role in a lane is meant."""
        if self.connected is not None and self.connected != (lane != self.lane):
            return False
        own, other = self.role.strip().casefold(), role.strip().casefold()
        return _subrole(own) == _subrole(other) or own == other.partition(".")[0]


def _subrole(role: str) -> str:
    """Return the subrole a role means; a main role alone is its first one."""
    return role if "." in role else f"{role}.{role}-1"


class LeftOut:
    """What a file says and a timeline cannot: kinds of things, and their names."""

    def __init__(self) -> None:
        self.names: dict[str, list[str]] = {}
        self.lines: dict[str, None] = {}
        """Whole sentences, each once."""

    def add(self, what: str, name: str | None) -> None:
        """Remember one thing by its name."""
        self.names.setdefault(what, []).append(name or "unnamed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """How the time of what holds an item relates to the timeline."""

    at: Fraction = Fraction(0)
    """Place on the timeline where it shows `shows`, in seconds."""
    shows: Fraction = Fraction(0)
    """What it shows there, in seconds."""
    window: Window = None
    """What of the timeline its pictures may fill, in seconds; None for all."""
    sound_window: Window = None
    """What of the timeline its sounds may fill; another stretch in a split edit."""
    silences: tuple[Silence, ...] = ()
    """The roles that clips around it have switched off."""
    lane: int = 0
    """0 is the spine."""
    enabled: bool = True
    """Whether nothing around it is switched off."""
    depth: int = 0
    """How many clips it lies in."""

    def place(self, time: Fraction) -> Fraction:
        """Return where an instant lies on the timeline."""
        return self.at + time - self.shows

    def cut(self, kind: str, start: Fraction, stop: Fraction) -> tuple[Fraction, Fraction]:
        """Return what the window of pictures or of sounds leaves of a stretch."""
        begin, end = (self.window if kind == VIDEO else self.sound_window) or (start, stop)
        return max(start, begin), min(stop, end)

    def is_silent(self, role: str) -> bool:
        """Say whether sound of a role is switched off here."""
        return any(silence.covers(role, self.lane) for silence in self.silences)


class ClipMaker:
    """Makes the clips of one project.

    Args:
        assets: The resources of its document.
        rate: Frames per second of the timeline.
        left_out: Gets what is left out.
    """

    def __init__(self, assets: Assets, rate: Fraction, left_out: LeftOut) -> None:
        self._assets = assets
        self._rate = rate
        self._left_out = left_out
        self._num_links = 0

    def time(self, element: ET.Element, name: str, missing: Fraction = Fraction(0)) -> Fraction:
        """Return a time that an attribute holds, in seconds."""
        text = element.get(name)
        return missing if text is None else self._assets.seconds(text)

    def clips(self, item: ET.Element, own: Clock, duration: Fraction | None) -> Iterator[Placed]:
        """Yield the picture and the sound of one file."""
        asset = self._assets.asset(item.get("ref", ""))
        if asset is None:
            self._left_out.add("generator", item.get("name"))
            return
        if duration is None:
            raise ValueError(f"the clip {item.get('name')!r} does not say how long it is")
        conform = item.find("conform-rate")
        if conform is not None and conform.get("scaleEnabled", "1") == "1":
            named = conform.get("srcFrameRate", RATE_NAMES.get(self._rate))
            if named != RATE_NAMES.get(self._rate):
                self._left_out.add("clip of another rate", item.get("name") or asset.name)
        self._num_links += 1
        enabled = item.get("srcEnable", "all")
        unsaid = not asset.has_video and not asset.has_audio
        effects = self.effects(item)
        if item.tag != "audio" and enabled != "audio" and (asset.has_video or unsaid):
            yield from self._part(item, asset, VIDEO, own, own.shows, duration, effects)
            effects = []
        if item.tag == "video" or enabled == "video" or not (asset.has_audio or unsaid):
            return
        channels = self._channels(item, asset, own)
        if channels:
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
        begin, end = own.cut(kind, at, at + duration)
        if begin >= end:
            return
        speed, media_start = self.speed(item, start + begin - at)
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

    def speed(self, item: ET.Element, time: Fraction) -> tuple[Fraction | None, Fraction]:
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

    def _channels(self, item: ET.Element, asset: Asset, own: Clock) -> list[int]:
        """Return the channels of a file that a clip plays, counted from 0 over all its sound."""
        components = item.findall("audio-channel-source")
        default = item.get("audioRole") or item.get("role") or "dialogue"
        roles = [part.get("role", default) for part in components] or [default]
        silent = [role for role in roles if own.is_silent(role)]
        if silent:
            called = item.get("name") or asset.name
            self._left_out.lines.setdefault(
                f"the sound of {called!r} is left out: its role {silent[0]!r} is switched off"
            )
        if components:
            return [
                channel
                for part, role in zip(components, roles, strict=True)
                if _is_on(part) and not own.is_silent(role)
                for channel in channel_numbers(part.get("srcCh"))
            ]
        if silent:
            return []
        everything = list(range(sum(asset.channels) or 2))
        if item.tag != "audio":
            return everything
        source = max(1, whole_or_zero(item.get("srcID"), most=MOST_CHANNELS)) - 1
        first = sum(asset.channels[:source])
        count = asset.channels[source] if source < len(asset.channels) else len(everything)
        numbers = channel_numbers(item.get("srcCh")) or list(range(count))
        return [first + number for number in numbers]

    def effects(self, item: ET.Element) -> list[otio.schema.Effect]:
        """Return what is done to the picture and the sound of an item."""
        return [
            otio.schema.Effect(effect_name=child.get("name") or child.tag.partition("-")[2])
            for child in item
            if child.tag.startswith(("adjust-", "filter-"))
            and child.tag not in _NO_EFFECTS
            and child.get("enabled", "1") == "1"
        ] + [
            otio.schema.Effect(effect_name="mute")
            for place in ("mute", "*/mute")
            for _ in item.findall(place)[:1]
        ]

    def marker(self, marker: ET.Element, time: Fraction, rate: Fraction) -> otio.schema.Marker:
        """Return a marker at an instant in seconds, counted in frames of a rate."""
        duration = self.time(marker, "duration", 1 / rate)
        name = marker.get("value", "")
        made = otio.schema.Marker(
            name=name,
            marked_range=otio.opentime.TimeRange(_rational(time, rate), _rational(duration, rate)),
        )
        made.color = ""  # Final Cut Pro has none.
        made.comment = marker.get("note", "")
        own = _OWN_NAME.fullmatch(name)
        if own is not None and made.comment.startswith("score "):
            made.metadata["hl"] = {"rank": int(own[1]), "score": float(own[2])}
        return made


def _is_on(part: ET.Element) -> bool:
    return part.get("enabled", "1") == "1" and part.get("active", "1") == "1"


def silences_of(holder: ET.Element, lane: int, connected: bool | None) -> Iterator[Silence]:
    """Yield the roles that a clip or one of its sources switches off.

    Args:
        holder: The clip, or one source of it.
        lane: Lane of the clip.
        connected: See `Silence`.
    """
    for part in holder.findall("audio-role-source"):
        if not _is_on(part):
            yield Silence(role=part.get("role", ""), lane=lane, connected=connected)


def _rational(seconds: Fraction, rate: Fraction) -> otio.opentime.RationalTime:
    return otio.opentime.RationalTime(float(seconds * rate), float(rate))
