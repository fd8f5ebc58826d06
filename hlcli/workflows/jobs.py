"""Many files at once in worker processes of this machine.

The truth is the store: a worker looks there first and writes there, so that whatever dies, the same
command again does only what is missing. A file that ends its worker, by a crash, a hang or by
taking all memory, is tried again and then set aside; the run goes on.

Messages to a worker, after its settings: `{"do": "look" | "score", "path", "identity"}`. It
answers once `ready`, or `refused` where it cannot do what the settings say; `progress`, `remark`
and `warning` at any time; and at the end of each request one of `looked`, `scored`, `failed`, and
`busy` where another run has the file in its hands.
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
import os
import queue
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from hlcli import paths
from hlcli.cores import num_cores
from hlcli.document import ScoresDocument
from hlcli.errors import HlError, UsageError, error_from_json
from hlcli.media.remote import Video
from hlcli.parsing import parse_duration
from hlcli.progress import Listener
from hlcli.workers.process import Worker
from hlcli.workflows.batch import Batch, File
from hlcli.workflows.score import Pipeline

STALL_SECONDS = 600.0
"""How long a file may make no progress before its worker is ended."""
WORKER_BYTES = 1 << 30
"""Memory that a worker is reckoned with: it takes half of that for ordinary video."""
TICK_SECONDS = 0.5
"""How often workers are looked after."""
MAX_FAILED_STARTS = 3
"""How often in a row workers may fail to start."""
_MODULE = "hlcli.workflows.job_worker"
_MOST_JOBS = 1024
_LEAST_GIB = 0.5
# A share is left to everything else.
_MEMORY_SHARE = 0.8
_SHOWN_BYTES = 2000


def claims_path() -> Path:
    """Return the file in whose bytes workers of all runs lock what they work on."""
    return paths.cache_dir() / "claims"


def num_jobs(text: str | int) -> int:
    """Return how many worker processes are meant.

    Args:
        text: A number of at least 1, or "auto": one for each core, fewer where memory is short.

    Raises:
        UsageError: It is neither.
    """
    if str(text) == "auto":
        memory = _memory_bytes()
        fitting = num_cores() if memory is None else int(memory * _MEMORY_SHARE) // WORKER_BYTES
        return max(1, min(num_cores(), fitting))
    if not str(text).isdecimal() or not 1 <= int(text) <= _MOST_JOBS:
        raise UsageError(
            f"--jobs: {text!r} is neither auto nor a number from 1 to {_MOST_JOBS}",
            hint="--jobs auto takes one process for each core",
        )
    return int(text)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSettings:
    """How many files are scored at once, by what, and when one is given up."""

    num_jobs: int | None
    """Worker processes, at least 1; None takes what the cluster has."""
    engine: str | None = None
    """The cluster that scores, see `hlcli.workflows.ray_engine`; None: processes here."""
    retry_failed: bool = False
    """Whether files that an earlier run set aside are tried again."""
    stall_seconds: float = STALL_SECONDS
    """How long a file may make no progress before its worker is ended, above 0."""
    memory_bytes: int | None = None
    """The most memory a worker may take; None shares out what the machine has."""


def job_settings_of(
    *,
    jobs: str | int | None,
    engine: str | None = None,
    retry_failed: bool = False,
    stall_limit: str | None = None,
    memory_limit: float | None = None,
) -> JobSettings | None:
    """Return what words of a command line ask for; None where one process shall do it all.

    Args:
        jobs: See `num_jobs`.
        engine: See `JobSettings`.
        retry_failed: See `JobSettings`.
        stall_limit: A length of time, "10m".
        memory_limit: In GiB.

    Raises:
        UsageError: A value is out of range, or goes with `jobs` or `engine` alone.
    """
    if jobs is None and engine is None:
        given = {
            "--retry-failed": retry_failed,
            "--stall-limit": stall_limit is not None,
            "--memory-limit": memory_limit is not None,
        }
        for name in (name for name, is_given in given.items() if is_given):
            raise UsageError(f"{name} goes with --jobs or --engine", hint="add --jobs auto")
        return None
    if engine is not None:
        from hlcli.workflows.ray_engine import check_engine

        check_engine(engine)
    if memory_limit is not None and not _LEAST_GIB <= memory_limit < math.inf:
        raise UsageError(
            f"--memory-limit: {memory_limit:g} GiB is too little to load the networks",
            hint=f"give at least {_LEAST_GIB:g}",
        )
    stall_seconds = STALL_SECONDS
    if stall_limit is not None:
        stall_seconds = parse_duration(stall_limit, option="--stall-limit")
    return JobSettings(
        num_jobs=None if jobs is None else num_jobs(jobs),
        engine=engine,
        retry_failed=retry_failed,
        stall_seconds=stall_seconds,
        memory_bytes=None if memory_limit is None else int(memory_limit * 2**30),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSettings:
    """The first message to a worker."""

    model: str
    model_sha256: str
    """The weights that `model` must mean there, too."""
    device: str
    use_cache: bool
    proxies: bool
    draft: bool
    visual_only: bool
    num_cores: int
    folder: str
    """The folder that relative paths of the environment mean; ours where it is not there."""

    @classmethod
    def of(cls, pipeline: Pipeline, *, visual_only: bool, num_cores: int) -> WorkerSettings:
        """Return the settings of workers that score as a pipeline does."""
        return cls(
            model=pipeline.manifest.name,
            model_sha256=pipeline.manifest.sha256,
            device=pipeline.device,
            use_cache=pipeline.use_cache,
            proxies=pipeline.uses_proxies,
            draft=pipeline.draft,
            visual_only=visual_only,
            num_cores=num_cores,
            folder=str(Path.cwd()),
        )


def score_in_workers(
    pipeline: Pipeline,
    files: Sequence[Video],
    settings: JobSettings,
    *,
    visual_only: bool = False,
    on: Listener,
) -> Generator[tuple[int, ScoresDocument], None, None]:
    """Yield the place of each video in the list and its scores, in the order of the list.

    The longest file is begun first. Copies of one content are scored once.

    Args:
        pipeline: Says by what; it scores nothing itself.
        files: The videos.
        settings: How many workers, and when a file is given up.
        visual_only: Leave the sound out even where there is some.
        on: Notified of progress, and of videos that cannot be scored.

    Raises:
        HlError: The workers cannot be started.
        DeviceError: The cluster cannot be used.
    """
    if not files:
        return
    if settings.engine is None:
        engine: type[Batch] = _Processes
    else:
        from hlcli.workflows.ray_engine import RayBatch

        engine = RayBatch
    absolute = [file.absolute() if isinstance(file, Path) else file for file in files]
    run = engine(pipeline, absolute, settings, visual_only, on)
    try:
        yield from run.documents()
        on.batch_ends(run.summary())
    finally:
        run.stop()


class JobProcess:
    """A worker process that has one request at a time.

    Args:
        settings: The first message to it.
    """

    def __init__(self, settings: WorkerSettings) -> None:
        # Nameless: nothing is left of it, whoever dies.
        self._log: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115
        # As `hlcli.cli.main` says it; not how many threads: that would change the last digits.
        defaults = {"OMP_WAIT_POLICY": "PASSIVE", "KMP_BLOCKTIME": "0"}
        self._process = Worker(
            _MODULE,
            # Python looks there for modules: nowhere that it would not look anyway.
            Path(__file__).parents[2],
            log=self._log,
            environment={name: os.environ.get(name, text) for name, text in defaults.items()},
        )
        self._process.tell(dataclasses.asdict(settings))
        self._listener: threading.Thread | None = None
        self._why_ended = ""
        self._seen: tuple[Any, ...] = ()
        self._changed_at = time.monotonic()
        self.is_ready = False
        self.fraction = 0.0
        """How much of what it was asked is done."""

    @property
    def pid(self) -> int:
        """Its process number."""
        return self._process.pid

    def listen(self, put: Callable[[dict[str, Any]], None]) -> None:
        """Pass on what it says from a thread of its own, and as the last `ended` with a code."""

        def run() -> None:
            for message in self._process.messages():
                put(message)
            put({"event": "ended", "code": self._process.close()})

        self._listener = threading.Thread(target=run, daemon=True)
        self._listener.start()

    def ask(self, request: dict[str, Any]) -> None:
        """Send a request."""
        self.fraction = 0.0
        self._changed_at = time.monotonic()
        self._process.tell(request)

    def notice(self, message: dict[str, Any]) -> None:
        """Take what it says about itself."""
        if message["event"] == "ready":
            self.is_ready = True
        elif message["event"] == "progress":
            state = (message["stage"], message["done"])
            if state != self._seen:
                self._seen, self._changed_at = state, time.monotonic()
            if message["total"]:
                self.fraction = max(self.fraction, message["done"] / message["total"])

    def check(self, *, stall_seconds: float, memory_bytes: int | None) -> None:
        """End it where it makes no progress, or takes more memory than it may."""
        if self._why_ended:
            return
        if time.monotonic() - self._changed_at > stall_seconds:
            self._why_ended = f"it made no progress for {stall_seconds:g} s"
        elif memory_bytes and _resident_bytes(self.pid) > memory_bytes:
            self._why_ended = f"it took more than {memory_bytes / 2**30:.1f} GiB of memory"
        if self._why_ended:
            self._process.kill()

    def why_ended(self, code: int) -> str:
        """Return in words why it is no longer there."""
        return self._why_ended or f"its process ended: {_how_it_ended(code)}"

    def why_not_started(self, code: int) -> str:
        """Return in words why it was never there."""
        last_words = _last_words(self._log)
        return _how_it_ended(code) + (f": {last_words}" if last_words else "")

    def hang_up(self) -> None:
        """Ask it to end."""
        self._process.hang_up()

    def close(self) -> None:
        """Ask it to end, wait until it has, and free what it had."""
        self._process.close()
        if self._listener is not None:
            self._listener.join()
        self._log.close()


class _Processes(Batch):
    """Scores in processes of this machine."""

    def __init__(
        self,
        pipeline: Pipeline,
        files: list[Video],
        settings: JobSettings,
        visual_only: bool,
        on: Listener,
    ) -> None:
        super().__init__(pipeline, files, settings, visual_only, on)
        self._num_jobs = min(settings.num_jobs or 1, len(files))
        self._memory_bytes = settings.memory_bytes or memory_share(self._num_jobs)
        self._events: queue.SimpleQueue[tuple[JobProcess, dict[str, Any]]] = queue.SimpleQueue()
        # Those at work have a file.
        self._children: dict[JobProcess, File | None] = {}
        self._failed_starts = 0

    def stop(self) -> None:
        """End all workers."""
        # All are asked before any is waited for: whatever happens here, they end.
        for child in self._children:
            child.hang_up()
        for child in self._children:
            child.close()

    def _hand_out(self) -> bool:
        """Give files to idle workers, and start workers; whether any got one."""
        num_given = 0
        waiting = self._num_waiting
        idle = [child for child, file in self._children.items() if file is None]
        for _ in range(min(waiting - len(idle), self._num_jobs - len(self._children))):
            idle.append(self._start())
        for child in idle:
            if child.is_ready and self._num_waiting:
                file = self._children[child] = self._next()
                child.ask(file.request())
                num_given += 1
        return num_given > 0

    def _start(self) -> JobProcess:
        cores = max(1, num_cores() // self._num_jobs)
        child = JobProcess(
            WorkerSettings.of(self._pipeline, visual_only=self._visual_only, num_cores=cores)
        )
        self._children[child] = None
        child.listen(lambda message: self._events.put((child, message)))
        return child

    def _wait(self) -> None:
        with contextlib.suppress(queue.Empty):
            child, message = self._events.get(timeout=TICK_SECONDS)
            self._take(child, message)
        for child, file in self._children.items():
            if file is not None:
                child.check(
                    stall_seconds=self._settings.stall_seconds, memory_bytes=self._memory_bytes
                )

    def _take(self, child: JobProcess, message: dict[str, Any]) -> None:
        event = message["event"]
        child.notice(message)
        if event == "ready":
            self._failed_starts = 0
        elif event == "refused":
            raise error_from_json(message["error"])
        elif event in ("warning", "remark"):
            self._has_said(message)
        elif event == "ended":
            self._has_ended(child, message["code"])
        elif event != "progress" and (file := self._children[child]) is not None:
            self._children[child] = None
            self._has_answer(file, message)

    def _has_ended(self, child: JobProcess, code: int) -> None:
        file = self._children.pop(child)
        reason = "" if child.is_ready else child.why_not_started(code)
        child.close()
        if file is not None:
            self._has_ended_it(file, child.why_ended(code))
        elif reason:
            self._failed_starts += 1
            if self._failed_starts >= MAX_FAILED_STARTS:
                raise HlError(
                    f"the worker processes cannot be started: {reason}",
                    hint="run the command without --jobs",
                )

    def _running(self) -> Mapping[int, tuple[File, float]]:
        return {
            child.pid: (file, child.fraction)
            for child, file in self._children.items()
            if file is not None
        }


def _how_it_ended(code: int) -> str:
    if code < 0:
        with contextlib.suppress(ValueError):
            return f"killed by {signal.Signals(-code).name}"
        return f"killed by signal {-code}"
    return f"exit code {code}" if code < 2**16 else f"exit code {code:#x}"


def _last_words(log: IO[bytes]) -> str:
    log.seek(0, os.SEEK_END)
    log.seek(max(0, log.tell() - _SHOWN_BYTES))
    lines = log.read().decode("utf-8", "replace").strip().splitlines()
    return lines[-1] if lines else ""


def _memory_bytes() -> int | None:
    """Return the memory this process and its children may use; None where it is not known."""
    found = []
    with contextlib.suppress(OSError, ValueError, AttributeError):
        found.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    for path in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        # "max", or nothing there: no container that has a limit.
        with contextlib.suppress(OSError, ValueError):
            found.append(int(Path(path).read_text()))
    return min(found, default=None)


def memory_share(num_workers: int) -> int | None:
    """Return the memory each of some workers may take; None where it is not known."""
    memory = _memory_bytes()
    return None if memory is None else max(WORKER_BYTES, int(memory * _MEMORY_SHARE) // num_workers)


def _resident_bytes(pid: int) -> int:
    """Return the memory a process has; 0 where the system does not say so in a file."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")
    return 0
