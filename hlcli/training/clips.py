"""What training needs of a corpus, whether its features lie in memory or on disk.

Axes: T clips of a piece, N clips of the corpus, V and A feature sizes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np

from hlcli.errors import TrainingError
from hlcli.features.types import FeatureSpec, FloatArray, VideoFeatures
from hlcli.model.fusion import has_sound
from hlcli.model.projection import ROWS_AT_ONCE


class ClipSource(Protocol):
    """The unlabelled videos to learn from, read piece by piece."""

    @property
    def spec(self) -> FeatureSpec:
        """What made the features."""

    @property
    def names(self) -> Sequence[str]:
        """Name of each video, for error messages."""

    @property
    def clip_counts(self) -> Sequence[int]:
        """Number of clips of each video, at least 1."""

    @property
    def has_audio(self) -> Sequence[bool]:
        """Whether each video has sound."""

    def read(self, video: int, start: int, stop: int) -> VideoFeatures:
        """Clips `[start, stop)` of a video, float32, as if they were one."""

    def digest(self) -> str:
        """Hex sha256 of all numbers: a run may only go on with the data it began with."""


def video_digest(video: VideoFeatures) -> str:
    """Hex sha256 of what training sees of a video, the same in float16 and in float32."""
    digest = hashlib.sha256()
    video = video if has_sound(video) else video.without_audio()
    for array in (video.visual_TV, video.audio_TA, video.motion_T, video.loudness_T):
        if array is None:
            digest.update(b"none")
            continue
        for start in range(0, len(array), ROWS_AT_ONCE):
            block = np.ascontiguousarray(array[start : start + ROWS_AT_ONCE], np.float32)
            digest.update(block.data)
    return digest.hexdigest()


def corpus_digest(spec: FeatureSpec, digests: Sequence[str]) -> str:
    """Hex sha256 of a corpus, from the digests of its videos in their order."""
    return hashlib.sha256(" ".join((spec.digest(), *digests)).encode()).hexdigest()


def is_finite(video: VideoFeatures) -> bool:
    """Whether everything that training sees of a video is a number."""
    arrays = (video.visual_TV, video.audio_TA, video.motion_T, video.loudness_T)
    return all(array is None or bool(np.isfinite(array).all()) for array in arrays)


def count_paired(source: ClipSource) -> int:
    """Clips that have picture and sound.

    Raises:
        TrainingError: None has.
    """
    count = sum(n for n, audio in zip(source.clip_counts, source.has_audio, strict=True) if audio)
    if not count:
        raise TrainingError(
            "no video of the corpus has sound, and the detector learns from both",
            hint="add videos with an audio track",
        )
    return count


def paired_blocks(source: ClipSource) -> Iterator[tuple[FloatArray, FloatArray]]:
    """Picture and sound features of the clips that have both, `ROWS_AT_ONCE` clips at a time.

    The blocks do not depend on where the features lie, so sums over them do not either.
    """
    waiting: list[VideoFeatures] = []
    num_waiting = 0
    for video, (num_clips, has_audio) in enumerate(
        zip(source.clip_counts, source.has_audio, strict=True)
    ):
        start = 0
        while has_audio and start < num_clips:
            stop = min(num_clips, start + ROWS_AT_ONCE - num_waiting)
            waiting.append(source.read(video, start, stop))
            num_waiting += stop - start
            start = stop
            if num_waiting == ROWS_AT_ONCE:
                yield _joined(waiting)
                waiting, num_waiting = [], 0
    if waiting:
        yield _joined(waiting)


def _joined(pieces: list[VideoFeatures]) -> tuple[FloatArray, FloatArray]:
    visual: FloatArray = np.concatenate([piece.visual_TV for piece in pieces])
    audio: FloatArray = np.concatenate(
        [piece.audio_TA for piece in pieces if piece.audio_TA is not None]
    )
    return visual, audio
