"""A folder into which videos arrive: each is scored when it has settled, and written once.

What is done is remembered in the output folder, so that a watcher that dies goes on where it was,
and never writes over what somebody made of a timeline in the meantime.
"""

from __future__ import annotations

import contextlib
import json
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hlcli.atomic import make_folder, write_text
from hlcli.errors import MediaNotFoundError, OutputError, UsageError
from hlcli.lock import exclusive_lock
from hlcli.media.discover import videos_inside
from hlcli.media.proxies import without_proxies
from hlcli.moments import Selection
from hlcli.progress import Listener
from hlcli.timeline.build import Layout
from hlcli.timeline.formats import check_target, write_format
from hlcli.workflows.replacing import replacing
from hlcli.workflows.score import Pipeline, score_videos

if TYPE_CHECKING:
    from hlcli.document import ScoresDocument
    from hlcli.workflows.jobs import JobSettings

SETTLE_SECONDS = 10.0
"""How long size and time of a file must stay as they are."""
LISTED_SECONDS = 60.0
"""How often the whole folder is listed: network disks tell of no change."""
_STATE = ".hl-watch.json"
_LOCK = ".hl-watch.lock"
_TICK_MILLISECONDS = 1000


@dataclass(slots=True)
class _Seen:
    """A file as it was when it was looked at last."""

    size: int
    time_ns: int
    since: float
    is_done: bool = False


class FolderWatch:
    """Scores what arrives in a folder.

    Args:
        folder: Watched, to the bottom.
        output: Gets a timeline for each video, in the folders that the videos are in; made here.
        pipeline: Scores.
        selection: How much to keep; None is the default rule.
        layout: How moments lie on a timeline.
        target: Value of --for.
        settle_seconds: How long a file must stay as it is before it is opened.
        jobs: How worker processes score several at once; None scores one after the other.
        on: Notified of what is scored, written and cannot be used.

    Raises:
        MediaNotFoundError: There is no such folder.
        OutputError: The output cannot be made, or another process watches into it.
    """

    def __init__(
        self,
        folder: Path,
        output: Path,
        pipeline: Pipeline,
        *,
        selection: Selection | None = None,
        layout: Layout | None = None,
        target: str = "generic",
        settle_seconds: float = SETTLE_SECONDS,
        jobs: JobSettings | None = None,
        on: Listener,
    ) -> None:
        if not folder.is_dir():
            raise MediaNotFoundError(f"there is no folder {folder}", hint="check the spelling")
        self._folder = folder
        self._output = output
        self._pipeline = pipeline
        self._selection = selection
        self._layout = layout or Layout()
        self._target = check_target(target)
        self._settle_seconds = settle_seconds
        self._jobs = jobs
        self._on = on
        self._seen: dict[Path, _Seen] = {}
        make_folder(output, hint="choose a folder you may write to")

        def is_taken() -> None:
            raise OutputError(
                f"another hl watch writes into {output}", hint="end it, or name another folder"
            )

        with contextlib.ExitStack() as stack:
            stack.enter_context(
                exclusive_lock(
                    output / _LOCK, on_wait=is_taken, hint="choose a folder you may write to"
                )
            )
            self._state = _read_state(output / _STATE)
            self._lock = stack.pop_all()

    def close(self) -> None:
        """Let another process watch."""
        self._lock.close()

    def list_folder(self) -> None:
        """Find out which videos there are."""
        found = dict.fromkeys(without_proxies(videos_inside(self._folder)))
        for path in [path for path in self._seen if path not in found]:
            del self._seen[path]
        for path in found:
            self._look(path)

    def score_settled(self) -> bool:
        """Score and write what has settled since the last call; whether anything still changes."""
        waiting = [path for path, seen in self._seen.items() if not seen.is_done]
        for path in waiting:
            self._look(path)
        now = time.monotonic()
        settled = [
            path
            for path in waiting
            if path in self._seen and now - self._seen[path].since >= self._settle_seconds
        ]
        if settled:
            for path in settled:
                # Whatever comes of it: it is looked at again when it changes.
                self._seen[path].is_done = True
            new = [path for path in settled if not self._is_written(path)]
            documents = score_videos(
                self._pipeline, new, self._selection, jobs=self._jobs, on=self._on
            )
            with contextlib.closing(documents):
                for document in documents:
                    self._write(Path(document.video.path), document)
        return any(not seen.is_done for seen in self._seen.values())

    def _look(self, path: Path) -> None:
        try:
            status = path.stat()
        except OSError:
            self._seen.pop(path, None)
            return
        before = self._seen.get(path)
        if before is None or (before.size, before.time_ns) != (status.st_size, status.st_mtime_ns):
            # A clock of another machine tells nothing about how long ago that was.
            self._seen[path] = _Seen(status.st_size, status.st_mtime_ns, time.monotonic())

    def _key(self, path: Path) -> str:
        return path.relative_to(self._folder).as_posix()

    def _is_written(self, path: Path) -> bool:
        seen, entry = self._seen[path], self._state.get(self._key(path), {})
        return (entry.get("size"), entry.get("time_ns")) == (seen.size, seen.time_ns)

    def _write(self, path: Path, document: ScoresDocument) -> None:
        seen, key = self._seen[path], self._key(path)
        entry = self._state.get(key, {})
        written: list[Path] = []
        # A file that was touched and has the content it had is not written again.
        if entry.get("identity") != document.video.sha256_head:
            file = self._output / self._name(key)
            with self._on.one_file(file):
                make_folder(file.parent, hint="choose a folder you may write to")
                with replacing(file, self._on):
                    write_format(file, [document], target=self._target.name, layout=self._layout)
                entry = {"file": file.relative_to(self._output).as_posix()}
                written.append(file)
            if not written:
                return
        self._state[key] = entry | {
            "size": seen.size,
            "time_ns": seen.time_ns,
            "identity": document.video.sha256_head,
        }
        text = json.dumps(self._state, indent=1, ensure_ascii=True)
        write_text(self._output / _STATE, text + "\n")
        for file in written:
            count = len(document.moments)
            self._on.wrote(file, f"{count} moment{'' if count == 1 else 's'}")

    def _name(self, key: str) -> str:
        """Return where the timeline of a video goes, below the output; videos keep theirs."""
        if file := self._state.get(key, {}).get("file"):
            return str(file)
        taken = {entry.get("file", "").casefold() for entry in self._state.values()}
        stem = Path(key).with_suffix("")
        name, number = f"{stem}{self._target.suffix}", 1
        while name.casefold() in taken:
            number += 1
            name = f"{stem}-{number}{self._target.suffix}"
        return name


def watch(watched: FolderWatch, folder: Path) -> Iterator[None]:
    """Score what arrives, until whoever asks stops asking; yields after each look.

    Raises:
        UsageError: The extra is not installed.
    """
    check_installed()
    from watchfiles import watch as changes

    watched.list_folder()
    watched.score_settled()
    yield
    # What came before the watch below had begun is found by its first look.
    listed = -math.inf
    for found in changes(folder, rust_timeout=_TICK_MILLISECONDS, yield_on_timeout=True):
        if found or time.monotonic() - listed >= LISTED_SECONDS:
            listed = time.monotonic()
            watched.list_folder()
        watched.score_settled()
        yield


def check_installed() -> None:
    """Refuse to watch without the extra.

    Raises:
        UsageError: It is not installed.
    """
    if find_spec("watchfiles") is None:
        raise UsageError(
            "the extra for watching folders is not installed", hint='pip install "hlcli[watch]"'
        )


def until_settled(watched: FolderWatch) -> None:
    """Score what is there when it has settled, and end."""
    watched.list_folder()
    while watched.score_settled():
        time.sleep(_TICK_MILLISECONDS / 1000)


def _read_state(path: Path) -> dict[str, dict[str, Any]]:
    try:
        value = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise OutputError(
            f"cannot read {path}, which says what is written: {error}",
            hint="remove it; timelines that were edited are kept as NAME.backup-1",
        ) from error
    if not isinstance(value, dict) or not all(isinstance(one, dict) for one in value.values()):
        raise OutputError(f"{path} is not what hl watch wrote", hint="remove it")
    return value
