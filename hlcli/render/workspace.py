"""A folder beside the film for what is not finished, gone when the work is."""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from hlcli.errors import OutputError

_SUFFIX = ".hl-render"


@contextlib.contextmanager
def workspace(output: Path) -> Iterator[Path]:
    """Make a folder beside the output and remove it afterwards, whatever happens.

    Beside it, so that the finished film is renamed into place and never copied. What a killed run
    left there for the same output is removed first; a run that is still going is left alone.

    Raises:
        OutputError: The folder cannot be made.
    """
    start = f".{output.name[:64]}."
    here = hashlib.sha256(platform.node().encode()).hexdigest()[:8]
    _remove_left_over(output.parent, start, here)
    try:
        folder = tempfile.mkdtemp(
            prefix=f"{start}{here}-{os.getpid()}-", suffix=_SUFFIX, dir=output.parent
        )
    except OSError as error:
        raise OutputError(
            f"cannot write {output}: {error.strerror or error}",
            hint="choose a folder you may write to",
        ) from error
    try:
        yield Path(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def move_into_place(made: Path, output: Path) -> None:
    """Give a finished film its name.

    Raises:
        OutputError: Something of that name cannot be replaced.
    """
    try:
        made.replace(output)
    except OSError as error:
        raise OutputError(
            f"cannot write {output}: {error.strerror or error}",
            hint="close the programs that have it open",
        ) from error


def check_space(output: Path, needed_bytes: int) -> None:
    """Refuse what is sure not to fit.

    Raises:
        OutputError: The disk has less than that.
    """
    try:
        free = shutil.disk_usage(output.parent).free
    except OSError:
        return  # Some network file systems do not say.
    if free < needed_bytes:
        raise OutputError(
            f"the disk is too full for {output}: {free / 2**20:.0f} MiB are free, about "
            f"{needed_bytes / 2**20:.0f} MiB are needed",
            hint="free some space, or write to another disk",
        )


def _remove_left_over(folder: Path, start: str, here: str) -> None:
    with contextlib.suppress(OSError):
        for path in list(folder.iterdir()):
            if not (path.name.startswith(f"{start}{here}-") and path.name.endswith(_SUFFIX)):
                continue
            number = path.name[len(start) + len(here) + 1 :].split("-")[0]
            if number.isdigit() and not _is_running(int(number)):
                shutil.rmtree(path, ignore_errors=True)


def _is_running(process: int) -> bool:
    if os.name == "nt":
        return True  # Asking would end it; what was left stays.
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
