"""CMX 3600 edit decision lists, through `otio-cmx3600-adapter`.

An EDL says neither its rate nor where its media is: both come from the media, which is looked for
by its name. The adapter passes over the timeline's own start, over sound beyond the second channel
and over markers counted in drop-frame; these are read here.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import opentimelineio as otio

from hlcli.errors import TimelineError
from hlcli.media.probe import probe
from hlcli.timeline.edit_list import Source
from hlcli.timeline.read.edit_of_otio import edit_of_otio
from hlcli.timeline.read.exact import entry
from hlcli.timeline.read.otio import load
from hlcli.timeline.read.types import ReadTimeline
from hlcli.timeline.relink import Relinker, Wanted
from hlcli.timeline.timecode import format_timecode, parse_timecode

_EVENT = re.compile(
    r"^\d+\s+\S+\s+\S+\s+\S+.*?\s(?P<times>(?:\d{2}[:;.]){3}\d{2}(?:\s+(?:\d{2}[:;.]){3}\d{2}){3})\s*$",
    re.M,
)
_DROP_FRAME = re.compile(r"\d{2}:\d{2}:\d{2}[;.]\d{2}")
_NAME = re.compile(r"^\*\s*(?:FROM CLIP NAME|SOURCE FILE)\s*:\s*(.+?)\s*$", re.M)
_LOCATOR = re.compile(r"^\*\s*LOC:\s*((?:\d{2}[:;]){3}\d{2})\s+(\w+)\s*(.*?)\s*$", re.M)
_MORE_SOUND = re.compile(r"AUD\s+([\d\s]+)")


def read(
    path: Path,
    *,
    search: Sequence[Path] = (),
    known: Sequence[Source] = (),
    rate: Fraction | None = None,
) -> ReadTimeline:
    """Read one list; the arguments are those of `hlcli.timeline.read.read_timeline`."""
    text = path.read_bytes().decode("utf-8-sig", "replace")
    starts = [match["times"].split()[2] for match in _EVENT.finditer(text)]
    if not starts:
        raise TimelineError(f"{path} has no event", hint="an EDL of the kind CMX 3600 is needed")
    rate = rate or _rate_of(path, text, search, known)
    try:
        _refuse_midnight(path, text, rate)
        plain = _without_drop_frame(text, rate)
        start = min(parse_timecode(label, rate) for label in starts)
        locators = [
            (parse_timecode(label, rate) - start, color, words)
            for label, color, words in _LOCATOR.findall(text)
        ]
    except ValueError as error:
        raise TimelineError(
            f"cannot read {path}: {error}", hint="its timecodes do not fit the rate of its media"
        ) from error
    timeline = load(path, "cmx_3600", text=plain, rate=float(rate), ignore_timecode_mismatch=True)
    timeline.global_start_time = otio.opentime.RationalTime(start, float(rate))
    timeline.metadata["hl"] = {"drop_frame": ";" in starts[0]}
    for track in timeline.tracks:
        _start_together(track, start)
        _name_channels(track)
    for clip in timeline.find_clips():
        clip.markers.clear()
    for at, color, words in locators:
        marker = otio.schema.Marker(
            name=words.partition(",")[0],
            color=color.upper(),
            marked_range=otio.opentime.TimeRange(
                otio.opentime.RationalTime(at, float(rate)),
                otio.opentime.RationalTime(1, float(rate)),
            ),
        )
        marker.comment = words.partition(",")[2].strip()
        timeline.tracks.markers.append(marker)
    return edit_of_otio(timeline, folder=path.parent, search=search, known=known, rate=rate)


def _refuse_midnight(path: Path, text: str, rate: Fraction) -> None:
    """Refuse what the adapter would leave out: a cut whose file's timecode starts again at 0."""
    for event in _EVENT.finditer(text):
        first, end = (parse_timecode(label, rate) for label in event["times"].split()[:2])
        if end < first:
            raise TimelineError(
                f"{path} has a cut that runs over midnight: {event[0].split()[0]}",
                hint="write the timeline as .otio or .xml, which count on",
            )


def _without_drop_frame(text: str, rate: Fraction) -> str:
    """Return the list with non-drop-frame labels for the same frames.

    The adapter reads labels with OpenTimelineIO, which knows drop-frame at 30000/1001 and
    60000/1001 only; phones record it at 30 and 60.
    """

    def plain(label: re.Match[str]) -> str:
        return format_timecode(parse_timecode(label[0], rate), rate, drop_frame=False)

    return _EVENT.sub(lambda event: _DROP_FRAME.sub(plain, event[0]), text)


def _start_together(track: otio.schema.Track, start: int) -> None:
    """Let a track begin where the list does; the adapter trims it to a start before its items."""
    if track.source_range is None:
        return
    first = -round(track.source_range.start_time.value)
    rate = track.source_range.start_time.rate
    track.source_range = None
    if first > start:
        gap = otio.opentime.TimeRange(
            otio.opentime.RationalTime(0, rate), otio.opentime.RationalTime(first - start, rate)
        )
        track.insert(0, otio.schema.Gap(source_range=gap))


def _name_channels(track: otio.schema.Track) -> None:
    """Say which channels of its file each clip of an audio track plays."""
    number = re.fullmatch(r"A(\d*)", track.name)
    if track.kind != otio.schema.TrackKind.Audio or number is None:
        return
    channel = int(number[1] or 1) - 1
    for clip in track.find_clips():
        channels = [channel]
        comments = entry(clip.metadata, "cmx_3600", "comments") or []
        for match in map(_MORE_SOUND.fullmatch, map(str.strip, map(str, comments))):
            if match is not None and channel == 0:
                channels += [int(more) - 1 for more in match[1].split()]
        clip.metadata["hl"] = {"source": {"audio_channels": channels}}


def _rate_of(path: Path, text: str, search: Sequence[Path], known: Sequence[Source]) -> Fraction:
    """Return the rate of the first clip's media.

    Raises:
        TimelineError: No media is found.
    """
    relinker = Relinker(search)
    for name in _NAME.findall(text):
        for source in known:
            if source.name == name:
                return source.frame_rate
        here = path.parent / name
        file = here if here.is_file() else relinker.find(Wanted(path=name))
        if file is not None:
            return probe(file).frame_rate
    raise TimelineError(
        f"{path} does not say its frame rate, and its media is not beside it",
        hint="put its media beside it, or name their folder with --search",
    )
