"""The feature cache: one safetensors file per video and specification.

Any number of processes may share one folder. Files appear whole (see `hlcli.atomic`), every read
checks a hash, and anything that does not pass is removed and counts as absent.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from pathlib import Path

from hlcli import paths
from hlcli.atomic import atomic_write
from hlcli.document import ScoresDocument
from hlcli.errors import OutputError
from hlcli.features.packed import bytes_of, pack, unpack
from hlcli.features.types import FeatureSpec, VideoFeatures
from hlcli.media.identity import content_identity
from hlcli.media.proxies import ProxyFinder

MAX_BYTES = 4 * 1024**3
"""Default bound of the folder: about 200 hours of video."""

_HINT = "set HL_CACHE_DIR to a folder you may write to, or use --no-cache"
_IDENTITY = re.compile(r"[0-9a-f]{16,128}")


def stored_features(document: ScoresDocument, spec: FeatureSpec) -> VideoFeatures | None:
    """Return the stored features of a scored video, or of the proxy that was looked at.

    Args:
        document: The scores of the video.
        spec: What the features must have been made with.

    Raises:
        OutputError: The cache cannot be read.
    """
    store = FeatureStore(paths.features_dir())
    return next(
        (found for one in _identities(document) if (found := store.get(one, spec)) is not None),
        None,
    )


def _identities(document: ScoresDocument) -> Iterator[str]:
    """Yield by what features may be stored: the video, or the proxy that was looked at."""
    yield document.video.sha256_head
    if document.proxy is not None:
        for path in ProxyFinder().candidates(Path(document.video.path)):
            if path.name == document.proxy:
                yield content_identity(path)


class FeatureStore:
    """Features of videos seen before, found by content and specification.

    Args:
        root: Folder of the cache; made when the first video is stored.
        max_bytes: The least recently used files are removed until the rest is no larger.
    """

    def __init__(self, root: Path, max_bytes: int = MAX_BYTES) -> None:
        self.root = root
        self.max_bytes = max_bytes

    def get(self, identity: str, spec: FeatureSpec) -> VideoFeatures | None:
        """Return what `put` stored, every number the same, or None.

        A damaged file, and one of another specification, is removed and counts as absent.

        Args:
            identity: The video's content identity, lowercase hex.
            spec: What the features must have been made with.

        Raises:
            OutputError: The folder is there but cannot be read.
        """
        path = self._path(identity, spec)
        try:
            if self.root.exists() and not self.root.is_dir():
                raise NotADirectoryError(20, "not a folder")
            with path.open("rb") as stream:
                features = unpack(stream, identity, spec)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise OutputError(
                f"the feature cache {self.root} cannot be read: {error.strerror or error}",
                hint=_HINT,
            ) from error
        except (ValueError, KeyError, TypeError):
            _remove(path)
            return None
        # A reader that may not write still reads; the file only looks older than it is.
        with contextlib.suppress(OSError):
            os.utime(path)
        return features

    def has(self, identity: str, spec: FeatureSpec) -> bool:
        """Whether something is stored; reading it may still show that it is damaged."""
        return os.path.isfile(self._path(identity, spec))  # noqa: PTH113 - never raises

    def put(self, identity: str, spec: FeatureSpec, features: VideoFeatures) -> None:
        """Store the features of one video, and make room for them.

        Features larger than the whole cache are not stored.

        Args:
            identity: The video's content identity, lowercase hex.
            spec: What the features were made with.
            features: What to store.

        Raises:
            ValueError: The features come from another specification.
            OutputError: The folder cannot be written, or the disk is full. Nothing half-written
                is left, and what was stored before is still there.
        """
        if features.spec_digest != spec.digest():
            raise ValueError("the features were made with another specification")
        path = self._path(identity, spec)
        header, arrays = pack(identity, features)
        if len(header) + sum(array.nbytes for array in arrays) > self.max_bytes:
            return
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            with atomic_write(path) as stream:
                stream.write(header)
                for array in arrays:
                    stream.write(bytes_of(array))
        except OSError as error:
            raise OutputError(
                f"the feature cache {self.root} cannot be made: {error.strerror or error}",
                hint=_HINT,
            ) from error
        except OutputError as error:
            raise OutputError(error.message, hint=_HINT) from error
        self._evict(keep=path)

    def size(self) -> int:
        """Bytes in use; 0 when there is no cache yet."""
        return sum(size for _, size, _ in self._entries())

    def clear(self) -> int:
        """Remove everything stored; returns how many files went.

        Raises:
            OutputError: A file cannot be removed.
        """
        removed = 0
        for _, _, path in self._entries():
            try:
                path.unlink(missing_ok=True)
            except OSError as error:
                raise OutputError(
                    f"cannot remove {path}: {error.strerror or error}",
                    hint="close other programs that use it",
                ) from error
            removed += 1
        return removed

    def _path(self, identity: str, spec: FeatureSpec) -> Path:
        if not _IDENTITY.fullmatch(identity):
            raise ValueError(f"a content identity is lowercase hex, got {identity!r}")
        return self.root / f"{identity}-{spec.digest()[:16]}.safetensors"

    def _entries(self) -> list[tuple[float, int, Path]]:
        """Return (last use, bytes, path) of each stored file, least recently used first."""
        entries: list[tuple[float, int, Path]] = []
        for path in self.root.glob("*.safetensors"):
            # Another process may have removed it since.
            with contextlib.suppress(OSError):
                status = path.stat()
                entries.append((status.st_mtime, status.st_size, path))
        return sorted(entries)

    def _evict(self, *, keep: Path) -> None:
        # No lock: two processes that evict at once agree on the order, so each removes a part of
        # the same list and what the other has already removed counts as gone.
        entries = self._entries()
        total = sum(size for _, size, _ in entries)
        for _, size, path in entries:
            if total <= self.max_bytes:
                break
            if path != keep:
                _remove(path)
                total -= size


def _remove(path: Path) -> None:
    # Gone already, or held open by another process (Windows): either way not ours to fail on.
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)
