"""Blender's sequencer renders what the .otio says, read by the OpenTimelineIO library alone."""

from __future__ import annotations

import dataclasses
from fractions import Fraction
from pathlib import Path

import pytest
from engine_proof import footage_document, judge
from engines import render_with_blender, require_blender
from numbered_footage import RATES, Footage

from hlcli.timeline.build import Layout, build_edit_list
from hlcli.timeline.formats import otio

pytestmark = pytest.mark.slow
CONSTANT = [name for name, footage in RATES.items() if not footage.is_variable_rate]


@pytest.fixture(autouse=True)
def blender() -> None:
    require_blender()


@pytest.mark.parametrize("rate", CONSTANT)
def test_every_frame_is_exact(tmp_path: Path, rate: str) -> None:
    footage = dataclasses.replace(RATES[rate], name="day #2 50% \u00e4.mov", num_sounds=0)
    document, footages = footage_document(tmp_path, footage)
    edit = build_edit_list([document], name="reel")
    timeline, rendered = tmp_path / "reel.otio", tmp_path / "rendered.mp4"
    otio.write(edit, timeline, target="generic")
    render_with_blender(timeline, rendered)
    verdict = judge(edit, footages, rendered)
    assert verdict.num_rendered == verdict.num_frames
    assert verdict.wrong == ()


def test_several_tracks_and_gaps_are_exact(tmp_path: Path) -> None:
    rate = Fraction(30000, 1001)
    documents, footages = [], {}
    for number, name in enumerate(("a.mov", "b.mov")):
        footage = Footage(
            name=name, rate=rate, timecode="00:59:58;10", first_number=1000 * number, num_sounds=0
        )
        document, paths = footage_document(tmp_path, footage)
        documents.append(document)
        footages |= paths
    layout = Layout(track_per_source=True, order="rank", start_timecode="01:00:00;00")
    edit = build_edit_list(documents, name="reel", layout=layout)
    timeline, rendered = tmp_path / "reel.otio", tmp_path / "rendered.mp4"
    otio.write(edit, timeline, target="generic")
    render_with_blender(timeline, rendered)
    verdict = judge(edit, footages, rendered)
    assert verdict.num_rendered == verdict.num_frames
    assert verdict.wrong == ()
