"""The folder of the service: token, jobs and lock, for this user's eyes only."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

from hlcli.errors import OutputError
from hlcli.lock import exclusive_lock

_HINT = "set HL_CACHE_DIR to a folder you may write to"
_TOKEN_BYTES = 32


def private_folder(folder: Path) -> Path:
    """Make a folder that only this user may look into.

    On Windows the profile it lies in is such a folder already.

    Raises:
        OutputError: It cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if sys.platform != "win32":
            folder.chmod(0o700)
    except OSError as error:
        raise OutputError(
            f"cannot make the folder {folder}: {error.strerror or error}", hint=_HINT
        ) from error
    return folder


@contextlib.contextmanager
def locked_folder(folder: Path) -> Iterator[None]:
    """Hold the folder of the service: two services on it would run each other's jobs.

    Raises:
        OutputError: Another service holds it, or it cannot be written.
    """

    def refuse() -> None:
        raise OutputError(
            "hl serve is running already", hint="use that one, or stop it with Ctrl-C first"
        )

    with exclusive_lock(folder / "lock", on_wait=refuse, hint=_HINT):
        yield


def token_file(folder: Path) -> Path:
    """Return where the token is."""
    return folder / "token"


def read_or_make_token(folder: Path) -> str:
    """Return this user's token; a file that others could read or wrote gets a new one.

    Raises:
        OutputError: The file cannot be read or written.
    """
    path = token_file(folder)
    try:
        if _is_ours(path):
            token = path.read_text(encoding="ascii").strip()
            if len(token) >= _TOKEN_BYTES:
                return token
        return _make_token(path)
    except (OSError, UnicodeDecodeError) as error:
        raise OutputError(f"cannot use the token in {path}: {error}", hint=_HINT) from error


def _is_ours(path: Path) -> bool:
    try:
        # lstat: a link could lead to a file that someone else chose.
        about = path.lstat()
    except FileNotFoundError:
        return False
    if not stat.S_ISREG(about.st_mode):
        return False
    if sys.platform == "win32":
        return True
    return about.st_uid == os.getuid() and not about.st_mode & 0o077


def _make_token(path: Path) -> str:
    token = secrets.token_urlsafe(_TOKEN_BYTES)
    path.unlink(missing_ok=True)
    # Never readable by others, not even for a moment; hlcli.atomic makes files as the umask says.
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="ascii") as stream:
        stream.write(token + "\n")
    return token
