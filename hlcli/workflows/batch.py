"""The work on many videos, whoever does it: what is left, what came of it, in which order.

An engine (`hlcli.workflows.jobs`, `hlcli.workflows.ray_engine`) takes files from `_next` and brings
each an answer, as `hlcli.workflows.job_worker` gives it, or says that there will be none.
"""

from __future__ import annotations

import abc
import datetime
import heapq
import time
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hlcli import __version__
from hlcli.document import ScoresDocument
from hlcli.errors import HlError, error_from_json
from hlcli.media.remote import Video, identity_of
from hlcli.progress import BatchProgress, BatchSummary, Failure, Listener
from hlcli.workflows.score import Pipeline
from hlcli.workflows.set_aside import SetAside

if TYPE_CHECKING:
    from hlcli.workflows.jobs import JobSettings

MAX_RETRIES = 2
"""How often a file that ended its worker is tried again."""
_BUSY_SECONDS = 1.0


@dataclass(slots=True, eq=False)
class File:
    """One content that is to be scored, and the places in the list where it stands."""

    places: list[int]
    video: Video
    identity: str = ""
    """Empty until it was looked at."""
    seconds: float = 0.0
    """How long it says it is."""
    attempts: int = 0
    """How often it ended what worked on it."""
    losses: int = 0
    """How often the machine that worked on it was lost."""

    def request(self) -> dict[str, Any]:
        """Return what a worker is asked: to look at it, and then to score it."""
        what = "score" if self.identity else "look"
        return {"do": what, "path": str(self.video), "identity": self.identity}


class Batch(abc.ABC):
    """Videos that are scored at once.

    Args:
        pipeline: Says by what; it scores nothing itself.
        files: The videos, paths absolute, at least one.
        settings: When one is given up.
        visual_only: Leave the sound out even where there is some.
        on: Notified of progress, and of videos that cannot be scored.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        files: list[Video],
        settings: JobSettings,
        visual_only: bool,
        on: Listener,
    ) -> None:
        self._pipeline = pipeline
        self._files = files
        self._settings = settings
        self._visual_only = visual_only
        self._on = on
        # Files to look at, then those to score, the longest first.
        self._unseen = deque(File([place], video) for place, video in enumerate(files))
        self._num_unseen = len(files)
        self._queue: list[tuple[int, float, int, File]] = []
        self._later: list[tuple[float, int, File]] = []
        self._by_identity: dict[str, File] = {}
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
        while len(self._results) < len(self._files):
            if self._hand_out():
                self._tell()
            self._wait()
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

    @abc.abstractmethod
    def stop(self) -> None:
        """End all that works on it."""

    @abc.abstractmethod
    def _hand_out(self) -> bool:
        """Give requests to who is idle; whether any was given."""

    @abc.abstractmethod
    def _wait(self) -> None:
        """Wait for answers, for about half a second at most, and take them."""

    @abc.abstractmethod
    def _running(self) -> Mapping[int, tuple[File, float]]:
        """Return the file that each worker has, by a number of the worker, and how much is done."""

    @property
    def _num_waiting(self) -> int:
        """How many requests could be handed out now."""
        now = time.monotonic()
        while self._later and self._later[0][0] <= now:
            self._put(heapq.heappop(self._later)[2])
        return len(self._unseen) or (0 if self._num_unseen else len(self._queue))

    def _next(self) -> File:
        """Return the file to ask about next, where some are waiting."""
        if self._unseen:
            return self._unseen.popleft()
        self._scoring_began = self._scoring_began or time.monotonic()
        return heapq.heappop(self._queue)[3]

    def _put_back(self, file: File) -> None:
        """Let a file be asked about again."""
        if file.identity:
            self._put(file)
        else:
            self._unseen.append(file)

    def _in_order(self) -> Iterator[tuple[int, ScoresDocument]]:
        while self._next_place in self._results:
            place, document = self._next_place, self._results[self._next_place]
            self._results[place] = None
            self._next_place += 1
            if document is not None:
                yield place, document

    def _put(self, file: File) -> None:
        """Queue a file for scoring: what was tried before comes last."""
        heapq.heappush(self._queue, (file.attempts, -file.seconds, file.places[0], file))

    def _has_answer(self, file: File, message: dict[str, Any]) -> None:
        """Take the last message about a request."""
        event = message["event"]
        if event == "looked":
            self._has_looked(file, message)
        elif event == "scored":
            self._has_scored(file, message)
        elif event == "failed":
            self._has_failed(file, self._same(error_from_json(message["error"])))
        elif event == "busy":
            again = time.monotonic() + _BUSY_SECONDS
            heapq.heappush(self._later, (again, file.places[0], file))

    def _has_said(self, message: dict[str, Any]) -> None:
        """Pass on words of a worker."""
        (self._on.warning if message["event"] == "warning" else self._on.remark)(message["text"])

    def _has_ended_it(self, file: File, reason: str) -> None:
        """Count an attempt that ended what worked on the file."""
        if file.attempts < MAX_RETRIES:
            file.attempts += 1
            self._put_back(file)
        else:
            self._has_failed(file, self._set_aside(file, reason))

    def _has_looked(self, file: File, message: dict[str, Any]) -> None:
        self._num_unseen -= 1
        identity = message["identity"]
        if message["is_stored"]:
            stored = self._pipeline.stored(file.video, identity, visual_only=self._visual_only)
            if stored is not None:
                self._num_stored += 1
                self._results[file.places[0]] = stored
                return
        if self._pipeline.use_cache and not self._settings.retry_failed:
            record = SetAside.find(identity, self._pipeline.manifest.sha256)
            if record is not None:
                file.identity = identity
                self._has_failed(file, self._same(record.as_error(file.video)))
                return
        first = self._by_identity.get(identity)
        if first is not None:
            first.places += file.places
            return
        file.identity, file.seconds = identity, message["seconds"]
        self._by_identity[identity] = file
        self._seconds_total += file.seconds
        self._put(file)

    def _has_scored(self, file: File, message: dict[str, Any]) -> ScoresDocument:
        document = ScoresDocument.from_json(message["document"], source=str(file.video))
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
        return document

    def _has_failed(self, file: File, error: HlError) -> None:
        if not file.identity:
            self._num_unseen -= 1
        self._seconds_total -= file.seconds
        for place in file.places:
            self._results[place] = None
            self._failures.append(
                Failure(
                    path=Path(str(self._files[place])),
                    reason=error.message,
                    attempts=file.attempts + 1,
                )
            )
        with self._on.one_file(file.video):
            raise error

    def _set_aside(self, file: File, reason: str) -> HlError:
        record = SetAside(
            identity=file.identity,
            model_sha256=self._pipeline.manifest.sha256,
            path=str(file.video),
            reason=reason,
            attempts=file.attempts + 1,
            when=datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
            created_with=f"hl {__version__}",
        )
        if self._pipeline.use_cache:
            try:
                if not record.identity:
                    record = replace(record, identity=identity_of(file.video))
                record.write()
            except (HlError, OSError) as error:
                self._on.warning(f"{file.video.name} is not remembered as set aside: {error}")
        return record.as_error(file.video)

    def _same(self, error: HlError) -> HlError:
        """Return one object for all errors that say the same: it is shown once."""
        key = (type(error).__name__, error.message, error.hint)
        return self._errors.setdefault(key, error)

    def _tell(self) -> None:
        running = self._running()
        is_scoring = self._scoring_began is not None
        partly = sum(fraction * file.seconds for file, fraction in running.values())
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
                running={number: Path(str(file.video)) for number, (file, _) in running.items()},
            )
        )
