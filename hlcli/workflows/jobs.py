"""Many files at once: worker processes score them, this process hands out files and collects.

The truth is the store: a worker looks there first and writes there, so that whatever dies, the same
command again does only what is missing. A file that ends its worker, by a crash, a hang or by
taking all memory, is tried again and then set aside; the run goes on.

Messages to a worker, after its settings: `{"do": "look" | "score", "path", "identity"}`. It answers
`ready` once; `progress`, `remark` and `warning` at any time; and at the end of each request one of
`looked`, `scored`, `failed`, and `busy` where another run has the file in its hands.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import heapq
import math
import os
import queue
import signal
import tempfile
import threading
import time
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Any

from hlcli import __version__, paths
from hlcli.cores import num_cores
from hlcli.document import ScoresDocument
from hlcli.errors import HlError, UsageError, error_from_json
from hlcli.media.identity import content_identity
from hlcli.parsing import parse_duration
from hlcli.progress import BatchProgress, BatchSummary, Failure, Listener
from hlcli.workers.process import Worker
from hlcli.workflows.score import Pipeline
from hlcli.workflows.set_aside import SetAside

STALL_SECONDS = 600.0
"""How long a file may make no progress before its worker is ended."""
MAX_RETRIES = 2
"""How often a file that ended its worker is tried again."""
WORKER_BYTES = 1 << 30
"""Memory that a worker is reckoned with: it takes half of that for ordinary video."""
_MODULE = "hlcli.workflows.job_worker"
_MOST_JOBS = 1024
_LEAST_GIB = 0.5
_MAX_FAILED_STARTS = 3
_TICK_SECONDS = 0.5
_BUSY_SECONDS = 1.0
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
    """How many files are scored at once, and when one is given up."""

    num_jobs: int
    """Worker processes, at least 1."""
    retry_failed: bool = False
    """Whether files that an earlier run set aside are tried again."""
    stall_seconds: float = STALL_SECONDS
    """How long a file may make no progress before its worker is ended, above 0."""
    memory_bytes: int | None = None
    """The most memory a worker may take; None shares out what the machine has."""


def job_settings_of(
    *,
    jobs: str | int | None,
    retry_failed: bool = False,
    stall_limit: str | None = None,
    memory_limit: float | None = None,
) -> JobSettings | None:
    """Return what words of a command line ask for; None where one process shall do it all.

    Args:
        jobs: See `num_jobs`.
        retry_failed: See `JobSettings`.
        stall_limit: A length of time, "10m".
        memory_limit: In GiB.

    Raises:
        UsageError: A value is out of range, or goes with `jobs` alone.
    """
    if jobs is None:
        given = {
            "--retry-failed": retry_failed,
            "--stall-limit": stall_limit is not None,
            "--memory-limit": memory_limit is not None,
        }
        for name in (name for name, is_given in given.items() if is_given):
            raise UsageError(f"{name} goes with --jobs", hint="add --jobs auto")
        return None
    if memory_limit is not None and not _LEAST_GIB <= memory_limit < math.inf:
        raise UsageError(
            f"--memory-limit: {memory_limit:g} GiB is too little to load the networks",
            hint=f"give at least {_LEAST_GIB:g}",
        )
    stall_seconds = STALL_SECONDS
    if stall_limit is not None:
        stall_seconds = parse_duration(stall_limit, option="--stall-limit")
    return JobSettings(
        num_jobs=num_jobs(jobs),
        retry_failed=retry_failed,
        stall_seconds=stall_seconds,
        memory_bytes=None if memory_limit is None else int(memory_limit * 2**30),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSettings:
    """What a worker is told first."""

    model: str | None
    device: str
    use_cache: bool
    proxies: bool
    draft: bool
    visual_only: bool
    retry_failed: bool
    num_cores: int
    folder: str
    """The folder that relative paths of the environment mean."""


def score_in_workers(
    pipeline: Pipeline,
    files: Sequence[Path],
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
    """
    if not files:
        return
    run = _Run(pipeline, [path.absolute() for path in files], settings, visual_only, on)
    try:
        yield from run.documents()
        on.batch_ends(run.summary())
    finally:
        run.stop()


@dataclass(slots=True, eq=False)
class _File:
    """One content that is to be scored, and the places in the list where it stands."""

    places: list[int]
    path: Path
    identity: str = ""
    seconds: float = 0.0
    attempts: int = 0


@dataclass(slots=True, eq=False)
class _Child:
    """A worker process and what it does."""

    process: Worker
    log: IO[bytes]
    listener: threading.Thread | None = None
    is_ready: bool = False
    file: _File | None = None
    fraction: float = 0.0
    seen: tuple[Any, ...] = ()
    changed_at: float = field(default_factory=time.monotonic)
    why_ended: str = ""


class _Run:
    def __init__(
        self,
        pipeline: Pipeline,
        files: list[Path],
        settings: JobSettings,
        visual_only: bool,
        on: Listener,
    ) -> None:
        self._pipeline = pipeline
        self._files = files
        self._settings = settings
        self._visual_only = visual_only
        self._on = on
        self._num_jobs = min(settings.num_jobs, len(files))
        self._memory_bytes = settings.memory_bytes or _memory_share(self._num_jobs)
        self._events: queue.SimpleQueue[tuple[_Child, dict[str, Any]]] = queue.SimpleQueue()
        self._children: list[_Child] = []
        self._failed_starts = 0
        # Files to look at, then those to score, the longest first.
        self._unseen = deque(_File([place], path) for place, path in enumerate(files))
        self._num_unseen = len(files)
        self._queue: list[tuple[int, float, int, _File]] = []
        self._later: list[tuple[float, int, _File]] = []
        self._by_identity: dict[str, _File] = {}
        # None where there is nothing: the file failed.
        self._results: dict[int, ScoresDocument | None] = {}
        self._next_place = 0
        self._errors: dict[tuple[str, ...], HlError] = {}
        self._failures: list[Failure] = []
        self._num_scored = 0
        self._num_stored = 0
        self._seconds_scored = 0.0
        self._seconds_total = 0.0
        self._stage_seconds: dict[str, float] = {}
        self._began = time.monotonic()
        self._scoring_began: float | None = None

    def documents(self) -> Iterator[tuple[int, ScoresDocument]]:
        """Do the work, and yield each document when all before it are done."""
        num_left = len(self._files)
        while num_left > len(self._results):
            if self._hand_out():
                self._tell()
            with contextlib.suppress(queue.Empty):
                child, message = self._events.get(timeout=_TICK_SECONDS)
                self._take(child, message)
            self._watch()
            self._tell()
            yield from self._in_order()

    def summary(self) -> BatchSummary:
        """Return what came of it."""
        return BatchSummary(
            num_files=len(self._files),
            num_scored=self._num_scored,
            num_stored=self._num_stored,
            failures=tuple(self._failures),
            seconds_scored=self._seconds_scored,
            wall_seconds=time.monotonic() - self._began,
            stage_seconds=dict(self._stage_seconds),
        )

    def stop(self) -> None:
        """End all workers."""
        # All are asked before any is waited for: whatever happens here, they end.
        for child in self._children:
            child.process.hang_up()
        for child in self._children:
            child.process.close()
            if child.listener is not None:
                child.listener.join()
            child.log.close()

    def _in_order(self) -> Iterator[tuple[int, ScoresDocument]]:
        while self._next_place in self._results:
            place, document = self._next_place, self._results[self._next_place]
            self._results[place] = None
            self._next_place += 1
            if document is not None:
                yield place, document

    def _hand_out(self) -> bool:
        """Give files to idle workers, and start workers; whether any got one."""
        num_given = 0
        now = time.monotonic()
        while self._later and self._later[0][0] <= now:
            self._put(heapq.heappop(self._later)[2])
        waiting = len(self._unseen) or (0 if self._num_unseen else len(self._queue))
        idle = [child for child in self._children if child.file is None]
        for _ in range(min(waiting - len(idle), self._num_jobs - len(self._children))):
            idle.append(self._start())
        for child in idle:
            if not child.is_ready:
                continue
            if self._unseen:
                self._ask(child, self._unseen.popleft(), "look")
            elif not self._num_unseen and self._queue:
                self._scoring_began = self._scoring_began or now
                self._ask(child, heapq.heappop(self._queue)[3], "score")
            else:
                break
            num_given += 1
        return num_given > 0

    def _put(self, file: _File) -> None:
        """Queue a file for scoring: what was tried before comes last."""
        heapq.heappush(self._queue, (file.attempts, -file.seconds, file.places[0], file))

    def _start(self) -> _Child:
        # Nameless: nothing is left of it, whoever dies.
        log = tempfile.TemporaryFile()  # noqa: SIM115
        # As `hlcli.cli.main` says it; not how many threads: that would change the last digits.
        defaults = {"OMP_WAIT_POLICY": "PASSIVE", "KMP_BLOCKTIME": "0"}
        process = Worker(
            _MODULE,
            # Python looks there for modules: nowhere that it would not look anyway.
            Path(__file__).parents[2],
            log=log,
            environment={name: os.environ.get(name, text) for name, text in defaults.items()},
        )
        child = _Child(process, log)
        self._children.append(child)
        first = WorkerSettings(
            model=self._pipeline.manifest.name,
            device=self._pipeline.device,
            use_cache=self._pipeline.use_cache,
            proxies=self._pipeline.uses_proxies,
            draft=self._pipeline.draft,
            visual_only=self._visual_only,
            retry_failed=self._settings.retry_failed,
            num_cores=max(1, num_cores() // self._num_jobs),
            folder=str(Path.cwd()),
        )
        process.tell(dataclasses.asdict(first))
        child.listener = threading.Thread(target=self._listen, args=(child,), daemon=True)
        child.listener.start()
        return child

    def _listen(self, child: _Child) -> None:
        """Pass on what a worker says, in a thread of its own."""
        for message in child.process.messages():
            self._events.put((child, message))
        self._events.put((child, {"event": "ended", "code": child.process.close()}))

    def _ask(self, child: _Child, file: _File, what: str) -> None:
        child.file = file
        child.fraction = 0.0
        child.changed_at = time.monotonic()
        child.process.tell({"do": what, "path": str(file.path), "identity": file.identity})

    def _take(self, child: _Child, message: dict[str, Any]) -> None:
        event = message["event"]
        if event == "ready":
            child.is_ready = True
            self._failed_starts = 0
        elif event == "warning":
            self._on.warning(message["text"])
        elif event == "remark":
            self._on.remark(message["text"])
        elif event == "progress":
            state = (message["stage"], message["done"])
            if state != child.seen:
                child.seen, child.changed_at = state, time.monotonic()
            if message["total"]:
                child.fraction = max(child.fraction, message["done"] / message["total"])
        elif event == "ended":
            self._has_ended(child, message["code"])
        elif child.file is not None:
            file, child.file = child.file, None
            if event == "looked":
                self._has_looked(file, message)
            elif event == "scored":
                self._has_scored(file, message)
            elif event == "failed":
                self._has_failed(file, self._same(error_from_json(message["error"])))
            elif event == "busy":
                again = time.monotonic() + _BUSY_SECONDS
                heapq.heappush(self._later, (again, file.places[0], file))

    def _has_looked(self, file: _File, message: dict[str, Any]) -> None:
        self._num_unseen -= 1
        identity = message["identity"]
        if message["is_stored"]:
            stored = self._pipeline.stored(file.path, identity, visual_only=self._visual_only)
            if stored is not None:
                self._num_stored += 1
                self._results[file.places[0]] = stored
                return
        first = self._by_identity.get(identity)
        if first is not None:
            first.places += file.places
            return
        file.identity, file.seconds = identity, message["seconds"]
        self._by_identity[identity] = file
        self._seconds_total += file.seconds
        self._put(file)

    def _has_scored(self, file: _File, message: dict[str, Any]) -> None:
        document = ScoresDocument.from_json(message["document"], source=str(file.path))
        for place in file.places:
            video = replace(document.video, path=str(self._files[place]))
            self._results[place] = replace(document, video=video)
        if message["stages"]:
            self._num_scored += 1
            self._num_stored += len(file.places) - 1
            self._seconds_scored += document.video.duration_seconds
        else:
            # Another run has scored it in the meantime.
            self._num_stored += len(file.places)
        self._seconds_total += document.video.duration_seconds - file.seconds
        for name, seconds in message["stages"].items():
            self._stage_seconds[name] = self._stage_seconds.get(name, 0.0) + seconds
        if self._settings.retry_failed:
            SetAside.forget(file.identity, self._pipeline.manifest.sha256)

    def _has_failed(self, file: _File, error: HlError) -> None:
        if not file.identity:
            self._num_unseen -= 1
        self._seconds_total -= file.seconds
        for place in file.places:
            self._results[place] = None
            self._failures.append(
                Failure(path=self._files[place], reason=error.message, attempts=file.attempts + 1)
            )
        with self._on.one_file(file.path):
            raise error

    def _has_ended(self, child: _Child, code: int) -> None:
        self._children.remove(child)
        last_words = _last_words(child.log)
        child.log.close()
        file = child.file
        if file is None:
            if not child.is_ready:
                self._failed_starts += 1
                if self._failed_starts >= _MAX_FAILED_STARTS:
                    raise HlError(
                        f"the worker processes cannot be started: {_how_it_ended(code)}"
                        + (f": {last_words}" if last_words else ""),
                        hint="run the command without --jobs",
                    )
            return
        file.attempts += 1
        reason = child.why_ended or f"its process ended: {_how_it_ended(code)}"
        if file.attempts <= MAX_RETRIES:
            if file.identity:
                self._put(file)
            else:
                self._unseen.append(file)
            return
        file.attempts -= 1
        self._has_failed(file, self._set_aside(file, reason))

    def _set_aside(self, file: _File, reason: str) -> HlError:
        record = SetAside(
            identity=file.identity,
            model_sha256=self._pipeline.manifest.sha256,
            path=str(file.path),
            reason=reason,
            attempts=file.attempts + 1,
            when=datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
            created_with=f"hl {__version__}",
        )
        if self._pipeline.use_cache:
            try:
                if not record.identity:
                    record = replace(record, identity=content_identity(file.path))
                record.write()
            except (HlError, OSError) as error:
                self._on.warning(f"{file.path.name} is not remembered as set aside: {error}")
        return record.as_error(file.path)

    def _same(self, error: HlError) -> HlError:
        """Return one object for all errors that say the same: it is shown once."""
        key = (type(error).__name__, error.message, error.hint)
        return self._errors.setdefault(key, error)

    def _watch(self) -> None:
        """End workers that make no progress, or take more memory than is theirs."""
        now = time.monotonic()
        for child in self._children:
            if child.file is None or child.why_ended:
                continue
            limit = self._memory_bytes
            if now - child.changed_at > self._settings.stall_seconds:
                child.why_ended = f"it made no progress for {self._settings.stall_seconds:g} s"
            elif limit and _resident_bytes(child.process.pid) > limit:
                child.why_ended = f"it took more than {limit / 2**30:.1f} GiB of memory"
            if child.why_ended:
                child.process.kill()

    def _tell(self) -> None:
        running = [child for child in self._children if child.file is not None]
        is_scoring = self._scoring_began is not None
        partly = sum(child.fraction * child.file.seconds for child in running if child.file)
        self._on.batch(
            BatchProgress(
                num_files=len(self._files),
                num_done=self._num_scored + self._num_stored,
                num_failed=len(self._failures),
                seconds_done=self._seconds_scored + (partly if is_scoring else 0.0),
                seconds_total=max(0.0, self._seconds_total) if is_scoring else 0.0,
                elapsed_seconds=time.monotonic() - self._scoring_began
                if self._scoring_began
                else 0.0,
                running={child.process.pid: child.file.path for child in running if child.file},
            )
        )


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


def _memory_share(num_workers: int) -> int | None:
    memory = _memory_bytes()
    return None if memory is None else max(WORKER_BYTES, int(memory * _MEMORY_SHARE) // num_workers)


def _resident_bytes(pid: int) -> int:
    """Return the memory a process has; 0 where the system does not say so in a file."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")
    return 0
