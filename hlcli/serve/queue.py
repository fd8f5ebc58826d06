"""The queue: one worker at a time for what computes, others for what only writes or copies."""

from __future__ import annotations

import dataclasses
import datetime
import logging
import secrets
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hlcli.atomic import make_folder
from hlcli.errors import HlError, OutputError
from hlcli.serve.changes import after_death, after_message, failed, fresh, now
from hlcli.serve.job import Job, State, Unreadable
from hlcli.serve.refusal import RequestError
from hlcli.serve.store import LOG_FILE, TEMPORARY_FOLDER, JobStore
from hlcli.workers.process import Worker

logger = logging.getLogger(__name__)

MAX_WAITING = 1000
"""Most jobs that wait."""
_LANES = {
    "score": "device",
    "finetune": "device",
    "render": "device",
    "match": "device",
    "export": "light",
    "find": "light",
    # Whoever waits for it looks at a player without a picture.
    "proxy": "copies",
}


class JobQueue:
    """Runs jobs in the order they came, each in a process of its own.

    Args:
        store: Where jobs are kept; those found there go on.
        device: What workers compute on, as `--device` names it.
        on_end: Called with each job that comes to an end.
    """

    def __init__(
        self, store: JobStore, *, device: str, on_end: Callable[[Job], None] = lambda job: None
    ) -> None:
        self._store = store
        self._device = device
        self._on_end = on_end
        self._changed = threading.Condition()
        self._jobs: dict[str, Job] = {}
        self._workers: dict[str, Worker] = {}
        self._cancelled: set[str] = set()
        self.is_closing = False
        """Whether the service is about to end."""
        self.unreadable: list[Unreadable] = []
        """Folders of jobs that could not be read when the service began."""
        self._threads: list[threading.Thread] = []

    def start(self) -> int:
        """Take up what an earlier service left, and begin; returns how many jobs go on."""
        with self._changed:
            jobs, self.unreadable = self._store.load()
            for one in self.unreadable:
                logger.warning("the job in %s is kept and cannot be read: %s", one.folder, one.why)
            for job in jobs:
                self._jobs[job.id] = job
                if job.state == "running":
                    self._put(after_death(job))
            self._prune()
            waiting = sum(job.state == "queued" for job in self._jobs.values())
        for lane in dict.fromkeys(_LANES.values()):
            thread = threading.Thread(target=self._run_lane, args=(lane,), name=f"jobs-{lane}")
            thread.start()
            self._threads.append(thread)
        return waiting

    def close(self) -> int:
        """Stop; returns how many jobs were running. They and those that wait go on next time."""
        with self._changed:
            self.is_closing = True
            workers = list(self._workers.values())
            self._changed.notify_all()
        stopping = [threading.Thread(target=worker.stop) for worker in workers]
        for thread in stopping:
            thread.start()
        for thread in [*stopping, *self._threads]:
            thread.join()
        return len(workers)

    def submit(self, job: Job) -> Job:
        """Take a job; when this returns, it survives whatever happens.

        Raises:
            RequestError: Too many are waiting, or one that is not over will write the same file.
            OutputError: It cannot be kept.
        """
        with self._changed:
            if sum(job.state == "queued" for job in self._jobs.values()) >= MAX_WAITING:
                raise RequestError(
                    f"{MAX_WAITING} jobs are waiting", hint="wait until some are done", status=429
                )
            self._check_free(job)
            job = dataclasses.replace(job, id=secrets.token_hex(8), created=now())
            self._put(job)
            self._changed.notify_all()
        return job

    def get(self, job_id: str) -> Job:
        """Return a job.

        Raises:
            RequestError: There is none.
        """
        with self._changed:
            job = self._jobs.get(job_id)
        if job is None:
            raise RequestError("there is no such job", hint="GET /v1/jobs lists them", status=404)
        return job

    def jobs(self, state: State | None = None) -> list[Job]:
        """Return all jobs, or those in one state, the newest first."""
        with self._changed:
            return [
                job for job in reversed(self._jobs.values()) if state is None or job.state == state
            ]

    def shown(self, *jobs: Job) -> list[dict[str, Any]]:
        """Return jobs as clients see them, each with how many are before it while it waits."""
        before: dict[str, int] = {}
        lengths = dict.fromkeys(_LANES.values(), 0)
        with self._changed:
            for job in self._jobs.values():
                if job.state == "queued":
                    before[job.id] = lengths[_LANES[job.kind]]
                    lengths[_LANES[job.kind]] += 1
        return [job.shown(before.get(job.id, 0) if job.state == "queued" else None) for job in jobs]

    def cancel(self, job_id: str) -> Job:
        """Cancel a job: at once when it waits, soon when it runs, not at all when it is over.

        Raises:
            RequestError: There is none.
        """
        with self._changed:
            job = self.get(job_id)
            worker = self._workers.get(job_id)
            if job.state == "queued":
                self._put(dataclasses.replace(job, state="cancelled", finished=now()))
            elif job.state == "running":
                self._cancelled.add(job_id)
        if job.state == "running" and worker is not None:
            # The lane sees its end and says so.
            threading.Thread(target=worker.stop, daemon=True).start()
        return self.get(job_id)

    def _check_free(self, job: Job) -> None:
        """Refuse a job that would write over the file of another one, which is not there yet."""
        # A small copy is the same whoever makes it.
        if job.kind == "proxy" or job.options.get("overwrite"):
            return
        for other in self._jobs.values():
            for path in () if other.is_final else sorted({*job.outputs} & {*other.outputs}):
                raise RequestError(
                    f"the job {other.id}, which is {other.state}, will write {path}",
                    hint="choose another name, or say overwrite",
                    status=409,
                )

    def folder_of(self, job: Job) -> Path:
        """Return a job's own folder."""
        return self._store.folder_of(job.id)

    def _run_lane(self, lane: str) -> None:
        while (job := self._take(lane)) is not None:
            try:
                with self._changed:
                    self._put(job)
                job = self._run(job, lane)
            except HlError as error:
                # Nothing can be kept on a full disk: said, and not tried over and over.
                job = failed(job, error.message, error.hint, error.exit_code)
            except OSError as error:
                job = failed(job, f"no worker could be started: {error.strerror or error}", "", 1)
            except Exception as error:
                # The lane must go on: it has the jobs that wait behind this one.
                logger.exception("the job %s ended in the service", job.id)
                job = failed(
                    job,
                    f"unexpected: {type(error).__name__}",
                    "this is a bug in hl; the terminal of hl serve says where the details are",
                    1,
                )
            self._end(job)

    def _take(self, lane: str) -> Job | None:
        """Wait for a job of a lane and return it as running; None when the service ends."""
        with self._changed:
            while not self.is_closing:
                job = self._next(lane)
                if job is not None:
                    job = dataclasses.replace(job, state="running", started=now())
                    self._jobs[job.id] = job
                    return job
                self._changed.wait()
        return None

    def _next(self, lane: str) -> Job | None:
        return next(
            (
                job
                for job in self._jobs.values()
                if job.state == "queued" and _LANES[job.kind] == lane
            ),
            None,
        )

    def _run(self, job: Job, lane: str) -> Job:
        """Have a worker do a job, and return what came of it."""
        folder = self._store.folder_of(job.id)
        temporary = folder / TEMPORARY_FOLDER
        make_folder(temporary, hint="")
        names = ("TMPDIR", "TEMP", "TMP")
        worker = Worker(
            "hlcli.serve.worker",
            folder,
            log=folder / LOG_FILE,
            environment=dict.fromkeys(names, str(temporary)),
        )
        with self._changed:
            self._workers[job.id] = worker
            is_wanted = not self.is_closing and job.id not in self._cancelled
        try:
            job = self._follow(job, lane, worker, is_wanted=is_wanted)
        finally:
            # Whatever happened here, no process stays behind.
            code = worker.close()
            with self._changed:
                del self._workers[job.id]
                was_cancelled = job.id in self._cancelled
                self._cancelled.discard(job.id)
                closing = self.is_closing
            self._store.tidy(job)
        if job.is_final:
            return job
        if was_cancelled:
            return dataclasses.replace(job, state="cancelled")
        if closing:
            return fresh(job)
        log = self._store.folder_of(job.id) / LOG_FILE
        logger.warning("the worker of job %s ended with %d: %s", job.id, code, log)
        return failed(
            job,
            f"the worker died ({'signal' if code < 0 else 'exit code'} {abs(code)})",
            "memory may have run out; the terminal of hl serve says where the details are",
            1,
        )

    def _follow(self, job: Job, lane: str, worker: Worker, *, is_wanted: bool) -> Job:
        """Tell a worker what to do and listen until it has said how the job ends, or is gone."""
        if is_wanted:
            worker.tell(
                {
                    "job": job.to_json(),
                    "folder": str(self._store.folder_of(job.id)),
                    "device": self._device,
                    "lock": str(self._store.folder.parent / f"{lane}.lock"),
                }
            )
        else:
            worker.stop()
        for message in worker.messages():
            try:
                job = after_message(job, message)
            except (KeyError, TypeError, ValueError):
                # hl was updated while the service runs: its workers are of another version.
                logger.exception("the worker of job %s said %r", job.id, message)
                worker.stop()
                job = failed(
                    job,
                    "the worker said something that hl serve does not understand",
                    "stop hl serve and start it again",
                    1,
                )
            if job.is_final:
                # Nobody is told before it is on disk.
                break
            with self._changed:
                self._jobs[job.id] = job
                self._changed.notify_all()
        return job

    def _end(self, job: Job) -> None:
        if job.is_final:
            job = dataclasses.replace(job, finished=now())
        with self._changed:
            self._cancelled.discard(job.id)
            try:
                self._put(job)
            except OutputError as error:
                logger.warning("job %s cannot be kept: %s", job.id, error)
                self._jobs[job.id] = job
                self._changed.notify_all()
            self._prune()
        if job.is_final:
            try:
                self._on_end(job)
            except Exception:
                # Whoever listens there, the next job is waiting.
                logger.exception("the end of job %s could not be told", job.id)

    def _put(self, job: Job) -> None:
        """Keep a job, on disk first: what a client was told is never forgotten."""
        self._store.save(job)
        self._jobs[job.id] = job
        self._changed.notify_all()

    def _prune(self) -> None:
        moment = datetime.datetime.now(tz=datetime.timezone.utc)
        for job in self._store.prune(list(self._jobs.values()), now=moment):
            del self._jobs[job.id]
