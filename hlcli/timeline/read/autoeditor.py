"""Timelines of auto-editor: `.v1` and `.v3`, and `.v2` as far as it is the same.

In a `.v3` everything counts at the timeline's rate, and where a clip is sped up its offset counts
frames of the sped-up file.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import opentimelineio as otio

from hlcli.errors import TimelineError
from hlcli.media.rates import rate_text
from hlcli.timeline.edit_list import Source
from hlcli.timeline.paths import media_path
from hlcli.timeline.read.bounds import ItemCount, json_text, read_bytes
from hlcli.timeline.read.edit_of_otio import edit_of_otio
from hlcli.timeline.read.exact import exact_number, exact_rate, whole_or_zero
from hlcli.timeline.read.one_file import Stretch, edit_of_stretches, find_source
from hlcli.timeline.read.types import Notes, ReadTimeline
from hlcli.timeline.relink import NO_SEARCH, Relinker

_CUT_SPEEDS = (0, 99999)
_HINT = "export it again with auto-editor: --export v3"


def read(
    path: Path,
    *,
    relinker: Relinker = NO_SEARCH,
    known: Sequence[Source] = (),
    rate: Fraction | None = None,
) -> ReadTimeline:
    """Read one timeline; the arguments are those of `hlcli.timeline.read.read_timeline`."""
    value = json.loads(json_text(read_bytes(path)))
    version = str(value.get("version")) if isinstance(value, dict) else "none"
    if version == "1":
        return _read_v1(path, value, relinker=relinker, known=known, rate=rate)
    if version == "3":
        lengths: dict[str, Fraction] = {}

        def length_of(name: str) -> Fraction:
            if name not in lengths:
                source = find_source(name, path.parent, relinker=relinker, known=known)
                lengths[name] = source.num_frames / source.frame_rate
            return lengths[name]

        timeline = _timeline(path, value, length_of)
        return edit_of_otio(timeline, folder=path.parent, relinker=relinker, known=known, rate=rate)
    raise TimelineError(f"{path} is no timeline of auto-editor that hl reads", hint=_HINT)


def _read_v1(
    path: Path,
    value: dict[str, Any],
    *,
    relinker: Relinker,
    known: Sequence[Source],
    rate: Fraction | None,
) -> ReadTimeline:
    name, chunks = value.get("source"), value.get("chunks")
    if not isinstance(name, str) or not name or not isinstance(chunks, list):
        raise TimelineError(f"{path} lacks its source or its chunks", hint=_HINT)
    ItemCount().add(len(chunks))
    source = find_source(name, path.parent, relinker=relinker, known=known)
    notes = Notes()
    stretches = []
    for chunk in chunks:
        start, end, speed = map(exact_number, chunk)
        if speed in _CUT_SPEEDS:
            continue
        if speed != 1:
            notes.add("chunks of another speed are taken at normal speed")
        stretches.append(Stretch(range(int(start), int(end))))
    return edit_of_stretches(path, source, stretches, rate=rate, notes=notes)


def _timeline(
    path: Path, value: dict[str, Any], length_of: Callable[[str], Fraction]
) -> otio.schema.Timeline:
    rate = exact_rate(value.get("timebase", ""))
    timeline = otio.schema.Timeline(name=path.stem)
    resolution = value.get("resolution")
    width, height = resolution if isinstance(resolution, list) and len(resolution) == 2 else (0, 0)
    timeline.metadata["hl"] = {
        "frame_rate": rate_text(rate),
        "width": whole_or_zero(width),
        "height": whole_or_zero(height),
        "sample_rate": whole_or_zero(value.get("samplerate")),
    }
    count = ItemCount()
    for key, kind in (("v", otio.schema.TrackKind.Video), ("a", otio.schema.TrackKind.Audio)):
        for number, clips in enumerate(value.get(key) or []):
            count.add(len(clips))
            track = otio.schema.Track(name=f"{kind[0]}{number + 1}", kind=kind)
            at = 0
            for clip in sorted(clips, key=lambda clip: exact_number(clip["start"])):
                start, length = int(exact_number(clip["start"])), int(exact_number(clip["dur"]))
                if start < at:
                    raise TimelineError(f"clips of {path} lie on one another", hint=_HINT)
                if start > at:
                    track.append(otio.schema.Gap(source_range=_range(0, start - at, rate)))
                track.append(_item(clip, length, rate, length_of))
                at = start + length
            timeline.tracks.append(track)
    return timeline


def _item(
    clip: dict[str, Any], length: int, rate: Fraction, length_of: Callable[[str], Fraction]
) -> otio.core.Item:
    effects = clip.get("effects") or []
    if clip.get("src") is None or "cut" in effects:
        return otio.schema.Gap(source_range=_range(0, length, rate))
    speed = exact_number(clip.get("speed", 1))
    item = otio.schema.Clip(name=media_path(clip["src"]).name)
    for effect in effects:
        name, _, amount = str(effect).partition(":")
        if name in ("speed", "varispeed"):
            speed *= exact_number(amount)
        elif name != "nil":
            item.effects.append(otio.schema.Effect(name=name, effect_name=name))
    if speed != 1:
        item.effects.append(otio.schema.LinearTimeWarp(time_scalar=float(speed)))
    if clip.get("name") == "image":
        item.media_reference = otio.schema.GeneratorReference(name="image")
    else:
        item.media_reference = otio.schema.ExternalReference(
            target_url=clip["src"],
            # A file is counted from its first frame, whatever its timecode.
            available_range=_range(0, math.ceil(length_of(clip["src"]) * rate), rate),
        )
    start = round(exact_number(clip["offset"]) * speed)
    item.source_range = _range(start, length, rate)
    item.metadata["hl"] = {"source": {"audio_stream": whole_or_zero(clip.get("stream"))}}
    return item


def _range(start: int, length: int, rate: Fraction) -> otio.opentime.TimeRange:
    return otio.opentime.TimeRange(
        otio.opentime.RationalTime(start, float(rate)),
        otio.opentime.RationalTime(length, float(rate)),
    )
