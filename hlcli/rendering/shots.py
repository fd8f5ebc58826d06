"""Which source is on screen when, and where two meet: an edit list as a row of shots."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction

from hlcli.timeline.edit_list import EditList, Event


@dataclass(frozen=True, slots=True, kw_only=True)
class Shot:
    """A stretch of the timeline that shows one event, or nothing."""

    event: Event | None
    """What is shown; None is black."""
    record: range
    """Frames of the timeline; the cuts lie at its ends."""
    lead: int = 0
    """Frames it is already there before its start, under a crossfade."""
    tail: int = 0
    """Frames it is still there after its end, under a crossfade."""
    below: tuple[Event, ...] = ()
    """What is seen through it, the nearest first; empty under what nothing is seen through."""

    @property
    def shown(self) -> range:
        """Frames of the timeline in which any of it is seen."""
        return range(self.record.start - self.lead, self.record.stop + self.tail)


def plan_shots(
    edit: EditList, *, is_transparent: Callable[[Event], bool] = lambda event: False
) -> list[Shot]:
    """Cut the timeline at every change of what is seen; higher tracks cover lower ones.

    Args:
        edit: The timeline.
        is_transparent: Whether something may be seen through an event.

    Returns:
        Shots back to back from frame 0 to the end, at least one for a timeline of any length.
    """
    shown = [event for event in edit.events if event.video_track is not None]
    edges = {0, edit.num_frames}
    for event in shown:
        edges |= {event.record.start, event.record.stop}
    starting = sorted(shown, key=lambda event: event.record.start)
    shots: list[Shot] = []
    active: list[Event] = []
    at = 0
    rows = sorted(edges)
    for start, stop in itertools.pairwise(rows):
        while at < len(starting) and starting[at].record.start <= start:
            active.append(starting[at])
            at += 1
        active = [event for event in active if event.record.stop > start]
        layers = sorted(active, key=lambda event: -(event.video_track or 0))
        top = layers[0] if layers else None
        seen = sum(1 for _ in itertools.takewhile(is_transparent, layers))
        below = tuple(layers[1 : seen + 1])
        if shots and shots[-1].event is top and shots[-1].below == below:
            shots[-1] = replace(shots[-1], record=range(shots[-1].record.start, stop))
        else:
            shots.append(Shot(event=top, record=range(start, stop), below=below))
    return shots


def add_crossfades(
    shots: list[Shot], edit: EditList, crossfade_seconds: Fraction
) -> tuple[list[Shot], list[str]]:
    """Let shots that meet overlap, without moving anything.

    A crossfade lies around the cut and shows footage from beyond it: the handles of the source.
    Where one side has too few, it shifts to the other; where both have, it is shorter. It takes at
    most half of a shot, so that those at its two ends never meet.

    Returns:
        The shots, and a sentence for each crossfade that is shorter than asked for.
    """
    wanted = math.floor(crossfade_seconds * edit.frame_rate + Fraction(1, 2))
    made = list(shots)
    remarks: list[str] = []
    cut = 0
    for index in range(1, len(made)):
        before, after = made[index - 1], made[index]
        if before.event is None or after.event is None:
            continue
        cut += 1
        most_after = min(_frames_after(before, edit), len(after.record) // 2)
        most_before = min(_frames_before(after, edit), len(before.record) // 2)
        lead = min(wanted // 2, most_before)
        tail = min(wanted - lead, most_after)
        lead = min(wanted - tail, most_before)
        made[index - 1] = replace(before, tail=tail)
        made[index] = replace(after, lead=lead)
        if lead + tail < wanted:
            why = (
                "the shots are too short"
                if most_after == len(after.record) // 2 and most_before == len(before.record) // 2
                else "the sources have no more footage there"
            )
            what = f"of {lead + tail} frames" if lead + tail else "left out"
            remarks.append(f"crossfade {cut} is {what} instead of {wanted}: {why}")
    return made, remarks


def source_frame(event: Event, frame: int, frame_rate: Fraction) -> int:
    """Return the frame of the source for a frame of the timeline: what is on screen as it starts.

    Within the event it never leaves the event's own frames; beyond it, the source.
    """
    offset = math.floor((frame - event.record.start) * event.source.frame_rate / frame_rate)
    number = event.frames.start + offset
    if frame in event.record:
        return min(max(number, event.frames.start), event.frames.stop - 1)
    return min(max(number, 0), event.source.num_frames - 1)


def instants(event: Event, shown: range, frame_rate: Fraction) -> Iterator[Fraction]:
    """Yield when each picture of an event is taken from its source, in seconds from its start.

    The middle of the frame, so that times which a container rounded still mean the same frame.

    Args:
        event: The event.
        shown: Frames of the timeline.
        frame_rate: Of the timeline.
    """
    for frame in shown:
        number = source_frame(event, frame, frame_rate)
        yield (number + Fraction(1, 2)) / event.source.frame_rate


def _frames_after(shot: Shot, edit: EditList) -> int:
    event = shot.event
    assert event is not None
    covered = event.record.stop - shot.record.stop
    left = (event.source.num_frames - event.frames.stop) / event.source.frame_rate
    return covered + math.floor(left * edit.frame_rate)


def _frames_before(shot: Shot, edit: EditList) -> int:
    event = shot.event
    assert event is not None
    covered = shot.record.start - event.record.start
    left = event.frames.start / event.source.frame_rate
    return covered + math.floor(left * edit.frame_rate)
