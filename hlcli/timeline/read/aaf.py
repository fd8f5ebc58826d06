"""Advanced Authoring Format, through `otio-aaf-adapter`.

Its audio tracks hold one channel each, and the adapter does not say which: they lie in order.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from importlib.util import find_spec
from pathlib import Path

import opentimelineio as otio

from hlcli.errors import UsageError
from hlcli.timeline.edit_list import Source
from hlcli.timeline.read.edit_of_otio import edit_of_otio
from hlcli.timeline.read.otio import load
from hlcli.timeline.read.types import ReadTimeline
from hlcli.timeline.relink import NO_SEARCH, Relinker


def read(
    path: Path,
    *,
    relinker: Relinker = NO_SEARCH,
    known: Sequence[Source] = (),
    rate: Fraction | None = None,
) -> ReadTimeline:
    """Read one composition; the arguments are those of `hlcli.timeline.read.read_timeline`."""
    if find_spec("otio_aaf_adapter") is None:
        raise UsageError(
            f"cannot read {path}: the extra for AAF is not installed",
            hint='pip install "hlcli[aaf]"',
        )
    timeline = load(path, "AAF")
    _name_channels(timeline)
    return edit_of_otio(timeline, folder=path.parent, relinker=relinker, known=known, rate=rate)


def _name_channels(timeline: otio.schema.Timeline) -> None:
    """Count the audio clips that play one stretch of one file at one place."""
    counts: dict[tuple[str, str, str], int] = {}
    for track in timeline.audio_tracks():
        for clip in track.find_clips():
            media = clip.media_reference
            place = (
                str(getattr(media, "target_url", clip.name)),
                str(clip.source_range),
                str(track.range_of_child(clip)),
            )
            channel = counts.get(place, 0)
            counts[place] = channel + 1
            clip.metadata["hl"] = {"source": {"audio_channels": [channel]}}
