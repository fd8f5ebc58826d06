"""Child processes that do the work: started, listened to, ended for certain."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

GRACE_SECONDS = 6.0
"""How long a worker that was told to stop may tidy up. It counts itself, too."""


def kill_tree(pid: int) -> None:
    """End a process of Windows and all that it started; elsewhere they are of one group."""
    # Windows has no groups that could be killed: without this, encoders would run on.
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        subprocess.run(
            ["taskkill", "/F", "/T", "/PID", str(pid)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=GRACE_SECONDS,
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )


class Worker:
    """One child process with a line of JSON at a time in both directions.

    Its standard input is its lifeline: when that is closed, because it shall stop or because this
    process died, it ends.

    Args:
        module: What it runs, `python -m MODULE`.
        folder: The folder it runs in; nobody else may write there.
        log: What its standard error goes to, a file that it is appended to or one that is open;
            None discards it.
        environment: Variables besides ours.
    """

    def __init__(
        self,
        module: str,
        folder: Path,
        *,
        log: Path | IO[bytes] | None = None,
        environment: dict[str, str] | None = None,
    ) -> None:
        self._ended = threading.Lock()
        with contextlib.ExitStack() as stack:
            errors: int | IO[bytes] = subprocess.DEVNULL
            if isinstance(log, Path):
                errors = stack.enter_context(log.open("ab"))
            elif log is not None:
                errors = log
            # Its own group: Ctrl-C in the terminal is for the parent, which then stops it.
            options: dict[str, Any] = {"start_new_session": True}
            if sys.platform == "win32":
                options = {
                    "creationflags": subprocess.CREATE_NEW_PROCESS_GROUP
                    | subprocess.CREATE_NO_WINDOW
                }
            self._process = subprocess.Popen(
                [sys.executable, "-m", module],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                cwd=folder,
                env=os.environ | (environment or {}),
                **options,
            )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._stdin: IO[bytes] = self._process.stdin
        self.stdout: IO[bytes] = self._process.stdout
        """For what is not lines of JSON."""

    @property
    def pid(self) -> int:
        """Its process number."""
        return self._process.pid

    def tell(self, message: dict[str, Any]) -> None:
        """Send one message; a worker that is gone hears nothing."""
        with contextlib.suppress(OSError, ValueError):
            self._stdin.write(json.dumps(message).encode() + b"\n")
            self._stdin.flush()

    def messages(self) -> Iterator[dict[str, Any]]:
        """Yield what it says until it ends; half a line of one that was killed is left out."""
        for line in self.stdout:
            with contextlib.suppress(ValueError):
                value = json.loads(line)
                if isinstance(value, dict):
                    yield value

    def hang_up(self) -> None:
        """Ask it to end; see `stop` for waiting until it has."""
        with contextlib.suppress(OSError):
            self._stdin.close()

    def stop(self, grace_seconds: float = GRACE_SECONDS) -> int:
        """End it: ask, wait, kill it with its children. Returns its exit code."""
        with self._ended:
            self.hang_up()
            try:
                code = self._process.wait(grace_seconds)
            except subprocess.TimeoutExpired:
                self.kill()
                code = self._process.wait()
            return code

    def kill(self) -> None:
        """End it at once, with its children."""
        if sys.platform == "win32":
            kill_tree(self._process.pid)
            self._process.kill()
        elif self._process.poll() is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)

    def close(self) -> int:
        """Wait for one that is ending by itself, and free what it held. Returns its exit code."""
        code = self.stop()
        with contextlib.suppress(OSError):
            self.stdout.close()
        return code
