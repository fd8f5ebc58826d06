"""A folder beside the film for what is not finished, gone when the work is."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

from hlcli.atomic import output_error, unfinished_folder
from hlcli.errors import OutputError


@contextlib.contextmanager
def workspace(output: Path) -> Iterator[Path]:
    """Make a folder beside the output and remove it afterwards, whatever happens.

    Beside it, so that the finished film is renamed into place and never copied.

    Raises:
        OutputError: The folder cannot be made.
    """
    with contextlib.ExitStack() as stack:
        try:
            folder = stack.enter_context(unfinished_folder(output.parent, output.name))
        except OSError as error:
            raise output_error(output, error) from error
        yield folder


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
