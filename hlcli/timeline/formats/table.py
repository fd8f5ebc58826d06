"""Moments as a CSV table, one line each, best first.

Columns: rank, file (as given in the document), start_seconds and end_seconds (from the first video
frame), start_timecode and end_timecode (the file's own; the end is the first frame after the
moment), duration_seconds, score (0 to 1), why (picture, sound or both), reasons (in words, after
"draft:" where only keyframes were looked at).
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from hlcli.atomic import write_text
from hlcli.document import ScoresDocument
from hlcli.moments import in_words
from hlcli.timeline.paths import readable
from hlcli.timeline.ranking import ranks
from hlcli.timeline.timecode import timecode

COLUMNS = (
    "rank", "file", "start_seconds", "end_seconds", "start_timecode", "end_timecode",
    "duration_seconds", "score", "why", "reasons",
)  # fmt: skip


def table_text(documents: Sequence[ScoresDocument]) -> str:
    """Return the table as CSV text with a heading line, LF line ends."""
    rows: list[tuple[int, list[str]]] = []
    for document, ranking in zip(documents, ranks(documents), strict=True):
        video = document.video
        for moment, rank in zip(document.moments, ranking, strict=True):
            start, end = (
                timecode(at, frame_rate=video.frame_rate, start_timecode=video.start_timecode)
                for at in (moment.start_seconds, moment.end_seconds)
            )
            row = [
                str(rank),
                readable(video.path),
                f"{moment.start_seconds:.3f}",
                f"{moment.end_seconds:.3f}",
                start,
                end,
                f"{moment.duration_seconds:.3f}",
                f"{moment.score:.4f}",
                moment.why,
                ("draft: " if document.draft else "") + readable(in_words(moment.reasons)),
            ]
            rows.append((rank, row))
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(row for _, row in sorted(rows))
    return text.getvalue()


def write(documents: Sequence[ScoresDocument], path: Path) -> None:
    """Write the table.

    Raises:
        OutputError: It cannot be written there.
    """
    write_text(path, table_text(documents))
