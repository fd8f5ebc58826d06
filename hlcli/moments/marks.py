"""Marks and photographs vote for seconds of a video.

Marks that somebody set while recording vote for the seconds around them.

People press the button when something has just happened, so more of what lies before a mark counts
than of what lies after it. A mark says that there is something, not exactly where, and some are
slips: by default it lifts the scores half of the way to the top, and the scores choose the place.

Photographs of the event vote for the seconds that look like them.

Axes: T clips.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from hlcli.moments.reasons import Observation

MarksVote: TypeAlias = Literal["strong", "weak", "ignore"]
"""How much marks count, as `--marks` names it."""
BEFORE_SECONDS, AFTER_SECONDS = 8.0, 2.0
"""Around a mark, so much is meant."""
WEIGHTS: dict[MarksVote, float] = {"strong": 0.9, "weak": 0.5, "ignore": 0.0}
"""Share of the way to the highest score by which a mark lifts."""
LIKENESS_WEIGHT = 0.9
"""The same for a second that looks just like a photograph."""


def with_votes(
    scores_T: Sequence[float],
    marks: Sequence[Observation],
    *,
    clip_seconds: float,
    vote: MarksVote,
    likeness_T: Sequence[float] | None = None,
) -> tuple[float, ...]:
    """Return the scores with what marks and photographs say, shape `(T,)`, in [0, 1].

    Args:
        scores_T: Scores in [0, 1].
        marks: Instants; `score` is how sure a camera is of one it set by itself.
        clip_seconds: Length of a clip.
        vote: How much they count.
        likeness_T: How much each clip looks like a photograph, in [0, 1]; None without any.
    """
    if likeness_T is not None:
        scores_T = [
            round(score + LIKENESS_WEIGHT * alike * (1 - score), 6)
            for score, alike in zip(scores_T, likeness_T, strict=True)
        ]
    if not marks or not WEIGHTS[vote]:
        return tuple(scores_T)
    voted = list(scores_T)
    for clip, score in enumerate(scores_T):
        start, end = clip * clip_seconds, (clip + 1) * clip_seconds
        sure = max(
            (
                mark.score
                for mark in marks
                if start < mark.start_seconds + AFTER_SECONDS
                and end > mark.start_seconds - BEFORE_SECONDS
            ),
            default=0.0,
        )
        voted[clip] = round(score + WEIGHTS[vote] * sure * (1 - score), 6)
    return tuple(voted)
