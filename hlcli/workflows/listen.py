"""What is said in videos without a transcript, recognised once and kept in the cache."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from hlcli import paths
from hlcli.atomic import write_text
from hlcli.document import Caption, ScoresDocument
from hlcli.document.fields import Fields
from hlcli.errors import HlError
from hlcli.media.probe import probe
from hlcli.media.waveform import read_waveform
from hlcli.progress import Listener

if TYPE_CHECKING:
    from hlcli.features.recogniser import Recogniser
    from hlcli.features.types import FloatArray


def recognised(
    document: ScoresDocument, recogniser: Recogniser | None, on: Listener
) -> list[Caption]:
    """Return what is said in a video: what was recognised before, or what is now.

    Args:
        document: Of the video.
        recogniser: Listens where nobody did, or another model did; None only remembers.
        on: Notified of progress.

    Raises:
        MediaError: The video cannot be opened.
        CheckpointError: The model cannot be loaded.
    """
    path = paths.cache_dir() / "speech" / f"{document.video.sha256_head[:32]}.json"
    kept = _kept(path)
    if kept is not None and (recogniser is None or kept[0] == recogniser.digest):
        return kept[1]
    if recogniser is None:
        return []
    captions = recogniser.listen(_sound(Path(document.video.path), on))
    value = {"model": recogniser.digest, "captions": [caption.to_json() for caption in captions]}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, json.dumps(value))
    except (OSError, HlError) as error:
        on.warning(f"what was recognised cannot be kept: {error}")
    return captions


def _sound(video: Path, on: Listener) -> Iterator[FloatArray]:
    from hlcli.features.recogniser import SAMPLE_RATE

    info, done = probe(video), 0
    for block in read_waveform(info, sample_rate=SAMPLE_RATE, block_seconds=5):
        yield block
        done += len(block)
        on.progress("listening", done / SAMPLE_RATE, float(info.duration_seconds))


def _kept(path: Path) -> tuple[str, list[Caption]] | None:
    """Return the model and what it recognised; None where there is nothing that can be read."""
    try:
        fields = Fields(json.loads(path.read_text(encoding="utf-8")), str(path))
        return fields.text("model"), [Caption.parse(item) for item in fields.items("captions")]
    except (OSError, ValueError, HlError):
        return None
