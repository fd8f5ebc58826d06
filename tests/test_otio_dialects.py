"""OpenTimelineIO as DaVinci Resolve and Premiere Pro want it, read as plain JSON."""

from __future__ import annotations

import dataclasses
import importlib.util
import itertools
import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import opentimelineio as otio
import pytest
from document_factory import make_document

from hlcli.document import AudioRecord, ScoresDocument
from hlcli.errors import OutputError, UsageError
from hlcli.timeline.build import Layout, build_edit_list
from hlcli.timeline.formats.otio import otio_text
from hlcli.timeline.formats.otio_dialects import DIALECTS, GENERIC
from hlcli.timeline.paths import file_url
from hlcli.timeline.read import read_timeline
from hlcli.workflows.outputs import write_outputs

ROOT = Path(__file__).resolve().parents[1]
NTSC = Fraction(30000, 1001)
ODD = "/footage/clip \u00e4 \u65e5\u672c #1 100%25 & 'q'.mp4"


def written(
    dialect: str, documents: list[ScoresDocument], layout: Layout | None = None
) -> dict[str, Any]:
    edit = build_edit_list(documents, name="cut", layout=layout or Layout())
    data = json.loads(otio_text(edit, DIALECTS[dialect]))
    assert isinstance(data, dict)
    return data


def tracks(data: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [track for track in data["tracks"]["children"] if track["kind"] == kind]


def clips(track: dict[str, Any]) -> list[dict[str, Any]]:
    return [child for child in track["children"] if child["OTIO_SCHEMA"].startswith("Clip")]


def with_audio(document: ScoresDocument, *channels: int) -> ScoresDocument:
    audio = tuple(AudioRecord(channels=count, sample_rate=48000) for count in channels)
    video = dataclasses.replace(document.video, audio=audio)
    return dataclasses.replace(document, video=video)


@pytest.fixture
def two_tracks() -> ScoresDocument:
    document = make_document(
        path=ODD,
        frame_rate=NTSC,
        start_timecode="01:00:00;00",
        spans=[(20.02, 25.025), (2.002, 4.004)],
    )
    return with_audio(document, 2, 1)


# DaVinci Resolve -----------------------------------------------------------------------------


def test_resolve_gets_bare_paths_and_the_older_clip(two_tracks: ScoresDocument) -> None:
    data = written("resolve", [two_tracks])
    assert data["metadata"]["Resolve_OTIO"] == {"Resolve OTIO Meta Version": "1.0"}
    for track in data["tracks"]["children"]:
        for clip in clips(track):
            assert clip["OTIO_SCHEMA"] == "Clip.1"
            assert clip["enabled"] is True
            assert clip["effects"] == []
            media = clip["media_reference"]
            assert media["target_url"] == ODD
            assert media["name"] == clip["name"] == ODD.rpartition("/")[2]
            assert media["available_range"]["start_time"]["value"] == 107892
            assert media["available_range"]["start_time"]["rate"] == 30000 / 1001


def test_resolve_links_picture_and_every_sound_track(two_tracks: ScoresDocument) -> None:
    data = written("resolve", [two_tracks])
    [video], [first, second] = tracks(data, "Video"), tracks(data, "Audio")
    assert video["metadata"]["Resolve_OTIO"] == {"Locked": False}
    assert first["metadata"]["Resolve_OTIO"] == {
        "Audio Type": "Stereo",
        "Locked": False,
        "SoloOn": False,
    }
    assert second["metadata"]["Resolve_OTIO"]["Audio Type"] == "Mono"
    groups = [
        [clip["metadata"]["Resolve_OTIO"]["Link Group ID"] for clip in clips(track)]
        for track in (video, first, second)
    ]
    assert groups == [[1, 2]] * 3
    assert "Channels" not in clips(video)[0]["metadata"]["Resolve_OTIO"]
    assert clips(first)[0]["metadata"]["Resolve_OTIO"]["Channels"] == [
        {"Source Channel ID": 0, "Source Track ID": 0},
        {"Source Channel ID": 1, "Source Track ID": 0},
    ]
    assert clips(second)[0]["metadata"]["Resolve_OTIO"]["Channels"] == [
        {"Source Channel ID": 0, "Source Track ID": 1}
    ]


@pytest.mark.parametrize(
    ("channels", "name"),
    [(1, "Mono"), (2, "Stereo"), (4, "Adaptive 4"), (6, "5.1"), (8, "7.1")],
)
def test_resolve_audio_types(channels: int, name: str) -> None:
    document = with_audio(make_document(spans=[(1.0, 3.0)]), channels)
    [track] = tracks(written("resolve", [document]), "Audio")
    assert track["metadata"]["Resolve_OTIO"]["Audio Type"] == name
    assert len(clips(track)[0]["metadata"]["Resolve_OTIO"]["Channels"]) == channels


def test_track_is_as_wide_as_the_widest_sound_on_it() -> None:
    documents = [
        with_audio(make_document(path="/a.mp4", spans=[(1.0, 3.0)]), 1),
        with_audio(make_document(path="/b.mp4", spans=[(1.0, 3.0)]), 2),
    ]
    [track] = tracks(written("resolve", documents), "Audio")
    assert track["metadata"]["Resolve_OTIO"]["Audio Type"] == "Stereo"
    [track] = tracks(written("premiere", documents), "Audio")
    assert track["metadata"]["PremierePro_OTIO"]["AudioChannels"] == {
        "ChannelType": "Stereo",
        "NumberOfChannels": 2,
    }
    kinds = [
        clip["metadata"]["PremierePro_OTIO"]["AudioChannels"]["ChannelType"]
        for clip in clips(track)
    ]
    assert kinds == ["Mono", "Stereo"]


def test_resolve_markers_keep_their_text_and_show_once(two_tracks: ScoresDocument) -> None:
    data = written("resolve", [two_tracks])
    assert data["tracks"]["markers"] == []
    [video] = tracks(data, "Video")
    [marker] = clips(video)[1]["markers"]
    assert marker["name"] == "H01 0.90 picture and sound stand out"
    assert marker["comment"] == "score 0.90, picture and sound stand out"
    assert marker["metadata"]["Resolve_OTIO"] == {
        "Keywords": [],
        "Note": "score 0.90, picture and sound stand out",
    }
    assert marker["metadata"]["hl"]["name"] == "H01 0.90"


def test_resolve_without_sound_has_no_audio_track_and_no_link() -> None:
    data = written("resolve", [make_document(audio=0, spans=[(1.0, 3.0)])])
    assert tracks(data, "Audio") == []
    [video] = tracks(data, "Video")
    assert clips(video)[0]["metadata"]["Resolve_OTIO"] == {}


@pytest.mark.parametrize("path", ["C:\\a b\\#1.mp4", "\\\\srv\\share\\a.mp4"])
def test_resolve_keeps_windows_paths(path: str) -> None:
    data = written("resolve", [make_document(path=path, spans=[(1.0, 3.0)])])
    [clip] = clips(tracks(data, "Video")[0])
    assert clip["media_reference"]["target_url"] == path


def test_resolve_cannot_find_a_name_that_is_not_unicode(tmp_path: Path) -> None:
    document = make_document(path="/footage/caf\udce9.mp4", spans=[(1.0, 3.0)])
    with pytest.raises(UsageError, match="not valid UTF-8") as error:
        write_outputs([tmp_path / "x.otio"], [document], targets=["resolve"])
    assert "rename" in error.value.hint
    assert list(tmp_path.iterdir()) == []
    [clip] = clips(tracks(written("premiere", [document]), "Video")[0])
    url = clip["media_references"]["DEFAULT_MEDIA"]["target_url"]
    assert url == "file:///footage/caf%E9.mp4"


# Premiere Pro --------------------------------------------------------------------------------


def test_premiere_gets_urls_size_and_rates(two_tracks: ScoresDocument) -> None:
    data = written("premiere", [two_tracks])
    assert data["metadata"]["PremierePro_OTIO"] == {"MetadataVersion": "1.0"}
    assert data["tracks"]["metadata"]["PremierePro_OTIO"] == {
        "AudioFrameRate": 48000.0,
        "PixelAspectRatio": {"numerator": 1.0, "denominator": 1.0},
        "VideoFrameRate": 30000 / 1001,
        "VideoResolution": {"width": 1920, "height": 1080},
    }
    for track in data["tracks"]["children"]:
        for clip in clips(track):
            media = clip["media_references"]["DEFAULT_MEDIA"]
            assert media["target_url"] == file_url(ODD)
            assert media["target_url"].endswith("%20%231%20100%2525%20%26%20%27q%27.mp4")
    assert "LinearTimeWarp" not in json.dumps(data)


def test_premiere_links_and_channels(two_tracks: ScoresDocument) -> None:
    data = written("premiere", [two_tracks])
    [video], [first, second] = tracks(data, "Video"), tracks(data, "Audio")
    for track in (video, first, second):
        links = [clip["metadata"]["PremierePro_OTIO"]["LinkID"] for clip in clips(track)]
        assert links == ["1", "2"]
    assert clips(video)[0]["metadata"]["PremierePro_OTIO"] == {
        "LinkID": "1",
        "OriginalChannelGroupIndex": 0,
        "SourceClipIndex": 0,
    }
    assert clips(second)[1]["metadata"]["PremierePro_OTIO"] == {
        "LinkID": "2",
        "OriginalChannelGroupIndex": 1,
        "SourceClipIndex": 0,
        "AudioChannels": {
            "ChannelType": "Mono",
            "SecondaryAssignments": [{"SecondaryChannelIndex": 0}],
        },
    }


def test_premiere_gets_the_markers_on_the_timeline_too() -> None:
    documents = [
        make_document(path="/a.mp4", frame_rate=Fraction(25), spans=[(1.0, 3.0)]),
        make_document(path="/b.mp4", frame_rate=Fraction(50), spans=[(4.0, 8.0)]),
    ]
    data = written("premiere", documents)
    starts = [marker["marked_range"]["start_time"]["value"] for marker in data["tracks"]["markers"]]
    # The peaks are in the middle of the cuts: 1 s and 2 + 2 s, at 25 frames a second.
    assert starts == [25.0, 100.0]
    [video] = tracks(data, "Video")
    assert [len(clip["markers"]) for clip in clips(video)] == [1, 1]


# All of them ---------------------------------------------------------------------------------


def test_generic_says_which_sound_track_a_clip_is(two_tracks: ScoresDocument) -> None:
    data = written("generic", [two_tracks])
    [video], sound = tracks(data, "Video"), tracks(data, "Audio")
    for stream, track in [(None, video), *enumerate(sound)]:
        for link, clip in enumerate(clips(track), start=1):
            own = clip["metadata"]["hl"]
            assert own["link"] == link
            assert own["source"]["audio_stream"] == stream
            assert own["source"]["audio"] == [
                {"channels": 2, "sample_rate": 48000},
                {"channels": 1, "sample_rate": 48000},
            ]
            assert own["source"]["num_frames"] == 1800
            assert own["source"]["frame_rate"] == "30000/1001"


def test_generic_is_what_both_editors_look_for(two_tracks: ScoresDocument) -> None:
    data = written("generic", [two_tracks])
    others = {
        "Resolve_OTIO": written("resolve", [two_tracks]),
        "PremierePro_OTIO": written("premiere", [two_tracks]),
    }
    for key, other in others.items():
        assert data["metadata"].get(key) == other["metadata"].get(key)
        assert data["tracks"]["metadata"].get(key) == other["tracks"]["metadata"].get(key)
        for mine, theirs in zip(
            data["tracks"]["children"], other["tracks"]["children"], strict=True
        ):
            assert mine["metadata"].get(key) == theirs["metadata"].get(key)
            for clip, wanted in zip(clips(mine), clips(theirs), strict=True):
                assert clip["metadata"][key] == wanted["metadata"][key]
                for marker, note in zip(clip["markers"], wanted["markers"], strict=True):
                    assert marker["metadata"].get(key) == note["metadata"].get(key)
                # The older clip, which every reader knows; the URL, which most do.
                assert clip["OTIO_SCHEMA"] == "Clip.1"
                assert clip["media_reference"]["target_url"] == file_url(ODD)
    assert data["tracks"]["markers"] == []


@pytest.mark.parametrize("dialect", list(DIALECTS))
def test_opentimelineio_reads_every_dialect(dialect: str, two_tracks: ScoresDocument) -> None:
    edit = build_edit_list([two_tracks], name="cut")
    timeline = otio.adapters.read_from_string(otio_text(edit, DIALECTS[dialect]), "otio_json")
    spans = [
        [
            (clip.source_range.start_time.value, clip.source_range.duration.value)
            for clip in track.find_clips()
        ]
        for track in timeline.tracks
    ]
    assert spans == [[(107892 + 60, 60), (107892 + 600, 150)]] * 3


def test_cuts_of_other_rates_meet_at_one_instant_on_all_tracks() -> None:
    # Best first, three rates in turn: two of them end within a frame of the timeline. Gaps of
    # whole frames would leave a frame of black here and there, and drift apart from cut to cut.
    documents = [
        make_document(path="/a.mp4", frame_rate=NTSC, spans=[(0.0, 1.001)]),
        *(
            make_document(
                path=f"/{rate}.mp4",
                frame_rate=Fraction(rate),
                num_frames=20 * rate,
                spans=[(float(at), at + 1.04) for at in range(0, 18, 2)],
                audio=0,
            )
            for rate in (25, 50)
        ),
    ]
    layout = Layout(order="rank", track_per_source=True)
    edit = build_edit_list(documents, name="x", layout=layout)
    timeline = otio.adapters.read_from_string(otio_text(edit, GENERIC), "otio_json")
    ranges = []
    for number, track in enumerate(timeline.video_tracks()):
        wanted = [event.record.start for event in edit.events if event.video_track == number]
        for clip, start in zip(track.find_clips(), wanted, strict=True):
            place = track.range_of_child(clip)
            begin = place.start_time.to_seconds()
            ranges.append((begin, begin + place.duration.to_seconds()))
            assert abs(begin * NTSC - start) <= 0.5 + 1e-9
    ranges.sort()
    assert len(ranges) == 19
    for (_, end), (begin, _) in itertools.pairwise(ranges):
        assert abs(end - begin) < 1e-9
    lengths = [track.duration().to_seconds() for track in timeline.tracks]
    assert max(lengths) - min(lengths) < 1e-9


def test_versions_in_the_environment_change_nothing(
    monkeypatch: pytest.MonkeyPatch, two_tracks: ScoresDocument
) -> None:
    edit = build_edit_list([two_tracks], name="cut")
    before = otio_text(edit)
    monkeypatch.setenv("OTIO_DEFAULT_TARGET_VERSION_FAMILY_LABEL", "OTIO_CORE:0.14.0")
    assert otio_text(edit) == before


@pytest.mark.parametrize("layout", [Layout(), Layout(markers_only=True)])
def test_moments_of_a_longer_file_are_no_timeline(tmp_path: Path, layout: Layout) -> None:
    document = make_document(num_frames=300, spans=[(20.0, 30.0)])
    with pytest.raises(OutputError, match="no moment of the timeline x lies within its video"):
        write_outputs([tmp_path / "x.otio"], [document], layout=layout)
    assert list(tmp_path.iterdir()) == []


def test_half_frames_stay_where_they_are_after_many_cuts(tmp_path: Path) -> None:
    # Four rates in turn: places are tenths and halves of a frame, which floats add up wrongly.
    documents = [
        make_document(
            path=f"/{rate}.mp4",
            frame_rate=Fraction(rate),
            num_frames=13 * rate,
            spans=[(2.0 * at, 2 * at + (at + first) / rate) for at in range(6)],
            audio=0,
        )
        for rate, first in ((60, 3), (24, 1), (25, 3), (50, 4))
    ]
    layout = Layout(order="rank", track_per_source=True)
    edit = build_edit_list(documents, name="x", layout=layout)
    write_outputs([tmp_path / "x.otio"], documents, layout=layout)
    back = read_timeline(tmp_path / "x.otio").edit
    assert [event.record.start for event in back.events] == [
        event.record.start for event in edit.events
    ]
    assert [event.frames for event in back.events] == [event.frames for event in edit.events]


@pytest.mark.parametrize("dialect", ["generic", "premiere"])
def test_the_blender_add_on_reads_both_versions_of_a_clip(
    dialect: str, two_tracks: ScoresDocument
) -> None:
    file = ROOT / "plugins/blender/hl_highlights/finding.py"
    spec = importlib.util.spec_from_file_location("finding", file)
    assert spec is not None
    assert spec.loader is not None
    finding = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(finding)
    found = finding.Finding([two_tracks.to_json()], written(dialect, [two_tracks]))
    moments = [(one.path, one.first, one.count, one.rank) for one in found.moments]
    assert sorted(moments) == [(ODD, 60, 60, 2), (ODD, 600, 150, 1)]
