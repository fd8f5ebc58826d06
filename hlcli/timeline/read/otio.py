"""OpenTimelineIO JSON, of `hl` and of any other program."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import opentimelineio as otio

from hlcli.errors import TimelineError
from hlcli.timeline.edit_list import Source
from hlcli.timeline.read.bounds import json_text, read_bytes, reading
from hlcli.timeline.read.edit_of_otio import edit_of_otio
from hlcli.timeline.read.types import ReadTimeline
from hlcli.timeline.relink import NO_SEARCH, Relinker


def read(
    path: Path,
    *,
    relinker: Relinker = NO_SEARCH,
    known: Sequence[Source] = (),
    rate: Fraction | None = None,
) -> ReadTimeline:
    """Read one timeline; the arguments are those of `hlcli.timeline.read.read_timeline`."""
    timeline = load(path, "otio_json")
    return edit_of_otio(timeline, folder=path.parent, relinker=relinker, known=known, rate=rate)


def load(
    path: Path, adapter: str, *, text: str | None = None, **arguments: Any
) -> otio.schema.Timeline:
    """Return the one timeline of a file that an adapter reads.

    Args:
        path: The file.
        adapter: Name of the adapter.
        text: What to read instead of the file's own text, where that had to be changed.
        arguments: The adapter's own.

    Raises:
        TimelineError: The adapter cannot read it, or there is no timeline, or several.
    """
    # Some adapters print; stdout is for data.
    with reading(path), contextlib.redirect_stdout(io.StringIO()):
        if text is None and adapter == "otio_json":
            text = json_text(read_bytes(path))
        content = (
            otio.adapters.read_from_file(str(path), adapter_name=adapter, **arguments)
            if text is None
            else otio.adapters.read_from_string(text, adapter_name=adapter, **arguments)
        )
    return the_timeline(content, path)


def timeline_of_json(text: str, path: Path) -> otio.schema.Timeline:
    """Return the one timeline of OpenTimelineIO JSON.

    Args:
        text: What `hlcli.timeline.read.bounds.json_text` gave.
        path: Where it is from, for messages.

    Raises:
        TimelineError: It cannot be read, or there is no timeline, or several.
    """
    return load(path, "otio_json", text=text)


def the_timeline(content: Any, path: Path) -> otio.schema.Timeline:
    """Return the one timeline of what a file holds.

    Raises:
        TimelineError: There is none, or there are several.
    """
    if isinstance(content, otio.schema.Timeline):
        return content
    if isinstance(content, otio.schema.SerializableCollection):
        found = list(content.find_children(descended_from_type=otio.schema.Timeline))
        if len(found) == 1:
            return found[0]
        if found:
            names = ", ".join(repr(timeline.name) for timeline in found)
            raise TimelineError(
                f"{path} holds {len(found)} timelines: {names}",
                hint="export the one that is wanted into a file of its own",
            )
    if isinstance(content, otio.core.Composition | otio.schema.Clip):
        timeline = otio.schema.Timeline(name=content.name or path.stem)
        if isinstance(content, otio.schema.Stack):
            timeline.tracks = content.deepcopy()
        elif isinstance(content, otio.schema.Track):
            timeline.tracks.append(content.deepcopy())
        else:
            track = otio.schema.Track(name="V1", kind=otio.schema.TrackKind.Video)
            track.append(content.deepcopy())
            timeline.tracks.append(track)
        return timeline
    raise TimelineError(f"{path} holds no timeline", hint="export a timeline, not a bin or a clip")
