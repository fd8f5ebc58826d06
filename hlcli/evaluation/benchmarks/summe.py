"""SumMe: 25 videos, each summarised by 15 to 18 people; frames are the units.

The labels are summaries, not scores: for each annotator, which frames they would keep. Rank
correlation with what each annotator kept comes first, since it can be set beside what people reach
among each other; F1 of a knapsack summary hardly tells a detector from a random ranking.

Axes: N frames, S segments, U annotators, T stored rows, D feature size.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from hlcli.errors import UsageError
from hlcli.evaluation.benchmarks.benchmark import Benchmark, Float64, LabelledVideo, StoredFeatures
from hlcli.evaluation.benchmarks.label_files import damaged, read_arrays
from hlcli.evaluation.rank_correlation import centred_ranks, kendall_tau, spearman_rho
from hlcli.evaluation.summary import Bools, Integers, f_scores, summarise

METRICS = ("tau", "rho", "tau_consensus", "rho_consensus", "f1", "f1_mean")
"""Correlation with each annotator (the headline) and with their mean; F1 to the nearest and to
all."""

_ARRAYS = ("n_frames", "fps", "dino_pca128", "frame_idx", "user_score", "segments")
_SHARED = "dino_b16_768"
_LEARNABLE = (
    "v looks at DINO features, which 14 of the 25 videos have with axes that match across videos"
)
_HINT = "--data takes a folder with summe/<name>.npz; see docs/reference/eval.md"
_PROTOCOL = (
    "The scores of a video's frames are brought to [0, 1]; a segment is worth the mean of its "
    "frames; a knapsack picks segments up to 15 % of the frames. f1 is the F1 of that summary to "
    "the annotator it agrees with most (the maximum, as published SumMe figures have it), f1_mean "
    "the mean over annotators. tau and rho are Kendall's tau-b and Spearman's rho over all frames "
    "against what each annotator kept, averaged; the _consensus ones are against the share of "
    "annotators who kept a frame. All 25 videos: nothing is trained, so the usual five random "
    "splits have nothing to hold out. Ties by a seeded key. 95 % intervals: bootstrap over videos."
)


def load(data: Path) -> Benchmark:
    """Read the summaries and the stored features of all videos.

    Args:
        data: Folder with `summe/<name>.npz`.

    Raises:
        UsageError: There is no such file, or one is damaged.
    """
    paths = sorted((data / "summe").glob("*.npz"))
    if not paths:
        raise UsageError(f"no .npz file in {data / 'summe'}", hint=_HINT)
    return Benchmark(
        name="summe",
        protocol=_PROTOCOL,
        metrics=METRICS,
        chance_metric="f1",
        videos=tuple(_read_video(path) for path in paths),
        learnable=_LEARNABLE,
    )


class SummaryMeasure:
    """The metrics of one video.

    Args:
        kept_NU: Which frames each annotator kept, shape `(N, U)`.
        segment_starts_S: First frame of each segment, ascending, beginning with 0.
    """

    def __init__(self, kept_NU: Bools, segment_starts_S: Integers) -> None:
        self._kept_NU = kept_NU
        self._kept_numbers_NU = kept_NU.astype(np.float64)
        self._starts_S = segment_starts_S
        self._consensus_N = kept_NU.mean(axis=1)

    def __call__(self, scores_N: Float64, seed: int) -> Mapping[str, float]:
        """See `hlcli.evaluation.benchmarks.benchmark.Measure`."""
        f_U = self._f_scores(scores_N, seed)
        tau_U, rho_U = correlations_with_kept(scores_N, self._kept_numbers_NU)
        return {
            "f1": float(f_U.max()),
            "f1_mean": float(f_U.mean()),
            "tau": float(tau_U.mean()),
            "rho": float(rho_U.mean()),
            "tau_consensus": kendall_tau(scores_N, self._consensus_N),
            "rho_consensus": spearman_rho(scores_N, self._consensus_N),
        }

    def many(self, scores_RN: Float64, seed: int) -> Float64:
        """Return `f1` of R rankings, see `hlcli.evaluation.benchmarks.benchmark.MeasureMany`."""
        return np.array([self._f_scores(scores_N, seed).max() for scores_N in scores_RN])

    def _f_scores(self, scores_N: Float64, seed: int) -> Float64:
        summary_N = summarise(scores_N, self._starts_S, seed=seed)
        return f_scores(summary_N, self._kept_numbers_NU)


def correlations_with_kept(
    scores_N: npt.ArrayLike, kept_NU: npt.ArrayLike
) -> tuple[Float64, Float64]:
    """Kendall's tau-b and Spearman's rho of scores with each annotator's kept frames.

    Where one side has two values, pairs that agree can be counted from the ranks of the other, so
    this costs one sort for all annotators and all frames.

    Args:
        scores_N: One number per frame, shape `(N,)`.
        kept_NU: 1 where an annotator kept a frame, else 0, shape `(N, U)`.

    Returns:
        tau-b and rho, each of shape `(U,)`; 0 for an annotator who kept all or nothing, and for
        constant scores.
    """
    kept = np.asarray(kept_NU, dtype=np.float64)
    num_frames = len(kept)
    ranks_N = centred_ranks(scores_N)
    num_kept_U = kept.sum(axis=0)
    rank_sum_U = ranks_N @ kept
    counts = np.unique(np.asarray(scores_N), return_counts=True)[1].astype(np.float64)
    untied_scores = (num_frames * (num_frames - 1) - (counts * (counts - 1)).sum()) / 2
    untied_kept_U = num_kept_U * (num_frames - num_kept_U)
    # Twice the kept frames' sum of centred ranks is the pairs that agree less those that do not.
    tau_size_U = np.sqrt(untied_scores * untied_kept_U)
    spread_kept_U = num_kept_U * (num_frames - num_kept_U) / max(num_frames, 1)
    rho_size_U = np.sqrt((ranks_N @ ranks_N) * spread_kept_U)
    return (
        2 * rank_sum_U / np.where(tau_size_U > 0, tau_size_U, np.inf),
        rank_sum_U / np.where(rho_size_U > 0, rho_size_U, np.inf),
    )


def humans(kept_NU: Bools) -> dict[str, float]:
    """Measure each annotator as if they were a detector, against all the others.

    Args:
        kept_NU: Which frames each annotator kept, shape `(N, U)`, U at least 2.

    Returns:
        Each metric of `METRICS`, averaged over the annotators.
    """
    kept = kept_NU.astype(np.float64)
    found: list[tuple[float, ...]] = []
    for one in range(kept.shape[1]):
        others = np.delete(kept, one, axis=1)
        consensus = others.mean(axis=1)
        f_U = f_scores(kept_NU[:, one], others)
        tau_U, rho_U = correlations_with_kept(kept[:, one], others)
        found.append(
            (
                float(tau_U.mean()),
                float(rho_U.mean()),
                kendall_tau(kept[:, one], consensus),
                spearman_rho(kept[:, one], consensus),
                float(f_U.max()),
                float(f_U.mean()),
            )
        )
    return dict(zip(METRICS, np.mean(found, axis=0).tolist(), strict=True))


def _read_video(path: Path) -> LabelledVideo:
    arrays = read_arrays(path, _ARRAYS, optional=(_SHARED,), hint=_HINT)
    num_frames = int(_scalar(arrays["n_frames"], "n_frames", path))
    frame_rate = _scalar(arrays["fps"], "fps", path)
    row_frames_T = _row_frames(arrays, num_frames, path)
    starts_S = _segment_starts(arrays["segments"], num_frames, path)
    kept_NU = _kept(arrays["user_score"], num_frames, path)
    measure = SummaryMeasure(kept_NU, starts_S)
    frames = np.arange(num_frames, dtype=np.float64)
    return LabelledVideo(
        name=path.stem,
        stratum="all",
        spans_seconds_N2=np.stack([frames, frames + 1], axis=1) / frame_rate,
        oracle_N=kept_NU.mean(axis=1),
        measure=measure,
        measure_many=measure.many,
        human=humans(kept_NU),
        stored=StoredFeatures(
            times_seconds_T=(row_frames_T + 0.5) / frame_rate,
            duration_seconds=num_frames / frame_rate,
            picture_TD=arrays["dino_pca128"].astype(np.float64),
            shot_boundaries_seconds=starts_S[1:] / frame_rate,
            shared_picture_TD=(
                _centred(arrays[_SHARED], len(row_frames_T), path) if _SHARED in arrays else None
            ),
        ),
    )


def _scalar(array: npt.NDArray[Any], name: str, path: Path) -> float:
    if array.shape != () or array.dtype.kind not in "iuf" or not (0 < array < np.inf):
        raise damaged(path, f"{name} is not one number above zero", hint=_HINT)
    return float(array)


def _segment_starts(segments: npt.NDArray[Any], num_frames: int, path: Path) -> Integers:
    fits = segments.ndim == 2 and len(segments) > 0 and segments.shape[1] == 2
    if not fits or segments.dtype.kind not in "iu":
        raise damaged(path, "segments is not a table of first and last frames", hint=_HINT)
    first, last = segments.T.astype(np.int64)
    joined = first[0] == 0 and last[-1] == num_frames - 1 and (first[1:] == last[:-1] + 1).all()
    if not joined or (last < first).any():
        raise damaged(
            path, f"segments do not cover frames 0 to {num_frames - 1} one by one", hint=_HINT
        )
    return np.asarray(first)


def _kept(user_score: npt.NDArray[Any], num_frames: int, path: Path) -> Bools:
    if user_score.ndim != 2 or len(user_score) != num_frames or user_score.shape[1] < 2:
        raise damaged(
            path,
            f"user_score has shape {user_score.shape}, expected {num_frames} frames by at least "
            "two annotators",
            hint=_HINT,
        )
    if user_score.dtype.kind not in "biuf" or not np.isfinite(user_score).all():
        raise damaged(path, "user_score has a value that is not a finite number", hint=_HINT)
    return np.asarray(user_score > 0)


def _row_frames(arrays: dict[str, npt.NDArray[Any]], num_frames: int, path: Path) -> Float64:
    rows, frames = arrays["dino_pca128"], arrays["frame_idx"]
    if rows.ndim != 2 or 0 in rows.shape or frames.shape != rows.shape[:1]:
        raise damaged(
            path,
            f"dino_pca128 has shape {rows.shape}, frame_idx {frames.shape}: not one frame per row",
            hint=_HINT,
        )
    if rows.dtype.kind != "f" or not np.isfinite(rows).all():
        raise damaged(path, "dino_pca128 has a value that is not a finite number", hint=_HINT)
    inside = frames.dtype.kind in "iu" and frames.min() >= 0 and frames.max() < num_frames
    if not inside or (np.diff(frames.astype(np.int64)) <= 0).any():
        raise damaged(path, f"frame_idx does not rise within {num_frames} frames", hint=_HINT)
    return frames.astype(np.float64)


def _centred(rows_TD: npt.NDArray[Any], num_rows: int, path: Path) -> Float64:
    """Take out what all rows of a video share, which is ten times what tells them apart."""
    if rows_TD.ndim != 2 or 0 in rows_TD.shape or len(rows_TD) != num_rows:
        raise damaged(
            path, f"{_SHARED} has shape {rows_TD.shape}, expected {num_rows} rows", hint=_HINT
        )
    if rows_TD.dtype.kind != "f" or not np.isfinite(rows_TD).all():
        raise damaged(path, f"{_SHARED} has a value that is not a finite number", hint=_HINT)
    rows = rows_TD.astype(np.float64)
    return np.asarray(rows - rows.mean(axis=0))
