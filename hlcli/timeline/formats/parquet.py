"""Scores and moments of any number of videos as one Parquet file, one row for each video.

Lists keep what belongs to a video together: DuckDB's `unnest` and pandas' `explode` make a row of
each moment or second. The columns are those of the scores document; docs/guides/batch-and-gpu.md
shows how to ask.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hlcli.atomic import atomic_write
from hlcli.document import ScoresDocument
from hlcli.timeline.paths import readable
from hlcli.timeline.ranking import ranks


def write(documents: Sequence[ScoresDocument], path: Path) -> None:
    """Write the table, the same bytes for the same documents and release of pyarrow.

    Raises:
        OutputError: It cannot be written there.
    """
    import pyarrow as pa
    from pyarrow import parquet

    rows = [
        _row(document, ranking)
        for document, ranking in zip(documents, ranks(documents), strict=True)
    ]
    table = pa.Table.from_pylist(rows, schema=_schema(pa))
    with atomic_write(path) as stream:
        parquet.write_table(table, stream, compression="zstd")


def _schema(pa: Any) -> Any:
    text, number, numbers = pa.string(), pa.float64(), pa.list_(pa.float32())
    moment = pa.struct(
        [
            ("rank", pa.int32()),
            ("start_seconds", number),
            ("end_seconds", number),
            ("score", number),
            ("peak_seconds", number),
            ("picture", number),
            ("sound", number),
            ("why", text),
            ("reasons", pa.list_(text)),
        ]
    )
    return pa.schema(
        [
            ("file", text),
            ("sha256_head", text),
            ("duration_seconds", number),
            ("frame_rate", text),
            ("start_timecode", text),
            ("width", pa.int32()),
            ("height", pa.int32()),
            ("model", text),
            ("model_version", text),
            ("modality", text),
            ("clip_seconds", number),
            ("scores", numbers),
            ("raw_scores", numbers),
            ("picture_scores", numbers),
            ("sound_scores", numbers),
            ("damage", text),
            ("moments", pa.list_(moment)),
            ("draft", pa.bool_()),
        ]
    )


def _row(document: ScoresDocument, ranking: Sequence[int]) -> dict[str, Any]:
    """Return what a row holds; the schema says which of it, and in which order."""
    value = document.to_json()
    moments = [
        moment | {"rank": rank} for rank, moment in zip(ranking, value["moments"], strict=True)
    ]
    model = {"model": document.model.name, "model_version": str(document.model.version)}
    file = {"file": readable(document.video.path)}
    row: dict[str, Any] = value | value["video"] | model | file | {"moments": moments}
    return row
