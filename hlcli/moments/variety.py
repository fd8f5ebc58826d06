"""The order in which candidates are taken: the best first, and what looks like them later.

Axes: T clips, G groups of pictures that look alike.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from hlcli.moments.candidates import ClipSpan
from hlcli.moments.curve import Curve

LIKENESS_WEIGHT = 0.25
"""Share of its height over the floor that a candidate loses for each chosen one which looks wholly
like it: another scene goes before its second moment from three quarters of its height on, before
its third from half of it, and before its fifth in any case."""


def varied(ranked: list[ClipSpan], curve: Curve, looks_T: npt.NDArray[np.int64]) -> list[ClipSpan]:
    """Return candidates in another order: after each, those that look like it count for less.

    Likeness is the share that the groups of two spans have in common, weighted by their clips. The
    first stays the first, and the order does not depend on how many are taken.

    Args:
        ranked: Candidates, best first.
        curve: The scores.
        looks_T: Group of pictures that look alike each clip belongs to, shape `(T,)`.
    """
    if len(ranked) < 3:
        return ranked
    groups, looks_T = np.unique(looks_T, return_inverse=True)
    shares_NG = np.zeros((len(ranked), len(groups)))
    for row, span in zip(shares_NG, ranked, strict=True):
        inside_T = (curve.edges_E[1:] > span.start) & (curve.edges_E[:-1] < span.end)
        # Never 0: a span is longer than `SHORTEST_SECONDS` less rounding, and clips leave no gap.
        np.add.at(row, looks_T[inside_T], 1.0 / inside_T.sum())
    heights_N = np.array([curve.mean(span.start, span.end) - curve.floor for span in ranked])
    likeness_N = np.zeros(len(ranked))
    left = list(range(len(ranked)))
    order: list[int] = []
    while left:
        # Below the floor there is no height to lose.
        lost_N = np.minimum(LIKENESS_WEIGHT * likeness_N[left], 1.0)
        lost_N *= np.maximum(heights_N[left], 0.0)
        best = left.pop(int(np.argmax(np.round(heights_N[left] - lost_N, 9))))
        order.append(best)
        likeness_N += np.minimum(shares_NG, shares_NG[best]).sum(axis=1)
    return [ranked[index] for index in order]
