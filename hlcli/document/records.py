"""The parts of a scores document, and how they become JSON.

Axes: T clips.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hlcli import __version__
from hlcli.atomic import write_text
from hlcli.errors import DocumentError
from hlcli.media.rates import rate_text

if TYPE_CHECKING:
    from hlcli.media.probe import MediaInfo
    from hlcli.model.scorer import Modality
    from hlcli.moments import Moment

SCHEMA = "hl.scores/1"
"""Name and version of the format; the number rises when an older reader would misread it."""
_DECIMALS = 6
"""Seconds and scores are rounded to a millionth: far below one frame, and the same everywhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioRecord:
    """One audio track of the source."""

    channels: int
    """Number of channels, at least 1."""
    sample_rate: int
    """Samples per second of one channel, in Hz."""
    index: int | None = None
    """Index of the stream among all of its container; None in documents of an earlier `hl`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoRecord:
    """What a timeline must know about the source file."""

    path: str
    """Where the file was when it was scored, absolute."""
    duration_seconds: float
    """From the first video frame's start to the last one's end, in seconds, over 0."""
    frame_rate: Fraction
    """Exact constant rate for timelines; variable-rate files have the nearest standard rate."""
    num_frames: int
    """Frames at `frame_rate` over the duration, at least 1."""
    is_variable_rate: bool
    """Whether the frames of the file are unevenly spaced."""
    start_timecode: str | None
    """Timecode of the first frame as the file says it (";" = drop-frame); None without one."""
    width: int
    """Width as displayed, in pixels."""
    height: int
    """Height as displayed, in pixels."""
    rotation_degrees: int
    """Clockwise turn from the stored to the displayed picture: 0, 90, 180 or 270."""
    audio: tuple[AudioRecord, ...]
    """The audio tracks in file order; empty without sound."""
    sha256_head: str
    """Content identity: hex sha256 over size, first and last MiB; survives renames and moves."""
    has_timecode_track: bool = True
    """Whether the timecode stands in a timecode track, which Final Cut Pro asks for."""

    @property
    def has_audio(self) -> bool:
        """Whether there is at least one audio track."""
        return bool(self.audio)

    @classmethod
    def from_media(cls, info: MediaInfo, identity: str) -> VideoRecord:
        """Take from a probed file what timelines need.

        Args:
            info: What `hlcli.media.probe.probe` found.
            identity: `hlcli.media.identity.content_identity` of the same file.
        """
        return cls(
            path=str(info.path),
            duration_seconds=_rounded(info.duration_seconds),
            frame_rate=info.frame_rate,
            num_frames=info.num_frames,
            is_variable_rate=info.is_variable_rate,
            start_timecode=info.start_timecode,
            width=info.width,
            height=info.height,
            rotation_degrees=info.rotation_degrees,
            audio=tuple(
                AudioRecord(
                    channels=track.channels, sample_rate=track.sample_rate, index=track.index
                )
                for track in info.audio_streams
            ),
            sha256_head=identity,
            has_timecode_track=info.has_timecode_track,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRecord:
    """Which detector made the scores."""

    name: str
    """Name in the model zoo."""
    version: str
    """Version in its manifest."""
    sha256: str
    """sha256 of its weights, 64 hex digits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoresDocument:
    """The scores of one video and the moments chosen from them."""

    video: VideoRecord
    """The source file."""
    model: ModelRecord
    """The detector."""
    modality: Modality
    """What was really looked at: "v" picture, "a" sound, "va" both."""
    clip_seconds: float
    """Length of one clip, in seconds."""
    scores: tuple[float, ...]
    """Score of each clip, in [0, 1]; `T = ceil(duration / clip_seconds)` of them."""
    raw_scores: tuple[float, ...]
    """Activations before squashing, T of them, comparable between videos of one model."""
    picture_scores: tuple[float, ...] | None
    """What the picture alone says, in [0, 1], T of them; None when it was not looked at."""
    sound_scores: tuple[float, ...] | None
    """What the sound alone says, in [0, 1], T of them; None when it was not listened to."""
    shot_boundaries_seconds: tuple[float, ...]
    """Instants at which a new shot starts, ascending, in seconds from the first video frame."""
    damage: str | None
    """What could not be read, in words; None for a sound file."""
    moments: tuple[Moment, ...]
    """The moments, best first."""
    created_with: str = f"hl {__version__}"
    """The program that wrote it."""

    def with_moments(self, moments: Sequence[Moment]) -> ScoresDocument:
        """Return the same scores with another choice of moments."""
        return dataclasses.replace(self, moments=tuple(moments))

    def to_json(self) -> dict[str, Any]:
        """Return the document as JSON values, in the published order, rounded to a millionth."""
        video = self.video
        return {
            "schema": SCHEMA,
            "video": {
                "path": video.path,
                "duration_seconds": _rounded(video.duration_seconds),
                "frame_rate": rate_text(video.frame_rate),
                "num_frames": video.num_frames,
                "is_variable_rate": video.is_variable_rate,
                "start_timecode": video.start_timecode,
                "has_timecode_track": video.has_timecode_track,
                "width": video.width,
                "height": video.height,
                "rotation_degrees": video.rotation_degrees,
                "has_audio": video.has_audio,
                "audio": [_track_json(track) for track in video.audio],
                "sha256_head": video.sha256_head,
            },
            "model": dataclasses.asdict(self.model),
            "modality": self.modality,
            "clip_seconds": _rounded(self.clip_seconds),
            "scores": _all_rounded(self.scores),
            "raw_scores": _all_rounded(self.raw_scores),
            "picture_scores": _all_rounded(self.picture_scores),
            "sound_scores": _all_rounded(self.sound_scores),
            "shot_boundaries_seconds": _all_rounded(self.shot_boundaries_seconds),
            "damage": self.damage,
            "moments": [
                {
                    "start_seconds": _rounded(moment.start_seconds),
                    "end_seconds": _rounded(moment.end_seconds),
                    "score": _rounded(moment.score),
                    "peak_seconds": _rounded(moment.peak_seconds),
                    "picture": None if moment.picture is None else _rounded(moment.picture),
                    "sound": None if moment.sound is None else _rounded(moment.sound),
                    "why": moment.why,
                }
                for moment in self.moments
            ],
            "created_with": self.created_with,
        }

    def to_text(self) -> str:
        """Return the document as ASCII text: one field a line, one moment a line."""
        return layout(self.to_json()) + "\n"

    @classmethod
    def from_json(cls, value: object, *, source: str = "the scores document") -> ScoresDocument:
        """Check a parsed document and return it.

        Unknown extra fields are passed over: a later `hl` may add some.

        Args:
            value: What `json.loads` returned.
            source: How to call the document in errors, its file name for example.

        Raises:
            DocumentError: A field is missing or wrong, or the schema is another one.
        """
        from hlcli.document.parse import parse_document

        return parse_document(value, source=source)

    def write(self, path: Path) -> None:
        """Write the document to `path`, whole or not at all.

        Raises:
            OutputError: It cannot be written there.
        """
        write_text(path, self.to_text())

    @classmethod
    def read(cls, path: Path) -> ScoresDocument:
        """Read the one document in `path`.

        Raises:
            DocumentError: The file is missing, damaged, or holds several documents.
        """
        from hlcli.document.files import read_documents

        documents = read_documents(path)
        if len(documents) != 1:
            raise DocumentError(f"{path} holds {len(documents)} scores documents, not one")
        return documents[0]


def _track_json(track: AudioRecord) -> dict[str, int]:
    return {k: v for k, v in dataclasses.asdict(track).items() if v is not None}


def _rounded(value: float | Fraction) -> float:
    # Adding 0.0 turns -0.0 into 0.0, which would be other bytes.
    return round(float(value), _DECIMALS) + 0.0


def _all_rounded(row: Sequence[float] | None) -> list[float] | None:
    return None if row is None else [_rounded(value) for value in row]


def layout(value: dict[str, Any]) -> str:
    """Return JSON text with one field a line and one moment a line."""

    def dump(part: object) -> str:
        return json.dumps(part, allow_nan=False)

    lines = []
    for name, part in value.items():
        text = dump(part)
        if name == "moments" and part:
            text = "[\n    " + ",\n    ".join(dump(moment) for moment in part) + "\n  ]"
        lines.append(f"  {dump(name)}: {text}")
    return "{\n" + ",\n".join(lines) + "\n}"
