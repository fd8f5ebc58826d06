"""Timelines read back: those of `hl` exactly, those of others exactly or with words about it."""

from __future__ import annotations

import dataclasses
from fractions import Fraction
from pathlib import Path

import opentimelineio as otio
import pytest
from document_factory import make_document
from hypothesis import given, settings
from hypothesis import strategies as st

from hlcli.timeline.build import Layout, build_edit_list
from hlcli.timeline.edit_list import EditList
from hlcli.timeline.formats.otio import otio_timeline, write
from hlcli.timeline.formats.otio_dialects import DIALECTS
from hlcli.timeline.read import read_timeline
from hlcli.timeline.read.edit_of_otio import edit_of_otio

NTSC = Fraction(30000, 1001)
RATES = [
    Fraction(24000, 1001), Fraction(24), Fraction(25), NTSC, Fraction(30), Fraction(50),
    Fraction(60000, 1001), Fraction(60), Fraction(12), Fraction(120),
]  # fmt: skip


def without_rounding(edit: EditList) -> EditList:
    """Return an edit list whose moments carry the millionths that files hold."""
    events = []
    for event in edit.events:
        finding = event.finding
        if finding is not None:
            moment = finding.moment
            numbers = ("score", "peak_seconds", "start_seconds", "end_seconds", "picture", "sound")
            rounded = {
                name: None if getattr(moment, name) is None else round(getattr(moment, name), 6)
                for name in numbers
            }
            finding = dataclasses.replace(finding, moment=dataclasses.replace(moment, **rounded))
        markers = tuple(
            dataclasses.replace(m, score=None if m.score is None else round(m.score, 6))
            for m in event.markers
        )
        events.append(dataclasses.replace(event, finding=finding, markers=markers))
    return dataclasses.replace(edit, events=tuple(events))


@st.composite
def documents(draw: st.DrawFn, rate: Fraction | None = None) -> list:
    made = []
    for number in range(draw(st.integers(1, 3))):
        own = rate or draw(st.sampled_from(RATES))
        num_frames = draw(st.integers(400, 4000))
        length = float(num_frames / own)
        cuts = sorted(
            draw(st.lists(st.floats(0, length - 0.2), min_size=2, max_size=6, unique=True))
        )
        spans = [
            (start, end)
            for start, end in zip(cuts[::2], cuts[1::2], strict=False)
            if end - start > 0.3
        ] or [(0.0, length / 2)]
        timecode = draw(st.sampled_from([None, "01:00:00:00", "00:59:50;00", "10:11:12:05"]))
        made.append(
            make_document(
                path=f"/footage/day {number}/clip #{number} 100%.mov",
                num_frames=num_frames,
                frame_rate=own,
                start_timecode=timecode,
                audio=draw(st.integers(0, 3)),
                spans=spans,
                identity=f"{number:x}" * 64,
            )
        )
    return made


layouts = st.builds(
    Layout,
    order=st.sampled_from(["time", "rank"]),
    markers_only=st.booleans(),
    track_per_source=st.booleans(),
    start_timecode=st.sampled_from([None, "01:00:00:00", "00:59:59;10"]),
)


@settings(max_examples=60, deadline=None)
@given(data=st.data(), rate=st.sampled_from(RATES), target=st.sampled_from(sorted(DIALECTS)))
def test_own_timelines_of_one_rate_come_back_whole(
    data: st.DataObject, rate: Fraction, target: str
) -> None:
    made = data.draw(documents(rate))
    edit = build_edit_list(made, name="cut", layout=data.draw(layouts))
    back = edit_of_otio(otio_timeline(edit, DIALECTS[target]), folder=Path("/nowhere"))
    assert back.edit == without_rounding(edit)
    assert back.notes == ()
