"""Timelines of auto-editor: `.v1`, the cuts of one file in its own order, and `.v3`, tracks.

auto-editor calls them `.json` as well, which is a scores document here; it reads these endings
alike. A `.v1` counts in frames of its file, a `.v3` everything at the rate of the timeline.
"""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

from hlcli.atomic import write_text
from hlcli.errors import UsageError
from hlcli.timeline.edit_list import EditList, Event
from hlcli.timeline.formats.one_file import only_source

CUT = 99999.0
"""Speed of what a `.v1` leaves out."""


def write(edit: EditList, path: Path, *, target: str = "autoeditor") -> None:
    """Write a timeline of the version that the extension names, the same bytes for the same cuts.

    Raises:
        UsageError: A `.v1` cannot hold the timeline: several files, or another order than theirs.
        OutputError: It cannot be written there.
    """
    is_linear = path.suffix.lower() == ".v1"
    write_text(path, json.dumps(_v1(edit) if is_linear else _v3(edit), indent=1) + "\n")


def _v1(edit: EditList) -> dict[str, Any]:
    source = only_source(edit, "auto-editor's v1")
    chunks: list[list[float]] = []
    at = 0
    for event in edit.events:
        if event.frames.start < at:
            raise UsageError(
                f"auto-editor's v1 has the cuts in the order of their file, {edit.name} has not",
                hint="leave --order rank out, or write .v3",
            )
        if event.frames.start > at:
            chunks.append([at, event.frames.start, CUT])
        chunks.append([event.frames.start, event.frames.stop, 1.0])
        at = event.frames.stop
    if at < source.num_frames:
        chunks.append([at, source.num_frames, CUT])
    rate = source.frame_rate
    return {
        "version": "1",
        "source": source.path,
        "timebase": f"{rate.numerator}/{rate.denominator}",
        "chunks": chunks,
    }


def _v3(edit: EditList) -> dict[str, Any]:
    pictures: list[list[dict[str, Any]]] = [[] for _ in range(edit.num_video_tracks)]
    sounds: list[list[dict[str, Any]]] = [[] for _ in range(edit.num_audio_tracks)]
    for event in edit.events:
        if event.video_track is not None:
            pictures[event.video_track].append(_clip(event, edit, "video", 0))
        for sound in event.sound:
            sounds[sound.track].append(_clip(event, edit, "audio", sound.stream))
    first = edit.sources[0]
    return {
        "version": "3",
        "templateFile": first.path,
        "timebase": f"{edit.frame_rate.numerator}/{edit.frame_rate.denominator}",
        "background": "#000000",
        "resolution": [edit.width, edit.height],
        "samplerate": edit.sample_rate,
        "layout": "stereo",
        "langs": list(itertools.repeat("und", len(pictures) + len(sounds))),
        "v": pictures,
        "a": sounds,
    }


def _clip(event: Event, edit: EditList, kind: str, stream: int) -> dict[str, Any]:
    frames = event.conformed(edit.frame_rate)
    # The older releases want name, speed and volume; the newer ones pass them over.
    clip: dict[str, Any] = {
        "name": kind,
        "src": event.source.path,
        "start": event.record.start,
        "dur": len(event.record),
        "offset": frames.start,
        "speed": 1.0,
        "stream": stream,
    }
    return clip if kind == "video" else clip | {"volume": 1}
