"""Thumbnails and other looks into videos, from a process of their own, kept for a while."""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from pathlib import Path
from typing import Any

from hlcli.serve.refusal import RequestError
from hlcli.workers.process import Worker

TIMEOUT_SECONDS = 30.0
"""How long one picture may take."""
IDLE_SECONDS = 60.0
"""How long the process waits for the next."""
MEMORY_BYTES = 32 * 2**20
"""How much is remembered."""


class Pictures:
    """Makes thumbnails, one at a time.

    Args:
        folder: Where the process runs; nobody else may write there.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._worker: Worker | None = None
        self._idle: threading.Timer | None = None
        self._known: OrderedDict[tuple[object, ...], bytes] = OrderedDict()
        self._size = 0
        self._closed = False

    def thumbnail(self, path: Path, seconds: float, height: int) -> bytes:
        """Return one frame as JPEG.

        Args:
            path: The video; whoever asks has checked that it may be read.
            seconds: An instant from its first frame.
            height: In pixels.

        Raises:
            RequestError: Nothing can be decoded there.
        """
        about = path.stat()
        key = (path, about.st_mtime_ns, about.st_size, round(seconds, 3), height)
        with self._lock:
            if key in self._known:
                self._known.move_to_end(key)
                return self._known[key]
            request = {"want": "picture", "seconds": seconds, "height": height}
            picture = self._answer(path, request)[1]
            self._known[key] = picture
            self._size += len(picture)
            while self._size > MEMORY_BYTES:
                self._size -= len(self._known.popitem(last=False)[1])
            return picture

    def about(self, path: Path) -> dict[str, Any]:
        """Return what a player must know, see `hlcli.serve.picture_worker.about`.

        Args:
            path: The video; whoever asks has checked that it may be read.

        Raises:
            RequestError: It cannot be opened.
        """
        with self._lock:
            found: dict[str, Any] = self._answer(path, {"want": "about"})[0]["about"]
            return found

    def close(self) -> None:
        """End the process."""
        with self._lock:
            self._closed = True
            self._stop()

    def _answer(self, path: Path, request: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
        if self._closed:
            raise RequestError("hl serve is ending", status=503)
        if self._idle is not None:
            self._idle.cancel()
        if self._worker is None:
            self._worker = Worker("hlcli.serve.picture_worker", self._folder)
        worker = self._worker
        # A file that hangs the decoder costs its process, and the next picture gets another.
        watch = threading.Timer(TIMEOUT_SECONDS, worker.kill)
        watch.start()
        try:
            worker.tell({"path": str(path), **request})
            line = worker.stdout.readline()
            answer = json.loads(line) if line.endswith(b"\n") else None
            picture = worker.stdout.read(answer["size"]) if answer else b""
        finally:
            watch.cancel()
        if answer is None or len(picture) != answer["size"]:
            self._stop()
            raise RequestError(f"{path.name} cannot be decoded", status=404)
        self._idle = threading.Timer(IDLE_SECONDS, self._end_idle)
        self._idle.daemon = True
        self._idle.start()
        if "error" in answer:
            raise RequestError(answer["error"]["message"], hint=answer["error"]["hint"], status=404)
        return answer, picture

    def _end_idle(self) -> None:
        with self._lock:
            self._stop()

    def _stop(self) -> None:
        if self._idle is not None:
            self._idle.cancel()
        if self._worker is not None:
            self._worker.stop(grace_seconds=0.5)
            self._worker.close()
        self._worker = None
