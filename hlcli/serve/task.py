"""A job in the worker that does it: what it may read, and whom it tells."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hlcli.errors import HlError, MediaError
from hlcli.progress import Progress
from hlcli.serve.allowed import Allowed
from hlcli.serve.job import Job
from hlcli.serve.refusal import Refused


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One job and the way to talk about it."""

    job: Job
    """What is asked for."""
    folder: Path
    """The job's own folder."""
    device: str
    """As `--device` names it."""
    progress: Progress
    """Told how far it is."""
    problem: Callable[[HlError], None]
    """Told of an input that cannot be used; the others are done all the same."""
    scored: Callable[[int], None]
    """Told how many scores documents are in the job's folder."""
    remark: Callable[[str], None]
    """Told sentences worth showing."""

    @property
    def allowed(self) -> Allowed:
        """What may be read."""
        return self.job.allowed


class Problems:
    """Errors of single inputs: said, and raised only when nothing is left.

    Args:
        task: Whose they are.
    """

    def __init__(self, task: Task) -> None:
        self._task = task
        self._held: list[HlError] = []

    @contextlib.contextmanager
    def kept(self, kind: type[HlError]) -> Iterator[None]:
        """Go on after an error of this kind."""
        try:
            yield
        except (kind, Refused) as error:
            self._held.append(error)

    def raise_if_nothing(self, left: Sequence[Any]) -> None:
        """Say all problems, or raise the first when nothing could be used."""
        if not left and self._held:
            raise self._held[0]
        for error in self._held:
            self._task.problem(error)


def find_allowed_videos(
    task: Task, problems: Problems, *, without: Sequence[Path] = ()
) -> list[Path]:
    """Return the videos of a job, each where it really is, none outside of what is allowed."""
    from hlcli.media.discover import find_videos

    allowed = task.allowed
    found: dict[Path, None] = {}
    for text in task.job.paths:
        if Path(text) in without:
            continue
        with problems.kept(MediaError):
            # Checked again: a link may lead elsewhere by now.
            for path in find_videos([str(allowed.existing(text))]):
                with problems.kept(MediaError):
                    found[allowed.existing(str(path))] = None
    return list(found)
