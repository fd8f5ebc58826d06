"""SumMe, leaving one video out: can what people selected in other videos be learned?

The 14 videos whose DINO features share their axes. SumMe does not say whether the n-th column of
two videos is the same person, so "one annotator" is the n-th column at best.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from hlcli.evaluation.metrics import average_precision
from hlcli.model.readouts import dmean, knn
from hlcli.model.taste import smoothed
from hlcli.tuning.fit_taste import RIDGE, rank_weights

NUM_ANNOTATORS = 5
ROWS_A_SECOND = 4
"""Stored rows; one a second is used, as `hl` does."""


def measure_summe(data: Path) -> Iterator[tuple[str, str, float]]:
    """Yield (row, video, AP against one annotator's selection), every annotator of each video."""
    read = {path.stem: _read(path) for path in sorted((data / "summe").glob("*.npz"))}
    videos = {name: video for name, video in read.items() if video is not None}
    for name, (rows, selected_UT) in videos.items():
        others = [video for other, video in videos.items() if other != name]
        pooled = _learned(others, lambda selected: selected.mean(axis=0) > 0.4)
        for number, selected_T in enumerate(selected_UT[:NUM_ANNOTATORS]):
            if selected_T.all() or not selected_T.any():
                continue

            def ap(scores: npt.NDArray[Any], truth: npt.NDArray[np.bool_] = selected_T) -> float:
                return average_precision(truth, scores, seed=0)

            one = _learned(others, lambda selected, n=number: selected[n] > 0)
            yield "random", name, float(selected_T.mean())
            yield "distance to the video's mean", name, ap(dmean(rows))
            yield "distance to the nearer half", name, ap(knn(rows))
            yield (
                "taste learned from the same column of the other videos",
                name,
                ap(smoothed(_scaled(rows) @ one)),
            )
            yield (
                "taste learned from all annotators of the other videos",
                name,
                ap(smoothed(_scaled(rows) @ pooled)),
            )
            rest = np.delete(selected_UT, number, axis=0).mean(axis=0)
            yield "the other annotators of the same video (a bound)", name, ap(rest)


def _read(path: Path) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]] | None:
    with np.load(path, allow_pickle=False) as stored:
        if "dino_b16_768" not in stored:
            return None
        at = np.minimum(stored["frame_idx"], len(stored["user_score"]) - 1)[::ROWS_A_SECOND]
        rows = stored["dino_b16_768"][::ROWS_A_SECOND].astype(np.float32)
        return rows, (stored["user_score"][at] > 0).T


def _learned(others: list[Any], kept: Any) -> npt.NDArray[np.float64]:
    inputs, marks = [], []
    for rows, selected in others:
        marks_T = kept(selected).astype(np.int8)
        if 0 < marks_T.sum() < len(marks_T):
            inputs.append(smoothed(_scaled(rows)))
            marks.append(marks_T)
    return rank_weights(inputs, [np.zeros(len(x)) for x in inputs], marks, RIDGE)


def _scaled(rows_TV: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    centred = (rows_TV - rows_TV.mean(axis=0)).astype(np.float64)
    scaled: npt.NDArray[np.float64] = centred * (10 / np.sqrt((centred**2).sum(axis=1).mean()))
    return scaled
