"""`--videos`: the benchmark's real files through the real pipeline.

Axes: N units of the benchmark, T one-second clips.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from hlcli.errors import MediaError, MediaNotFoundError, UsageError
from hlcli.evaluation.baselines import BASELINES, Baseline, Looks, Scores
from hlcli.evaluation.benchmarks.benchmark import Benchmark, Float64
from hlcli.evaluation.benchmarks.candidates import READOUT_NAMES, Candidate, clips_candidate
from hlcli.evaluation.benchmarks.held_out import HELD_OUT_NOTE, held_out_scores
from hlcli.features.types import VideoFeatures
from hlcli.media.discover import find_videos
from hlcli.media.identity import content_identity
from hlcli.media.probe import MediaInfo, probe
from hlcli.model.readouts import read_out
from hlcli.model.scorer import Modality
from hlcli.progress import Progress, silent
from hlcli.workflows.score import Pipeline

_SHORTER_SECONDS = 2.0
_MODALITIES: tuple[Modality, ...] = ("v", "va")
_CLOCK = ("file-order", "centre-prior")


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredVideos:
    """What the pipeline said about the files that are there."""

    benchmark: Benchmark
    """The videos whose files are there and can be read."""
    candidates: tuple[Candidate, ...]
    """Detectors, then baselines of the extracted features."""
    missing: tuple[str, ...]
    """Labelled videos without a file, or with one that cannot be read."""
    remarks: tuple[str, ...]
    """What is odd about the files, one sentence each."""


@dataclass(slots=True)
class _Column:
    """The scores of one row, by video."""

    looks: Looks
    is_baseline: bool
    note: str = ""
    clips: dict[str, Float64] = field(default_factory=dict)


def score_files(
    benchmark: Benchmark,
    folder: Path,
    *,
    models: Sequence[str | None] = (None,),
    device: str = "auto",
    progress: Progress = silent,
) -> ScoredVideos:
    """Score the files of a benchmark with and without their sound, and with all baselines.

    Args:
        benchmark: Labels; a video's file has its name as stem, in any folder below `folder`.
        folder: Where the files are.
        models: Detectors by zoo name; None is the default model.
        device: Where the networks run.
        progress: Called with the number of files done.

    Raises:
        UsageError: No file belongs to the benchmark, or two have one name.
        ModelError: A detector cannot be loaded.
        DeviceError: The device is not there or out of memory.
    """
    file_of = _files_by_name(benchmark, folder)
    pipelines = [Pipeline(model_name=name, device=device) for name in models]
    columns = _columns(pipelines)
    features_of: dict[str, VideoFeatures] = {}
    lost, remarks, silent_names = dict[str, str](), [], []
    for done, (name, path) in enumerate(file_of.items()):
        progress("scoring videos", done, len(file_of))
        try:
            info = probe(path)
            features = features_of[name] = _score(name, info, pipelines, columns)
        except MediaError as error:
            lost[name] = f"{name} ({error.message})"
            continue
        if features.damage is not None:
            remarks.append(f"{name} is damaged: {features.damage}")
        if not info.has_audio:
            silent_names.append(name)
        labelled = max(
            float(video.spans_seconds_N2.max()) for video in benchmark.videos if video.name == name
        )
        short = labelled - float(info.duration_seconds)
        if short > _SHORTER_SECONDS:
            remarks.append(f"the file of {name} is {short:.0f} s shorter than its labels")
    progress("scoring videos", len(file_of), len(file_of))
    stratum_of = {video.name: video.stratum for video in benchmark.videos}
    for row, scores in held_out_scores(features_of, stratum_of).items():
        columns[row, "v"] = _Column("v", is_baseline=False, note=HELD_OUT_NOTE, clips=scores)
    usable = tuple(v for v in benchmark.videos if v.name in file_of and v.name not in lost)
    if not usable:
        raise UsageError(
            f"no file in {folder} can be read: {', '.join(lost.values())}",
            hint="check one with `hl score`",
        )
    if silent_names:
        remarks.append(f"{len(silent_names)} of {len(file_of)} files have no sound")
    names = list(dict.fromkeys(video.name for video in benchmark.videos))
    return ScoredVideos(
        benchmark=replace(benchmark, videos=usable),
        candidates=tuple(
            _candidate(name, column)
            for (name, _), column in columns.items()
            if column.is_baseline or column.clips
        ),
        missing=tuple(
            lost.get(name, name) for name in names if name not in file_of or name in lost
        ),
        remarks=tuple(remarks),
    )


def _files_by_name(benchmark: Benchmark, folder: Path) -> dict[str, Path]:
    names = {video.name for video in benchmark.videos}
    hint = f"files are named as in the labels, for example {benchmark.videos[0].name}.mp4"
    try:
        files = find_videos([str(folder)])
    except MediaNotFoundError as error:
        raise UsageError(error.message, hint=hint) from error
    found: dict[str, Path] = {}
    for path in files:
        if path.stem not in names:
            continue
        if path.stem in found:
            raise UsageError(
                f"{path} and {found[path.stem]} are both {path.stem}", hint="keep one of them"
            )
        found[path.stem] = path
    if not found:
        raise UsageError(f"no video in {folder} belongs to {benchmark.name}", hint=hint)
    return found


def _columns(pipelines: Sequence[Pipeline]) -> dict[tuple[str, str], _Column]:
    columns: dict[tuple[str, str], _Column] = {}
    for pipeline in pipelines:
        for modality in _MODALITIES:
            columns[pipeline.manifest.name, modality] = _Column(modality, is_baseline=False)
    for baseline in _baselines():
        columns[baseline.name, baseline.looks] = _Column(baseline.looks, is_baseline=True)
    return columns


def _score(
    name: str,
    info: MediaInfo,
    pipelines: Sequence[Pipeline],
    columns: dict[tuple[str, str], _Column],
) -> VideoFeatures:
    scored: dict[tuple[str, str], Float64] = {}
    # Features first: they are stored with the sound, and every score is then read from them.
    stored = pipelines[0].features(info, content_identity(info.path))
    features = stored.in_float32()
    for pipeline in pipelines:
        model = pipeline.manifest.name
        scored[model, "v"] = np.array(pipeline.score(info.path, visual_only=True).raw_scores)
        if features.has_audio:
            scored[model, "va"] = np.array(pipeline.score(info.path).raw_scores)
    for baseline in _baselines():
        scores_T = baseline.score(features)
        if scores_T is not None:
            scored[baseline.name, baseline.looks] = scores_T
    # Only now, so that a file that fails halfway leaves nothing behind.
    for key, scores_T in scored.items():
        columns[key].clips[name] = np.asarray(scores_T, dtype=np.float64)
    return stored


def _baselines() -> list[Baseline]:
    readouts = [Baseline(name=name, looks="v", score=_readout(name)) for name in READOUT_NAMES]
    return [*(one for one in BASELINES if one.name not in _CLOCK), *readouts]


def _readout(name: str) -> Callable[[VideoFeatures], Scores]:
    return lambda features: read_out(name, features.visual_TV.astype(np.float32)).astype(np.float64)


def _candidate(name: str, column: _Column) -> Candidate:
    return clips_candidate(
        name,
        column.clips,
        looks=column.looks,
        is_baseline=column.is_baseline,
        note=column.note if column.clips else "not computable: no file has what it looks at",
    )
