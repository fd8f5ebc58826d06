"""What users of other programs saw when a timeline was opened: T1 to T26, none of it here.

Each test says what went wrong there. Every writer it concerns is tried, and what it wrote is read
back by readers that share nothing with it (`timeline_readers`). docs/reference/formats.md has the
list.
"""

from __future__ import annotations

import itertools
import json
import os
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import opentimelineio as otio
import pytest
from document_factory import make_document
from hypothesis import given, settings
from hypothesis import strategies as st
from media_factory import AudioTrack, click_track, make_video, read_frame_number
from timeline_readers import NO_CUTS, READERS, Cut, media_of, read_cuts

from hlcli.document import ScoresDocument, VideoRecord
from hlcli.errors import UsageError
from hlcli.media.ffmpeg import find_ffmpeg
from hlcli.media.identity import content_identity
from hlcli.media.probe import probe
from hlcli.media.rates import STANDARD_RATES
from hlcli.media.still import read_stills
from hlcli.moments import Moment
from hlcli.timeline.build import Layout, build_edit_list
from hlcli.timeline.edit_list import EditList
from hlcli.timeline.formats import FORMATS, module_of
from hlcli.timeline.formats.table import table_text
from hlcli.timeline.timecode import format_timecode
from hlcli.workflows.outputs import write_outputs

FILM, NTSC = Fraction(24000, 1001), Fraction(30000, 1001)
RATES = [
    FILM, Fraction(24), Fraction(25), NTSC, Fraction(30), Fraction(50), Fraction(60000, 1001),
    Fraction(60),
]  # fmt: skip
ODD_NAME = "clip \u00e4 \u65e5\u672c \U0001f3ac #1 100%25 & 'q'.mp4"
WRITERS = [
    (suffix, target)
    for suffix, entry in FORMATS.items()
    if entry.kind == "timeline" and suffix not in NO_CUTS
    for target in entry.targets
]
# A bundle copies its media: it is left out where there is none.
WITHOUT_MEDIA = [pair for pair in WRITERS if pair[0] != ".otioz"]
every_writer = pytest.mark.parametrize(("suffix", "target"), WRITERS)
every_writer_without_media = pytest.mark.parametrize(("suffix", "target"), WITHOUT_MEDIA)


# Help for the tests --------------------------------------------------------------------------


def document_of(path: Path, *spans: tuple[float, float]) -> ScoresDocument:
    """Return a document of a real file with the given moments."""
    video = VideoRecord.from_media(probe(path), content_identity(path))
    return with_spans(replace(make_document(), video=video), *spans)


def with_spans(document: ScoresDocument, *spans: tuple[float, float]) -> ScoresDocument:
    moments = [
        Moment(
            start_seconds=start,
            end_seconds=end,
            score=round(0.9 - 0.0001 * index, 6),
            peak_seconds=(start + end) / 2,
            picture=0.5,
            sound=None,
            why="picture",
        )
        for index, (start, end) in enumerate(spans)
    ]
    return document.with_moments(moments)


def sound(seconds: float = 4.0, channels: int = 2) -> AudioTrack:
    return AudioTrack(click_track(seconds, (1.0,), channels=channels))


def write(edit: EditList, folder: Path, suffix: str, target: str) -> Path:
    path = folder / f"cut.{target}{suffix}"
    module = module_of(FORMATS[suffix].write)
    try:
        module.write(edit, path, target=target)
    except UsageError as error:
        why = error.message if error.hint else f"no hint: {error.message}"
    else:
        return path
    assert not path.exists()
    assert not why.startswith("no hint")
    pytest.skip(f"said, not written: {why}")


def cuts_of(edit: EditList, folder: Path, suffix: str, target: str) -> list[Cut]:
    return read_cuts(write(edit, folder, suffix, target), edit.frame_rate)


def assert_exact(edit: EditList, cuts: Sequence[Cut], *, has_clock: bool = True) -> None:
    """Compare what a file says with the edit list, in exact seconds, for sources of one rate."""
    assert len(cuts) == len(edit.events)
    for event, cut in zip(edit.events, cuts, strict=True):
        source = event.source
        first = event.frames.start / source.frame_rate
        clock = first + source.start_frame / source.frame_rate
        assert cut.length == len(event.frames) / source.frame_rate
        assert cut.record == event.record.start / edit.frame_rate
        assert cut.first is not None or cut.clock is not None
        assert cut.first in (None, first)
        if has_clock:
            assert cut.clock in (None, clock)


def lines_of(element: ET.Element, tag: str) -> list[str]:
    return [one.text or "" for one in element.iter(tag)]


def clips_of(path: Path, kind: str) -> Iterator[otio.schema.Clip]:
    timeline = otio.adapters.read_from_file(str(path))
    for track in timeline.tracks:
        if track.kind == kind:
            yield from (item for item in track if isinstance(item, otio.schema.Clip))


def test_every_timeline_format_is_read_back_here() -> None:
    timelines = {suffix for suffix, entry in FORMATS.items() if entry.kind == "timeline"}
    assert timelines <= {*READERS, *NO_CUTS}


# T1 to T4: timecode --------------------------------------------------------------------------


@every_writer
@pytest.mark.parametrize(
    ("rate", "timecode", "frame"),
    [(NTSC, "01:00:00;00", 107892), (FILM, "16:37:10:02", 1435922)],
    ids=["ntsc_df", "p2398_tc"],
)
def test_t1_a_file_whose_timecode_does_not_start_at_zero(
    tmp_path: Path, suffix: str, target: str, rate: Fraction, timecode: str, frame: int
) -> None:
    """Written from zero: clips not found, or hours down the timeline."""
    video = make_video(
        tmp_path, name="a.mov", rate=rate, num_frames=96, timecode=timecode, audio=(sound(),)
    )
    document = document_of(video, (0.5, 1.5), (2.0, 3.0))
    edit = build_edit_list([document], name="cut")
    assert edit.sources[0].start_frame == frame
    cuts = cuts_of(edit, tmp_path, suffix, target)
    assert_exact(edit, cuts)
    assert cuts[0].record == 0


@every_writer_without_media
def test_t1_a_timeline_that_starts_at_ten_o_clock(tmp_path: Path, suffix: str, target: str) -> None:
    """The start of the timeline was added to the source's own."""
    document = make_document(frame_rate=NTSC, start_timecode="01:00:00;00", spans=[(2.0, 4.0)])
    edit = build_edit_list([document], name="cut", layout=Layout(start_timecode="10:00:00;00"))
    [cut] = cuts_of(edit, tmp_path, suffix, target)
    start = Fraction(0)
    if suffix == ".edl":
        # Its record column counts from the timeline's timecode.
        start = edit.start_frame / NTSC
    assert cut.record - start in (0, -start)
    assert cut.length == 60 / NTSC


@pytest.mark.skipif(".fcpxml" not in FORMATS, reason="there is no FCPXML writer")
@pytest.mark.parametrize(("target", "starts_at_zero"), [("finalcut", True), ("resolve", False)])
def test_t2_a_timecode_outside_a_timecode_track(
    tmp_path: Path, target: str, starts_at_zero: bool
) -> None:
    """A camera's clock in a data track: Final Cut Pro counts from 0, Resolve from the clock."""
    document = make_document(frame_rate=Fraction(25), start_timecode="10:00:00:00", spans=[(2, 4)])
    document = replace(document, video=replace(document.video, has_timecode_track=False))
    edit = build_edit_list([document], name="cut")
    [cut] = cuts_of(edit, tmp_path, ".fcpxml", target)
    assert cut.clock == (2 if starts_at_zero else 36002)


@every_writer
def test_t3_drop_frame_on_whole_thirty(tmp_path: Path, suffix: str, target: str) -> None:
    """Phones count drop-frame at exactly 30: 16:37:10;02 was taken for 1794902/30 s."""
    video = make_video(
        tmp_path, name="a.mov", num_frames=120, timecode="16:37:10;02", audio=(sound(),)
    )
    edit = build_edit_list([document_of(video, (1.0, 2.0))], name="cut")
    [source] = edit.sources
    assert (source.frame_rate, source.start_frame, source.drop_frame) == (30, 1793106, True)
    path = write(edit, tmp_path, suffix, target)
    if suffix == ".edl":
        # OpenTimelineIO's reader knows no drop-frame at 30.
        assert "16:37:11;02 16:37:12;02 00:00:00;00 00:00:01;00" in path.read_text()
        return
    [cut] = read_cuts(path, edit.frame_rate)
    assert cut.first in (None, 1)
    assert cut.clock in (None, Fraction(298851, 5) + 1)


@every_writer_without_media
def test_t4_drop_frame_read_as_non_drop_frame(tmp_path: Path, suffix: str, target: str) -> None:
    """108 frames too late in every hour."""
    for timecode, frame in (("01:00:00;00", 107892), ("01:00:00:00", 108000)):
        document = make_document(frame_rate=NTSC, start_timecode=timecode, spans=[(0, 1)])
        edit = build_edit_list([document], name="cut")
        assert edit.sources[0].start_frame == frame
        [cut] = cuts_of(edit, tmp_path, suffix, target)
        assert cut.clock in (None, frame / NTSC)


# T5 to T9: frames ----------------------------------------------------------------------------


@every_writer_without_media
@pytest.mark.parametrize("rate", [FILM, NTSC, Fraction(60000, 1001)], ids=str)
def test_t5_the_last_cut_after_two_hours(
    tmp_path: Path, suffix: str, target: str, rate: Fraction
) -> None:
    """Rates of 29.97 and 23.976 typed as such: the picture drifts."""
    num_frames = int(7200 * rate)
    first = num_frames - 1000
    spans = [(10 * minute, 10 * minute + 5) for minute in range(1, 100)]
    spans.append((float(first / rate), float((first + 100) / rate)))
    edit = build_edit_list(
        [make_document(num_frames=num_frames, frame_rate=rate, spans=spans)], name="cut"
    )
    cuts = cuts_of(edit, tmp_path, suffix, target)
    assert_exact(edit, cuts)
    assert cuts[-1].first in (None, first / rate)
    assert cuts[-1].record == sum((cut.length for cut in cuts[:-1]), Fraction(0))


def variable_rate_video(folder: Path) -> Path:
    times = [
        Fraction(i, 30)
        for i in range(180)
        # Like a phone: single frames missing, and half a second of standing picture.
        if i % 7 != 3 and i % 11 != 5 and not 96 <= i < 111
    ]
    return make_video(folder, name="vfr.mp4", frame_times=tuple(times), audio=(sound(6.0),))


@every_writer
def test_t6_variable_rate(tmp_path: Path, suffix: str, target: str) -> None:
    """Average rates like 87/4, which no editor has; a gap that grows; ends before starts."""
    video = variable_rate_video(tmp_path)
    edit = build_edit_list([document_of(video, (1.0, 2.0), (4.0, 5.5))], name="cut")
    [source] = edit.sources
    assert source.is_variable_rate
    assert source.frame_rate in STANDARD_RATES
    assert edit.frame_rate == 30
    cuts = cuts_of(edit, tmp_path, suffix, target)
    # By time: what is on screen one second in is found one second in.
    assert [(cut.length, cut.record) for cut in cuts] == [(1, 0), (Fraction(3, 2), 1)]
    assert [cut.first for cut in cuts if cut.first is not None] in ([1, 4], [])


def test_t7_a_stream_without_a_length(tmp_path: Path) -> None:
    """Recordings in Matroska without a duration: "N/A", and a crash."""
    whole = make_video(tmp_path, name="whole.mkv", num_frames=90, gop=30, audio=(sound(3.0),))
    piped = tmp_path / "live.mkv"
    with piped.open("wb") as stream:
        # Into a pipe nothing can be written back, the length least of all.
        command = [find_ffmpeg().path, "-v", "error", "-i", whole, "-c", "copy", "-f", "matroska"]
        made = subprocess.run([*command, "-"], check=True, stdout=subprocess.PIPE)
        stream.write(made.stdout)
    assert probe(piped).num_frames == 90
    edit = build_edit_list([document_of(piped, (1.0, 2.0), (2.5, 9.0))], name="cut")
    assert [event.frames for event in edit.events] == [range(30, 60), range(75, 90)]
    write_outputs([tmp_path / "cut.otio"], [document_of(piped, (1.0, 2.0))])


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts", ".mov"])
def test_t7_cut_without_encoding(tmp_path: Path, suffix: str) -> None:
    """Files cut with `-c copy` start before they start; counting frames then goes wrong."""
    whole = make_video(tmp_path, num_frames=120, gop=30, audio=(sound(),))
    cut = tmp_path / f"cut{suffix}"
    command = [find_ffmpeg().path, "-v", "error", "-ss", "1.5", "-i", whole, "-c", "copy", cut]
    subprocess.run(command, check=True)
    document = document_of(cut, (0.5, 1.0))
    [event] = build_edit_list([document], name="cut").events
    assert event.frames == range(15, 30)
    info = probe(cut)
    stills = {
        still.frame: read_frame_number(still.rgb_HWC)
        for still in read_stills(info, (0, 15, 29), height=96)
    }
    assert stills[15] - stills[0] == 15
    assert stills[29] - stills[0] == 29
    # What a player shows first: with an edit list the cut itself, else the keyframe before.
    assert stills[0] in (30, 45)
    assert info.num_frames == 120 - stills[0]


@every_writer
def test_t7_a_clock_that_starts_late(tmp_path: Path, suffix: str, target: str) -> None:
    """Transport streams start anywhere; the start was taken for footage."""
    video = make_video(
        tmp_path,
        name="a.ts",
        num_frames=120,
        start_seconds=Fraction(10),
        audio=(replace(sound(), start_seconds=Fraction(10)),),
    )
    edit = build_edit_list([document_of(video, (1.0, 2.0), (3.0, 4.0))], name="cut")
    assert edit.sources[0].num_frames == 120
    assert_exact(edit, cuts_of(edit, tmp_path, suffix, target))


@every_writer
@pytest.mark.parametrize("rate", [NTSC, Fraction(60000, 1001)], ids=str)
def test_t8_the_last_clip_ends_with_the_file(
    tmp_path: Path, suffix: str, target: str, rate: Fraction
) -> None:
    """A length cut to whole frames downwards: 8.008 s at 29.97 had 239 frames, the clip 240."""
    num_frames = int(8 * rate) + 1
    video = make_video(tmp_path, name="a.mov", rate=rate, num_frames=num_frames)
    edit = build_edit_list([document_of(video, (0.0, 1.0), (7.0, 99.0))], name="cut")
    assert edit.events[-1].frames.stop == num_frames
    assert_exact(edit, cuts_of(edit, tmp_path, suffix, target))
    if suffix in (".otio", ".otioz"):
        for clip in clips_of(tmp_path / f"cut.{target}{suffix}", "Video"):
            available = clip.media_reference.available_range
            assert (available.start_time.value, available.duration.value) == (0, num_frames)
            cut = clip.source_range
            assert 0 <= cut.start_time.value < cut.end_time_exclusive().value <= num_frames


@settings(max_examples=60, deadline=None)
@given(
    rate=st.sampled_from(RATES),
    num_frames=st.integers(1, 3000),
    edges=st.lists(st.floats(0, 130, allow_nan=False), min_size=2, max_size=12, unique=True),
    timecode=st.sampled_from([None, "00:00:00:00", "01:00:00;00", "23:59:59:00"]),
)
def test_t8_no_cut_ever_leaves_its_file(
    tmp_path_factory: pytest.TempPathFactory,
    rate: Fraction,
    num_frames: int,
    edges: list[float],
    timecode: str | None,
) -> None:
    """The same for any length, any rate and any moments."""
    edges = sorted(edge for edge in edges if edge < num_frames / rate)
    spans = list(zip(edges[::2], edges[1::2], strict=False))
    document = make_document(frame_rate=rate, num_frames=num_frames, start_timecode=timecode)
    document = with_spans(document, *spans)
    if not spans:
        return
    try:
        edit = build_edit_list([document], name="cut")
    except ValueError:
        pytest.fail(f"{spans} of {num_frames} frames at {rate}")
    folder = tmp_path_factory.mktemp("t8")
    for suffix, target in WITHOUT_MEDIA:
        if suffix in (".edl", ".aaf") or not edit.events:
            continue  # Slow to read; their own tests have it.
        path = folder / f"cut.{target}{suffix}"
        module_of(FORMATS[suffix].write).write(edit, path, target=target)
        cuts = read_cuts(path, rate)
        assert_exact(edit, cuts)
        for before, after in itertools.pairwise(cuts):
            assert after.record == before.record + before.length


@pytest.mark.skipif(".edl" not in FORMATS, reason="there is no EDL writer")
@pytest.mark.parametrize("rate", [FILM, Fraction(25), NTSC], ids=str)
def test_t9_an_edl_ends_where_the_next_event_starts(tmp_path: Path, rate: Fraction) -> None:
    """Ends were taken as the last frame shown: one frame short, or one too long."""
    document = make_document(
        frame_rate=rate,
        num_frames=2000,
        start_timecode="01:00:00:00",
        spans=[(1, 3), (3, 4), (9, 12)],
    )
    edit = build_edit_list([document], name="cut")
    text = write(edit, tmp_path, ".edl", "generic").read_text()
    label = r"(\d\d:\d\d:\d\d[:;]\d\d)"
    rows = re.findall(rf"^\d{{3}} .* {label} {label} {label} {label}\s*$", text, re.M)
    assert len(rows) == 3

    def shown(frame: int) -> str:
        return format_timecode(frame, rate, drop_frame=False)

    start = edit.sources[0].start_frame
    assert rows == [
        (
            shown(start + event.frames.start),
            shown(start + event.frames.stop),
            shown(event.record.start),
            shown(event.record.stop),
        )
        for event in edit.events
    ]
    assert [row[3] for row in rows[:-1]] == [row[2] for row in rows[1:]]
    assert_exact(edit, read_cuts(tmp_path / "cut.generic.edl", rate))


# T10 to T12: sound ---------------------------------------------------------------------------


@pytest.fixture
def mono(tmp_path: Path) -> EditList:
    video = make_video(tmp_path, name="mono.mov", num_frames=90, audio=(sound(3.0, channels=1),))
    return build_edit_list([document_of(video, (0.5, 1.5))], name="cut")


def test_t10_mono_is_mono(tmp_path: Path, mono: EditList) -> None:
    """Shown as stereo: one side silent, or "1 audio channel and the clip was created with 2"."""
    assert [track.channels for track in mono.sources[0].audio] == [1]
    timeline = otio.adapters.read_from_file(str(write(mono, tmp_path, ".otio", "premiere")))
    channels = timeline.tracks[1].metadata["PremierePro_OTIO"]["AudioChannels"]
    assert (channels["ChannelType"], channels["NumberOfChannels"]) == ("Mono", 1)
    channels = timeline.tracks[1][0].metadata["PremierePro_OTIO"]["AudioChannels"]
    assert (channels["ChannelType"], len(channels["SecondaryAssignments"])) == ("Mono", 1)
    [clip] = clips_of(write(mono, tmp_path, ".otio", "resolve"), "Audio")
    assert [dict(one) for one in clip.metadata["Resolve_OTIO"]["Channels"]] == [
        {"Source Channel ID": 0, "Source Track ID": 0}
    ]


@pytest.mark.skipif(".xml" not in FORMATS, reason="there is no FCP7 XML writer")
def test_t10_mono_in_fcp7_xml(tmp_path: Path, mono: EditList) -> None:
    """The same in FCP7 XML."""
    root = ET.parse(write(mono, tmp_path, ".xml", "premiere")).getroot()
    [track] = root.findall("sequence/media/audio/track")
    assert track.attrib["premiereTrackType"] == "Mono"
    assert track.attrib["totalExplodedTrackCount"] == "1"
    assert lines_of(next(root.iter("file")), "channelcount") == ["1"]


@pytest.fixture
def multitrack(tmp_path: Path) -> EditList:
    tracks = (sound(3.0), sound(3.0, channels=1), sound(3.0, channels=1))
    video = make_video(tmp_path, name="multi.mov", num_frames=90, audio=tracks)
    return build_edit_list([document_of(video, (0.5, 1.5), (2.0, 2.5))], name="cut")


def test_t11_every_sound_track_is_there_once(tmp_path: Path, multitrack: EditList) -> None:
    """Only the first of several was used, or all were the first."""
    timeline = otio.adapters.read_from_file(str(write(multitrack, tmp_path, ".otio", "resolve")))
    tracks = [track for track in timeline.tracks if track.kind == "Audio"]
    assert len(tracks) == 3
    keys = ("Source Track ID", "Source Channel ID")
    assert [
        [
            [tuple(one[key] for key in keys) for one in clip.metadata["Resolve_OTIO"]["Channels"]]
            for clip in track
        ]
        for track in tracks
    ] == [[[(0, 0), (0, 1)]] * 2, [[(1, 0)]] * 2, [[(2, 0)]] * 2]
    assert all(clip.enabled for track in tracks for clip in track)
    timeline = otio.adapters.read_from_file(str(write(multitrack, tmp_path, ".otio", "premiere")))
    tracks = [track for track in timeline.tracks if track.kind == "Audio"]
    indexes = [
        [clip.metadata["PremierePro_OTIO"]["OriginalChannelGroupIndex"] for clip in track]
        for track in tracks
    ]
    assert indexes == [[0, 0], [1, 1], [2, 2]]


@pytest.mark.skipif(".fcpxml" not in FORMATS, reason="there is no FCPXML writer")
def test_t11_sound_tracks_of_one_asset(tmp_path: Path, multitrack: EditList) -> None:
    """A second track was taken out of the file and laid after the first."""
    root = ET.parse(write(multitrack, tmp_path, ".fcpxml", "finalcut")).getroot()
    [asset] = root.iter("asset")
    assert (asset.attrib["audioSources"], asset.attrib["audioChannels"]) == ("3", "4")
    clips = list(root.iter("asset-clip"))
    assert len(clips) == 2
    for clip in clips:
        assert [one.attrib["srcCh"] for one in clip.findall("audio-channel-source")] == [
            "1, 2", "3", "4",
        ]  # fmt: skip


@pytest.mark.skipif(".xml" not in FORMATS, reason="there is no FCP7 XML writer")
@pytest.mark.parametrize(
    # Premiere has a stereo track as two halves, and counts channels for what is mono.
    ("target", "wanted"),
    [
        ("premiere", [["1"] * 2, ["1"] * 2, ["3"] * 2, ["4"] * 2]),
        ("resolve", [["1"] * 2, ["2"] * 2, ["3"] * 2]),
    ],
)
def test_t11_sound_tracks_of_fcp7_xml(
    tmp_path: Path, multitrack: EditList, target: str, wanted: list[list[str]]
) -> None:
    """The same in FCP7 XML: each clip of sound names its own track of the file."""
    root = ET.parse(write(multitrack, tmp_path, ".xml", target)).getroot()
    assert [
        [item.findtext("sourcetrack/trackindex") for item in track.iter("clipitem")]
        for track in root.findall("sequence/media/audio/track")
    ] == wanted
    assert {item.findtext("enabled") for item in root.iter("clipitem")} == {"TRUE"}


@pytest.mark.parametrize(
    ("suffix", "target"),
    [pair for pair in WRITERS if pair[0] in (".mlt", ".kdenlive")],
)
def test_t11_sound_tracks_of_mlt(
    tmp_path: Path, multitrack: EditList, suffix: str, target: str
) -> None:
    """The same in MLT: three producers of sound, each of another stream."""
    root = ET.parse(write(multitrack, tmp_path, suffix, target)).getroot()
    used = {entry.attrib["producer"] for entry in root.iter("entry")}
    streams = set()
    for tag in ("producer", "chain"):
        for one in root.iter(tag):
            values = {p.attrib["name"]: p.text for p in one.findall("property")}
            is_sound = values.get("video_index") == "-1" or values.get("set.test_image") == "1"
            if one.attrib["id"] in used and "resource" in values and is_sound:
                streams.add(values.get("audio_index", values.get("astream", "0")))
    assert len(streams) == 3


def test_t12_picture_and_sound_are_linked(tmp_path: Path, multitrack: EditList) -> None:
    """Moved the picture, and the sound stayed."""
    for target, space, key in (
        ("premiere", "PremierePro_OTIO", "LinkID"),
        ("resolve", "Resolve_OTIO", "Link Group ID"),
    ):
        path = write(multitrack, tmp_path, ".otio", target)
        pictures = [clip.metadata[space][key] for clip in clips_of(path, "Video")]
        sounds = [clip.metadata[space][key] for clip in clips_of(path, "Audio")]
        assert len(set(pictures)) == len(pictures) == 2
        assert sounds == pictures * 3


@pytest.mark.skipif(".xml" not in FORMATS, reason="there is no FCP7 XML writer")
@pytest.mark.parametrize("target", ["premiere", "resolve"])
def test_t12_links_in_fcp7_xml(tmp_path: Path, multitrack: EditList, target: str) -> None:
    """The same in FCP7 XML: each clip of an event names all of them, ids are there once."""
    root = ET.parse(write(multitrack, tmp_path, ".xml", target)).getroot()
    items = {item.attrib["id"]: item for item in root.iter("clipitem")}
    assert len(items) == len(list(root.iter("clipitem")))
    groups = {
        frozenset(link.findtext("linkclipref") or "" for link in item.findall("link"))
        for item in items.values()
    }
    assert len(groups) == 2
    assert frozenset().union(*groups) == set(items)
    for group in groups:
        assert len({items[one].findtext("start") for one in group}) == 1


# T13: paths ----------------------------------------------------------------------------------

PATHS = [
    "/footage/a b/" + ODD_NAME,
    "/footage/trailing space .mp4",
    "/footage/per%20cent?.mp4",
    "/footage/quote\"'<&>.mp4",
    "C:\\Footage\\clip #1 100%25.mp4",
    "\\\\srv\\share\\day 1\\clip \u00e4.mp4",
]


@every_writer_without_media
@pytest.mark.parametrize("path", PATHS)
def test_t13_paths(tmp_path: Path, suffix: str, target: str, path: str) -> None:
    """`#` ended a path, `%` was decoded twice or not at all, a drive letter became a server."""
    edit = build_edit_list([make_document(path=path, spans=[(1, 2)])], name="cut")
    [cut] = cuts_of(edit, tmp_path, suffix, target)
    if suffix == ".edl":
        return  # Names only, in ASCII: its own tests have them.
    if suffix == ".llc":
        # A name beside it: that is where LosslessCut looks.
        path = path.replace("\\", "/").rpartition("/")[2]
    if suffix in (".mlt", ".kdenlive"):
        path = path.replace("\\", "/") if path[0] != "/" else path
    assert cut.media == path


@pytest.mark.parametrize(
    ("path", "url"),
    [
        ("C:\\a b\\x#1.mp4", "file:///C:/a%20b/x%231.mp4"),
        ("\\\\srv\\share\\x.mp4", "file://srv/share/x.mp4"),
        ("/a/100%25 \u00e4.mp4", "file:///a/100%2525%20%C3%A4.mp4"),
    ],
)
def test_t13_urls_as_the_standard_has_them(tmp_path: Path, path: str, url: str) -> None:
    """Half encoded, or with the drive where the server stands."""
    edit = build_edit_list([make_document(path=path, spans=[(1, 2)])], name="cut")
    [clip] = clips_of(write(edit, tmp_path, ".otio", "premiere"), "Video")
    assert clip.media_reference.target_url == url
    [clip] = clips_of(write(edit, tmp_path, ".otio", "resolve"), "Video")
    assert clip.media_reference.target_url == path
    assert media_of(url) == path


@every_writer
def test_t13_a_real_file_with_an_odd_name(tmp_path: Path, suffix: str, target: str) -> None:
    """The same with a file that is there, found by what was written."""
    video = make_video(tmp_path, name=ODD_NAME, num_frames=60, audio=(sound(2.0),))
    edit = build_edit_list([document_of(video, (0.5, 1.5))], name="cut")
    [cut] = cuts_of(edit, tmp_path, suffix, target)
    if suffix == ".llc":
        assert cut.media == video.name
    elif suffix not in (".edl", ".otioz"):
        assert Path(cut.media).samefile(video)


# T14 to T19: what single formats ask for -----------------------------------------------------

fcpxml = pytest.mark.skipif(".fcpxml" not in FORMATS, reason="there is no FCPXML writer")


@fcpxml
@pytest.mark.parametrize("target", ["finalcut", "resolve"])
def test_t14_a_version_that_editors_know(tmp_path: Path, target: str) -> None:
    """FCPXML 1.11 was refused by Resolve 18.5, which knows 1.3 to 1.10."""
    edit = build_edit_list([make_document()], name="cut")
    root = ET.parse(write(edit, tmp_path, ".fcpxml", target)).getroot()
    major, minor = root.attrib["version"].split(".")
    assert (1, 3) <= (int(major), int(minor)) <= (1, 10)


@pytest.mark.skipif(".xml" not in FORMATS, reason="there is no FCP7 XML writer")
@pytest.mark.parametrize("target", ["premiere", "resolve"])
def test_t15_a_sequence_has_a_format(tmp_path: Path, target: str) -> None:
    """Resolve took no FCP7 XML without one; other readers no sequence without rate and length."""
    edit = build_edit_list([make_document(frame_rate=NTSC)], name="cut")
    root = ET.parse(write(edit, tmp_path, ".xml", target)).getroot()
    sample = root.find("sequence/media/video/format/samplecharacteristics")
    assert sample is not None
    assert (sample.findtext("width"), sample.findtext("height")) == ("1920", "1080")
    assert sample.findtext("rate/timebase") == "30"
    assert sample.findtext("rate/ntsc") == "TRUE"
    assert root.findtext("sequence/duration") == str(edit.num_frames)


def test_t16_a_phone_held_upright(tmp_path: Path) -> None:
    """A timeline that lies on its side: 640x360 for a picture shown as 360x640."""
    video = make_video(tmp_path, num_frames=60, width=160, height=96, rotation_degrees=90)
    edit = build_edit_list([document_of(video, (0.5, 1.5))], name="cut")
    assert (edit.width, edit.height) == (96, 160)
    timeline = otio.adapters.read_from_file(str(write(edit, tmp_path, ".otio", "premiere")))
    size = timeline.tracks.metadata["PremierePro_OTIO"]["VideoResolution"]
    assert (size["width"], size["height"]) == (96, 160)
    if ".fcpxml" in FORMATS:
        root = ET.parse(write(edit, tmp_path, ".fcpxml", "finalcut")).getroot()
        sizes = {(one.attrib["width"], one.attrib["height"]) for one in root.iter("format")}
        assert sizes == {("96", "160")}
    if ".xml" in FORMATS:
        root = ET.parse(write(edit, tmp_path, ".xml", "premiere")).getroot()
        sample = root.find("sequence/media/video/format/samplecharacteristics")
        assert sample is not None
        assert (sample.findtext("width"), sample.findtext("height")) == ("96", "160")
    for suffix, target in WRITERS:
        if suffix in (".mlt", ".kdenlive"):
            profile = ET.parse(write(edit, tmp_path, suffix, target)).getroot().find("profile")
            assert profile is not None
            assert (profile.attrib["width"], profile.attrib["height"]) == ("96", "160")


@fcpxml
def test_t17_sound_words_that_final_cut_refuses(tmp_path: Path, mono: EditList) -> None:
    """A mono layout was refused; a volume with "dB" behind it was dropped."""
    text = write(mono, tmp_path, ".fcpxml", "finalcut").read_text(encoding="utf-8")
    assert re.findall('audioLayout="(.*?)"', text) == ["stereo"]
    assert "dB" not in text


_TWO_RUNS = """
import sys
sys.path.insert(0, "tests")
from pathlib import Path
from document_factory import make_document
from hlcli.timeline.build import Layout, build_edit_list
from hlcli.timeline.formats import FORMATS, module_of
from hlcli.timeline.formats.table import table_text
spans = [(10, 22), (30, 45)]
documents = [make_document(path=f"/{name}.mp4", audio=2, spans=spans) for name in "cabd"]
def edit_of(documents):
    return build_edit_list(documents, name="cut", layout=Layout(order="rank"))
for suffix, entry in FORMATS.items():
    # These are about one file, and refuse several.
    edit = edit_of(documents[:1] if suffix in (".llc", ".v1") else documents)
    if entry.kind == "timeline" and suffix != ".otioz":
        for target in entry.targets:
            path = Path(sys.argv[1]) / f"cut.{target}{suffix}"
            module_of(entry.write).write(edit, path, target=target)
"""


def test_t18_the_same_bytes_in_every_run(tmp_path: Path) -> None:
    """Ids in the order of a hash: no two runs wrote the same file."""
    written = []
    for seed in ("1", "2"):
        folder = tmp_path / seed
        folder.mkdir()
        subprocess.run(
            [sys.executable, "-c", _TWO_RUNS, folder],
            check=True,
            cwd=Path(__file__).parents[1],
            env={**os.environ, "PYTHONHASHSEED": seed},
        )
        written.append({path.name: path.read_bytes() for path in sorted(folder.iterdir())})
    assert len(written[0]) >= len(WITHOUT_MEDIA)
    assert written[0] == written[1]


@settings(max_examples=100, deadline=None)
@given(
    rate=st.sampled_from(RATES),
    lengths=st.lists(st.floats(10, 80, allow_nan=False), min_size=4, max_size=20),
)
def test_t19_no_time_has_sixty_seconds(
    tmp_path_factory: pytest.TempPathFactory, rate: Fraction, lengths: list[float]
) -> None:
    """00:00:60.000, from a second rounded up after its minute was taken."""
    edges = list(itertools.accumulate(lengths, initial=0.0))
    document = make_document(
        frame_rate=rate, num_frames=int(1700 * rate), spans=list(itertools.pairwise(edges))
    )
    text = table_text([document])
    folder = tmp_path_factory.mktemp("t19")
    edit = build_edit_list([document], name="cut")
    for suffix, entry in FORMATS.items():
        if suffix in NO_CUTS:
            module_of(entry.write).write(edit, folder / f"x{suffix}")
            text += (folder / f"x{suffix}").read_text()
    assert text.count(":") > 4
    assert not re.search(r":60(?!\d)", text)


# T20 to T26: what readers make of it ---------------------------------------------------------
#
# T20 (media offline when a script imports without its source clips) is about a script in DaVinci
# Resolve, not about a file: it belongs to the plugin.


@pytest.mark.parametrize("target", ["generic", "resolve", "premiere"])
@pytest.mark.parametrize("rate", RATES, ids=str)
def test_t21_whole_frames_at_the_full_rate(tmp_path: Path, target: str, rate: Fraction) -> None:
    """Starts between two frames, or rates like 23.976: one frame too early, now and then.

    That DaVinci Resolve needs a nudge of a quarter frame is a claim nobody has shown; hl writes
    whole frames at the nearest double to the exact rate.
    """
    edit = build_edit_list([make_document(frame_rate=rate, start_timecode="01:00:00:00")], name="x")
    value = json.loads(write(edit, tmp_path, ".otio", target).read_text())

    def times(node: object) -> Iterator[dict[str, float]]:
        if isinstance(node, dict):
            if str(node.get("OTIO_SCHEMA", "")).startswith("RationalTime"):
                yield node
            for inner in node.values():
                yield from times(inner)
        elif isinstance(node, list):
            for inner in node:
                yield from times(inner)

    found = list(times(value))
    assert len(found) > 10
    assert all(time["value"] == int(time["value"]) for time in found)
    assert {time["rate"] for time in found} == {float(rate)}


def test_t22_objects_that_older_readers_know(tmp_path: Path) -> None:
    """Resolve 18.5 is said not to know `Clip.2`, and to read notes from a place of its own."""
    edit = build_edit_list([make_document(spans=[(1, 2)])], name="cut")
    value = json.loads(write(edit, tmp_path, ".otio", "resolve").read_text())
    clips = [clip for track in value["tracks"]["children"] for clip in track["children"]]
    assert {clip["OTIO_SCHEMA"] for clip in clips} == {"Clip.1"}
    [marker] = clips[0]["markers"]
    assert marker["comment"] == marker["metadata"]["Resolve_OTIO"]["Note"]
    assert marker["comment"] == "score 0.90, picture and sound stand out"


@every_writer_without_media
def test_t23_no_speed_change_that_changes_nothing(tmp_path: Path, suffix: str, target: str) -> None:
    """A speed of 100 % made Premiere drop the clip's own motion; clips of one link id fused."""
    document = make_document(spans=[(1, 2), (1.5, 2.5), (4, 5)])
    edit = build_edit_list([document, document], name="cut")
    data = write(edit, tmp_path, suffix, target).read_bytes()
    for word in (b"TimeWarp", b"timeremap", b"timeMap", b"M2  "):
        assert word not in data
    if (suffix, target) == (".otio", "premiere"):
        path = tmp_path / "cut.premiere.otio"
        links = [c.metadata["PremierePro_OTIO"]["LinkID"] for c in clips_of(path, "Video")]
        assert len(set(links)) == len(links) == 6


@every_writer_without_media
def test_t24_hundreds_of_clips(tmp_path: Path, suffix: str, target: str) -> None:
    """More than about seventy, and the export ran out of something and died."""
    # An AAF costs ten times as much for each clip, nearly all of it in pyaaf2.
    num_clips = 150 if suffix == ".aaf" else 500
    spans = [(index * 2.0, index * 2.0 + 1) for index in range(num_clips)]
    document = make_document(frame_rate=NTSC, num_frames=30_000, spans=spans)
    edit = build_edit_list([document], name="cut")
    assert len(edit.events) == num_clips
    assert_exact(edit, cuts_of(edit, tmp_path, suffix, target))


def test_t25_two_runs_at_once(tmp_path: Path) -> None:
    """One run's temporary files were the other's."""
    documents = [make_document(path=f"/{name}.mp4") for name in "abc"]
    for index, document in enumerate(documents):
        document.write(tmp_path / f"{index}.json")
    together, alone = tmp_path / "together", tmp_path / "alone"
    outputs = ("x.otio", "x.csv", "x.json")
    for folder in (together, alone):
        folder.mkdir()

    def command(folder: Path, *options: str) -> list[str]:
        names = itertools.chain.from_iterable(("-o", str(folder / name)) for name in outputs)
        program = [sys.executable, "-m", "hlcli", "export", f"{tmp_path}/*.json", "-q"]
        return [*program, *(names if not options else ("-o", str(folder), *options))]

    programs = ("--for", "resolve", "--for", "premiere")
    for options in ((), programs):
        subprocess.run(command(alone, *options), check=True)
    wanted = (command(together), command(together), command(together, *programs))
    runs = [subprocess.Popen(one) for one in wanted]
    assert [run.wait(timeout=300) for run in runs] == [0, 0, 0]
    expected = {path.name: path.read_bytes() for path in alone.iterdir()}
    assert len(expected) == 9
    assert {path.name: path.read_bytes() for path in together.iterdir()} == expected


@every_writer
def test_t26_media_is_found_from_any_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str, target: str
) -> None:
    """Paths as they were typed: a project opened from elsewhere found nothing."""
    (tmp_path / "footage").mkdir()
    (tmp_path / "projects").mkdir()
    video = make_video(tmp_path / "footage", num_frames=60, audio=(sound(2.0),))
    monkeypatch.chdir(tmp_path)
    document = document_of(Path("footage") / video.name, (0.5, 1.5))
    edit = build_edit_list([document], name="cut")
    path = write(edit, tmp_path / "projects", suffix, target)
    monkeypatch.chdir(tmp_path / "projects")
    [cut] = read_cuts(path, edit.frame_rate)
    if suffix == ".edl":
        assert video.stem.upper() in path.read_text().upper()
    elif suffix == ".llc":
        assert cut.media == video.name  # it is told to lie beside the video
    elif suffix == ".otioz":
        assert cut.media == f"media/{video.name}"
    else:
        assert Path(cut.media).is_absolute()
        assert Path(cut.media).samefile(video)


@pytest.mark.skipif(shutil.which("melt") is None, reason="melt is not installed")
@pytest.mark.parametrize(
    ("suffix", "target"),
    [pair for pair in WRITERS if pair[0] in (".mlt", ".kdenlive")],
)
def test_t26_melt_finds_it_from_another_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str, target: str
) -> None:
    """From any folder but one, melt said "failed to load producer"."""
    for folder in ("footage", "projects", "elsewhere"):
        (tmp_path / folder).mkdir()
    make_video(tmp_path / "footage", name=ODD_NAME, num_frames=60, audio=(sound(2.0),))
    monkeypatch.chdir(tmp_path)
    document = document_of(Path("footage") / ODD_NAME, (0.5, 1.5))
    path = write(build_edit_list([document], name="cut"), tmp_path / "projects", suffix, target)
    film = tmp_path / "film.mkv"
    done = subprocess.run(
        ["melt", path, "-consumer", f"avformat:{film}", "vcodec=ffv1", "acodec=pcm_s16le",
         "real_time=-1", "terminate_on_pause=1"],
        cwd=tmp_path / "elsewhere", env=os.environ | {"QT_QPA_PLATFORM": "offscreen"},
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert "failed to load producer" not in done.stderr
    stills = read_stills(probe(film), range(30), height=96)
    assert [read_frame_number(still.rgb_HWC) for still in stills] == list(range(15, 45))


# The same on the files that were made to break other programs --------------------------------

TORTURE = [
    "plain_30.mp4", "ntsc_df.mov", "p2398_tc.mov", "true30_df.mov", "mono.mp4", "p5994.mp4",
    "p25.mp4", "start_offset.ts", "multitrack.mkv", "no_audio.mp4", "vfr.mp4", "rotated.mp4",
    "clip \u00e4 \u65e5\u672c #1 100%25 & 'q'.mp4",
]  # fmt: skip


@pytest.mark.shared
@pytest.mark.parametrize("name", TORTURE)
def test_torture_clips(tmp_path: Path, shared_dir: Path, name: str) -> None:
    """Every writer on every clip: exact cuts, the last one to the end of the file."""
    video = shared_dir / "data/media/torture" / name
    document = document_of(video, (0.5, 1.5), (3.0, 4.25), (7.0, 99.0))
    edit = build_edit_list([document], name="cut")
    assert edit.events[-1].frames.stop == edit.sources[0].num_frames
    for suffix, target in WRITERS:
        path = tmp_path / f"cut.{target}{suffix}"
        if suffix == ".edl" and target in ("premiere", "avid") and edit.frame_rate > 30:
            with pytest.raises(UsageError, match="its timecode ends at 30"):
                module_of(FORMATS[suffix].write).write(edit, path, target=target)
            continue
        module_of(FORMATS[suffix].write).write(edit, path, target=target)
        if (suffix, name) == (".edl", "true30_df.mov"):
            continue  # OpenTimelineIO's reader knows no drop-frame at 30: see T3.
        assert_exact(edit, read_cuts(path, edit.frame_rate))
