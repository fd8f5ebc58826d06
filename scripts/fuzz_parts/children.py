"""Runs a function in a forked process with bounds on time and memory."""

from __future__ import annotations

import os
import resource
import signal
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass

from hlcli.errors import HlError

_POLL_SECONDS = 0.005
_MOST_WORDS = 400


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one input did."""

    kind: str
    """What `use` returned, or "refused", "uncaught", "killed by signal N", "over time"."""
    detail: str
    """The error, with the place that raised it; empty for what went well."""
    seconds: float
    """Time on the clock."""
    peak_bytes: int
    """Largest memory of the process, what it inherited included."""

    @property
    def is_failure(self) -> bool:
        """Whether it must not happen."""
        return self.kind.startswith(("uncaught", "killed", "over"))


def run_child(use: Callable[[], str], *, most_seconds: float, most_bytes: int) -> Outcome:
    """Call a function in a child.

    Args:
        use: What to call; the word it returns is the kind of outcome.
        most_seconds: Time of the processor after which the child is killed; one that only waits is
            killed after ten times as long on the clock.
        most_bytes: More memory is a failure of its own; twice as much cannot be had.
    """
    reader, writer = os.pipe()
    started = time.monotonic()
    pid = os.fork()
    if pid == 0:
        os.close(reader)
        _work(use, writer, most_seconds, most_bytes)
    os.close(writer)
    status = None
    while status is None:
        done, code, usage = os.wait4(pid, os.WNOHANG)
        if done:
            status = code
        elif time.monotonic() - started > 10 * most_seconds:
            os.kill(pid, signal.SIGKILL)
            _, _, usage = os.wait4(pid, 0)
            break
        else:
            time.sleep(_POLL_SECONDS)
    seconds = time.monotonic() - started
    with os.fdopen(reader, "rb") as stream:
        kind, _, detail = stream.read().decode(errors="replace").partition("\n")
    peak = usage.ru_maxrss * 1024
    if status is None or (os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGXCPU):
        kind, detail = "over time", ""
    elif os.WIFSIGNALED(status):
        kind, detail = f"killed by signal {os.WTERMSIG(status)}", ""
    elif peak > most_bytes:
        kind = "over memory"
    return Outcome(kind, detail, seconds, peak)


def _work(use: Callable[[], str], writer: int, most_seconds: float, most_bytes: int) -> None:
    try:
        with open("/proc/self/statm", encoding="ascii") as stream:  # noqa: PTH123 - a device
            now = int(stream.read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_CPU, (int(most_seconds), int(most_seconds) + 5))
        resource.setrlimit(resource.RLIMIT_AS, (now + 2 * most_bytes,) * 2)
        try:
            text = use()
        except HlError as error:
            text = f"refused ({error.exit_code})\n{type(error).__name__}: {error}"
        except BaseException as error:  # noqa: BLE001 - every one is a finding
            frames = traceback.extract_tb(error.__traceback__)[-5:]
            places = " < ".join(f"{f.filename.rsplit('/', 1)[-1]}:{f.lineno}" for f in frames[::-1])
            text = f"uncaught {type(error).__name__}\n{str(error)[:_MOST_WORDS]} @ {places}"
        os.write(writer, text.encode(errors="replace")[:60000])
    finally:
        os._exit(0)
