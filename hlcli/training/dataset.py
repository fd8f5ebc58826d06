"""Training sequences: crops of long videos, and short videos put together.

Everything random about step n follows from the seed and n alone, so a resumed run draws what the
uninterrupted one would have drawn.

Axes: B batch, T clips, V and A feature sizes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from hlcli.features.sound import SILENCE_DBFS
from hlcli.features.types import FloatArray, VideoFeatures
from hlcli.training.clips import ClipSource
from hlcli.training.planting import Planter, Sequence
from hlcli.training.recipe import DataConfig, ObjectiveConfig
from hlcli.training.segments import SegmentPool, cut_segments

BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]
Float64 = npt.NDArray[np.float64]
_EVEN_SEGMENTS = 4
_CALIBRATION = 2**40  # a step number that training never reaches


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """One batch, on one device."""

    visual_BTV: Tensor
    """Picture features, float32, not scaled."""
    audio_BTA: Tensor
    """Sound features, float32, zeros where a sequence has no sound."""
    mask_BT: Tensor
    """True for clips that are there; False is padding."""
    has_audio_B: Tensor
    """Whether a sequence has sound."""
    hidden_visual_BT: Tensor
    """Clips whose picture is hidden in masked reconstruction; never padding."""
    hidden_audio_BT: Tensor
    """Clips whose sound is hidden in masked reconstruction; never padding."""
    motion_BT: Tensor
    """Motion of each clip, float32 in [0, 1]."""
    loudness_BT: Tensor
    """Loudness of each clip in dBFS, float32; silence where a sequence has no sound."""
    planted_BT: Tensor
    """Planted highlights; all False where a sequence has none."""
    offset_B: Tensor
    """Position of the first clip, so that no position is special."""
    names: tuple[str, ...]
    """Videos in it, for error messages."""


class SequenceSampler:
    """Draws training sequences from a corpus.

    Args:
        corpus: Videos to cut from.
        data: How sequences are composed.
        seed: Seed of everything drawn.
    """

    def __init__(self, corpus: ClipSource, data: DataConfig, *, seed: int) -> None:
        self.corpus = corpus
        self.data = data
        self.seed = seed
        self.segments = cut_segments(
            corpus,
            segment_clips=data.segment_clips,
            num_categories=data.pseudo_categories,
            seed=seed,
        )
        has_audio_of = corpus.has_audio
        with_audio = [i for i, segment in enumerate(self.segments) if has_audio_of[segment.video]]
        self._every = SegmentPool(self.segments)
        self._with_audio = SegmentPool(self.segments, np.array(with_audio, np.int64))
        self._audio_share = len(with_audio) / len(self.segments)
        self._planter = Planter(corpus, self._every, data)
        self._clip_counts = np.array(corpus.clip_counts, np.int64)
        self._long: dict[int, tuple[IntArray, Float64]] = {}

    def batch(
        self, step: int, *, batch_size: int, objective: ObjectiveConfig, period_clips: int
    ) -> Batch:
        """Draw the batch of one step; the same step gives the same batch."""
        rng = np.random.default_rng([self.seed, 2, step])
        num_clips = self.data.sequence_clips
        drawn = [self.draw(rng, num_clips) for _ in range(batch_size)]
        videos = [self.features(one) for one in drawn]
        hidden = [
            hide_spans(rng, num_clips, objective.mask_ratio, objective.mask_span_clips)
            for _ in range(2 * batch_size)
        ]
        silence = np.zeros((num_clips, self.corpus.spec.audio_size), np.float32)
        quiet = np.full(num_clips, SILENCE_DBFS, np.float32)
        loudness = [quiet if v.loudness_T is None else v.loudness_T for v in videos]
        audio = [silence if v.audio_TA is None else v.audio_TA for v in videos]
        names = sorted({self.corpus.names[piece[0]] for one in drawn for piece in one.pieces})
        return Batch(
            visual_BTV=torch.from_numpy(np.stack([v.visual_TV for v in videos])),
            audio_BTA=torch.from_numpy(np.stack(audio)),
            mask_BT=torch.ones(batch_size, num_clips, dtype=torch.bool),
            has_audio_B=torch.tensor([v.has_audio for v in videos]),
            hidden_visual_BT=torch.from_numpy(np.stack(hidden[:batch_size])),
            hidden_audio_BT=torch.from_numpy(np.stack(hidden[batch_size:])),
            motion_BT=torch.from_numpy(np.stack([v.motion_T for v in videos])),
            loudness_BT=torch.from_numpy(np.stack(loudness)),
            planted_BT=torch.from_numpy(np.stack([one.planted_T for one in drawn])),
            offset_B=torch.from_numpy(rng.integers(period_clips, size=batch_size)),
            names=tuple(names),
        )

    def calibration(self) -> list[VideoFeatures]:
        """Sequences of twice the training length, on which raw scores get their meaning.

        Every second one is even: a few segments of one pseudo-category over and over, as an
        uneventful recording is. Without those, a film of one place would score near 0 throughout.
        """
        rng = np.random.default_rng([self.seed, 2, _CALIBRATION])
        count, num_clips = self.data.calibration_sequences, 2 * self.data.sequence_clips
        drawn = [
            self._even(rng, num_clips) if index % 2 else self.draw(rng, num_clips)
            for index in range(count)
        ]
        return [self.features(one) for one in drawn]

    def _even(self, rng: np.random.Generator, num_clips: int) -> Sequence:
        pool = self._with_audio or self._every
        alike = pool.of([pool[int(rng.integers(len(pool)))].category])
        some = [alike[int(i)] for i in rng.permutation(len(alike))[:_EVEN_SEGMENTS]]
        pieces = self._planter.fill(rng, some, num_clips)
        return Sequence(pieces=tuple(pieces), planted_T=np.zeros(num_clips, bool))

    def draw(self, rng: np.random.Generator, num_clips: int) -> Sequence:
        """Draw one sequence of exactly `num_clips` clips."""
        long, share = self._long_videos(num_clips)
        if len(long) and rng.random() < self.data.crop_share:
            video = int(rng.choice(long, p=share))
            start = int(rng.integers(self._clip_counts[video] - num_clips + 1))
            nothing = np.zeros(num_clips, bool)
            return Sequence(pieces=((video, start, start + num_clips),), planted_T=nothing)
        # Sound is lost for the whole sequence when one piece has none, so mostly draw alike.
        has_audio = rng.random() < self._audio_share
        pool = self._with_audio if has_audio and self._with_audio else self._every
        if len(pool.categories) >= 2 and rng.random() < self.data.planted_share:
            return self._planter.plant(rng, pool, num_clips)
        pieces = self._planter.fill(rng, pool, num_clips)
        return Sequence(pieces=tuple(pieces), planted_T=np.zeros(num_clips, bool))

    def _long_videos(self, num_clips: int) -> tuple[IntArray, Float64]:
        """Videos of at least so many clips, and how often each is cropped."""
        if num_clips not in self._long:
            long = np.flatnonzero(self._clip_counts >= num_clips)
            lengths = self._clip_counts[long].astype(np.float64)
            self._long[num_clips] = long, lengths / max(1.0, lengths.sum())
        return self._long[num_clips]

    def features(self, sequence: Sequence) -> VideoFeatures:
        """Put the pieces of a sequence together as if they were one video."""
        videos = [self.corpus.read(*piece) for piece in sequence.pieces]
        has_audio = all(video.has_audio for video in videos)

        def join(name: str) -> FloatArray:
            joined: FloatArray = np.concatenate([getattr(video, name) for video in videos])
            return joined

        return VideoFeatures(
            spec_digest=videos[0].spec_digest,
            duration_seconds=len(sequence.planted_T) * self.corpus.spec.clip_seconds,
            visual_TV=join("visual_TV"),
            audio_TA=join("audio_TA") if has_audio else None,
            events_TC=None,
            motion_T=join("motion_T"),
            loudness_T=join("loudness_T") if has_audio else None,
            shot_boundaries_seconds=np.zeros(0),
        )


def hide_spans(
    rng: np.random.Generator, num_clips: int, ratio: float, longest_span: int
) -> BoolArray:
    """Draw runs of hidden clips, bool `(T,)`: about `ratio` of them, never all.

    A single clip is never hidden: there would be nothing to tell it from.
    """
    hidden_T = np.zeros(num_clips, bool)
    wanted = min(max(1, round(ratio * num_clips)), num_clips - 1)
    while (missing := wanted - int(hidden_T.sum())) > 0:
        span = min(int(rng.integers(1, longest_span + 1)), missing)
        start = int(rng.integers(num_clips - span + 1))
        hidden_T[start : start + span] = True
    return hidden_T
