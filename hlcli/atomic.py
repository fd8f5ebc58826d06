"""Files and folders that appear whole or not at all, and the end of what a killed run left.

What is not finished stands beside where it belongs, as `.NAME.hl-01234567.part`, locked by the
process that writes it. A process that dies lets go of the lock, which is how the next one that
writes into the same folder knows what to remove.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import re
import secrets
import shutil
import stat
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, cast

from hlcli.errors import OutputError, UsageError
from hlcli.lock import try_lock

if TYPE_CHECKING:
    from typing_extensions import Buffer

_UNFINISHED = re.compile(r"\..*\.hl-[0-9a-f]{8}\.part", re.DOTALL)
# So that the whole stays below 255 bytes, and below 143 where names are encrypted.
_MOST_NAME_BYTES = 96
_STALE_SECONDS = 24 * 3600.0
"""Age at which what is unfinished was left behind, where no lock can tell."""
_BUFFER_BYTES = 1 << 16

_swept: set[Path] = set()


@contextlib.contextmanager
def atomic_write(path: Path) -> Iterator[IO[bytes]]:
    """Open a binary file that replaces `path` only when the block ends without an error.

    The bytes go to a temporary file in the same folder, are flushed to disk and renamed into
    place; on any error, Ctrl-C included, the temporary file is removed and what stood at
    `path` before is untouched. A file that is replaced keeps its permissions, and where `path`
    is a link, the file it leads to is replaced.

    Errors of this file come out as `OutputError`; what else is raised in the block, an `OSError`
    of a file that is read there among it, passes unchanged.

    Args:
        path: Where the finished file belongs. Its folder must exist.

    Raises:
        OutputError: The folder is missing or read-only, something other than a file stands at
            `path`, or the disk is full.
    """
    with _said(path):
        target, mode = _destination(path)
    with _said(target):
        temporary, handle = _create(target.parent, target.name)
    raw = _Target(handle, target)
    stream = io.BufferedWriter(raw, _BUFFER_BYTES)
    try:
        with _said(target):
            if mode is not None and mode != _mode(os.fstat(handle)):
                temporary.chmod(mode)
        yield stream
        stream.flush()
        with _said(target):
            os.fsync(handle)
            # Elsewhere it is closed, and with it unlocked, when it has its name.
            if sys.platform == "win32":
                raw.close()
            temporary.replace(target)
            _sync_folder(target.parent)
    except BaseException:
        # What is still in the buffer is not wanted any more.
        with contextlib.suppress(OSError):
            raw.close()
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise
    finally:
        raw.close()


def write_bytes(path: Path, data: bytes) -> None:
    """Write `data` to `path` atomically; see `atomic_write` for the errors."""
    with atomic_write(path) as stream:
        stream.write(data)


def write_text(path: Path, text: str) -> None:
    """Write `text` to `path` atomically as UTF-8; see `atomic_write` for the errors."""
    write_bytes(path, text.encode("utf-8"))


@contextlib.contextmanager
def unfinished_folder(folder: Path, name: str) -> Iterator[Path]:
    """Make an empty folder for what will be renamed to `folder / name`; it is gone afterwards.

    Args:
        folder: Where; it must exist.
        name: Of what is made in it.

    Raises:
        OSError: It cannot be made.
    """
    sweep_unfinished(folder)
    made, handle = _made(folder, name, _new_folder)
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)
        if handle is not None:
            os.close(handle)


def unfinished_path(folder: Path, name: str) -> Path:
    """Return a path in `folder`, nothing there yet, that counts as unfinished work on `name`.

    What is moved there counts as left behind: the next process that writes into the folder
    removes it.
    """
    # Cut as bytes, as file systems count; half a letter would be refused by some.
    start = os.fsencode(name)[:_MOST_NAME_BYTES].decode("utf-8", "ignore")
    return folder / f".{start}.hl-{secrets.token_hex(4)}.part"


def sweep_unfinished(folder: Path) -> None:
    """Remove what killed processes left in a folder; what is being written stays."""
    with contextlib.suppress(OSError):
        for entry in list(os.scandir(folder)):
            if _UNFINISHED.fullmatch(entry.name):
                with contextlib.suppress(OSError):
                    _remove_abandoned(Path(entry.path))


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


def check_folder(path: Path) -> None:
    """Refuse an output whose folder is not there or may not be written.

    Args:
        path: A file, or an existing folder.

    Raises:
        OutputError: The folder does not exist or cannot be written.
    """
    with _said(path):
        folder = path if path.is_dir() else path.parent
        is_there = folder.is_dir()
    if not is_there:
        raise OutputError(
            f"cannot write {path}: the folder {folder} does not exist",
            hint="create the folder first, or choose another output",
        )
    if not os.access(folder, os.W_OK):
        raise OutputError(
            f"cannot write {path}: the folder {folder} is not writable",
            hint="choose a folder you may write to",
        )


def check_not_a_source(path: Path, sources: Sequence[Path]) -> None:
    """Refuse an output that is one of the videos: footage is never overwritten.

    Raises:
        UsageError: It is the same file, by whatever name.
    """
    for source in sources:
        try:
            same = path.samefile(source)
        except OSError:
            continue  # One of them is not there.
        if same:
            raise UsageError(
                f"{path} is one of the videos, writing there would destroy it",
                hint="choose another name for the output",
            )


class _Target(io.FileIO):
    """The temporary file; its errors say what was to be written, and are no errors of a source."""

    def __init__(self, handle: int, path: Path) -> None:
        super().__init__(handle, "wb")
        self._path = path

    def write(self, data: Buffer, /) -> int:
        with _said(self._path):
            return cast("int", super().write(data))

    def truncate(self, size: int | None = None, /) -> int:
        with _said(self._path):
            return super().truncate(size)

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        with _said(self._path):
            return super().seek(offset, whence)


def _destination(path: Path) -> tuple[Path, int | None]:
    """Return the file to replace and the permissions to keep; None where there is none yet."""
    target = path
    if path.is_symlink():
        target = Path(os.path.realpath(path))
        if target.is_symlink():  # links that lead to each other
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
    try:
        status = target.stat()
    except FileNotFoundError:
        return target, None
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "it is a device or a pipe, not a file")
    return target, _mode(status)


def _mode(status: os.stat_result) -> int:
    return status.st_mode & 0o777


def _create(folder: Path, name: str) -> tuple[Path, int]:
    _sweep_once(folder)
    path, handle = _made(folder, name, _new_file)
    assert handle is not None
    return path, handle


def _made(folder: Path, name: str, make: Callable[[Path], int | None]) -> tuple[Path, int | None]:
    """Make something unfinished and lock it."""
    while True:
        path = unfinished_path(folder, name)
        handle = make(path)
        if handle is None or sys.platform == "win32":
            # Windows removes no open file, and a locked one could not be written in peace.
            return path, handle
        try:
            is_ours = try_lock(handle)
        except OSError:
            is_ours = True  # No locks here: its age protects it.
        # Between making and locking, another process may have taken it for left over.
        if is_ours and path.exists():
            return path, handle
        os.close(handle)


def _new_file(path: Path) -> int:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    return os.open(path, flags | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOINHERIT", 0), 0o666)


def _new_folder(path: Path) -> int | None:
    path.mkdir()
    return None if sys.platform == "win32" else os.open(path, os.O_RDONLY)


def _sweep_once(folder: Path) -> None:
    # Once in each process: listing a folder on a network for every file would be slow.
    if (folder := folder.absolute()) not in _swept:
        _swept.add(folder)
        sweep_unfinished(folder)


def _remove_abandoned(path: Path) -> None:
    status = path.lstat()
    is_folder = stat.S_ISDIR(status.st_mode)
    if not is_folder and not stat.S_ISREG(status.st_mode):
        return
    is_old = time.time() - status.st_mtime > _STALE_SECONDS
    if sys.platform == "win32":
        if is_old:
            _remove(path, is_folder=is_folder)
        return
    handle = os.open(path, (os.O_RDONLY if is_folder else os.O_RDWR) | os.O_NOFOLLOW)
    try:
        try:
            is_abandoned = try_lock(handle)
        except OSError:
            is_abandoned = is_old
        if is_abandoned:
            _remove(path, is_folder=is_folder)
    finally:
        os.close(handle)


def _remove(path: Path, *, is_folder: bool) -> None:
    if is_folder:
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    """Put the new name on disk, not only the bytes: after a power cut the old one would return."""
    if sys.platform == "win32":
        return  # Windows opens no folder.
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


@contextlib.contextmanager
def _said(path: Path) -> Iterator[None]:
    """Turn errors of the system into ours."""
    try:
        yield
    except OSError as error:
        raise output_error(path, error) from error


def output_error(path: Path, error: OSError) -> OutputError:
    """Return what to say when `path` cannot be written because of `error`."""
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
