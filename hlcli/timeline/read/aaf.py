"""Advanced Authoring Format, through `otio-aaf-adapter`.

Its audio tracks hold one channel each, and the adapter does not say which: they lie in order.
"""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Iterator, Sequence
from fractions import Fraction
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import opentimelineio as otio

from hlcli.errors import HlError, UsageError
from hlcli.timeline.edit_list import Source
from hlcli.timeline.read.bounds import MOST_DEPTH, ItemCount, TooMuchError
from hlcli.timeline.read.edit_of_otio import edit_of_otio
from hlcli.timeline.read.otio import load
from hlcli.timeline.read.types import ReadTimeline
from hlcli.timeline.relink import NO_SEARCH, Relinker

# The header of the compound files that AAF is kept in.
_SIGNATURE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_HEADER_BYTES = 512
_SECTOR_SHIFT_AT = 30
_NUM_TABLES_AT = 72
_SECTORS_IN_HEADER = 109


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
    with _parsed():
        _refuse_endless(path)
        timeline = load(path, "AAF")
    _name_channels(timeline)
    return edit_of_otio(timeline, folder=path.parent, relinker=relinker, known=known, rate=rate)


@contextlib.contextmanager
def _parsed() -> Iterator[None]:
    """Turn whatever pyaaf2 raises, errors of its own and failed assertions included."""
    try:
        yield
    except (HlError, TooMuchError):
        raise
    except Exception as error:
        raise ValueError(f"its structure is damaged ({error or type(error).__name__})") from error


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """Open a file with pyaaf2, which leaves it open where it cannot parse it."""
    from aaf2.file import AAFFile

    aaf = AAFFile.__new__(AAFFile)
    try:
        aaf.__init__(str(path), "r")
        yield aaf
    finally:
        with contextlib.suppress(AttributeError):
            aaf.f.close()


def _refuse_endless(path: Path) -> None:
    """Refuse a file that makes pyaaf2 or the adapter go on without end.

    Raises:
        TooMuchError: Its table of sectors is longer than the file, or its compositions hold each
            other so often that the adapter, which copies them at each use, would never be done.
    """
    import aaf2

    with path.open("rb") as stream:
        header = stream.read(_HEADER_BYTES)
    if len(header) < _HEADER_BYTES or not header.startswith(_SIGNATURE):
        raise ValueError("it is no AAF file")
    (num_tables,) = struct.unpack_from("<I", header, _NUM_TABLES_AT)
    (shift,) = struct.unpack_from("<H", header, _SECTOR_SHIFT_AT)
    if not 9 <= shift <= 16:
        raise ValueError("its sectors have no size that AAF knows")
    # The header names the first sectors of the table, and each further table a sector full of them;
    # all of them must be in the file.
    per_table = (1 << shift) // 4 - 1
    named = _SECTORS_IN_HEADER + (num_tables - 1) * per_table if num_tables else 0
    if named > path.stat().st_size >> shift:
        raise TooMuchError(f"its header claims {num_tables:,} tables of sectors")
    contents: dict[tuple[str, int], tuple[int, list[tuple[str, int]]]] = {}
    with _opened(path) as aaf:
        for mob in aaf.content.mobs:
            for slot in mob.slots:
                count, used = 0, []
                for part, _ in slot.segment.walk_references():
                    count += 1
                    if isinstance(mob, aaf2.mobs.CompositionMob) and isinstance(
                        part, aaf2.components.SourceClip
                    ):
                        used.append((str(part.mob_id), int(part.slot_id)))
                contents[str(mob.mob_id), int(slot.slot_id)] = (count, used)
    counts: dict[tuple[str, int], int] = {}

    def count_of(place: tuple[str, int], depth: int) -> int:
        if place not in counts:
            if depth > MOST_DEPTH:
                raise TooMuchError(f"compositions are nested more than {MOST_DEPTH} deep")
            own, used = contents.get(place, (0, []))
            counts[place] = own + sum(count_of(other, depth + 1) for other in used)
        return counts[place]

    ItemCount().add(max((count_of(place, 0) for place in contents), default=0))


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
