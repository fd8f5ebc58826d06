"""FCP7 XML, read back with otio-fcp-adapter and, where it looks away, element by element."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from xml.etree import ElementTree as ET

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
from hlcli.timeline.edit_list import EditList, Event, Marker, Source
from hlcli.timeline.formats import fcp7
from hlcli.timeline.formats.fcp7_elements import path_url
from hlcli.timeline.paths import path_of_url
from hlcli.timeline.read import read_timeline

pytest.importorskip("otio_fcp_adapter", reason="needs otio-fcp-adapter, part of hlcli[dev]")


def write(edit: EditList, folder: Path, target: str = "premiere") -> ET.Element:
    fcp7.write(edit, folder / "reel.xml", target=target)
    return ET.fromstring((folder / "reel.xml").read_text(encoding="utf-8"))


def with_video(document: ScoresDocument, **changes: object) -> ScoresDocument:
    return dataclasses.replace(document, video=dataclasses.replace(document.video, **changes))  # type: ignore[arg-type]


def rate_of(rate: float) -> Fraction:
    return Fraction(rate).limit_denominator(1001)


def assert_same_cuts(edit: EditList, folder: Path) -> otio.schema.Timeline:
    """Compare every cut, file, rate and timecode with what the adapter reads."""
    timeline = otio.adapters.read_from_file(str(folder / "reel.xml"), "fcp_xml")
    start = timeline.global_start_time
    assert (start.value, rate_of(start.rate)) == (edit.start_frame, edit.frame_rate)
    tracks = timeline.video_tracks()
    assert len(tracks) == edit.num_video_tracks
    for number, track in enumerate(tracks):
        events = [event for event in edit.events if event.video_track == number]
        clips = list(track.find_clips())
        assert [clip.name for clip in clips] == [event.source.name for event in events]
        for clip, event in zip(clips, events, strict=True):
            assert_same_cut(clip, event, edit)
    return timeline


def assert_same_cut(clip: otio.schema.Clip, event: Event, edit: EditList) -> None:
    placed = clip.range_in_parent()
    assert rate_of(placed.start_time.rate) == edit.frame_rate
    assert round(placed.start_time.value, 4) == event.record.start
    assert round(placed.duration.value, 4) == len(event.record)
    media = clip.media_reference
    available = media.available_range
    assert rate_of(available.start_time.rate) == event.source.frame_rate
    assert (available.start_time.value, available.duration.value) == (
        event.source.start_frame,
        event.source.num_frames,
    )
    offset = clip.source_range.start_time.to_seconds() - available.start_time.to_seconds()
    first = event.conformed(edit.frame_rate)
    assert round(offset * edit.frame_rate, 3) == first.start
    # The frame that a reader shows is the wanted one, or less than a frame of the sequence away.
    wanted = event.frames.start / event.source.frame_rate
    room = event.source.num_frames / event.source.frame_rate - len(event.record) / edit.frame_rate
    if wanted <= room:
        assert abs(Fraction(first.start) / edit.frame_rate - wanted) <= 1 / (2 * edit.frame_rate)
    assert path_of_url(media.target_url) == event.source.path


@pytest.mark.parametrize("target", ["premiere", "resolve"])
@pytest.mark.parametrize("rate", RATES, ids=str)
def test_every_rate_reads_back(tmp_path: Path, rate: Fraction, target: str) -> None:
    edit = edit_of(
        make_document(frame_rate=rate, start_timecode="10:00:00:00", spans=SPANS),
        start_timecode="01:00:00:00",
    )
    write(edit, tmp_path, target)
    assert_same_cuts(edit, tmp_path)


@pytest.mark.parametrize("rate", [NTSC, Fraction(30), Fraction(60000, 1001), Fraction(60)], ids=str)
def test_drop_frame_is_said_of_file_and_sequence(tmp_path: Path, rate: Fraction) -> None:
    dropping = make_document(frame_rate=rate, start_timecode="16:37:10;02", spans=SPANS)
    other = make_document(path="/b.mp4", frame_rate=rate, start_timecode="16:37:10:02", spans=SPANS)
    edit = edit_of(dropping, other, start_timecode="00:59:50;00")
    root = write(edit, tmp_path)
    assert_same_cuts(edit, tmp_path)
    said = [
        (timecode.findtext("string"), timecode.findtext("displayformat"))
        for timecode in (root.find("sequence/timecode"), *root.iterfind(".//file/timecode"))
    ]
    assert said == [("00:59:50;00", "DF"), ("16:37:10;02", "DF"), ("16:37:10:02", "NDF")]
    frames = [int(frame.text or "") for frame in root.iterfind(".//file/timecode/frame")]
    assert frames == [dropping_start(rate), edit.sources[1].start_frame]


def dropping_start(rate: Fraction) -> int:
    return 1793106 if rate < 31 else 3586210


def test_premiere_is_told_how_the_sequence_counts(tmp_path: Path) -> None:
    display = "MZ.Sequence.VideoTimeDisplayFormat"
    for timecode, number in (("01:00:00;00", "102"), ("01:00:00:00", "103")):
        edit = edit_of(make_document(frame_rate=NTSC, spans=SPANS), start_timecode=timecode)
        root = write(edit, tmp_path)
        assert root.find("sequence").get(display) == number  # type: ignore[union-attr]
        assert write(edit, tmp_path, "resolve").find("sequence").get(display) is None  # type: ignore[union-attr]


@settings(max_examples=60, deadline=None)
@given(
    timeline_rate=st.sampled_from(RATES),
    rates=st.lists(st.sampled_from(RATES), min_size=1, max_size=3),
    start=st.sampled_from([None, "00:59:50;00", "10:00:00:00", "23:00:00:00"]),
    lengths=st.lists(st.tuples(st.integers(0, 3000), st.integers(40, 900)), min_size=1, max_size=4),
    order=st.sampled_from(["time", "rank"]),
    own_tracks=st.booleans(),
)
def test_mixed_timelines_read_back(
    tmp_path_factory, timeline_rate, rates, start, lengths, order, own_tracks
) -> None:
    spans, at = [], 0.0
    for gap, length in lengths:
        spans.append((at + gap / 100, at + (gap + length) / 100))
        at = spans[-1][1]
    documents = [
        make_document(
            path=f"/footage/{number}.mp4",
            frame_rate=rate,
            num_frames=int((at + 3) * rate),
            start_timecode=start,
            spans=spans,
        )
        for number, rate in enumerate(rates)
    ]
    edit = edit_of(*documents, order=order, frame_rate=timeline_rate, track_per_source=own_tracks)
    folder = tmp_path_factory.mktemp("mixed")
    root = write(edit, folder)
    assert_same_cuts(edit, folder)
    for item in root.iterfind(".//clipitem"):
        start_, end, first, last = (
            int(item.findtext(tag) or "") for tag in ("start", "end", "in", "out")
        )
        assert end - start_ == last - first > 0
        assert 0 <= first < last <= int(item.findtext("duration") or "")


def test_in_counts_on_the_grid_of_the_sequence(tmp_path: Path) -> None:
    # Both editors read `in` as seconds of the source times the rate of the sequence.
    first = make_document(spans=[(1.0, 2.0)])
    other = make_document(
        path="/b.mp4", frame_rate=Fraction(25), num_frames=500, spans=[(2.0, 4.0)]
    )
    root = write(edit_of(first, other), tmp_path)
    item = root.findall(".//video/track/clipitem")[1]
    assert [item.findtext(tag) for tag in ("in", "out", "start", "end")] == [
        "60",
        "120",
        "30",
        "90",
    ]
    assert item.findtext("rate/timebase") == "30"
    assert item.findtext("duration") == "600"
    assert item.findtext("file/rate/timebase") == "25"
    assert item.findtext("file/duration") == "500"


def test_picture_and_sound_are_linked(tmp_path: Path) -> None:
    for target in ("premiere", "resolve"):
        edit = edit_of(
            make_document(spans=SPANS, audio=2), make_document(path="/b.mp4", spans=SPANS, audio=0)
        )
        root = write(edit, tmp_path, target)
        items = {item.get("id"): item for item in root.iterfind(".//clipitem")}
        assert len(items) == len(root.findall(".//clipitem"))
        kinds = {}
        for kind in ("video", "audio"):
            for number, track in enumerate(root.findall(f"sequence/media/{kind}/track"), start=1):
                for index, item in enumerate(track.findall("clipitem"), start=1):
                    kinds[item.get("id")] = (kind, str(number), str(index))
        places = {
            identifier: (item.findtext("start"), item.findtext("in"), item.findtext("masterclipid"))
            for identifier, item in items.items()
        }
        for identifier, item in items.items():
            links = [link.findtext("linkclipref") for link in item.findall("link")]
            if item.findtext("masterclipid") == "masterclip-2":
                assert links == []
                continue
            assert len(links) == {"premiere": 5, "resolve": 3}[target]
            assert identifier in links
            for link in item.findall("link"):
                other = link.findtext("linkclipref")
                assert places[other] == places[identifier]
                named = tuple(
                    link.findtext(tag) for tag in ("mediatype", "trackindex", "clipindex")
                )
                assert named == kinds[other]


def sound_of(root: ET.Element) -> list[tuple[str, str, str, list[tuple[str, str]]]]:
    return [
        (
            track.get("premiereTrackType", ""),
            track.get("currentExplodedTrackIndex", ""),
            track.get("totalExplodedTrackCount", ""),
            [
                (item.get("premiereChannelType", ""), item.findtext("sourcetrack/trackindex") or "")
                for item in track.findall("clipitem")
            ],
        )
        for track in root.findall("sequence/media/audio/track")
    ]


def streams(*channels: int) -> tuple[AudioRecord, ...]:
    return tuple(AudioRecord(channels=count, sample_rate=48000) for count in channels)


@pytest.mark.parametrize(
    ("audio", "expected"),
    [
        ((1,), [("Mono", "0", "1", [("mono", "1")])]),
        (
            (2,),
            [("Stereo", "0", "2", [("stereo", "1")]), ("Stereo", "1", "2", [("stereo", "2")])],
        ),
        (
            (2, 2),
            [
                ("Stereo", "0", "2", [("stereo", "1")]), ("Stereo", "1", "2", [("stereo", "1")]),
                ("Stereo", "0", "2", [("stereo", "2")]), ("Stereo", "1", "2", [("stereo", "2")]),
            ],
        ),
        ((1, 1), [("Mono", "0", "1", [("mono", "1")]), ("Mono", "0", "1", [("mono", "2")])]),
        ((4,), [("Mono", "0", "1", [("mono", str(n))]) for n in (1, 2, 3, 4)]),
        ((), []),
    ],
    ids=str,
)  # fmt: skip
def test_premiere_gets_every_channel(tmp_path: Path, audio, expected) -> None:
    document = with_video(make_document(spans=[(1, 2)]), audio=streams(*audio))
    root = write(edit_of(document), tmp_path)
    assert sound_of(root) == expected
    counts = [count.text for count in root.iterfind(".//file/media/audio/channelcount")]
    assert counts == [str(channels) for channels in audio]
    plain = write(edit_of(document), tmp_path, "resolve")
    assert sound_of(plain) == [
        ("", "", "", [("", str(number))]) for number in range(1, len(audio) + 1)
    ]


def test_mono_beside_stereo_stays_mono(tmp_path: Path) -> None:
    stereo = make_document(spans=[(1, 2)])
    mono = with_video(make_document(path="/m.mp4", spans=[(1, 2)]), audio=streams(1))
    assert sound_of(write(edit_of(stereo, mono), tmp_path)) == [
        ("Stereo", "0", "2", [("stereo", "1"), ("mono", "1")]),
        ("Stereo", "1", "2", [("stereo", "2")]),
    ]


def test_sequence_and_file_say_their_size(tmp_path: Path) -> None:
    upright = make_document(spans=[(1, 2)])
    phone = with_video(
        make_document(path="/p.mp4", spans=[(1, 2)]), width=1080, height=1920, rotation_degrees=90
    )
    root = write(edit_of(upright, phone), tmp_path)
    size = "samplecharacteristics/width", "samplecharacteristics/height"
    sequence = root.find("sequence/media/video/format")
    assert [sequence.findtext(tag) for tag in size] == ["1920", "1080"]  # type: ignore[union-attr]
    files = root.findall(".//file/media/video")
    # As it is stored: the turn is said apart.
    assert [[file.findtext(tag) for tag in size] for file in files] == [["1920", "1080"]] * 2
    motions = [item.find("filter/effect") for item in root.findall(".//video/track/clipitem")]
    assert motions[0] is None
    values = {
        parameter.findtext("parameterid"): parameter.findtext("value")
        for parameter in motions[1].findall("parameter")  # type: ignore[union-attr]
    }
    assert values == {"scale": "56.25", "rotation": "90"}
    assert write(edit_of(upright, phone), tmp_path, "resolve").find(".//filter") is None


@pytest.mark.parametrize(("degrees", "value"), [(90, "90"), (180, "180"), (270, "-90")])
def test_rotation_turns_the_short_way(tmp_path: Path, degrees: int, value: str) -> None:
    document = with_video(make_document(spans=[(1, 2)]), rotation_degrees=degrees)
    root = write(edit_of(document), tmp_path)
    assert [element.text for element in root.iterfind(".//parameter/value")] == ["100", value]


def test_markers_stand_on_the_sequence(tmp_path: Path) -> None:
    edit = edit_of(
        make_document(start_timecode="01:00:00:00", spans=SPANS), start_timecode="02:00:00:00"
    )
    root = write(edit, tmp_path)
    markers = root.findall("sequence/marker")
    found = [[marker.findtext(tag) for tag in ("name", "in", "out")] for marker in markers]
    # A second into 1 to 3 s, after it, and after both.
    assert found == [["H01 0.90", "30", "-1"], ["H02 0.80", "86", "-1"], ["H03 0.70", "219", "-1"]]
    assert markers[0].findtext("comment") == "score 0.90, picture and sound stand out"
    # 0xAABBGGRR; green is Premiere's own colour and needs none.
    assert [marker.findtext("pproColor") for marker in markers] == [None, None, "4292277273"]
    timeline = assert_same_cuts(edit, tmp_path)
    assert [marker.marked_range.start_time.value for marker in timeline.tracks.markers] == [
        30, 86, 219,
    ]  # fmt: skip
    plain = write(edit, tmp_path, "resolve")
    assert plain.findall("sequence/marker/pproColor") == []
    assert len(plain.findall("sequence/marker")) == 3


def test_whole_source_with_marker_ranges(tmp_path: Path) -> None:
    edit = edit_of(make_document(spans=SPANS), markers_only=True)
    root = write(edit, tmp_path)
    assert_same_cuts(edit, tmp_path)
    found = [
        [marker.findtext(tag) for tag in ("in", "out")]
        for marker in root.findall("sequence/marker")
    ]
    assert found == [["30", "90"], ["225", "278"], ["600", "811"]]
    assert root.findtext(".//video/track/clipitem/out") == "1800"


@pytest.mark.parametrize(
    ("path", "url"),
    [
        ("/a b/\u00e4 #1 100%25 & 'q'.mp4",
         "file://localhost/a%20b/%C3%A4%20%231%20100%2525%20%26%20%27q%27.mp4"),
        (r"C:\My Clips\a.mp4", "file://localhost/C%3a/My%20Clips/a.mp4"),
        (r"\\nas\share\a?.mp4", "file://nas/share/a%3F.mp4"),
        ("/trailing .mp4 ", "file://localhost/trailing%20.mp4%20"),
        ("/\U0001f3ac.mp4", "file://localhost/%F0%9F%8E%AC.mp4"),
    ],
)  # fmt: skip
def test_paths(tmp_path: Path, path: str, url: str) -> None:
    assert path_url(path) == url
    root = write(edit_of(make_document(path=path, spans=SPANS)), tmp_path)
    assert root.findtext(".//pathurl") == url
    assert path_of_url(url) == path


def test_names_that_xml_cannot_hold(tmp_path: Path) -> None:
    document = make_document(path="/a\x01<&>\udcff.mp4", spans=SPANS)
    root = write(edit_of(document), tmp_path)
    assert root.findtext(".//clipitem/name") == "a\ufffd<&>\ufffd.mp4"
    assert root.findtext(".//pathurl") == "file://localhost/a%01%3C%26%3E%FF.mp4"


def test_gaps_and_sound_alone(tmp_path: Path) -> None:
    from hlcli.timeline.edit_list import Sound

    source = Source(path="/a.mp4", frame_rate=Fraction(25), num_frames=500, audio=streams(2))
    edit = EditList(
        name="reel",
        frame_rate=Fraction(25),
        events=(
            Event(source=source, frames=range(0, 10), record=range(50, 60), sound=(Sound(0, 0),)),
            Event(
                source=source,
                frames=range(100, 120),
                record=range(80, 100),
                video_track=None,
                sound=(Sound(0, 1),),
            ),
        ),
    )
    root = write(edit, tmp_path)
    assert_same_cuts(edit, tmp_path)
    assert root.findtext("sequence/duration") == "100"
    # Nothing is known of its size, and Resolve refuses a sequence without one.
    assert root.findtext(".//format/samplecharacteristics/width") == "1920"
    assert root.find(".//file//width") is None


def test_one_marker_of_picture_and_sound_is_one_marker(tmp_path: Path) -> None:
    source = Source(path="/a.mp4", frame_rate=Fraction(25), num_frames=500)
    marker = Marker(frames=range(5, 6), name="H01", color="RED")
    events = tuple(
        Event(
            source=source,
            frames=range(0, 10),
            record=range(0, 10),
            video_track=track,
            markers=(marker,),
        )
        for track in (0, 1)
    )
    root = write(EditList(name="x", frame_rate=Fraction(25), events=events), tmp_path)
    assert [marker.findtext("pproColor") for marker in root.iterfind(".//marker")] == ["4281740498"]


def test_rates_without_a_name_are_refused(tmp_path: Path) -> None:
    odd = make_document(frame_rate=Fraction(25, 2), num_frames=500, spans=[(1, 2)])
    for rate in (None, Fraction(25)):
        with pytest.raises(UsageError, match=r"no frame rate 25/2, which match\.mp4 has") as caught:
            fcp7.write(edit_of(odd, frame_rate=rate), tmp_path / "x.xml")
        assert "24000/1001 frames a second" in caught.value.hint
    whole = make_document(spans=[(1, 2)])
    with pytest.raises(UsageError, match="FCP7 XML has no frame rate 59/2") as caught:
        fcp7.write(edit_of(whole, frame_rate=Fraction(59, 2)), tmp_path / "x.xml")
    assert "--frame-rate 30000/1001" in caught.value.hint
    with pytest.raises(OutputError, match="does not exist"):
        fcp7.write(edit_of(make_document(spans=SPANS)), tmp_path / "no" / "x.xml")
    assert list(tmp_path.iterdir()) == []
    high = make_document(frame_rate=Fraction(120000, 1001), num_frames=5000, spans=[(1, 2)])
    assert write(edit_of(high), tmp_path).findtext("sequence/rate/timebase") == "120"


def test_two_runs_give_the_same_bytes(tmp_path: Path) -> None:
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from pathlib import Path\n"
        "from document_factory import make_document\n"
        "from hlcli.timeline.build import build_edit_list\n"
        "from hlcli.timeline.formats import fcp7\n"
        "documents = [make_document(path=f'/{n}.mp4', audio=2) for n in range(3)]\n"
        "fcp7.write(build_edit_list(documents, name='x'), Path(sys.argv[2]))\n"
    )
    for name, seed in (("a.xml", "1"), ("b.xml", "2")):
        subprocess.run(
            [sys.executable, "-c", code, str(Path(__file__).parent), str(tmp_path / name)],
            env=os.environ | {"PYTHONHASHSEED": seed},
            check=True,
        )
    assert (tmp_path / "a.xml").read_bytes() == (tmp_path / "b.xml").read_bytes()


def plain_timeline(edit: EditList) -> otio.schema.Timeline:
    """What anybody would hand to the adapter: clips, ranges, files."""

    def span(start: int, length: int, rate: Fraction) -> otio.opentime.TimeRange:
        return otio.opentime.TimeRange(
            otio.opentime.RationalTime(start, float(rate)),
            otio.opentime.RationalTime(length, float(rate)),
        )

    timeline = otio.schema.Timeline(name=edit.name)
    timeline.global_start_time = otio.opentime.RationalTime(
        edit.start_frame, float(edit.frame_rate)
    )
    for kind, number in (("Video", 1), ("Audio", edit.num_audio_tracks)):
        for _ in range(number):
            track = otio.schema.Track(kind=kind)
            timeline.tracks.append(track)
            for event in edit.events:
                source, rate = event.source, event.source.frame_rate
                media = otio.schema.ExternalReference(
                    target_url=path_url(source.path),
                    available_range=span(source.start_frame, source.num_frames, rate),
                )
                first = source.start_frame + event.frames.start
                clip = otio.schema.Clip(
                    name=source.name,
                    media_reference=media,
                    source_range=span(first, len(event.frames), rate),
                )
                for marker in event.markers if kind == "Video" else ():
                    at = source.start_frame + marker.frames.start
                    clip.markers.append(otio.schema.Marker(marked_range=span(at, 1, rate)))
                track.append(clip)
    return timeline


def test_what_the_adapter_writes(tmp_path: Path) -> None:
    """Why hl writes the format itself: docs/decisions/0010. Fails when the adapter is mended."""

    def adapter(edit: EditList) -> ET.Element:
        otio.adapters.write_to_file(plain_timeline(edit), str(tmp_path / "x.xml"), "fcp_xml")
        return ET.parse(tmp_path / "x.xml").getroot()

    dropping = make_document(frame_rate=NTSC, start_timecode="01:00:00;00", spans=SPANS)
    root = adapter(edit_of(dropping, start_timecode="01:00:00;00"))
    # Drop-frame is lost: an editor shows labels that are off by 108 frames an hour.
    assert {tag.text for tag in root.iter("displayformat")} == {"NDF"}
    assert root.findtext(".//file/timecode/string") == "00:59:56:12"
    # No size of the sequence; no size, channels or sample rate of the file.
    assert [len(tag) for tag in root.findall(".//video/format")] == [0]
    assert [root.find(f".//file//{tag}") for tag in ("channelcount", "width")] == [None] * 2
    # Picture and sound are not linked, sound says no channel, the master clip is unknown.
    assert [root.find(f".//{tag}") for tag in ("link", "sourcetrack", "masterclipid")] == [None] * 3
    # Markers of a clip count from midnight, beside an `in` that counts from the first frame.
    assert root.findtext(".//clipitem/marker/in") == "107952"
    assert root.findtext(".//clipitem/in") == "30"
    # In and out of another rate stay in frames of the source, which both editors misread.
    slow = make_document(path="/b.mp4", frame_rate=Fraction(25), num_frames=500, spans=[(2, 4)])
    mixed = adapter(edit_of(make_document(spans=SPANS), slow))
    assert mixed.findall(".//video/track/clipitem")[-1].findtext("in") == "50"
    # The second sound track of a source is a reference to the first one, without a place.
    twice = adapter(edit_of(make_document(spans=[(1, 2)], audio=2)))
    sounds = twice.findall(".//audio/track/clipitem")
    assert [sound.findtext("start") for sound in sounds] == ["0", None]


@pytest.mark.shared
@pytest.mark.parametrize("name", TORTURE_CLIPS)
def test_torture_clips(shared_dir: Path, tmp_path: Path, name: str) -> None:
    edit = edit_of(torture_document(shared_dir, name))
    for target in ("premiere", "resolve"):
        root = write(edit, tmp_path, target)
        assert_same_cuts(edit, tmp_path)
        counts = [count.text for count in root.iterfind(".//file/media/audio/channelcount")]
        assert counts == [str(audio.channels) for audio in edit.sources[0].audio]
    last = edit.events[-1].conformed(edit.frame_rate)
    assert last.stop == edit.sources[0].num_frames


@pytest.mark.parametrize("color", ["RED", "BLUE", "GREEN"])
@pytest.mark.parametrize("target", ["premiere", "resolve"])
def test_colours_of_markers_come_back(tmp_path: Path, target: str, color: str) -> None:
    """The adapter leaves every marker red, which would be a word for "drop"."""
    source = Source(path="/a.mp4", frame_rate=Fraction(25), num_frames=500)
    event = Event(
        source=source,
        frames=range(0, 10),
        record=range(0, 10),
        video_track=0,
        markers=(Marker(frames=range(5, 6), name="the kiss", color=color),),
    )
    path = tmp_path / "cut.xml"
    write(EditList(name="x", frame_rate=Fraction(25), events=(event,)), tmp_path, target)
    (path,) = tmp_path.glob("*.xml")
    read = read_timeline(path, known=[source])
    (marker,) = read.edit.events[0].markers
    # Resolve takes no colours from such a file.
    assert marker.color == (color if target == "premiere" else None)
