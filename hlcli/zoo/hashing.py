"""sha256 of weights, and a memory of it, so that a start does not read every file whole."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import time
from pathlib import Path

from hlcli.atomic import write_text
from hlcli.errors import OutputError
from hlcli.paths import cache_dir

_CHUNK_BYTES = 1 << 20
_SETTLED_NS = 2_000_000_000
"""A file changed within the last two seconds may change again under the same time stamp."""


def file_sha256(path: Path) -> str:
    """Return the hex sha256 of a file's bytes, and remember it for `remembered_sha256`."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        status = os.fstat(stream.fileno())
        while chunk := stream.read(_CHUNK_BYTES):
            digest.update(chunk)
    found = digest.hexdigest()
    if time.time_ns() - status.st_mtime_ns > _SETTLED_NS:
        memory = _memory_path(path)
        # A cache that cannot be written costs a second hash next time, not more.
        with contextlib.suppress(OSError, OutputError):
            memory.parent.mkdir(parents=True, exist_ok=True)
            write_text(memory, json.dumps({**_state(path, status), "sha256": found}))
    return found


def remembered_sha256(path: Path) -> str:
    """Return the hex sha256 of a file, without reading it when it is as it was the last time.

    "As it was" means same path, size and time of change. Where the memory cannot be read or is
    damaged, the file is hashed.
    """
    try:
        notes = json.loads(_memory_path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        notes = None
    if isinstance(notes, dict):
        found = notes.pop("sha256", None)
        if isinstance(found, str) and notes == _state(path, path.stat()):
            return found
    return file_sha256(path)


def _state(path: Path, status: os.stat_result) -> dict[str, object]:
    return {
        "path": str(path.absolute()),
        "size_bytes": status.st_size,
        "mtime_ns": status.st_mtime_ns,
    }


def _memory_path(path: Path) -> Path:
    key = hashlib.sha256(os.fsencode(path.absolute())).hexdigest()[:32]
    return cache_dir() / "hashes" / f"{key}.json"
