"""The rank of each moment among those of all videos."""

from __future__ import annotations

from collections.abc import Sequence

from hlcli.document import ScoresDocument


def ranks(documents: Sequence[ScoresDocument]) -> list[list[int]]:
    """Return the rank of each moment of each document, 1 is the best of all.

    Scores of one model are comparable between videos; equals are ranked in the order given. A
    moment that goes on in a second file of a recording has one rank.
    """
    places = [
        (-moment.score, number, index, moment.continues)
        for number, document in enumerate(documents)
        for index, moment in enumerate(document.moments)
    ]
    ranking = [[0] * len(document.moments) for document in documents]
    ranked: list[float] = []
    for score, number, index, continues in sorted(places):
        if not (continues and score in ranked[-1:]):
            ranked.append(score)
        ranking[number][index] = len(ranked)
    return ranking
