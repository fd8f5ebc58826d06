"""A corpus on disk: features in shards of many videos, read piece by piece.

A folder holds `index.json` and shards, safetensors files that other programs read too::

    visual    (N, V)  pictures of the clips of all its videos, one video after the other
    motion    (N,)
    audio     (M, A)  the same of the videos that have sound
    loudness  (M,)

Rows are float16 where that loses nothing, as it does with what extraction gives. Only the rows
that are asked for are read, and no file is mapped, so memory does not grow with the corpus.

Each shard says in its header which videos it holds. The index, which says it of all, is written
when it has grown by a tenth, not with every shard: of many shards it would take longer than they.

Axes: N clips, M clips with sound, V and A feature sizes, T clips of a piece.
"""

from __future__ import annotations

import hashlib
import json
import math
import threading
import weakref
from collections import OrderedDict
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt
import safetensors.numpy

from hlcli.atomic import write_bytes
from hlcli.errors import TrainingError
from hlcli.features.types import FeatureSpec, FloatArray, RowArray, VideoFeatures
from hlcli.model.fusion import has_sound
from hlcli.training.clips import corpus_digest, video_digest
from hlcli.training.shard_index import (
    ShardFile,
    ShardIndex,
    ShardVideo,
    read_index,
    shard_file,
    shard_metadata,
    write_index,
)
from hlcli.zoo.header import MAX_HEADER_BYTES

_MOST_VIDEOS = 256
_MOST_CLIPS = 3600
_MOST_OPEN_FILES = 64
_HASHED_AT_ONCE = 1 << 20
_DTYPES = {"F16": "<f2", "F32": "<f4"}


class ShardWriter:
    """Adds videos to a folder of shards; what was written before stays as it is.

    Args:
        folder: The folder; it exists.
        index: What is in it.
    """

    def __init__(self, folder: Path, index: ShardIndex) -> None:
        self.folder = folder
        self.index = index
        self._num_indexed = len(index.shards)
        self._waiting: list[tuple[ShardVideo, VideoFeatures]] = []

    def add(self, video: ShardVideo, features: VideoFeatures) -> None:
        """Add one video; it is on disk with a full shard, at the latest with `flush`.

        Args:
            video: Where it is from; its place in the shard is filled in here.
            features: Its features.

        Raises:
            OutputError: The shard cannot be written.
        """
        self._waiting.append((video, features))
        clips = sum(one.num_clips for _, one in self._waiting)
        if len(self._waiting) >= _MOST_VIDEOS or clips >= _MOST_CLIPS:
            self._write_shard()
            if 10 * len(self.index.shards) >= 11 * self._num_indexed:
                self._write_index()

    def flush(self) -> None:
        """Write what was added since the last shard, then the index; atomic, each."""
        self._write_shard()
        self._write_index()

    def _write_index(self) -> None:
        write_index(self.folder, self.index)
        self._num_indexed = len(self.index.shards)

    def _write_shard(self) -> None:
        if self._waiting:
            number = len(self.index.shards)
            row = sound_row = 0
            placed = []
            for video, features in self._waiting:
                has_audio = has_sound(features)
                placed.append(
                    video.placed(
                        shard=number,
                        row=row,
                        sound_row=sound_row if has_audio else None,
                        num_clips=features.num_clips,
                        duration_seconds=features.duration_seconds,
                        digest=video_digest(features),
                    )
                )
                row += features.num_clips
                sound_row += features.num_clips if has_audio else 0
            data = safetensors.numpy.save(
                _joined([features for _, features in self._waiting]),
                metadata=shard_metadata(self.index.spec, placed),
            )
            file = shard_file(number)
            write_bytes(self.folder / file, data)
            self.index.shards.append(ShardFile(file, len(data), hashlib.sha256(data).hexdigest()))
            self.index.add(placed)
            self._waiting = []


class ShardedCorpus:
    """Videos of a folder of shards, in a given order; a `ClipSource`.

    Args:
        folder: Folder of the shards.
        spec: What made the features.
        shards: Files of the folder.
        videos: Videos to use, at least one.

    Raises:
        TrainingError: There is no video.
    """

    def __init__(
        self,
        folder: Path,
        spec: FeatureSpec,
        shards: Sequence[ShardFile],
        videos: Sequence[ShardVideo],
    ) -> None:
        if not videos:
            raise TrainingError("there is no video to learn from", hint="correct data.folders")
        self.folder = folder
        self._spec = spec
        self._shards = tuple(shards)
        self._videos = tuple(videos)
        self._spec_digest = spec.digest()
        self._open: OrderedDict[int, _Shard] = OrderedDict()
        # A file has one place where it is read, and batches are drawn in a thread of their own.
        self._lock = threading.Lock()

    @classmethod
    def open(cls, folder: Path) -> ShardedCorpus:
        """Use every video of a folder.

        Raises:
            TrainingError: There are no shards, or they are damaged.
        """
        index = read_index(folder)
        if index is None:
            raise TrainingError(
                f"there are no shards in {folder}", hint="name videos with data.folders"
            )
        return cls(folder, index.spec, index.shards, list(index.videos.values()))

    @property
    def spec(self) -> FeatureSpec:
        """See `ClipSource.spec`."""
        return self._spec

    @cached_property
    def names(self) -> tuple[str, ...]:
        """See `ClipSource.names`."""
        return tuple(Path(video.source).name for video in self._videos)

    @cached_property
    def clip_counts(self) -> tuple[int, ...]:
        """See `ClipSource.clip_counts`."""
        return tuple(video.num_clips for video in self._videos)

    @cached_property
    def has_audio(self) -> tuple[bool, ...]:
        """See `ClipSource.has_audio`."""
        return tuple(video.sound_row is not None for video in self._videos)

    @property
    def duration_seconds(self) -> float:
        """Length of all videos."""
        return sum(video.duration_seconds for video in self._videos)

    def digest(self) -> str:
        """See `ClipSource.digest`; equal to that of the same videos in memory."""
        return corpus_digest(self._spec, [video.digest for video in self._videos])

    def read(self, video: int, start: int, stop: int) -> VideoFeatures:
        """See `ClipSource.read`.

        Raises:
            TrainingError: A shard is missing or damaged.
        """
        place = self._videos[video]
        rows = slice(place.row + start, place.row + stop)
        with self._lock:
            shard = self._shard(place.shard)
            visual_TV, motion_T = shard.rows("visual", rows), shard.rows("motion", rows)
            audio_TA = loudness_T = None
            if place.sound_row is not None:
                rows = slice(place.sound_row + start, place.sound_row + stop)
                audio_TA, loudness_T = shard.rows("audio", rows), shard.rows("loudness", rows)
        return VideoFeatures(
            spec_digest=self._spec_digest,
            duration_seconds=(stop - start) * self._spec.clip_seconds,
            visual_TV=visual_TV,
            audio_TA=audio_TA,
            events_TC=None,
            motion_T=motion_T,
            loudness_T=loudness_T,
            shot_boundaries_seconds=np.zeros(0),
        )

    def check(self) -> None:
        """Compare every shard that is used with its hash.

        Raises:
            TrainingError: A shard is missing or damaged; the message names it.
        """
        for number in sorted({video.shard for video in self._videos}):
            shard = self._shards[number]
            digest = hashlib.sha256()
            try:
                with (self.folder / shard.file).open("rb") as stream:
                    while block := stream.read(_HASHED_AT_ONCE):
                        digest.update(block)
            except OSError as error:
                raise _damaged(self.folder / shard.file, error.strerror or error) from error
            if digest.hexdigest() != shard.sha256:
                raise _damaged(self.folder / shard.file, "not what was written")

    def close(self) -> None:
        """Close all files; reading opens them again."""
        with self._lock:
            while self._open:
                self._open.popitem()[1].stream.close()

    def _shard(self, number: int) -> _Shard:
        if number not in self._open:
            while len(self._open) >= _MOST_OPEN_FILES:
                self._open.popitem(last=False)[1].stream.close()
            self._open[number] = _Shard(self.folder / self._shards[number].file)
        self._open.move_to_end(number)
        return self._open[number]


class _Shard:
    """One open shard, from which rows are read without its being held in memory."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            # Without a buffer: rows of one piece lie together and are read at once.
            self.stream: IO[bytes] = path.open("rb", buffering=0)
            weakref.finalize(self, self.stream.close)
            length = int.from_bytes(self.stream.read(8), "little")
            head: dict[str, Any] = json.loads(self.stream.read(min(length, MAX_HEADER_BYTES)))
            head.pop("__metadata__", None)
            self.arrays = {
                name: (
                    np.dtype(_DTYPES[one["dtype"]]),
                    tuple(one["shape"]),
                    8 + length + int(one["data_offsets"][0]),
                )
                for name, one in head.items()
            }
        except OSError as error:
            raise _damaged(path, error.strerror or error) from error
        except (ValueError, KeyError, TypeError) as error:
            raise _damaged(path, error) from error

    def rows(self, name: str, rows: slice) -> FloatArray:
        """Some rows of an array, float32."""
        dtype, shape, begin = self.arrays[name]
        found = np.empty((rows.stop - rows.start, *shape[1:]), dtype)
        row_bytes = math.prod(shape[1:]) * dtype.itemsize
        try:
            self.stream.seek(begin + rows.start * row_bytes)
            view = found.reshape(-1).view(np.uint8).data
            while view.nbytes:
                count = self.stream.readinto(view)  # type: ignore[attr-defined]
                if not count:
                    raise _damaged(self.path, "cut off")
                view = view[count:]
        except OSError as error:
            raise _damaged(self.path, error.strerror or error) from error
        return found.astype(np.float32, copy=False)


def _joined(videos: list[VideoFeatures]) -> dict[str, npt.NDArray[Any]]:
    with_audio = [video for video in videos if has_sound(video)]
    arrays = {
        "visual": _smallest([video.visual_TV for video in videos]),
        "motion": np.concatenate([video.motion_T for video in videos]).astype(np.float32),
    }
    if with_audio:
        arrays["audio"] = _smallest([v.audio_TA for v in with_audio if v.audio_TA is not None])
        loudness = [v.loudness_T for v in with_audio if v.loudness_T is not None]
        arrays["loudness"] = np.concatenate(loudness).astype(np.float32)
    return arrays


def _smallest(arrays: list[RowArray]) -> npt.NDArray[Any]:
    """All rows in float16 where that loses nothing, else in float32."""
    if not all(array.dtype == np.float16 for array in arrays):
        with np.errstate(over="ignore"):
            half = [array.astype(np.float16) for array in arrays]
        wide = [array.astype(np.float32) for array in arrays]
        same = all(np.array_equal(h.astype(np.float32), w) for h, w in zip(half, wide, strict=True))
        return np.concatenate(half if same else wide)
    return np.concatenate(arrays)


def _damaged(path: Path, why: object) -> TrainingError:
    return TrainingError(
        f"the shard {path} cannot be used: {why}",
        hint=f"remove the folder {path.parent} to extract its features again",
    )
