"""Rules for picture and sound in OpenTimelineIO files: links and channels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import opentimelineio as otio

from hlcli.timeline.check.findings import Findings
from hlcli.timeline.read.exact import entry

_LINK_KEYS = {
    "resolve": ("Resolve_OTIO", "Link Group ID"),
    "premiere": ("PremierePro_OTIO", "LinkID"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedClip:
    """A clip where it lies."""

    clip: otio.schema.Clip
    """The clip."""
    kind: str
    """Kind of its track."""
    track: int
    """Number of its track among those of its kind."""
    start: Fraction
    """Begin on the timeline, in seconds."""
    duration: Fraction
    """Length, in seconds."""
    where: str
    """In words."""


def check_sound(placed: PlacedClip, file: str, findings: Findings) -> None:
    """Check that a clip on an audio track has as many channels as its file."""
    if placed.kind != otio.schema.TrackKind.Audio:
        return
    metadata = placed.clip.metadata
    if findings.target == "resolve":
        channels = entry(metadata, "Resolve_OTIO", "Channels")
        stream = entry(channels, 0, "Source Track ID")
    else:
        channels = entry(metadata, "PremierePro_OTIO", "AudioChannels", "SecondaryAssignments")
        stream = entry(metadata, "PremierePro_OTIO", "OriginalChannelGroupIndex")
    wanted = _channels(placed, file, findings)
    if channels is None or wanted is None:
        return
    number = int(stream or 0)
    if number >= len(wanted):
        findings.add(
            "channels-differ",
            placed.where,
            f"it plays sound track {number + 1}, the file has {len(wanted)}",
        )
    elif len(channels) != wanted[number]:
        findings.add(
            "channels-differ",
            placed.where,
            f"it has {len(channels)} channels, its sound track {wanted[number]}",
        )


def check_links(clips: Sequence[PlacedClip], findings: Findings) -> None:
    """Check that picture and sound of one event are there, linked, and linked to nothing else."""
    videos = [placed for placed in clips if placed.kind == otio.schema.TrackKind.Video]
    sounds: dict[Any, list[PlacedClip]] = {}
    for placed in clips:
        if placed.kind == otio.schema.TrackKind.Audio:
            sounds.setdefault(_place(placed), []).append(placed)
    for video in videos:
        partners = sounds.get(_place(video), [])
        if not partners:
            wanted = _channels(video, _path(video), findings)
            if wanted:
                findings.add(
                    "sound-missing",
                    video.where,
                    f"its file has {len(wanted)} sound tracks, none lies beside it",
                )
            continue
        link = _link(video, findings.target)
        if link is None or not any(_link(p, findings.target) == link for p in partners):
            findings.add("link-missing", video.where, "it is not linked to its sound")
    groups: dict[str, dict[Any, PlacedClip]] = {}
    for placed in clips:
        link = _link(placed, findings.target)
        if link is not None:
            # Sound of an own length may belong to a picture; two pictures never do.
            mark = _place(placed) if placed.kind == otio.schema.TrackKind.Video else placed.where
            group = groups.setdefault(link, {})
            if placed.kind == otio.schema.TrackKind.Video and group and mark not in group:
                findings.add(
                    "link-shared", placed.where, f"the link {link} is that of another clip, too"
                )
            if placed.kind == otio.schema.TrackKind.Video:
                group[mark] = placed


def _place(placed: PlacedClip) -> tuple[Any, ...]:
    return (_path(placed), placed.start, placed.duration)


def _path(placed: PlacedClip) -> str:
    media = placed.clip.media_reference
    return str(getattr(media, "target_url", "") or "")


def _link(placed: PlacedClip, target: str) -> str | None:
    value = entry(placed.clip.metadata, *_LINK_KEYS[target])
    return None if value is None else str(value)


def _channels(placed: PlacedClip, file: str, findings: Findings) -> list[int] | None:
    """Return the channels of each sound track of a clip's file; None when nobody knows."""
    audio = entry(placed.clip.metadata, "hl", "source", "audio")
    if audio is not None:
        return [int(entry(track, "channels") or 1) for track in audio]
    from hlcli.timeline.paths import path_of_url

    facts = findings.media(path_of_url(file), placed.where) if file else None
    return None if facts is None else facts.channels
