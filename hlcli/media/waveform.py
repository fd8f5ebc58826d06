"""The sound of a video: one mono waveform whose first sample is the first frame's instant."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.packet import Packet

from hlcli.media.clock import MediaClock
from hlcli.media.container import READ_ERRORS, decode, interleaved, open_media, packets
from hlcli.media.probe import MediaInfo

Wave = npt.NDArray[np.float32]

# Timestamps that stray less than this are rounding (Matroska counts milliseconds); more is a
# gap or an overlap that must be honoured.
_TOLERATED_SECONDS = 0.015
# A track that is silent in the file (no packets at all) holds the others up no longer than this.
_WAIT_BLOCKS = 1


def read_waveform(
    info: MediaInfo, *, sample_rate: int = 16000, block_seconds: int = 30
) -> Iterator[Wave]:
    """Yield the sound in blocks: all tracks and channels averaged, exactly as long as the picture.

    Sound before the first video frame is cut off; where there is none (late start, gaps, early
    end, packets that cannot be decoded) there is silence. Memory holds two blocks.

    Args:
        info: What `probe` said about the file.
        sample_rate: Samples per second of the result, in Hz.
        block_seconds: Length of each block but the last, in seconds.

    Yields:
        Samples in [-1, 1], float32, shape `(N,)`; in total `round(duration * sample_rate)`.
        Nothing at all when the file has no sound track.

    Raises:
        MediaUnreadableError: The file can no longer be opened.
    """
    if not info.has_audio:
        return
    with open_media(info.path) as container:
        wanted = {stream.index for stream in info.audio_streams}
        streams = [stream for stream in container.streams.audio if stream.index in wanted]
        mixer = _Mixer(
            num_samples=round(info.duration_seconds * sample_rate),
            block_samples=block_seconds * sample_rate,
            num_tracks=len(streams),
        )
        tracks = {
            stream.index: _Track(stream, mixer, sample_rate, info.clock) for stream in streams
        }
        for packet in packets(container, *streams):
            track = tracks[packet.stream_index]
            track.feed(packet)
            if track.position >= mixer.block_end:
                lowest = min(each.position for each in tracks.values())
                yield from mixer.take(max(lowest, track.position - mixer.slack_samples))
            if mixer.is_finished:
                return
        for track in tracks.values():
            track.finish()
        yield from mixer.take(mixer.num_samples)


def as_speech(blocks: Iterable[Wave], sample_rate: int) -> Iterator[Wave]:
    """Yield sound as what finds speech wants it: mono at 16 kHz, each block of shape `(N,)`.

    Args:
        blocks: Stereo in [-1, 1], float32, each of shape `(N, 2)`, one after the other.
        sample_rate: Of these, in Hz.
    """
    resampler = AudioResampler(format="flt", layout="mono", rate=16000)
    for block in blocks:
        mono = np.ascontiguousarray(block.mean(axis=1, dtype=np.float32)[None])
        frame = AudioFrame.from_ndarray(mono, format="flt", layout="mono")
        frame.sample_rate = sample_rate
        yield from (interleaved(one)[:, 0] for one in resampler.resample(frame))
    yield from (interleaved(one)[:, 0] for one in resampler.resample(None))


class _Mixer:
    """Sums tracks into blocks and gives out those that are complete."""

    def __init__(self, *, num_samples: int, block_samples: int, num_tracks: int) -> None:
        self.num_samples = num_samples
        self.slack_samples = (1 + _WAIT_BLOCKS) * block_samples
        self._block_samples = block_samples
        self._num_tracks = num_tracks
        self._given = 0
        self._blocks: dict[int, Wave] = {}

    @property
    def block_end(self) -> int:
        """First sample after the block that is due."""
        return min(self._given + self._block_samples, self.num_samples)

    @property
    def is_finished(self) -> bool:
        """Whether all samples were given out."""
        return self._given >= self.num_samples

    def add(self, start: int, samples: Wave) -> None:
        """Add one track's samples at a position; what lies outside is dropped."""
        skipped = max(0, self._given - start)
        samples = samples[skipped : max(skipped, self.num_samples - start)]
        start += skipped
        while len(samples):
            block, offset = divmod(start, self._block_samples)
            if block not in self._blocks:
                self._blocks[block] = np.zeros(self._block_samples, dtype=np.float32)
            length = min(len(samples), self._block_samples - offset)
            self._blocks[block][offset : offset + length] += samples[:length]
            samples = samples[length:]
            start += length

    def take(self, complete_until: int) -> Iterator[Wave]:
        """Yield every block that ends by `complete_until`."""
        while not self.is_finished and self.block_end <= complete_until:
            length = self.block_end - self._given
            block = self._blocks.pop(self._given // self._block_samples, None)
            if block is None:
                block = np.zeros(length, dtype=np.float32)
            self._given += length
            mean = block[:length] / np.float32(self._num_tracks)
            # Damaged floating-point sound may hold anything.
            yield np.clip(np.nan_to_num(mean, nan=0.0, posinf=1.0, neginf=-1.0), -1.0, 1.0)


@dataclass(slots=True)
class _Track:
    """Puts one sound track's samples where its timestamps say they belong."""

    stream: AudioStream
    mixer: _Mixer
    sample_rate: int
    clock: MediaClock
    position: int = 0
    """First sample not yet written, in samples of the result; may be negative."""
    _resampler: AudioResampler | None = None
    _shape: tuple[str, str, int] = ("", "", 0)
    _expected_seconds: float | None = None
    _anchor_seconds: float = 0.0
    _num_samples: int = 0
    _skip: int = 0

    def feed(self, packet: Packet[Any]) -> None:
        """Decode one packet; one that is damaged leaves a gap."""
        for frame in decode(self.stream.codec_context, packet) or ():
            self._place(frame)

    def finish(self) -> None:
        """Write what the decoder and the resampler still hold."""
        for frame in decode(self.stream.codec_context, None) or ():
            self._place(frame)
        self._flush()

    def _place(self, frame: AudioFrame) -> None:
        if frame.samples == 0 or frame.sample_rate <= 0:
            return
        shape = (frame.format.name, frame.layout.name, frame.sample_rate)
        expected = self._expected_seconds
        if frame.pts is None or frame.time_base is None:
            seconds = 0.0 if expected is None else expected
        else:
            known = self._seconds(frame.pts, frame.time_base)
            if known is None:
                return  # In a stretch that is left out.
            seconds = known
        jumped = expected is None or abs(seconds - expected) > _TOLERATED_SECONDS
        if jumped or shape != self._shape or self._resampler is None:
            self._flush()
            start = round(seconds * self.sample_rate)
            # An overlap repeats sound that is already written: drop it, do not add it twice.
            self._skip = max(0, self.position - start) if expected is not None else 0
            self.position = start
            self._resampler = AudioResampler(
                format="flt", layout=frame.layout.name, rate=self.sample_rate
            )
            self._shape = shape
            self._anchor_seconds, self._num_samples = seconds, 0
        self._num_samples += frame.samples
        self._expected_seconds = self._anchor_seconds + self._num_samples / frame.sample_rate
        # The resampler counts samples itself; the container's times would confuse it.
        frame.pts = None
        self._write(self._resampled(frame))

    def _seconds(self, ticks: int, base: Fraction) -> float | None:
        if self.clock.parts:
            seconds = self.clock.seconds(ticks * base)
            return None if seconds is None else float(seconds)
        # Float: this runs for every thousand samples, and its error is far below one sample.
        return ticks * base.numerator / base.denominator - float(self.clock.start_seconds)

    def _flush(self) -> None:
        if self._resampler is not None:
            self._write(self._resampled(None))
            self._resampler = None

    def _resampled(self, frame: AudioFrame | None) -> list[AudioFrame]:
        assert self._resampler is not None
        try:
            return self._resampler.resample(frame)
        except READ_ERRORS:
            return []  # Channels or a rate that damage made up: a gap.

    def _write(self, frames: list[AudioFrame]) -> None:
        for frame in frames:
            block = interleaved(frame)
            samples = block[:, 0] if block.shape[1] == 1 else block.mean(axis=1)
            skipped = min(self._skip, len(samples))
            self._skip -= skipped
            self.mixer.add(self.position + skipped, samples[skipped:])
            self.position += len(samples)
