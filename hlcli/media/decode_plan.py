"""Decides, without decoding, which frames of a file must be decoded, and by whom.

Two ways to read a video:

* **keyframes**: where every clip has a keyframe near its middle, nothing else is decoded;
* **frames**: everything but the frames no other frame needs (about half the cost of H.264 with
  B-frames, and the frames that remain are bit-identical).

A file with an index is cut at keyframes into segments that are decoded side by side. The cut
depends on the file alone, never on the number of workers, so the result does not either.
"""

from __future__ import annotations

import bisect
from dataclasses import dataclass
from enum import Enum
from fractions import Fraction
from typing import Literal

from av.container import InputContainer
from av.video.stream import VideoStream

from hlcli.media.clips import ClipGrid
from hlcli.media.container import packets, seek
from hlcli.media.extent import packet_ticks
from hlcli.media.probe import MediaInfo

KEYFRAME_REACH = Fraction(3, 4)
"""How far from a clip's middle its keyframe may lie, in clips."""
_SHORTEST_SPLIT_SECONDS = 20
_SEGMENT_SECONDS = (10, 60)
_SEGMENTS_WANTED = 16
_HEAD_PACKETS = 64
# Between frames that others need, at worst: 5 frames a second remain.
_LONGEST_STEP_SECONDS = Fraction(1, 5)


class Clock(Enum):
    """How a decoded frame is given its time."""

    PTS = "pts"
    """It carries its time."""
    ORDER = "order"
    """The earliest packet time not yet used: AVI stores times in decoding order only."""
    COUNT = "count"
    """Its number over the frame rate: raw streams have no times."""


@dataclass(frozen=True, slots=True)
class DecodeSegment:
    """A stretch between two keyframes, half-open, in ticks of the video stream."""

    index: int
    """Place among the segments, from 0."""
    start_ticks: int | None
    """Time of its first frame, a keyframe; None for the first segment."""
    end_ticks: int | None
    """Time of the next segment's first frame; None for the last segment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodePlan:
    """How to read one file."""

    keyframes_only: bool
    """Whether nothing but keyframes is decoded."""
    is_draft: bool = False
    """Whether keyframes are too far apart for every clip to get a picture of its own."""
    skip_frame: Literal["NONREF", "DEFAULT"]
    """What the decoder leaves out: "NONREF", or "DEFAULT" for nothing useful."""
    clock: Clock
    """How frames get their times."""
    segments: tuple[DecodeSegment, ...]
    """At least one; in order, touching."""


def clip_target(grid: ClipGrid, clip: int, duration_seconds: Fraction) -> Fraction:
    """Return the middle of the part of a clip that the video covers, in seconds."""
    start, end = grid.span(clip)
    return (start + max(start, min(end, duration_seconds))) / 2


def plan_decoding(
    container: InputContainer,
    stream: VideoStream,
    info: MediaInfo,
    grid: ClipGrid,
    *,
    draft: bool = False,
) -> DecodePlan:
    """Decide how to read a freshly opened file.

    Args:
        container: The file; it is read and sought in.
        stream: Its picture.
        info: What `probe` said about it.
        grid: The clips that need a picture each.
        draft: Decode nothing but keyframes, however far apart; a clip without one takes the
            nearest. Streams without times are decoded whole all the same.
    """
    shift, anchor_distance, has_times = _head(container, stream)
    if container.format.name == "avi":
        clock = Clock.ORDER
    else:
        clock = Clock.PTS if has_times else Clock.COUNT
    if clock is Clock.COUNT:
        whole = _split(container, stream, info, [])
        return DecodePlan(keyframes_only=False, skip_frame="DEFAULT", clock=clock, segments=whole)
    keyframes, can_seek = _keyframes(container, stream, info, shift)
    step_seconds = anchor_distance / info.frame_rate
    skippable = clock is Clock.PTS and step_seconds <= _LONGEST_STEP_SECONDS
    reach_every_clip = _reach_every_clip(keyframes, stream, info, grid)
    is_draft = draft and bool(keyframes) and not reach_every_clip
    return DecodePlan(
        keyframes_only=reach_every_clip or is_draft,
        is_draft=is_draft,
        skip_frame="NONREF" if skippable else "DEFAULT",
        clock=clock,
        segments=_split(container, stream, info, keyframes if can_seek else []),
    )


def _head(container: InputContainer, stream: VideoStream) -> tuple[int, int, bool]:
    """Return first pts minus dts in ticks, the anchors' longest distance, and whether timed.

    An anchor is a frame later than all before it in decoding order. The others are B-frames:
    if no frame needs them, all of them are skipped and only the anchors remain.
    """
    shift: int | None = None
    latest: int | None = None
    distance = longest = met = 0
    for packet in packets(container, stream):
        if packet.is_discard:
            continue
        met += 1
        distance += 1
        if packet.pts is not None:
            if shift is None:
                shift = packet.pts - packet.dts if packet.dts is not None else 0
            if latest is None or packet.pts > latest:
                longest, distance = max(longest, distance), 0
                latest = packet.pts
        if met >= _HEAD_PACKETS:
            break
    return shift or 0, longest, latest is not None


def _keyframes(
    container: InputContainer, stream: VideoStream, info: MediaInfo, shift: int
) -> tuple[list[int], bool]:
    """Return the keyframes' ticks, ascending, and whether one can seek to them exactly."""
    names = container.format.name
    # Where time stamps jump, an index cannot be trusted to hold the same times as the packets.
    has_index = ("mov" in names or "matroska" in names) and not info.clock.parts
    time_base = stream.time_base or Fraction(1)
    end_ticks = int(info.clock.container(info.duration_seconds) / time_base)
    if has_index:
        if "matroska" in names:
            # Its index stands at the end of the file and is read by the first seek.
            seek(container, stream, end_ticks)
            shift = 0
        entries = getattr(stream, "index_entries", ())
        last = entries[len(entries) - 1].timestamp if len(entries) > 1 else None
        allowed = Fraction(2) if "mov" in names else info.duration_seconds / 4 + 10
        # A fragmented file lists only the fragments met so far.
        if last is not None and (end_ticks - last) * time_base <= allowed:
            found = [e.timestamp + shift for e in entries if e.is_keyframe and not e.is_discard]
            return sorted(found), True
    # Where it is not seekable reading goes on from where it is, for a fresh file the start.
    seek(container, stream, 0)
    found = []
    for packet in packets(container, stream):
        ticks = packet_ticks(packet, container)
        if packet.is_keyframe and ticks is not None:
            found.append(ticks)
    return sorted(found), has_index


def _reach_every_clip(
    keyframes: list[int], stream: VideoStream, info: MediaInfo, grid: ClipGrid
) -> bool:
    if not keyframes or not stream.time_base:
        return False
    reach = KEYFRAME_REACH * grid.clip_seconds
    for clip in range(grid.num_clips):
        wanted = info.clock.container(clip_target(grid, clip, info.duration_seconds))
        place = bisect.bisect_left(keyframes, float(wanted / stream.time_base))
        around = keyframes[max(0, place - 1) : place + 1]
        if all(abs(wanted - ticks * stream.time_base) > reach for ticks in around):
            return False
    return True


def _split(
    container: InputContainer, stream: VideoStream, info: MediaInfo, keyframes: list[int]
) -> tuple[DecodeSegment, ...]:
    seams: list[int] = []
    if keyframes and stream.time_base and info.duration_seconds >= _SHORTEST_SPLIT_SECONDS:
        shortest, longest = _SEGMENT_SECONDS
        wanted = min(max(float(info.duration_seconds) / _SEGMENTS_WANTED, shortest), longest)
        length = int(Fraction(wanted) / stream.time_base)
        end = (info.video_start_seconds + info.duration_seconds) / stream.time_base
        position = int(info.video_start_seconds / stream.time_base)
        while position + 1.5 * length < end:
            place = bisect.bisect_left(keyframes, position + length)
            if place == len(keyframes):
                break
            position = keyframes[place]
            seam = _first_keyframe_at(container, stream, position)
            if seam is not None and seam < end and (not seams or seam > seams[-1]):
                seams.append(seam)
    edges = [None, *seams, None]
    return tuple(DecodeSegment(i, edges[i], edges[i + 1]) for i in range(len(edges) - 1))


def _first_keyframe_at(container: InputContainer, stream: VideoStream, ticks: int) -> int | None:
    """Return the exact time of the keyframe that a seek to `ticks` finds, None if it fails."""
    seek(container, stream, ticks)
    packet = next(packets(container, stream), None)
    return packet.pts if packet is not None and packet.is_keyframe else None
