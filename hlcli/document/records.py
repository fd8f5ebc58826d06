"""What a scores document says about a file and a model, as JSON and back."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from hlcli.document.fields import Fields
from hlcli.media.rates import TIMECODE, rate_text

if TYPE_CHECKING:
    from hlcli.media.probe import AudioStreamInfo, MediaInfo

Modality: TypeAlias = Literal["v", "a", "va"]
"""What a detector may look at: picture, sound, or both."""
_DECIMALS = 6
_MOST_CHANNELS = 1_024
_MOST_SECONDS = 1e10
_MOST_FRAMES = 10**13
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

    @classmethod
    def from_stream(cls, stream: AudioStreamInfo) -> AudioRecord:
        """Take from a probed track what timelines need."""
        return cls(channels=stream.channels, sample_rate=stream.sample_rate, index=stream.index)


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
            duration_seconds=rounded(info.duration_seconds),
            frame_rate=info.frame_rate,
            num_frames=info.num_frames,
            is_variable_rate=info.is_variable_rate,
            start_timecode=info.start_timecode,
            width=info.width,
            height=info.height,
            rotation_degrees=info.rotation_degrees,
            audio=tuple(map(AudioRecord.from_stream, info.audio_streams)),
            sha256_head=identity,
            has_timecode_track=info.has_timecode_track,
        )

    def to_json(self) -> dict[str, Any]:
        """Return the record as JSON values, in the published order."""
        return {
            "path": self.path,
            "duration_seconds": rounded(self.duration_seconds),
            "frame_rate": rate_text(self.frame_rate),
            "num_frames": self.num_frames,
            "is_variable_rate": self.is_variable_rate,
            "start_timecode": self.start_timecode,
            "has_timecode_track": self.has_timecode_track,
            "width": self.width,
            "height": self.height,
            "rotation_degrees": self.rotation_degrees,
            "has_audio": self.has_audio,
            "audio": [
                {k: v for k, v in dataclasses.asdict(track).items() if v is not None}
                for track in self.audio
            ],
            "sha256_head": self.sha256_head,
        }

    @classmethod
    def parse(cls, fields: Fields) -> VideoRecord:
        """Check the fields of a document and return the record.

        Raises:
            DocumentError: A field is missing or wrong.
        """
        written = fields.text("frame_rate", r"[1-9]\d{0,17}/[1-9]\d{0,17}")
        frame_rate = Fraction(written)
        if frame_rate > 1000:
            raise fields.wrong(
                "frame_rate", f"must be at most 1000 frames per second, is {written}"
            )
        timecode = fields.get("start_timecode")
        if timecode is not None:
            fields.text("start_timecode", TIMECODE)
        audio = tuple(
            AudioRecord(
                channels=track.integer("channels", 1, _MOST_CHANNELS),
                sample_rate=track.integer("sample_rate", 1),
                index=track.integer("index", 0) if track.has("index") else None,
            )
            for track in fields.items("audio")
        )
        if fields.flag("has_audio") != bool(audio):
            raise fields.wrong("has_audio", "disagrees with audio")
        rotation = fields.integer("rotation_degrees", 0)
        if rotation not in (0, 90, 180, 270):
            raise fields.wrong("rotation_degrees", "must be 0, 90, 180 or 270")
        return cls(
            path=fields.text("path"),
            duration_seconds=fields.number("duration_seconds", most=_MOST_SECONDS, above=0.0),
            frame_rate=frame_rate,
            num_frames=fields.integer("num_frames", 1, _MOST_FRAMES),
            is_variable_rate=fields.flag("is_variable_rate"),
            start_timecode=timecode,
            width=fields.integer("width", 1),
            height=fields.integer("height", 1),
            rotation_degrees=rotation,
            audio=audio,
            sha256_head=fields.text("sha256_head", r"[0-9a-f]{64}"),
            has_timecode_track=fields.flag("has_timecode_track", missing=True),
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

    @classmethod
    def parse(cls, fields: Fields) -> ModelRecord:
        """Check the fields of a document and return the record.

        Raises:
            DocumentError: A field is missing or wrong.
        """
        return cls(
            name=fields.text("name"),
            version=fields.text("version"),
            sha256=fields.text("sha256", r"[0-9a-f]{64}"),
        )


def file_name(path: str) -> str:
    """Return the name of the file at a path of this system or another."""
    return re.split(r"[/\\]", path)[-1]


def rounded(value: float | Fraction) -> float:
    """Return seconds or a score as a document has it."""
    # Adding 0.0 turns -0.0 into 0.0, which would be other bytes.
    return round(float(value), _DECIMALS) + 0.0
