"""Rules for OpenTimelineIO files: structure, rates and ranges."""

from __future__ import annotations

import json
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import opentimelineio as otio

from hlcli.timeline.check.findings import Findings
from hlcli.timeline.check.media_paths import check_names, check_path
from hlcli.timeline.check.otio_sound import PlacedClip, check_links, check_sound
from hlcli.timeline.check.rates import check_timeline_rate, is_exact
from hlcli.timeline.paths import readable
from hlcli.timeline.read.bounds import json_text, read_bytes
from hlcli.timeline.read.exact import entry, exact_rate, exact_seconds
from hlcli.timeline.read.otio import load
from hlcli.timeline.timecode import format_timecode, frame_at, start_frame


def check(path: Path, findings: Findings) -> None:
    """Check one file.

    Raises:
        TimelineError: It cannot be read, or holds no timeline or several.
    """
    if not _check_schemas(path, findings):
        return
    timeline = load(path, "otio_json")
    rate = _rate(timeline)
    _check_whole(timeline, rate, findings)
    clips = list(_placed(timeline, rate, findings))
    if not clips:
        findings.add("no-clip", readable(timeline.name), "the timeline has no clip")
    paths = []
    for placed in clips:
        file = _check_media(placed, findings)
        if file is not None:
            paths.append(file)
            _check_range(placed, file, findings)
            check_sound(placed, file, findings)
        _check_effects(placed.clip, placed.where, findings)
        _check_markers(placed.clip.markers, placed.where, findings)
    _check_markers(timeline.tracks.markers, "the timeline", findings)
    check_links(clips, findings)
    check_names(list(dict.fromkeys(paths)), findings)


def _check_schemas(path: Path, findings: Findings) -> bool:
    """Look at the versions as they stand in the file, and say whether it can be read.

    Reading upgrades old versions, and stops at one that is not known.
    """
    try:
        raw = json.loads(json_text(read_bytes(path)))
    except ValueError:
        return True  # Reading says what is wrong.
    known = otio.core.type_version_map()
    versions: dict[str, None] = {}
    stack, is_known = [raw], True
    while stack:
        value = stack.pop()
        if isinstance(value, dict):
            if isinstance(value.get("OTIO_SCHEMA"), str):
                versions.setdefault(value["OTIO_SCHEMA"])
            stack += value.values()
        elif isinstance(value, list):
            stack += value
    for schema in sorted(versions):
        name, _, number = schema.rpartition(".")
        if schema == "Clip.2":
            findings.add("schema-clip-2", "the file", "its clips are Clip.2")
        if name in known and number.isdigit() and int(number) > known[name]:
            findings.add("schema-unknown", "the file", f"it has objects of version {schema}")
            is_known = False
    return is_known


def _rate(timeline: otio.schema.Timeline) -> Fraction:
    own = entry(timeline.metadata, "hl", "frame_rate")
    if own is not None:
        return exact_rate(own)
    if timeline.global_start_time is not None:
        return exact_rate(timeline.global_start_time.rate)
    for clip in timeline.find_clips():
        if clip.source_range is not None:
            return exact_rate(clip.source_range.duration.rate)
    return Fraction(24)


def _check_whole(timeline: otio.schema.Timeline, rate: Fraction, findings: Findings) -> None:
    called = readable(timeline.name) or "the timeline"
    if not timeline.name:
        findings.add("name-missing", called, "it has no name")
    start = timeline.global_start_time
    if start is None:
        findings.add("start-missing", called, "it has no global_start_time")
    else:
        _check_rate(start.rate, called, findings)
    check_timeline_rate(rate, called, findings)
    own = entry(timeline.tracks.metadata, "PremierePro_OTIO")
    size = entry(own, "VideoResolution")
    if entry(size, "width") is None or entry(size, "height") is None:
        findings.add("frame-size-missing", called, "its stack has no VideoResolution")
    else:
        wanted = (entry(timeline.metadata, "hl", "width"), entry(timeline.metadata, "hl", "height"))
        found = (int(size["width"]), int(size["height"]))
        if all(wanted) and found != wanted:
            findings.add(
                "frame-size-differs",
                called,
                f"the VideoResolution is {found[0]}x{found[1]}, "
                f"the timeline {wanted[0]}x{wanted[1]}",
            )
    stated = entry(own, "VideoFrameRate")
    if stated is not None:
        _check_rate(stated, f"{called}, VideoFrameRate", findings)
        if exact_rate(stated) != rate:
            findings.add(
                "sequence-rate-differs", called, f"the VideoFrameRate is {stated:g}, not {rate}"
            )


def _placed(
    timeline: otio.schema.Timeline, rate: Fraction, findings: Findings
) -> Iterator[PlacedClip]:
    """Yield the clips of all tracks; what lies deeper than a track is said and passed over."""
    base = timeline.global_start_time
    first = 0 if base is None else frame_at(exact_seconds(base), rate)
    counts: dict[str, int] = {}
    for track in timeline.tracks:
        if not isinstance(track, otio.schema.Track):
            findings.add(
                "nested-sequence", readable(track.name), f"a {type(track).__name__} beside tracks"
            )
            continue
        number = counts.get(track.kind, 0)
        counts[track.kind] = number + 1
        name = f"{track.kind[:1]}{number + 1}"
        at = Fraction(0)
        neighbours = list(track)
        for index, item in enumerate(neighbours):
            if isinstance(item, otio.schema.Transition):
                continue
            label = format_timecode(max(0, first + frame_at(at, rate)), rate, drop_frame=False)
            where = f"{name} {label} {readable(item.name)}".rstrip()
            duration = _duration(item)
            if isinstance(item, otio.schema.Gap):
                inside = 0 < index < len(neighbours) - 1
                if inside and Fraction(1, 2) <= duration * rate < Fraction(3, 2):
                    findings.add("gap-of-one-frame", where, "one black frame")
            elif isinstance(item, otio.schema.Clip):
                yield PlacedClip(
                    clip=item, kind=track.kind, track=number, start=at, duration=duration,
                    where=where,
                )  # fmt: skip
            else:
                findings.add("nested-sequence", where, f"a {type(item).__name__} within a track")
                _check_effects(item, where, findings)
            at += duration


def _duration(item: otio.core.Item) -> Fraction:
    try:
        return exact_seconds(item.duration())
    except (otio.exceptions.OTIOError, NotImplementedError, ValueError):
        return Fraction(0)  # A clip without any range; range-missing says so.


def _check_rate(rate: float, where: str, findings: Findings) -> None:
    if not is_exact(rate):
        findings.add("rate-not-exact", where, f"the rate is {rate!r}", once=repr(rate))


def _check_media(placed: PlacedClip, findings: Findings) -> str | None:
    """Check the reference of a clip; return the path of its file."""
    media = placed.clip.media_reference
    if not isinstance(media, otio.schema.ExternalReference) or not media.target_url:
        if isinstance(media, otio.schema.MissingReference) or media is None:
            findings.add("media-offline", placed.where, "the clip names no media")
        return None
    file = check_path(media.target_url, placed.where, findings)
    if media.available_range is None:
        findings.add("range-missing", placed.where, "the reference has no available_range")
    findings.media(file, placed.where)
    return file


def _check_range(placed: PlacedClip, file: str, findings: Findings) -> None:
    clip = placed.clip
    available = clip.media_reference.available_range
    for span in (clip.source_range, available):
        for time in () if span is None else (span.start_time, span.duration):
            _check_rate(time.rate, placed.where, findings)
            if time.value != round(time.value):
                findings.add("frames-not-whole", placed.where, f"{time.value!r} frames")
    used = clip.source_range or available
    if used is None:
        return
    start, duration = exact_seconds(used.start_time), exact_seconds(used.duration)
    facts = findings.media(file, placed.where)
    rate = facts.frame_rate if facts is not None else exact_rate(used.duration.rate)
    own = entry(clip.metadata, "hl", "source", "start_timecode")
    if facts is not None:
        timecode: Fraction | None = facts.start_seconds
    else:
        timecode = start_frame(own, rate) / rate if isinstance(own, str) else None
    slack = 1 / (2 * rate)
    origin = exact_seconds(available.start_time) if available is not None else timecode
    if timecode and (origin == 0 or start + duration <= timecode):
        findings.add(
            "range-from-zero",
            placed.where,
            f"ranges count from 0, the file from {format_timecode(frame_at(timecode, rate), rate, drop_frame=False)}",  # noqa: E501
            once=file,
        )
        return
    ends = []
    if available is not None:
        ends.append((exact_seconds(available.start_time), exact_seconds(available.duration)))
    if facts is not None and timecode is not None:
        ends.append((timecode, facts.duration_seconds))
    for begin, length in ends:
        if start < begin - slack or start + duration > begin + length + slack:
            findings.add(
                "range-outside",
                placed.where,
                f"it takes {float(start - begin):.3f} to {float(start - begin + duration):.3f} "
                f"seconds of {float(length):.3f}",
            )
            return


def _check_effects(item: otio.core.Item, where: str, findings: Findings) -> None:
    for effect in item.effects:
        if isinstance(effect, otio.schema.LinearTimeWarp):
            if not isinstance(effect, otio.schema.FreezeFrame) and effect.time_scalar == 1:
                findings.add("speed-of-one", where, "a time warp at normal speed")
        elif not isinstance(effect, otio.schema.TimeEffect):
            name = effect.effect_name or effect.name
            own = name.startswith("AE.") and findings.target == "premiere"
            if not own:
                findings.add("effect-dropped", where, f"the effect {name!r}")


def _check_markers(markers: Any, where: str, findings: Findings) -> None:
    for marker in markers:
        note = entry(marker.metadata, "Resolve_OTIO", "Note")
        if marker.comment and not note:
            findings.add("marker-note-lost", where, f"the comment of {readable(marker.name)!r}")
