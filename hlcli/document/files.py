"""Scores documents in files, alone or as a list."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from hlcli.atomic import write_text
from hlcli.document.fields import HINT
from hlcli.document.records import ScoresDocument, layout
from hlcli.errors import DocumentError


def read_documents(path: Path) -> list[ScoresDocument]:
    """Read a file that holds one document or a list of them.

    Raises:
        DocumentError: The file is missing, not JSON, an empty list, or a document is wrong.
    """
    try:
        value = json.loads(path.read_bytes(), parse_constant=_refuse_constant)
    except FileNotFoundError as error:
        raise DocumentError(f"{path} does not exist", hint=HINT) from error
    except OSError as error:
        raise DocumentError(f"cannot read {path}: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise DocumentError(f"{path} is not a scores document: {error}", hint=HINT) from error
    if not isinstance(value, list):
        return [ScoresDocument.from_json(value, source=str(path))]
    if not value:
        raise DocumentError(f"{path} is an empty list of scores documents", hint=HINT)
    return [
        ScoresDocument.from_json(item, source=f"{path} (document {number})")
        for number, item in enumerate(value, start=1)
    ]


def write_documents(path: Path, documents: Sequence[ScoresDocument]) -> None:
    """Write one document as itself and several as a list, whole or not at all.

    Raises:
        OutputError: It cannot be written there.
    """
    write_text(path, documents_text(documents))


def documents_text(documents: Sequence[ScoresDocument]) -> str:
    """Return what `write_documents` writes, ASCII: for standard output."""
    if len(documents) == 1:
        return documents[0].to_text()
    return "[\n" + ",\n".join(layout(document.to_json()) for document in documents) + "\n]\n"


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not a number")
