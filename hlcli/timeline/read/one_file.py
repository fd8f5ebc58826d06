"""Timelines that cut one file, in its frames or seconds, back to back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from hlcli.timeline.edit_list import EditList, Event, Marker, Sound, Source
from hlcli.timeline.paths import media_path, readable
from hlcli.timeline.read.sources import source_of_file
from hlcli.timeline.read.types import (
    MissingMediaError,
    NoClipError,
    Notes,
    OutsideMediaError,
    ReadTimeline,
)
from hlcli.timeline.relink import MissingMedia, Relinker
from hlcli.timeline.timecode import frame_at


@dataclass(frozen=True, slots=True)
class Stretch:
    """What is kept of a file."""

    frames: range
    """Frames of the file; they may run over its end by one."""
    markers: tuple[Marker, ...] = ()
    """Markers within them."""


def find_source(
    written: str, folder: Path, *, relinker: Relinker, known: Sequence[Source]
) -> Source:
    """Return the file that a timeline names.

    Args:
        written: Its path or name, of any system.
        folder: Folder of the timeline; relative paths start there.
        relinker: Finds media, where it may be read.
        known: Sources that need no looking at, by their path or their file name.

    Raises:
        MissingMediaError: It is not there.
        MediaError: It cannot be used, or several files are it.
    """
    name = readable(media_path(written).name)
    for source in (
        *(one for one in known if one.path == written),
        *(one for one in known if one.name == name),
    ):
        return source
    relinker = relinker.beside(folder)
    place = Path(written) if media_path(written).is_absolute() else folder / written
    here = relinker.here(place) or relinker.find(MissingMedia(path=written))
    if here is None:
        raise MissingMediaError(
            f"{readable(written)} is not there, and the timeline does not say how long it is",
            path=written,
            hint="name the folder it is in now with --search",
        )
    return source_of_file(here)


def edit_of_stretches(
    path: Path,
    source: Source,
    stretches: Sequence[Stretch],
    *,
    rate: Fraction | None,
    notes: Notes,
) -> ReadTimeline:
    """Lay stretches of a file back to back, with all its sound.

    Args:
        path: The timeline, for its name.
        source: The file.
        stretches: In the order of the timeline.
        rate: Rate of the timeline in frames per second; None takes the file's.
        notes: What was left out.

    Raises:
        NoClipError: There is none.
        OutsideMediaError: One leaves the file.
    """
    rate = rate or source.frame_rate
    events = []
    at = 0
    seconds = Fraction(0)
    for stretch in stretches:
        frames = range(stretch.frames.start, min(stretch.frames.stop, source.num_frames))
        if not frames or stretch.frames.stop > source.num_frames + 1:
            raise OutsideMediaError(
                f"the timeline takes frames {stretch.frames.start} to {stretch.frames.stop} of "
                f"{source.name}, which has {source.num_frames}",
                hint="the file was shortened or replaced",
            )
        seconds += len(frames) / source.frame_rate
        end = max(at + 1, frame_at(seconds, rate))
        if rate == source.frame_rate:
            end = at + len(frames)
        events.append(
            Event(
                source=source,
                frames=frames,
                record=range(at, end),
                sound=tuple(Sound(stream, stream) for stream in range(len(source.audio))),
                markers=stretch.markers,
            )
        )
        at = end
    if not events:
        raise NoClipError(
            f"{path.name} keeps nothing of {source.name}", hint="a timeline with cuts is needed"
        )
    edit = EditList(
        name=readable(path.stem) or "timeline",
        frame_rate=rate,
        events=tuple(events),
        drop_frame=source.drop_frame and rate == source.frame_rate,
        width=source.width,
        height=source.height,
        sample_rate=source.audio[0].sample_rate if source.audio else 48000,
    )
    return ReadTimeline(edit=edit, notes=notes.lines())
