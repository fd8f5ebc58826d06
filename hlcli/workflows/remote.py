"""Videos that lie elsewhere: looked up by content, fetched, scored from local disk, removed.

Only the first and the last megabyte are read to find out whether a video is scored already.
"""

from __future__ import annotations

import contextlib
import hashlib
import shutil
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

from hlcli import paths
from hlcli.addresses import filesystem, glob_part, is_address, said
from hlcli.atomic import make_folder, output_error, unfinished_folder
from hlcli.document import ScoresDocument
from hlcli.errors import MediaNotFoundError, OutputError, size_text
from hlcli.media.discover import is_video_name
from hlcli.media.identity import EDGE_BYTES
from hlcli.moments import Selection
from hlcli.progress import Download, Listener
from hlcli.workflows.export import choose_moments
from hlcli.workflows.jobs import JobSettings
from hlcli.workflows.likeness import Photographs
from hlcli.workflows.score import Pipeline, score_videos
from hlcli.workflows.shard import Shard

STAGED_BYTES = 8 * 2**30
"""About how much lies on local disk at a time; a larger file lies there alone."""
_SPARE_BYTES = 512 * 2**20
_FILES_A_WORKER = 4
_CHUNK_BYTES = 8 << 20


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """One video that lies elsewhere."""

    address: str
    """Where."""
    store: Any
    """fsspec's file system."""
    path: str
    """Its path there."""
    size: int
    """Its size in bytes."""

    def identity(self) -> str:
        """Return what `content_identity` says of the same file on a disk.

        Raises:
            MediaError: It cannot be read.
        """
        digest = hashlib.sha256(f"{self.size}\n".encode())
        with said(self.address):
            head = self.store.cat_file(self.path, start=0, end=min(EDGE_BYTES, self.size))
            digest.update(head)
            start = max(len(head), self.size - EDGE_BYTES)
            if start < self.size:
                digest.update(self.store.cat_file(self.path, start=start, end=self.size))
        return digest.hexdigest()

    def fetch(self, target: Path, on: Listener) -> None:
        """Copy it to local disk.

        Raises:
            MediaError: It cannot be read.
            OutputError: The disk is full.
        """
        done, name = 0, Download(f"fetching {target.name}")
        with said(self.address), self.store.open(self.path, "rb") as source:
            try:
                # Unbuffered: nothing is left that closing could fail to write.
                stream = target.open("wb", buffering=0)
            except OSError as error:
                raise output_error(target, error) from error
            with stream:
                while chunk := source.read(_CHUNK_BYTES):
                    rest = memoryview(chunk)
                    try:
                        while rest:
                            rest = rest[stream.write(rest) :]
                    except OSError as error:
                        raise output_error(target, error) from error
                    done += len(chunk)
                    on.progress(name, done, self.size)


def find_remote(inputs: Sequence[str], on: Listener) -> list[RemoteFile]:
    """Return the videos that addresses name: files, folders and patterns, each once."""
    found: dict[str, RemoteFile] = {}
    for text in inputs:
        with on.one_file(text):
            for file in _files_of(text):
                found.setdefault(file.address, file)
    return list(found.values())


def _files_of(address: str) -> Iterator[RemoteFile]:
    store, path = filesystem(address)
    with said(address):
        if glob_part(address):
            names = [name for name in sorted(store.glob(path)) if is_video_name(name)]
        elif store.isdir(path) and not is_video_name(path):
            names = [name for name in sorted(store.find(path)) if is_video_name(name)]
        else:
            names = [path]
        if not names:
            raise MediaNotFoundError(f"no video in {address}", hint="check the address")
        scheme = address.partition("://")[0]
        for name in names:
            size = store.info(name).get("size")
            if size is None:
                raise MediaNotFoundError(
                    f"{address}: the server does not say how long it is",
                    hint="download the video first",
                )
            whole = name if is_address(name) else f"{scheme}://{name}"
            yield RemoteFile(whole, store, name, int(size))


def score_remote(
    pipeline: Pipeline,
    files: Sequence[RemoteFile],
    selection: Selection | None = None,
    *,
    visual_only: bool = False,
    jobs: JobSettings | None = None,
    shard: Shard | None = None,
    like: Photographs | None = None,
    on: Listener,
) -> Generator[ScoresDocument, None, None]:
    """Yield the scores of videos that lie elsewhere, with moments, under their addresses.

    Args:
        pipeline: Scores.
        files: The videos.
        selection: How much to keep; None is the default rule.
        visual_only: Leave the sound out even where there is some.
        jobs: How worker processes score several at once; None scores one after the other.
        shard: Which part of them; None takes all.
        like: Photographs; what looks like them counts for more.
        on: Notified of progress, and of videos that cannot be used.

    Raises:
        OutputError: The cache folder cannot be written.
    """
    most = 1 if jobs is None else (jobs.num_jobs or 1) * _FILES_A_WORKER
    batch: list[RemoteFile] = []
    for file in files:
        found: list[ScoresDocument] = []
        with on.one_file(file.address):
            identity = file.identity()
            if shard is not None and not shard.has(identity):
                continue
            stored = pipeline.stored(Path(file.path), identity, visual_only=visual_only)
            if stored is not None and like is not None and not like.can_use(stored):
                stored = None  # its features are gone: it is fetched again
            if stored is None:
                batch.append(file)
            else:
                document = replace(stored, video=replace(stored.video, path=file.address))
                if like is not None:
                    document = like.likened(document, on)
                found = [choose_moments(document, selection, on)]
        yield from found
        if len(batch) >= most or sum(one.size for one in batch) >= STAGED_BYTES:
            yield from _scored(pipeline, batch, selection, visual_only, jobs, like, on)
            batch = []
    yield from _scored(pipeline, batch, selection, visual_only, jobs, like, on)


def _scored(
    pipeline: Pipeline,
    batch: Sequence[RemoteFile],
    selection: Selection | None,
    visual_only: bool,
    jobs: JobSettings | None,
    like: Photographs | None,
    on: Listener,
) -> Iterator[ScoresDocument]:
    if not batch:
        return
    parent = paths.cache_dir() / "staged"
    make_folder(parent, hint="set HL_CACHE_DIR to a folder you may write to")
    addresses: dict[Path, str] = {}
    # Removed at the end, and by the next run where this one is killed.
    with unfinished_folder(parent, "fetched") as folder:
        for number, file in enumerate(batch):
            with on.one_file(file.address):
                _check_room(folder, file)
                target = folder / str(number) / PurePosixPath(file.path).name
                target.parent.mkdir()
                file.fetch(target, on)
                addresses[target] = file.address
        documents = score_videos(
            pipeline,
            list(addresses),
            selection,
            visual_only=visual_only,
            like=like,
            jobs=jobs,
            on=on,
        )
        with contextlib.closing(documents):
            for document in documents:
                address = addresses[Path(document.video.path)]
                yield replace(document, video=replace(document.video, path=address))


def _check_room(folder: Path, file: RemoteFile) -> None:
    free = shutil.disk_usage(folder).free
    if file.size + _SPARE_BYTES > free:
        raise OutputError(
            f"there is no room to fetch {file.address}: it has {size_text(file.size)}, "
            f"{size_text(free)} are free beside {folder.parent}, of which "
            f"{size_text(_SPARE_BYTES)} stay free",
            hint="free some space, or set HL_CACHE_DIR to a folder on a larger disk",
        )
