"""Where the picture starts and ends, read from packets: nothing is decoded."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from fractions import Fraction

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from hlcli.media.container import READ_ERRORS, packets, seek

_HEAD_PACKETS = 40
_TAIL_SECONDS = (4, 60)
# Sound may outlast the picture by a little; a header that promises more was cut off.
_MISSING_TAIL_SECONDS = 1
_BEGIN = Fraction(0)


@dataclass(frozen=True, slots=True)
class Extent:
    """First and last instant of the picture, in container time."""

    start_seconds: Fraction
    """Start of the first frame that is shown."""
    end_seconds: Fraction
    """End of the last frame."""
    mean_rate: Fraction | None
    """Frames per second, from their number or else their stated length; None when unknown."""
    head_bytes_per_second: float = 0.0
    """What the first packets of all streams take; 0 when unknown."""


@dataclass(slots=True)
class _Run:
    """Picture packets met in a row."""

    start: Fraction | None = None
    last: Fraction | None = None
    end: Fraction | None = None
    num_shown: int = 0
    num_bytes: int = 0
    counted: Fraction = Fraction(0)
    any_end: Fraction | None = None


def measure_extent(
    container: InputContainer, stream: VideoStream, *, frame_rate: Fraction | None
) -> Extent:
    """Measure when the picture of a freshly opened file starts and ends.

    Reads the first packets and the last few seconds; the whole file only where its container
    cannot seek or states no length. A file whose header promises more than it holds keeps the
    promised length, so that what was lost can be told.

    Args:
        container: The file, nothing read from it yet.
        stream: Its picture.
        frame_rate: Its rate if known, in frames per second, for packets that state no length.
    """
    frame_seconds = 1 / frame_rate if frame_rate else None
    head = _scan(container, stream, frame_seconds, limit=_HEAD_PACKETS)
    if head.start is None:
        # Raw streams have no clock: count.
        rest = _scan(container, stream, frame_seconds)
        counted = head.counted + rest.counted
        if frame_seconds:
            counted = (head.num_shown + rest.num_shown) * frame_seconds
        return Extent(Fraction(0), counted, None)
    start = head.start
    declared_end = _declared_end(container, stream, start)
    tail = _tail(container, stream, frame_seconds, declared_end)
    if tail is None:
        _rewind(container, stream)
        tail = _scan(container, stream, frame_seconds)
    end = max(filter(None, (head.end, tail.end)), default=start)
    if _has_frame_table(container, stream) and declared_end and declared_end > (tail.last or end):
        # The length of the last packet is a distance in decoding order, which says little about
        # the last picture of a variable-rate file; the table's total is exact.
        end = min(declared_end, end)
    whole = tail.any_end is not None and declared_end is not None
    if declared_end is not None and declared_end - end > _MISSING_TAIL_SECONDS:
        stated_for_picture = stream.duration is not None
        all_cut = not whole or declared_end - (tail.any_end or end) > _MISSING_TAIL_SECONDS
        if stated_for_picture or all_cut:
            end = declared_end
    shown = tail.num_shown if tail.start is not None and tail.start <= start else 0
    rate = Fraction(shown) / (end - start) if shown > 1 and end > start else None
    if rate is None and head.counted > 0:
        rate = head.num_shown / head.counted
    return Extent(
        start,
        end,
        rate.limit_denominator(1001) if rate else None,
        head.num_bytes / float(head.end - start) if head.end and head.end > start else 0.0,
    )


def _has_frame_table(container: InputContainer, stream: VideoStream) -> bool:
    return "mov" in container.format.name and bool(stream.duration)


def packet_ticks(packet: av.Packet, container: InputContainer) -> int | None:  # type: ignore[type-arg]
    """Return when a packet is shown, in its stream's ticks; None for streams without a clock.

    AVI stores only the order of decoding; what FFmpeg calls pts there is the same numbers in
    the wrong places.
    """
    if packet.pts is None or container.format.name == "avi":
        return packet.dts
    return packet.pts


def _declared_end(
    container: InputContainer, stream: VideoStream, start: Fraction
) -> Fraction | None:
    if stream.duration and stream.time_base:
        first = stream.start_time * stream.time_base if stream.start_time is not None else start
        return max(first, start) + stream.duration * stream.time_base
    if container.duration:
        begin = container.start_time or 0
        return Fraction(begin + container.duration, av.time_base)
    return None


def _tail(
    container: InputContainer,
    stream: VideoStream,
    frame_seconds: Fraction | None,
    declared_end: Fraction | None,
) -> _Run | None:
    if declared_end is None or not stream.time_base:
        return None
    for back_seconds in _TAIL_SECONDS:
        target = max(Fraction(0), declared_end - back_seconds)
        if not seek(container, stream, int(target / stream.time_base)):
            return None
        run = _scan(container, stream, frame_seconds)
        if run.last is not None:
            return run
    return None


def _rewind(container: InputContainer, stream: VideoStream) -> None:
    # Where not even this works the scan goes on from where it is.
    with contextlib.suppress(*READ_ERRORS):
        container.seek(0, backward=True, any_frame=True)


def _scan(
    container: InputContainer,
    stream: VideoStream,
    frame_seconds: Fraction | None,
    *,
    limit: int | None = None,
) -> _Run:
    run = _Run()
    for packet in packets(container):
        run.num_bytes += packet.size
        ticks = packet_ticks(packet, container)
        length = packet.duration * packet.time_base if packet.duration else Fraction(0)
        if container.format.name == "avi" and frame_seconds:
            length = frame_seconds
        if packet.stream_index != stream.index:
            if ticks is not None and not packet.is_discard:
                run.any_end = max(run.any_end or _BEGIN, ticks * packet.time_base + length)
            continue
        if packet.is_discard:
            continue
        run.num_shown += 1
        run.counted += length
        if ticks is not None:
            seconds = ticks * packet.time_base
            run.start = seconds if run.start is None else min(run.start, seconds)
            if run.last is None or seconds >= run.last:
                run.last = seconds
                run.end = seconds + (length or frame_seconds or 0)
                run.any_end = max(run.any_end or _BEGIN, run.end)
        if limit is not None and run.num_shown >= limit:
            break
    return run
