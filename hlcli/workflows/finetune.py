"""Teaches a detector: reserve its name, plan, learn."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from hlcli.errors import NothingFoundError, TrainingError
from hlcli.media.discover import MayRead, any_file
from hlcli.progress import Listener
from hlcli.training.distributed import ALONE, Ranks
from hlcli.training.loop import OnStep, ignore_step
from hlcli.tuning.held_out import OnCheck, ignore_check
from hlcli.tuning.plan import FinetunePlan, FinetuneSettings, make_plan
from hlcli.tuning.run import Outcome, run_plan
from hlcli.workflows.match import films_as_cuts
from hlcli.zoo.reservation import Reservation, check_free, reserve


def ignore_plan(plan: FinetunePlan) -> None:
    """Do nothing with a plan."""


def finetune(
    settings: FinetuneSettings,
    *,
    ranks: Ranks = ALONE,
    may_read: MayRead = any_file,
    on: Listener | None = None,
    on_plan: Callable[[FinetunePlan], None] = ignore_plan,
    on_step: OnStep = ignore_step,
    on_check: OnCheck = ignore_check,
) -> Outcome | None:
    """Teach a detector footage and taste, as `hl finetune` does.

    Args:
        settings: What to learn from, and how.
        ranks: The processes that train together.
        may_read: Asked before footage, cuts, marks and what they name is opened.
        on: Notified of progress.
        on_plan: Called when it is known what will be learned, before anything is decoded.
        on_step: Called after each training step.
        on_check: Called after each held-out part.

    Returns:
        What came of it; None in processes that are not the first.

    Raises:
        UsageError: The name is taken, or a file cannot be understood.
        MediaError: Footage is missing or cannot be used.
        ModelError: The parent or its encoders cannot be used.
        TrainingError: There is nothing to learn from.
        DeviceError: The device is missing or out of memory.
        OutputError: The disk is full or cannot be written; what was done is kept.
    """
    on = on or Listener()
    # The library below reads no clock.
    today = datetime.datetime.now(tz=datetime.timezone.utc).date().isoformat()
    with (
        _reserved(settings.name, ranks) as reservation,
        _with_films_as_cuts(settings, may_read, on) as settings,
    ):
        plan = make_plan(settings, may_read=may_read, progress=on.progress)
        on_plan(plan)
        return run_plan(
            plan,
            reservation,
            created=today,
            ranks=ranks,
            progress=on.progress,
            on_step=on_step,
            on_check=on_check,
        )


@contextlib.contextmanager
def _with_films_as_cuts(
    settings: FinetuneSettings, may_read: MayRead, on: Listener
) -> Iterator[FinetuneSettings]:
    """Match the films, and name what was found of each among the cuts."""
    if not settings.films:
        yield settings
        return
    check_free(settings.name)
    with tempfile.TemporaryDirectory(prefix="hl-films-") as folder:
        try:
            cuts = films_as_cuts(
                settings.films,
                settings.footage,
                Path(folder),
                model=settings.parent,
                device=settings.device,
                may_read=may_read,
                on=on,
            )
        except NothingFoundError as error:
            raise TrainingError(f"{error.message}: nothing is learned", hint=error.hint) from error
        yield dataclasses.replace(settings, cuts=(*settings.cuts, *cuts))


@contextlib.contextmanager
def _reserved(name: str, ranks: Ranks) -> Iterator[Reservation | None]:
    """Hold the name from beginning to end, in the process that writes."""
    if not ranks.is_first:
        yield None
        return
    with reserve(name) as reservation:
        yield reservation
