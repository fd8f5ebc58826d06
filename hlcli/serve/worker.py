"""The process that does one job: `python -m hlcli.serve.worker`, started by the service."""

from __future__ import annotations

import os
import sys
import time
import traceback
from pathlib import Path
from typing import Any

from hlcli.errors import HlError, OutputError
from hlcli.serve.job import Job
from hlcli.serve.lifeline import EXIT_STOPPED, Line, stop_with, throttled
from hlcli.serve.refusal import problem, problem_of

_WAIT_SECONDS = 30.0


def main() -> int:
    """Do the job that the first message describes; returns the exit code."""
    line = Line()
    request = line.receive()
    if request is None:
        return EXIT_STOPPED
    stop_with(line)
    try:
        line.send(_done(request, line))
    except KeyboardInterrupt:
        return EXIT_STOPPED
    except HlError as error:
        line.send({"event": "failed", **problem_of(error)})
    except MemoryError:
        line.send({"event": "failed", **problem("out of memory", exit_code=1)})
    except Exception as error:  # noqa: BLE001
        traceback.print_exc()
        line.send(
            {
                "event": "failed",
                **problem(
                    f"unexpected: {type(error).__name__}",
                    hint="this is a bug in hl; the terminal of hl serve says where the details are",
                    exit_code=1,
                ),
            }
        )
    return 0


def _done(request: dict[str, Any], line: Line) -> dict[str, Any]:
    from hlcli.lock import exclusive_lock
    from hlcli.serve.task import Task
    from hlcli.serve.tasks import carry_out

    deadline = time.monotonic() + _WAIT_SECONDS

    def wait() -> None:
        if time.monotonic() > deadline:
            raise OutputError("a worker of an earlier hl serve does not end", hint="end it by hand")

    task = Task(
        job=Job.from_json(request["job"]),
        folder=Path(request["folder"]),
        device=request["device"],
        progress=throttled(line.send, interval_seconds=0.1),
        problem=lambda error: line.send({"event": "problem", **problem_of(error)}),
        scored=lambda count: line.send({"event": "scored", "num_scores": count}),
        remark=lambda text: line.send({"event": "remark", "text": text}),
    )
    # After kill -9 of the service its last worker takes a moment to notice.
    with exclusive_lock(Path(request["lock"]), on_wait=wait):
        result = carry_out(task)
    return {"event": "done", "files": result.files, "model": result.model}


if __name__ == "__main__":
    code = main()
    sys.stderr.flush()
    # Decoders and networks keep threads that would be waited for.
    os._exit(code)
