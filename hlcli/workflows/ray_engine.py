"""Many files on a cluster: Ray hands requests to its nodes, where worker processes do them.

Thin on purpose. A task of Ray holds a worker process as `hlcli.workflows.jobs` does, and passes
some requests on to it: what crashes, hangs or takes all memory is found out beside it, in the same
words and by the same limits. Frames stay in that process; what travels is paths and documents.

Ray retries nothing by itself (`max_retries=0`, `max_task_retries=0`): a file that ended its worker
must be counted, and what a lost node had is handed out anew. An actor, which holds a GPU, starts
again wherever there is one (`max_restarts=-1`).
"""

from __future__ import annotations

import contextlib
import dataclasses
import importlib
import logging
import os
import queue
import re
import signal
import socket
import threading
import time
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from hlcli import __version__, scores_cache
from hlcli.cores import num_cores
from hlcli.document import ScoresDocument
from hlcli.errors import (
    DeviceError,
    HlError,
    OutputError,
    UsageError,
    error_from_json,
    error_to_json,
    shortened,
)
from hlcli.media.remote import Video
from hlcli.progress import Listener
from hlcli.workers.process import GRACE_SECONDS
from hlcli.workflows.batch import Batch, File
from hlcli.workflows.jobs import (
    MAX_FAILED_STARTS,
    TICK_SECONDS,
    JobProcess,
    JobSettings,
    WorkerSettings,
    memory_share,
    num_jobs,
)
from hlcli.workflows.score import Pipeline

if TYPE_CHECKING:
    from hlcli.document.records import Modality

LOCAL = "ray"
"""The engine that starts a cluster of this machine alone, for one run."""
GROUP_SECONDS = 60.0
"""Files are put together in one task until they have so much video."""
MAX_LOSSES = 5
"""How many nodes a file may be lost with before it is set aside: it may be what ends them."""
_LOOKS_A_TASK = 16
_MOST_A_TASK = 16
# One runs, and one is there when it ends.
_TASKS_A_SLOT = 2
_OBJECT_STORE_BYTES = 100_000_000
_ANSWER_SECONDS = 5.0
_RESOURCES_SECONDS = 10.0
_PROGRESS_SECONDS = 2.0
_ADDRESS = re.compile(
    r"(?P<client>ray://)?(?P<host>[^\s:/]+|\[[0-9a-fA-F:]+\]):(?P<port>[0-9]{1,5})"
)
# What says where hl keeps its files, and how its libraries count, holds on every node.
_PASSED_ON = re.compile(r"HL_.*|OMP_.*|MKL_.*|KMP_.*")
_TOKENS = ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH")
_NOT_PASSED_ON = ("HL_PROGRESS",)


def check_engine(engine: str) -> None:
    """Refuse what is no engine, before anything is done.

    Raises:
        UsageError: It is no engine, or what it needs is not installed.
    """
    if engine != LOCAL and _ADDRESS.fullmatch(engine) is None:
        raise UsageError(
            f"--engine: {engine!r} is neither {LOCAL} nor an address",
            hint="ray starts a cluster here; ray://HOST:10001 and HOST:6379 are running ones",
        )
    _ray(engine)


def _ray(engine: str) -> Any:
    # Nothing is sent to Ray's makers; a task that has no GPU sees none; its words are not ours.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "1")
    logging.getLogger("ray").setLevel(logging.CRITICAL)
    # Ray Client sends the token of a cluster only when this is set, unlike all else of Ray.
    if any(map(os.environ.get, _TOKENS)) or (Path.home() / ".ray" / "auth_token").exists():
        os.environ.setdefault("RAY_AUTH_MODE", "token")
    try:
        if engine.startswith("ray://"):
            importlib.import_module("grpc")
        return importlib.import_module("ray")
    except ImportError as error:
        raise UsageError(
            f"--engine {engine}: Ray is not installed: {error}",
            hint='pip install "hlcli[cluster]"',
        ) from error


class RayBatch(Batch):
    """Scores on a cluster of Ray; see `Batch`.

    Raises:
        DeviceError: The cluster cannot be used.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        files: list[Video],
        settings: JobSettings,
        visual_only: bool,
        on: Listener,
    ) -> None:
        super().__init__(pipeline, files, settings, visual_only, on)
        self._engine = settings.engine or LOCAL
        self._ray = _ray(self._engine)
        # Reference of each task in flight, with its number and its files.
        self._tasks: dict[Any, tuple[int, list[File]]] = {}
        self._num_tasks = 0
        self._actors: list[Any] = []
        self._calls: dict[Any, int] = {}
        self._resources_at = float("-inf")
        self._board: Any = None
        self._progress_at = float("-inf")
        # Of each task, by its number: which of its files it has, and how much of that is done.
        self._progress: dict[int, tuple[int, float]] = {}
        self._num_slots = 1
        self._connect()
        try:
            self._make_lanes()
        except BaseException:
            self._ray.shutdown()
            raise

    def _connect(self) -> None:
        options: dict[str, Any] = {"address": self._engine, "log_to_driver": False}
        if self._engine == LOCAL:
            options = {
                "address": "local",
                "num_cpus": self._settings.num_jobs or num_jobs("auto"),
                "object_store_memory": _OBJECT_STORE_BYTES,
                "include_dashboard": False,
                "log_to_driver": False,
            }
        else:
            _check_answers(self._engine)
        with _cluster_errors(self._engine), _own_signals(), warnings.catch_warnings():
            # What matters of them comes as an error, too.
            warnings.simplefilter("ignore")
            self._ray.init(**options, configure_logging=False, logging_level=logging.CRITICAL)

    def _make_lanes(self) -> None:
        """Find out what does the work: an actor for each GPU, or tasks where there is none."""
        ray, pipeline = self._ray, self._pipeline
        device = pipeline.device.strip().lower()
        with _cluster_errors(self._engine):
            nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        gpus = [node for node in nodes if node.get("GPU", 0) >= 1]
        wants_gpu = device.startswith("cuda")
        if wants_gpu and not gpus:
            raise DeviceError(
                f"--device {pipeline.device}: no node of {self._engine} has a GPU that Ray knows",
                hint="start the nodes with ray start --num-gpus N, or leave --device out",
            )
        uses_gpus = bool(gpus) and (wants_gpu or device == "auto")
        jobs = self._settings.num_jobs
        num_workers = (jobs or num_jobs("auto")) if self._engine == LOCAL else None
        cores = 1 if num_workers is None else max(1, num_cores() // num_workers)
        if uses_gpus:
            # The cores of a node decode for its GPUs.
            cores = max(1, min(int(node.get("CPU", 1) // node["GPU"]) for node in gpus))
            count = sum(int(node["GPU"]) for node in gpus)
        settings = WorkerSettings.of(pipeline, visual_only=self._visual_only, num_cores=cores)
        if wants_gpu:
            # Whichever it is, its actor sees no other.
            settings = dataclasses.replace(settings, device="cuda")
        passed_on = {
            name: text
            for name, text in os.environ.items()
            if _PASSED_ON.fullmatch(name) and name not in _NOT_PASSED_ON
        }
        self._first = {
            "version": __version__,
            "settings": dataclasses.asdict(settings),
            "environment": passed_on,
            "stall_seconds": self._settings.stall_seconds,
            "memory_bytes": self._settings.memory_bytes,
            "num_workers": num_workers,
        }
        self._board = ray.remote(Board).options(num_cpus=0, max_restarts=-1).remote()
        self._work = ray.remote(work).options(num_cpus=1, max_retries=0)
        if uses_gpus:
            actor = ray.remote(Slot).options(
                num_gpus=1, num_cpus=cores, max_restarts=-1, max_task_retries=0
            )
            self._actors = [actor.remote() for _ in range(min(count, jobs or count))]
            self._calls = dict.fromkeys(range(len(self._actors)), 0)

    def stop(self) -> None:
        """End all tasks and leave the cluster; one that was started for this run ends."""
        ray = self._ray
        with contextlib.suppress(Exception), _no_interrupts():
            tasks = list(self._tasks)
            for task in tasks:
                with contextlib.suppress(Exception):
                    ray.cancel(task, force=False)
            # Asked, each ends its worker, which tidies up; then they are not asked any more.
            left = tasks
            if tasks and not self._actors:
                _, left = ray.wait(tasks, num_returns=len(tasks), timeout=GRACE_SECONDS + 2)
            for task in left:
                with contextlib.suppress(Exception):
                    ray.cancel(task, force=True)
            for actor in (*self._actors, self._board):
                with contextlib.suppress(Exception):
                    ray.kill(actor)
        with contextlib.suppress(Exception), _no_interrupts():
            ray.shutdown()

    def _slots(self) -> int:
        """Return how many tasks run at a time: a cluster may grow and shrink."""
        if self._actors:
            return len(self._actors)
        if time.monotonic() - self._resources_at > _RESOURCES_SECONDS:
            self._resources_at = time.monotonic()
            self._num_slots = max(1, int(self._ray.cluster_resources().get("CPU", 1)))
        jobs = self._settings.num_jobs
        return self._num_slots if jobs is None else min(jobs, self._num_slots)

    def _hand_out(self) -> bool:
        """Fill the window of tasks; whether any was added."""
        num_before = self._num_tasks
        with _cluster_errors(self._engine):
            # With --jobs no more than that are worked on at once, whatever the cluster has.
            a_slot = 1 if self._settings.num_jobs and not self._actors else _TASKS_A_SLOT
            while self._num_waiting and len(self._tasks) < self._slots() * a_slot:
                files = self._group()
                requests = [file.request() for file in files]
                self._num_tasks += 1
                task = self._submit(requests, self._num_tasks)
                self._tasks[task] = (self._num_tasks, files)
        return self._num_tasks > num_before

    def _submit(self, requests: list[dict[str, Any]], number: int) -> Any:
        if not self._actors:
            return self._work.remote(self._first, requests, self._board, number)
        least = min(range(len(self._actors)), key=self._running_calls().__getitem__)
        task = self._actors[least].work.remote(self._first, requests, self._board, number)
        self._calls[task] = least
        return task

    def _running_calls(self) -> list[int]:
        count = [0] * len(self._actors)
        for task in self._tasks:
            count[self._calls[task]] += 1
        return count

    def _group(self) -> list[File]:
        """Return the files of one task: a long one, or some short ones."""
        files = [self._next()]
        # Each slot gets its share of what is left.
        most = 1 + self._num_waiting // self._slots()
        if not files[0].identity:
            while self._unseen and len(files) < min(most, _LOOKS_A_TASK):
                files.append(self._next())
            return files
        seconds = files[0].seconds
        # What ended its worker, or was on a node that was lost, comes alone.
        while (
            len(files) < min(most, _MOST_A_TASK)
            and self._queue
            and not (files[0].attempts or files[0].losses)
            and not (self._queue[0][3].attempts or self._queue[0][3].losses)
            and seconds + self._queue[0][3].seconds <= GROUP_SECONDS
        ):
            files.append(self._next())
            seconds += files[-1].seconds
        return files

    def _wait(self) -> None:
        if not self._tasks:
            time.sleep(TICK_SECONDS)
            return
        with _cluster_errors(self._engine):
            done, _ = self._ray.wait(list(self._tasks), num_returns=1, timeout=TICK_SECONDS)
        self._ask_how_far()
        for task in done:
            _, files = self._tasks.pop(task)
            self._calls.pop(task, None)
            try:
                messages = self._ray.get(task)
            except HlError:
                raise
            except Exception as error:  # noqa: BLE001
                self._has_failed_as_a_task(files, error)
                continue
            answered = 0
            for message in messages:
                event = message["event"]
                if event == "refused":
                    raise error_from_json(message["error"])
                if event in ("remark", "warning"):
                    self._has_said(message)
                    continue
                file = files[answered]
                answered += 1
                if event == "ended":
                    self._has_ended_it(file, message["reason"])
                else:
                    self._has_answer(file, message)

    def _ask_how_far(self) -> None:
        if time.monotonic() - self._progress_at < _PROGRESS_SECONDS:
            return
        self._progress_at = time.monotonic()
        # Only shown: where its node is lost or busy, the work goes on.
        with contextlib.suppress(Exception):
            numbers = [number for number, _ in self._tasks.values()]
            self._progress = self._ray.get(
                self._board.progress_of.remote(numbers), timeout=_PROGRESS_SECONDS
            )

    def _has_failed_as_a_task(self, files: list[File], error: Exception) -> None:
        """Hand out again what was on a node that was lost, or in a process of Ray that ended."""
        exceptions = self._ray.exceptions
        if isinstance(error, exceptions.OutOfMemoryError):
            for file in files:
                self._has_ended_it(file, "Ray ended it: its node had no memory left")
            return
        lost = (
            exceptions.WorkerCrashedError,
            exceptions.NodeDiedError,
            exceptions.LocalRayletDiedError,
            exceptions.RayActorError,
            exceptions.ObjectLostError,
        )
        if not isinstance(error, lost):
            _raise_as_ours(self._engine, error)
        for file in files:
            file.losses += 1
            if file.losses < MAX_LOSSES:
                self._put_back(file)
            else:
                file.attempts = MAX_LOSSES - 1
                self._has_failed(
                    file, self._set_aside(file, "each time its node or the process there was lost")
                )

    def _has_scored(self, file: File, message: dict[str, Any]) -> ScoresDocument:
        document = super()._has_scored(file, message)
        # Nodes may have stored it where this machine does not look: `hl export` needs no cluster.
        if self._pipeline.use_cache:
            modality: Modality = "v" if self._visual_only else "va"
            sha256 = self._pipeline.manifest.sha256
            try:
                found = scores_cache.find(file.identity, sha256, modality, draft=document.draft)
                if found is None:
                    scores_cache.put(document, modality)
            except OutputError as error:
                self._on.warning(f"scores of {file.video} are not stored: {error}")
        return document

    def _running(self) -> Mapping[int, tuple[File, float]]:
        found = {}
        for number, files in self._tasks.values():
            place, fraction = self._progress.get(number, (0, 0.0))
            found[number] = (files[place], fraction)
        return found


class Board:
    """An actor that knows how far tasks are; it takes no core."""

    def __init__(self) -> None:
        self._progress: dict[int, tuple[int, float]] = {}

    def put(self, number: int, place: int, fraction: float) -> None:
        """Note how far a task is; see `RayBatch`."""
        self._progress[number] = (place, fraction)

    def progress_of(self, numbers: list[int]) -> dict[int, tuple[int, float]]:
        """Return how far some tasks are, and forget the others."""
        self._progress = {one: self._progress[one] for one in numbers if one in self._progress}
        return self._progress


def work(
    first: dict[str, Any], requests: list[dict[str, Any]], board: Any, number: int
) -> list[dict[str, Any]]:
    """Do some requests on a node, as a task of Ray; see `Slot.work`."""
    global _slot
    if _slot is None:
        _slot = Slot()
    return _slot.work(first, requests, board, number)


class Slot:
    """A worker process on a node, which stays for further tasks; the actor of a GPU."""

    def __init__(self) -> None:
        self._first: dict[str, Any] | None = None
        self._child: JobProcess | None = None
        self._events: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()

    def work(
        self,
        first: dict[str, Any],
        requests: list[dict[str, Any]],
        board: Any = None,
        number: int = 0,
    ) -> list[dict[str, Any]]:
        """Do requests one after the other.

        Args:
            first: What the driver settled: its version, settings, environment and limits.
            requests: As a worker process takes them.
            board: The actor that is notified of how far it is; None notifies nobody.
            number: The number of the task.

        Returns:
            An answer to each, in order, with remarks and warnings between them. An answer is what
            the worker process said, or `ended` with a reason. `refused` with an error, as the only
            one, where nothing can be done here.
        """
        if first["version"] != __version__:
            error = UsageError(
                f"{socket.gethostname()} has hl {__version__}, not {first['version']}",
                hint="install the same hl on every machine of the cluster",
            )
            return [{"event": "refused", "error": error_to_json(error)}]
        found: list[dict[str, Any]] = []
        try:
            for place, request in enumerate(requests):
                for message in self._answers(first, request):
                    if message["event"] == "progress":
                        if board is not None:
                            board.put.remote(number, place, message["fraction"])
                        continue
                    if message["event"] == "refused":
                        self._close()
                        return [message]
                    found.append(message)
        except BaseException:
            # The task was cancelled.
            self._close()
            raise
        return found

    def _answers(self, first: dict[str, Any], request: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """Yield remarks, warnings, now and then how far it is, and the answer to one request."""
        failed_starts = 0
        last_progress = time.monotonic()
        while True:
            child = self._ready_child(first)
            asked = False
            while True:
                if child.is_ready and not asked:
                    child.ask(request)
                    asked = True
                with contextlib.suppress(queue.Empty):
                    message = self._events.get(timeout=TICK_SECONDS)
                    event = message["event"]
                    child.notice(message)
                    if event == "ended":
                        break
                    if event == "progress":
                        if time.monotonic() - last_progress >= _PROGRESS_SECONDS:
                            last_progress = time.monotonic()
                            yield {"event": "progress", "fraction": child.fraction}
                    elif event != "ready":
                        yield message
                        if event not in ("remark", "warning"):
                            return
                if asked:
                    child.check(
                        stall_seconds=first["stall_seconds"],
                        memory_bytes=first["memory_bytes"] or _share_of(first["num_workers"]),
                    )
            code = message["code"]
            reason = child.why_ended(code) if asked else child.why_not_started(code)
            self._close()
            if asked:
                yield {"event": "ended", "reason": reason}
                return
            failed_starts += 1
            if failed_starts >= MAX_FAILED_STARTS:
                error = HlError(
                    f"a worker cannot be started on {socket.gethostname()}: {reason}",
                    hint="run the command without --engine there",
                )
                yield {"event": "refused", "error": error_to_json(error)}
                return

    def _ready_child(self, first: dict[str, Any]) -> JobProcess:
        if first != self._first:
            self._close()
        if self._child is None:
            # Ray sets it for each task; it would change the last digits.
            if "OMP_NUM_THREADS" not in first["environment"]:
                os.environ.pop("OMP_NUM_THREADS", None)
            os.environ.update(first["environment"])
            self._first = first
            events: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
            self._events = events
            self._child = JobProcess(WorkerSettings(**first["settings"]))
            self._child.listen(events.put)
        return self._child

    def _close(self) -> None:
        if self._child is not None:
            self._child.close()
            self._child = None


_slot: Slot | None = None


def _share_of(num_workers: int | None) -> int | None:
    """Return the memory a worker may take: its share of a node, which has one for each core."""
    return memory_share(num_workers or num_cores())


def _check_answers(engine: str) -> None:
    """Say at once that nobody is there; Ray would try for minutes.

    Raises:
        DeviceError: Nobody answers.
    """
    match = _ADDRESS.fullmatch(engine)
    assert match is not None
    try:
        place = (match["host"].strip("[]"), int(match["port"]))
        with socket.create_connection(place, timeout=_ANSWER_SECONDS):
            pass
    except (OSError, OverflowError, UnicodeError) as error:
        raise DeviceError(
            f"--engine: {engine} does not answer: {getattr(error, 'strerror', None) or error}",
            hint="check the address, and that ray start --head runs there",
        ) from error


@contextlib.contextmanager
def _cluster_errors(engine: str) -> Iterator[None]:
    """Turn what Ray raises about a cluster into our errors."""
    try:
        yield
    except HlError:
        raise
    except Exception as error:  # noqa: BLE001
        _raise_as_ours(engine, error)


def _raise_as_ours(engine: str, error: Exception) -> NoReturn:
    text = str(error)
    versions = re.findall(r"^ +(Ray|Python): (\S+)$", text, re.MULTILINE)
    if len(versions) == 4:
        there, here = (
            " and ".join(f"{name} {number}" for name, number in pair)
            for pair in (versions[:2], versions[2:])
        )
        raise DeviceError(
            f"--engine: {engine} has {there}, this machine has {here}",
            hint="use the same versions of Ray and Python on every machine",
        ) from error
    if "No module named 'hlcli" in text:
        raise DeviceError(
            f"--engine: hl is not installed on a node of {engine}",
            hint="install the same hl into the Python of every node",
        ) from error
    if re.search("client connection timeout|Failed to connect to Ray|oken auth", text):
        raise DeviceError(
            f"--engine: {engine} lets nobody in, or is no cluster of Ray",
            hint="give the token that ray get-auth-token shows on its head: RAY_AUTH_TOKEN=...",
        ) from error
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    raise DeviceError(
        f"--engine: the cluster {engine} cannot be used: "
        + shortened(lines[-1] if lines else type(error).__name__),
        hint="what was finished is kept; check the cluster with ray status, then run the same "
        "command again",
    ) from error


@contextlib.contextmanager
def _own_signals() -> Iterator[None]:
    """Keep what this process does with signals: Ray takes SIGTERM for itself."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def _no_interrupts() -> Iterator[None]:
    """Let a second Ctrl-C wait until the cluster is left: nothing of it may stay."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    with _own_signals():
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        yield
