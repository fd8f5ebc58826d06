"""Scores documents, `hl.scores/1`: docs/reference/scores.md."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hlcli.document import ScoresDocument, write_documents


def write(documents: Sequence[ScoresDocument], path: Path) -> None:
    """Write one document, or a list of several.

    Raises:
        OutputError: It cannot be written there.
    """
    write_documents(path, documents)
