"""Small real videos whose features are made up and stored, so that nothing is encoded."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import media_factory
import numpy as np
import opentimelineio as otio

from hlcli import paths
from hlcli.features.store import FeatureStore
from hlcli.features.types import FeatureSpec, VideoFeatures
from hlcli.media.identity import content_identity
from hlcli.model.config import RaslConfig
from hlcli.training.corpus import Corpus
from hlcli.training.recipe import DataConfig, RaslRecipe, TrainingConfig
from hlcli.training.register import register_run
from hlcli.training.run import train_on
from hlcli.tuning.footage import Footage, RawFile
from hlcli.zoo.manifest import find_model

RATE = Fraction(5)
TYPES = 4


def spec_of(model: str = "rasl") -> FeatureSpec:
    return FeatureSpec.from_table(find_model(model).feature_spec)


def types_of(number: int, *, seconds: int = 40) -> list[int]:
    """The kind of event in each second of take `number`: blocks of five seconds."""
    order = np.random.default_rng(number).permutation(np.arange(seconds // 5) % TYPES)
    return [int(one) for one in np.repeat(order, 5)]


def make_take(folder: Path, number: int, *, seconds: int = 40, name: str = "") -> Path:
    """Write a tiny video and store features for it, one look and sound for each kind of event."""
    folder.mkdir(parents=True, exist_ok=True)
    path = media_factory.make_video(
        folder,
        name=name or f"take{number}.mp4",
        rate=RATE,
        num_frames=seconds * int(RATE),
        width=48,
        height=32,
        first_number=200 * number,
        b_frames=0,
    )
    store_features(path, types_of(number, seconds=seconds), seed=number)
    return path


def store_features(path: Path, types: list[int], *, seed: int) -> VideoFeatures:
    spec = spec_of()
    rng = np.random.default_rng(99)
    looks = np.abs(rng.normal(size=(TYPES, spec.visual_size)))
    sounds = np.abs(rng.normal(size=(TYPES, spec.audio_size)))
    rng = np.random.default_rng(seed)
    count = len(types)
    visual = np.abs(looks[types] + 0.5 * rng.normal(size=(count, spec.visual_size)))
    audio = np.abs(sounds[types] + 0.5 * rng.normal(size=(count, spec.audio_size)))
    features = VideoFeatures(
        spec_digest=spec.digest(),
        duration_seconds=float(count),
        visual_TV=visual.astype(np.float16),
        audio_TA=audio.astype(np.float16),
        events_TC=np.zeros((count, 521), np.float16),
        motion_T=rng.uniform(0, 0.2, count).astype(np.float32),
        loudness_T=rng.uniform(-40, -10, count).astype(np.float32),
        shot_boundaries_seconds=np.zeros(0),
    )
    FeatureStore(paths.features_dir()).put(content_identity(path), spec, features)
    return features


def make_parent(folder: Path, raw: Path, *, name: str = "small") -> None:
    """Train a small network on the takes in `raw` and add it to the user's models."""
    store, spec = FeatureStore(paths.features_dir()), spec_of()
    takes = sorted(raw.glob("*.mp4"))
    videos = [store.get(content_identity(path), spec) for path in takes]
    recipe = RaslRecipe(
        name=name,
        output=str(folder),
        data=DataConfig(sequence_clips=16, pseudo_categories=4, calibration_sequences=8),
        model=RaslConfig(
            width=16, input_dim=4, rasl_width=8, embedding_width=8, num_layers=1, dropout=0.0
        ),
        training=TrainingConfig(steps=3, batch_size=4),
    )
    corpus = Corpus(
        spec=spec, names=tuple(path.name for path in takes), videos=tuple(v for v in videos if v)
    )
    train_on(corpus, recipe)
    register_run(folder, name=name, created="2025-11-23")


def raw_file(path: Path) -> RawFile:
    (file,) = Footage([str(path)]).files
    return file


def write_cut(
    path: Path,
    events: list[tuple[str, float, float]],
    *,
    rate: Fraction = RATE,
    length: float | None = 40.0,
    sounds: list[tuple[str, float, float]] | None = None,
    markers: list[tuple[str, str, float, float]] | None = None,
) -> Path:
    """Write an OpenTimelineIO cut as another program might, each event (file, start, end).

    Args:
        path: The .otio file.
        events: Pictures, one after the other.
        rate: Of timeline and media.
        length: Length of every file in seconds; None leaves it unsaid.
        sounds: Events of sound alone, after each other.
        markers: (name, colour, start, length) on the first event, in seconds of its file.
    """
    timeline = otio.schema.Timeline(name="cut")
    for kind, rows in (("Video", events), ("Audio", sounds or [])):
        track = otio.schema.Track(name=f"{kind[0]}1", kind=kind)
        for file, start, end in rows:
            media = otio.schema.ExternalReference(target_url=file)
            if length is not None:
                media.available_range = _range(0, length, rate)
            track.append(
                otio.schema.Clip(
                    name=Path(file).name,
                    media_reference=media,
                    source_range=_range(start, end - start, rate),
                )
            )
        if rows:
            timeline.tracks.append(track)
    for name, color, start, duration in markers or []:
        marker = otio.schema.Marker(name=name, color=color)
        marker.marked_range = _range(start, duration, rate)
        timeline.tracks[0][0].markers.append(marker)
    otio.adapters.write_to_file(timeline, str(path))
    return path


def _range(start: float, duration: float, rate: Fraction) -> otio.opentime.TimeRange:
    return otio.opentime.TimeRange(
        otio.opentime.RationalTime(start * float(rate), float(rate)),
        otio.opentime.RationalTime(duration * float(rate), float(rate)),
    )
