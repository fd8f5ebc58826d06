"""Kdenlive projects, document version 1.04: Kdenlive 22.12 opens it, newer ones take it over.

A source is one clip of the project bin; on the timeline lie producers of its picture alone and of
one sound track alone, as Kdenlive splits them. Picture and sound of a cut are one group. Moments
are guides, with a category for each colour of the scores.
"""

from __future__ import annotations

import hashlib
import json
import uuid
import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence
from pathlib import Path

from hlcli.timeline.edit_list import EditList, Event, Source
from hlcli.timeline.formats.mlt_xml import (
    COLORS,
    add_profile,
    add_properties,
    add_source,
    only,
    place,
    root,
    source_lengths,
    timeline_markers,
    track_clips,
    write_document,
)

_DOCUMENT_VERSION = "1.04"
_KDENLIVE_VERSION = "22.12.3"
_NAMESPACE = uuid.UUID("5e0a9f4c-5c0b-5b0e-9a55-6d6b64656e6c")
# Kdenlive's mark for what it adds by itself and does not show as the user's.
_INTERNAL: dict[str, str | int] = {"internal_added": 237, "always_active": 1}
_MIX: dict[str, str | int] = {"mlt_service": "mix", "kdenlive_id": "mix", "sum": 1}
_BLEND: dict[str, str | int] = {
    "mlt_service": "qtblend",
    "kdenlive_id": "qtblend",
    "compositing": 0,
    "distort": 0,
    "rotate_center": 0,
}
_CATEGORIES = ("GREEN", "CYAN", "YELLOW", "ORANGE")
_CATEGORY_NAMES = ("score 0.8 and over", "score 0.6 to 0.8", "score 0.4 to 0.6", "score under 0.4")


def write(edit: EditList, path: Path, *, target: str = "kdenlive") -> None:
    """Write a Kdenlive project, the same bytes for the same edit list.

    Raises:
        OutputError: It cannot be written there, or XML cannot hold the name of a source.
    """
    document = root(producer="main_bin")
    add_profile(document, edit)
    tracks = _tracks(edit)
    lengths = source_lengths(edit)
    _add_bin(document, edit, lengths, tracks)
    _add_black(document, edit)
    for name in tracks:
        _add_track(document, edit, lengths, name)
    _add_tractor(document, edit, tracks)
    write_document(document, path)


def _tracks(edit: EditList) -> list[str]:
    """Return the tracks from the bottom up: Kdenlive mirrors its audio tracks below the video."""
    audio = [f"A{number + 1}" for number in reversed(range(edit.num_audio_tracks))]
    return audio + [f"V{number + 1}" for number in range(edit.num_video_tracks)]


def _add_bin(
    document: ET.Element, edit: EditList, lengths: Mapping[Source, int], tracks: Sequence[str]
) -> None:
    entries = []
    for number, (source, length) in enumerate(lengths.items()):
        producer = add_source(document, source, length, tag="producer", name=f"bin{number}")
        add_properties(producer, _identity(source, number) | {"kdenlive:folderid": -1})
        entries.append({"producer": f"bin{number}", "in": "0", "out": str(producer.get("out"))})
    playlist = ET.SubElement(document, "playlist", {"id": "main_bin"})
    names = " ".join(source.path for source in lengths).encode("utf-8", "replace")
    identity = hashlib.sha256(edit.name.encode() + names).digest()
    properties: dict[str, str | int] = {
        "kdenlive:docproperties.version": _DOCUMENT_VERSION,
        "kdenlive:docproperties.kdenliveversion": _KDENLIVE_VERSION,
        # Kdenlive makes one from the time of day; the same edit list shall give the same bytes.
        "kdenlive:docproperties.documentid": 10**12 + int.from_bytes(identity[:5], "big"),
        "kdenlive:docproperties.uuid": _braced(edit.name),
        "kdenlive:docproperties.audioChannels": 2,
        "kdenlive:docproperties.compositing": 1,
        "kdenlive:docproperties.position": 0,
        "kdenlive:docproperties.activeTrack": tracks.index("V1") if "V1" in tracks else 0,
        "kdenlive:docproperties.groups": _dumped(_groups(edit, tracks)),
        "kdenlive:docproperties.guidesCategories": _dumped(_categories(edit)),
        "kdenlive:docproperties.guides": _dumped(_guides(edit)),
        "kdenlive:documentnotes": "",
        "xml_retain": 1,
    }
    add_properties(playlist, properties)
    for entry in entries:
        ET.SubElement(playlist, "entry", entry)


def _add_black(document: ET.Element, edit: EditList) -> None:
    # Its out ends the timeline: nothing else would.
    span = {"in": "0", "out": str(edit.num_frames - 1)}
    black = ET.SubElement(document, "producer", {"id": "black_track", **span})
    add_properties(
        black,
        {
            "length": 2147483647,
            "eof": "continue",
            "resource": "black",
            "aspect_ratio": 1,
            "mlt_service": "color",
            "mlt_image_format": "rgba",
            "set.test_audio": 0,
        },
    )


def _add_track(
    document: ET.Element, edit: EditList, lengths: Mapping[Source, int], name: str
) -> None:
    """Add one track: two playlists, the second for the overlaps of transitions, in a tractor."""
    clips: list[tuple[Event, str]] = []
    numbers = {source: number for number, source in enumerate(lengths)}
    for number, (event, stream) in enumerate(track_clips(edit, name)):
        # One for each clip: MLT places sound worse where it must seek in a producer it has used.
        made = f"{name}-{number}"
        source = event.source
        producer = add_source(document, source, lengths[source], tag="producer", name=made)
        sounds = stream is not None
        shown = {"set.test_audio": int(not sounds), "set.test_image": int(sounds)}
        add_properties(producer, only(source, stream) | _identity(source, numbers[source]) | shown)
        clips.append((event, made))
    is_audio = name.startswith("A")
    kind: dict[str, str | int] = {"kdenlive:audio_track": 1} if is_audio else {}
    for number in (0, 1):
        playlist = ET.SubElement(document, "playlist", {"id": f"{name}-playlist{number}"})
        add_properties(playlist, kind)
        if number == 0:
            for (event, _), entry in zip(clips, place(playlist, clips, edit), strict=True):
                add_properties(entry, {"kdenlive:id": _bin_id(numbers[event.source])})
    span = {"in": "0", "out": str(edit.num_frames - 1)}
    tractor = ET.SubElement(document, "tractor", {"id": f"{name}-tractor", **span})
    add_properties(
        tractor,
        kind
        | {
            "kdenlive:track_name": "",
            "kdenlive:trackheight": 67,
            "kdenlive:timeline_active": 1,
            "kdenlive:collapsed": 0,
        },
    )
    for number in (0, 1):
        hidden = "video" if is_audio else "audio"
        playlist_name = f"{name}-playlist{number}"
        ET.SubElement(tractor, "track", {"hide": hidden, "producer": playlist_name})


def _add_tractor(document: ET.Element, edit: EditList, tracks: Sequence[str]) -> None:
    span = {"in": "0", "out": str(edit.num_frames - 1)}
    tractor = ET.SubElement(document, "tractor", {"id": "timeline", **span})
    ET.SubElement(tractor, "track", {"producer": "black_track"})
    for name in tracks:
        ET.SubElement(tractor, "track", {"producer": f"{name}-tractor"})
    for number, name in enumerate(tracks, start=1):
        transition = ET.SubElement(tractor, "transition", {"id": f"{name}-transition"})
        service = _MIX | {"accepts_blanks": 1} if name.startswith("A") else _BLEND
        add_properties(transition, {"a_track": 0, "b_track": number} | service | _INTERNAL)


def _identity(source: Source, number: int) -> dict[str, str | int]:
    return {
        "kdenlive:id": _bin_id(number),
        "kdenlive:control_uuid": _braced(source.path),
        "kdenlive:clipname": source.name,
        "kdenlive:clip_type": 0,
    }


def _bin_id(number: int) -> int:
    # 1 is the folder of sequences in newer documents.
    return number + 2


def _groups(edit: EditList, tracks: Sequence[str]) -> list[dict[str, object]]:
    """Return the links between picture and sound: track from below, first frame."""
    groups: list[dict[str, object]] = []
    for event in edit.events:
        names = [f"A{sound.track + 1}" for sound in event.sound]
        if event.video_track is not None:
            names.append(f"V{event.video_track + 1}")
        places = [f"{tracks.index(name)}:{event.record.start}" for name in names]
        leaves = [{"data": place, "leaf": "clip", "type": "Leaf"} for place in places]
        if len(leaves) > 1:
            groups.append({"children": leaves, "type": "AVSplit"})
    return groups


def _categories(edit: EditList) -> list[dict[str, object]]:
    others = sorted(
        {marker.written_color for _, marker in timeline_markers(edit)} - set(_CATEGORIES)
    )
    names = [*_CATEGORY_NAMES, *(color.capitalize() for color in others)]
    return [
        {"color": COLORS.get(color, COLORS["GREEN"]), "comment": name, "index": index}
        for index, (color, name) in enumerate(zip((*_CATEGORIES, *others), names, strict=True))
    ]


def _guides(edit: EditList) -> list[dict[str, object]]:
    markers = timeline_markers(edit)
    others = sorted({marker.written_color for _, marker in markers} - set(_CATEGORIES))
    colors = [*_CATEGORIES, *others]
    guides: list[dict[str, object]] = []
    for frames, marker in markers:
        comment = ", ".join(filter(None, (marker.name, marker.comment)))
        guide = {
            "comment": comment,
            "pos": frames.start,
            "type": colors.index(marker.written_color),
        }
        # Kdenlive 22.12 has no guides with a length, and passes it over.
        guides.append(guide | ({"duration": len(frames)} if len(frames) > 1 else {}))
    return guides


def _braced(name: str) -> str:
    return "{" + str(uuid.uuid5(_NAMESPACE, name.encode("utf-8", "replace").decode())) + "}"


def _dumped(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, indent=1)
