"""What the calls mean, without HTTP: jobs are checked and begun, scores and pictures are found."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hlcli.errors import MediaNotFoundError
from hlcli.serve.allowed import Allowed, is_there
from hlcli.serve.job import Job
from hlcli.serve.outputs import check_export_outputs, check_film_output
from hlcli.serve.pairing import Pairing
from hlcli.serve.pictures import Pictures
from hlcli.serve.queue import JobQueue
from hlcli.serve.refusal import RequestError
from hlcli.serve.requests import (
    AnyRequest,
    Choice,
    ExportOptions,
    FindOptions,
    MatchOptions,
    RenderOptions,
)
from hlcli.serve.review_store import ReviewStore
from hlcli.serve.reviews import Reviews
from hlcli.serve.store import SCORES_FILE
from hlcli.serve.tickets import Tickets

MAX_PICKED = 2000
"""Most picked files that are remembered."""
_EMPTY = ""


@dataclass(slots=True, kw_only=True)
class Service:
    """All that the calls need."""

    queue: JobQueue
    """The jobs."""
    pairing: Pairing
    """Gives the token."""
    pictures: Pictures
    """Thumbnails."""
    roots: tuple[Path, ...]
    """Folders that may be read, resolved."""
    tickets: Tickets
    """Give the token to browsers that `hl review` opens."""
    review_store: ReviewStore
    """Where reviews are kept."""
    token: str
    """What clients must know."""
    reviews: Reviews = field(init=False)
    """The reviews."""
    _picked: dict[Path, None] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.reviews = Reviews(
            store=self.review_store,
            queue=self.queue,
            pictures=self.pictures,
            allowed=lambda: self.allowed,
            token=self.token,
        )

    @property
    def allowed(self) -> Allowed:
        """What may be read now."""
        with self._lock:
            return Allowed(roots=self.roots, picked=frozenset(self._picked))

    def pick(self, texts: list[str]) -> list[Path]:
        """Remember files that the user chose, all or none.

        A client with the token could name any file as picked. It gets nothing by that but scores
        and pictures of videos: other kinds of files are not taken.

        Raises:
            RequestError: One is a folder, or no video, timeline or scores document.
            MediaNotFoundError: One is not there.
        """
        from hlcli.media.discover import VIDEO_SUFFIXES
        from hlcli.timeline.read import READERS

        paths = []
        kinds = VIDEO_SUFFIXES | READERS.keys() | {".json", ".csv"}
        for text in texts:
            path = Path(text)
            if not path.is_absolute() or "\0" in text:
                raise RequestError(
                    "that is no whole path", hint="write it from the root", status=403
                )
            path = _real(path)
            if path.suffix.lower() not in kinds or (is_there(path) and path.is_dir()):
                raise RequestError(
                    f"{path.name[:200]} is no video, timeline or scores document",
                    hint="only such files can be picked; for folders there is --root",
                    status=403,
                )
            if not is_there(path):
                raise MediaNotFoundError(f"no such file: {path}", hint="check the spelling")
            paths.append(path)
        with self._lock:
            for path in paths:
                self._picked.pop(path, None)
                self._picked[path] = None
            while len(self._picked) > MAX_PICKED:
                del self._picked[next(iter(self._picked))]
        return paths

    def begin(self, request: AnyRequest) -> Job:
        """Check a request as far as that goes at once, and queue it.

        Raises:
            HlError: An option is refused, a path is outside or missing, an output is there.
        """
        allowed = self.allowed
        options = request.options
        options.check()
        paths = [allowed.existing(text) for text in request.paths]
        outputs: list[Path] = []
        read = [allowed.existing(text) for text in options.files]
        if isinstance(options, RenderOptions):
            outputs = check_film_output(options, allowed, read)
        elif isinstance(options, (ExportOptions, MatchOptions)):
            outputs = check_export_outputs(options, allowed, [*paths, *read])
        for text in () if isinstance(options, (FindOptions, MatchOptions)) else options.search:
            if not allowed.existing(text).is_dir():
                raise RequestError(f"{text} is no folder", status=403)
        return self.queue.submit(
            Job(
                id=_EMPTY,
                created=_EMPTY,
                kind=request.kind,
                paths=tuple(map(str, paths)),
                names={
                    str(path): text
                    for path, text in zip(paths, request.paths, strict=True)
                    # What stands before ".." may be a link: such a name has no plain form.
                    if text != str(path) and ".." not in Path(text).parts
                },
                options=options.given(),
                roots=tuple(map(str, self.roots)),
                picked=tuple(map(str, allowed.picked)),
                outputs=tuple(map(str, outputs)),
            )
        )

    def scores(self, job: Job, choice: Choice) -> list[dict[str, Any]]:
        """Return the scores documents of a job; with a choice, moments are chosen anew.

        Raises:
            RequestError: It has none (yet).
            UsageError: The choice contradicts itself.
        """
        from hlcli.document import find_moments, read_documents

        if job.num_scores == 0:
            raise RequestError(
                f"the job is {job.state} and has no scores",
                hint="wait until it is done" if not job.is_final else "",
                status=409,
            )
        documents = read_documents(self.queue.folder_of(job) / SCORES_FILE)
        if choice.given():
            selection = choice.selection()
            documents = [
                document.with_moments(find_moments(document, selection)) for document in documents
            ]
        return [document.to_json() for document in documents]

    def thumbnail(self, text: str, seconds: float, height: int) -> bytes:
        """Return one frame of a video as JPEG.

        Raises:
            RequestError: The file may not be read, is a folder, or cannot be decoded.
            MediaNotFoundError: It is not there.
        """
        path = self.allowed.existing(text)
        if path.is_dir():
            raise RequestError(f"{path.name} is a folder", status=404)
        try:
            return self.pictures.thumbnail(path, seconds, height)
        except OSError as error:
            raise RequestError(f"{path.name} cannot be read", status=404) from error

    def close(self) -> int:
        """Stop all work; returns how many jobs were running."""
        self.pictures.close()
        return self.queue.close()


def _real(path: Path) -> Path:
    try:
        return path.resolve()
    except (OSError, RuntimeError) as error:
        raise MediaNotFoundError(f"no such file: {path}", hint="check the spelling") from error
