"""What an FCPXML's clips refer to: formats and assets, with ids in the order of first use."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Set
from fractions import Fraction

from hlcli.timeline.edit_list import Source
from hlcli.timeline.paths import file_url, legal_xml, readable

RATE_NAMES = {
    Fraction(24000, 1001): "23.98",
    Fraction(24): "24",
    Fraction(25): "25",
    Fraction(30000, 1001): "29.97",
    Fraction(30): "30",
    Fraction(48000, 1001): "47.95",
    Fraction(48): "48",
    Fraction(50): "50",
    Fraction(60000, 1001): "59.94",
    Fraction(60): "60",
}
"""The rates that FCPXML 1.10 has a word for, in `srcFrameRate`; files may have any."""
_SIZE_NAMES = {
    (1280, 720): "720p",
    (1920, 1080): "1080p",
    (3840, 2160): "3840x2160p",
    (4096, 2160): "4096x2160p",
}
_NO_FORMAT_NAME = ("47.95", "48")


def seconds_text(seconds: Fraction) -> str:
    """Return an instant or a length as FCPXML writes it: "1001/30000s", whole seconds "5s"."""
    if seconds.denominator == 1:
        return f"{seconds.numerator}s"
    return f"{seconds.numerator}/{seconds.denominator}s"


def xml_text(text: str) -> str:
    """Replace what XML cannot hold: control characters, and bytes that are not UTF-8."""
    return legal_xml(readable(text))


class Resources:
    """The `resources` element, filled as clips ask for formats and assets.

    Args:
        reads_camera_clock: Whether the program takes a file's timecode from wherever it stands,
            as Resolve does; Final Cut Pro takes it from a timecode track only.
        pictured: The sources whose picture is used.
    """

    def __init__(self, *, reads_camera_clock: bool, pictured: Set[Source]) -> None:
        self.element = ET.Element("resources")
        self._pictured = pictured
        self._reads_camera_clock = reads_camera_clock
        self._formats: dict[tuple[Fraction, int, int], str] = {}
        self._assets: dict[Source, str] = {}
        self._num_ids = 0

    def format(self, frame_rate: Fraction, width: int, height: int) -> str:
        """Return the id of a format; a width or height of 0 pixels is left to the program."""
        key = (frame_rate, width, height)
        if key not in self._formats:
            attributes = {"id": self._new_id()}
            name = _format_name(frame_rate, width, height)
            if name is not None:
                attributes["name"] = name
            attributes["frameDuration"] = seconds_text(1 / frame_rate)
            if width and height:
                attributes |= {"width": str(width), "height": str(height)}
            ET.SubElement(self.element, "format", attributes)
            self._formats[key] = attributes["id"]
        return self._formats[key]

    def has_video(self, source: Source) -> bool:
        """Return whether a file is known to have a picture."""
        return source.width > 0 or source in self._pictured

    def asset(self, source: Source) -> str:
        """Return the id of a file."""
        if source not in self._assets:
            attributes = {"name": xml_text(source.name)}
            attributes["start"] = seconds_text(self.start_seconds(source))
            attributes["duration"] = seconds_text(source.num_frames / source.frame_rate)
            if self.has_video(source):
                file_format = self.format(source.frame_rate, source.width, source.height)
                attributes |= {"hasVideo": "1", "format": file_format, "videoSources": "1"}
            if source.audio:
                attributes |= {
                    "hasAudio": "1",
                    "audioSources": str(len(source.audio)),
                    "audioChannels": str(sum(track.channels for track in source.audio)),
                    "audioRate": str(source.audio[0].sample_rate),
                }
            self._assets[source] = self._new_id()
            asset = ET.SubElement(self.element, "asset", {"id": self._assets[source]} | attributes)
            ET.SubElement(
                asset, "media-rep", {"kind": "original-media", "src": file_url(source.path)}
            )
        return self._assets[source]

    def start_seconds(self, source: Source) -> Fraction:
        """Return the timecode of a file's first frame as the program counts it, in seconds."""
        if not self._reads_camera_clock and not source.has_timecode_track:
            return Fraction(0)
        return source.start_frame / source.frame_rate

    def _new_id(self) -> str:
        self._num_ids += 1
        return f"r{self._num_ids}"


def _format_name(frame_rate: Fraction, width: int, height: int) -> str | None:
    """Return Final Cut Pro's own name of a format; None where it has none we are sure of."""
    size, rate = _SIZE_NAMES.get((width, height)), RATE_NAMES.get(frame_rate)
    if size is None or rate is None or rate in _NO_FORMAT_NAME:
        return None
    return f"FFVideoFormat{size}{rate.replace('.', '')}"
