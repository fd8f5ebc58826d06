"""QVHighlights: 10,310 queries about clips of 150 seconds, three raters, 2-second clips.

What is a highlight depends on the query, which neither our detectors nor the baselines read: their
rows are query-blind and say how much of the benchmark is about the video alone.

Axes: N clips of a video, R raters (3), L levels of rating that count as positive (3), K = L * R,
M rankings.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from hlcli.errors import UsageError
from hlcli.evaluation.benchmarks.benchmark import Benchmark, Float64, LabelledVideo
from hlcli.evaluation.benchmarks.label_files import damaged, number, read_json_lines, table
from hlcli.evaluation.metrics import best_first, interpolated_average_precision

FILES = {
    "train": "highlight_train_release.jsonl",
    "val": "highlight_val_release.jsonl",
    "test": "highlight_test_with_gt.jsonl",
}
"""Part and the file it stands in; the test file without ratings is of no use here."""
CLIP_SECONDS = 2
"""Length of one clip."""
NUM_RATERS = 3
"""Raters of each clip."""
LEVELS = {"": 4, "_good": 3, "_fair": 2}
"""End of a metric's name and the lowest rating, of 0 to 4, that it takes as positive."""

_TOP_RATING = 4
_HINT = "--data takes a folder with labels/qvhighlights/*.jsonl; see docs/reference/eval.md"
_PROTOCOL = (
    "The highlight part of Moment-DETR's public evaluation: clips of 2 seconds, interpolated "
    "average precision against each of 3 raters, mean over raters and queries; hit1 is whether any "
    "rater takes the best clip as positive. Positive is Very Good (4) for map and hit1, Good (3) "
    "and Fair (2) for the metrics that say so. The detector does not read the query: its row is "
    "query-blind. The headline is the val part (1,550 queries), beside it test (1,542) and train "
    "(7,218), which trains nothing here. Ties by a seeded key. 95 % intervals: bootstrap over "
    "videos, the queries of one video drawn together."
)


def load(data: Path) -> Benchmark:
    """Read the ratings of all queries, one entry per query.

    Args:
        data: Folder with `labels/qvhighlights/`; the val file must be there, the others may.

    Raises:
        UsageError: The labels are missing, or a line is damaged.
    """
    folder = data / "labels" / "qvhighlights"
    if not (folder / FILES["val"]).is_file():
        raise UsageError(f"there is no file {folder / FILES['val']}", hint=_HINT)
    entries: list[LabelledVideo] = []
    parts = []
    seen: dict[int, str] = {}
    for part in ("val", "test", "train"):
        path = folder / FILES[part]
        if not path.is_file():
            continue
        parts.append(part)
        for where, row in read_json_lines(path, hint=_HINT):
            query = int(number(row.get("qid"), what="qid", where=where, hint=_HINT))
            if query in seen:
                raise damaged(where, f"qid {query} is also in {seen[query]}", hint=_HINT)
            seen[query] = where
            entries.append(_entry(row, part=part, where=where))
        if not any(part in entry.parts for entry in entries):
            raise damaged(path, "there is no query in it", hint=_HINT)
    return Benchmark(
        name="qvhighlights",
        protocol=_PROTOCOL,
        metrics=tuple(f"{metric}{level}" for level in LEVELS for metric in ("map", "hit1")),
        videos=tuple(entries),
        headline_part="val",
        other_parts=tuple(part for part in parts if part != "val"),
    )


class RatingMeasure:
    """The metrics of one query.

    Args:
        ratings_NR: Rating of each clip, 0 where nobody rated it, shape `(N, 3)`.
    """

    def __init__(self, ratings_NR: npt.NDArray[np.int8]) -> None:
        # The three levels side by side, so that one pass measures them all.
        self._positive_NK = np.hstack([ratings_NR >= least for least in LEVELS.values()])

    def __call__(self, scores_N: Float64, seed: int) -> Mapping[str, float]:
        """See `hlcli.evaluation.benchmarks.benchmark.Measure`."""
        hits_NK = self._positive_NK[best_first(scores_N, seed=seed)]
        map_L = (
            interpolated_average_precision(hits_NK).reshape(len(LEVELS), NUM_RATERS).mean(axis=1)
        )
        hit_L = hits_NK[0].reshape(len(LEVELS), NUM_RATERS).any(axis=1)
        found = {}
        for position, level in enumerate(LEVELS):
            found[f"map{level}"] = float(map_L[position])
            found[f"hit1{level}"] = float(hit_L[position])
        return found

    def many(self, scores_MN: Float64, seed: int) -> Float64:
        """Return `map` of M rankings, see `hlcli.evaluation.benchmarks.benchmark.MeasureMany`."""
        positive_NR = self._positive_NK[:, :NUM_RATERS]
        hits_NMR = positive_NR[best_first(scores_MN, seed=seed).T]
        return np.asarray(interpolated_average_precision(hits_NMR).mean(axis=1))


def read_ratings(row: Mapping[str, Any], *, where: str) -> npt.NDArray[np.int8]:
    """Return the ratings of all clips of one entry, 0 where nobody rated, shape `(N, 3)`.

    A last clip shorter than 2 seconds is left out, as in the public evaluation.

    Raises:
        UsageError: A field is missing or damaged, or a rated clip lies outside the video.
    """
    duration = number(row.get("duration"), what="duration", where=where, hint=_HINT)
    num_clips = int(duration / CLIP_SECONDS)
    if num_clips < 1:
        raise damaged(where, f"duration is below one clip: {duration}", hint=_HINT)
    _check_windows(row.get("relevant_windows"), duration, where)
    ids = row.get("relevant_clip_ids")
    if not isinstance(ids, list) or not all(type(clip) is int for clip in ids):
        raise damaged(where, "relevant_clip_ids is not a list of whole numbers", hint=_HINT)
    if not all(0 <= clip < num_clips for clip in ids) or len(set(ids)) != len(ids):
        raise damaged(
            where, f"a rated clip is there twice or outside the {num_clips} clips", hint=_HINT
        )
    what = "saliency_scores"
    given = table(row.get(what), columns=NUM_RATERS, what=what, where=where, hint=_HINT)
    if len(given) != len(ids):
        raise damaged(where, f"{len(ids)} rated clips, but {len(given)} ratings", hint=_HINT)
    if not np.isin(given, range(_TOP_RATING + 1)).all():
        raise damaged(where, f"a rating is no whole number of 0 to {_TOP_RATING}", hint=_HINT)
    ratings = np.zeros((num_clips, NUM_RATERS), dtype=np.int8)
    ratings[ids] = given
    return ratings


def _entry(row: Mapping[str, Any], *, part: str, where: str) -> LabelledVideo:
    name = row.get("vid")
    if not isinstance(name, str) or not name:
        raise damaged(where, "vid is missing", hint=_HINT)
    ratings_NR = read_ratings(row, where=where)
    starts = np.arange(len(ratings_NR), dtype=np.float64) * CLIP_SECONDS
    measure = RatingMeasure(ratings_NR)
    return LabelledVideo(
        name=name,
        stratum="all",
        spans_seconds_N2=np.stack([starts, starts + CLIP_SECONDS], axis=1),
        oracle_N=ratings_NR.mean(axis=1),
        measure=measure,
        measure_many=measure.many,
        parts=frozenset({part}),
    )


def _check_windows(windows: Any, duration: float, where: str) -> None:
    what = "relevant_windows"
    spans = table(windows, columns=2, what=what, where=where, hint=_HINT)
    if (spans[:, 0] < 0).any() or (spans[:, 1] <= spans[:, 0]).any():
        raise damaged(where, "a relevant window ends before it starts", hint=_HINT)
    if spans[:, 1].max() > duration:
        raise damaged(where, f"a relevant window ends after {duration} s", hint=_HINT)
