"""The work of `hl resolve`: jobs of scripts that may neither open files nor start programs.

`hlcli.plugins.mailbox` says how the two talk. The jobs are those of `hl resolve-job`, in the same
folders, so that a script finds a job again whichever way it was started.
"""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from hlcli.atomic import make_folder, write_text
from hlcli.cli.resolve_status import Status, status_fields, write_failure
from hlcli.errors import HlError, OutputError
from hlcli.plugins.baking import lua_string
from hlcli.plugins.mailbox import LARGEST_PREFS, PROTOCOL, Message, lua_value, read_message

if TYPE_CHECKING:
    from hlcli.timeline.resolve_records import Record

_BEAT_SECONDS = 2.0
"""Scripts take `hl resolve` for gone after ten."""
_OLDEST_SECONDS = 120
"""Older messages are of a press that nobody waits for any more."""
_UNCLAIMED_SECONDS = 86400
"""A result that no script took is good for a day, as lib/job.lua has it."""
_NUM_SEEN_IDS = 16
_STOP_SECONDS = 10
_JOB = re.compile(r"[0-9a-f]{16}")
_MIRRORED = ("status", "plan")
"""Texts of a job that scripts read."""


class Companion:
    """Looks for messages, starts jobs, and tells scripts how far they are.

    Used as a context: at its end the jobs that run are stopped, as Ctrl-C stops them.

    Args:
        folder: Folder of the jobs; it is made.
        find_prefs: Gives the Fusion.prefs files that there are now.
        command: What starts `hl`, without arguments.
        say: Called with each line for the user.
        documents: Where cuts go that nobody chose a folder for.

    Raises:
        OutputError: The folder cannot be made.
    """

    def __init__(
        self,
        folder: Path,
        *,
        find_prefs: Callable[[], Iterable[Path]],
        command: Sequence[str],
        say: Callable[[str], None],
        documents: Path,
    ) -> None:
        self.folder, self._find_prefs, self._command = folder, find_prefs, tuple(command)
        self._say, self._documents = say, documents
        self._seen_ids: deque[str] = deque(maxlen=_NUM_SEEN_IDS)
        self._seen: dict[Path, tuple[int, int, int]] = {}
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._leaving: list[subprocess.Popen[bytes]] = []
        self._mirrored: dict[Path, bytes] = {}
        self._beat_at = 0.0
        self._problem = ""
        make_folder(folder, hint="hl resolve needs it to talk with Resolve")
        with contextlib.suppress(OSError):
            folder.chmod(0o700)  # Scripts in Resolve load what lies here.
        self._jobs = {path.name for path in folder.glob("?" * 16) if self._is_wanted(path)}

    def __enter__(self) -> Companion:
        """Say to scripts that it is here."""
        self.step()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop what runs, and say that nobody is here any more."""
        processes = [*self._running.values(), *self._leaving]
        for process in processes:
            with contextlib.suppress(OSError):
                process.terminate()
        for process in processes:
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        with contextlib.suppress(OSError, OutputError):
            self._end_jobs()
            self._mirror()
        with contextlib.suppress(OSError):
            (self.folder / "companion.lua").unlink(missing_ok=True)

    def step(self) -> None:
        """Look once; called some times a second. No failure of a file ends it."""
        try:
            has_news = self._read_messages()
            self._end_jobs()
            self._mirror()
            if has_news or time.monotonic() - self._beat_at >= _BEAT_SECONDS:
                self._beat()
            self._problem = ""
        except (OSError, OutputError) as error:
            # On Windows a file that a script reads this moment cannot be replaced: once more.
            problem = error.message if isinstance(error, HlError) else str(error)
            if self._problem == problem:
                return
            self._problem = problem
            self._say(f"{problem}; hl resolve goes on trying")

    def _read_messages(self) -> bool:
        found = False
        for path in self._find_prefs():
            try:
                facts = path.stat()
                state = (facts.st_mtime_ns, facts.st_size, facts.st_ino)
                if state == self._seen.get(path) or facts.st_size > LARGEST_PREFS:
                    continue
                message = read_message(path.read_bytes())
            except OSError:
                continue  # Resolve replaces it this moment.
            self._seen[path] = state
            if message is None or message.id in self._seen_ids:
                continue
            if abs(time.time() - message.time) > _OLDEST_SECONDS:
                continue
            self._answer(message)
            self._seen_ids.append(message.id)
            found = True
        return found

    def _answer(self, message: Message) -> None:
        from hlcli.timeline.resolve_records import parse_records

        text = message.content.decode("utf-8", "replace")
        try:
            records = parse_records(text)
        except ValueError as error:
            self._say(f"a script in Resolve said something that cannot be read: {error}")
            return
        kinds = {record.kind for record in records}
        if message.job is not None and "job" in kinds:
            self._start(message.job, message.content, records)
            return
        for record in records:
            if record.kind == "said":
                for line in record.fields.get("text", "").splitlines():
                    self._say(line)
            if record.kind == "folder":
                # For a cut that Resolve writes; where it cannot be made, the script says so.
                with contextlib.suppress(OSError, ValueError):
                    Path(record.fields.get("path", "")).mkdir(parents=True, exist_ok=True)
        if message.job is not None:
            self._forget(message.job)

    def _start(self, job: str, request: bytes, records: list[Record]) -> None:
        folder = self.folder / job
        self._jobs.add(job)
        folder.mkdir(exist_ok=True)
        if job in self._running or not Status(folder).is_ours:
            return  # Asked for twice.
        self._remove(folder, *_MIRRORED)
        (folder / "request.txt").write_bytes(request)
        names = [
            Path(record.fields.get("path", "")).name for record in records if record.kind == "file"
        ]
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        self._say(f"at work for Resolve: {''.join(names[:1])}{more}")
        try:
            with (folder / "log.txt").open("wb") as log:
                self._running[job] = subprocess.Popen(
                    [*self._command, "resolve-job", str(folder)],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    # Ctrl-C in the terminal is for `hl resolve`, which then stops its jobs.
                    start_new_session=True,
                )
        except OSError as error:
            write_failure(folder, HlError(f"hl cannot be started: {error.strerror or error}"))

    def _end_jobs(self) -> None:
        self._leaving = [process for process in self._leaving if process.poll() is None]
        for job, process in list(self._running.items()):
            if process.poll() is None:
                continue
            del self._running[job]
            folder = self.folder / job
            state = status_fields(folder).get("state")
            if state not in ("done", "failed"):
                log = (folder / "log.txt").read_text(encoding="utf-8", errors="replace")
                last = (log.strip().splitlines() or ["it said nothing"])[-1]
                message = f"hl ended in the middle (exit code {process.returncode}): {last}"
                write_failure(folder, HlError(message, hint="run `hl doctor` in a terminal"))
            self._say("finished" if state == "done" else "failed; Resolve shows why")

    def _forget(self, job: str) -> None:
        """A script has taken the result: the next press asks anew."""
        folder = self.folder / job
        if status_fields(folder).get("state") in ("done", "failed"):
            self._remove(folder, "status")
            self._jobs.discard(job)
            # It has written its last word; that it is gone may take a second more.
            if process := self._running.pop(job, None):
                self._leaving.append(process)

    def _remove(self, folder: Path, *names: str) -> None:
        for name in names:
            for path in (folder / f"{name}.txt", folder / f"{name}.lua"):
                path.unlink(missing_ok=True)
                self._mirrored.pop(path, None)

    def _mirror(self) -> None:
        """Write the texts that scripts read a second time, as Lua."""
        texts = [self.folder / "options.txt"]
        texts += [self.folder / job / f"{name}.txt" for job in self._jobs for name in _MIRRORED]
        # A status that says "done" means that the plan is there: it is read before the plan, and
        # written after it.
        for path, content in reversed([(path, _content(path)) for path in texts]):
            twin = path.with_suffix(".lua")
            if content is None:
                if self._mirrored.pop(twin, None) is not None:
                    twin.unlink(missing_ok=True)
            elif self._mirrored.get(twin) != content:
                write_text(twin, lua_value(content))
                self._mirrored[twin] = content

    def _beat(self) -> None:
        seen = "".join(f'"{name}", ' for name in self._seen_ids)
        place = lua_string(os.fsencode(self._documents))
        write_text(
            self.folder / "companion.lua",
            f"return {{ protocol = {PROTOCOL}, time = {int(time.time())}, "
            f"heard = {{ {seen}}}, cut_folder = {place} }}\n",
        )
        self._beat_at = time.monotonic()

    def _is_wanted(self, folder: Path) -> bool:
        """Whether a job of before runs, or ended while nobody looked."""
        try:
            age_seconds = time.time() - (folder / "status.txt").stat().st_mtime
        except OSError:
            return False
        return _JOB.fullmatch(folder.name) is not None and age_seconds < _UNCLAIMED_SECONDS


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
