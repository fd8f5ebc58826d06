"""Turns many video files into features, several at once, into shards that a stopped run keeps."""

from __future__ import annotations

import itertools
import logging
import threading
from collections import deque
from collections.abc import Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass
from pathlib import Path

from hlcli import paths
from hlcli.atomic import make_folder
from hlcli.cores import num_cores
from hlcli.errors import HlError, MediaError, TrainingError, reason_of, unexpected
from hlcli.features.encoder import Encoders
from hlcli.features.extract import extract_features
from hlcli.features.store import FeatureStore
from hlcli.features.types import VideoFeatures
from hlcli.lock import exclusive_lock
from hlcli.media.identity import content_identity
from hlcli.media.probe import probe
from hlcli.progress import Progress, silent
from hlcli.training.clips import is_finite
from hlcli.training.shard_index import LeftOut, ShardIndex, ShardVideo, read_index
from hlcli.training.shards import ShardedCorpus, ShardWriter

logger = logging.getLogger(__name__)

_MOST_AT_ONCE = 8
_POLL_SECONDS = 0.1
_FOLDER_HINT = "choose another folder with --set data.shards=FOLDER"
LOCK_FILE = ".shards.lock"
"""Held by the run that adds to a folder of shards."""
STAGE = "reading the corpus"
"""Name of the stage that counts files."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Extracted:
    """What became of one file."""

    file: Path
    """The file."""
    identity: str
    """Its content identity; empty when it could not be read."""
    result: VideoFeatures | HlError
    """Its features, or why there are none."""
    was_stored: bool = False
    """Whether they come from the cache."""


class _Stopped(Exception):
    """Ends the extraction of a file nobody waits for any more."""


def extract_files(
    files: Sequence[Path],
    *,
    encoders: Encoders,
    store: FeatureStore | None = None,
    progress: Progress = silent,
) -> Generator[Extracted, None, None]:
    """Extract features of files, in their order, several files at once.

    Decoding and encoding leave Python's lock, so threads keep all cores busy where one short
    clip would not. Close the iterator to stop: what is being decoded then is given up.

    Args:
        files: Video files.
        encoders: The networks, used by all threads.
        store: Where features are looked up first; nothing is stored here.
        progress: Called with the files done.
    """
    cores = num_cores()
    at_once = max(1, min(cores, _MOST_AT_ONCE, len(files)))
    decoders = max(1, cores // at_once)
    stop = threading.Event()

    def stopping(stage: str, done: float, total: float) -> None:
        if stop.is_set():
            raise _Stopped

    def work(file: Path) -> Extracted:
        identity = ""
        try:
            stopping("", 0, 0)
            identity = content_identity(file)
            found = store.get(identity, encoders.spec) if store else None
            if found is not None:
                return Extracted(file=file, identity=identity, result=found, was_stored=True)
            result = extract_features(
                probe(file), encoders=encoders, num_workers=decoders, progress=stopping
            )
        except _Stopped:
            raise
        except Exception as error:  # noqa: BLE001 - one bad file does not cost the others
            failure = error if isinstance(error, HlError) else unexpected(error)
            return Extracted(file=file, identity=identity, result=failure)
        return Extracted(file=file, identity=identity, result=result)

    progress(STAGE, 0, len(files))
    with ThreadPoolExecutor(max_workers=at_once, thread_name_prefix="hl-file") as executor:
        left = iter(files)
        # Few are ahead of the one that is waited for, so memory does not grow with the files.
        running = deque(executor.submit(work, file) for file in itertools.islice(left, 2 * at_once))
        done = 0
        try:
            while running:
                extracted = _result(running.popleft())
                running.extend(executor.submit(work, file) for file in itertools.islice(left, 1))
                done += 1
                progress(STAGE, done, len(files))
                yield extracted
        finally:
            stop.set()
            executor.shutdown(wait=True, cancel_futures=True)


def fill_shards(
    files: Sequence[Path],
    folder: Path,
    *,
    visual_encoder: str,
    device: str = "auto",
    progress: Progress = silent,
) -> None:
    """Extract what a folder of shards does not have yet; stopped, it goes on with the next call.

    A file of the same path, length and time of change as before is not opened again, and one
    that was moved or copied is known by its content. At most one shard of work is lost: an hour
    of video, or 256 files. Files that cannot be used are left out with a warning in the log. Runs
    that fill one folder take turns: two that write shards of one number would destroy both.

    Raises:
        TrainingError: The shards are damaged or of another encoder.
        DeviceError: The device is missing or out of memory.
        ModelError: The encoders' weights cannot be used.
        OutputError: The folder cannot be written.
    """
    from hlcli.features.device import resolve_device
    from hlcli.features.encoders import load_encoders

    encoders = load_encoders(resolve_device(device), visual=visual_encoder)
    make_folder(folder, hint=_FOLDER_HINT)
    is_reported = False

    def wait() -> None:
        nonlocal is_reported
        if not is_reported:
            logger.warning("another run fills the shards in %s: waiting for it", folder)
            is_reported = True
        progress("waiting for another run that fills the shards", 0, 0)

    with exclusive_lock(folder / LOCK_FILE, on_wait=wait, hint=_FOLDER_HINT):
        _fill(files, folder, encoders=encoders, progress=progress)


def _fill(files: Sequence[Path], folder: Path, *, encoders: Encoders, progress: Progress) -> None:
    index = read_index(folder) or ShardIndex(encoders.spec)
    if index.spec != encoders.spec:
        raise TrainingError(
            f"the shards in {folder} were made with other encoders", hint=_FOLDER_HINT
        )
    new = _unknown_files(files, index)
    writer = ShardWriter(folder, index)
    store = FeatureStore(paths.features_dir())
    extracted = extract_files(new, encoders=encoders, store=store, progress=progress)
    failure: HlError | None = None
    try:
        for one in extracted:
            source, size, changed = _key(one.file)
            result = one.result
            if not isinstance(result, HlError) and not is_finite(result):
                result = MediaError(f"the features of {one.file} are not all numbers")
            if isinstance(result, HlError):
                logger.warning("%s is left out: %s", one.file, reason_of(result))
                index.videos.pop(source, None)
                if isinstance(result, MediaError):
                    index.left_out[source] = LeftOut(size, changed, str(result))
                else:
                    # Not the file's fault: the next run tries again.
                    failure = failure or result
                continue
            video = ShardVideo(
                source=source, size_bytes=size, changed_ns=changed, identity=one.identity
            )
            writer.add(video, result)
    finally:
        extracted.close()
        # What is done is kept, whatever stopped the rest.
        writer.flush()
    if failure is not None and not index.videos:
        raise failure


def open_shards(files: Sequence[Path], folder: Path) -> ShardedCorpus:
    """Open the shards of some files, in their order; files that were left out are missing.

    Raises:
        TrainingError: There are no shards, they are damaged, or no file could be used.
    """
    index = read_index(folder)
    sources = [str(file.absolute()) for file in files]
    videos = [index.videos[source] for source in sources if source in index.videos] if index else []
    if index is None or not videos:
        raise TrainingError(
            f"none of the {len(files)} videos could be read", hint="check one with `hl score`"
        )
    return ShardedCorpus(folder, index.spec, index.shards, videos)


def _unknown_files(files: Sequence[Path], index: ShardIndex) -> list[Path]:
    """Files whose features are not in the shards; those found under another name are noted."""
    by_identity = {video.identity: video for video in index.videos.values()}
    new = []
    num_left_out = 0
    for file in files:
        try:
            source, size, changed = _key(file)
            known, bad = index.videos.get(source), index.left_out.get(source)
            if known is not None and known.is_of(size, changed):
                continue
            if bad is not None and (bad.size_bytes, bad.changed_ns) == (size, changed):
                num_left_out += 1
                continue
            twin = by_identity.get(content_identity(file)) if by_identity else None
        except (MediaError, OSError):
            twin = None
        if twin is not None:
            index.add([twin.moved(source, size, changed)])
        else:
            new.append(file)
    if num_left_out:
        logger.warning("%d files that could not be read before are left out again", num_left_out)
    return new


def _key(file: Path) -> tuple[str, int, int]:
    """Absolute path, length and time of change of a file."""
    try:
        status = file.stat()
    except OSError:
        return str(file.absolute()), -1, -1
    return str(file.absolute()), status.st_size, status.st_mtime_ns


def _result(future: Future[Extracted]) -> Extracted:
    # Waiting in short steps lets Ctrl-C through on every platform.
    while True:
        try:
            return future.result(timeout=_POLL_SECONDS)
        except FutureTimeoutError:
            if future.done():
                return future.result()
