"""From blocks of sound to one row per clip, in a window of bounded length.

Axes: N samples of a block or patches of a batch, T clips, A audio size, C AudioSet classes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from hlcli.features.encoder import AudioEncoder
from hlcli.features.types import FloatArray, RowArray
from hlcli.media.clips import ClipGrid
from hlcli.stages import stage

SILENCE_DBFS = -100.0
"""The lowest level that is told apart from digital silence, in dBFS."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SoundFeatures:
    """What the sound of each clip says."""

    audio_TA: RowArray
    """Embeddings, float16, shape `(T, A)`."""
    events_TC: RowArray
    """Probability of each AudioSet class, float16 in [0, 1], shape `(T, C)`."""
    loudness_T: FloatArray
    """RMS level in dBFS, float32 in [-100, 0], shape `(T,)`."""


def encode_sound(
    blocks: Iterable[FloatArray],
    grid: ClipGrid,
    encoder: AudioEncoder,
    *,
    report: Callable[[int], None] = lambda done: None,
) -> SoundFeatures:
    """Listen to one patch in the middle of every clip.

    The patch is centred on its clip and takes in the neighbourhood where it is longer than the
    clip; at either end of the sound it is moved inwards, and filled with zeros only when the
    whole sound is shorter than a patch. Clips after the end of the sound are silent. How the
    sound is cut into blocks changes no bit of the result.

    Args:
        blocks: Mono sound at the encoder's rate in [-1, 1], float32, shape `(N,)` each, starting
            at the first video frame.
        grid: The clips.
        encoder: Turns patches into rows.
        report: Called with the number of finished clips now and then.

    Raises:
        DeviceError: The device is out of memory.
    """
    window = _Window(grid, encoder)
    for block in blocks:
        window.extend(block)
        report(window.next_clip)
    return window.finish()


class _Window:
    """The stretch of sound that is still needed, and the rows made so far."""

    def __init__(self, grid: ClipGrid, encoder: AudioEncoder) -> None:
        self.next_clip = 0
        self._grid = grid
        self._encoder = encoder
        self._sound = np.zeros(0, dtype=np.float32)
        self._start = 0  # of the window, in samples from the first video frame
        # Always filled up before it is encoded, so that each clip is computed beside the same
        # others whatever the blocks: processors round differently in another batch.
        self._batch = np.zeros((encoder.batch_size, encoder.patch_samples), dtype=np.float32)
        self._silence: tuple[FloatArray, FloatArray] | None = None
        num_clips = grid.num_clips
        self._audio_TA = np.zeros((num_clips, encoder.size), dtype=np.float16)
        self._events_TC = np.zeros((num_clips, len(encoder.class_names)), dtype=np.float16)
        self._loudness_T = np.full(num_clips, SILENCE_DBFS, dtype=np.float32)

    def extend(self, block: FloatArray) -> None:
        """Add sound and finish the clips it completes."""
        if not np.isfinite(block).all():
            # Float PCM can hold anything; one NaN would spread over the whole embedding.
            block = np.nan_to_num(block, nan=0.0, posinf=1.0, neginf=-1.0)
        self._sound = np.concatenate([self._sound, block])
        end = self._start + len(self._sound)
        while self.next_clip < self._grid.num_clips:
            clip_end = self._sample(self._grid.span(self.next_clip)[1])
            if max(clip_end, self._patch_start() + self._encoder.patch_samples) > end:
                break
            self._take(self._patch_start())
        # One patch more than the next clip needs, for moving the last patches inwards.
        first = self._sample(self._grid.span(self.next_clip)[0]) - self._encoder.patch_samples
        if first > self._start:
            self._sound = self._sound[first - self._start :]
            self._start = first

    def finish(self) -> SoundFeatures:
        """Finish the clips that the sound's end left open."""
        end = self._start + len(self._sound)
        while self.next_clip < self._grid.num_clips:
            self._take(min(self._patch_start(), end - self._encoder.patch_samples))
        if count := self._grid.num_clips % len(self._batch):
            self._encode(count)
        return SoundFeatures(
            audio_TA=self._audio_TA, events_TC=self._events_TC, loudness_T=self._loudness_T
        )

    def _take(self, patch_start: int) -> None:
        clip = self.next_clip
        start, end = (self._sample(instant) for instant in self._grid.span(clip))
        samples = self._sound[start - self._start : end - self._start]
        row = self._batch[clip % len(self._batch)]
        row[:] = 0.0
        if len(samples):
            first = max(0, patch_start) - self._start
            patch = self._sound[first : first + len(row)]
            row[: len(patch)] = patch
            self._loudness_T[clip] = _dbfs(samples)
        self.next_clip += 1
        if self.next_clip % len(self._batch) == 0:
            self._encode(len(self._batch))

    @stage("sound encoded")
    def _encode(self, count: int) -> None:
        self._batch[count:] = 0.0
        if self._batch.any():
            audio_NA, events_NC = self._encoder.encode(self._batch)
        else:
            # Hours of silence, as a jump of the clock leaves them, are heard once.
            if self._silence is None:
                self._silence = self._encoder.encode(self._batch)
            audio_NA, events_NC = self._silence
        rows = slice(self.next_clip - count, self.next_clip)
        self._audio_TA[rows] = audio_NA[:count].astype(np.float16)
        self._events_TC[rows] = events_NC[:count].astype(np.float16)

    def _patch_start(self) -> int:
        centre = self._sample(self._grid.centre(self.next_clip))
        return max(0, centre - self._encoder.patch_samples // 2)

    def _sample(self, seconds: Fraction) -> int:
        return round(seconds * self._encoder.sample_rate)


def _dbfs(samples: FloatArray) -> float:
    power = float(np.mean(np.square(samples, dtype=np.float64)))
    level = 10.0 * np.log10(power) if power > 0.0 else SILENCE_DBFS
    return float(min(0.0, max(SILENCE_DBFS, level)))
