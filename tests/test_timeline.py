"""Timelines, read back through OpenTimelineIO: exact frames, rates, timecode, names."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
from fractions import Fraction
from pathlib import Path
from urllib.parse import unquote_to_bytes, urlsplit

import opentimelineio as otio
import pytest
from document_factory import IDENTITY, WEIGHTS, make_document
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from media_factory import make_video

from hlcli.document import ScoresDocument, read_documents
from hlcli.errors import OutputError, UsageError
from hlcli.media.identity import content_identity
from hlcli.timeline.build import Layout, build_edit_list
from hlcli.timeline.formats import FORMATS, write_format
from hlcli.timeline.formats.otio import otio_timeline
from hlcli.timeline.formats.otio_dialects import GENERIC
from hlcli.timeline.formats.table import COLUMNS, table_text
from hlcli.timeline.paths import file_url, media_path
from hlcli.timeline.timecode import (
    format_timecode,
    frame_at,
    is_drop_frame,
    parse_timecode,
    timecode,
)
from hlcli.workflows.outputs import check_output, write_outputs

NTSC = Fraction(30000, 1001)
ROOT = Path(__file__).resolve().parents[1]
SCHEMA = json.loads((ROOT / "docs/reference/scores.schema.json").read_text(encoding="utf-8"))
RATES = [
    Fraction(24000, 1001), Fraction(24), Fraction(25), NTSC, Fraction(30), Fraction(50),
    Fraction(60000, 1001), Fraction(60),
]  # fmt: skip
rates = st.sampled_from(RATES)


def tracks(path: Path) -> tuple[otio.schema.Timeline, list, list]:
    timeline = otio.adapters.read_from_file(str(path))
    video, audio = timeline.tracks
    assert (video.kind, audio.kind) == ("Video", "Audio")
    return timeline, list(video), list(audio)


def frames(item: otio.core.Item) -> tuple[float, float]:
    return item.source_range.start_time.value, item.source_range.duration.value


# Timecode ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("label", "rate", "frame"),
    [
        ("01:00:00;00", NTSC, 107892),
        ("01:00:00:00", NTSC, 108000),
        ("01:00:00;00", Fraction(60000, 1001), 215784),
        ("01:00:00:00", Fraction(60000, 1001), 216000),
        ("16:37:10;02", Fraction(30), 1793106),
        ("16:37:10.02", Fraction(30), 1793106),
        ("16:37:10:02", Fraction(30), 1794902),
        ("16:37:10:02", Fraction(24000, 1001), 1435922),
        ("16:37:10;02", Fraction(60), 3586210),
        ("00:01:00;02", NTSC, 1800),
        ("00:10:00;00", NTSC, 17982),
        ("00:00:12:05", Fraction(25), 305),
        ("10:00:00;00", Fraction(25), 900000),
        ("00:00:00:119", Fraction(120), 119),
    ],
)
def test_known_labels(label: str, rate: Fraction, frame: int) -> None:
    assert parse_timecode(label, rate) == frame
    if ";" in label and rate != 25:
        assert format_timecode(frame, rate, drop_frame=True) == label
    if label.count(":") == 3:
        assert format_timecode(frame, rate, drop_frame=False) == label


def test_drop_frame_on_integer_media_is_exact_in_seconds() -> None:
    assert Fraction(parse_timecode("16:37:10;02", Fraction(30)), 30) == Fraction(298851, 5)


@pytest.mark.parametrize(
    "label", ["", "1:00:00:00", "00:60:00:00", "00:00:60:00", "00:00:00:30", "00:00:00", "x"]
)
def test_bad_labels(label: str) -> None:
    with pytest.raises(ValueError, match="is not a timecode"):
        parse_timecode(label, Fraction(30))


@settings(max_examples=300, deadline=None)
@given(rates, st.integers(0, 10_000_000), st.booleans())
def test_labels_round_trip_and_agree_with_opentimelineio(
    rate: Fraction, frame: int, drop: bool
) -> None:
    day = format_timecode(frame, rate, drop_frame=drop)
    drops = drop and rate in (NTSC, 30, 60, Fraction(60000, 1001))
    assert (";" in day) == drops
    back = parse_timecode(day, rate)
    one_day = parse_timecode(f"23:59:59{';' if drops else ':'}{round(rate) - 1}", rate) + 1
    assert back == frame % one_day
    if frame < one_day and not (drops and rate.denominator == 1):
        time = otio.opentime.RationalTime(frame, float(rate))
        # OpenTimelineIO refuses frames of hour 24 and later; same answers up to there.
        assert otio.opentime.to_timecode(time, float(rate), drops) == day
        assert otio.opentime.from_timecode(day, float(rate)).value == frame


def test_every_label_of_an_hour_is_used_once() -> None:
    labels = {format_timecode(frame, NTSC, drop_frame=True) for frame in range(107892)}
    assert len(labels) == 107892
    assert "00:01:00;00" not in labels
    assert "00:01:00;01" not in labels
    assert {"00:10:00;00", "00:01:00;02", "00:59:59;29"} <= labels


def test_timecode_for_tables() -> None:
    def show(seconds: float, rate: Fraction, start: str | None) -> str:
        return timecode(seconds, frame_rate=rate, start_timecode=start)

    assert show(12.2, Fraction(25), None) == "00:00:12:05"
    assert show(60.06, NTSC, "01:00:00;00") == "01:01:00;02"
    assert show(60.06, NTSC, "01:00:00:00") == "01:01:00:00"
    assert show(10, Fraction(25), "23:59:55:00") == "00:00:05:00"
    assert show(1, Fraction(25), "nonsense") == "00:00:01:00"
    assert show(59.9999, Fraction(25), None) == "00:01:00:00"
    assert not is_drop_frame("01:00:00;00", Fraction(25))


def test_frames_are_exact_after_two_hours() -> None:
    rate = Fraction(24000, 1001)
    for frame in (172_799, 172_800, 172_627):
        assert frame_at(round(float(frame / rate), 6), rate) == frame


# The timeline --------------------------------------------------------------------------------


def test_timeline_of_a_drop_frame_file(tmp_path: Path) -> None:
    document = make_document(
        path="/footage/b roll #1.mov",
        frame_rate=NTSC,
        num_frames=1800,
        start_timecode="01:00:00;00",
        spans=[(20.02, 25.025), (2.002, 4.004)],
    )
    write_outputs([tmp_path / "cut.otio"], [document])
    timeline, video, audio = tracks(tmp_path / "cut.otio")
    assert timeline.name == "cut"
    assert timeline.global_start_time == otio.opentime.RationalTime(0, 30000 / 1001)
    assert [frames(clip) for clip in video] == [(107892 + 60, 60), (107892 + 600, 150)]
    assert [frames(clip) for clip in audio] == [frames(clip) for clip in video]
    for clip in [*video, *audio]:
        assert clip.name == clip.media_reference.name == "b roll #1.mov"
        assert clip.media_reference.target_url == "file:///footage/b%20roll%20%231.mov"
        available = clip.media_reference.available_range
        assert (available.start_time.value, available.duration.value) == (107892, 1800)
        assert available.start_time.rate == 30000 / 1001
    later, first = video[0], video[1]
    [marker] = first.markers
    assert marker.name == "H01 0.90"
    assert marker.color == otio.schema.MarkerColor.GREEN
    assert marker.comment == "score 0.90, picture and sound stand out"
    assert marker.marked_range.start_time.value == 107892 + frame_at(22.5225, NTSC)
    assert later.markers[0].name == "H02 0.80"
    assert not audio[0].markers
    data = first.metadata["hl"]
    assert data["version"] == 1
    assert (data["rank"], data["score"], data["why"]) == (1, 0.9, "both")
    assert data["source"]["sha256_head"] == IDENTITY
    assert data["source"]["drop_frame"] is True
    assert data["model"]["sha256"] == WEIGHTS
    assert timeline.metadata["hl"]["frame_rate"] == "30000/1001"
    assert timeline.metadata["hl"]["drop_frame"] is True


def test_drop_frame_on_integer_media(tmp_path: Path) -> None:
    document = make_document(start_timecode="16:37:10;02", num_frames=240, spans=[(1.0, 3.0)])
    write_outputs([tmp_path / "x.otio"], [document])
    _, [clip], _ = tracks(tmp_path / "x.otio")
    assert clip.media_reference.available_range.start_time.value == 1793106
    assert frames(clip) == (1793106 + 30, 60)


def test_silent_source_leaves_a_gap_in_the_audio(tmp_path: Path) -> None:
    documents = [
        make_document(path="/a.mp4", audio=0, spans=[(1.0, 3.0)]),
        make_document(path="/b.mp4", spans=[(2.0, 6.0)]),
    ]
    write_outputs([tmp_path / "x.otio"], documents)
    _, video, audio = tracks(tmp_path / "x.otio")
    assert [type(item) for item in audio] == [otio.schema.Gap, otio.schema.Clip]
    assert [item.duration() for item in audio] == [item.duration() for item in video]
    # Ranked over both videos: equal scores in the order given.
    assert [clip.markers[0].name for clip in video] == ["H01 0.90", "H02 0.90"]


def test_sources_of_other_rates_keep_theirs(tmp_path: Path) -> None:
    documents = [
        make_document(path="/a.mp4", frame_rate=Fraction(25), spans=[(1.0, 3.0)]),
        make_document(path="/b.mp4", frame_rate=NTSC, spans=[(1.001, 3.003)]),
    ]
    write_outputs([tmp_path / "x.otio"], documents)
    timeline, video, _ = tracks(tmp_path / "x.otio")
    assert timeline.global_start_time.rate == 25.0
    assert [clip.source_range.duration.rate for clip in video] == [25.0, 30000 / 1001]
    assert [frames(clip) for clip in video] == [(25, 50), (30, 60)]


def test_moments_that_meet_in_seconds_meet_in_frames(tmp_path: Path) -> None:
    document = make_document(
        frame_rate=NTSC, num_frames=300, spans=[(1.01, 2.345), (2.345, 4.0), (4.0, 10.01)]
    )
    write_outputs([tmp_path / "x.otio"], [document])
    _, video, _ = tracks(tmp_path / "x.otio")
    ends = [start + length for start, length in map(frames, video)]
    assert [frames(clip)[0] for clip in video][1:] == ends[:-1]
    assert ends[-1] == 300


def test_no_moment_is_an_error_and_writes_nothing(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="no moment to put on the timeline") as error:
        write_outputs([tmp_path / "x.otio"], [make_document(spans=[])])
    assert "--threshold" in error.value.hint
    assert list(tmp_path.iterdir()) == []


@settings(max_examples=150, deadline=None)
@given(
    rates,
    st.integers(1, 20_000),
    st.sampled_from([None, "00:00:00:00", "01:00:00:00", "16:37:10;02", "23:59:59:10"]),
    st.integers(0, 1),
)
def test_every_range_lies_within_the_media(rate, num_frames, start, audio) -> None:
    document = make_document(
        frame_rate=rate, num_frames=num_frames, start_timecode=start, audio=audio
    )
    assume(document.moments)
    # Through JSON, as `hl export` does it.
    document = ScoresDocument.from_json(json.loads(document.to_text()))
    text = otio_timeline(build_edit_list([document], name="x"), GENERIC).to_json_string()
    assert text == otio_timeline(build_edit_list([document], name="x")).to_json_string()
    timeline = otio.adapters.read_from_string(text, "otio_json")
    video, *sound = timeline.tracks
    assert len(video) == len(document.moments)
    assert [track.duration() for track in sound] == [video.duration()] * audio
    assert all(len(track) == len(video) for track in sound)
    previous = None
    for clip in video:
        available = clip.media_reference.available_range
        assert available.duration.value == num_frames
        assert available.start_time.rate == float(rate)
        begin, length = frames(clip)
        assert begin.is_integer()
        assert length >= 1
        assert available.start_time.value <= begin
        assert begin + length <= available.start_time.value + num_frames
        assert previous is None or begin >= previous
        [marker] = clip.markers
        assert begin <= marker.marked_range.start_time.value < begin + length
        previous = begin + length
    for moment, clip in zip(
        sorted(document.moments, key=lambda m: m.start_seconds), video, strict=True
    ):
        assert abs(frames(clip)[1] - moment.duration_seconds * rate) <= 1.001


# Names ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "url"),
    [
        ("/a/b c.mp4", "file:///a/b%20c.mp4"),
        ("/a/#1 100%25 ?&'q'.mp4", "file:///a/%231%20100%2525%20%3F%26%27q%27.mp4"),
        ("/n\u00e4/\u65e5.mp4", "file:///n%C3%A4/%E6%97%A5.mp4"),
        ("/back\\slash.mp4", "file:///back%5Cslash.mp4"),
        ("/trailing .mp4 ", "file:///trailing%20.mp4%20"),
        ("/caf\udce9.mp4", "file:///caf%E9.mp4"),
        ("C:\\Clips\\b c.mov", "file:///C:/Clips/b%20c.mov"),
        ("d:/Clips/b.mov", "file:///d:/Clips/b.mov"),
        ("\\\\srv\\share\\a b.mov", "file://srv/share/a%20b.mov"),
        ("\\\\?\\C:\\long\\a.mov", "file:///C:/long/a.mov"),
        ("\\\\?\\UNC\\srv\\share\\a.mov", "file://srv/share/a.mov"),
    ],
)
def test_urls(path: str, url: str) -> None:
    assert file_url(path) == url


@settings(max_examples=200, deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1))
def test_posix_names_survive_the_url(name: str) -> None:
    parts = urlsplit(file_url("/" + name))
    assert (parts.scheme, parts.netloc, parts.query, parts.fragment) == ("file", "", "", "")
    assert unquote_to_bytes(parts.path).decode() == "/" + name


@pytest.mark.parametrize(
    ("path", "written"),
    [
        ("/footage/old/../day 1/./a.mp4", "/footage/day 1/a.mp4"),
        ("C:\\work\\..\\day 1\\a.mp4", "C:\\day 1\\a.mp4"),
        ("\\\\srv\\share\\work\\..\\a.mp4", "\\\\srv\\share\\a.mp4"),
        ("\\\\?\\C:\\work\\..\\a.mp4", "C:\\a.mp4"),
    ],
)
def test_no_timeline_has_dots_in_its_paths(path: str, written: str) -> None:
    document = make_document(path=path, spans=[(1.0, 3.0)])
    [event] = build_edit_list([document], name="x").events
    assert event.source.path == written
    folder = str(media_path(written).parent)
    [event] = build_edit_list(
        [document], name="x", layout=Layout(path_maps=((folder, "Z:\\footage"),))
    ).events
    assert event.source.path == "Z:\\footage\\a.mp4"


_TIMELINES = sorted({one.suffix for one in FORMATS.values() if one.kind == "timeline"} - {".txt"})


@pytest.mark.parametrize("suffix", _TIMELINES)
def test_no_format_writes_dots(tmp_path: Path, suffix: str) -> None:
    video = make_video(tmp_path, name="a.mp4", num_frames=120)
    document = make_document(
        path=f"{tmp_path}/old/../a.mp4", audio=False, num_frames=120, spans=[(1.0, 3.0)]
    )
    document = dataclasses.replace(
        document, video=dataclasses.replace(document.video, sha256_head=content_identity(video))
    )
    write_outputs([tmp_path / f"x{suffix}"], [document])
    written = (tmp_path / f"x{suffix}").read_bytes()
    for encoding in ("utf-8", "utf-16-le"):
        assert "/../".encode(encoding) not in written


def test_odd_names_reach_the_timeline(tmp_path: Path) -> None:
    documents = [
        make_document(path="/caf\udce9.mp4", spans=[(1.0, 3.0)], damage="lost caf\udce9"),
        make_document(path="C:\\Clips\\b c.mov", spans=[(1.0, 3.0)]),
    ]
    write_outputs([tmp_path / "x.otio"], documents)
    _, video, _ = tracks(tmp_path / "x.otio")
    assert [clip.name for clip in video] == ["caf\ufffd.mp4", "b c.mov"]
    write_outputs([tmp_path / "x.csv"], documents)
    assert "/caf\ufffd.mp4" in (tmp_path / "x.csv").read_text("utf-8")


# Files ---------------------------------------------------------------------------------------


def test_table() -> None:
    document = make_document(
        path="/a,b.mov",
        frame_rate=NTSC,
        start_timecode="01:00:00;00",
        spans=[(20.02, 25.025), (2.002, 4.004)],
    )
    heading, first, second = csv.reader(io.StringIO(table_text([document])))
    assert heading == list(COLUMNS)
    assert first == [
        "1", "/a,b.mov", "20.020", "25.025", "01:00:20;00", "01:00:25;00", "5.005", "0.9000",
        "both", "",
    ]  # fmt: skip
    assert second[:3] == ["2", "/a,b.mov", "2.002"]


def test_table_ranks_over_all_videos() -> None:
    documents = [
        make_document(path="/a.mp4", spans=[(1.0, 3.0), (5.0, 7.0)]),
        make_document(path="/b.mp4", spans=[(1.0, 3.0)]),
    ]
    rows = list(csv.DictReader(io.StringIO(table_text(documents))))
    assert [(row["rank"], row["file"]) for row in rows] == [
        ("1", "/a.mp4"), ("2", "/b.mp4"), ("3", "/a.mp4"),
    ]  # fmt: skip


def test_json_output_is_the_documents(tmp_path: Path) -> None:
    documents = [make_document(), make_document(path="/b.mp4")]
    assert write_outputs([tmp_path / "x.JSON"], documents) == [tmp_path / "x.JSON"]
    assert [d.video.path for d in read_documents(tmp_path / "x.JSON")] == [
        "/footage/match.mp4",
        "/b.mp4",
    ]


def test_moments_in_json_have_rank_and_timecode_as_in_the_table(tmp_path: Path) -> None:
    documents = [
        make_document(
            path="/a.mov",
            frame_rate=NTSC,
            start_timecode="01:00:00;00",
            spans=[(2.002, 4.004), (20.02, 25.025)],
        ),
        make_document(path="/b.mov", spans=[(1.0, 3.0)]),
    ]
    for suffix in (".json", ".csv"):
        write_format(tmp_path / f"x{suffix}", documents)
    rows = {
        (row["file"], row["start_seconds"]): row
        for row in csv.DictReader(io.StringIO((tmp_path / "x.csv").read_text("utf-8")))
    }
    values = json.loads((tmp_path / "x.json").read_text("ascii"))
    moments = [(value["video"]["path"], one) for value in values for one in value["moments"]]
    assert len(moments) == len(rows) == 3
    for path, moment in moments:
        row = rows[path, f"{moment['start_seconds']:.3f}"]
        for name in ("start_timecode", "end_timecode"):
            assert moment[name] == row[name]
        assert moment["rank"] == int(row["rank"])
    assert moments[0][1]["start_timecode"] == "01:00:02;00"
    read = read_documents(tmp_path / "x.json")
    assert [one.to_json() for one in read] == [one.to_json() for one in documents]
    for value in values:
        Draft202012Validator(SCHEMA).validate(value)


def test_folder_gets_one_timeline_for_each_video(tmp_path: Path) -> None:
    documents = [
        make_document(path=path, spans=[(1.0, 3.0)])
        for path in ("/a/take.mp4", "/b/TAKE.mov", "C:\\c\\other.v2.mp4", "/d/take.mkv")
    ]
    written = write_outputs([tmp_path], documents)
    assert [path.name for path in written] == [
        "take.otio", "TAKE-2.otio", "other.v2.otio", "take-3.otio",
    ]  # fmt: skip
    timeline, [clip], _ = tracks(written[2])
    assert timeline.name == "other.v2"
    assert clip.media_reference.target_url == "file:///C:/c/other.v2.mp4"


@pytest.mark.parametrize("name", ["x.otio", "x.csv", "x.json"])
def test_two_runs_give_the_same_bytes(tmp_path: Path, name: str) -> None:
    (tmp_path / "1").mkdir()
    (tmp_path / "2").mkdir()
    for folder in "12":
        write_outputs([tmp_path / folder / name], [make_document()])
    assert (tmp_path / "1" / name).read_bytes() == (tmp_path / "2" / name).read_bytes()


def test_outputs_are_checked_before_work_starts(tmp_path: Path) -> None:
    check_output(tmp_path)
    check_output(tmp_path / "x.OTIO")
    with pytest.raises(UsageError) as error:
        check_output(tmp_path / "x.avi")
    assert "the extension .avi is unknown" in error.value.message
    assert ".otio, " in error.value.hint
    with pytest.raises(UsageError, match="it has no extension and is no folder"):
        check_output(tmp_path / "missing")
    with pytest.raises(OutputError, match="does not exist"):
        check_output(tmp_path / "missing" / "x.otio")
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="does not exist"):
        check_output(tmp_path / "file" / "x.otio")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file"]


@pytest.mark.shared
@pytest.mark.parametrize(
    ("name", "rate", "start"),
    [
        ("ntsc_df.mov", NTSC, 107892),
        ("p2398_tc.mov", Fraction(24000, 1001), 1435922),
        ("true30_df.mov", Fraction(30), 1793106),
        ("p5994.mp4", Fraction(60000, 1001), 0),
        ("start_offset.ts", Fraction(30), 0),
        ("vfr.mp4", Fraction(30), 0),
        ("clip \u00e4 \u65e5\u672c #1 100%25 & 'q'.mp4", Fraction(30), 0),
    ],
)
def test_torture_clips(shared_dir: Path, tmp_path: Path, name, rate, start) -> None:
    from hlcli.document import VideoRecord
    from hlcli.media.probe import probe

    info = probe(shared_dir / "data/media/torture" / name)
    record = VideoRecord.from_media(info, IDENTITY)
    document = make_document(num_frames=info.num_frames, frame_rate=info.frame_rate)
    spans = make_document(spans=[(1.0, 3.0), (6.0, record.duration_seconds)]).moments
    import dataclasses

    clips = range(len(document.scores))
    document = dataclasses.replace(
        document, video=record, scores=tuple(0.5 for _ in clips), moments=spans
    )
    write_outputs([tmp_path / "x.otio"], [document])
    _, video, _ = tracks(tmp_path / "x.otio")
    available = video[0].media_reference.available_range
    assert (available.start_time.value, available.start_time.rate) == (start, float(rate))
    assert available.duration.value == info.num_frames
    assert sum(frames(video[1])) == start + info.num_frames
    url = urlsplit(video[0].media_reference.target_url)
    assert Path(unquote_to_bytes(url.path).decode()) == info.path


def test_folder_gets_one_file_for_each_program(tmp_path: Path) -> None:
    document = make_document(path="/a/take.mp4", spans=[(1.0, 3.0)])
    written = write_outputs([tmp_path], [document], targets=["resolve", "kdenlive", "premiere"])
    assert [path.name for path in written] == [
        "take.resolve.otio", "take.kdenlive", "take.premiere.otio",
    ]  # fmt: skip
    assert {path.name for path in tmp_path.iterdir()} == {path.name for path in written}
