"""LosslessCut projects: one file, and its segments in seconds.

A project names its file without a folder and is looked for beside it, so it belongs there. A marker
is a segment without an end. What a project cannot hold, several files, is refused.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hlcli.atomic import write_text
from hlcli.timeline.edit_list import EditList, Event
from hlcli.timeline.formats.one_file import only_source
from hlcli.timeline.paths import media_path

VERSION = 2
"""Version of the project, as LosslessCut 3.65 and later writes it."""
_DECIMALS = 6


def write(edit: EditList, path: Path, *, target: str = "losslesscut") -> None:
    """Write a project, the same bytes for the same edit list. JSON is a part of its JSON5.

    Raises:
        UsageError: The timeline takes from several files.
        OutputError: It cannot be written there.
    """
    source = only_source(edit, "a LosslessCut project")
    project = {
        "version": VERSION,
        "mediaFileName": media_path(source.path).name,
        "cutSegments": [segment for event in edit.events for segment in _segments(event)],
    }
    write_text(path, json.dumps(project, indent=2) + "\n")


def _segments(event: Event) -> Iterator[dict[str, Any]]:
    rate = event.source.frame_rate

    def seconds(frame: int) -> float:
        return round(float(frame / rate), _DECIMALS)

    if event.highlight is not None:
        name = next((marker.name for marker in event.markers), "")
        highlight = event.highlight
        tags = {"rank": str(highlight.rank), "score": f"{highlight.moment.score:.2f}"}
        start, end = seconds(event.frames.start), seconds(event.frames.stop)
        yield {"start": start, "end": end, "name": name, "tags": tags, "selected": True}
        return
    # A whole file with markers: nothing is cut.
    for marker in event.markers:
        yield {"start": seconds(marker.frames.start), "name": marker.name, "selected": True}
