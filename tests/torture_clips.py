"""The clips of our own machines that broke other tools' timelines, as scores documents."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from document_factory import IDENTITY, make_document

from hlcli.document import ScoresDocument, VideoRecord
from hlcli.media.probe import probe

TORTURE_CLIPS = (
    "ntsc_df.mov", "p2398_tc.mov", "true30_df.mov", "p25.mp4", "p5994.mp4", "plain_30.mp4",
    "start_offset.ts", "vfr.mp4", "mono.mp4", "no_audio.mp4", "multitrack.mkv", "rotated.mp4",
    "clip \u00e4 \u65e5\u672c #1 100%25 & 'q'.mp4",
)  # fmt: skip


def torture_document(shared_dir: Path, name: str) -> ScoresDocument:
    """Return a document with two moments, the second one up to the end of the file."""
    info = probe(shared_dir / "data/media/torture" / name)
    record = VideoRecord.from_media(info, IDENTITY)
    document = make_document(
        num_frames=info.num_frames,
        frame_rate=info.frame_rate,
        spans=[(1.0, 3.0), (6.0, record.duration_seconds)],
    )
    return dataclasses.replace(document, video=record)
