"""OpenTimelineIO JSON, strict or as one editor wants it.

Every range of a source counts from the file's own start timecode, as editors do: a range that
counts from 0 is "not found" by an editor that reads the timecode.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import opentimelineio as otio

from hlcli import __version__
from hlcli.atomic import write_text
from hlcli.timeline.edit_list import EditList, Event, Marker, Source
from hlcli.timeline.paths import file_url, readable

METADATA_VERSION = 1
"""Version of what stands under `metadata["hl"]`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """How one family of readers wants its timeline."""

    name: str
    """Value of --for, kept in the timeline's metadata."""
    target_url: Callable[[str], str]
    """Turns the absolute path of a media file into what `target_url` holds."""


GENERIC = Dialect(name="generic", target_url=file_url)
"""Strict URLs, plain OpenTimelineIO."""
DIALECTS = {dialect.name: dialect for dialect in (GENERIC,)}
"""Dialects by their value of --for."""


def write(edit: EditList, path: Path, *, target: str = "generic") -> None:
    """Write OpenTimelineIO JSON, the same bytes for the same edit list.

    Raises:
        OutputError: It cannot be written there.
    """
    timeline = otio_timeline(edit, DIALECTS[target])
    write_text(path, timeline.to_json_string(indent=2) + "\n")


def otio_timeline(edit: EditList, dialect: Dialect = GENERIC) -> otio.schema.Timeline:
    """Turn an edit list into an OpenTimelineIO timeline."""
    timeline = otio.schema.Timeline(
        name=edit.name,
        global_start_time=otio.opentime.RationalTime(edit.start_frame, float(edit.frame_rate)),
        metadata={
            "hl": {
                "version": METADATA_VERSION,
                "created_with": f"hl {__version__}",
                "dialect": dialect.name,
                "frame_rate": _ratio(edit.frame_rate),
                "drop_frame": edit.drop_frame,
                "width": edit.width,
                "height": edit.height,
                "num_moments": sum(event.finding is not None for event in edit.events),
            }
        },
    )
    for number in range(edit.num_video_tracks):
        events = [event for event in edit.events if event.video_track == number]
        timeline.tracks.append(
            _track(f"V{number + 1}", otio.schema.TrackKind.Video, events, edit, dialect)
        )
    for number in range(edit.num_audio_tracks):
        events = [e for e in edit.events if any(sound.track == number for sound in e.sound)]
        timeline.tracks.append(
            _track(f"A{number + 1}", otio.schema.TrackKind.Audio, events, edit, dialect)
        )
    return timeline


def _track(
    name: str, kind: str, events: list[Event], edit: EditList, dialect: Dialect
) -> otio.schema.Track:
    track = otio.schema.Track(name=name, kind=kind)
    at = 0
    for event in events:
        if event.record.start > at:
            track.append(_gap(event.record.start - at, edit.frame_rate))
        clip = _clip(event, dialect)
        if kind == otio.schema.TrackKind.Video:
            clip.markers.extend(_marker(event.source, marker) for marker in event.markers)
        track.append(clip)
        at = event.record.stop
    if at < edit.num_frames:
        track.append(_gap(edit.num_frames - at, edit.frame_rate))
    return track


def _gap(num_frames: int, frame_rate: Fraction) -> otio.schema.Gap:
    return otio.schema.Gap(source_range=_range(0, num_frames, frame_rate))


def _clip(event: Event, dialect: Dialect) -> otio.schema.Clip:
    source = event.source
    media = otio.schema.ExternalReference(
        target_url=dialect.target_url(source.path),
        available_range=_range(source.start_frame, source.num_frames, source.frame_rate),
    )
    media.name = source.name
    return otio.schema.Clip(
        name=source.name,
        media_reference=media,
        source_range=_range(
            source.start_frame + event.frames.start, len(event.frames), source.frame_rate
        ),
        metadata={"hl": _metadata(event)},
    )


def _metadata(event: Event) -> dict[str, Any]:
    source = event.source
    metadata: dict[str, Any] = {"version": METADATA_VERSION}
    if event.finding is not None:
        moment = event.finding.moment
        metadata |= {
            "rank": event.finding.rank,
            "score": _short(moment.score),
            "why": moment.why,
            "picture": _short(moment.picture),
            "sound": _short(moment.sound),
            "peak_seconds": _short(moment.peak_seconds),
            "start_seconds": _short(moment.start_seconds),
            "end_seconds": _short(moment.end_seconds),
        }
    metadata["source"] = {
        "sha256_head": source.sha256_head,
        "frame_rate": _ratio(source.frame_rate),
        "is_variable_rate": source.is_variable_rate,
        "start_timecode": source.start_timecode,
        "drop_frame": source.drop_frame,
        "width": source.width,
        "height": source.height,
        "rotation_degrees": source.rotation_degrees,
        "damage": None if source.damage is None else readable(source.damage),
    }
    if event.finding is not None:
        model = event.finding.model
        metadata["model"] = {"name": model.name, "version": model.version, "sha256": model.sha256}
    return metadata


def _marker(source: Source, marker: Marker) -> otio.schema.Marker:
    """Turn a marker into OpenTimelineIO's, counted like the clip's own range."""
    made = otio.schema.Marker(
        name=marker.name,
        marked_range=_range(
            source.start_frame + marker.frames.start, len(marker.frames), source.frame_rate
        ),
        color=marker.color,
        metadata={"hl": {"version": METADATA_VERSION, "rank": marker.rank}},
    )
    made.comment = marker.comment
    return made


def _range(start: int, num_frames: int, frame_rate: Fraction) -> otio.opentime.TimeRange:
    rate = float(frame_rate)
    return otio.opentime.TimeRange(
        otio.opentime.RationalTime(float(start), rate),
        otio.opentime.RationalTime(float(num_frames), rate),
    )


def _ratio(frame_rate: Fraction) -> str:
    return f"{frame_rate.numerator}/{frame_rate.denominator}"


def _short(value: float | None) -> float | None:
    return None if value is None else round(value, 6) + 0.0
