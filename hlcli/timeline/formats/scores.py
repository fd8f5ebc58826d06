"""Scores documents, `hl.scores/1`: docs/reference/scores.md.

For scripts each moment has, besides what the document holds, its rank among the moments of all
videos and the timecodes that an editor shows, as in the table.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hlcli.atomic import write_text
from hlcli.document import ScoresDocument, values_text
from hlcli.timeline.ranking import ranks
from hlcli.timeline.timecode import timecode


def scores_text(documents: Sequence[ScoresDocument]) -> str:
    """Return one document, or a list of several, as ASCII text."""
    return values_text(
        [
            _value(document, ranking)
            for document, ranking in zip(documents, ranks(documents), strict=True)
        ]
    )


def write(documents: Sequence[ScoresDocument], path: Path) -> None:
    """Write one document, or a list of several.

    Raises:
        OutputError: It cannot be written there.
    """
    write_text(path, scores_text(documents))


def _value(document: ScoresDocument, ranking: Sequence[int]) -> dict[str, Any]:
    value, video = document.to_json(), document.video
    value["moments"] = [
        {"rank": rank}
        | moment
        | {
            f"{end}_timecode": timecode(
                moment[f"{end}_seconds"],
                frame_rate=video.frame_rate,
                start_timecode=video.start_timecode,
            )
            for end in ("start", "end")
        }
        for rank, moment in zip(ranking, value["moments"], strict=True)
    ]
    return value
