"""CMX3600 edit decision list: one video track, four sound channels, 999 events, timecodes.

Written here and not by otio-cmx3600-adapter, see docs/decisions/0010; the tests read it back with
it. What the format cannot say is refused or stated, never bent:

* An event is two stretches of timecode of one length, so that a source of another rate than the
  timeline cannot be said: refused.
* Labels at 50, 59.94 and 60 frames a second run to :49 or :59. SMPTE 12M ends at 30; Resolve and
  the OpenTimelineIO reader count on, given the rate, as no EDL names one. Refused for Premiere and
  Avid, of which that is not known.
* Drop-frame labels have ";" before the frames, in every column by itself. `FCM:` at the top is the
  timeline's way of counting, and stands again before an event whose source counts otherwise.
* A reel has eight characters, so each source gets one of its own; the name of the file stands in
  `FROM CLIP NAME` as it is, in UTF-8; everything else is ASCII. Sound channels five
  and up are left out, which a comment says.
* A marker (`LOC`) is an instant of the record timecode in one of Avid's eight colours.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

from hlcli.atomic import write_bytes
from hlcli.errors import UsageError
from hlcli.timeline.edit_list import EditList, Event, Source
from hlcli.timeline.formats.channels import channel_uses, lanes_of
from hlcli.timeline.formats.rates import EDITOR_RATES, check_rates
from hlcli.timeline.paths import media_path
from hlcli.timeline.relink import ascii_name
from hlcli.timeline.timecode import format_timecode

MAX_EVENTS = 999
"""Event numbers have three digits."""
MAX_CHANNELS = 4
"""Sound channels of CMX3600."""
_REEL_LENGTH = 8
_NOT_A_REEL = {"AX", "BL", "BLACK", "BARS"}
_COUNTS_PAST_30 = ("generic", "resolve")
_COLORS = {"ORANGE": "RED", "PINK": "MAGENTA", "PURPLE": "MAGENTA"}
_CHANNELS = {  # with the picture, without it
    0: ("V", ""),
    1: ("B", "A"),
    2: ("AA/V", "AA"),
}


def write(edit: EditList, path: Path, *, target: str = "generic") -> None:
    """Write a CMX3600 EDL, the same bytes for the same edit list.

    Raises:
        UsageError: The format cannot hold the timeline, see above.
        OutputError: It cannot be written there.
    """
    _check(edit, target)
    # Old readers want the line ends of Windows; new ones take them.
    write_bytes(path, "".join(f"{line}\r\n" for line in _lines(edit)).encode("utf-8"))


def _check(edit: EditList, target: str) -> None:
    check_rates(edit, title="CMX3600 EDL", has_rate=lambda rate: rate in EDITOR_RATES)
    if edit.frame_rate > 30 and target not in _COUNTS_PAST_30:
        raise UsageError(
            f"an EDL for {target} cannot have {edit.frame_rate} frames a second: "
            "its timecode ends at 30",
            hint="--for resolve writes labels up to that rate; .xml and .aaf have it too",
        )
    if edit.num_video_tracks > 1:
        raise UsageError(
            f"an EDL has one video track, {edit.name} has {edit.num_video_tracks}",
            hint="leave --track-per-source out, or write .otio or .xml",
        )
    for source in edit.sources:
        if source.frame_rate != edit.frame_rate:
            raise UsageError(
                f"an EDL has one frame rate: {source.name} has {source.frame_rate}, "
                f"the timeline {edit.frame_rate}",
                hint="write one EDL for each rate, or .otio or .xml for all of them",
            )
    if len(edit.events) > MAX_EVENTS:
        raise UsageError(
            f"an EDL has at most {MAX_EVENTS} events, {edit.name} has {len(edit.events)}",
            hint="--top 999 takes the best of them; .otio and .xml have no such limit",
        )


def _lines(edit: EditList) -> Iterator[str]:
    reels = reels_of(edit.sources)
    lanes = lanes_of(edit)
    drop_frame = edit.drop_frame
    yield f"TITLE: {ascii_name(edit.name)[:70]}"
    yield _frame_code_mode(drop_frame)
    yield ""
    for number, event in enumerate(edit.events, start=1):
        if event.source.drop_frame != drop_frame:
            drop_frame = event.source.drop_frame
            yield _frame_code_mode(drop_frame)
        channels = sorted(use.lane.number + 1 for use in channel_uses(event, lanes))
        code, more = _channel_code(channels, has_picture=event.video_track is not None)
        yield (
            f"{number:03d}  {reels[event.source]:<8} {code:<5} C        "
            f"{' '.join(_timecodes(event, edit))}"
        )
        if more:
            yield f"AUD  {'    '.join(more)}"
        # By it the media is found: another name would name a file that is not there.
        yield f"* FROM CLIP NAME: {_one_line(event.source.name)}"
        beyond = [channel for channel in channels if channel > MAX_CHANNELS]
        if beyond:
            yield f"* SOUND CHANNELS {beyond[0]} TO {beyond[-1]} DO NOT FIT INTO AN EDL"
        for marker in event.markers:
            at = edit.start_frame + event.record_of(marker.frames.start, edit.frame_rate)
            color = _COLORS.get(marker.written_color, marker.written_color)
            text = ascii_name(", ".join(filter(None, (marker.name, marker.comment))))
            yield f"* LOC: {_label(at, edit.frame_rate, edit.drop_frame)} {color:<7} {text}"


def _timecodes(event: Event, edit: EditList) -> Iterator[str]:
    """Yield source in and out, record in and out; an out is the first frame that is not shown."""
    source = event.source
    for frame in (event.frames.start, event.frames.stop):
        yield _label(source.start_frame + frame, source.frame_rate, source.drop_frame)
    for frame in (event.record.start, event.record.stop):
        yield _label(edit.start_frame + frame, edit.frame_rate, edit.drop_frame)


def _label(frame: int, frame_rate: Fraction, drop_frame: bool) -> str:
    return format_timecode(frame, frame_rate, drop_frame=drop_frame)


def _frame_code_mode(drop_frame: bool) -> str:
    return f"FCM: {'DROP FRAME' if drop_frame else 'NON-DROP FRAME'}"


def _channel_code(channels: list[int], *, has_picture: bool) -> tuple[str, list[str]]:
    """Return the channel code of an event, and the channels of its `AUD` line."""
    first = [channel for channel in channels if channel <= 2]
    more = [str(channel) for channel in channels if 2 < channel <= MAX_CHANNELS]
    if first == [2]:
        return ("A2/V" if has_picture else "A2"), more
    with_picture, alone = _CHANNELS[len(first)]
    return (with_picture if has_picture else alone or "NONE"), more


def reels_of(sources: tuple[Source, ...]) -> dict[Source, str]:
    """Return a reel for each source: up to eight capitals and digits, no two alike.

    Made from the file's name. Where that is taken it ends in a number instead, and is then no other
    source's name either.
    """
    names = [_reel(source) for source in sources]
    reels: dict[Source, str] = {}
    taken = set(_NOT_A_REEL)
    for source, name in zip(sources, names, strict=True):
        reel, number = name, 1
        while reel in taken or (number > 1 and reel in names):
            number += 1
            reel = f"{name[: _REEL_LENGTH - len(str(number))]}{number}"
        taken.add(reel)
        reels[source] = reel
    return reels


def _reel(source: Source) -> str:
    stem = ascii_name(media_path(source.path).stem).replace("_", "").upper()
    return re.sub(r"[^A-Z0-9]", "", stem)[:_REEL_LENGTH] or "REEL"


def _one_line(name: str) -> str:
    """Return a file name without what would end its line; spaces at its ends would be lost."""
    return re.sub(r"[\x00-\x1f\x7f\u0085\u2028\u2029]|^ +| +$", "_", name)
