"""Files that appear whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from hlcli.errors import OutputError


@contextlib.contextmanager
def atomic_write(path: Path) -> Iterator[IO[bytes]]:
    """Open a binary file that replaces `path` only when the block ends without an error.

    The bytes go to a temporary file in the same folder, are flushed to disk and renamed into
    place; on any error, Ctrl-C included, the temporary file is removed and what stood at
    `path` before is untouched.

    Args:
        path: Where the finished file belongs. Its folder must exist.

    Raises:
        OutputError: The folder is missing or read-only, or the disk is full.
    """
    try:
        handle, temporary_name = tempfile.mkstemp(
            dir=path.parent, prefix=f".{path.name[:64]}.", suffix=".part"
        )
    except OSError as error:
        raise _output_error(path, error) from error
    temporary = Path(temporary_name)
    try:
        with os.fdopen(handle, "wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise _output_error(path, error) from error
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_bytes(path: Path, data: bytes) -> None:
    """Write `data` to `path` atomically; see `atomic_write` for the errors."""
    with atomic_write(path) as stream:
        stream.write(data)


def write_text(path: Path, text: str) -> None:
    """Write `text` to `path` atomically as UTF-8; see `atomic_write` for the errors."""
    write_bytes(path, text.encode("utf-8"))


def _umask() -> int:
    # There is no way to read the umask without setting it.
    current = os.umask(0o022)
    os.umask(current)
    return current


def _output_error(path: Path, error: OSError) -> OutputError:
    # Windows has no EDQUOT.
    if error.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)):
        return OutputError(f"the disk is full: cannot write {path}", hint="free some space")
    if isinstance(error, FileNotFoundError):
        return OutputError(
            f"cannot write {path}: the folder {path.parent} does not exist",
            hint="create the folder first, or choose another output",
        )
    return OutputError(
        f"cannot write {path}: {error.strerror or error}",
        hint="choose a folder you may write to",
    )


def make_folder(folder: Path, *, hint: str) -> None:
    """Make a folder and those above it; one that is there already is fine.

    Args:
        folder: What to make.
        hint: What to do where it cannot be made.

    Raises:
        OutputError: It cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"cannot make the folder {folder}: {error.strerror or error}", hint=hint
        ) from error
