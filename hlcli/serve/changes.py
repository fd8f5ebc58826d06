"""What becomes of a job when something happens to it."""

from __future__ import annotations

import dataclasses
import datetime
from typing import Any

from hlcli.serve.job import MAX_INTERRUPTIONS, Job
from hlcli.serve.refusal import problem

MAX_REMARKS = 100
"""Most problems and most remarks of one job that are kept."""


def after_message(job: Job, message: dict[str, Any]) -> Job:
    """Return a job after something that its worker said."""
    event = message.get("event")
    if event == "progress":
        return dataclasses.replace(
            job, stage=message["stage"], done=message["done"], total=message["total"]
        )
    if event == "remark":
        return dataclasses.replace(job, remarks=(*job.remarks, message["text"])[:MAX_REMARKS])
    if event == "scored":
        return dataclasses.replace(job, num_scores=message["num_scores"])
    error = {name: message.get(name) for name in ("message", "hint", "exit_code")}
    if event == "problem":
        return dataclasses.replace(job, problems=(*job.problems, error)[:MAX_REMARKS])
    if event == "failed":
        return dataclasses.replace(job, state="failed", error=error)
    if event == "done":
        return dataclasses.replace(
            job,
            state="done",
            files=tuple(message["files"]),
            model=message["model"],
        )
    return job


def after_death(job: Job) -> Job:
    """Return a job that was running when the service died: once it is begun anew."""
    times = job.interruptions + 1
    if times <= MAX_INTERRUPTIONS:
        return dataclasses.replace(fresh(job), interruptions=times)
    return dataclasses.replace(
        job,
        state="interrupted",
        interruptions=times,
        finished=now(),
        error=problem(
            "hl serve ended twice in the middle of this job",
            hint="run it on the command line to see why",
            exit_code=1,
        ),
    )


def fresh(job: Job) -> Job:
    """Return a job as it was before it was begun."""
    return dataclasses.replace(
        job,
        state="queued",
        stage="",
        done=0.0,
        total=0.0,
        started=None,
        problems=(),
        remarks=(),
        num_scores=0,
    )


def failed(job: Job, message: str, hint: str, exit_code: int) -> Job:
    """Return a job that failed without a word from its worker."""
    return dataclasses.replace(
        job, state="failed", error=problem(message, hint=hint, exit_code=exit_code)
    )


def now() -> str:
    """Return the time as jobs have it: ISO 8601 in UTC, to the millisecond."""
    moment = datetime.datetime.now(tz=datetime.timezone.utc)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
