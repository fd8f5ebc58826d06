"""The ranked moments as a table and the score curve as a line of blocks."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from hlcli.cli.console import printable

if TYPE_CHECKING:
    from rich.console import RenderableType

    from hlcli.document import ScoresDocument

BLOCKS = " ▁▂▃▄▅▆▇█"
ASCII_BLOCKS = " .:-=+*#@"
LOW = 0.5
"""A video that scores below this throughout is drawn to its own scale."""


def moments_table(document: ScoresDocument, *, width: int) -> Iterator[RenderableType]:
    """Yield what `hl score` shows for one video: a title, the curve, the table.

    Args:
        document: A scores document with its moments.
        width: Columns of the terminal.
    """
    from pathlib import Path

    from rich.table import Table
    from rich.text import Text

    from hlcli.moments import in_words
    from hlcli.timeline.timecode import timecode

    video = document.video

    def at(seconds: float) -> str:
        return timecode(
            seconds,
            frame_rate=video.frame_rate,
            start_timecode=video.start_timecode,
        )

    name = printable(Path(video.path).name)
    kept = sum(moment.end_seconds - moment.start_seconds for moment in document.moments)
    picture = "keyframes" if document.draft else "picture"
    looked_at = f"{picture} and sound" if document.modality == "va" else picture
    if document.draft:
        looked_at += ", a draft"
    yield Text(
        f"{name}  {_length(video.duration_seconds)}, scored by {looked_at} "
        f"({document.model.name} {document.model.version})",
        style="bold",
    )
    listed = document.moments or document.candidates
    spans = [(m.start_seconds, m.end_seconds) for m in document.moments]
    yield curve(
        document.scores, spans, duration_seconds=video.duration_seconds, columns=min(width, 100)
    )

    if not document.moments:
        best = max(document.scores)
        yield Text(
            f"nothing stands out: the best second scores {best:.2f}, so nothing is cut"
            + (f"; candidates, which --top {len(listed)} takes:" if listed else "")
        )
    if not listed:
        return
    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading, justify in (
        ("#", "right"), ("start", "left"), ("end", "left"), ("length", "right"),
        ("score", "right"), ("why", "left"),
    ):  # fmt: skip
        table.add_column(heading, justify=justify, no_wrap=heading != "why")  # type: ignore[arg-type]
    for rank, moment in enumerate(listed, start=1):
        table.add_row(
            str(rank),
            at(moment.start_seconds),
            at(moment.end_seconds),
            f"{moment.end_seconds - moment.start_seconds:.1f} s",
            f"{moment.score:.2f}",
            ("goes on from the file before; " if moment.continues else "")
            + (printable(in_words(moment.reasons)) or moment.why),
        )
    yield table
    if not document.moments:
        return
    number = len(document.moments)
    counted = "1 moment" if number == 1 else f"{number} moments"
    little = "; little stands out of this video" if max(document.scores) < LOW else ""
    yield Text(f"{counted}, {_length(kept)} in all{little}", style="dim")


def curve(
    scores: Sequence[float],
    spans: Sequence[tuple[float, float]],
    *,
    duration_seconds: float,
    columns: int,
) -> RenderableType:
    """Draw scores as one line of blocks, the kept spans in colour.

    The full block is 1, or the highest score where that is under `LOW`: a calm video shows its
    shape too.

    Args:
        scores: One score per clip, in [0, 1].
        spans: Kept `[start, end)` spans, in seconds.
        duration_seconds: What the line covers, in seconds.
        columns: Longest line, in characters; each column shows its highest score.
    """
    from rich.text import Text

    blocks = BLOCKS if _can_show(BLOCKS) else ASCII_BLOCKS
    columns = max(1, min(columns, len(scores)))
    highest = max(scores)
    full = highest if 0 < highest < LOW else 1.0
    text = Text()
    for column in range(columns):
        first = column * len(scores) // columns
        last = max(first + 1, (column + 1) * len(scores) // columns)
        level = max(scores[first:last]) / full
        middle = (column + 0.5) * duration_seconds / columns
        kept = any(start <= middle < end for start, end in spans)
        block = blocks[min(len(blocks) - 1, int(level * len(blocks)))]
        text.append(block, style="green" if kept else "dim")
    return text


def _can_show(characters: str) -> bool:
    # A Windows console on an old code page cannot print blocks; a crash there helps nobody.
    try:
        characters.encode(sys.stdout.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def _length(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
