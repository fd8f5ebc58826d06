"""`status.txt` of a job, written every second so that a dead job is told from a slow one."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from types import TracebackType

from hlcli.atomic import write_text
from hlcli.errors import HlError

ALIVE_SECONDS = 15
"""A running job whose last sign of life is older than this has died."""
_BEAT_SECONDS = 1.0


class Status:
    """Writes `status.txt` while a `with` block runs.

    The file holds one record `status` with `state` ("running", "done" or "failed"), `time` (the
    last sign of life, in seconds since 1970), `process`, `stage`, `done` and `total` in the unit of
    the stage, `file`, `number` and `count`, or `message` and `hint`; then one `warning` for each.

    Args:
        folder: Folder of the job; it must exist.

    Raises:
        OutputError: The folder cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / "status.txt"
        self.is_ours = not self._is_running()
        """False when another process is at work on this job: nothing is written then."""
        self._fields: dict[str, str] = {"state": "running", "stage": "starting"}
        self._warnings: list[str] = []
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._beat, daemon=True)

    def __enter__(self) -> Status:
        """Say that the job runs, and keep saying it."""
        if self.is_ours:
            self._write()
            self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Write the last word."""
        if self.is_ours:
            self._ended.set()
            self._thread.join()
            self._write()

    def file(self, number: int, count: int, name: str) -> None:
        """Say which file is looked at, of how many."""
        self._set(file=name, number=str(number), count=str(count), stage="reading")

    def progress(self, stage: str, done: float, total: float) -> None:
        """Remember how far it is; see `hlcli.progress.Progress`."""
        self._set(stage=stage, done=f"{done:.0f}", total=f"{total:.0f}")

    def warn(self, text: str) -> None:
        """Remember what went wrong without stopping the job."""
        with self._lock:
            self._warnings.append(text)

    def finish(self) -> None:
        """Say that the result is there."""
        self._set(state="done")

    def fail(self, error: HlError) -> None:
        """Say what went wrong."""
        self._set(state="failed", message=error.message, hint=error.hint, code=str(error.exit_code))

    def _set(self, **fields: str) -> None:
        with self._lock:
            if "file" in fields or "stage" in fields:
                self._fields.pop("done", None)
                self._fields.pop("total", None)
            self._fields |= fields

    def _beat(self) -> None:
        while not self._ended.wait(_BEAT_SECONDS):
            self._write()

    def _write(self) -> None:
        from hlcli.timeline.resolve_records import Record, record, records_text

        with self._lock:
            fields = dict(self._fields, time=str(int(time.time())), process=str(os.getpid()))
            records = [Record("status", fields)]
            records += [record("warning", text=text) for text in self._warnings]
        write_text(self.path, records_text(records))

    def _is_running(self) -> bool:
        fields = status_fields(self.path.parent)
        try:
            age_seconds = time.time() - int(fields["time"])
        except (ValueError, KeyError):
            return False
        return fields.get("state") == "running" and abs(age_seconds) < ALIVE_SECONDS


def status_fields(folder: Path) -> dict[str, str]:
    """Return the status of a job, see `Status`; nothing without one that can be read."""
    from hlcli.timeline.resolve_records import parse_records

    try:
        return parse_records((folder / "status.txt").read_text(encoding="utf-8"))[0].fields
    except (OSError, ValueError, IndexError):
        return {}


def write_failure(folder: Path, error: HlError) -> None:
    """Write the last word for a job that died without one.

    Raises:
        OutputError: The folder cannot be written.
    """
    from hlcli.timeline.resolve_records import record, records_text

    failed = record(
        "status",
        state="failed",
        time=int(time.time()),
        message=error.message,
        hint=error.hint,
        code=error.exit_code,
    )
    write_text(folder / "status.txt", records_text([failed]))
