"""The process that scores one file after the other: `python -m hlcli.workflows.job_worker`.

`hlcli.workflows.jobs` starts it, and says what it may be asked and what it answers. What a file
does to this process, a crash, a hang or all memory, it does to that file alone.
"""

from __future__ import annotations

import contextlib
import logging
import os
import platform
import sys
from pathlib import Path
from typing import Any

from hlcli import cores, stages
from hlcli.errors import HlError, ModelError, error_to_json, unexpected
from hlcli.lock import KeyedLock
from hlcli.media.remote import Video, identity_of, length_of, video_at
from hlcli.progress import counts_bytes
from hlcli.stopping import EXIT_INTERRUPTED
from hlcli.workers.lifeline import Line, stop_with, throttled
from hlcli.workflows.jobs import WorkerSettings, claims_path
from hlcli.workflows.score import Pipeline

_MORE_LIKELY_TO_BE_ENDED = "500"


def main() -> int:
    """Do what the messages ask for until the line is closed; returns the exit code."""
    line = Line()
    first = line.receive()
    if first is None:
        return EXIT_INTERRUPTED
    try:
        stop_with(line)
        _be_ended_first()
        try:
            worker = _Worker(line, WorkerSettings(**first))
        except HlError as error:
            line.send({"event": "refused", "error": error_to_json(error)})
            return error.exit_code
        line.send({"event": "ready"})
        while (request := line.next_request()) is not None:
            worker.do(request)
    except KeyboardInterrupt:
        pass
    return EXIT_INTERRUPTED


class _Worker:
    def __init__(self, line: Line, settings: WorkerSettings) -> None:
        # Another machine may have no such folder.
        with contextlib.suppress(OSError):
            os.chdir(settings.folder)
        cores.use_cores(settings.num_cores)
        self._line = line
        self._settings = settings
        self._pipeline = Pipeline(
            model_name=settings.model,
            device=settings.device,
            use_cache=settings.use_cache,
            proxies=settings.proxies,
            draft=settings.draft,
        )
        if self._pipeline.manifest.sha256 != settings.model_sha256:
            raise ModelError(
                f"{settings.model} is another model on {platform.node()} than here",
                hint="install the same hl and the same models on every machine",
            )
        self._claims = KeyedLock(claims_path()) if settings.use_cache else None
        logging.getLogger("hlcli").addHandler(_Teller(line))

    def do(self, request: dict[str, Any]) -> None:
        """Do one thing and send what came of it, as the last message about it."""
        path = request["path"]
        try:
            video = video_at(path)
            if request["do"] == "look":
                answer = self._look(video)
            else:
                answer = self._score(video, request["identity"])
        except HlError as error:
            answer = {"event": "failed", "error": error_to_json(error)}
        except Exception as error:  # noqa: BLE001
            answer = {"event": "failed", "error": error_to_json(unexpected(error, path))}
        self._line.send(answer)

    def _look(self, video: Video) -> dict[str, Any]:
        settings = self._settings
        identity = identity_of(video)
        answer = {"event": "looked", "identity": identity, "is_stored": False, "seconds": 0.0}
        if self._pipeline.stored(video, identity, visual_only=settings.visual_only) is not None:
            return answer | {"is_stored": True}
        return answer | {"seconds": length_of(video)}

    def _score(self, video: Video, identity: str) -> dict[str, Any]:
        with self._claimed(identity) as is_ours:
            if not is_ours:
                return {"event": "busy"}
            stages.taken()
            send = self._line.send
            report = throttled(send, interval_seconds=0.2)

            def progress(stage: str, done: float, total: float) -> None:
                # What is fetched is no part of the video done, but a sign of life.
                report(stage, done, 0.0 if counts_bytes(stage) else total)

            document = self._pipeline.score(
                video,
                visual_only=self._settings.visual_only,
                progress=progress,
                remark=lambda text: send({"event": "remark", "text": text}),
            )
            return {
                "event": "scored",
                "document": document.to_json(),
                "stages": stages.taken(),
            }

    def _claimed(self, identity: str) -> contextlib.AbstractContextManager[bool]:
        if self._claims is None:
            return contextlib.nullcontext(True)
        return self._claims.claim(identity)


class _Teller(logging.Handler):
    """Sends our own log records as warnings."""

    def __init__(self, line: Line) -> None:
        super().__init__(logging.WARNING)
        self._line = line

    def emit(self, record: logging.LogRecord) -> None:
        self._line.send({"event": "warning", "text": record.getMessage()})


def _be_ended_first() -> None:
    # Where memory runs out, Linux shall end a worker, whose file is tried again, and not the
    # process that has all the others' results.
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(_MORE_LIKELY_TO_BE_ENDED)


if __name__ == "__main__":
    code = main()
    sys.stderr.flush()
    # Decoders and networks keep threads that would be waited for.
    os._exit(code)
