"""FCPXML read back: that of `hl` exactly, that of others exactly or with words about it."""

from __future__ import annotations

import dataclasses
from fractions import Fraction
from pathlib import Path

import pytest
from document_factory import make_document
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from hlcli.document import AudioRecord
from hlcli.errors import TimelineError
from hlcli.timeline.build import Layout, build_edit_list
from hlcli.timeline.edit_list import EditList, Event, Sound, Source
from hlcli.timeline.formats.fcpxml import write
from hlcli.timeline.read import read_timeline
from hlcli.timeline.read import read_timeline as read
from hlcli.timeline.read.fcpxml import read_fcpxml

NTSC = Fraction(1000, 1001)
RATES = [
    24 * NTSC, Fraction(24), Fraction(25), 30 * NTSC, Fraction(30), Fraction(50), 60 * NTSC,
    Fraction(60),
]  # fmt: skip


def what_survives(edit: EditList) -> EditList:
    """Return an edit list without what FCPXML has no place for."""
    events = []
    for event in edit.events:
        source = dataclasses.replace(event.source, sha256_head=None)
        markers = tuple(
            dataclasses.replace(marker, color=None, score=round(marker.score or 0, 2))
            for marker in event.markers
        )
        events.append(dataclasses.replace(event, source=source, markers=markers, highlight=None))
    return dataclasses.replace(edit, events=tuple(events))


# Our own -------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(RATES),
    st.lists(
        st.tuples(
            st.integers(200, 3000),
            st.integers(0, 3),
            st.sampled_from([None, "01:00:00:00", "10:00:00;02"]),
        ),
        min_size=1,
        max_size=3,
    ),
    st.booleans(),
    st.booleans(),
    st.sampled_from(["finalcut", "resolve"]),
)
def test_what_was_written_is_read(
    tmp_path_factory, rate: Fraction, videos, own_tracks: bool, markers_only: bool, target: str
) -> None:
    documents = [
        make_document(
            path=f"/nowhere/{number} \u00e4.mov", frame_rate=rate, num_frames=num_frames,
            audio=audio, start_timecode=start,
        )
        for number, (num_frames, audio, start) in enumerate(videos)
        if start is None or ";" not in start or rate in (30, 60, 30 * NTSC, 60 * NTSC)
    ]  # fmt: skip
    assume(any(document.moments for document in documents))
    layout = Layout(
        track_per_source=own_tracks, markers_only=markers_only, start_timecode="01:00:00:00"
    )
    edit = build_edit_list(documents, name="x", layout=layout)
    path = tmp_path_factory.mktemp("fcpxml") / "x.fcpxml"
    write(edit, path, target=target)
    again = read_timeline(path)
    wanted = what_survives(edit)
    if not own_tracks:
        assert again.edit == wanted
    assert [dataclasses.replace(event, sound=()) for event in again.edit.events] == [
        dataclasses.replace(event, sound=()) for event in wanted.events
    ]
    assert [[sound.stream for sound in event.sound] for event in again.edit.events] == [
        [sound.stream for sound in event.sound] for event in wanted.events
    ]
    assert again.notes == ()


def test_other_rates_keep_their_first_frames(tmp_path: Path) -> None:
    documents = [
        make_document(path=f"/nowhere/{n}.mov", frame_rate=rate, spans=[(1.0, 3.0), (10.0, 12.5)])
        for n, rate in enumerate(RATES)
    ]
    edit = build_edit_list(documents, name="x")
    write(edit, tmp_path / "x.fcpxml")
    again = read_fcpxml(tmp_path / "x.fcpxml")
    assert len(again.events) == len(edit.events)
    for found, wanted in zip(again.events, edit.events, strict=True):
        assert found.source.frame_rate == wanted.source.frame_rate
        assert (found.frames.start, found.record) == (wanted.frames.start, wanted.record)
        # A length is in frames of the timeline: half a frame of it is lost to rounding.
        assert abs(len(found.frames) - len(wanted.frames)) <= 1


def test_sound_alone_and_one_track_of_several(tmp_path: Path) -> None:
    track = AudioRecord(channels=2, sample_rate=48000)
    mono = AudioRecord(channels=1, sample_rate=48000)
    source = Source(
        path="/a.mov", frame_rate=Fraction(25), num_frames=500, width=1920, height=1080,
        audio=(track, mono),
    )  # fmt: skip
    song = Source(path="/s.mov", frame_rate=Fraction(25), num_frames=900, audio=(track,))
    edit = EditList(
        name="x",
        frame_rate=Fraction(25),
        events=(
            Event(source=source, frames=range(0, 50), record=range(0, 50)),
            Event(
                source=song, frames=range(0, 100), record=range(0, 100), video_track=None,
                sound=(Sound(0, 1),),
            ),
            Event(
                source=source, frames=range(60, 110), record=range(50, 100), sound=(Sound(1, 0),)
            ),
        ),
        width=1920,
        height=1080,
    )  # fmt: skip
    write(edit, tmp_path / "x.fcpxml")
    assert read_fcpxml(tmp_path / "x.fcpxml") == edit


def test_a_clock_that_final_cut_does_not_read(tmp_path: Path) -> None:
    """T2: the file counts from 0 for Final Cut Pro, and from its camera's clock for `hl`."""
    document = make_document(
        path="/nowhere/a.mov", frame_rate=Fraction(25), start_timecode="10:11:12:13",
        spans=[(1.0, 3.0)],
    )  # fmt: skip
    video = dataclasses.replace(document.video, has_timecode_track=False)
    edit = build_edit_list([dataclasses.replace(document, video=video)], name="x")
    for target in ("finalcut", "resolve"):
        write(edit, tmp_path / "x.fcpxml", target=target)
        again = read(tmp_path / "x.fcpxml", known=edit.sources)
        assert again.edit.events[0].frames == range(25, 75)
        assert again.edit.events[0].markers[0].frames == edit.events[0].markers[0].frames


# Others' -------------------------------------------------------------------------------------

ASSETS = """
<format id="r1" name="FFVideoFormat1080p25" frameDuration="100/2500s" width="1920" height="1080"/>
<format id="r9" name="FFVideoFormat720p2997" width="1280" height="720"/>
<asset id="r2" name="a" start="3600s" duration="40s" hasVideo="1" format="r1" hasAudio="1"
       audioSources="1" audioChannels="2" audioRate="48000">
  <media-rep kind="original-media" src="file:///nowhere/a%20b.mov"/>
</asset>
<asset id="r3" name="b" src="file:///nowhere/b.mov" start="0s" duration="20s" hasVideo="1"
       format="r1"/>
<asset id="r4" name="song" start="0s" duration="100s" hasAudio="1" audioSources="1"
       audioChannels="2" audioRate="44.1k"><media-rep src="file:///nowhere/song.wav"/></asset>
<effect id="r5" name="Basic Title" uid=".../Basic.moti"/>
"""


def story(
    tmp_path: Path, spine: str, *, resources: str = "", sequence: str = "", head: str = ""
) -> Path:
    path = tmp_path / "other.fcpxml"
    path.write_text(
        f'<?xml version="1.0"?><!DOCTYPE fcpxml>{head}<fcpxml version="1.11"><resources>{ASSETS}'
        f'{resources}</resources><library><event name="e"><project name="p">'
        f'<sequence format="r1" tcStart="3600s" tcFormat="NDF" {sequence}><spine>{spine}</spine>'
        "</sequence></project></event></library></fcpxml>",
        "utf-8",
    )
    return path


def pictures(edit: EditList) -> list[tuple[str, range, range, int]]:
    return [
        (event.source.name, event.frames, event.record, event.video_track)
        for event in edit.events
        if event.video_track is not None
    ]


def test_clips_as_final_cut_pro_writes_them(tmp_path: Path) -> None:
    path = story(
        tmp_path,
        """
        <asset-clip ref="r2" offset="3600s" name="A" duration="4s" format="r1" audioRole="dialogue">
          <marker start="3601s" duration="1/25s" value="note" note="look"/>
          <asset-clip ref="r3" lane="1" offset="18010/5s" start="2s" duration="3s"/>
        </asset-clip>
        <gap name="Gap" offset="3604s" start="3600s" duration="2s">
          <asset-clip ref="r4" lane="-1" offset="3601s" duration="1s"/>
        </gap>
        <asset-clip ref="r2" offset="3606s" start="3610s" duration="2s" srcEnable="video"/>
        """,
    )
    made = read(path)
    assert pictures(made.edit) == [
        ("a b.mov", range(0, 100), range(0, 100), 0),
        ("b.mov", range(50, 125), range(50, 125), 1),
        ("a b.mov", range(250, 300), range(150, 200), 0),
    ]
    first, over, sound, last = made.edit.events
    assert [len(event.sound) for event in (first, over, last)] == [1, 0, 0]
    assert (sound.source.name, sound.record, sound.video_track) == (
        "song.wav", range(125, 150), None,
    )  # fmt: skip
    (marker,) = first.markers
    assert (marker.frames, marker.name, marker.comment) == (range(25, 26), "note", "look")
    assert made.edit.start_frame == 90000
    assert made.edit.name == "p"
    assert made.notes == ()


def test_clips_as_resolve_writes_them(tmp_path: Path) -> None:
    """A clip holds a picture, which holds its sound; the clip trims both."""
    path = story(
        tmp_path,
        """
        <clip name="a" offset="3600s" start="3605s" duration="2s">
          <video ref="r2" offset="3600s" start="3600s" duration="40s">
            <audio ref="r2" lane="-1" offset="3600s" start="3600s" duration="40s" srcCh="1, 2"/>
          </video>
          <marker start="3606s" value="there"/>
        </clip>
        <clip name="b" offset="3602s" start="1s" duration="2s"><video ref="r3" offset="0s"
          duration="20s"/></clip>
        """,
    )
    made = read(path)
    assert pictures(made.edit) == [
        ("a b.mov", range(125, 175), range(0, 50), 0),
        ("b.mov", range(25, 75), range(50, 100), 0),
    ]
    assert made.edit.events[0].sound == (Sound(0, 0),)
    assert [marker.frames for marker in made.edit.events[0].markers] == [range(150, 151)]


def test_storylines_compounds_and_auditions_are_laid_out(tmp_path: Path) -> None:
    compound = """
    <media id="r7" name="Inner"><sequence format="r1" duration="10s" tcStart="0s"><spine>
      <asset-clip ref="r3" offset="0s" duration="5s"/>
      <asset-clip ref="r2" offset="5s" start="3610s" duration="5s"/>
    </spine></sequence></media>
    """
    path = story(
        tmp_path,
        """
        <ref-clip ref="r7" name="Inner" offset="3600s" start="3s" duration="4s"/>
        <audition offset="3604s">
          <asset-clip ref="r3" start="10s" duration="2s"/>
          <asset-clip ref="r2" start="3600s" duration="2s"/>
        </audition>
        <asset-clip ref="r2" offset="3606s" duration="4s">
          <spine lane="2" offset="3601s">
            <asset-clip ref="r3" offset="0s" duration="1s"/>
            <gap offset="1s" duration="1s"/>
            <asset-clip ref="r3" offset="2s" start="8s" duration="1s"/>
          </spine>
        </asset-clip>
        """,
        resources=compound,
    )
    made = read(path)
    assert pictures(made.edit) == [
        ("b.mov", range(75, 125), range(0, 50), 0),
        ("a b.mov", range(250, 300), range(50, 100), 0),
        ("b.mov", range(250, 300), range(100, 150), 0),
        ("a b.mov", range(0, 100), range(150, 250), 0),
        ("b.mov", range(0, 25), range(175, 200), 2),
        ("b.mov", range(200, 225), range(225, 250), 2),
    ]
    assert made.notes == ("the compound clip 'Inner' is laid out in place",)


def test_what_hangs_on_a_clip_reaches_over_its_end(tmp_path: Path) -> None:
    path = story(
        tmp_path,
        """
        <clip name="a" offset="3600s" start="3605s" duration="2s">
          <video ref="r2" offset="3600s" start="3600s" duration="40s"/>
          <asset-clip ref="r3" lane="1" offset="3606s" duration="3s"/>
          <spine lane="2" offset="3606s"><asset-clip ref="r3" offset="0s" duration="4s"/></spine>
        </clip>
        <asset-clip ref="r2" offset="3602s" duration="8s"/>
        """,
    )
    assert pictures(read(path).edit) == [
        ("a b.mov", range(125, 175), range(0, 50), 0),
        ("b.mov", range(0, 75), range(25, 100), 1),
        ("b.mov", range(0, 100), range(25, 125), 2),
        ("a b.mov", range(0, 200), range(50, 250), 0),
    ]


def test_split_edits_and_missing_offsets(tmp_path: Path) -> None:
    path = story(
        tmp_path,
        """
        <asset-clip ref="r2" start="3602s" duration="2s" audioStart="3602s" audioDuration="3s"/>
        <asset-clip ref="r3" start="1s" duration="2s"/>
        """,
    )
    edit = read(path).edit
    assert pictures(edit) == [
        ("a b.mov", range(50, 100), range(0, 50), 0),
        ("b.mov", range(25, 75), range(50, 100), 0),
    ]
    (sound,) = [event for event in edit.events if event.video_track is None]
    assert (sound.frames, sound.record) == (range(50, 125), range(0, 75))


def test_what_cuts_cannot_say_is_said(tmp_path: Path) -> None:
    path = story(
        tmp_path,
        """
        <asset-clip ref="r2" offset="3600s" start="3601s" duration="4s">
          <conform-rate srcFrameRate="24"/>
          <adjust-transform scale="2 2"/>
          <title ref="r5" name="Hello" lane="1" offset="3601s" duration="2s"/>
          <filter-video ref="r5" name="Glow"/>
        </asset-clip>
        <transition offset="18018/5s" duration="4/5s"/>
        <asset-clip ref="r3" offset="3604s" start="1s" duration="2s">
          <timeMap><timept time="0s" value="0s"/><timept time="5s" value="10s"/></timeMap>
        </asset-clip>
        <asset-clip ref="r3" offset="3606s" start="1s" duration="2s" enabled="0"/>
        <video ref="r5" offset="3608s" duration="1s"/>
        <mc-clip ref="r8" name="Stage" offset="3609s" duration="1s"/>
        <asset-clip ref="r2" offset="3610s" duration="1s"/>
        """,
    )
    made = read(path)
    assert pictures(made.edit) == [
        ("a b.mov", range(25, 125), range(0, 100), 0),
        ("b.mov", range(50, 100), range(100, 150), 0),
        ("a b.mov", range(0, 25), range(250, 275), 0),
    ]
    assert made.notes == (
        "1 clip of another rate would be sped up to the timeline's, not here: 'a'",
        "1 title left out, a gap stays: 'Hello'",
        "1 generator left out, a gap stays: 'unnamed'",
        "1 multicam clip without media left out, a gap stays: 'Stage'",
        "1 transition became plain cuts at the edit points",
        "'b' runs at 2 times the speed: it plays at normal speed from the same first frame, as "
        "long as it lay on the timeline",
        "1 switched-off clip left out, gaps stay: 'b'",
        "effects are left out: Glow, transform",
    )


def test_a_format_that_says_its_rate_by_name(tmp_path: Path) -> None:
    path = story(tmp_path, '<asset-clip ref="r3" duration="2s"/>')
    path.write_text(path.read_text("utf-8").replace('sequence format="r1"', 'sequence format="r9"'))
    made = read(path)
    assert made.edit.frame_rate == 30 * NTSC
    assert (made.edit.width, made.edit.height) == (1280, 720)
    assert read(path, rate=Fraction(50)).edit.frame_rate == 50


def test_media_that_moved_is_found(tmp_path: Path) -> None:
    from media_factory import make_video

    (tmp_path / "far").mkdir()
    make_video(tmp_path / "far", name="b.mov", rate=Fraction(25), num_frames=500)
    path = story(tmp_path, '<asset-clip ref="r3" start="4s" duration="2s"/>')
    made = read(path, search=[tmp_path / "far"])
    (event,) = made.edit.events
    assert event.source.path == str(tmp_path / "far" / "b.mov")
    assert event.frames == range(100, 150)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("<fcpxml><resources/>", "cannot read"),
        ("<xmeml/>", "is no FCPXML file"),
        ('<fcpxml version="1.10"><resources/></fcpxml>', "holds 0 projects"),
        ("<fcpxml><project name='a'/><project name='b'/></fcpxml>", "holds 2 projects: 'a', 'b'"),
        ("<fcpxml><project name='a'/></fcpxml>", "a project without a timeline"),
        ("<fcpxml><project><sequence format='r1'/></project></fcpxml>", "its frame rate"),
        (
            "<fcpxml><resources><format id='r1' frameDuration='1/0s'/></resources>"
            "<project><sequence format='r1'/></project></fcpxml>",
            "cannot read",
        ),
        (
            "<fcpxml><resources><format id='r1' frameDuration='1/25s'/></resources>"
            "<project><sequence format='r1'><spine/></sequence></project></fcpxml>",
            "has no clip that can be cut",
        ),
    ],
)
def test_damaged_files(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "x.fcpxml"
    path.write_text(text, "utf-8")
    with pytest.raises(TimelineError, match=words) as caught:
        read(path)
    assert caught.value.hint


def test_damaged_times_and_endless_compounds(tmp_path: Path) -> None:
    with pytest.raises(TimelineError, match="'soon' is no time"):
        read(story(tmp_path, '<asset-clip ref="r3" offset="soon" duration="2s"/>'))
    endless = """
    <media id="r7" name="Inner"><sequence format="r1"><spine>
      <ref-clip ref="r7" offset="0s" duration="5s"/></spine></sequence></media>
    """
    with pytest.raises(TimelineError, match="more than 32 deep"):
        read(story(tmp_path, '<ref-clip ref="r7" duration="4s"/>', resources=endless))
    with pytest.raises(TimelineError, match=r"20\.000 seconds long"):
        read(story(tmp_path, '<asset-clip ref="r3" start="19s" duration="4s"/>'))
