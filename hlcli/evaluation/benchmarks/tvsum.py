"""TVSum: 50 videos of 10 categories, 20 annotators, 2-second shots.

The headline is Kendall's tau with each annotator over all videos, which can be set beside what
people reach among each other; the top-5 average precision of UMT's public code stands beside it,
and its single test video per category gives the part "test", for published tables alone.

Axes: N shots of a video, U annotators, P pairs of shots, T stored rows.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from hlcli.errors import UsageError
from hlcli.evaluation.benchmarks.benchmark import Benchmark, Float64, LabelledVideo, StoredFeatures
from hlcli.evaluation.benchmarks.cuts import cut_features
from hlcli.evaluation.metrics import best_first, trapezoid_area
from hlcli.evaluation.rank_correlation import centred_ranks

CATEGORIES = ("VT", "VU", "GA", "MS", "PK", "PR", "FM", "BK", "BT", "DS")
"""The ten categories, in the order of published tables."""
METRICS = ("tau", "top5_map", "top5_map_mininet", "rho")
"""Rank correlation with each annotator (the headline), and average precision of five shots."""
SHOT_SECONDS = 2.0
"""Length of one shot."""
CUTS = "kts_googlenet_1"
"""Stored segmentation that `shot-length` reads."""
_SEGMENTATIONS = tuple(
    f"kts_{encoder}_{penalty}"
    for encoder in ("googlenet", "resnet", "densenet", "vit")
    for penalty in ("0.8", "1", "2.5", "5", "7.5")
)

_HINT = "--data takes a folder with tvsum/*.npz or labels/tvsum/*.jsonl; see docs/reference/eval.md"
_PROTOCOL = (
    "tau and rho are Kendall's tau-b and Spearman's rho against each annotator, over 2-second "
    "shots (not frames), averaged; human is each annotator against the others. top5_map is UMT's "
    "top-5 average precision: positive is above the annotator's lower median, the five best shots "
    "are looked at, recall counts the positives among those five, area by trapezoids; mean over "
    "20 annotators and videos, then over 10 categories; the part test is UMT's 10 videos. "
    "top5_map_mininet takes the better half of each annotator's shots as positive. Ties by a "
    "seeded key. 95 % intervals: bootstrap over videos, drawn within their category, or over all "
    "videos where a category has only one."
)


def load(data: Path) -> Benchmark:
    """Read the labels of all videos, and the stored features where there are some.

    Args:
        data: Folder with `tvsum/<id>.npz`, `labels/tvsum/*.jsonl`, or both.

    Raises:
        UsageError: Neither is there, or a file is damaged.
    """
    videos: dict[str, LabelledVideo] = {}
    for path in sorted((data / "labels" / "tvsum").glob("*.jsonl")):
        videos.update((video.name, video) for video in _read_lines(path))
    for path in sorted((data / "tvsum").glob("*.npz")):
        video = _read_bundle(path)
        videos[video.name] = video
    if not videos:
        raise UsageError(f"no TVSum labels in {data}", hint=_HINT)
    ordered = sorted(videos.values(), key=lambda video: (_position(video.stratum), video.name))
    return Benchmark(
        name="tvsum",
        protocol=_PROTOCOL,
        metrics=METRICS,
        chance_metric="top5_map",
        videos=tuple(ordered),
        learnable="v looks at cuts alone (no picture features are stored), a at VGGish",
        other_parts=("test",),
    )


class ShotMeasure:
    """The metrics of one video, against each annotator and averaged over them.

    Args:
        labels_NU: Score of each shot by each annotator, shape `(N, U)`, N at least 1.
    """

    def __init__(self, labels_NU: npt.ArrayLike) -> None:
        labels = np.asarray(labels_NU, dtype=np.float64)
        self.above_median_NU = above_lower_median(labels)
        self.better_half_NU = better_half(labels)
        self._ranks_NU = np.stack([centred_ranks(column) for column in labels.T], axis=1)
        self._first, self._second = np.triu_indices(len(labels), k=1)
        self._signs_PU = np.sign(labels[self._first] - labels[self._second]).astype(np.int8)
        self._untied_U = np.count_nonzero(self._signs_PU, axis=0)

    def __call__(self, scores_N: Float64, seed: int) -> Mapping[str, float]:
        """See `hlcli.evaluation.benchmarks.benchmark.Measure`."""
        order = best_first(scores_N, seed=seed)[:5]
        return {
            "top5_map": float(trapezoid_area(self.above_median_NU[order]).mean()),
            "top5_map_mininet": float(trapezoid_area(self.better_half_NU[order]).mean()),
            "tau": self._tau(scores_N),
            "rho": self._rho(scores_N),
        }

    def many(self, scores_RN: Float64, seed: int) -> Float64:
        """Return `top5_map` of R rankings; see `hlcli.evaluation.benchmarks.benchmark`."""
        order_5R = best_first(scores_RN, seed=seed)[:, :5].T
        return np.asarray(trapezoid_area(self.above_median_NU[order_5R]).mean(axis=1))

    def _tau(self, scores_N: Float64) -> float:
        signs_P = np.sign(scores_N[self._first] - scores_N[self._second]).astype(np.float32)
        size_U = np.sqrt(np.count_nonzero(signs_P) * self._untied_U.astype(np.float64))
        agree_U = signs_P @ self._signs_PU.astype(np.float32)
        return float(np.mean(agree_U / np.where(size_U > 0, size_U, 1)))

    def _rho(self, scores_N: Float64) -> float:
        ranks_N = centred_ranks(scores_N)
        size_U = np.sqrt((ranks_N**2).sum() * (self._ranks_NU**2).sum(axis=0))
        return float(np.mean(ranks_N @ self._ranks_NU / np.where(size_U > 0, size_U, 1)))


def humans(labels_NU: Float64) -> dict[str, float] | None:
    """Measure each annotator as if they were a detector, against all the others; None for one.

    Args:
        labels_NU: Score of each shot by each annotator, shape `(N, U)`.
    """
    num_annotators = labels_NU.shape[1]
    if num_annotators < 2:
        return None
    found = [
        ShotMeasure(np.delete(labels_NU, one, axis=1))(labels_NU[:, one], one)
        for one in range(num_annotators)
    ]
    return {metric: float(np.mean([one[metric] for one in found])) for metric in METRICS}


def above_lower_median(labels_NU: Float64) -> npt.NDArray[np.bool_]:
    """UMT's positives: above the annotator's median, the lower one where the number is even."""
    middle = (len(labels_NU) - 1) // 2
    return np.asarray(labels_NU > np.sort(labels_NU, axis=0)[middle])


def better_half(labels_NU: Float64) -> npt.NDArray[np.bool_]:
    """MINI-Net's positives: the better half of each annotator's shots, earlier ones first.

    Labels are tied in most videos, so which shots count depends on the order; the public code
    leaves it to the sort, and a stable one favours early shots.
    """
    order_NU = np.argsort(-labels_NU, axis=0, kind="stable")
    positive_NU = np.zeros(labels_NU.shape, dtype=bool)
    np.put_along_axis(positive_NU, order_NU[: len(labels_NU) // 2], True, axis=0)
    return positive_NU


def _read_lines(path: Path) -> list[LabelledVideo]:
    parts = frozenset({"test"}) if "_val_" in path.name else frozenset[str]()
    try:
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line]
        return [
            _labelled(str(row["vid"]), str(row["domain"]), np.asarray(row["label"], float), parts)
            for row in rows
        ]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{path} holds no TVSum labels: {error!r}", hint=_HINT) from error


def _read_bundle(path: Path) -> LabelledVideo:
    try:
        with np.load(path, allow_pickle=False) as bundle:
            per_frame = float(bundle["length"]) / int(bundle["n_frames"])
            times_T = bundle["audio_frame_idx"].astype(np.float64) * per_frame
            length = float(bundle["length"])
            sound_TD = bundle["audio_vggish"].astype(np.float64)
            cuts = [
                bundle[name][1:, 0].astype(np.float64) * per_frame
                for name in _SEGMENTATIONS
                if name in bundle
            ]
            # All of them or none: a detector across videos needs the same axes in each.
            has_cuts = len(cuts) == len(_SEGMENTATIONS)
            stored = StoredFeatures(
                times_seconds_T=times_T,
                duration_seconds=length,
                sound_TD=sound_TD,
                # The mean of the bands' log energy rises and falls with the level.
                loudness_T=bundle["audio_logmel"].astype(np.float64).mean(axis=1),
                shot_boundaries_seconds=(
                    bundle[CUTS][1:, 0].astype(np.float64) * per_frame if CUTS in bundle else None
                ),
                shared_picture_TD=(
                    cut_features(times_T, cuts, duration_seconds=length) if has_cuts else None
                ),
                shared_sound_TD=sound_TD if has_cuts else None,
            )
            return _labelled(
                str(bundle["vid"]),
                str(bundle["category"]),
                bundle["clip_labels"].astype(np.float64),
                frozenset({"test"}) if str(bundle["split"]) == "val" else frozenset(),
                stored,
            )
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise UsageError(f"{path} is no TVSum bundle: {error!r}", hint=_HINT) from error


def _labelled(
    name: str,
    category: str,
    labels_NU: Float64,
    parts: frozenset[str],
    stored: StoredFeatures | None = None,
) -> LabelledVideo:
    if labels_NU.ndim != 2 or labels_NU.size == 0 or not np.isfinite(labels_NU).all():
        raise ValueError(f"labels of {name} are not a table of shots and annotators")
    starts = np.arange(len(labels_NU)) * SHOT_SECONDS
    measure = ShotMeasure(labels_NU)
    return LabelledVideo(
        name=name,
        stratum=category,
        spans_seconds_N2=np.stack([starts, starts + SHOT_SECONDS], axis=1),
        oracle_N=labels_NU.mean(axis=1),
        measure=measure,
        measure_many=measure.many,
        human=humans(labels_NU),
        parts=parts,
        stored=stored,
    )


def _position(category: str) -> int:
    return CATEGORIES.index(category) if category in CATEGORIES else len(CATEGORIES)
