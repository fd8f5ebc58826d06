"""The unlabelled videos to learn from, as features; extracted once, then read from the cache."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hlcli import paths
from hlcli.errors import HlError, MediaError, OutputError, RecipeError, TrainingError, reason_of
from hlcli.features.store import FeatureStore
from hlcli.features.types import FeatureSpec, VideoFeatures
from hlcli.media.discover import find_videos
from hlcli.model.fusion import has_sound
from hlcli.progress import Progress, silent
from hlcli.training.clips import corpus_digest, is_finite, video_digest
from hlcli.training.distributed import ALONE, Ranks
from hlcli.training.extraction import extract_files, fill_shards, open_shards
from hlcli.training.recipe import DataConfig
from hlcli.training.shards import ShardedCorpus
from hlcli.training.split import read_manifest, select_rows

logger = logging.getLogger(__name__)

MANY_CLIPS = 50 * 3600
"""A corpus of more clips should lie in shards: in memory it takes above 1.5 GiB."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Corpus:
    """Features of all training videos."""

    spec: FeatureSpec
    """What made the features."""
    names: tuple[str, ...]
    """Name of each video, for error messages."""
    videos: tuple[VideoFeatures, ...]
    """Features of each video."""

    def __post_init__(self) -> None:
        if not self.videos or len(self.names) != len(self.videos):
            raise TrainingError("there is no video to learn from", hint="correct data.folders")
        for name, video in zip(self.names, self.videos, strict=True):
            if not is_finite(video):
                raise TrainingError(
                    f"the features of {name} are not all numbers",
                    hint="clear the feature cache and extract them again",
                )

    @property
    def clip_counts(self) -> tuple[int, ...]:
        """See `ClipSource.clip_counts`."""
        return tuple(video.num_clips for video in self.videos)

    @property
    def has_audio(self) -> tuple[bool, ...]:
        """See `ClipSource.has_audio`."""
        return tuple(has_sound(video) for video in self.videos)

    @property
    def duration_seconds(self) -> float:
        """Length of all videos."""
        return sum(video.duration_seconds for video in self.videos)

    def read(self, video: int, start: int, stop: int) -> VideoFeatures:
        """See `ClipSource.read`."""
        whole, rows = self.videos[video], slice(start, stop)
        audio = whole.audio_TA is not None and whole.loudness_T is not None
        return VideoFeatures(
            spec_digest=whole.spec_digest,
            duration_seconds=(stop - start) * self.spec.clip_seconds,
            visual_TV=whole.visual_TV[rows],
            audio_TA=whole.audio_TA[rows] if audio and whole.audio_TA is not None else None,
            events_TC=None,
            motion_T=whole.motion_T[rows],
            loudness_T=whole.loudness_T[rows] if audio and whole.loudness_T is not None else None,
            shot_boundaries_seconds=np.zeros(0),
        ).in_float32()

    def digest(self) -> str:
        """See `ClipSource.digest`."""
        return corpus_digest(self.spec, [video_digest(video) for video in self.videos])


def find_corpus(data: DataConfig) -> list[Path]:
    """List the video files a recipe names.

    Raises:
        RecipeError: Neither folders nor a manifest, or the split is empty.
        MediaNotFoundError: A folder does not exist or holds no video.
    """
    if not data.manifest:
        if not data.folders:
            raise RecipeError(
                "the recipe names no data", hint='--set data.folders=["FOLDER"] names some'
            )
        if data.split != "all":
            raise RecipeError(
                f"data.split = {data.split!r} needs data.manifest",
                hint='give the manifest, or set data.split = "all"',
            )
        return find_videos(list(data.folders))
    manifest = Path(data.manifest).expanduser()
    roots = [Path(folder).expanduser() for folder in data.folders] or [manifest.parent]
    files = []
    for row in select_rows(read_manifest(manifest), data.split):
        found = [root / row.file for root in roots if (root / row.file).is_file()]
        if not found:
            raise RecipeError(
                f"{row.file} of the manifest is not in {', '.join(map(str, roots))}",
                hint="correct data.folders",
            )
        files.append(found[0])
    if not files:
        raise RecipeError(f"no video of {manifest} is in the part {data.split!r}")
    return files


def open_corpus(
    data: DataConfig, *, device: str = "auto", ranks: Ranks = ALONE, progress: Progress = silent
) -> tuple[Corpus | ShardedCorpus, int]:
    """Get the features of the videos a recipe names, from memory or from shards.

    Of several processes the first one extracts what is new, while the others wait.

    Returns:
        The corpus, and how many files could not be read and are left out.

    Raises:
        RecipeError: The recipe names no data, or data that is not there.
        TrainingError: No file could be used, or the shards are damaged.
        DeviceError: The device is missing or out of memory.
        ModelError: The encoders' weights cannot be used.
        OutputError: The shards cannot be written.
    """
    corpus: Corpus | ShardedCorpus
    if data.shards and not data.folders and not data.manifest:
        corpus = ShardedCorpus.open(Path(data.shards).expanduser())
        corpus.check()
        return corpus, 0
    files = find_corpus(data)
    with ranks.first_alone():
        if not data.shards:
            corpus = load_corpus(
                files, visual_encoder=data.visual_encoder, device=device, progress=progress
            )
        elif ranks.is_first:
            fill_shards(
                files,
                Path(data.shards).expanduser(),
                visual_encoder=data.visual_encoder,
                device=device,
                progress=progress,
            )
    if data.shards:
        corpus = open_shards(files, Path(data.shards).expanduser())
        corpus.check()
    return corpus, len(files) - len(corpus.names)


def load_corpus(
    files: Sequence[Path],
    *,
    visual_encoder: str,
    device: str = "auto",
    progress: Progress = silent,
) -> Corpus:
    """Read the features of all files from the cache, extracting those that are new.

    A file that cannot be read is left out with a warning in the log. `visual_encoder` is the
    recipe's `data.visual_encoder`.

    Raises:
        TrainingError: No file could be used.
        DeviceError: The device is missing or out of memory.
        ModelError: The encoders' weights cannot be used.
    """
    from hlcli.features.device import resolve_device
    from hlcli.features.encoders import load_encoders

    encoders = load_encoders(resolve_device(device), visual=visual_encoder)
    store = FeatureStore(paths.features_dir())
    names: list[str] = []
    videos: list[VideoFeatures] = []
    failures: list[HlError] = []
    num_clips = 0
    with contextlib.closing(
        extract_files(files, encoders=encoders, store=store, progress=progress)
    ) as extracted:
        for one in extracted:
            if isinstance(one.result, HlError):
                logger.warning("%s is left out: %s", one.file, reason_of(one.result))
                failures.append(one.result)
                continue
            if not one.was_stored:
                try:
                    store.put(one.identity, encoders.spec, one.result)
                except OutputError as error:
                    logger.warning("features of %s are not stored: %s", one.file, error)
            names.append(one.file.name)
            videos.append(one.result.in_float32())
            num_clips += one.result.num_clips
            if num_clips - one.result.num_clips <= MANY_CLIPS < num_clips:
                logger.warning(
                    "more than %d hours of video are held in memory; data.shards=FOLDER keeps "
                    "the features on disk",
                    MANY_CLIPS // 3600,
                )
    if not videos:
        # A device or a bug is not the videos' fault.
        for failure in failures:
            if not isinstance(failure, MediaError):
                raise failure
        raise TrainingError(
            f"none of the {len(files)} videos could be read", hint="check one with `hl score`"
        )
    return Corpus(spec=encoders.spec, names=tuple(names), videos=tuple(videos))
