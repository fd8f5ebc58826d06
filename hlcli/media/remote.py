"""Videos that lie elsewhere: known by a few megabytes, fetched to local disk, decoded there."""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import Any, TypeAlias

import av

from hlcli import paths
from hlcli.addresses import filesystem, glob_part, is_address, said
from hlcli.atomic import make_folder, output_error, unfinished_folder
from hlcli.errors import MediaNotFoundError, OutputError, size_text
from hlcli.media.discover import is_video_name
from hlcli.media.identity import EDGE_BYTES, content_identity
from hlcli.media.probe import declared_seconds, seconds_of
from hlcli.media.source import OPEN_OPTIONS
from hlcli.progress import Download, Listener, Progress

_SPARE_BYTES = 512 * 2**20
_CHUNK_BYTES = 8 << 20
# What one request of a look at the headers reads; libraries of stores read 50 MB.
_HEADER_BYTES = 1 << 20
_WAIT_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """One video that lies elsewhere; as text, its address."""

    address: str
    """Where."""
    store: Any
    """fsspec's file system."""
    path: str
    """Its path there."""
    size: int
    """Its size in bytes."""

    def __str__(self) -> str:
        return self.address

    @property
    def name(self) -> str:
        """The last part of its path."""
        return PurePosixPath(self.path).name

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

    def declared_seconds(self) -> float:
        """Return how long it says it is, in seconds, from its headers alone; 0 where it does not.

        What is wrong with it is found out when it is decoded.
        """
        with (
            contextlib.suppress(Exception),
            self.store.open(self.path, "rb", block_size=_HEADER_BYTES) as stream,
            av.open(stream, metadata_errors="replace", container_options=OPEN_OPTIONS) as container,
        ):
            return seconds_of(container, self.size)
        return 0.0

    def fetch(self, target: Path, progress: Progress) -> None:
        """Copy it to local disk.

        Args:
            target: Where to.
            progress: Called with bytes.

        Raises:
            MediaError: It cannot be read.
            OutputError: The disk is full.
        """
        done, name = 0, Download(f"fetching {self.name}")
        with (
            said(self.address),
            self.store.open(self.path, "rb", block_size=_CHUNK_BYTES) as source,
        ):
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
                    progress(name, done, self.size)

    @contextlib.contextmanager
    def fetched(self, progress: Progress) -> Iterator[Path]:
        """Have it on local disk; it is gone afterwards, whatever happens.

        Where there is no room, it waits for those that other processes have there.

        Args:
            progress: Called with bytes.

        Raises:
            MediaError: It cannot be read.
            OutputError: It does not fit on the disk, or the cache folder cannot be written.
        """
        parent = paths.cache_dir() / "staged"
        make_folder(parent, hint="set HL_CACHE_DIR to a folder you may write to")
        waited = 0
        while True:
            # What a killed process left is removed here, too.
            with unfinished_folder(parent, "fetched") as folder:
                target = folder / self.name
                try:
                    self._check_room(folder)
                    self.fetch(target, progress)
                except OutputError:
                    if not _others(folder):
                        raise
                else:
                    yield target
                    return
            progress(f"waiting for room for {self.name}", waited, 0)
            time.sleep(_WAIT_SECONDS)
            waited += 1

    def _check_room(self, folder: Path) -> None:
        free = shutil.disk_usage(folder).free
        if self.size + _SPARE_BYTES > free:
            raise OutputError(
                f"there is no room to fetch {self.address}: it has {size_text(self.size)}, "
                f"{size_text(free)} are free beside {folder.parent}, of which "
                f"{size_text(_SPARE_BYTES)} stay free",
                hint="free some space, or set HL_CACHE_DIR to a folder on a larger disk",
            )


Video: TypeAlias = Path | RemoteFile
"""A video, wherever it lies."""


def video_at(text: str) -> Video:
    """Return the video at a path or an address.

    Raises:
        MediaError: There is nothing at the address, or it cannot be read.
    """
    return _remote_file(text, *filesystem(text)) if is_address(text) else Path(text)


def identity_of(video: Video) -> str:
    """Return the content identity of a video.

    Raises:
        MediaError: It cannot be read.
    """
    return content_identity(video) if isinstance(video, Path) else video.identity()


def length_of(video: Video) -> float:
    """Return how long a video says it is, in seconds; 0 where it does not say.

    Raises:
        MediaError: It cannot be read.
    """
    return declared_seconds(video) if isinstance(video, Path) else video.declared_seconds()


def find_remote(inputs: Iterable[str], on: Listener) -> list[RemoteFile]:
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
        # What is known of a thousand files comes in one answer.
        if glob_part(address):
            found = store.glob(path, detail=True)
        elif store.isdir(path) and not is_video_name(path):
            found = store.find(path, detail=True)
        else:
            yield _remote_file(address, store, path)
            return
    names = [name for name in sorted(found) if is_video_name(name)]
    if not names:
        raise MediaNotFoundError(f"no video in {address}", hint="check the address")
    scheme = address.partition("://")[0]
    for name in names:
        whole = name if is_address(name) else f"{scheme}://{name}"
        yield _remote_file(whole, store, name, found[name])


def _remote_file(
    address: str, store: Any, path: str, known: Mapping[str, Any] = MappingProxyType({})
) -> RemoteFile:
    with said(address):
        size = known.get("size") or store.info(path).get("size")
    if size is None:
        raise MediaNotFoundError(
            f"{address}: the server does not say how long it is", hint="download the video first"
        )
    return RemoteFile(address, store, path, int(size))


def _others(folder: Path) -> bool:
    """Whether other processes have something beside a folder."""
    with contextlib.suppress(OSError):
        return bool({path.name for path in folder.parent.iterdir()} - {folder.name})
    return False
