"""FCPXML, as `hl`, Final Cut Pro and DaVinci Resolve write it.

A project becomes an OpenTimelineIO timeline with one picture and one sound track for each lane,
which `edit_of_otio` turns into an edit list with its notes on what cuts cannot say.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import opentimelineio as otio

from hlcli.errors import TimelineError
from hlcli.media.rates import rate_text
from hlcli.timeline.edit_list import EditList, Source
from hlcli.timeline.read.bounds import MOST_TRACKS, TooMuchError, reading, xml_root
from hlcli.timeline.read.edit_of_otio import edit_of_otio
from hlcli.timeline.read.exact import exact_number
from hlcli.timeline.read.fcpxml_assets import Assets
from hlcli.timeline.read.fcpxml_clips import Placed
from hlcli.timeline.read.fcpxml_story import Story
from hlcli.timeline.read.types import ReadTimeline
from hlcli.timeline.relink import NO_SEARCH, Relinker

_HINT = "export it again from the program that made it"


def read_fcpxml(path: Path) -> EditList:
    """Return the cuts of an FCPXML file, without the notes of `read`.

    Raises:
        TimelineError: It is damaged, holds no project or several, or cannot be cut.
        MediaError: A media file cannot be used.
    """
    with reading(path):
        return read(path).edit


def read(
    path: Path,
    *,
    relinker: Relinker = NO_SEARCH,
    known: Sequence[Source] = (),
    rate: Fraction | None = None,
) -> ReadTimeline:
    """Read one project; the arguments are those of `hlcli.timeline.read.read_timeline`."""
    timeline, left_out = _timeline(xml_root(path, "fcpxml", title="FCPXML"), path)
    return edit_of_otio(
        timeline, folder=path.parent, relinker=relinker, known=known, rate=rate, notes=left_out
    )


def _timeline(root: ET.Element, path: Path) -> tuple[otio.schema.Timeline, tuple[str, ...]]:
    """Return the one project of a file, and what it says that no timeline can."""
    projects = list(root.iter("project"))
    if len(projects) != 1:
        names = ", ".join(repr(project.get("name", "")) for project in projects)
        raise TimelineError(
            f"{path} holds {len(projects)} projects{': ' if names else ''}{names}",
            hint="export the one project that is wanted into a file of its own",
        )
    sequence = projects[0].find("sequence")
    if sequence is None:
        raise TimelineError(f"{path} holds a project without a timeline", hint=_HINT)
    assets = Assets(root)
    shape = assets.shape(sequence.get("format", ""))
    if shape.frame_rate is None:
        raise TimelineError(f"{path} does not say its frame rate", hint=_HINT)
    story = Story(assets, shape.frame_rate)
    placed = story.placed(sequence)
    timeline = otio.schema.Timeline(name=projects[0].get("name") or path.stem)
    start_seconds = assets.seconds(sequence.get("tcStart", "0s"))
    timeline.global_start_time = _time(start_seconds, shape.frame_rate)
    timeline.metadata["hl"] = {
        "frame_rate": rate_text(shape.frame_rate),
        "drop_frame": sequence.get("tcFormat") == "DF",
        "width": shape.width,
        "height": shape.height,
        "sample_rate": _sample_rate(sequence.get("audioRate")),
    }
    for kind in (otio.schema.TrackKind.Video, otio.schema.TrackKind.Audio):
        timeline.tracks.extend(
            _tracks([p for p in placed if p.kind == kind], kind, shape.frame_rate)
        )
    for marker in story.markers_of_gaps:
        timeline.tracks.markers.append(marker)
    return timeline, story.left_out()


def _tracks(placed: Sequence[Placed], kind: str, rate: Fraction) -> list[otio.schema.Track]:
    """Lay the clips of each lane on a track; what overlaps there gets further ones above it."""
    is_video = kind == otio.schema.TrackKind.Video
    lowest = min((part.lane for part in placed if is_video), default=0)
    rows: dict[tuple[int, int], list[Placed]] = {}
    # Sound below the spine comes after that above it: track 1 is the spine's.
    for part in sorted(placed, key=lambda part: part.start):
        lane = part.lane - min(0, lowest) if is_video or part.lane >= 0 else 1000 - part.lane
        number = 0
        while (row := rows.setdefault((lane, number), [])) and row[-1].stop > part.start:
            number += 1
            if number > MOST_TRACKS:
                raise TooMuchError(f"more than {MOST_TRACKS:,} clips lie over each other")
        row.append(part)
    tracks: list[otio.schema.Track] = []
    last = 0
    for (lane, _), row in sorted(rows.items()):
        # Empty lanes count for pictures: what lay in lane 2 stays on the third track.
        last = max(last + 1, lane + 1 if is_video else 0)
        track = otio.schema.Track(name=f"{kind[0]}{last}", kind=kind)
        at = Fraction(0)
        for part in row:
            if part.start > at:
                gap = otio.opentime.TimeRange(
                    _time(Fraction(0), rate), _time(part.start - at, rate)
                )
                track.append(otio.schema.Gap(source_range=gap))
            track.append(part.clip)
            at = part.stop
        tracks.append(track)
    return tracks


def _time(seconds: Fraction, rate: Fraction) -> otio.opentime.RationalTime:
    return otio.opentime.RationalTime(float(seconds * rate), float(rate))


def _sample_rate(text: str | None) -> int | None:
    """Read "48k" or "44.1k", in Hz."""
    match = re.fullmatch(r"(\d+(?:\.\d)?)k", text or "")
    return None if match is None else round(exact_number(match[1]) * 1000)
