"""What a timeline must look and sound like, and what an engine made of it.

The expectation is computed from the edit list alone; the engines get the written file alone.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from document_factory import make_document
from numbered_footage import (
    SAMPLE_RATE,
    Footage,
    make_footage,
    read_numbers,
    read_sound,
    sound_lag,
    video_record,
)

from hlcli.document import ScoresDocument
from hlcli.timeline.edit_list import EditList, Event

Footages = Mapping[str, Footage]
"""What is in each file, by its absolute path."""
_HALF = Fraction(1, 2)
SPANS = [(0.0, 0.5), (1.1, 1.9), (2.04, 2.56), (3.5, 4.0)]
"""Moments of the proofs, in seconds: the first frame, the last one, and cuts off every grid."""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """How far a rendered file is from the edit list."""

    num_frames: int
    """Frames that were expected."""
    num_rendered: int
    """Frames that came."""
    wrong: tuple[tuple[int, int | None, int | None], ...]
    """Frame of the timeline, expected number, number seen; None is black."""
    lags: tuple[int | None, ...]
    """Samples that each sound is late; None where it was not found."""

    @property
    def is_exact(self) -> bool:
        """Whether every frame is right and every sound within a millisecond."""
        return (
            self.num_frames == self.num_rendered
            and not self.wrong
            and all(lag is not None and abs(lag) <= SAMPLE_RATE // 1000 for lag in self.lags)
        )


def footage_document(
    folder: Path, footage: Footage, *, spans: Sequence[tuple[float, float]] = SPANS
) -> tuple[ScoresDocument, dict[str, Footage]]:
    """Make numbered footage and a scores document of it, as `hl score` would."""
    path = make_footage(folder, footage)
    record = video_record(path)
    document = make_document(
        num_frames=record.num_frames,
        frame_rate=record.frame_rate,
        audio=len(record.audio),
        spans=list(spans),
    )
    return dataclasses.replace(document, video=record), {record.path: footage}


def expected_numbers(edit: EditList, footages: Footages) -> list[set[int | None]]:
    """Return the numbers each frame of the timeline may show; None in gaps.

    A source of another rate shows the frame whose start is nearest, as MLT does; halfway, two are.
    """
    numbers: list[set[int | None]] = [{None}] * edit.num_frames
    for event in sorted(edit.events, key=lambda event: event.video_track or 0):
        if event.video_track is None:
            continue
        footage = footages[event.source.path]
        frames = event.conformed(edit.frame_rate)
        for record, frame in zip(event.record, frames, strict=True):
            exact = frame / edit.frame_rate * event.source.frame_rate
            nearest = {math.floor(exact + _HALF), math.ceil(exact - _HALF)}
            last = event.source.num_frames - 1
            numbers[record] = {footage.number_of(min(number, last)) for number in nearest}
    return numbers


def sound_lags(
    edit: EditList, footages: Footages, rendered: Path, *, events: Sequence[Event] | None = None
) -> tuple[int | None, ...]:
    """Return how late each sound of each event is, in the first channel of a rendered file."""
    if edit.num_audio_tracks == 0:
        return ()
    wave = read_sound(rendered)[0]
    return tuple(
        sound_lag(
            wave,
            footages[event.source.path],
            track=sound.stream,
            source=_samples(event.conformed(edit.frame_rate), edit.frame_rate),
            record_start=round(event.record.start / edit.frame_rate * SAMPLE_RATE),
        )
        for event in events or edit.events
        for sound in event.sound
    )


def judge(edit: EditList, footages: Footages, rendered: Path) -> Verdict:
    """Compare a rendered file with what the edit list says."""
    expected = expected_numbers(edit, footages)
    seen = read_numbers(rendered)
    return Verdict(
        num_frames=len(expected),
        num_rendered=len(seen),
        wrong=tuple(
            (index, min(right, key=str), number)
            for index, (right, number) in enumerate(zip(expected, seen, strict=False))
            if number not in right
        ),
        lags=sound_lags(edit, footages, rendered),
    )


def _samples(frames: range, rate: Fraction) -> range:
    return range(
        math.floor(frames.start / rate * SAMPLE_RATE + Fraction(1, 2)),
        math.floor(frames.stop / rate * SAMPLE_RATE + Fraction(1, 2)),
    )
