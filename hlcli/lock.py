"""Locks between processes that the system releases when their holder dies."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from hlcli.errors import OutputError

_POLL_SECONDS = 0.1
# What file systems without locks answer, some network ones among them.
_NO_LOCKS = (errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL)


@contextlib.contextmanager
def exclusive_lock(
    path: Path,
    *,
    on_wait: Callable[[], None],
    hint: str = "set HL_CACHE_DIR to a folder you may write to",
) -> Iterator[None]:
    """Hold the lock file `path`; wait for whoever holds it.

    The file stays behind, empty: removing it would let two waiting processes lock two files of
    the same name. Where the file system has no locks, everybody gets it.

    Args:
        path: The lock file; its folder is made.
        on_wait: Called some times a second while another holds the lock; what it raises ends
            the waiting.
        hint: What to do where the folder cannot be written.

    Raises:
        OutputError: The folder cannot be made or written, or the file cannot be locked.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        stream = path.open("a+b")
    except OSError as error:
        raise OutputError(
            f"cannot write into {path.parent}: {error.strerror or error}",
            hint=hint,
        ) from error
    with stream:
        while not _try_or_do_without(path, stream.fileno(), hint):
            on_wait()
            time.sleep(_POLL_SECONDS)
        try:
            yield
        finally:
            _unlock(stream.fileno())


class KeyedLock:
    """Any number of locks in one file: one byte of it, which need not be there, for each key.

    A process that dies lets go of its locks. Nothing is left behind but the empty file.

    Args:
        path: The lock file; its folder is made. No other object of this process may use it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stream: IO[bytes] | None = None

    def close(self) -> None:
        """Close the file, and with it let go of what is locked."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    @contextlib.contextmanager
    def claim(self, key: str) -> Iterator[bool]:
        """Lock a key for the block, without waiting; False when another process holds it.

        Where the file system has no locks, or the file cannot be made, everybody gets it.

        Args:
            key: At least 16 hexadecimal digits.
        """
        place = int(key[:16], 16) % _PLACES
        try:
            if self._stream is None:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                self._stream = self._path.open("a+b")
            handle = self._stream.fileno()
            is_ours = _try_lock_byte(handle, place)
        except OSError:
            yield True
            return
        try:
            yield is_ours
        finally:
            if is_ours:
                _unlock_byte(handle, place)


def _try_or_do_without(path: Path, handle: int, hint: str) -> bool:
    try:
        return try_lock(handle)
    except OSError as error:
        if error.errno in _NO_LOCKS:
            return True
        raise OutputError(f"cannot lock {path}: {error.strerror or error}", hint=hint) from error


if sys.platform == "win32":
    import msvcrt

    def try_lock(handle: int) -> bool:
        """Lock an open file without waiting; False when another process holds it."""
        os.lseek(handle, 0, os.SEEK_SET)
        try:
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        except PermissionError:
            return False
        return True

    def _unlock(handle: int) -> None:
        os.lseek(handle, 0, os.SEEK_SET)
        msvcrt.locking(handle, msvcrt.LK_UNLCK, 1)

    _PLACES = 2**31 - 1

    def _try_lock_byte(handle: int, place: int) -> bool:
        os.lseek(handle, place, os.SEEK_SET)
        try:
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        except PermissionError:
            return False
        return True

    def _unlock_byte(handle: int, place: int) -> None:
        os.lseek(handle, place, os.SEEK_SET)
        with contextlib.suppress(OSError):
            msvcrt.locking(handle, msvcrt.LK_UNLCK, 1)

else:
    import fcntl

    def try_lock(handle: int) -> bool:
        """Lock an open file or folder without waiting; False when somebody else holds it.

        The lock goes when the file is closed, at the latest when this process dies.

        Raises:
            OSError: The file system has no locks, or the disk fails.
        """
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _unlock(handle: int) -> None:
        with contextlib.suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_UN)

    _PLACES = 2**62

    def _try_lock_byte(handle: int, place: int) -> bool:
        try:
            fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, place)
        except OSError as error:
            if error.errno in (errno.EACCES, errno.EAGAIN):
                return False
            raise
        return True

    def _unlock_byte(handle: int, place: int) -> None:
        with contextlib.suppress(OSError):
            fcntl.lockf(handle, fcntl.LOCK_UN, 1, place)
