"""OpenTimelineIO JSON, strict or as one editor wants it: `hlcli.timeline.formats.otio_dialects`.

* Every range of a source counts from the file's own start timecode, as editors do: a range that
  counts from 0 is "not found" by an editor that reads the timecode.
* A range keeps the rate of its source, so a clip of another rate than the timeline's may end within
  one of its frames. A gap is as long as what lies beside it on other tracks, fractions included:
  clips that meet do so at the same instant on every track, however a reader rounds it.
* Picture and sound of one event have the same `metadata["hl"]["link"]`, which no other event has.
* `metadata["hl"]` holds what OpenTimelineIO has no field for: `hl` reads back what it wrote.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import opentimelineio as otio

from hlcli import __version__
from hlcli.atomic import write_text
from hlcli.media.rates import rate_text
from hlcli.moments import Moment
from hlcli.timeline.edit_list import EditList, Event, Marker, Sound, Source
from hlcli.timeline.formats.otio_dialects import DIALECTS, GENERIC, OtioDialect
from hlcli.timeline.paths import readable

METADATA_VERSION = 1
"""Version of what stands under `metadata["hl"]`."""


def write(edit: EditList, path: Path, *, target: str = "generic") -> None:
    """Write OpenTimelineIO JSON, the same bytes for the same edit list.

    Raises:
        OutputError: It cannot be written there.
        UsageError: The editor could not find a source by its name.
    """
    write_text(path, otio_text(edit, DIALECTS[target]))


def otio_text(edit: EditList, dialect: OtioDialect = GENERIC) -> str:
    """Return the JSON of an edit list.

    Raises:
        UsageError: The editor could not find a source by its name.
    """
    return json_text(otio_timeline(edit, dialect), dialect)


def json_text(timeline: otio.schema.Timeline, dialect: OtioDialect) -> str:
    """Return the JSON of a timeline, in the versions of OpenTimelineIO's objects it is read in."""
    # An explicit dictionary: none would take versions from the environment.
    versions = dict(dialect.schema_versions)
    text: str = otio.adapters.otio_json.write_to_string(timeline, versions, indent=2)
    return text + "\n"


def otio_timeline(edit: EditList, dialect: OtioDialect = GENERIC) -> otio.schema.Timeline:
    """Turn an edit list into an OpenTimelineIO timeline.

    Raises:
        UsageError: The editor could not find a source by its name.
    """
    timeline = otio.schema.Timeline(
        name=edit.name,
        global_start_time=otio.opentime.RationalTime(edit.start_frame, float(edit.frame_rate)),
        metadata={
            "hl": {
                "version": METADATA_VERSION,
                "created_with": f"hl {__version__}",
                "dialect": dialect.name,
                "frame_rate": rate_text(edit.frame_rate),
                "drop_frame": edit.drop_frame,
                "width": edit.width,
                "height": edit.height,
                "sample_rate": edit.sample_rate,
                "num_moments": sum(event.highlight is not None for event in edit.events),
            }
        }
        | dialect.timeline_metadata(edit),
    )
    timeline.tracks.metadata.update(dialect.stack_metadata(edit))
    if dialect.repeats_markers:
        timeline.tracks.markers.extend(_timeline_markers(edit, dialect))
    places = _places(edit)
    for number in range(edit.num_video_tracks):
        on_track: list[tuple[Event, Sound | None]] = [
            (event, None) for event in edit.events if event.video_track == number
        ]
        timeline.tracks.append(_track(f"V{number + 1}", on_track, edit, places, dialect))
    for number in range(edit.num_audio_tracks):
        on_track = [
            (event, sound)
            for event in edit.events
            for sound in event.sound
            if sound.track == number
        ]
        if on_track:  # An empty track is nothing an editor needs.
            timeline.tracks.append(_track(f"A{number + 1}", on_track, edit, places, dialect))
    return timeline


def _places(edit: EditList) -> dict[int, tuple[Fraction, Fraction]]:
    """Return the exact start and end of each event by its `id`, in frames of the timeline.

    One that begins in the frame in which another ended begins at the instant at which that ended.
    """
    places: dict[int, tuple[Fraction, Fraction]] = {}
    ends: dict[int, Fraction] = {}
    for event in sorted(edit.events, key=lambda event: event.record.start):
        start = ends.get(event.record.start, Fraction(event.record.start))
        end = start + len(event.frames) * edit.frame_rate / event.source.frame_rate
        ends.setdefault(event.record.stop, end)
        places[id(event)] = (start, end)
    return places


def _track(
    name: str,
    on_track: list[tuple[Event, Sound | None]],
    edit: EditList,
    places: dict[int, tuple[Fraction, Fraction]],
    dialect: OtioDialect,
) -> otio.schema.Track:
    channels = [event.source.audio[sound.stream].channels for event, sound in on_track if sound]
    track = otio.schema.Track(
        name=name,
        kind=otio.schema.TrackKind.Audio if channels else otio.schema.TrackKind.Video,
        metadata=dialect.track_metadata(channels),
    )
    links = {id(event): link for link, event in enumerate(edit.events, start=1)}
    at = Fraction(0)
    for event, sound in on_track:
        start, end = places[id(event)]
        if start > at:
            track.append(_gap(start - at, edit.frame_rate))
        clip = _clip(event, sound, links[id(event)], dialect)
        if sound is None:
            clip.markers.extend(_marker(event.source, marker, dialect) for marker in event.markers)
        track.append(clip)
        at = max(start, at) + end - start
    rest = max(end for _, end in places.values()) - at
    if rest > 0:
        track.append(_gap(rest, edit.frame_rate))
    return track


def _gap(num_frames: Fraction, frame_rate: Fraction) -> otio.schema.Gap:
    return otio.schema.Gap(source_range=_range(0, num_frames, frame_rate))


def _clip(event: Event, sound: Sound | None, link: int, dialect: OtioDialect) -> otio.schema.Clip:
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
        metadata={"hl": _metadata(event, sound, link)} | dialect.clip_metadata(event, sound, link),
    )


def _metadata(event: Event, sound: Sound | None, link: int) -> dict[str, Any]:
    source = event.source
    metadata: dict[str, Any] = {"version": METADATA_VERSION, "link": link}
    if event.highlight is not None:
        moment = event.highlight.moment
        metadata |= {
            "rank": event.highlight.rank,
            "score": _short(moment.score),
            "why": moment.why,
            "picture": _short(moment.picture),
            "sound": _short(moment.sound),
            "peak_seconds": _short(moment.peak_seconds),
            "start_seconds": _short(moment.start_seconds),
            "end_seconds": _short(moment.end_seconds),
        }
        metadata |= _reasons(moment)
    metadata["source"] = {
        "sha256_head": source.sha256_head,
        "frame_rate": rate_text(source.frame_rate),
        "is_variable_rate": source.is_variable_rate,
        "start_timecode": source.start_timecode,
        "has_timecode_track": source.has_timecode_track,
        "drop_frame": source.drop_frame,
        "width": source.width,
        "height": source.height,
        "rotation_degrees": source.rotation_degrees,
        "num_frames": source.num_frames,
        "audio": [
            {"channels": track.channels, "sample_rate": track.sample_rate} for track in source.audio
        ],
        "audio_stream": None if sound is None else sound.stream,
        "damage": None if source.damage is None else readable(source.damage),
    }
    if event.highlight is not None:
        model = event.highlight.model
        metadata["model"] = {"name": model.name, "version": model.version, "sha256": model.sha256}
    return metadata


def _marker(source: Source, marker: Marker, dialect: OtioDialect) -> otio.schema.Marker:
    """Turn a marker into OpenTimelineIO's, counted like the clip's own range."""
    return _named(
        marker,
        _range(source.start_frame + marker.frames.start, len(marker.frames), source.frame_rate),
        dialect,
    )


def _timeline_markers(edit: EditList, dialect: OtioDialect) -> Iterator[otio.schema.Marker]:
    """Yield the markers once more, counted from the start of the timeline."""
    for event in edit.events:
        for marker in event.markers:
            start = event.record_of(marker.frames.start, edit.frame_rate)
            end = event.record_of(marker.frames[-1], edit.frame_rate) + 1
            yield _named(marker, _range(start, end - start, edit.frame_rate), dialect)


def _reasons(of: Moment | Marker) -> dict[str, Any]:
    return {"reasons": [readable(reason) for reason in of.reasons]} if of.reasons else {}


def _named(
    marker: Marker, marked_range: otio.opentime.TimeRange, dialect: OtioDialect
) -> otio.schema.Marker:
    made = otio.schema.Marker(
        name=dialect.marker_name(marker),
        marked_range=marked_range,
        color=marker.written_color,
        metadata={
            "hl": {
                "version": METADATA_VERSION,
                "rank": marker.rank,
                "score": _short(marker.score),
                "name": marker.name,
            }
            | _reasons(marker)
        }
        | dialect.marker_metadata(marker),
    )
    made.comment = marker.comment
    return made


def _range(start: int, num_frames: int | Fraction, frame_rate: Fraction) -> otio.opentime.TimeRange:
    rate = float(frame_rate)
    return otio.opentime.TimeRange(
        otio.opentime.RationalTime(float(start), rate),
        otio.opentime.RationalTime(float(num_frames), rate),
    )


def _short(value: float | None) -> float | None:
    return None if value is None else round(value, 6) + 0.0
