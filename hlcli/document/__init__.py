r"""The scores document `hl.scores/1`: everything `hl` found out about one video, as JSON.

Its schema is published in docs/reference/scores.schema.json. Reading checks every field, so that
what comes after may trust it. The text is plain ASCII: a file name outside Unicode keeps its
bytes as lone surrogates (`os.fsencode` gives them back), which JSON writes as `\udcXX`.

Axes: T clips.
"""

from __future__ import annotations

from hlcli.document.records import AudioRecord, ModelRecord, VideoRecord
from hlcli.document.scores import (
    SCHEMA,
    ScoresDocument,
    documents_text,
    find_moments,
    measure_moment,
    near_misses,
    read_documents,
    values_text,
    write_documents,
)
from hlcli.document.transcript import Caption, read_transcript

__all__ = [
    "SCHEMA",
    "AudioRecord",
    "Caption",
    "ModelRecord",
    "ScoresDocument",
    "VideoRecord",
    "documents_text",
    "find_moments",
    "measure_moment",
    "near_misses",
    "read_documents",
    "read_transcript",
    "values_text",
    "write_documents",
]
