"""The unlabelled videos to learn from, as features; extracted once, then read from the cache."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hlcli import paths
from hlcli.errors import MediaError, OutputError, RecipeError, TrainingError
from hlcli.features.types import FeatureSpec, FloatArray, VideoFeatures
from hlcli.media.discover import find_videos
from hlcli.progress import Progress, silent
from hlcli.training.recipe import DataConfig
from hlcli.training.split import read_manifest, select_rows

logger = logging.getLogger(__name__)


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
            for array in (video.visual_TV, video.audio_TA, video.motion_T, video.loudness_T):
                if array is not None and not np.isfinite(array).all():
                    raise TrainingError(
                        f"the features of {name} are not all numbers",
                        hint="clear the feature cache and extract them again",
                    )

    def digest(self) -> str:
        """Hex sha256 of all numbers: a run may only go on with the data it began with."""
        digest = hashlib.sha256(self.spec.digest().encode())
        for video in self.videos:
            for array in (video.visual_TV, video.audio_TA, video.motion_T, video.loudness_T):
                digest.update(b"none" if array is None else np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()

    def paired_clips(self) -> tuple[FloatArray, FloatArray]:
        """Picture and sound features of all clips that have both, `(N, V)` and `(N, A)`.

        Raises:
            TrainingError: No video has sound.
        """
        pairs = [(one.visual_TV, one.audio_TA) for one in self.videos if one.audio_TA is not None]
        if not pairs:
            raise TrainingError(
                "no video of the corpus has sound, and the detector learns from both",
                hint="add videos with an audio track",
            )
        return np.concatenate([v for v, _ in pairs]), np.concatenate([a for _, a in pairs])


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
    from hlcli.features.extract import extract_features
    from hlcli.features.store import FeatureStore
    from hlcli.media.identity import content_identity
    from hlcli.media.probe import probe

    encoders = load_encoders(resolve_device(device), visual=visual_encoder)
    store = FeatureStore(paths.features_dir())
    names: list[str] = []
    videos: list[VideoFeatures] = []
    for done, file in enumerate(files):
        progress("reading the corpus", done, len(files))
        try:
            identity = content_identity(file)
            features = store.get(identity, encoders.spec)
            if features is None:
                features = extract_features(probe(file), encoders=encoders)
                try:
                    store.put(identity, encoders.spec, features)
                except OutputError as error:
                    logger.warning("features of %s are not stored: %s", file, error)
        except MediaError as error:
            logger.warning("%s is left out: %s", file, error)
            continue
        names.append(file.name)
        videos.append(features.in_float32())
    progress("reading the corpus", len(files), len(files))
    if not videos:
        raise TrainingError(
            f"none of the {len(files)} videos could be read", hint="check one with `hl score`"
        )
    return Corpus(spec=encoders.spec, names=tuple(names), videos=tuple(videos))
