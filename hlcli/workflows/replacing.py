"""Writing a file again: what somebody changed in it since `hl` wrote it is kept beside it.

What `hl` wrote is remembered by its content, in the cache. So a cut that is tried ten times leaves
one file, and one that was edited, or is none of ours, is never lost. Where the cache is gone or
cannot be written, files that are replaced are kept once too often.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from hlcli import paths
from hlcli.atomic import output_error
from hlcli.errors import MediaError
from hlcli.media.identity import content_identity
from hlcli.progress import Listener
from hlcli.zoo.hashing import file_sha256

MOST_REMEMBERED = 5000
"""Files remembered, each by an empty file; the oldest go first."""
_MOST_HASHED_BYTES = 64 << 20
"""Bundles with media are larger: their ends have the sums of everything inside."""


@contextlib.contextmanager
def replacing(path: Path, on: Listener) -> Iterator[None]:
    """Let the block write a file; what stood there is kept if `hl` did not leave it so.

    Args:
        path: The file; the block must replace it whole.
        on: Notified of where the old one is.

    Raises:
        OutputError: The old one cannot be kept.
    """
    before = _digest(path)
    kept = None if before is None or _mark(before).exists() else _keep(path)
    try:
        yield
    except BaseException:
        if kept is not None:
            kept.unlink(missing_ok=True)
        raise
    after = _digest(path)
    if after is not None:
        _remember(after)
    if kept is not None and after == before:
        kept.unlink(missing_ok=True)
    elif kept is not None:
        on.warning(f"{path} was not as hl had written it: what it was is kept as {kept.name}")


def _digest(path: Path) -> str | None:
    """Return the sha256 of a file's content, hex; None where there is no file to lose."""
    if not path.is_file():
        return None
    try:
        if path.stat().st_size > _MOST_HASHED_BYTES:
            return content_identity(path)
        return file_sha256(path)
    except (OSError, MediaError):
        return "unreadable"


def _mark(digest: str) -> Path:
    return paths.written_dir() / digest[:32]


def _remember(digest: str) -> None:
    folder = paths.written_dir()
    with contextlib.suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        _mark(digest).touch()
        marks = list(folder.iterdir())
        if len(marks) > MOST_REMEMBERED:
            marks.sort(key=lambda mark: mark.stat().st_mtime_ns)
            for mark in marks[: len(marks) - MOST_REMEMBERED]:
                mark.unlink(missing_ok=True)


def _keep(path: Path) -> Path:
    """Give the content of a file a second name, the first free one of NAME.backup-1, -2, ..."""
    number = 1
    while True:
        kept = path.with_name(f"{path.name}.backup-{number}")
        try:
            # Without copying where the file system can: a bundle may have gigabytes.
            os.link(os.path.realpath(path), kept)
        except FileExistsError:
            number += 1
            continue
        except OSError:
            if kept.exists() or kept.is_symlink():
                number += 1
                continue
            try:
                shutil.copy2(path, kept)
            except OSError as error:
                kept.unlink(missing_ok=True)
                raise output_error(kept, error) from error
        return kept
