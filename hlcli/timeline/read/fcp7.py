"""Final Cut Pro 7 XML, through `otio-fcp-adapter`.

The adapter keeps as metadata what OpenTimelineIO has no field for: the counting of a file's
timecode, its sound, which of its channels a clip plays, and which clips belong together. It is
put where `hlcli.timeline.read.sources` looks for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import opentimelineio as otio

from hlcli.media.rates import rate_text
from hlcli.timeline.edit_list import Source
from hlcli.timeline.read.edit_of_otio import edit_of_otio
from hlcli.timeline.read.exact import entry, exact_rate, exact_seconds
from hlcli.timeline.read.otio import load
from hlcli.timeline.read.types import ReadTimeline
from hlcli.timeline.timecode import format_timecode, has_drop_frame


def read(
    path: Path,
    *,
    search: Sequence[Path] = (),
    known: Sequence[Source] = (),
    rate: Fraction | None = None,
) -> ReadTimeline:
    """Read one sequence; the arguments are those of `hlcli.timeline.read.read_timeline`."""
    timeline = load(path, "fcp_xml")
    for clip in timeline.find_clips():
        _explain(clip)
    style = entry(timeline.metadata, "fcp_xml", "media", "video", "format", "samplecharacteristics")
    display = entry(timeline.metadata, "fcp_xml", "timecode", "displayformat")
    timeline.metadata["hl"] = {
        "width": _integer(entry(style, "width")),
        "height": _integer(entry(style, "height")),
        "drop_frame": None if display is None else display == "DF",
    }
    return edit_of_otio(timeline, folder=path.parent, search=search, known=known, rate=rate)


def _explain(clip: otio.schema.Clip) -> None:
    """Say in `hl`'s words what a clip's Final Cut metadata says."""
    own: dict[str, Any] = {}
    links = _list(entry(clip.metadata, "fcp_xml", "link"))
    references = [str(entry(link, "linkclipref")) for link in links]
    if references:
        own["link"] = min(references)
    media = clip.media_reference
    available = None if media is None else media.available_range
    source: dict[str, Any] = {}
    if available is not None:
        about = entry(media.metadata, "fcp_xml")
        rate = exact_rate(available.duration.rate)
        drop_frame = entry(about, "timecode", "displayformat") == "DF" and has_drop_frame(rate)
        start = round(exact_seconds(available.start_time) * rate)
        if start or drop_frame:
            source["start_timecode"] = format_timecode(start, rate, drop_frame=drop_frame)
        picture = entry(about, "media", "video", "samplecharacteristics")
        source["frame_rate"] = rate_text(rate)
        source["width"] = _integer(entry(picture, "width"))
        source["height"] = _integer(entry(picture, "height"))
        if entry(about, "media") is not None:
            source["audio"] = [
                {
                    "channels": _integer(entry(track, "channelcount")) or 1,
                    "sample_rate": _integer(entry(track, "samplecharacteristics", "samplerate")),
                }
                for track in _list(entry(about, "media", "audio"))
            ]
    index = _integer(entry(clip.metadata, "fcp_xml", "sourcetrack", "trackindex"))
    if index > 0:
        kind = entry(clip.metadata, "fcp_xml", "@premiereChannelType")
        num_tracks = len(source.get("audio", ()))
        # Premiere counts channels, but of a stereo pair beside others the pairs; Resolve counts
        # sound tracks always. Where there is one sound track, only channels can be meant.
        if num_tracks > 1 and kind in (None, "stereo") and index <= num_tracks:
            source["audio_stream"] = index - 1
        else:
            source["audio_channels"] = [index - 1]
    if source:
        own["source"] = source
    clip.metadata["hl"] = own


def _list(value: Any) -> list[Any]:
    """Return the elements of one name, which the adapter gives as one or as a list."""
    if value is None:
        return []
    return list(value) if isinstance(value, otio._otio.AnyVector | list) else [value]


def _integer(value: Any) -> int:
    try:
        return int(value)
    except (TypeError, ValueError):
        return 0
