"""Whether packets stand behind the length of a video, and where its time stamps jump.

Recorders that were stopped and started, files put behind each other, and single flipped bits leave
time stamps hours or years apart. All that follows costs as much as a video is long, so such a
length is not believed: what no packets stand behind is cut out, as players and ffmpeg do it where a
broadcast's clock jumps.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from av.container import InputContainer
from av.video.stream import VideoStream

from hlcli.clock_text import clock_text
from hlcli.media.clock import MediaClock, Part
from hlcli.media.container import packets, unreadable
from hlcli.media.extent import Extent, packet_ticks

# A file this small is read to its end; a larger one only where it is too small for its length.
_ALWAYS_READ_BYTES = 16 << 20
_LEAST_SHARE_OF_HEAD = 0.5
# The longest time without a packet where time stamps are a clock, which runs on between two
# recordings; and where the file has a table of how long each picture is shown.
_LONGEST_GAP_SECONDS = 60
_LONGEST_HOLD_SECONDS = 7200
_TABLES = ("mov", "matroska", "avi", "asf", "mxf")
# A header may promise this many times what is there: a copy that was broken off.
_MOST_PROMISED = 10
_LEAST_BYTES_PER_SECOND = 16
_MOST_PARTS = 200
_MOST_WORDS = 3


@dataclass(frozen=True, slots=True)
class MeasuredSpan:
    """The picture of a file, from its first to its last frame."""

    clock: MediaClock
    """How its container times count."""
    duration_seconds: Fraction
    """Its length without what was cut out, 0 or more."""
    mean_rate: Fraction | None = None
    """Frames per second where something was cut out: the header cannot be believed then."""
    damage: str | None = None
    """What was cut out, in words."""


@dataclass(slots=True)
class _Met:
    """Packets whose times lie close to each other, wherever in the file they stand."""

    start: Fraction = Fraction(0)
    """Container time of the first picture."""
    end: Fraction = Fraction(0)
    """End of the last picture."""
    num_pictures: int = 0
    first_place: int = 0
    """Place of its first picture in the file, counted in packets."""
    last_place: int = 0


def needs_reading(container: InputContainer, extent: Extent) -> bool:
    """Say whether a length found from the first and the last packets needs `measure_span`."""
    length = float(extent.end_seconds - extent.start_seconds)
    return container.size <= _ALWAYS_READ_BYTES or (
        length > _LONGEST_GAP_SECONDS
        and container.size < _LEAST_SHARE_OF_HEAD * extent.head_bytes_per_second * length
    )


def measure_span(
    path: Path, container: InputContainer, stream: VideoStream, extent: Extent, rate: Fraction
) -> MeasuredSpan:
    """Check a length against each packet of a freshly opened file.

    Args:
        path: The file, for the error.
        container: The same, nothing read from it yet.
        stream: Its picture.
        extent: What `measure_extent` found.
        rate: Its frame rate, for packets that state no length.

    Raises:
        MediaUnreadableError: No packets stand behind the length, or the time stamps jump all over
            the file.
    """
    length = extent.end_seconds - extent.start_seconds
    met = _met(container, stream, 1 / rate)
    pictures = [each for each in met if each.num_pictures]
    if not pictures:
        return MeasuredSpan(
            MediaClock(extent.start_seconds), length
        )  # A raw stream: frames were counted.
    if len(pictures) > _MOST_PARTS:
        raise unreadable(path, "its time stamps jump from one packet to the next")
    if len(met) == 1:
        there = max(Fraction(0), met[0].end - extent.start_seconds)
        if length - there > max(Fraction(_LONGEST_GAP_SECONDS), _MOST_PROMISED * there):
            raise unreadable(
                path,
                f"its header promises {clock_text(length)}, but its pictures end after "
                f"{clock_text(there)}",
            )
        span = MeasuredSpan(MediaClock(extent.start_seconds), length)
    else:
        span = _joined(pictures)
    longest = max(_LONGEST_HOLD_SECONDS, int(container.size) // _LEAST_BYTES_PER_SECOND)
    if span.duration_seconds > longest:
        claimed = clock_text(span.duration_seconds)
        raise unreadable(path, f"its time stamps claim {claimed} for {container.size} bytes")
    return span


def _joined(pictures: list[_Met]) -> MeasuredSpan:
    parts: list[Part] = []
    damage: list[str] = []
    duration = Fraction(0)
    kept = _in_file_order(pictures)
    for each in kept:
        if parts:
            jump = each.start - parts[-1].end_seconds
            way = "jump by" if jump > 0 else "step back by"
            damage.append(
                f"the time stamps {way} {clock_text(abs(jump))} at {clock_text(duration)}, which "
                "is left out"
            )
        parts.append(Part(each.start, each.end, duration))
        duration += each.end - each.start
    num_kept = sum(each.num_pictures for each in kept)
    if dropped := sum(each.num_pictures for each in pictures) - num_kept:
        damage.append(f"frames with damaged time stamps are left out: {dropped}")
    if len(damage) > _MOST_WORDS:
        damage = [*damage[:_MOST_WORDS], f"and {len(damage) - _MOST_WORDS} more of the kind"]
    return MeasuredSpan(
        MediaClock(parts[0].start_seconds, tuple(parts)),
        duration,
        num_kept / duration if duration else None,
        "; ".join(damage) or None,
    )


def _in_file_order(pictures: list[_Met]) -> list[_Met]:
    """Return those that follow each other in the file, with the most pictures together.

    A packet whose time stamp alone is damaged lies amid the others.
    """
    by_end = sorted(pictures, key=lambda each: each.last_place)
    best: list[tuple[int, list[_Met]]] = []
    for each in by_end:
        before = max(
            (b for b in best if b[1][-1].last_place < each.first_place),
            key=lambda b: b[0],
            default=(0, []),
        )
        best.append((before[0] + each.num_pictures, [*before[1], each]))
    return max(best, key=lambda b: b[0])[1]


def _met(container: InputContainer, stream: VideoStream, frame_seconds: Fraction) -> list[_Met]:
    """Return what lies between gaps, by time; sound that lies alone too."""
    names = container.format.name
    longest = _LONGEST_HOLD_SECONDS if any(n in names for n in _TABLES) else _LONGEST_GAP_SECONDS
    # Floats: a file has many packets, and only the ends of the stretches need to be exact.
    times: list[tuple[float, float, int, Fraction, Fraction]] = []
    for place, packet in enumerate(packets(container)):
        ticks = packet_ticks(packet, container)
        if ticks is None or packet.is_discard:
            continue
        base = packet.time_base
        length = (packet.duration or 0) * base
        if not 0 < length <= longest:
            length = frame_seconds
        is_picture = packet.stream_index == stream.index
        seconds = ticks * base
        times.append((float(seconds), float(length), place if is_picture else -1, seconds, length))
    times.sort(key=lambda each: each[0])
    found: list[_Met] = []
    reached = -math.inf
    for at, lasts, place, seconds, length in times:
        if at - reached > longest:
            found.append(_Met())
        reached = max(reached, at + lasts)
        if place < 0:
            continue
        part = found[-1]
        if not part.num_pictures:
            part.start, part.end = seconds, seconds + length
            part.first_place = part.last_place = place
        part.num_pictures += 1
        part.end = max(part.end, seconds + length)
        part.first_place = min(part.first_place, place)
        part.last_place = max(part.last_place, place)
    return found
