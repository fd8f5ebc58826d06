"""A lock between processes that the system releases when its holder dies."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from hlcli.errors import OutputError

_POLL_SECONDS = 0.1


@contextlib.contextmanager
def exclusive_lock(
    path: Path,
    *,
    on_wait: Callable[[], None],
    hint: str = "set HL_CACHE_DIR to a folder you may write to",
) -> Iterator[None]:
    """Hold the lock file `path`; wait for whoever holds it.

    The file stays behind, empty: removing it would let two waiting processes lock two files of
    the same name.

    Args:
        path: The lock file; its folder is made.
        on_wait: Called some times a second while another holds the lock; what it raises ends
            the waiting.
        hint: What to do where the folder cannot be written.

    Raises:
        OutputError: The folder cannot be made or written.
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
        while not _try_lock(stream):
            on_wait()
            time.sleep(_POLL_SECONDS)
        try:
            yield
        finally:
            _unlock(stream)


if sys.platform == "win32":
    import msvcrt

    def _try_lock(stream: IO[bytes]) -> bool:
        stream.seek(0)
        try:
            msvcrt.locking(stream.fileno(), msvcrt.LK_NBLCK, 1)
        except PermissionError:
            return False
        return True

    def _unlock(stream: IO[bytes]) -> None:
        stream.seek(0)
        msvcrt.locking(stream.fileno(), msvcrt.LK_UNLCK, 1)

else:
    import fcntl

    def _try_lock(stream: IO[bytes]) -> bool:
        try:
            fcntl.flock(stream.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:
            # Some network file systems have no locks. The hash still guards the result there.
            return True
        return True

    def _unlock(stream: IO[bytes]) -> None:
        with contextlib.suppress(OSError):
            fcntl.flock(stream.fileno(), fcntl.LOCK_UN)
