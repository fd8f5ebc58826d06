"""The feature cache: one safetensors file per video and specification.

Any number of processes may share one folder. Files appear whole (see `hlcli.atomic`), every read
checks a hash, and anything that does not pass is removed and counts as absent.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import time
from pathlib import Path

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load, save

from hlcli.atomic import write_bytes
from hlcli.errors import OutputError
from hlcli.features.types import FeatureSpec, VideoFeatures

MAX_BYTES = 4 * 1024**3
"""Default bound of the folder: about 200 hours of video."""

_FORMAT = "hl.features/1"
_HINT = "set HL_CACHE_DIR to a folder you may write to, or use --no-cache"
_IDENTITY = re.compile(r"[0-9a-f]{16,128}")
_STALE_SECONDS = 3600.0
_REQUIRED = ("visual_TV", "motion_T", "shot_boundaries_seconds")
_SOUND = ("audio_TA", "events_TC", "loudness_T")

Arrays = dict[str, npt.NDArray[np.generic]]


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
        """Return what `put` stored, bit for bit, or None.

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
            data = path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise OutputError(
                f"the feature cache {self.root} cannot be read: {error.strerror or error}",
                hint=_HINT,
            ) from error
        try:
            features = _unpack(data, identity, spec)
        except (ValueError, KeyError, TypeError, SafetensorError):
            _remove(path)
            return None
        # A reader that may not write still reads; the file only looks older than it is.
        with contextlib.suppress(OSError):
            os.utime(path)
        return features

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
        data = _pack(identity, features)
        if len(data) > self.max_bytes:
            return
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            write_bytes(path, data)
        except OSError as error:
            raise OutputError(
                f"the feature cache {self.root} cannot be made: {error.strerror or error}",
                hint=_HINT,
            ) from error
        except OutputError as error:
            raise OutputError(
                f"the features are not cached: {error.message}", hint=_HINT
            ) from error
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
        # Left by processes that were killed while writing.
        for path in self.root.glob(".*.part"):
            with contextlib.suppress(OSError):
                if time.time() - path.stat().st_mtime > _STALE_SECONDS:
                    _remove(path)


def _remove(path: Path) -> None:
    # Gone already, or held open by another process (Windows): either way not ours to fail on.
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)


def _pack(identity: str, features: VideoFeatures) -> bytes:
    arrays: Arrays = {}
    for name in (*_REQUIRED, *_SOUND):
        array = getattr(features, name)
        if array is not None:
            arrays[name] = _smallest(np.ascontiguousarray(array))
    about = json.dumps(
        {
            "identity": identity,
            "spec_digest": features.spec_digest,
            "duration_seconds": features.duration_seconds,
            "damage": features.damage,
        },
        sort_keys=True,
    )
    return bytes(
        save(arrays, {"format": _FORMAT, "about": about, "sha256": _digest(about, arrays)})
    )


def _unpack(data: bytes, identity: str, spec: FeatureSpec) -> VideoFeatures:
    """Rebuild features; ValueError, KeyError, TypeError or SafetensorError when damaged."""
    arrays: Arrays = load(data)
    header_bytes = int.from_bytes(data[:8], "little")
    metadata = json.loads(data[8 : 8 + header_bytes])["__metadata__"]
    if metadata["format"] != _FORMAT or metadata["sha256"] != _digest(metadata["about"], arrays):
        raise ValueError("not what was written")
    about = json.loads(metadata["about"])
    if about["identity"] != identity or about["spec_digest"] != spec.digest():
        raise ValueError("the features of another video or specification")
    for name, size in (("visual_TV", spec.visual_size), ("audio_TA", spec.audio_size)):
        if name in arrays and arrays[name].shape[1:] != (size,):
            raise ValueError(f"{name} has the shape {arrays[name].shape}")
    wide: dict[str, npt.NDArray[np.float32]] = {
        name: arrays[name].astype(np.float32)
        for name in (*_REQUIRED, *_SOUND)
        if name in arrays and name != "shot_boundaries_seconds"
    }
    return VideoFeatures(
        spec_digest=about["spec_digest"],
        duration_seconds=about["duration_seconds"],
        visual_TV=wide["visual_TV"],
        audio_TA=wide.get("audio_TA"),
        events_TC=wide.get("events_TC"),
        motion_T=wide["motion_T"],
        loudness_T=wide.get("loudness_T"),
        shot_boundaries_seconds=arrays["shot_boundaries_seconds"].astype(np.float64),
        damage=about["damage"],
    )


def _smallest(array: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
    """Return float16 where that loses nothing (extraction rounds to it), else the array."""
    if array.dtype != np.float32:
        return array
    with np.errstate(over="ignore"):
        half = array.astype(np.float16)
    return half if np.array_equal(half.astype(np.float32), array) else array


def _digest(about: str, arrays: Arrays) -> str:
    digest = hashlib.sha256(about.encode())
    for name in sorted(arrays):
        array = arrays[name]
        digest.update(f"{name} {array.dtype.str} {array.shape}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()
