"""MLT XML as Shotcut writes its projects; `melt` renders the same file.

Each sound track of a source is a clip of its own on an audio track, in one group with its picture:
a clip of Shotcut plays one sound track. Scores are in the names of the clips and in the markers.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence
from pathlib import Path

from hlcli.timeline.edit_list import EditList, Source
from hlcli.timeline.formats.mlt_xml import (
    COLORS,
    add_profile,
    add_properties,
    add_source,
    caption,
    only,
    place,
    root,
    source_lengths,
    timeline_markers,
    track_clips,
    write_document,
)

_TITLE = "Shotcut version 22.12.21"
_MIX: dict[str, str | int] = {"mlt_service": "mix", "always_active": 1, "sum": 1}
_BLEND: dict[str, str | int] = {
    "version": "0.1",
    "mlt_service": "frei0r.cairoblend",
    "threads": 0,
}


def write(edit: EditList, path: Path, *, target: str = "shotcut") -> None:
    """Write a Shotcut project, the same bytes for the same edit list.

    Raises:
        OutputError: It cannot be written there, or XML cannot hold the name of a source.
    """
    document = root(title=_TITLE, producer="main_bin")
    add_profile(document, edit)
    lengths = source_lengths(edit)
    _add_bin(document, lengths)
    _add_background(document, edit)
    tracks = [f"V{number + 1}" for number in range(edit.num_video_tracks)]
    tracks += [f"A{number + 1}" for number in range(edit.num_audio_tracks)]
    for name in tracks:
        _add_track(document, edit, lengths, name)
    _add_tractor(document, edit, tracks)
    write_document(document, path)


def _add_bin(document: ET.Element, lengths: Mapping[Source, int]) -> None:
    """Add the sources to Shotcut's playlist, whole, to take more from."""
    entries = []
    for number, (source, length) in enumerate(lengths.items()):
        name = f"source{number}"
        chain = add_source(document, source, length, tag="chain", name=name)
        add_properties(chain, {"shotcut:caption": source.name})
        entries.append({"producer": name, "in": "0", "out": str(chain.get("out"))})
    playlist = ET.SubElement(document, "playlist", {"id": "main_bin", "title": _TITLE})
    add_properties(playlist, {"shotcut:projectAudioChannels": 2, "xml_retain": 1})
    for entry in entries:
        ET.SubElement(playlist, "entry", entry)


def _add_background(document: ET.Element, edit: EditList) -> None:
    span = {"in": "0", "out": str(edit.num_frames - 1)}
    black = ET.SubElement(document, "producer", {"id": "black", **span})
    add_properties(
        black,
        {
            "length": edit.num_frames,
            "eof": "pause",
            "resource": "0",
            "aspect_ratio": 1,
            "mlt_service": "color",
            "mlt_image_format": "rgba",
            "set.test_audio": 0,
        },
    )
    background = ET.SubElement(document, "playlist", {"id": "background"})
    ET.SubElement(background, "entry", {"producer": "black", **span})


def _add_track(
    document: ET.Element, edit: EditList, lengths: Mapping[Source, int], name: str
) -> None:
    """Add one track; a clip of Shotcut has a chain of its own, which holds its name."""
    clips = []
    for number, (event, stream) in enumerate(track_clips(edit, name)):
        chain_name = f"{name}-{number}"
        length = lengths[event.source]
        chain = add_source(document, event.source, length, tag="chain", name=chain_name)
        add_properties(chain, only(event.source, stream) | {"shotcut:caption": caption(event)})
        if event.highlight is not None:
            comment = "; ".join(marker.comment for marker in event.markers)
            add_properties(chain, {"shotcut:comment": comment})
        clips.append((event, chain_name))
    playlist = ET.SubElement(document, "playlist", {"id": f"track{name}"})
    kind = "shotcut:video" if name.startswith("V") else "shotcut:audio"
    add_properties(playlist, {kind: 1, "shotcut:name": name})
    groups = {id(event): number for number, event in enumerate(edit.events)}
    for (event, _), entry in zip(clips, place(playlist, clips, edit), strict=True):
        if event.video_track is not None and event.sound:
            add_properties(entry, {"shotcut:group": groups[id(event)]})


def _add_tractor(document: ET.Element, edit: EditList, tracks: Sequence[str]) -> None:
    span = {"in": "0", "out": str(edit.num_frames - 1)}
    tractor = ET.SubElement(document, "tractor", {"id": "tractor0", "title": _TITLE, **span})
    add_properties(tractor, {"shotcut": 1, "shotcut:projectAudioChannels": 2})
    markers = ET.SubElement(tractor, "properties", {"name": "shotcut:markers"})
    for number, (frames, marker) in enumerate(timeline_markers(edit)):
        holder = ET.SubElement(markers, "properties", {"name": str(number)})
        add_properties(
            holder,
            {
                "text": ", ".join(filter(None, (marker.name, marker.comment))),
                "start": frames.start,
                "end": frames.stop - 1,
                "color": COLORS.get(marker.written_color, COLORS["GREEN"]),
            },
        )
    ET.SubElement(tractor, "track", {"producer": "background"})
    for name in tracks:
        hidden = "audio" if name.startswith("V") else "video"
        ET.SubElement(tractor, "track", {"producer": f"track{name}", "hide": hidden})
    for number, name in enumerate(tracks, start=1):
        transition = ET.SubElement(tractor, "transition", {"id": f"mix{name}"})
        add_properties(transition, {"a_track": 0, "b_track": number} | _MIX)
        if name.startswith("V"):
            transition = ET.SubElement(tractor, "transition", {"id": f"blend{name}"})
            blend = _BLEND | {"disable": int(number == 1)}
            add_properties(transition, {"a_track": min(1, number - 1), "b_track": number} | blend)
