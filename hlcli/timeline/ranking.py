"""The rank of each moment among those of all videos."""

from __future__ import annotations

from collections.abc import Sequence

from hlcli.document import ScoresDocument


def ranks(documents: Sequence[ScoresDocument]) -> list[list[int]]:
    """Return the rank of each moment of each document, 1 is the best of all.

    Scores of one model are comparable between videos; equals are ranked in the order given.
    """
    places = [
        (-moment.score, number, index)
        for number, document in enumerate(documents)
        for index, moment in enumerate(document.moments)
    ]
    ranking = [[0] * len(document.moments) for document in documents]
    for rank, (_, number, index) in enumerate(sorted(places), start=1):
        ranking[number][index] = rank
    return ranking
