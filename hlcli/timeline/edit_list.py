"""The edit decision list: what every writer writes and every reader gives, in whole frames.

Formats differ in how they say it; what they say is this. Seconds are gone here, and so is
everything that belongs to one editor. Frames of a source count from its first frame, at its own
rate; frames of the timeline from its start, at the timeline's.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import TYPE_CHECKING

from hlcli.document import AudioRecord, Caption, ModelRecord, VideoRecord
from hlcli.moments import Moment
from hlcli.timeline.paths import map_path, media_path, readable, without_dots
from hlcli.timeline.timecode import frame_at, is_drop_frame, start_frame

if TYPE_CHECKING:
    from hlcli.media.probe import MediaInfo


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One file that events are taken from."""

    path: str
    """Absolute path, as it shall be written: of any system, see `hlcli.timeline.paths`."""
    frame_rate: Fraction
    """Exact constant rate, in frames per second."""
    num_frames: int
    """Frames at `frame_rate` over the whole length, at least 1."""
    start_timecode: str | None = None
    """Timecode of the first frame as the file says it (";" = drop-frame); None without one."""
    has_timecode_track: bool = True
    """Whether it stands in a timecode track; Final Cut Pro takes such a file from 0 if not."""
    width: int = 0
    """Width as displayed, in pixels; 0 where a reader does not know it."""
    height: int = 0
    """Height as displayed, in pixels; 0 where a reader does not know it."""
    rotation_degrees: int = 0
    """Clockwise turn from the stored to the displayed picture: 0, 90, 180 or 270."""
    is_variable_rate: bool = False
    """Whether the frames of the file are unevenly spaced; ranges are then by time."""
    audio: tuple[AudioRecord, ...] = ()
    """The sound tracks in file order; empty without sound."""
    sha256_head: str | None = None
    """Content identity, `hlcli.media.identity`; None where a reader does not know it."""
    damage: str | None = None
    """What could not be read, in words; None for a sound file."""
    captions: tuple[Caption, ...] = field(default=(), compare=False, repr=False)
    """What is said in it, in the order of time; empty where that is not known."""

    @classmethod
    def from_video(
        cls,
        video: VideoRecord,
        *,
        damage: str | None = None,
        captions: tuple[Caption, ...] = (),
        path_maps: tuple[tuple[str, str], ...] = (),
    ) -> Source:
        """Take from a scores document's record what timelines need."""
        return cls(
            path=map_path(without_dots(video.path), path_maps),
            frame_rate=video.frame_rate,
            num_frames=video.num_frames,
            start_timecode=video.start_timecode,
            has_timecode_track=video.has_timecode_track,
            width=video.width,
            height=video.height,
            rotation_degrees=video.rotation_degrees,
            is_variable_rate=video.is_variable_rate,
            audio=video.audio,
            sha256_head=video.sha256_head,
            damage=damage,
            captions=captions,
        )

    @classmethod
    def from_media(
        cls, info: MediaInfo, *, identity: str | None = None, path: str | None = None
    ) -> Source:
        """Take from a probed file what timelines need.

        Args:
            info: What `hlcli.media.probe.probe` found.
            identity: `hlcli.media.identity.content_identity` of the file; None when unknown.
            path: The path as it shall be written; None for the file's own.
        """
        source = cls.from_video(VideoRecord.from_media(info, identity or ""))
        return replace(source, path=path or source.path, sha256_head=identity)

    @property
    def name(self) -> str:
        """File name, readable anywhere."""
        return readable(media_path(self.path).name)

    @property
    def start_frame(self) -> int:
        """Timecode of the first frame as a frame count; 0 without one that can be read."""
        return start_frame(self.start_timecode, self.frame_rate)

    @property
    def drop_frame(self) -> bool:
        """Whether the file counts in drop-frame."""
        return is_drop_frame(self.start_timecode, self.frame_rate)

    @property
    def start_seconds(self) -> Fraction:
        """Timecode of the first frame, in seconds."""
        return self.start_frame / self.frame_rate

    @property
    def duration_seconds(self) -> Fraction:
        """Length, in seconds."""
        return self.num_frames / self.frame_rate

    def goes_on_in(self, other: Source) -> bool:
        """Whether the timecode of another file begins where this one ends.

        A camera that splits a recording into files counts on; a frame more or less is rounding.
        """
        return (
            None not in (self.start_timecode, other.start_timecode)
            and self.frame_rate == other.frame_rate
            and abs(self.start_frame + self.num_frames - other.start_frame) <= 1
        )

    @property
    def channels(self) -> list[int]:
        """Channels of each sound track."""
        return [track.channels for track in self.audio]


@dataclass(frozen=True, slots=True, kw_only=True)
class Marker:
    """A named place in a source."""

    frames: range
    """Frames of the source it covers, one or more."""
    name: str
    """What an editor shows first: "H01 0.92"."""
    comment: str = ""
    """What it shows on a second look: score and reason."""
    color: str | None = "GREEN"
    """One of OpenTimelineIO's `MarkerColor`: RED, YELLOW, GREEN, CYAN, BLUE, ...; None where a
    reader does not know it."""
    rank: int | None = None
    """Rank of the moment, 1 is the best; None where a reader does not know it."""
    score: float | None = None
    """Its score in [0, 1]; None where a reader does not know it."""
    reasons: tuple[str, ...] = ()
    """`Moment.reasons`; empty where a reader does not know them."""

    @property
    def written_color(self) -> str:
        """The colour to write: green where it is not known, as every program does."""
        return self.color or "GREEN"


@dataclass(frozen=True, slots=True, kw_only=True)
class Highlight:
    """Why an event is on the timeline."""

    moment: Moment
    """What was found."""
    rank: int
    """Rank among the moments of all videos, 1 is the best."""
    model: ModelRecord
    """The detector that found it."""


@dataclass(frozen=True, slots=True)
class Sound:
    """Where one sound track of a source lies."""

    stream: int
    """Index into `Source.audio`."""
    track: int
    """Audio track of the timeline, 0 is the first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One stretch of one source on the timeline, picture and sound linked.

    Raises:
        ValueError: A range is empty or leaves the source; at one rate, the two differ in length.
    """

    source: Source
    """Where it comes from."""
    frames: range
    """Frames of the source, half-open, at the source's rate."""
    record: range
    """Frames of the timeline, half-open, at the timeline's rate."""
    video_track: int | None = 0
    """Video track, 0 is the lowest; None for sound alone."""
    sound: tuple[Sound, ...] = ()
    """The sound tracks that play with it."""
    markers: tuple[Marker, ...] = ()
    """Markers in the source, within `frames`."""
    highlight: Highlight | None = None
    """What `hl` knows about it; None for a whole source and for others' timelines."""

    def __post_init__(self) -> None:
        if not 0 <= self.frames.start < self.frames.stop <= self.source.num_frames:
            raise ValueError(
                f"frames {self.frames} of {self.source.name} lie outside its "
                f"{self.source.num_frames} frames"
            )
        if not 0 <= self.record.start < self.record.stop:
            raise ValueError(f"record {self.record} of {self.source.name} is empty or before 0")

    def conformed(self, frame_rate: Fraction) -> range:
        """Return the frames of the source counted at a timeline's rate, as long as `record`.

        For formats whose sources run at the timeline's rate (MLT, for one). Starts at the nearest
        frame, earlier where the file would end too soon.
        """
        if frame_rate == self.source.frame_rate:
            return self.frames
        available = math.floor(self.source.num_frames * frame_rate / self.source.frame_rate)
        start = frame_at(self.frames.start / self.source.frame_rate, frame_rate)
        start = max(0, min(start, available - len(self.record)))
        return range(start, start + len(self.record))

    def record_of(self, source_frame: int, frame_rate: Fraction) -> int:
        """Return where a frame of the source lies on the timeline, within `record`."""
        offset = Fraction(source_frame - self.frames.start) / self.source.frame_rate
        at = self.record.start + frame_at(offset, frame_rate)
        return min(max(at, self.record.start), self.record.stop - 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class EditList:
    """A timeline of cuts.

    Raises:
        ValueError: Two events lie on one another in one track, or an event at the timeline's own
            rate is longer or shorter there than in its source.
    """

    name: str
    """Name of the timeline, readable anywhere."""
    frame_rate: Fraction
    """Exact rate, in frames per second."""
    events: tuple[Event, ...]
    """In the order of `record`, then of the tracks; at least one."""
    start_frame: int = 0
    """Timecode at which the timeline starts, as a frame count at its rate."""
    drop_frame: bool = False
    """Whether the timeline counts in drop-frame."""
    width: int = 0
    """Width of the picture in pixels; 0 where a reader does not know it."""
    height: int = 0
    """Height of the picture in pixels; 0 where a reader does not know it."""
    sample_rate: int = 48000
    """Samples of sound per second, in Hz."""

    def __post_init__(self) -> None:
        ends: dict[tuple[str, int], int] = {}
        for event in sorted(self.events, key=lambda event: event.record.start):
            if event.source.frame_rate == self.frame_rate and len(event.frames) != len(
                event.record
            ):
                raise ValueError(f"{event.frames} of {event.source.name} is not {event.record}")
            tracks = [("A", sound.track) for sound in event.sound]
            if event.video_track is not None:
                tracks.append(("V", event.video_track))
            for track in tracks:
                if event.record.start < ends.get(track, 0):
                    raise ValueError(f"{event.record} overlaps on track {track[0]}{track[1] + 1}")
                ends[track] = event.record.stop

    @property
    def num_frames(self) -> int:
        """Length of the timeline, in frames."""
        return max((event.record.stop for event in self.events), default=0)

    @property
    def sources(self) -> tuple[Source, ...]:
        """The sources, each once, in the order of their first event."""
        return tuple(dict.fromkeys(event.source for event in self.events))

    @property
    def num_video_tracks(self) -> int:
        """Number of video tracks."""
        return 1 + max(
            (e.video_track for e in self.events if e.video_track is not None), default=-1
        )

    @property
    def num_audio_tracks(self) -> int:
        """Number of audio tracks."""
        return 1 + max((sound.track for e in self.events for sound in e.sound), default=-1)


def excerpt(edit: EditList, record: range) -> EditList:
    """Return a stretch of a timeline as one of its own, with all its tracks.

    Args:
        edit: The timeline.
        record: Frames of it, at its rate; something lies there.
    """
    events = []
    for event in edit.events:
        start, stop = max(event.record.start, record.start), min(event.record.stop, record.stop)
        if start >= stop:
            continue
        frames = event.frames
        if (start, stop) != (event.record.start, event.record.stop):
            first, last = (
                frame_at((at - event.record.start) / edit.frame_rate, event.source.frame_rate)
                for at in (start, stop)
            )
            first = min(frames.start + first, frames.stop - 1)
            frames = range(first, min(max(first + 1, frames.start + last), frames.stop))
        events.append(
            replace(
                event,
                frames=frames,
                record=range(start - record.start, stop - record.start),
                markers=tuple(
                    marker
                    for marker in event.markers
                    if frames.start <= marker.frames.start and marker.frames.stop <= frames.stop
                ),
            )
        )
    return replace(edit, events=tuple(events), start_frame=edit.start_frame + record.start)
