"""What is ranked on a benchmark: the baselines of its labels, clock and stored features.

A candidate that lacks its input says so in its row instead of vanishing from the table.

Axes: N units of the benchmark, T stored feature rows, D feature size.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from hlcli.evaluation.baselines import Looks, deviation, negative_shot_length, smoothed, step
from hlcli.evaluation.benchmarks.benchmark import Benchmark, Float64, LabelledVideo, StoredFeatures
from hlcli.evaluation.benchmarks.resample import clips_to_spans, rows_to_spans
from hlcli.model.readouts import knn, read_out

READOUT_NAMES = ("knn", "edev1", "dmean", "pc1")
"""Read-outs of the stored features that need no training; see `hlcli.model.readouts`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A way to rank the units of a video: one row of the table."""

    name: str
    """Name of the row."""
    looks: Looks | Literal["labels"]
    """What it looks at: nothing but the clock, the picture, the sound, both, or the labels."""
    is_baseline: bool = True
    """False for a detector."""
    note: str = ""
    """What the name does not say, in words."""
    rank: Callable[[LabelledVideo], Sequence[Float64] | None]
    """Scores of the N units, once per run (seed) of the candidate; None when the video lacks what
    it looks at."""


def clips_candidate(
    name: str,
    scores_of: Mapping[str, Float64],
    *,
    looks: Looks,
    is_baseline: bool,
    note: str,
) -> Candidate:
    """Return the ranking by scores of one-second clips, by video; videos without are not scored."""

    def rank(video: LabelledVideo) -> Sequence[Float64] | None:
        scores_T = scores_of.get(video.name)
        if scores_T is None:
            return None
        return [clips_to_spans(scores_T, video.spans_seconds_N2, clip_seconds=1.0)]

    return Candidate(name=name, looks=looks, is_baseline=is_baseline, note=note, rank=rank)


def clock_candidates() -> list[Candidate]:
    """Return `oracle`, `centre-prior` and `file-order`, which every benchmark can compute."""
    return [
        Candidate(name="oracle", looks="labels", rank=lambda video: [video.oracle_N]),
        Candidate(name="centre-prior", looks="none", rank=lambda video: [centre_prior(video)]),
        Candidate(name="file-order", looks="none", rank=lambda video: [file_order(video)]),
    ]


def centre_prior(video: LabelledVideo) -> Float64:
    """Nearer to the middle of the labelled units is better, counted in units."""
    return np.asarray(-np.abs(np.arange(video.num_units) - (video.num_units - 1) / 2))


def file_order(video: LabelledVideo) -> Float64:
    """Earlier is better: an explicit falling score, as ties are never broken by index."""
    return np.arange(0.0, -video.num_units, -1.0)


def stored_candidates(benchmark: Benchmark) -> list[Candidate]:
    """Return the rankings by stored features, with a note where the benchmark has none.

    The picture is looked at where it is stored for any video, else the sound. Features are brought
    to unit length for `deviation-from-mean` and `temporal-difference`, as in `hl eval composite`;
    the read-outs take them as they are stored.
    """
    stored = [video.stored for video in benchmark.videos if video.stored is not None]
    looks: Looks = "v" if any(one.picture_TD is not None for one in stored) else "a"
    side = {"v": "picture", "a": "sound"}[looks]

    def of_rows(
        compute: Callable[[Float64], Float64],
    ) -> Callable[[StoredFeatures], Float64 | None]:
        def score(features: StoredFeatures) -> Float64 | None:
            rows_TD = features.picture_TD if looks == "v" else features.sound_TD
            return None if rows_TD is None else compute(rows_TD)

        return score

    def candidate(
        name: str,
        row_looks: Looks,
        what: str,
        score: Callable[[StoredFeatures], Float64 | None],
        note: str = "",
    ) -> Candidate:
        if all(score(one) is None for one in stored):
            looks_at: Looks = "none"
            return Candidate(
                name=name,
                looks=looks_at,
                note=f"not computable: no {what} stored",
                rank=lambda video: None,
            )
        return Candidate(name=name, looks=row_looks, note=note, rank=_resampled(score))

    what = f"{side} features" if looks == "v" else "picture or sound features"
    note = f"of the stored {side} features"
    found = [
        candidate("deviation-from-mean", looks, what, of_rows(deviation), note),
        candidate("temporal-difference", looks, what, of_rows(step), note),
        candidate("loudness", "a", "loudness", lambda one: one.loudness_T),
        candidate("motion", "v", "motion", lambda one: None),
        candidate("shot-length", "v", "shot boundaries", _shot_length, "shorter is better"),
    ]
    if any(one.picture_TD is not None or one.sound_TD is not None for one in stored):
        for share in (0.05, 0.1):
            found.append(
                Candidate(
                    name=f"nearest {share:.0%}, smoothed".replace("%", " %"),
                    looks=looks,
                    note=f"{note}, over 2 s",
                    rank=_resampled(_nearest(looks, share)),
                )
            )
        found += [
            candidate(name, looks, what, of_rows(_readout(name)), f"read-out {note}")
            for name in READOUT_NAMES
        ]
    return found


def _resampled(
    score: Callable[[StoredFeatures], Float64 | None],
) -> Callable[[LabelledVideo], Sequence[Float64] | None]:
    def rank(video: LabelledVideo) -> Sequence[Float64] | None:
        scores_T = None if video.stored is None else score(video.stored)
        if scores_T is None or video.stored is None:
            return None
        return [rows_to_spans(video.stored.times_seconds_T, scores_T, video.spans_seconds_N2)]

    return rank


def _shot_length(features: StoredFeatures) -> Float64 | None:
    if features.shot_boundaries_seconds is None:
        return None
    return negative_shot_length(
        features.times_seconds_T,
        boundaries_seconds=features.shot_boundaries_seconds,
        duration_seconds=features.duration_seconds,
    )


def _nearest(looks: Looks, share: float) -> Callable[[StoredFeatures], Float64 | None]:
    def score(features: StoredFeatures) -> Float64 | None:
        rows_TD = features.picture_TD if looks == "v" else features.sound_TD
        if rows_TD is None:
            return None
        times = features.times_seconds_T
        seconds = float(np.median(np.diff(times))) if len(times) > 1 else 1.0
        return smoothed(knn(rows_TD, nearest_fraction=share), sigma=2.0 / seconds)

    return score


def _readout(name: str) -> Callable[[Float64], Float64]:
    return lambda rows_TD: read_out(name, rows_TD.astype(np.float32)).astype(np.float64)
