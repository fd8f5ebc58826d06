"""Changes to files that are taken back when a later one fails: nothing is left half done."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from hlcli.atomic import write_bytes
from hlcli.errors import OutputError


class Changes:
    """Changes made so far, with what undoes each."""

    def __init__(self) -> None:
        self._undo: list[Callable[[], object]] = []

    def make_folders(self, folder: Path) -> list[Path]:
        """Make a folder and those above it; returns those that were missing, outer ones first.

        Raises:
            OutputError: One cannot be made.
        """
        missing = [path for path in (folder, *folder.parents) if not path.exists()][::-1]
        for path in missing:
            with _explained(f"cannot make the folder {path}"):
                path.mkdir(exist_ok=True)
            self._undo.append(path.rmdir)
        if not folder.is_dir():
            raise OutputError(
                f"cannot make the folder {folder}: a file is in its place", hint="move it away"
            )
        return missing

    def write(self, path: Path, content: bytes) -> None:
        """Write a file that may be there already.

        Raises:
            OutputError: It cannot be written.
        """
        self.watch(path)
        write_bytes(path, content)

    def move(self, source: Path, target: Path) -> None:
        """Rename a file within its folder.

        Raises:
            OutputError: It cannot be renamed.
        """
        with _explained(f"cannot rename {source}"):
            source.rename(target)
        self._undo.append(lambda: target.rename(source))

    def delete(self, path: Path) -> None:
        """Delete a file.

        Raises:
            OutputError: It cannot be deleted.
        """
        with _explained(f"cannot delete {path}"):
            before = path.read_bytes()
            path.unlink()
        self._undo.append(lambda: write_bytes(path, before))

    def watch(self, path: Path) -> None:
        """Remember a file that others will write, so that it can be put back as it is now.

        Raises:
            OutputError: It cannot be read.
        """
        with _explained(f"cannot read {path}"):
            before = path.read_bytes() if path.exists() else None
        if before is None:
            self._undo.append(lambda: path.unlink(missing_ok=True))
        else:
            self._undo.append(lambda: write_bytes(path, before))

    def take_back(self) -> None:
        """Undo everything, the last change first; what cannot be undone is passed over."""
        while self._undo:
            with contextlib.suppress(OSError, OutputError):
                self._undo.pop()()


@contextlib.contextmanager
def all_or_nothing() -> Iterator[Changes]:
    """Give a `Changes` that is taken back when the block ends with an error, Ctrl-C included."""
    changes = Changes()
    try:
        yield changes
    except BaseException:
        changes.take_back()
        raise


@contextlib.contextmanager
def _explained(what: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        hint = "choose a folder you may write to"
        if isinstance(error, PermissionError):
            hint = "run it as a user who may write there"
            if os.name == "posix":
                hint += ", such as with sudo for --all-users"
        raise OutputError(f"{what}: {error.strerror or error}", hint=hint) from error
