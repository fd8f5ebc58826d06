"""From a finished cut to what its editor kept of the raw files.

What the cut shows of a file is kept, and what it passes over of the same file is not. A short file
that it never shows was passed over whole where the cut shows others of the same folder: cards of
short clips are used so. A long one says nothing: it may be of another film.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from hlcli.document import AudioRecord
from hlcli.errors import HlError
from hlcli.media.discover import MayRead
from hlcli.media.identity import content_identity
from hlcli.timeline.edit_list import Source
from hlcli.timeline.paths import is_file
from hlcli.timeline.read import ReadTimeline, read_timeline
from hlcli.timeline.read.bounds import read_bytes
from hlcli.timeline.read.types import MissingMediaError
from hlcli.timeline.relink import MissingMedia
from hlcli.tuning.footage import Footage, RawFile
from hlcli.tuning.spans import Annotations, MarkedSpan

SHORT_SECONDS = 30
"""A file below this is one shot, which is used or not."""
_UNKNOWN_FRAMES = 10**9
_EDL_NAME = re.compile(r"^\*\s*(?:FROM CLIP NAME|SOURCE FILE)\s*:\s*(\S(?:.*\S)?)\s*$", re.M)


def read_cut(path: Path, footage: Footage) -> Annotations:
    """Read what a finished cut keeps.

    Args:
        path: A timeline of any kind that hl reads.
        footage: The raw files.

    Raises:
        UsageError: The extension is unknown, or an extra that reads it is not installed.
        TimelineError: It is damaged or cannot be understood without guessing.
        MediaError: A file it takes something from is there and cannot be used.
    """
    read = read_edit(path, footage)
    spans: list[MarkedSpan] = []
    lost: dict[str, int] = {}
    num_silent = 0
    found: dict[Source, RawFile | str] = {}
    for event in read.edit.events:
        if event.video_track is None:
            num_silent += 1
            continue
        source = event.source
        if source not in found:
            found[source] = footage.find(wanted_of(source, footage.may_read), base=path.parent)
        file = found[source]
        if isinstance(file, str):
            lost[file] = lost.get(file, 0) + 1
            continue
        start = Fraction(event.frames.start) / source.frame_rate
        end = min(Fraction(event.frames.stop) / source.frame_rate, file.info.duration_seconds)
        if start < end:
            spans.append(MarkedSpan(file=file, start=start, end=end, keep=True, where=path.name))
        else:
            reason = f"{file.path.name} is shorter than the cut thinks"
            lost[reason] = lost.get(reason, 0) + 1
    notes = [
        f"{count} {'span is' if count == 1 else 'spans are'} not matched: {reason}"
        for reason, count in lost.items()
    ]
    if num_silent:
        notes.append(
            f"{num_silent} {'event is' if num_silent == 1 else 'events are'} of sound alone: "
            f"nothing is learned from {'it' if num_silent == 1 else 'them'}"
        )
    return Annotations(
        way="cut",
        file=path,
        spans=tuple(spans),
        unused=_unused(spans, footage),
        num_unmatched=sum(lost.values()),
        notes=(*read.notes, *notes),
    )


def _unused(spans: Sequence[MarkedSpan], footage: Footage) -> tuple[RawFile, ...]:
    shown = {span.file.identity for span in spans}
    folders = {span.file.path.parent for span in spans}
    return tuple(
        file
        for file in footage.files
        if file.identity not in shown
        and file.info.duration_seconds < SHORT_SECONDS
        and file.path.parent in folders
    )


def read_edit(path: Path, footage: Footage) -> ReadTimeline:
    """Read a timeline although some of its media is gone.

    Files that the timeline says nothing about are looked for in the footage; what is nowhere
    stands in the result as a source of no file, so that its spans can be counted.

    Raises:
        UsageError: The extension is unknown, or an extra that reads it is not installed.
        TimelineError: It is damaged or cannot be understood without guessing.
        MediaError: A file it takes something from is there and cannot be used.
    """
    known = [_gone(str(one.path)) for one in footage.left_out]
    # A source that is known by its name would stand for others of that name, too.
    names = {source.name for source in known}
    known += [file.source for file in footage.files if file.path.name in names]
    rate: Fraction | None = None
    if path.suffix.lower() == ".edl" and is_file(path):
        found = _sources_of_edl(path, footage)
        known += found
        # An EDL does not say its rate: it is that of its media.
        rates = [one.frame_rate for one in found if one.num_frames != _UNKNOWN_FRAMES]
        rate = rates[0] if rates else None
    while True:
        try:
            return read_timeline(path, known=known, rate=rate, may_read=footage.may_read)
        except MissingMediaError as error:
            known.append(_looked_up(error.path, footage, path.parent))


def wanted_of(source: Source, may_read: MayRead) -> MissingMedia:
    """Return what is known about a file of a timeline."""
    is_known = source.num_frames != _UNKNOWN_FRAMES
    identity = source.sha256_head
    if identity is None:
        with contextlib.suppress(HlError):
            identity = content_identity(may_read(Path(source.path)))
    return MissingMedia(
        path=source.path,
        sha256_head=identity,
        frame_rate=source.frame_rate if is_known else None,
        num_frames=source.num_frames if is_known else None,
    )


def _sources_of_edl(path: Path, footage: Footage) -> list[Source]:
    """Look up the names in an EDL: names are all that it says of its media."""
    text = read_bytes(path).decode("utf-8-sig", "replace")
    names = dict.fromkeys(_EDL_NAME.findall(text))
    return [_looked_up(name, footage, path.parent) for name in names]


def _looked_up(written: str, footage: Footage, base: Path) -> Source:
    file = footage.find(MissingMedia(path=written), base=base)
    return _gone(written) if isinstance(file, str) else replace(file.source, path=written)


def _gone(path: str) -> Source:
    """Return a source that any range fits, for a file nothing is known about."""
    return Source(
        path=path,
        frame_rate=Fraction(25),
        num_frames=_UNKNOWN_FRAMES,
        audio=(AudioRecord(channels=2, sample_rate=48000),) * 16,
    )
