"""The index of a folder of shards: which video lies where, as JSON."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hlcli.atomic import write_text
from hlcli.errors import CheckpointError, TrainingError
from hlcli.features.types import FeatureSpec
from hlcli.plain_data import FieldError, fill
from hlcli.zoo.header import safetensors_metadata

INDEX_FILE = "index.json"
"""Name of the index in its folder."""

SCHEMA = "hl.shards/1"
"""Name and version of its layout."""


@dataclass(frozen=True, slots=True)
class ShardFile:
    """One shard."""

    file: str
    """Name in the folder."""
    size_bytes: int
    """Its length."""
    sha256: str
    """Hex sha256 of its bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardVideo:
    """One video in a shard."""

    source: str
    """Absolute path of the file it was made from."""
    size_bytes: int
    """Length of that file; with the next, how an unchanged file is known without reading it."""
    changed_ns: int
    """When that file was last changed, in nanoseconds."""
    identity: str
    """Content identity of that file, by which it is found again after a move."""
    shard: int = -1
    """Number of the shard; below 0 until it is written."""
    row: int = 0
    """First of its rows in `visual` and `motion`."""
    sound_row: int | None = None
    """First of its rows in `audio` and `loudness`; None without sound."""
    num_clips: int = 0
    """Number of rows."""
    duration_seconds: float = 0.0
    """Length of the video."""
    digest: str = ""
    """`video_digest` of its features."""

    def placed(
        self,
        *,
        shard: int,
        row: int,
        sound_row: int | None,
        num_clips: int,
        duration_seconds: float,
        digest: str,
    ) -> ShardVideo:
        """Return the same video in its place."""
        return dataclasses.replace(
            self,
            shard=shard,
            row=row,
            sound_row=sound_row,
            num_clips=num_clips,
            duration_seconds=duration_seconds,
            digest=digest,
        )

    def moved(self, source: str, size_bytes: int, changed_ns: int) -> ShardVideo:
        """Return the same features under another file of the same content."""
        return dataclasses.replace(
            self, source=source, size_bytes=size_bytes, changed_ns=changed_ns
        )

    def is_of(self, size_bytes: int, changed_ns: int) -> bool:
        """Whether a file of that size and time is still the one it was made from."""
        return (self.size_bytes, self.changed_ns) == (size_bytes, changed_ns)


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A file that could not be used, so that it is not tried again as long as it is the same."""

    size_bytes: int
    """Its length."""
    changed_ns: int
    """When it was last changed, in nanoseconds."""
    why: str
    """What was wrong with it."""


@dataclass(slots=True)
class ShardIndex:
    """What a folder of shards holds."""

    spec: FeatureSpec
    """What made the features."""
    shards: list[ShardFile] = field(default_factory=list)
    """Its files."""
    videos: dict[str, ShardVideo] = field(default_factory=dict)
    """Its videos by `source`."""
    left_out: dict[str, LeftOut] = field(default_factory=dict)
    """Files that could not be used, by absolute path."""

    def add(self, videos: Iterable[ShardVideo]) -> None:
        """Note videos; one of the same source takes the other's place."""
        for video in videos:
            self.videos[video.source] = video
            self.left_out.pop(video.source, None)


def write_index(folder: Path, index: ShardIndex) -> None:
    """Write the index, atomically.

    Raises:
        OutputError: The folder cannot be written.
    """
    values = {
        "schema": SCHEMA,
        "spec": dataclasses.asdict(index.spec),
        "shards": [dataclasses.asdict(shard) for shard in index.shards],
        "videos": [dataclasses.asdict(video) for video in index.videos.values()],
        "left_out": {name: dataclasses.asdict(one) for name, one in index.left_out.items()},
    }
    write_text(folder / INDEX_FILE, json.dumps(values, separators=(",", ":")))


def shard_file(number: int) -> str:
    """Return the name of a shard in its folder."""
    return f"{number:06d}.safetensors"


def shard_metadata(spec: FeatureSpec, videos: Sequence[ShardVideo]) -> dict[str, str]:
    """Return what a shard says of itself in its header: whose features it holds."""
    rows = [dataclasses.asdict(video) for video in videos]
    return {"hl": json.dumps({"schema": SCHEMA, "spec": spec.digest(), "videos": rows})}


def read_index(folder: Path) -> ShardIndex | None:
    """Read the index of a folder; None where there is none.

    Shards of a run that was killed before it wrote them into the index are found, too.

    Raises:
        TrainingError: It is damaged, of another layout, or a shard is missing or cut off.
    """
    path = folder / INDEX_FILE
    hint = f"remove the folder {folder} to extract its features again"
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        if values["schema"] != SCHEMA:
            raise ValueError(f"layout {values['schema']!r}")
        index = ShardIndex(
            fill(FeatureSpec, values["spec"], where="spec"),
            [ShardFile(**value) for value in values["shards"]],
            left_out={name: LeftOut(**value) for name, value in values["left_out"].items()},
        )
        index.add(ShardVideo(**value) for value in values["videos"])
        for video in index.videos.values():
            if not 0 <= video.shard < len(index.shards) or video.num_clips < 1:
                raise ValueError(f"{video.source} has no place")
        for shard in index.shards:
            if (folder / shard.file).stat().st_size != shard.size_bytes:
                raise ValueError(f"{shard.file} is cut off")
        while _add_unlisted(folder, index):
            pass
    except FileNotFoundError as error:
        if not path.exists():
            return None
        raise TrainingError(f"{error.filename} is missing", hint=hint) from error
    except OSError as error:
        raise TrainingError(f"{path} cannot be read: {error.strerror or error}") from error
    except (ValueError, KeyError, TypeError, AttributeError, FieldError) as error:
        raise TrainingError(f"{path} is damaged: {error}", hint=hint) from error
    return index


def _add_unlisted(folder: Path, index: ShardIndex) -> bool:
    """Add the shard after the last one of the index, if there is one and it belongs to them."""
    number = len(index.shards)
    path = folder / shard_file(number)
    if not path.is_file():
        return False
    try:
        notes = json.loads(safetensors_metadata(path)["hl"])
        if (notes["schema"], notes["spec"]) != (SCHEMA, index.spec.digest()):
            return False
        videos = [ShardVideo(**note) for note in notes["videos"]]
    except (CheckpointError, ValueError, KeyError, TypeError):
        return False  # Not of this index: the next shard takes its place.
    if any(video.shard != number for video in videos):
        return False
    data = path.read_bytes()
    index.shards.append(ShardFile(path.name, len(data), hashlib.sha256(data).hexdigest()))
    index.add(videos)
    return True
