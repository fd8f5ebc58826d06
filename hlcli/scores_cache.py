"""Remembers the scores of every video, so that `hl export` decodes nothing.

One JSON file per video, model and modality, found by the content of the video: a renamed or moved
file is still known. An entry that cannot be read counts as absent; only a
damaged one is removed, not one of a newer hl or on a disk that fails.
"""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

from hlcli import paths
from hlcli.addresses import filesystem, said, shared_store
from hlcli.document import SCHEMA, ScoresDocument
from hlcli.errors import DocumentError, MediaNotFoundError, OutputError

if TYPE_CHECKING:
    from hlcli.document.records import Modality

_VERSION = 4  # raised when a document of an earlier hl lacks what choosing moments needs
MAX_STORED = 100_000
"""About how many documents are kept; the oldest go first. An hour of video takes about
550 kB."""
_CHECKS = 100


def put(document: ScoresDocument, modality: Modality | None = None) -> Path:
    """Store a document in place of the one before for the same video, model and modality.

    Args:
        document: What to store; its moments are stored too, but chosen anew by every reader.
        modality: What was asked for, where the document differs: a video without sound that was
            asked for "va" is scored by "v" and must be found under both. None takes the
            document's own.

    Returns:
        The file it is in.

    Raises:
        OutputError: The cache folder cannot be written.
    """
    folder = paths.scores_dir()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"cannot use the cache folder {folder}: {error.strerror or error}",
            hint="set HL_CACHE_DIR to a folder you may write to, or give --no-cache",
        ) from error
    name = _name(
        document.video.sha256_head,
        document.model.sha256,
        modality or document.modality,
        draft=document.draft,
    )
    document.write(folder / name)
    # Looking at all of them takes time: by chance, which is the same for each content.
    if int(document.video.sha256_head[:8], 16) % max(1, MAX_STORED // _CHECKS) == 0:
        _drop_oldest(folder)
    if (shared := shared_store()) is not None:
        _share(f"{shared}/{name}", document)
    return folder / name


def find(
    identity: str,
    model_sha256: str | None = None,
    modality: Modality | None = None,
    *,
    renew: bool = False,
    draft: bool = False,
) -> ScoresDocument | None:
    """Return the newest stored document of a video, or None.

    Args:
        identity: `hlcli.media.identity.content_identity` of the video.
        model_sha256: Only scores by the model with these weights; None takes any.
        modality: Only scores for which this was asked; None takes any.
        renew: Make it the newest: it is shown to somebody, who then exports what was shown.
        draft: Look for a draft, which is never found otherwise.
    """
    pattern = _name(identity, model_sha256, modality, draft=draft)
    for path in _newest_first(paths.scores_dir(), pattern):
        try:
            document = ScoresDocument.read(path)
        except DocumentError:
            if _is_damaged(path):
                with contextlib.suppress(OSError):
                    path.unlink(missing_ok=True)
            continue
        # The file name holds only the start of each sha256.
        if document.video.sha256_head == identity and model_sha256 in (None, document.model.sha256):
            if renew:
                with contextlib.suppress(OSError):  # a cache that can only be read
                    os.utime(path)
            return document
    found = _shared(pattern)
    return found if found is not None and found.video.sha256_head == identity else None


def check_shared() -> None:
    """Refuse a shared store that cannot be used, before any work is done for it.

    Raises:
        OutputError: It cannot be read, or the bucket is not there.
        UsageError: What reads it is not installed.
    """
    if (shared := shared_store()) is not None:
        store, path = filesystem(shared)
        with said(shared, writes=True):
            if not store.exists(path.partition("/")[0]):
                raise FileNotFoundError("the bucket is not there")


def _share(address: str, document: ScoresDocument) -> None:
    """Write a document where other machines look, unless it is there: theirs has the same bytes."""
    store, path = filesystem(address)
    with said(address, writes=True), contextlib.suppress(FileExistsError):
        store.pipe_file(path, document.to_text().encode(), mode="create")


def _shared(name: str) -> ScoresDocument | None:
    """Return what another machine has stored, None where it has not, or it is damaged."""
    shared = shared_store()
    if shared is None or "*" in name:
        return None
    address = f"{shared}/{name}"
    store, path = filesystem(address)
    try:
        with said(address):
            text = store.cat_file(path)
    except MediaNotFoundError:
        return None
    with contextlib.suppress(ValueError, RecursionError, DocumentError):
        return ScoresDocument.from_json(json.loads(text), source=address)
    return None


def _name(
    identity: str, model_sha256: str | None, modality: str | None, *, draft: bool = False
) -> str:
    # Short of the 260 characters that a path may have on Windows.
    model = "*" if model_sha256 is None else model_sha256[:16]
    kind = f"draft{_VERSION}" if draft else f"{_VERSION}"
    return f"{identity[:32]}-{model}-{modality or '*'}.{kind}.json"


def _is_damaged(path: Path) -> bool:
    """Whether an entry that is no document of ours was one, or half of one."""
    try:
        value = json.loads(path.read_bytes())
    except OSError:
        return False
    except (ValueError, RecursionError):
        return True
    return not isinstance(value, dict) or value.get("schema", SCHEMA) == SCHEMA


def _newest_first(folder: Path, pattern: str) -> list[Path]:
    ages: list[tuple[int, str, Path]] = []
    with contextlib.suppress(OSError):  # no folder yet, or one we may not read
        for path in folder.glob(pattern):
            # Another process may have removed it in between.
            with contextlib.suppress(OSError):
                ages.append((path.stat().st_mtime_ns, path.name, path))
    return [path for _, _, path in sorted(ages, reverse=True)]


def _drop_oldest(folder: Path) -> None:
    for path in _newest_first(folder, "*.json")[MAX_STORED:]:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)
