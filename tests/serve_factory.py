"""A real `hl serve` in a process of its own, and clients that hold nothing back."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

TIMEOUT_SECONDS = 90.0
FINAL = ("done", "failed", "cancelled", "interrupted")


@dataclass
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Served:
    """A service that runs."""

    process: subprocess.Popen[bytes]
    port: int
    cache: Path
    words: list[str] = field(default_factory=list)

    @property
    def token(self) -> str:
        return (self.cache / "serve/token").read_text().strip()

    @property
    def jobs_folder(self) -> Path:
        return self.cache / "serve/jobs"

    @property
    def code(self) -> str | None:
        lines = [line for line in self.words if line.startswith("pairing code: ")]
        return lines[0].split()[2] if lines else None

    def call(
        self,
        method: str,
        path: str,
        value: Any = None,
        *,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
        token: str | None = "",
    ) -> Reply:
        """Send one request; `token` "" is the right one, None none."""
        sent = {"Host": f"127.0.0.1:{self.port}"}
        if token is not None:
            sent["Authorization"] = f"Bearer {token or self.token}"
        if value is not None:
            body = json.dumps(value).encode()
        if body is not None:
            sent["Content-Type"] = "application/json"
        sent |= headers or {}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            for name, one in sent.items():
                connection.putheader(name, one)
            if body is not None and "Content-Length" not in sent:
                connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body)
            answer = connection.getresponse()
            return Reply(
                answer.status,
                {name.lower(): one for name, one in answer.getheaders()},
                answer.read(),
            )
        finally:
            connection.close()

    def post(self, kind: str, paths: list[Path], **options: Any) -> Any:
        """Post a job that is taken, and return it."""
        options = {name.rstrip("_"): value for name, value in options.items()}
        value = {"kind": kind, "paths": [str(path) for path in paths], "options": options}
        reply = self.call("POST", "/v1/jobs", value)
        assert reply.status == 202, reply.body
        return reply.json

    def job(self, job_id: str) -> Any:
        reply = self.call("GET", f"/v1/jobs/{job_id}")
        assert reply.status == 200, reply.body
        return reply.json

    def wait(self, job_id: str, *states: str) -> Any:
        """Poll until a job is in one of these states, by default any that is final."""
        return until(
            lambda: self.job(job_id), lambda job: job["state"] in (states or FINAL), self.words
        )

    def stop(self) -> int:
        """End it as Ctrl-C does."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(TIMEOUT_SECONDS)


def until(ask: Callable[[], Any], is_enough: Callable[[Any], bool], context: object = None) -> Any:
    """Ask until the answer is enough; an error says what the last one was."""
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while True:
        answer = ask()
        if is_enough(answer):
            return answer
        assert time.monotonic() < deadline, (answer, context)
        time.sleep(0.05)


@contextlib.contextmanager
def serving(cache: Path, *arguments: str) -> Iterator[Served]:
    """Run `hl serve` on any free port until the block ends."""
    process = subprocess.Popen(
        [sys.executable, "-m", "hlcli", "serve", "--port", "0", "--device", "cpu", *arguments],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env=os.environ
        | {"HL_CACHE_DIR": str(cache), "HL_OFFLINE": "1", "OMP_NUM_THREADS": "1", "NO_COLOR": "1"},
    )
    assert process.stderr is not None
    served = Served(process, 0, cache)
    lines: queue.Queue[str | None] = queue.Queue()

    def listen() -> None:
        assert process.stderr is not None
        for line in process.stderr:
            served.words.append(line.decode().rstrip())
            lines.put(served.words[-1])
        lines.put(None)

    listener = threading.Thread(target=listen)
    listener.start()
    try:
        while (line := lines.get(timeout=TIMEOUT_SECONDS)) != "Ctrl-C stops":
            assert line is not None, served.words
            if line.startswith("listening on http://127.0.0.1:"):
                served.port = int(line.rsplit(":", 1)[1])
        yield served
    finally:
        if process.poll() is None:
            served.stop()
        listener.join()
        process.stderr.close()


def children(pid: int) -> list[int]:
    """Return the processes that a process started, on POSIX."""
    listing = subprocess.run(
        ["ps", "-A", "-o", "pid=,ppid=,stat="], capture_output=True, text=True, check=True
    ).stdout
    rows = [line.split() for line in listing.splitlines()]
    return [int(one) for one, parent, stat in rows if int(parent) == pid and stat[0] != "Z"]


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that only waits to be buried does not."""
    listing = subprocess.run(
        ["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False
    ).stdout.strip()
    return bool(listing) and listing[0] != "Z"
