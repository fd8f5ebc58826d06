"""FCPXML: exact times, the rules of the format, and what an independent reader sees."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from fractions import Fraction
from pathlib import Path

import fcpxml_rules
import opentimelineio as otio
import pytest
from document_factory import IDENTITY, make_document
from edit_list_factory import edit_of
from fcpxml_rules import seconds
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from hlcli.document import AudioRecord, ScoresDocument, VideoRecord
from hlcli.errors import UsageError
from hlcli.timeline.edit_list import EditList, Event, Sound, Source
from hlcli.timeline.formats.fcpxml import fcpxml_text, write
from hlcli.timeline.formats.otio import otio_timeline
from hlcli.timeline.formats.otio_dialects import GENERIC
from hlcli.timeline.paths import path_of_url

NTSC = Fraction(1000, 1001)
RATES = [
    (24 * NTSC, "01:00:00:00"),
    (Fraction(24), None),
    (Fraction(25), "10:00:00:00"),
    (30 * NTSC, "01:00:00;00"),
    (30 * NTSC, "01:00:00:00"),
    (Fraction(30), "16:37:10;02"),
    (Fraction(50), None),
    (60 * NTSC, "01:00:00;00"),
    (Fraction(60), "00:59:58:30"),
]


def cuts(root: ET.Element, edit: EditList) -> list[tuple[object, ...]]:
    """Return (path, first frame of the file, first frame on the timeline, length, lane)."""
    assets = {asset.get("id"): asset for asset in root.iter("asset")}
    formats = {element.get("id"): element for element in root.iter("format")}
    found = []

    def walk(clip: ET.Element, at: Fraction) -> None:
        """Take a clip whose first frame lies `at` seconds after the timeline's."""
        start = seconds(clip.get("start", "0s"))
        if clip.tag == "asset-clip":
            asset = assets[clip.get("ref")]
            frame = seconds(formats[asset.get("format")].get("frameDuration", ""))
            place = (start - seconds(asset.get("start", "0s"))) / frame
            found.append(
                (
                    path_of_url(asset[0].get("src", "")),
                    place,
                    at * edit.frame_rate,
                    seconds(clip.get("duration", "")) * edit.frame_rate,
                    int(clip.get("lane", "0")),
                )
            )
        for child in clip.findall("asset-clip"):
            walk(child, at + seconds(child.get("offset", "")) - start)

    for sequence in root.iter("sequence"):
        for item in sequence.findall("spine/*"):
            walk(item, seconds(item.get("offset", "")) - seconds(sequence.get("tcStart", "")))
    return sorted(found, key=lambda cut: (cut[2], cut[4]))


def expected(edit: EditList) -> list[tuple[object, ...]]:
    return [
        (
            event.source.path,
            event.frames.start,
            event.record.start,
            len(event.record),
            event.video_track,
        )
        for event in edit.events
    ]


# Cuts ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", ["finalcut", "resolve"])
@pytest.mark.parametrize(("rate", "start"), RATES)
def test_every_rate(rate: Fraction, start: str | None, target: str) -> None:
    document = make_document(
        frame_rate=rate, start_timecode=start, num_frames=1797, spans=[(1.0, 3.0), (10.0, 12.5)]
    )
    edit = edit_of(document, start_timecode="01:00:00:00")
    root = fcpxml_rules.check(fcpxml_text(edit, target=target))
    assert cuts(root, edit) == expected(edit)
    sequence = next(root.iter("sequence"))
    assert sequence.get("tcFormat") == "NDF"
    asset = next(root.iter("asset"))
    source = edit.sources[0]
    assert seconds(asset.get("start", "")) == source.start_frame / rate
    assert seconds(asset.get("duration", "")) == 1797 / rate
    assert next(root.iter("asset-clip")).get("tcFormat") == (
        "DF" if start is not None and ";" in start else "NDF"
    )
    # The rule that T4 and T5 break: an hour of non-drop-frame labels, and not 1000/999 of it.
    base = {24 * NTSC: 24, 30 * NTSC: 30, 60 * NTSC: 60}.get(rate, rate)
    assert seconds(sequence.get("tcStart", "")) == 3600 * base / rate


def test_drop_frame_on_integer_media() -> None:
    """T3: Final Cut Pro's own file has 298851/5 s here, not 1794902/30 s."""
    document = make_document(start_timecode="16:37:10;02", num_frames=240, spans=[(1.0, 3.0)])
    edit = edit_of(document)
    root = fcpxml_rules.check(fcpxml_text(edit))
    asset, clip = next(root.iter("asset")), next(root.iter("asset-clip"))
    assert asset.get("start") == "298851/5s"
    assert clip.get("start") == "298856/5s"
    assert clip.get("tcFormat") == "DF"
    assert next(root.iter("sequence")).get("tcFormat") == "DF"


def test_timecode_that_no_track_holds() -> None:
    """T2: Final Cut Pro takes such a file from 0, DaVinci Resolve from the camera's clock."""
    document = make_document(
        frame_rate=Fraction(25), start_timecode="10:11:12:13", spans=[(1.0, 3.0)]
    )
    video = dataclasses.replace(document.video, has_timecode_track=False)
    edit = edit_of(dataclasses.replace(document, video=video))
    starts = {}
    for target in ("finalcut", "resolve"):
        root = fcpxml_rules.check(fcpxml_text(edit, target=target))
        starts[target] = [
            seconds(next(root.iter(tag)).get("start", ""))
            for tag in ("asset", "asset-clip", "marker")
        ]
    clock = 36672 + Fraction(13, 25)
    assert starts["finalcut"] == [0, 1, 2]
    assert starts["resolve"] == [clock, clock + 1, clock + 2]
    kept = edit_of(document)
    assert fcpxml_text(kept, target="finalcut") == fcpxml_text(edit, target="resolve")


def test_version_that_resolve_reads() -> None:
    """T14: Resolve 18.5 reads 1.3 to 1.10; 1.11 is refused."""
    for target in ("finalcut", "resolve"):
        root = ET.fromstring(fcpxml_text(edit_of(make_document()), target=target).encode())
        assert root.get("version") == "1.10"


def test_sources_of_several_rates_sizes_and_tracks() -> None:
    first = make_document(frame_rate=30 * NTSC, spans=[(1.0, 3.0), (10.0, 12.5)])
    second = make_document(path="/b.mov", frame_rate=Fraction(25), spans=[(2.0, 4.02)], audio=0)
    portrait = dataclasses.replace(second.video, width=1080, height=1920, rotation_degrees=90)
    second = dataclasses.replace(second, video=portrait)
    third = make_document(path="/c.mov", frame_rate=24 * NTSC, spans=[(0.0, 2.0)])
    for own_tracks in (False, True):
        edit = edit_of(first, second, third, track_per_source=own_tracks)
        root = fcpxml_rules.check(fcpxml_text(edit))
        assert cuts(root, edit) == expected(edit)
        shapes = [
            (f.get("frameDuration"), f.get("width"), f.get("height"), f.get("name"))
            for f in root.iter("format")
        ]
        # T16: a portrait file has its displayed size, and no name of a landscape format.
        assert shapes == [
            ("1001/30000s", "1920", "1080", "FFVideoFormat1080p2997"),
            ("1/25s", "1080", "1920", None),
            ("1001/24000s", "1920", "1080", "FFVideoFormat1080p2398"),
        ]
        conformed = [element.attrib for element in root.iter("conform-rate")]
        assert conformed == [
            {"scaleEnabled": "0", "srcFrameRate": "25"},
            {"scaleEnabled": "0", "srcFrameRate": "23.98"},
        ]
        assert [len(item) > 0 for item in root.iter("gap")] == [True] * own_tracks


def test_a_connected_clip_over_a_clip_counts_by_its_clock() -> None:
    a = Source(path="/a.mov", frame_rate=Fraction(25), num_frames=500, start_timecode="01:00:00:00")
    b = dataclasses.replace(a, path="/b.mov", start_timecode=None)
    edit = EditList(
        name="x",
        frame_rate=Fraction(25),
        events=(
            Event(source=a, frames=range(50, 150), record=range(0, 100)),
            Event(source=b, frames=range(0, 20), record=range(25, 45), video_track=1),
            Event(source=b, frames=range(40, 50), record=range(120, 130), video_track=2),
        ),
    )
    root = fcpxml_rules.check(fcpxml_text(edit))
    assert cuts(root, edit) == expected(edit)
    over = root.findall(".//asset-clip/asset-clip")
    assert [clip.get("offset") for clip in over] == ["3603s"]


def test_a_last_clip_of_another_rate_stays_within_its_file() -> None:
    source = Source(path="/a.mov", frame_rate=24 * NTSC, num_frames=100)
    event = Event(source=source, frames=range(90, 100), record=range(0, 11))
    root = fcpxml_rules.check(
        fcpxml_text(EditList(name="x", frame_rate=Fraction(25), events=(event,)))
    )
    clip = next(root.iter("asset-clip"))
    assert seconds(clip.get("start", "")) == 89 / source.frame_rate


def test_no_such_rate() -> None:
    edit = edit_of(make_document(frame_rate=Fraction(15)))
    with pytest.raises(UsageError, match="no timelines of 15 frames") as caught:
        fcpxml_text(edit)
    assert "--frame-rate 24000/1001" in caught.value.hint
    other = edit_of(make_document(frame_rate=Fraction(15)), frame_rate=Fraction(30))
    root = fcpxml_rules.check(fcpxml_text(other))
    assert cuts(root, other) == expected(other)


# Sound ---------------------------------------------------------------------------------------


def with_audio(*channels: int, rate: int = 48000) -> ScoresDocument:
    document = make_document(audio=1, spans=[(1.0, 3.0)])
    tracks = tuple(AudioRecord(channels=number, sample_rate=rate) for number in channels)
    return dataclasses.replace(document, video=dataclasses.replace(document.video, audio=tracks))


@pytest.mark.parametrize(
    ("channels", "layout", "components"),
    [
        ((), "stereo", []),
        ((1,), "stereo", []),
        ((2,), "stereo", []),
        ((6,), "surround", []),
        ((2, 1, 2), "stereo", ["1, 2", "3", "4, 5"]),
    ],
)
def test_sound(channels: tuple[int, ...], layout: str, components: list[str]) -> None:
    """T10, T11, T17: the channels of the file, all of its tracks, and no mono layout."""
    root = fcpxml_rules.check(fcpxml_text(edit_of(with_audio(*channels))))
    assert next(root.iter("sequence")).get("audioLayout") == layout
    asset = next(root.iter("asset"))
    assert asset.get("hasAudio") == ("1" if channels else None)
    assert asset.get("audioChannels") == (str(sum(channels)) if channels else None)
    assert asset.get("audioSources") == (str(len(channels)) if channels else None)
    assert [part.get("srcCh") for part in root.iter("audio-channel-source")] == components
    assert len({part.get("role") for part in root.iter("audio-channel-source")}) == len(components)


@pytest.mark.parametrize(
    ("rate", "word"), [(44100, "44.1k"), (48000, "48k"), (96000, "96k"), (22050, "48k")]
)
def test_sample_rates(rate: int, word: str) -> None:
    root = fcpxml_rules.check(fcpxml_text(edit_of(with_audio(2, rate=rate))))
    assert next(root.iter("sequence")).get("audioRate") == word
    assert next(root.iter("asset")).get("audioRate") == str(rate)


def test_picture_alone_sound_alone_and_one_track_of_several() -> None:
    track = AudioRecord(channels=2, sample_rate=48000)
    source = Source(
        path="/a.mov", frame_rate=Fraction(25), num_frames=500, width=1920, height=1080,
        audio=(track, track),
    )  # fmt: skip
    song = Source(path="/s.wav", frame_rate=Fraction(25), num_frames=900, audio=(track,))
    edit = EditList(
        name="x",
        frame_rate=Fraction(25),
        events=(
            Event(source=source, frames=range(0, 50), record=range(0, 50)),
            Event(
                source=song, frames=range(0, 100), record=range(0, 100), video_track=None,
                sound=(Sound(0, 2),),
            ),
            Event(
                source=source, frames=range(60, 110), record=range(50, 100), sound=(Sound(1, 0),)
            ),
        ),
    )  # fmt: skip
    root = fcpxml_rules.check(fcpxml_text(edit))
    clips = list(root.iter("asset-clip"))
    assert [(c.get("name"), c.get("srcEnable"), c.get("lane")) for c in clips] == [
        ("a.mov", "video", None),
        ("s.wav", "audio", "-3"),
        ("a.mov", None, None),
    ]
    assert [part.get("enabled") for part in clips[2].findall("audio-channel-source")] == ["0", None]
    assert [asset.get("hasVideo") for asset in root.iter("asset")] == ["1", None]


# Words and paths -----------------------------------------------------------------------------


def test_markers_stand_where_the_file_counts() -> None:
    document = make_document(
        frame_rate=30 * NTSC, start_timecode="01:00:00;00", spans=[(10.0, 12.0), (1.0, 3.0)]
    )
    edit = edit_of(document, markers_only=True)
    root = fcpxml_rules.check(fcpxml_text(edit))
    (clip,) = root.iter("asset-clip")
    found = [
        (
            seconds(marker.get("start", "")) * 30 * NTSC - 107892,
            seconds(marker.get("duration", "")) * 30 * NTSC,
            marker.get("value"),
            marker.get("note"),
        )
        for marker in clip.findall("marker")
    ]
    assert found == [
        (30, 60, "H02 0.80", "score 0.80, picture and sound stand out"),
        (300, 60, "H01 0.90", "score 0.90, picture and sound stand out"),
    ]


@pytest.mark.parametrize(
    ("path", "url"),
    [
        ("/a/b c.mov", "file:///a/b%20c.mov"),
        ("/a/n\u00e4 \u65e5\u672c #1 100%25 & 'q'.mp4",
         "file:///a/n%C3%A4%20%E6%97%A5%E6%9C%AC%20%231%20100%2525%20%26%20%27q%27.mp4"),
        ("C:\\Clips\\b c.mov", "file:///C:/Clips/b%20c.mov"),
        ("\\\\srv\\share\\b.mov", "file://srv/share/b.mov"),
        ("/a/bell\x07.mov", "file:///a/bell%07.mov"),
        ("/a/latin\udce9.mov", "file:///a/latin%E9.mov"),
    ],
)  # fmt: skip
def test_paths(tmp_path: Path, path: str, url: str) -> None:
    edit = edit_of(make_document(path=path, spans=[(1.0, 3.0)]))
    target = tmp_path / "\u65e5\u672c & #1.fcpxml"
    write(edit, target, target="resolve")
    root = fcpxml_rules.check(target.read_text("utf-8"))
    assert next(root.iter("media-rep")).get("src") == url
    assert path_of_url(url) == path
    name = next(root.iter("asset")).get("name", "")
    assert name.replace("\ufffd", "?").isprintable()


def test_the_same_bytes_from_every_process(tmp_path: Path) -> None:
    """T18: ids come from the order of use, not from the order of a hash."""
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from document_factory import make_document\n"
        "from hlcli.timeline.build import build_edit_list\n"
        "from hlcli.timeline.formats.fcpxml import fcpxml_text\n"
        "docs = [make_document(path=f'/{n}.mov', spans=[(1, 2)]) for n in 'abcdef']\n"
        "sys.stdout.write(fcpxml_text(build_edit_list(docs, name='x')))\n"
    )
    texts = [
        subprocess.run(
            [sys.executable, "-c", code, str(Path(__file__).parent)],
            env={**os.environ, "PYTHONHASHSEED": seed},
            check=True,
            capture_output=True,
        ).stdout
        for seed in ("1", "2")
    ]
    assert texts[0] == texts[1]
    root = fcpxml_rules.check(texts[0].decode())
    assert [asset.get("name") for asset in root.iter("asset")] == [f"{n}.mov" for n in "abcdef"]


# Random timelines, other readers, real files -------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(RATES),
            st.integers(40, 3000),
            st.integers(0, 3),
            st.booleans(),
        ),
        min_size=1,
        max_size=4,
    ),
    st.booleans(),
    st.booleans(),
    st.sampled_from(["time", "rank"]),
)
def test_random_timelines(videos, own_tracks: bool, markers_only: bool, order: str) -> None:
    documents = []
    for number, ((rate, start), num_frames, audio, portrait) in enumerate(videos):
        document = make_document(
            path=f"/{number}.mov", frame_rate=rate, start_timecode=start, num_frames=num_frames,
            audio=audio,
        )  # fmt: skip
        if portrait:
            video = dataclasses.replace(document.video, width=1080, height=1920)
            document = dataclasses.replace(document, video=video)
        documents.append(document)
    assume(any(document.moments for document in documents))
    edit = edit_of(*documents, track_per_source=own_tracks, markers_only=markers_only, order=order)
    text = fcpxml_text(edit)
    root = fcpxml_rules.check(text)
    found, wanted = cuts(root, edit), expected(edit)
    assert [cut[:1] + cut[2:] for cut in found] == [cut[:1] + cut[2:] for cut in wanted]
    for cut, want, event in zip(found, wanted, edit.events, strict=True):
        # At another rate a clip that ends with its file may start a frame earlier.
        moved = 0 if event.source.frame_rate == edit.frame_rate else 2
        assert 0 <= want[1] - cut[1] <= moved
    assert text == fcpxml_text(edit)


@pytest.mark.parametrize("rate", [24, 25, 30, 50, 60])
@pytest.mark.parametrize("own_tracks", [False, True])
def test_an_independent_reader_sees_the_same_cuts(rate: int, own_tracks: bool) -> None:
    pytest.importorskip("otio_fcpx_xml_adapter")
    documents = [
        make_document(
            path=path, frame_rate=Fraction(rate), start_timecode=start,
            spans=[(1.0, 3.0), (10.0, 12.0)],
        )
        for path, start in (("/a.mov", "01:00:00:00"), ("/b.mov", None))
    ]  # fmt: skip
    edit = edit_of(*documents, track_per_source=own_tracks)
    read = otio.adapters.read_from_string(fcpxml_text(edit), "fcpx_xml")
    (timeline,) = read.find_children(descended_from_type=otio.schema.Timeline)
    found = []
    for number, track in enumerate(timeline.video_tracks()):
        for clip in track.find_clips():
            at = track.range_of_child(clip)
            found.append(
                (
                    clip.name,
                    clip.source_range.start_time.value,
                    at.start_time.value,
                    at.duration.value,
                    number,
                    [marker.name for marker in clip.markers],
                )
            )
    assert found == [
        (
            event.source.name,
            event.source.start_frame + event.frames.start,
            event.record.start,
            len(event.record),
            event.video_track,
            [event.markers[0].name],
        )
        for event in edit.events
    ]


def test_why_the_writer_is_our_own() -> None:
    """The adapter fails at every NTSC rate: this one goes, and so may our writer."""
    pytest.importorskip("otio_fcpx_xml_adapter")
    edit = edit_of(make_document(frame_rate=30 * NTSC, spans=[(1.0, 3.0)]))
    with pytest.raises(ValueError, match="not enough values to unpack"):
        otio.adapters.write_to_string(otio_timeline(edit, GENERIC), "fcpx_xml")


@pytest.mark.shared
@pytest.mark.parametrize(
    ("name", "start", "frame", "size", "channels"),
    [
        ("ntsc_df.mov", "8999991/2500s", "1001/30000s", ("640", "360"), "2"),
        ("p2398_tc.mov", Fraction(1435922) / (24 * NTSC), "1001/24000s", ("640", "360"), "2"),
        ("true30_df.mov", "298851/5s", "1/30s", ("640", "360"), "2"),
        ("p25.mp4", "0s", "1/25s", ("640", "360"), "2"),
        ("p5994.mp4", "0s", "1001/60000s", ("640", "360"), "2"),
        ("rotated.mp4", "0s", "1/30s", ("360", "640"), "2"),
        ("start_offset.ts", "0s", "1/30s", ("640", "360"), "2"),
        ("vfr.mp4", "0s", "1/30s", ("640", "360"), "2"),
        ("mono.mp4", "0s", "1/30s", ("640", "360"), "1"),
        ("no_audio.mp4", "0s", "1/30s", ("640", "360"), None),
        ("multitrack.mkv", "0s", "1/30s", ("640", "360"), "3"),
        ("clip \u00e4 \u65e5\u672c #1 100%25 & 'q'.mp4", "0s", "1/30s", ("640", "360"), "2"),
    ],
)
def test_torture_clips(shared_dir: Path, name, start, frame, size, channels) -> None:
    from hlcli.media.probe import probe

    info = probe(shared_dir / "data/media/torture" / name)
    record = VideoRecord.from_media(info, IDENTITY)
    document = make_document(num_frames=info.num_frames, frame_rate=info.frame_rate)
    spans = make_document(spans=[(1.0, 3.0), (6.0, record.duration_seconds)]).moments
    edit = edit_of(dataclasses.replace(document, video=record, moments=spans))
    root = fcpxml_rules.check(fcpxml_text(edit))
    assert cuts(root, edit) == expected(edit)
    asset, made = next(root.iter("asset")), next(root.iter("format"))
    wanted = start if isinstance(start, str) else f"{start.numerator}/{start.denominator}s"
    assert asset.get("start") == wanted
    assert made.get("frameDuration") == frame
    assert (made.get("width"), made.get("height")) == size
    assert asset.get("audioChannels") == channels
    assert Path(path_of_url(asset[0].get("src", ""))) == info.path
