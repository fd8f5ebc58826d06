"""LosslessCut projects, `.llc`: the segments of one file.

Segments that are not selected are left out, as LosslessCut leaves them out of an export. A segment
without an end is a marker since version 2 of the format; before, it ended with the file.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

from hlcli.errors import TimelineError
from hlcli.timeline.edit_list import Marker, Source
from hlcli.timeline.read.bounds import ItemCount, json_text, read_bytes
from hlcli.timeline.read.exact import exact_number, possible_seconds
from hlcli.timeline.read.json5 import json_of
from hlcli.timeline.read.one_file import Stretch, edit_of_stretches, find_source
from hlcli.timeline.read.types import Notes, ReadTimeline, listed
from hlcli.timeline.relink import NO_SEARCH, Relinker
from hlcli.timeline.timecode import frame_at

_MARKERS_SINCE = 2


def read(
    path: Path,
    *,
    relinker: Relinker = NO_SEARCH,
    known: Sequence[Source] = (),
    rate: Fraction | None = None,
) -> ReadTimeline:
    """Read one project; the arguments are those of `hlcli.timeline.read.read_timeline`."""
    project = json.loads(json_text(json_of(read_bytes(path).decode("utf-8-sig")).encode()))
    segments = project.get("cutSegments") if isinstance(project, dict) else None
    if not isinstance(segments, list) or not all(isinstance(segment, dict) for segment in segments):
        raise TimelineError(f"{path} is no LosslessCut project", hint="it lacks cutSegments")
    ItemCount().add(len(segments))
    name = project.get("mediaFileName")
    if not isinstance(name, str) or not name:
        raise TimelineError(
            f"{path} does not name its video", hint="save it again with LosslessCut 3.43 or later"
        )
    source = find_source(name, path.parent, relinker=relinker, known=known)
    has_markers = _version(project) >= _MARKERS_SINCE
    notes = Notes()
    unselected = [
        _name(segment) or "a segment" for segment in segments if segment.get("selected") is False
    ]
    if unselected:
        notes.add(f"segments that are not selected are left out: {listed(unselected)}")
    chosen = [segment for segment in segments if segment.get("selected") is not False]
    points = [one for one in chosen if has_markers and one.get("end") is None]
    marks = [_marker(point, range(f := _frame(point["start"], source), f + 1)) for point in points]
    stretches = []
    for segment in chosen:
        if segment in points:
            continue
        frames = range(
            _frame(segment.get("start") or 0, source),
            source.num_frames if segment.get("end") is None else _frame(segment["end"], source),
        )
        within = [mark for mark in marks if mark.frames.start in frames]
        if _name(segment):
            within.insert(0, _marker(segment, range(frames.start, frames.stop)))
        stretches.append(
            Stretch(frames, tuple(one for one in within if one.frames.stop <= source.num_frames))
        )
    outside = [
        m for m in marks if not any(m.frames.start in stretch.frames for stretch in stretches)
    ]
    if outside and not stretches:
        # Only markers: nothing is cut, as with --markers-only.
        stretches = [Stretch(range(source.num_frames), tuple(marks))]
    elif outside:
        notes.add(f"{len(outside)} markers lie outside the segments: left out")
    return edit_of_stretches(path, source, stretches, rate=rate, notes=notes)


def _version(project: dict[str, Any]) -> int:
    version = project.get("version", 1)
    return version if isinstance(version, int) else 1


def _name(segment: dict[str, Any]) -> str:
    name = segment.get("name")
    return name if isinstance(name, str) else ""


def _frame(seconds: Any, source: Source) -> int:
    return frame_at(possible_seconds(exact_number(seconds)), source.frame_rate)


def _marker(segment: dict[str, Any], frames: range) -> Marker:
    # Neither green nor red, which would be a verdict.
    return Marker(frames=frames, name=_name(segment), color="WHITE")
