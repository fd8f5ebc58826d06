"""What the Resolve plugin must know of a timeline: each item that shall come in, each marker.

Resolve imports a timeline file with or without everything in it, and says nothing about the
difference. The plugin reads the imported timeline back item by item and compares it with this.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from hlcli.errors import UsageError
from hlcli.media.rates import rate_text
from hlcli.timeline.edit_list import EditList, Event, Marker
from hlcli.timeline.formats import fcpxml, otio
from hlcli.timeline.resolve_records import Record, record

_COLORS = {
    "RED": "Red",
    "ORANGE": "Sand",
    "YELLOW": "Yellow",
    "GREEN": "Green",
    "CYAN": "Cyan",
    "BLUE": "Blue",
    "PURPLE": "Purple",
    "MAGENTA": "Fuchsia",
    "PINK": "Pink",
}
"""Resolve's marker colours by OpenTimelineIO's; it has no orange, Sand is the nearest."""
_AS_NAMED: Mapping[str, str] = MappingProxyType({})


def write_timelines(edit: EditList, folder: Path) -> list[str]:
    """Write the files that Resolve is asked to import, and return their paths, the safest first.

    Others measured FCPXML 1.10 to come in whole with `importSourceClips` and without, where
    OpenTimelineIO was whole with it alone and lost places in files of a larger cut; it keeps the
    markers, which the plugin can set itself. FCPXML has no timelines of unusual rates.

    Args:
        edit: The timeline.
        folder: Where they go.

    Raises:
        OutputError: They cannot be written there.
    """
    files: list[str] = []
    for module, name in ((fcpxml, "timeline.fcpxml"), (otio, "timeline.otio")):
        try:
            module.write(edit, folder / name, target="resolve")
        except UsageError:
            continue
        files.append(str(folder / name))
    return files


def plan_records(
    edit: EditList, *, timeline_files: Sequence[str], asked: Mapping[str, str] = _AS_NAMED
) -> Iterator[Record]:
    """Yield what a plugin checks an imported timeline against, or builds it from.

    * `timeline`: `name`, `rate` ("30000/1001"), `length` in frames, numbers of tracks.
    * `import`: `file`, a file of that timeline; the first is the one to try first.
    * `source`: `path` as the timeline names it, `asked` as the plugin named it, `rate`, `frames`.
    * `item`: `source` from 1, `type` "video" or "audio", `track` from 1, `start` and `stop` in
      frames of the file from its first (half-open), `at` and `length` in frames of the timeline
      from its start, `exact` 1 where the file has the rate of the timeline, `event` from 1.
    * `mark`: `event`, `source`, `frame` and `frames` in the file, `at` and `length` on the
      timeline, `color`, `name`, `note` and `id`, which is the same for the same moment.

    Args:
        edit: The timeline.
        timeline_files: Absolute paths of the timeline's files; none for markers alone.
        asked: What the plugin called a media file, by the path of its source.
    """
    sources = {source: number for number, source in enumerate(edit.sources, start=1)}
    yield record(
        "timeline",
        name=edit.name,
        rate=rate_text(edit.frame_rate),
        length=edit.num_frames,
        video_tracks=edit.num_video_tracks,
        audio_tracks=edit.num_audio_tracks,
    )
    for file in timeline_files:
        yield record("import", file=file)
    for source in sources:
        yield record(
            "source",
            path=source.path,
            asked=asked.get(source.path, source.path),
            rate=rate_text(source.frame_rate),
            frames=source.num_frames,
        )
    for number, event in enumerate(edit.events, start=1):
        place = {
            "event": number,
            "source": sources[event.source],
            "start": event.frames.start,
            "stop": event.frames.stop,
            "at": event.record.start,
            "length": len(event.record),
            "exact": int(event.source.frame_rate == edit.frame_rate),
        }
        if event.video_track is not None:
            yield record("item", type="video", track=event.video_track + 1, **place)
        for sound in event.sound:
            yield record("item", type="audio", track=sound.track + 1, **place)
    for number, event in enumerate(edit.events, start=1):
        for marker in event.markers:
            yield _mark(edit, event, marker, event=number, source=sources[event.source])


def _mark(edit: EditList, of: Event, marker: Marker, **numbers: int) -> Record:
    at = of.record_of(marker.frames.start, edit.frame_rate)
    last = of.record_of(marker.frames[-1], edit.frame_rate)
    # Of a cut the moment is the event, of a whole file it is what the marker covers.
    moment = of.frames if of.highlight is not None else marker.frames
    content = (of.source.sha256_head or "")[:12]
    return record(
        "mark",
        **numbers,
        frame=marker.frames.start,
        frames=len(marker.frames),
        at=at,
        length=last + 1 - at,
        color=_COLORS.get(marker.written_color, "Blue"),
        name=marker.name,
        note=marker.comment,
        id=f"hl:{content}-{moment.start}-{moment.stop}",
    )
