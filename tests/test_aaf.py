"""AAF, read back with otio-aaf-adapter and, where it looks away, with pyaaf2."""

from __future__ import annotations

import dataclasses
import os
import random
import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import opentimelineio as otio
import pytest
from document_factory import make_document
from edit_list_factory import NTSC, SPANS, edit_of
from edit_list_factory import STANDARD_RATES as RATES
from hypothesis import given, settings
from hypothesis import strategies as st
from torture_clips import TORTURE_CLIPS, torture_document

from hlcli.document import AudioRecord, ScoresDocument
from hlcli.errors import OutputError, UsageError
from hlcli.timeline.edit_list import EditList
from hlcli.timeline.formats import aaf
from hlcli.timeline.formats.otio import otio_timeline
from hlcli.timeline.paths import path_of_url

aaf2 = pytest.importorskip("aaf2", reason="needs the extra hlcli[aaf]")
pytest.importorskip("otio_aaf_adapter", reason="needs the extra hlcli[aaf]")


def write(edit: EditList, folder: Path) -> Path:
    aaf.write(edit, folder / "reel.aaf")
    return folder / "reel.aaf"


def rate_of(rate: float) -> Fraction:
    return Fraction(rate).limit_denominator(1001)


def assert_same_cuts(edit: EditList, path: Path) -> otio.schema.Timeline:
    """Compare every cut, file, rate and timecode with what the adapter reads."""
    timeline = otio.adapters.read_from_file(str(path))
    start = timeline.global_start_time
    assert (start.value, rate_of(start.rate)) == (edit.start_frame, edit.frame_rate)
    assert [track.name for track in timeline.video_tracks()] == [
        f"V{number + 1}" for number in range(edit.num_video_tracks)
    ]
    for number, track in enumerate(timeline.video_tracks()):
        events = [event for event in edit.events if event.video_track == number]
        assert_same_track(track, events, edit)
    channels = 0
    sound = timeline.audio_tracks()
    for number in range(edit.num_audio_tracks):
        events = [event for event in edit.events if any(s.track == number for s in event.sound)]
        width = max(
            event.source.audio[s.stream].channels
            for event in events
            for s in event.sound
            if s.track == number
        )
        for channel in range(width):
            playing = [
                event
                for event in events
                for s in event.sound
                if s.track == number and channel < event.source.audio[s.stream].channels
            ]
            assert_same_track(sound[channels + channel], playing, edit)
        channels += width
    assert len(sound) == channels
    return timeline


def assert_same_track(track: otio.schema.Track, events: list[Any], edit: EditList) -> None:
    clips = list(track.find_clips())
    assert track.duration().value == edit.num_frames
    for clip, event in zip(clips, events, strict=True):
        source = event.source
        assert rate_of(clip.source_range.start_time.rate) == source.frame_rate
        assert clip.name == source.name
        assert clip.source_range.start_time.value == source.start_frame + event.frames.start
        assert clip.source_range.duration.value == len(event.frames)
        assert clip.range_in_parent().start_time.value == event.record.start
        available = clip.media_reference.available_range
        assert (available.start_time.value, available.duration.value) == (
            source.start_frame,
            source.num_frames,
        )
        assert path_of_url(clip.media_reference.target_url) == source.path


def timecodes(path: Path) -> list[tuple[str, int, int, bool]]:
    with aaf2.open(str(path)) as file:
        return sorted(
            (type(mob).__name__, slot.segment.start, slot.segment.fps, slot.segment.drop)
            for mob in file.content.mobs
            for slot in mob.slots
            if type(slot.segment).__name__ == "Timecode"
        )


@pytest.mark.parametrize("rate", RATES, ids=str)
def test_every_rate_reads_back(tmp_path: Path, rate: Fraction) -> None:
    edit = edit_of(
        make_document(frame_rate=rate, start_timecode="10:00:00:00", spans=SPANS),
        start_timecode="01:00:00:00",
    )
    path = write(edit, tmp_path)
    assert_same_cuts(edit, path)
    base = round(rate)
    assert timecodes(path) == [
        ("CompositionMob", 3600 * base, base, False),
        ("SourceMob", 36000 * base, base, False),
    ]
    with aaf2.open(str(path)) as file:
        rates = {str(slot.edit_rate) for mob in file.content.mobs for slot in mob.slots}
    assert {Fraction(text) for text in rates} == {rate}


@pytest.mark.parametrize("rate", [NTSC, Fraction(30), Fraction(60000, 1001), Fraction(60)], ids=str)
def test_drop_frame(tmp_path: Path, rate: Fraction) -> None:
    edit = edit_of(
        make_document(frame_rate=rate, start_timecode="16:37:10;02", spans=SPANS),
        make_document(path="/b.mp4", frame_rate=rate, start_timecode="16:37:10:02", spans=SPANS),
        start_timecode="00:59:50;00",
    )
    path = write(edit, tmp_path)
    assert_same_cuts(edit, path)
    base = round(rate)
    assert timecodes(path) == [
        ("CompositionMob", edit.start_frame, base, True),
        ("SourceMob", {30: 1793106, 60: 3586210}[base], base, True),
        ("SourceMob", edit.sources[1].start_frame, base, False),
    ]


@pytest.mark.slow
@settings(max_examples=10, deadline=None)
@given(
    rate=st.sampled_from(RATES),
    channels=st.lists(st.lists(st.integers(1, 3), max_size=3).map(tuple), min_size=1, max_size=3),
    lengths=st.lists(st.tuples(st.integers(0, 3000), st.integers(10, 900)), min_size=1, max_size=3),
    start=st.sampled_from([None, "00:59:50;00", "10:00:00:00"]),
    own_tracks=st.booleans(),
)
def test_timelines_read_back(tmp_path_factory, rate, channels, lengths, start, own_tracks) -> None:
    spans, at = [], 0.0
    for gap, length in lengths:
        spans.append((at + gap / 100, at + (gap + length) / 100))
        at = spans[-1][1]
    documents = [
        with_sound(
            make_document(
                path=f"/footage/{number}.mp4",
                frame_rate=rate,
                num_frames=int((at + 3) * rate),
                start_timecode=start,
                spans=spans,
            ),
            *counts,
        )
        for number, counts in enumerate(channels)
    ]
    edit = edit_of(*documents, track_per_source=own_tracks)
    assert_same_cuts(edit, write(edit, tmp_path_factory.mktemp("aaf")))


def with_sound(document: ScoresDocument, *channels: int) -> ScoresDocument:
    audio = tuple(AudioRecord(channels=count, sample_rate=48000) for count in channels)
    return dataclasses.replace(document, video=dataclasses.replace(document.video, audio=audio))


def test_a_source_is_one_master_clip_with_all_channels(tmp_path: Path) -> None:
    document = with_sound(make_document(spans=SPANS), 2, 1)
    path = write(edit_of(document), tmp_path)
    with aaf2.open(str(path)) as file:
        (master,) = file.content.mastermobs()
        slots = [
            (slot.name, slot.segment.media_kind, slot.segment.slot_id) for slot in master.slots
        ]
        (composition,) = file.content.compositionmobs()
        played = {
            slot.name: {part.slot_id for part in slot.segment.components}
            for slot in composition.slots
            if slot.name[:1] in "VA" and slot.name
        }
        descriptors = {
            type(mob.descriptor).__name__: {
                prop.name: prop.value for prop in mob.descriptor.properties()
            }
            for mob in file.content.sourcemobs()
        }
    assert slots == [("V1", "Picture", 1), ("A1", "Sound", 2), ("A2", "Sound", 3),
                     ("A3", "Sound", 4)]  # fmt: skip
    assert played == {"V1": {1}, "A1": {2}, "A2": {3}, "A3": {4}}
    picture, sound = descriptors["CDCIDescriptor"], descriptors["PCMDescriptor"]
    assert (picture["StoredWidth"], picture["StoredHeight"]) == (1920, 1080)
    assert (sound["Channels"], sound["Length"]) == (3, 60 * 48000)


def test_markers(tmp_path: Path) -> None:
    edit = edit_of(make_document(start_timecode="01:00:00:00", spans=SPANS))
    timeline = assert_same_cuts(edit, write(edit, tmp_path))
    found = [
        (marker.name, marker.color, marker.marked_range.start_time.value)
        for clip in timeline.find_clips()
        for marker in clip.markers
    ]
    expected = [
        (f"{marker.name}, {marker.comment}", marker.color, 108000 + marker.frames.start)
        for event in edit.events
        for marker in event.markers
    ]
    assert found == expected
    assert [color for _, color, _ in expected] == ["GREEN", "GREEN", "CYAN"]


def test_markers_on_their_own_tracks_and_over_a_whole_source(tmp_path: Path) -> None:
    documents = [make_document(path=f"/{name}.mp4", spans=SPANS) for name in "ab"]
    edit = edit_of(*documents, track_per_source=True, markers_only=True)
    timeline = assert_same_cuts(edit, write(edit, tmp_path))
    for track in timeline.video_tracks():
        (clip,) = track.find_clips()
        assert [
            (marker.marked_range.start_time.value, marker.marked_range.duration.value)
            for marker in clip.markers
        ] == [(30, 60), (225, 53), (600, 211)]


@pytest.mark.parametrize(
    "path",
    ["/a b/\u00e4 #1 100%25 & 'q'.mp4", r"C:\My Clips\a.mp4", r"\\nas\share\a.mp4", "/a\udcff.mp4"],
)
def test_paths(tmp_path: Path, path: str) -> None:
    edit = edit_of(make_document(path=path, spans=SPANS))
    assert_same_cuts(edit, write(edit, tmp_path))


def test_stored_size_of_a_turned_phone(tmp_path: Path) -> None:
    document = make_document(spans=SPANS)
    video = dataclasses.replace(document.video, width=1080, height=1920, rotation_degrees=270)
    path = write(edit_of(dataclasses.replace(document, video=video)), tmp_path)
    with aaf2.open(str(path)) as file:
        sizes = [
            (mob.descriptor["StoredWidth"].value, str(mob.descriptor["ImageAspectRatio"].value))
            for mob in file.content.sourcemobs()
            if "StoredWidth" in mob.descriptor
        ]
    assert sizes == [(1920, "16/9")]


def test_what_does_not_fit_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = make_document(spans=[(1, 2)])
    other = make_document(path="/b.mp4", frame_rate=Fraction(25), num_frames=500, spans=[(1, 2)])
    with pytest.raises(UsageError, match=r"b\.mp4 has 25, the timeline 30"):
        write(edit_of(one, other), tmp_path)
    odd = make_document(frame_rate=Fraction(15), num_frames=500, spans=[(1, 2)])
    with pytest.raises(UsageError, match="AAF has no frame rate 15") as caught:
        write(edit_of(odd), tmp_path)
    assert "to 24000/1001 frames a second" in caught.value.hint
    with pytest.raises(OutputError, match="does not exist"):
        aaf.write(edit_of(one), tmp_path / "no" / "x.aaf")
    monkeypatch.setattr(aaf, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match="the extra for AAF is not installed") as caught:
        write(edit_of(one), tmp_path)
    assert caught.value.hint == 'pip install "hlcli[aaf]"'
    assert list(tmp_path.iterdir()) == []


def test_two_runs_give_the_same_bytes(tmp_path: Path) -> None:
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from pathlib import Path\n"
        "from document_factory import make_document\n"
        "from hlcli.timeline.build import build_edit_list\n"
        "from hlcli.timeline.formats import aaf\n"
        "documents = [make_document(path=f'/{n}.mp4', audio=2) for n in range(3)]\n"
        "aaf.write(build_edit_list(documents, name='x'), Path(sys.argv[2]))\n"
    )
    for name, seed in (("a.aaf", "1"), ("b.aaf", "2")):
        subprocess.run(
            [sys.executable, "-c", code, str(Path(__file__).parent), str(tmp_path / name)],
            env=os.environ | {"PYTHONHASHSEED": seed},
            check=True,
        )
    assert (tmp_path / "a.aaf").read_bytes() == (tmp_path / "b.aaf").read_bytes()


def test_the_lot_of_others_is_left_alone(tmp_path: Path) -> None:
    random.seed(7)
    expected = [random.random() for _ in range(3)]
    random.seed(7)
    drawn = [random.random()]
    write(edit_of(make_document(spans=SPANS)), tmp_path)
    assert [*drawn, random.random(), random.random()] == expected


def test_what_the_adapter_writes(tmp_path: Path) -> None:
    """Why hl writes the format itself: docs/decisions/0010. Fails when the adapter is mended."""
    edit = edit_of(
        make_document(frame_rate=NTSC, start_timecode="01:00:00:00", spans=SPANS),
        start_timecode="01:00:00;00",
    )
    path = tmp_path / "x.aaf"
    otio.adapters.write_to_file(otio_timeline(edit), str(path), use_empty_mob_ids=True)
    # The timeline drops frames and the file does not: both are said the wrong way round.
    found = timecodes(path)
    assert found[0] == ("CompositionMob", 107892, 30, False)
    assert {entry[1:] for entry in found[1:]} == {(108000, 30, True)}
    with aaf2.open(str(path)) as file:
        # Each cut of picture and of sound becomes a master clip of its own.
        assert len(list(file.content.mastermobs())) == 6
    # And 23.976, which has no drop-frame, is said to have it.
    edit = edit_of(make_document(frame_rate=Fraction(24000, 1001), spans=SPANS))
    otio.adapters.write_to_file(otio_timeline(edit), str(path), use_empty_mob_ids=True)
    assert {entry[2:] for entry in timecodes(path) if entry[0] == "SourceMob"} == {(24, True)}


@pytest.mark.shared
@pytest.mark.parametrize("name", TORTURE_CLIPS)
def test_torture_clips(shared_dir: Path, tmp_path: Path, name: str) -> None:
    edit = edit_of(torture_document(shared_dir, name))
    assert_same_cuts(edit, write(edit, tmp_path))
