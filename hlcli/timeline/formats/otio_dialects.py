"""What each family of OpenTimelineIO readers wants: paths, versions, metadata of its own.

What is known about the closed editors comes from files they wrote, from programs that write for
them, and from measurements of their users; what nobody has been seen to test is called unverified
below. `hl`'s own metadata stands beside theirs, nobody minds it.

Where markers go: on the clip of the picture, because such a marker moves with its clip. DaVinci
Resolve reads markers of clips and of the timeline, and would show each moment twice if it had both.
Whether Premiere Pro reads either is unverified, so it gets both: a moment shown twice is better
than none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from hlcli.errors import UsageError
from hlcli.timeline.edit_list import EditList, Event, Marker, Sound
from hlcli.timeline.paths import absolute_path, file_url, readable


@dataclass(frozen=True, slots=True, kw_only=True)
class OtioDialect:
    """Strict OpenTimelineIO: percent-encoded URLs, no metadata of any editor."""

    name: str
    """Value of --for, kept in the timeline's metadata."""
    schema_versions: Mapping[str, int] = field(default_factory=dict)
    """Older versions in which objects are written, by the name of their schema."""
    repeats_markers: bool = False
    """Whether the markers of the clips are also written on the timeline itself."""

    def target_url(self, path: str) -> str:
        """Return what stands for the absolute path of a media file."""
        return file_url(path)

    def timeline_metadata(self, edit: EditList) -> dict[str, Any]:
        """Return the editor's own metadata of the timeline."""
        return {}

    def stack_metadata(self, edit: EditList) -> dict[str, Any]:
        """Return the editor's own metadata of the stack of tracks."""
        return {}

    def track_metadata(self, channels: Sequence[int]) -> dict[str, Any]:
        """Return the editor's own metadata of a track.

        Args:
            channels: Number of channels of each clip on an audio track; empty for video.
        """
        return {}

    def clip_metadata(self, event: Event, sound: Sound | None, link: int) -> dict[str, Any]:
        """Return the editor's own metadata of a clip.

        Args:
            event: What it is a part of.
            sound: Its sound track; None for the picture.
            link: Number of the event, from 1.
        """
        return {}

    def marker_name(self, marker: Marker) -> str:
        """Return what the editor shows first."""
        return marker.name

    def marker_metadata(self, marker: Marker) -> dict[str, Any]:
        """Return the editor's own metadata of a marker."""
        return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolveDialect(OtioDialect):
    """DaVinci Resolve, from 18.5.

    * A bare absolute path, as in its own files: it does not decode "%20".
    * Clips as `Clip.1`: the reader in 18.5 is older than `Clip.2`, newer ones read both.
    * A clip on a video track brings no sound. Sound has tracks of its own, linked by "Link Group
      ID"; "Channels" says which sound track of the file it is, counted from 0.
    * A marker loses its comment, unless it stands in `Resolve_OTIO` too; the name has the reason.
    * "Audio Type" is verified for Mono and Stereo. The names for more channels are those of
      Resolve's own track menu; that it reads them here is unverified.
    """

    name: str = "resolve"
    schema_versions: Mapping[str, int] = field(default_factory=lambda: {"Clip": 1})

    _AUDIO_TYPES: ClassVar[Mapping[int, str]] = {1: "Mono", 2: "Stereo", 6: "5.1", 8: "7.1"}

    def target_url(self, path: str) -> str:
        """Return the bare absolute path.

        Raises:
            UsageError: The name has bytes that are not UTF-8, which only a URL can say.
        """
        bare = absolute_path(path)
        if readable(bare) != bare:
            raise UsageError(
                f"DaVinci Resolve cannot find {readable(bare)}: its name is not valid UTF-8",
                hint="rename the file, or use --for generic for another editor",
            )
        return bare

    def timeline_metadata(self, edit: EditList) -> dict[str, Any]:
        """Return the version of the dialect."""
        return {"Resolve_OTIO": {"Resolve OTIO Meta Version": "1.0"}}

    def track_metadata(self, channels: Sequence[int]) -> dict[str, Any]:
        """Return that the track is not locked, and the widest sound on it."""
        if not channels:
            return {"Resolve_OTIO": {"Locked": False}}
        widest = max(channels)
        kind = self._AUDIO_TYPES.get(widest, f"Adaptive {widest}")
        return {"Resolve_OTIO": {"Audio Type": kind, "Locked": False, "SoloOn": False}}

    def clip_metadata(self, event: Event, sound: Sound | None, link: int) -> dict[str, Any]:
        """Return the link between picture and sound, and the channels of a sound."""
        own: dict[str, Any] = {}
        if len(event.sound) + (event.video_track is not None) > 1:
            own["Link Group ID"] = link
        if sound is not None:
            own["Channels"] = [
                {"Source Channel ID": channel, "Source Track ID": sound.stream}
                for channel in range(event.source.audio[sound.stream].channels)
            ]
        return {"Resolve_OTIO": own}

    def marker_name(self, marker: Marker) -> str:
        """Return name and reason, for a reader that drops the comment."""
        score = "" if marker.score is None else f"score {marker.score:.2f}, "
        return f"{marker.name} {marker.comment.removeprefix(score)}".rstrip()

    def marker_metadata(self, marker: Marker) -> dict[str, Any]:
        """Return the comment where Resolve looks for it."""
        return {"Resolve_OTIO": {"Keywords": [], "Note": marker.comment}}


@dataclass(frozen=True, slots=True, kw_only=True)
class PremiereDialect(OtioDialect):
    """Premiere Pro, from 25.6.

    * A percent-encoded URL: a raw "#" would end the path.
    * Size and rates of the sequence stand on the stack.
    * Clips with one "LinkID" are one clip, so no two events share it.
    * No effect, not even one without effect: a speed of 1.0 makes it drop a clip's own motion.
    * "ChannelType" is verified for Mono and Stereo; what it reads for more channels is unverified,
      they are written as Stereo with every channel assigned.
    """

    name: str = "premiere"
    repeats_markers: bool = True

    def timeline_metadata(self, edit: EditList) -> dict[str, Any]:
        """Return the version of the dialect."""
        return {"PremierePro_OTIO": {"MetadataVersion": "1.0"}}

    def stack_metadata(self, edit: EditList) -> dict[str, Any]:
        """Return size and rates of the sequence."""
        own: dict[str, Any] = {
            "AudioFrameRate": float(edit.sample_rate),
            "PixelAspectRatio": {"numerator": 1.0, "denominator": 1.0},
            "VideoFrameRate": float(edit.frame_rate),
        }
        if edit.width and edit.height:
            own["VideoResolution"] = {"width": edit.width, "height": edit.height}
        return {"PremierePro_OTIO": own}

    def track_metadata(self, channels: Sequence[int]) -> dict[str, Any]:
        """Return the widest sound of an audio track."""
        if not channels:
            return {}
        widest = max(channels)
        kind = {"ChannelType": _channel_type(widest), "NumberOfChannels": widest}
        return {"PremierePro_OTIO": {"AudioChannels": kind}}

    def clip_metadata(self, event: Event, sound: Sound | None, link: int) -> dict[str, Any]:
        """Return the link between picture and sound, and the channels of a sound."""
        own: dict[str, Any] = {
            "LinkID": str(link),
            "OriginalChannelGroupIndex": 0 if sound is None else sound.stream,
            "SourceClipIndex": 0,
        }
        if sound is not None:
            channels = event.source.audio[sound.stream].channels
            own["AudioChannels"] = {
                "ChannelType": _channel_type(channels),
                "SecondaryAssignments": [
                    {"SecondaryChannelIndex": channel} for channel in range(channels)
                ],
            }
        return {"PremierePro_OTIO": own}


def _channel_type(channels: int) -> str:
    return "Mono" if channels == 1 else "Stereo"


RESOLVE = ResolveDialect()
PREMIERE = PremiereDialect()


@dataclass(frozen=True, slots=True, kw_only=True)
class GenericDialect(OtioDialect):
    """For any reader, and as far as one file can be, for those of both editors above.

    Metadata stands under each editor's own name, so one does not see the other's. They differ in
    three things, and here it is decided for most readers: the path is a URL, which Resolve warns
    of; a marker stands on its clip alone, or Resolve would show it twice; and its name is short.
    """

    name: str = "generic"
    schema_versions: Mapping[str, int] = field(
        default_factory=lambda: dict(RESOLVE.schema_versions)
    )

    def timeline_metadata(self, edit: EditList) -> dict[str, Any]:
        """Return what both editors look for."""
        return RESOLVE.timeline_metadata(edit) | PREMIERE.timeline_metadata(edit)

    def stack_metadata(self, edit: EditList) -> dict[str, Any]:
        """Return what both editors look for."""
        return RESOLVE.stack_metadata(edit) | PREMIERE.stack_metadata(edit)

    def track_metadata(self, channels: Sequence[int]) -> dict[str, Any]:
        """Return what both editors look for."""
        return RESOLVE.track_metadata(channels) | PREMIERE.track_metadata(channels)

    def clip_metadata(self, event: Event, sound: Sound | None, link: int) -> dict[str, Any]:
        """Return what both editors look for."""
        return RESOLVE.clip_metadata(event, sound, link) | PREMIERE.clip_metadata(
            event, sound, link
        )

    def marker_metadata(self, marker: Marker) -> dict[str, Any]:
        """Return what both editors look for."""
        return RESOLVE.marker_metadata(marker) | PREMIERE.marker_metadata(marker)


GENERIC = GenericDialect()
DIALECTS: Mapping[str, OtioDialect] = {
    dialect.name: dialect for dialect in (GENERIC, RESOLVE, PREMIERE)
}
"""Dialects by their value of --for."""
