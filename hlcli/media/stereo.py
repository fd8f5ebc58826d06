"""Stretches of one sound track, exact to the sample, in stereo.

The place of a sample is the time its packet carries. Containers that count in milliseconds round
it; there, packets of equal length lie on an exact grid, and the grid is believed.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import numpy.typing as npt
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.container import InputContainer

from hlcli.errors import MediaUnreadableError
from hlcli.media.clock import MediaClock
from hlcli.media.container import (
    READ_ERRORS,
    STEPS_BACK_SECONDS,
    decode,
    interleaved,
    open_media,
    packets,
    seek,
    unreadable,
)

Stereo = npt.NDArray[np.float32]
"""Samples in [-1, 1], float32, shape `(2, N)`: left, right."""

# Decoding starts this much earlier, for codecs whose packets lean on those before them.
_LEAD_SECONDS = Fraction(1, 2)
# Times that stray less than this are rounding; more is a gap or an overlap to be honoured.
_TOLERATED_SECONDS = Fraction(15, 1000)


@dataclass(frozen=True, slots=True, kw_only=True)
class SoundFileInfo:
    """What a file without a picture is."""

    path: Path
    """Absolute path of the file."""
    stream_indices: tuple[int, ...]
    """The sound streams in its container that can be decoded, at least one."""
    start_seconds: Fraction
    """Container time of its first sound, in seconds."""
    duration_seconds: Fraction | None
    """Its length; None where the file does not say it."""


def probe_sound(path: Path) -> SoundFileInfo:
    """Read what a sound file is: music under a timeline.

    Raises:
        MediaNotFoundError: There is no such file.
        MediaUnreadableError: It is damaged or has no sound.
        MediaError: It is a folder, or may not be read.
    """
    path = path.absolute()
    with open_media(path) as container:
        streams = [s for s in container.streams.audio if s.codec_context and s.sample_rate > 0]
        if not streams:
            raise unreadable(path, "it has no sound that can be decoded")
        base = streams[0].time_base or Fraction(1, streams[0].sample_rate)
        length = streams[0].duration
        return SoundFileInfo(
            path=path,
            stream_indices=tuple(stream.index for stream in streams),
            start_seconds=max(0, streams[0].start_time or 0) * base,
            duration_seconds=length * base if length else None,
        )


def read_sound(info: SoundFileInfo, *, sample_rate: int) -> Generator[Stereo, None, None]:
    """Yield all of a file's first sound track in blocks; close the generator to end before that.

    Args:
        info: What `probe_sound` said.
        sample_rate: Samples per second of the result, in Hz.

    Raises:
        MediaUnreadableError: Nothing of it can be decoded.
        MediaError: It can no longer be opened.
    """
    track = SoundTrack(
        info.path,
        info.stream_indices[0],
        clock=MediaClock(info.start_seconds),
        sample_rate=sample_rate,
    )
    is_empty = True
    try:
        for block in track.whole():
            is_empty = is_empty and block.shape[1] == 0
            yield block
    finally:
        track.close()
    if is_empty:
        raise MediaUnreadableError(
            f"{info.path} has no sound that can be decoded", hint="play the file in a player"
        )


class SoundTrack:
    """Reads one sound track of one video; close it when done."""

    def __init__(
        self, path: Path, stream_index: int, *, clock: MediaClock, sample_rate: int
    ) -> None:
        """Open the file.

        Args:
            path: The file.
            stream_index: Index of the stream in its container.
            clock: How seconds count: from the first video frame.
            sample_rate: Samples per second of the result, in Hz.

        Raises:
            MediaError: It can no longer be opened, or the track is gone.
        """
        self._path, self._stream_index = path, stream_index
        self._clock, self._sample_rate = clock, sample_rate
        self._stack = ExitStack()
        self._container: InputContainer
        self._stream: AudioStream
        self._open()
        self._grid_start = self._end_of_first_frame()

    def close(self) -> None:
        """Close the file."""
        self._stack.close()

    def read(self, start_seconds: Fraction, num_samples: int) -> Iterator[Stereo]:
        """Yield a stretch in blocks, together `num_samples` long.

        Where the file has no sound (before its start, after its end, in gaps and damage) there is
        silence.

        Args:
            start_seconds: First instant, in seconds from the first video frame; may be negative.
            num_samples: Length at the result's rate.
        """
        start = round(start_seconds * self._sample_rate)
        given = 0
        for position, block in self._from(start_seconds, start):
            first = position - start
            if first + block.shape[1] <= given:
                continue
            if first > given:
                gap = min(first, num_samples) - given
                yield from _silence(gap, self._sample_rate)
                given += gap
            block = block[:, given - first : num_samples - first]
            if block.shape[1]:
                yield block
                given += block.shape[1]
            if given >= num_samples:
                return
        yield from _silence(num_samples - given, self._sample_rate)

    def whole(self) -> Iterator[Stereo]:
        """Yield all of its sound from the first sample on, in blocks, leaving out gaps."""
        self._stack.close()
        self._open()
        for _, block in self._blocks():
            yield block

    def _from(self, start_seconds: Fraction, start: int) -> Iterator[tuple[int, Stereo]]:
        """Yield blocks with their places, from some way before the start on."""
        for back in (*STEPS_BACK_SECONDS, None):
            if back is None:
                self._stack.close()
                self._open()
            else:
                wanted = self._clock.container(start_seconds - _LEAD_SECONDS - back)
                if wanted <= (self._stream.start_time or 0) * self._time_base:
                    continue  # From the very start, where the decoder knows what to leave out.
                if not seek(self._container, self._stream, int(wanted / self._time_base)):
                    continue
            blocks = self._blocks()
            head = next(blocks, None)
            if head is None and back is not None:
                continue
            if head is not None and (back is None or head[0] <= start):
                yield head
                yield from blocks
                return

    def _blocks(self) -> Iterator[tuple[int, Stereo]]:
        resampler: _Resampler | None = None
        shape: tuple[str, str, int] | None = None
        expected: Fraction | None = None
        position = 0
        for frame in self._frames():
            if frame.samples == 0 or frame.sample_rate <= 0:
                continue
            now = (frame.format.name, frame.layout.name, frame.sample_rate)
            seconds = self._seconds(frame)
            if seconds is None and frame.pts is not None:
                continue  # In a stretch that is left out.
            strays = (
                seconds is not None
                and expected is not None
                and abs(seconds - expected) > _TOLERATED_SECONDS
            )
            if resampler is None or now != shape or strays:
                if resampler is not None:
                    for block in resampler.stereo(None):
                        yield position, block
                        position += block.shape[1]
                anchor = seconds if seconds is not None else (expected or Fraction(0))
                if expected is None or strays:
                    expected = anchor
                    position = round(anchor * self._sample_rate)
                resampler = _Resampler(frame, self._sample_rate)
                shape = now
            assert expected is not None
            expected += Fraction(frame.samples, frame.sample_rate)
            # The resampler counts samples itself; the container's times would confuse it.
            frame.pts = None
            for block in resampler.stereo(frame):
                yield position, block
                position += block.shape[1]
        if resampler is not None:
            for block in resampler.stereo(None):
                yield position, block
                position += block.shape[1]

    def _frames(self) -> Iterator[AudioFrame]:
        context = self._stream.codec_context
        for packet in packets(self._container, self._stream):
            yield from decode(context, packet) or ()  # What is missing becomes a gap.
        yield from decode(context, None) or ()

    def _seconds(self, frame: AudioFrame) -> Fraction | None:
        if frame.pts is None:
            return None
        base = frame.time_base or self._time_base
        seconds = frame.pts * base
        if base * frame.sample_rate > 1 and frame.samples and self._grid_start is not None:
            step = Fraction(frame.samples, frame.sample_rate)
            exact = self._grid_start + round((seconds - self._grid_start) / step) * step
            if abs(seconds - exact) <= base:
                seconds = exact
        return self._clock.seconds(seconds)

    def _end_of_first_frame(self) -> Fraction | None:
        """Return where the second frame starts: the first may have lost samples at its head."""
        for frame in self._frames():
            if frame.pts is None:
                return None
            base = frame.time_base or self._time_base
            return frame.pts * base + Fraction(frame.samples, frame.sample_rate)
        return None

    def _open(self) -> None:
        self._container = self._stack.enter_context(open_media(self._path))
        found = [s for s in self._container.streams.audio if s.index == self._stream_index]
        if not found or not found[0].time_base:
            raise unreadable(self._path, "one of its sound tracks is gone")
        self._stream, self._time_base = found[0], found[0].time_base


class _Resampler:
    """Brings frames of one shape to stereo at one rate."""

    def __init__(self, frame: AudioFrame, sample_rate: int) -> None:
        self._rate = sample_rate
        # One channel goes to both sides at full level, as players do it. FFmpeg knows where to
        # put the channels of layouts with names; of nine unnamed ones nobody does.
        self._layouts = ["mono" if frame.layout.nb_channels == 1 else "stereo", frame.layout.name]
        self._resampler = self._next()

    def stereo(self, frame: AudioFrame | None) -> Iterator[Stereo]:
        """Yield what a frame becomes; None gives what the resampler still holds."""
        for made in self._resampled(frame):
            block = interleaved(made)
            if len(block):
                if block.shape[1] != 2:
                    block = np.repeat(block.mean(axis=1, keepdims=True), 2, axis=1)
                # Damaged floating-point sound may hold anything.
                yield np.nan_to_num(block.T, nan=0.0, posinf=1.0, neginf=-1.0)

    def _resampled(self, frame: AudioFrame | None) -> list[AudioFrame]:
        while True:
            try:
                return self._resampler.resample(frame)
            except READ_ERRORS:
                if not self._layouts:
                    return []  # Channels or a rate that damage made up: silence.
                self._resampler = self._next()

    def _next(self) -> AudioResampler:
        return AudioResampler(format="flt", layout=self._layouts.pop(0), rate=self._rate)


def _silence(num_samples: int, block_samples: int) -> Iterator[Stereo]:
    while num_samples > 0:
        length = min(num_samples, block_samples)
        yield np.zeros((2, length), dtype=np.float32)
        num_samples -= length
