"""The process that does one job: `python -m hlcli.serve.worker`, started by the service."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

from hlcli.errors import HlError, OutputError, unexpected
from hlcli.serve.job import Job
from hlcli.serve.tasks import Task, Teller, run_task, shown_problem
from hlcli.stopping import EXIT_INTERRUPTED
from hlcli.workers.lifeline import Line, stop_with, throttled

_WAIT_SECONDS = 30.0


def main() -> int:
    """Do the job that the first message describes; returns the exit code."""
    line = Line()
    request = line.receive()
    if request is None:
        return EXIT_INTERRUPTED
    stop_with(line)
    try:
        line.send(_done(request, line))
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except HlError as error:
        line.send({"event": "failed", **shown_problem(error)})
    except Exception as error:  # noqa: BLE001
        line.send({"event": "failed", **shown_problem(unexpected(error))})
    return 0


def _done(request: dict[str, Any], line: Line) -> dict[str, Any]:
    from hlcli.lock import exclusive_lock

    deadline = time.monotonic() + _WAIT_SECONDS

    def wait() -> None:
        if time.monotonic() > deadline:
            raise OutputError("a worker of an earlier hl serve does not end", hint="end it by hand")

    task = Task(
        job=Job.from_json(request["job"]),
        folder=Path(request["folder"]),
        device=request["device"],
        on=Teller(line.send, throttled(line.send, interval_seconds=0.1)),
    )
    # After kill -9 of the service its last worker takes a moment to notice.
    with exclusive_lock(Path(request["lock"]), on_wait=wait):
        result = run_task(task)
    return {"event": "done", "files": result.files, "model": result.model}


if __name__ == "__main__":
    code = main()
    sys.stderr.flush()
    # Decoders and networks keep threads that would be waited for.
    os._exit(code)
