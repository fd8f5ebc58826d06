"""Which files may be touched: those below the roots, and those that the user picked."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from hlcli.errors import MediaNotFoundError, shortened
from hlcli.serve.refusal import RequestError

MAX_PATH_LENGTH = 4096
"""Longest path that is looked at, in characters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowed:
    """The rule by which paths are taken or refused. Links are followed first."""

    roots: tuple[Path, ...]
    """Folders, resolved: everything below may be read."""
    picked: frozenset[Path] = frozenset()
    """Single files elsewhere, resolved."""

    def existing(self, text: str) -> Path:
        """Return the real path of a file or folder that may be read.

        Raises:
            RequestError: It may not be, or is neither a file nor a folder.
            MediaNotFoundError: It may be and is not there.
        """
        path = self.resolved(text)
        if not is_there(path):
            raise MediaNotFoundError(f"no such file or folder: {path}", hint="check the spelling")
        return path

    def may_read(self, path: Path) -> Path:
        """Return the real path of what may be opened, if it is there; see `MayRead`.

        Raises:
            RequestError: It may not be, or is neither a file nor a folder.
        """
        real = self.resolved(str(path))
        is_there(real)
        return real

    def resolved(self, text: str) -> Path:
        """Return the real path of something that may be read, or written where it is not yet.

        Nothing is said about what is outside, not even whether it is there.

        Raises:
            RequestError: It is outside.
        """
        path = resolve(text, roots=self.roots)
        if path not in self.picked and not self.is_below_roots(path):
            raise _outside(text)
        return path

    def is_below_roots(self, path: Path) -> bool:
        """Whether a real path is a root or below one."""
        wanted = _parts(path)
        return any(wanted[: len(parts)] == parts for parts in map(_parts, self.roots))


def is_own_name(text: str) -> bool:
    """Whether an output is a name alone, which lies in the job's own folder.

    Example:
        >>> is_own_name("match.xml"), is_own_name("../match.xml"), is_own_name("C:match.xml")
        (True, False, False)
    """
    # A dot at the start is for our own temporary files; the rest would lead out, on some system.
    return len(text) <= 200 and text[:1] not in ("", ".") and not set(text) & set("/\\:\0")


def resolve(text: str, *, roots: Iterable[Path] = ()) -> Path:
    """Return the real path that a client means.

    Args:
        text: A whole path, as this system writes it.
        roots: Shares on the network are touched only where one of these lies on the same: a
            Windows machine logs in at any server whose name it is given.

    Raises:
        RequestError: It is no whole path, too long, or cannot be followed.
    """
    path = Path(text) if text and "\0" not in text else None
    if path is None or not path.is_absolute() or len(text) > MAX_PATH_LENGTH:
        raise RequestError(
            f"{shortened(text)!r} is no whole path",
            hint="write it from the root or the drive, without file://",
            status=403,
        )
    drive = os.path.normcase(path.drive)
    if drive.startswith(("\\\\", "//")) and drive not in {
        os.path.normcase(root.drive) for root in roots
    }:
        raise _outside(text)
    try:
        return path.resolve()
    except (OSError, RuntimeError, ValueError) as error:
        raise _outside(text) from error


def is_there(path: Path) -> bool:
    """Whether a file or a folder is there.

    Raises:
        RequestError: It is something else, or the system does not say: the name is too long, or a
            folder above it may not be searched.
    """
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise RequestError(
            f"cannot look at {shortened(str(path))}: {error.strerror or error}",
            hint="check its permissions, or choose a shorter name",
            status=403,
        ) from error
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise RequestError(f"{path} is neither a file nor a folder", status=403)
    return True


def _parts(path: Path) -> tuple[str, ...]:
    return tuple(os.path.normcase(part) for part in path.parts)


def _outside(text: str) -> RequestError:
    return RequestError(
        f"{text[:200]} is outside the folders that hl serve may read",
        hint="start hl serve with --root FOLDER, or let the user pick the file",
        status=403,
    )
