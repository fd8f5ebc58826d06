"""Made-up features for tests: event types that look and sound alike, no media needed."""

from __future__ import annotations

import numpy as np

from hlcli.features.types import FeatureSpec, FloatArray, VideoFeatures
from hlcli.training.corpus import Corpus

VISUAL, AUDIO = 48, 40
SPEC = FeatureSpec(
    visual_encoder="made-up-eye",
    visual_sha256="1" * 64,
    visual_size=VISUAL,
    picture_size=8,
    audio_encoder="made-up-ear",
    audio_sha256="2" * 64,
    audio_size=AUDIO,
)


def features_of(
    visual_TV: FloatArray,
    audio_TA: FloatArray | None = None,
    *,
    motion_T: FloatArray | None = None,
    loudness_T: FloatArray | None = None,
) -> VideoFeatures:
    num_clips = len(visual_TV)
    if audio_TA is not None and loudness_T is None:
        loudness_T = np.full(num_clips, -20, np.float32)
    return VideoFeatures(
        spec_digest=SPEC.digest(),
        duration_seconds=float(num_clips),
        visual_TV=visual_TV.astype(np.float32),
        audio_TA=None if audio_TA is None else audio_TA.astype(np.float32),
        events_TC=None,
        motion_T=np.full(num_clips, 0.1, np.float32) if motion_T is None else motion_T,
        loudness_T=loudness_T,
        shot_boundaries_seconds=np.zeros(0),
    )


class World:
    """A few event types, each with its own look and sound, plus noise."""

    def __init__(self, *, num_types: int = 6, seed: int = 0, noise: float = 0.6) -> None:
        rng = np.random.default_rng(seed)
        self.looks = rng.normal(size=(num_types, VISUAL))
        self.sounds = rng.normal(size=(num_types, AUDIO))
        self.noise = noise

    def video(self, types: list[int], *, seed: int, with_sound: bool = True) -> VideoFeatures:
        """One clip for each entry of `types`."""
        rng = np.random.default_rng(seed)
        count = len(types)
        visual = self.looks[types] + self.noise * rng.normal(size=(count, VISUAL))
        audio = self.sounds[types] + self.noise * rng.normal(size=(count, AUDIO))
        loudness = rng.uniform(-40, -10, count).astype(np.float32)
        return features_of(
            visual,
            audio if with_sound else None,
            motion_T=rng.uniform(0, 0.2, count).astype(np.float32),
            loudness_T=loudness if with_sound else None,
        )

    def corpus(self, num_videos: int, *, clips: int = 7, seed: int = 0) -> list[VideoFeatures]:
        """Short videos of one event type each, as the real training clips are."""
        rng = np.random.default_rng(seed)
        count = len(self.looks)
        return [
            self.video([int(rng.integers(count))] * clips, seed=1000 * seed + i)
            for i in range(num_videos)
        ]


def make_corpus(num_videos: int = 24) -> Corpus:
    """Return videos of a `World` as training takes them."""
    videos = tuple(World().corpus(num_videos))
    return Corpus(spec=SPEC, names=tuple(f"v{i}.mp4" for i in range(num_videos)), videos=videos)
