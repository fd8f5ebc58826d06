"""How the library tells its caller how far it is and what it found; it never prints anything."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from hlcli.errors import HlError, unexpected

Progress: TypeAlias = Callable[[str, float, float], None]
"""Called as `(stage, done, total)`: a few words, two numbers in one unit; total 0 = unknown."""


def silent(stage: str, done: float, total: float) -> None:
    """Report nothing; the default of every function that takes a `Progress`."""


class Download(str):
    """A stage whose numbers are bytes. What it says may be the start of a file's name, too."""

    __slots__ = ()


def counts_bytes(stage: str) -> bool:
    """Whether the numbers of a stage are bytes of a download."""
    return isinstance(stage, Download)


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchProgress:
    """How far the work on many files is, done by several processes at once."""

    num_files: int
    """Files in all."""
    num_done: int
    """Files scored or found stored."""
    num_failed: int
    """Files that could not be scored."""
    seconds_done: float
    """Seconds of video scored in this run."""
    seconds_total: float
    """Seconds of video to score in this run, as far as the files say; 0 while it is not known."""
    elapsed_seconds: float
    """Time since scoring began; 0 before."""
    running: Mapping[int, Path]
    """What each worker process, by its number, works on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A file that could not be scored."""

    path: Path
    """Which."""
    reason: str
    """Why, in words."""
    attempts: int
    """How often it was tried."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchSummary:
    """What came of the work on many files."""

    num_files: int
    """Files in all."""
    num_scored: int
    """Files scored in this run."""
    num_stored: int
    """Files that had been scored before, or whose copy was."""
    failures: tuple[Failure, ...]
    """Files that could not be scored, in the order in which that was found."""
    seconds_scored: float
    """Seconds of video scored in this run."""
    wall_seconds: float
    """How long it took."""
    stage_seconds: Mapping[str, float]
    """Seconds of waiting by stage, of all processes together; stages of one file overlap."""


class Listener:
    """What a caller wants to know while several files are worked on; override what is of use.

    As it is, nothing is shown and the first problem is raised. Where `problem` returns, the work
    goes on with the other files.
    """

    _last_problem: HlError | None = None

    def begins(self, path: Path, number: int, count: int) -> None:
        """Work on one of `count` files begins; `number` counts from 1."""

    def progress(self, stage: str, done: float, total: float) -> None:
        """Called with how far the work on that file is; see `Progress`."""

    def batch(self, progress: BatchProgress) -> None:
        """Called with how far many files are; in the place of `begins` and `progress`."""

    def batch_ends(self, summary: BatchSummary) -> None:
        """Called with what came of the work on many files."""

    def remark(self, text: str) -> None:
        """Called with something worth knowing, without a full stop."""

    def warning(self, text: str) -> None:
        """Called with a loss, or with what may be a mistake; a remark unless overridden."""
        self.remark(text)

    def wrote(self, path: Path, what: str = "") -> None:
        """Called when a file is written, and in a few words what is in it."""

    def problem(self, error: HlError) -> None:
        """Called when a file could not be read or written.

        Raises:
            HlError: Unless overridden.
        """
        raise error

    @contextlib.contextmanager
    def one_file(self, path: object) -> Iterator[None]:
        """Let what goes wrong with one file cost that file only: it becomes a problem.

        An exception that nobody foresaw, lack of memory too, is a problem like any other. One
        error object that comes again, for it concerns every file, is told once.
        """
        try:
            yield
        except HlError as error:
            if error is not self._last_problem:
                self.problem(error)
                self._last_problem = error
        except Exception as error:  # noqa: BLE001
            self.problem(unexpected(error, path))
