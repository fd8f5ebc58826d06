"""`melt` renders what is written, and every frame and sound is where the edit list has it.

MLT 7.12 places sound within one packet where a cut does not fall on the start of a packet: after a
seek it drops the head of the packet once more when over half a frame of sound is left of it. The
footage stores its sound frame by frame, so that this does not hide an error of ours; the test with
packets of 1024 samples holds MLT to exactly that.
"""

from __future__ import annotations

import dataclasses
import importlib
from fractions import Fraction
from pathlib import Path

import pytest
from engine_proof import (
    Verdict,
    expected_numbers,
    footage_document,
    judge,
    sound_lags,
)
from engines import render_with_melt, require
from numbered_footage import RATES, SAMPLE_RATE, Footage, read_numbers

from hlcli.timeline.build import Layout, build_edit_list
from hlcli.timeline.edit_list import EditList

MODULES = {".mlt": "hlcli.timeline.formats.mlt", ".kdenlive": "hlcli.timeline.formats.kdenlive"}
ODD_NAMES = (
    "a b#1.mov", "100%25 & 'q'.mov", "%03d.mov", "q?x=1.mov", "x:y.mov", 'd"q.mov',
    "\u00e4 \u65e5\u672c \U0001f600.mov",
)  # fmt: skip
CONSTANT = [name for name, footage in RATES.items() if not footage.is_variable_rate]


@pytest.fixture(autouse=True)
def melt() -> None:
    require("melt")


@pytest.fixture(params=MODULES)
def suffix(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def proof(
    folder: Path, suffix: str, *footages: Footage, layout: Layout | None = None, **values: object
) -> tuple[EditList, dict[str, Footage], Path]:
    """Make footage, write a project into another folder, render it."""
    documents, by_path = [], {}
    media = folder / "day #2 50% \u00e4"
    media.mkdir()
    for footage in footages:
        document, paths = footage_document(media, footage, **values)  # type: ignore[arg-type]
        documents.append(document)
        by_path |= paths
    edit = build_edit_list(documents, name="reel", layout=layout or Layout())
    project = folder / "elsewhere" / f"project{suffix}"
    project.parent.mkdir(exist_ok=True)
    importlib.import_module(MODULES[suffix]).write(edit, project)
    rendered = folder / "rendered.mov"
    render_with_melt(project, rendered)
    return edit, by_path, rendered


def check_exact(verdict: Verdict) -> None:
    assert verdict.num_rendered == verdict.num_frames
    assert verdict.wrong == ()
    # One sample is the rounding of frames that are no whole number of samples long.
    assert [lag for lag in verdict.lags if lag is None or abs(lag) > 1] == []


@pytest.mark.parametrize("rate", CONSTANT)
def test_every_frame_and_sound_is_exact(tmp_path: Path, suffix: str, rate: str) -> None:
    edit, footages, rendered = proof(tmp_path, suffix, RATES[rate])
    verdict = judge(edit, footages, rendered)
    assert verdict.num_frames == sum(len(event.frames) for event in edit.events)
    assert len(verdict.lags) == 4
    check_exact(verdict)


def test_a_shifted_timeline_would_be_seen(tmp_path: Path) -> None:
    edit, footages, rendered = proof(tmp_path, ".mlt", RATES["25"])
    event = edit.events[1]
    moved = dataclasses.replace(event, frames=range(event.frames.start + 1, event.frames.stop + 1))
    wrong = dataclasses.replace(edit, events=(edit.events[0], moved, *edit.events[2:]))
    verdict = judge(wrong, footages, rendered)
    assert len(verdict.wrong) == len(event.record)
    assert verdict.lags == (0, SAMPLE_RATE // 25, 0, 0)


@pytest.mark.parametrize("rate", ["24", "30000/1001 NDF", "60"])
def test_sound_in_packets_is_off_by_what_melt_drops_twice(tmp_path: Path, rate: str) -> None:
    footage = dataclasses.replace(RATES[rate], name="phone.mp4", sound_codec="aac", timecode=None)
    edit, footages, rendered = proof(tmp_path, ".mlt", footage)
    assert judge(edit, footages, rendered).wrong == ()
    half_frame = SAMPLE_RATE / footage.rate / 2
    for event, lag in zip(edit.events, sound_lags(edit, footages, rendered), strict=True):
        head = round(event.frames.start / footage.rate * SAMPLE_RATE) % 1024
        dropped = head if 1024 - head > half_frame else 0
        assert lag is not None
        # A release that mends this is exact.
        assert min(abs(lag), abs(lag + dropped)) <= 1


def test_variable_rate_stays_within_a_frame(tmp_path: Path, suffix: str) -> None:
    edit, footages, rendered = proof(
        tmp_path, suffix, RATES["variable 30"], spans=[(0.0, 1.9), (2.3, 4.0)]
    )
    expected, seen = expected_numbers(edit, footages), read_numbers(rendered)
    assert len(expected) == len(seen)
    for numbers, number in zip(expected, seen, strict=True):
        assert number is not None
        assert min(abs(number - (right or 0)) for right in numbers) <= 1
    assert sound_lags(edit, footages, rendered) == (0, 0)


MIXED = (
    Footage(name="a.mov", rate=Fraction(30000, 1001), timecode="01:00:00;00"),
    Footage(name="b.mov", rate=Fraction(25), first_number=1000, width=320, height=192),
    Footage(name="c.mov", rate=Fraction(60000, 1001), first_number=2000, num_sounds=0),
    Footage(name="d.mov", rate=Fraction(24), first_number=3000, width=80, height=48),
)


@pytest.mark.parametrize(
    "layout",
    [Layout(), Layout(track_per_source=True, order="rank"), Layout(frame_rate=Fraction(50))],
    ids=["one track", "tracks by rank", "at 50"],
)
def test_rates_and_sizes_mix(tmp_path: Path, suffix: str, layout: Layout) -> None:
    edit, footages, rendered = proof(
        tmp_path, suffix, *MIXED, layout=layout, spans=[(0.3, 0.9), (2.0, 2.5)]
    )
    verdict = judge(edit, footages, rendered)
    assert verdict.num_rendered == verdict.num_frames
    assert verdict.wrong == ()
    # Cuts at another rate do not fall on packets.
    assert all(lag is not None and abs(lag) <= 512 for lag in verdict.lags)


def test_whole_sources_follow_one_another(tmp_path: Path, suffix: str) -> None:
    edit, footages, rendered = proof(tmp_path, suffix, *MIXED[:2], layout=Layout(markers_only=True))
    check_exact(judge(edit, footages, rendered))


def test_every_sound_track_plays(tmp_path: Path, suffix: str) -> None:
    edit, footages, rendered = proof(
        tmp_path,
        suffix,
        Footage(num_sounds=2),
        Footage(name="mono.mkv", first_number=1000, num_sounds=3, channels=1),
        layout=Layout(track_per_source=True),
        spans=[(0.52, 1.0), (2.0, 2.6)],
    )
    assert edit.num_audio_tracks == 5
    verdict = judge(edit, footages, rendered)
    assert len(verdict.lags) == 10
    check_exact(verdict)


def test_gaps_are_black_and_silent(tmp_path: Path, suffix: str) -> None:
    document, footages = footage_document(tmp_path, Footage())
    edit = build_edit_list([document], name="reel")
    events = tuple(
        dataclasses.replace(event, record=range(event.record.start + 10, event.record.stop + 10))
        for event in edit.events[1:]
    )
    edit = dataclasses.replace(edit, events=events)
    project, rendered = tmp_path / f"project{suffix}", tmp_path / "rendered.mov"
    importlib.import_module(MODULES[suffix]).write(edit, project)
    render_with_melt(project, rendered)
    assert expected_numbers(edit, footages)[:20] == [{None}] * 20
    check_exact(judge(edit, footages, rendered))


@pytest.mark.parametrize("name", ODD_NAMES)
def test_odd_names_play(tmp_path: Path, name: str) -> None:
    check_exact(judge(*proof(tmp_path, ".mlt", Footage(name=name), spans=[(1.0, 1.4)])))
