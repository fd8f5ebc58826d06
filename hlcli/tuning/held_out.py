"""Is the tuned model better than its parent, on marks it has not seen?

Files are held out in turn; where only one file has marks, stretches of it are. The taste is fitted
on the others and asked about the held-out ones: about each file that has both verdicts, and about
the files of one camera together where they are compared with each other. There, files that follow
each other are held out together, since neighbours show the same thing in the same light. Nothing
of this goes into the model.

Axes: T clips.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from hlcli.media.clips import true_runs
from hlcli.model.fusion import FusedScorer, has_sound
from hlcli.model.scorer import Modality
from hlcli.tuning.compare import Comparison, comparisons
from hlcli.tuning.fit_taste import MarkedVideo, fit_taste
from hlcli.tuning.spans import Marks, num_runs

MOST_FOLDS = 5
"""Marks are held out in at most so many parts."""
_GUARD_CLIPS = 2
"""Clips beside a held-out stretch that are not learned from: scores are smoothed over them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldOut:
    """Average precision on marks that were not learned from, a mean over what was put in order.

    That is a file, a stretch of one, or several files that are compared with each other.
    """

    before: float
    """The parent's, in [0, 1]."""
    after: float
    """The tuned model's, in [0, 1]."""
    num_files: int
    """Files held out."""
    num_spans: int
    """Kept spans held out."""
    within_file: bool
    """Whether stretches of one file were held out: easier than another file."""
    num_done: int
    """Parts measured so far."""
    num_parts: int
    """Parts in all."""

    @property
    def is_better(self) -> bool:
        """Whether the tuned model is better than its parent."""
        return self.after > self.before


Question: TypeAlias = list[tuple[int, Marks]]
"""Clips that are put in order together: videos by index, with the marks that count."""
OnCheck: TypeAlias = Callable[[HeldOut], None]


def ignore_check(check: HeldOut) -> None:
    """Show nothing; the default where an `OnCheck` is taken."""


def held_out(
    parent: FusedScorer,
    base: FusedScorer,
    videos: Sequence[MarkedVideo],
    *,
    on_check: OnCheck = ignore_check,
) -> HeldOut | None:
    """Cross-validate the taste; None where there are too few marks to hold some out.

    Args:
        parent: What the tuned model is compared with.
        base: What the taste is added to: the parent, adapted to the footage or as it is; without
            a taste of its own.
        videos: The footage with all marks, after `with_untuned_scores` of the base.
        on_check: Called after each part with the means so far.

    Raises:
        TrainingError: The marks cannot be learned.
    """
    compared = comparisons(videos)
    folds = list(_folds(videos))
    # Without training the parent says what the base says; else it is asked once for each file.
    of_parent: dict[int, npt.NDArray[np.float32]] = {}
    before: list[float] = []
    after: list[float] = []
    files: set[int] = set()
    num_spans = 0
    check = None
    for number, (train, asked) in enumerate(folds, 1):
        taste = fit_taste(base, train)
        for question in asked:
            kept, said, liked = [], [], []
            for index, marks in question:
                features, untuned = videos[index].features, videos[index].untuned
                assert untuned is not None  # it is marked
                side: Modality = "va" if has_sound(features) else "v"
                if index not in of_parent:
                    of_parent[index] = (
                        untuned[side]
                        if parent is base
                        else parent.raw_scores(features, (side,))[side]
                    )
                is_asked = marks >= 0
                kept.append(marks[is_asked] == 1)
                said.append(of_parent[index][is_asked])
                liked.append((untuned[side] + taste.preferences(features, side))[is_asked])
                files.add(index)
                num_spans += num_runs(marks, 1)
            before.append(tied_average_precision(np.concatenate(kept), np.concatenate(said)))
            after.append(tied_average_precision(np.concatenate(kept), np.concatenate(liked)))
        check = HeldOut(
            before=float(np.mean(before)),
            after=float(np.mean(after)),
            num_files=len(files),
            num_spans=num_spans,
            within_file=len(compared) == 1 and compared[0].is_within_file,
            num_done=number,
            num_parts=len(folds),
        )
        on_check(check)
    return check


def tied_average_precision(
    kept_T: npt.NDArray[np.bool_], scores_T: npt.NDArray[np.floating]
) -> float:
    """Mean over the kept clips of the precision among those that score as high or higher.

    `hlcli.evaluation.metrics.average_precision` draws the order of equal scores instead.

    Args:
        kept_T: Whether each clip is kept; at least one is.
        scores_T: What a detector says, shape `(T,)`. Equal scores share one threshold.

    Example:
        >>> tied_average_precision(np.array([True, False, True]), np.array([3.0, 2.0, 1.0]))
        0.8333333333333333
    """
    precisions = []
    for score in scores_T[kept_T]:
        chosen = scores_T >= score
        precisions.append(np.count_nonzero(kept_T & chosen) / np.count_nonzero(chosen))
    return float(np.mean(precisions))


def _folds(videos: Sequence[MarkedVideo]) -> Iterator[tuple[list[MarkedVideo], list[Question]]]:
    """Yield what is learned from, and what is asked."""
    compared = comparisons(videos)
    if len(compared) == 1 and compared[0].is_within_file:
        (index,) = compared[0].kept
        for learned, asked_T in _stretches(videos[index].marks_T):
            train = list(videos)
            train[index] = dataclasses.replace(videos[index], marks_T=learned)
            yield train, [[(index, asked_T)]]
        return
    # Within-file comparisons in turn; those across files in blocks of neighbours.
    parts: list[list[Comparison]] = [[] for _ in range(MOST_FOLDS)]
    within = [one for one in compared if one.is_within_file]
    for fold, part in enumerate(parts):
        part += within[fold::MOST_FOLDS]
    for one in compared:
        if not one.is_within_file:
            count = min(MOST_FOLDS, one.weight)
            blocks = zip(
                np.array_split(one.kept, count), np.array_split(one.passed, count), strict=True
            )
            for part, (kept, passed) in zip(parts, blocks, strict=False):
                part.append(Comparison(tuple(map(int, kept)), tuple(map(int, passed))))
    for part in parts:
        hidden = {index for one in part for index in one.files}
        train = [
            dataclasses.replace(video, marks_T=np.full_like(video.marks_T, -1))
            if index in hidden
            else video
            for index, video in enumerate(videos)
        ]
        if part and comparisons(train):
            yield (
                train,
                [[(index, one.marks(videos, index)) for index in one.files] for one in part],
            )


def _stretches(marks: Marks) -> Iterator[tuple[Marks, Marks]]:
    """Cut the marks of one file into stretches, each with kept spans and what is around them."""
    runs = true_runs(marks == 1)
    count = min(MOST_FOLDS, len(runs))
    if count < 2:
        return
    groups = np.array_split(np.arange(len(runs)), count)
    # Halfway between the last kept clip of one stretch and the first of the next.
    cuts = [(runs[g[-1]][1] + runs[g[-1] + 1][0]) // 2 for g in groups[:-1]]
    bounds = [0, *map(int, cuts), len(marks)]
    for start, stop in itertools.pairwise(bounds):
        asked = np.full_like(marks, -1)
        asked[start:stop] = marks[start:stop]
        learned = marks.copy()
        learned[max(0, start - _GUARD_CLIPS) : stop + _GUARD_CLIPS] = -1
        if _has_both(asked) and _has_both(learned):
            yield learned, asked


def _has_both(marks: Marks) -> bool:
    return bool((marks == 1).any() and (marks == 0).any())
