"""The worker's side of its life: it ends when the service says so, and when the service is gone."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from typing import IO, Any

from hlcli.serve.process import GRACE_SECONDS, kill_tree

EXIT_STOPPED = 130
"""Exit code of a worker that was told to stop."""


class Line:
    """The two pipes to the service.

    Nothing but messages must get into the pipe, so whatever prints writes to standard error.
    """

    def __init__(self) -> None:
        self.requests: IO[bytes] = os.fdopen(os.dup(0), "rb")
        self.out: IO[bytes] = os.fdopen(os.dup(1), "wb")
        with open(os.devnull, "rb") as nothing:  # noqa: PTH123
            os.dup2(nothing.fileno(), 0)
        os.dup2(2, 1)
        self._lock = threading.Lock()

    def receive(self) -> dict[str, Any] | None:
        """Return the next message; None when the service closed the line or is gone."""
        line = self.requests.readline()
        return json.loads(line) if line.endswith(b"\n") else None

    def send(self, message: dict[str, Any]) -> None:
        """Send one message.

        Raises:
            KeyboardInterrupt: The service is gone.
        """
        try:
            with self._lock:
                self.out.write(json.dumps(message).encode() + b"\n")
                self.out.flush()
        except OSError as error:
            raise KeyboardInterrupt from error


def stop_with(line: Line) -> None:
    """Interrupt this process as Ctrl-C does when the line is closed, and kill it if that fails.

    Everything that is written atomically removes its temporary files then.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.default_int_handler)

    def watch() -> None:
        while line.requests.readline():
            pass
        _interrupt()
        time.sleep(GRACE_SECONDS)
        end_at_once()

    threading.Thread(target=watch, name="lifeline", daemon=True).start()


def end_at_once() -> None:
    """End this process and all that it started."""
    if sys.platform != "win32" and os.getpgrp() == os.getpid():
        os.killpg(os.getpid(), signal.SIGKILL)
    if sys.platform == "win32":
        kill_tree(os.getpid())
    os._exit(EXIT_STOPPED)


def _interrupt() -> None:
    main = threading.main_thread().ident
    if sys.platform != "win32" and main is not None:
        # Wakes a main thread that waits for another process, too.
        with contextlib.suppress(ProcessLookupError):
            signal.pthread_kill(main, signal.SIGINT)
        return
    import _thread

    _thread.interrupt_main()


def throttled(
    send: Callable[[dict[str, Any]], None], *, interval_seconds: float
) -> Callable[[str, float, float], None]:
    """Return a progress callback that tells a new stage at once and numbers now and then."""
    last: dict[str, Any] = {"stage": None, "at": 0.0}

    def report(stage: str, done: float, total: float) -> None:
        now = time.monotonic()
        if stage == last["stage"] and now - last["at"] < interval_seconds:
            return
        last.update(stage=stage, at=now)
        send({"event": "progress", "stage": stage, "done": float(done), "total": float(total)})

    return report
