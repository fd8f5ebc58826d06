"""How far luck alone goes on a benchmark: what a difference between two rows is worth.

No detector is involved. Rankings that know nothing are drawn, and the best of several is kept, as
happens when a checkpoint, a seed or a setting is picked on the videos that are then reported.

Axes: R rankings, M videos, C strata (categories), X trainings, K checkpoints, N units of a video.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hlcli.evaluation.benchmarks.benchmark import Benchmark, Float64
from hlcli.evaluation.bootstrap import stratum_weights
from hlcli.progress import Progress, silent

PICKED_FROM = (20, 100, 500)
"""Sizes N of the choice in "best of N"."""
_MOST_RANKINGS = 2000
_MEASUREMENTS = 400_000
_MOST_VIDEOS = 2000
_PICKS = 200
_CHECKPOINTS = 50
_NUMBERS_AT_ONCE = 1 << 20
"""Scores that are drawn and measured together: what keeps memory small on long videos."""
_CORRELATION = 0.9


@dataclass(frozen=True, slots=True, kw_only=True)
class ChanceLevel:
    """What rankings that know nothing reach on one set of videos."""

    part: str
    """Name of the set: "all" or a published part."""
    num_videos: int
    """Videos in it."""
    num_strata: int
    """Categories in it."""
    num_rankings: int
    """Random rankings that were drawn of each video."""
    mean: float
    """Mean figure of a random ranking."""
    sd: float
    """Standard deviation of the figure of one random ranking of the whole set."""
    sd_stratum: float
    """The same for one category, averaged over the categories."""
    best_average: dict[int, float]
    """By N: the expected figure of the best of N random rankings of the whole set."""
    best_each: dict[int, float]
    """By N: the same when the best of N is picked anew in every category."""
    last_checkpoint: float
    """Mean figure of the last checkpoint of a simulated training that learns nothing."""
    best_checkpoint: float
    """Mean figure when its best checkpoint is picked on these videos."""
    best_checkpoint_each: float
    """The same when the best checkpoint is picked anew in every category."""

    @property
    def worth(self) -> float:
        """Difference that two rankings without knowledge stay below in 95 of 100 cases."""
        return 1.96 * float(np.sqrt(2)) * self.sd

    def sentence(self, metric: str) -> str:
        """Say in words what a difference is worth.

        Args:
            metric: Name of the figure.
        """
        number = max(n for n in self.best_each if n <= 100)
        best = self.best_each[number]
        where = " in each category" if self.num_strata > 1 else ""
        return (
            f"On {self.part} ({self.num_videos} videos) a ranking that knows nothing has a "
            f"{metric} of {self.mean:.3f}, give or take {self.sd:.3f}; two of them differ by less "
            f"than {self.worth:.3f} in 95 of 100 cases, so a smaller difference between single "
            f"runs says nothing by itself. Picking the best of {number}{where} on these very "
            f"videos gives {best:.3f}, and picking the best of {_CHECKPOINTS} checkpoints of "
            f"a training that learns nothing {self.best_checkpoint_each:.3f}."
        )

    def to_json(self) -> dict[str, Any]:
        """Return the figures as `hl eval --trust --json` prints them."""
        return {
            "part": self.part,
            "n": self.num_videos,
            "rankings": self.num_rankings,
            "random": round(self.mean, 4),
            "sd": round(self.sd, 4),
            "sd_stratum": round(self.sd_stratum, 4),
            "best_of_n": {str(n): round(value, 4) for n, value in self.best_average.items()},
            "best_of_n_per_stratum": {
                str(n): round(value, 4) for n, value in self.best_each.items()
            },
            "checkpoints": {
                "number": _CHECKPOINTS,
                "correlation": _CORRELATION,
                "last": round(self.last_checkpoint, 4),
                "best": round(self.best_checkpoint, 4),
                "best_per_stratum": round(self.best_checkpoint_each, 4),
            },
            "difference_95": round(self.worth, 4),
        }


def chance_levels(
    benchmark: Benchmark, *, seed: int = 0, progress: Progress = silent
) -> tuple[ChanceLevel, ...]:
    """Draw random rankings of every video and see what picking the best of them gives.

    2,000 rankings are drawn of each video, fewer where a benchmark is large; "best of N" is given
    for N up to a quarter of them. The training that learns nothing is 50 checkpoints whose scores
    are random and correlate by 0.9 from one to the next; it is run once per 100 rankings.

    Args:
        benchmark: Whose videos; the headline metric is used.
        seed: Fixes all draws.
        progress: Called with the number of videos done.

    Returns:
        One for the headline's videos, one for each other published part; parts of more than 2,000
        videos are left out, as luck has no room in them.
    """
    headline = benchmark.headline_part
    everything = [headline, *(part for part in benchmark.other_parts if part != headline)]
    members = {part: _members(benchmark, part) for part in everything}
    parts = [part for part in everything if 0 < len(members[part]) <= _MOST_VIDEOS]
    videos = sorted({index for part in parts for index in members[part]})
    rankings = int(np.clip(_MEASUREMENTS // max(len(videos), 1), 80, _MOST_RANKINGS))
    trainings = max(rankings // 100, 1)
    drawn_RM = np.zeros((rankings, len(benchmark.videos)))
    trained_XKM = np.zeros((trainings, _CHECKPOINTS, len(benchmark.videos)))
    for done, index in enumerate(videos):
        progress("drawing random rankings", done, len(videos))
        video = benchmark.videos[index]
        random = np.random.default_rng([seed, index])
        at_once = max(_NUMBERS_AT_ONCE // video.num_units, 1)
        for first in range(0, rankings, at_once):
            rows = slice(first, min(first + at_once, rankings))
            scores_RN = random.random((rows.stop - first, video.num_units))
            drawn_RM[rows, index] = video.measure_many(scores_RN, seed)
        for training in range(trainings):
            scores_KN = _idle_training(random, video.num_units)
            trained_XKM[training, :, index] = video.measure_many(scores_KN, seed)
    progress("drawing random rankings", len(videos), len(videos))
    strata = [video.stratum for video in benchmark.videos]
    return tuple(
        _chance_level(
            part,
            [strata[index] for index in members[part]],
            drawn_RM[:, members[part]],
            trained_XKM[:, :, members[part]],
            seed,
        )
        for part in parts
    )


def _members(benchmark: Benchmark, part: str | None) -> list[int]:
    return [i for i, video in enumerate(benchmark.videos) if part is None or part in video.parts]


def chance_lines(levels: Sequence[ChanceLevel]) -> list[tuple[str, list[float | None]]]:
    """Return the rows of a table of luck: what is picked, and the figure of each set.

    Args:
        levels: The sets, one column each.
    """
    sizes = [number for number in PICKED_FROM if any(number in level.best_each for level in levels)]
    rows: list[tuple[str, list[float | None]]] = [
        ("nothing: a random ranking", [level.mean for level in levels]),
        ("  its standard deviation", [level.sd for level in levels]),
        ("  the same in one category", [level.sd_stratum for level in levels]),
    ]
    rows += [
        (f"the best of {number} rankings", [level.best_average.get(number) for level in levels])
        for number in sizes
    ]
    rows += [
        (f"the best of {number}, per category", [level.best_each.get(number) for level in levels])
        for number in sizes
    ]
    return [
        *rows,
        ("no checkpoint: the last one", [level.last_checkpoint for level in levels]),
        (f"the best of {_CHECKPOINTS} checkpoints", [level.best_checkpoint for level in levels]),
        (
            f"the best of {_CHECKPOINTS} checkpoints, per category",
            [level.best_checkpoint_each for level in levels],
        ),
    ]


def _idle_training(random: np.random.Generator, num_units: int) -> Float64:
    """Scores of the checkpoints of a training that learns nothing, shape `(K, N)`."""
    scores_KN = random.standard_normal((_CHECKPOINTS, num_units))
    for before, after in itertools.pairwise(scores_KN):
        after *= np.sqrt(1 - _CORRELATION**2)
        after += _CORRELATION * before
    return scores_KN


def _chance_level(
    part: str | None, strata: Sequence[str], drawn_RM: Float64, trained_XKM: Float64, seed: int
) -> ChanceLevel:
    by_stratum_MC = _stratum_means(strata)
    drawn_RC = drawn_RM @ by_stratum_MC
    trained_XKC = trained_XKM @ by_stratum_MC
    average_R = drawn_RC.mean(axis=1)
    random = np.random.default_rng([seed, 11])
    best_average, best_each = {}, {}
    for number in PICKED_FROM:
        if number * 4 > len(drawn_RC):
            break
        picks_PN = random.integers(0, len(drawn_RC), size=(_PICKS, number))
        best_average[number] = float(average_R[picks_PN].max(axis=1).mean())
        # Independent draws in each category, as if each were a run of its own.
        best_each[number] = float(
            np.mean([random.choice(column, (_PICKS, number)).max(axis=1) for column in drawn_RC.T])
        )
    return ChanceLevel(
        part=part or "all",
        num_videos=len(strata),
        num_strata=by_stratum_MC.shape[1],
        num_rankings=len(drawn_RC),
        mean=float(average_R.mean()),
        sd=float(average_R.std(ddof=1)),
        sd_stratum=float(drawn_RC.std(axis=0, ddof=1).mean()),
        best_average=best_average,
        best_each=best_each,
        last_checkpoint=float(trained_XKC[:, -1].mean()),
        best_checkpoint=float(trained_XKC.mean(axis=2).max(axis=1).mean()),
        best_checkpoint_each=float(trained_XKC.max(axis=1).mean()),
    )


def _stratum_means(strata: Sequence[str]) -> Float64:
    """Return the matrix `(M, C)` that turns figures of videos into means of strata."""
    names = list(dict.fromkeys(strata))
    weights = stratum_weights(strata) * len(names)
    matrix = np.zeros((len(strata), len(names)))
    matrix[np.arange(len(strata)), [names.index(one) for one in strata]] = weights
    return matrix
