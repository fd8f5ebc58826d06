"""The worker's side of its life: it ends when its parent says so, and when its parent is gone."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Callable
from typing import IO, Any

from hlcli.stopping import EXIT_INTERRUPTED
from hlcli.workers.process import GRACE_SECONDS, kill_tree


class Line:
    """The two pipes to the parent.

    Nothing but messages must get into the pipe, so whatever prints writes to standard error.
    """

    def __init__(self) -> None:
        self.requests: IO[bytes] = os.fdopen(os.dup(0), "rb")
        self.out: IO[bytes] = os.fdopen(os.dup(1), "wb")
        with open(os.devnull, "rb") as nothing:  # noqa: PTH123
            os.dup2(nothing.fileno(), 0)
        os.dup2(2, 1)
        self._lock = threading.Lock()
        self._inbox: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()

    def receive(self) -> dict[str, Any] | None:
        """Return the next message; None when the parent closed the line or is gone."""
        line = self.requests.readline()
        return json.loads(line) if line.endswith(b"\n") else None

    def next_request(self) -> dict[str, Any] | None:
        """Return the next message after `stop_with`; None when the line is closed."""
        return self._inbox.get()

    def watch(self) -> None:
        """Take messages for `next_request` until the line is closed."""
        while (request := self.receive()) is not None:
            self._inbox.put(request)
        self._inbox.put(None)

    def send(self, message: dict[str, Any]) -> None:
        """Send one message.

        Raises:
            KeyboardInterrupt: The parent is gone.
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
        line.watch()
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
    os._exit(EXIT_INTERRUPTED)


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
