"""LosslessCut's projects and auto-editor's timelines, written, read and refused."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import media_factory
import pytest
from cli_runner import hl
from edit_list_factory import STEREO, document_of, edit_of
from media_factory import AudioTrack, click_track

from hlcli.errors import TimelineError, UsageError
from hlcli.timeline.edit_list import EditList, excerpt
from hlcli.timeline.formats import write_format
from hlcli.timeline.read import read_timeline
from hlcli.timeline.read.json5 import json_of

RATE = Fraction(30000, 1001)
# As LosslessCut writes it: JSON5.
PROJECT = """{
  version: 2,
  mediaFileName: 'it\\'s \\u00e4 "clip".mp4', // beside it
  cutSegments: [
    {
      start: 0.5005,
      end: 1.001,
      name: 'keep',
      tags: {
        'odd key': '1',
      },
      selected: true,
    },
    { start: .2, end: 1.e0, selected: false, name: 'no' },
    { start: 0.7, name: 'a marker' },
    { end: +0.1001 },
  ],
}
"""


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return media_factory.make_video(
        tmp_path_factory.mktemp("media"),
        name='it\'s \u00e4 "clip".mp4',
        rate=RATE,
        num_frames=60,
        audio=[AudioTrack(click_track(2.0, (1.0,), channels=2))],
        timecode="01:00:00;00",
    )


def events(edit: EditList) -> list[tuple[range, range]]:
    return [(event.frames, event.record) for event in edit.events]


def test_a_project_of_losslesscut_is_read(video: Path, tmp_path: Path) -> None:
    project = video.with_name("clip-proj.llc")
    project.write_text(PROJECT, encoding="utf-8")
    read = read_timeline(project)
    edit = read.edit
    assert events(edit) == [(range(15, 30), range(15)), (range(3), range(15, 18))]
    assert (edit.frame_rate, edit.num_audio_tracks) == (RATE, 1)
    names = [(marker.name, marker.frames) for marker in edit.events[0].markers]
    assert names == [("keep", range(15, 30)), ("a marker", range(21, 22))]
    assert read.notes == ("segments that are not selected are left out: 'no'",)
    # In version 1 a segment without an end went on to the end of the file.
    project.write_text("{version:1,mediaFileName:'x',cutSegments:[{start:1.001}]}")
    with pytest.raises(TimelineError, match="x is not there"):
        read_timeline(project)
    moved = tmp_path / "x.llc"
    moved.write_text(json.dumps({"mediaFileName": video.name, "cutSegments": [{"start": 1.001}]}))
    assert events(read_timeline(moved, search=[video.parent]).edit) == [(range(30, 60), range(30))]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{version: 2, cutSegments: []}", "does not name its video"),
        ("{version: 2, mediaFileName: 'V', cutSegments: 3}", "is no LosslessCut project"),
        ("[1, 2]", "is no LosslessCut project"),
        ("{version: 2, mediaFileName: 'V', cutSegments: []}", "keeps nothing"),
        ("{version: 2, mediaFileName: 'V', cutSegments: [{start: 1, end: 9}]}", "which has 60"),
        ("{version: 2, mediaFileName: 'V', cutSegments: [{start: 1, end: 1}]}", "30 to 30"),
        ("{version: 2, mediaFileName: 'V', cutSegments: [{start: 'a', end: 1}]}", "not a number"),
        ("{version: 2, mediaFileName: 'V', cutSegments: [{start: 1e999, end: 1}]}", "not a number"),
        ("{version: 2, mediaFileName: 'V' @ }", "is no JSON5"),
        ("{version: 2, mediaFileName: 'V", "is no JSON5"),
        ("[" * 5000, "nested"),
    ],
)
def test_bad_projects_say_what_is_wrong(video: Path, text: str, words: str) -> None:
    path = video.with_name("bad.llc")
    path.write_text(text.replace("'V'", json.dumps(video.name)), encoding="utf-8")
    with pytest.raises(TimelineError, match=words):
        read_timeline(path)


def test_json5_means_what_json_says() -> None:
    text = "/* a */ {a: [1, -.5, +2., 0x1F, 1.e2, true, null,], 'b\\x41\\\n': \"\\n'\"}"
    wanted = {"a": [1, -0.5, 2.0, 31, 100.0, True, None], "bA": "\n'"}
    assert json.loads(json_of(text)) == wanted


def test_markers_alone_cut_nothing(tmp_path: Path) -> None:
    document = document_of("/footage/a.mp4", STEREO, frame_rate=Fraction(25), num_frames=1000)
    path = tmp_path / "a.llc"
    edit = edit_of(document, markers_only=True)
    from hlcli.timeline.build import Layout

    write_format(path, [document], layout=Layout(markers_only=True))
    back = read_timeline(path, known=edit.sources).edit
    assert events(back) == [(range(1000), range(1000))]
    starts = [marker.frames.start for marker in back.events[0].markers]
    assert starts == [marker.frames.start for marker in edit.events[0].markers]


def test_several_files_and_another_order_are_refused(tmp_path: Path) -> None:
    documents = [document_of(f"/footage/{name}.mp4", STEREO) for name in "ab"]
    for suffix in (".llc", ".v1"):
        with pytest.raises(UsageError, match="one file, x takes from 2"):
            write_format(tmp_path / f"x{suffix}", documents)
    from hlcli.timeline.build import Layout

    late_first = document_of("/footage/a.mp4", STEREO, spans=[(5.0, 6.0), (1.0, 2.0)])
    with pytest.raises(UsageError, match="in the order of their file"):
        write_format(tmp_path / "x.v1", [late_first], layout=Layout(order="rank"))


V3 = {
    "version": "3", "timebase": "30000/1001", "resolution": [1280, 720], "samplerate": 48000,
    "background": "#000",
    "v": [[
        {"src": "V", "start": 0, "dur": 10, "offset": 20, "stream": 0},
        {"src": "V", "start": 15, "dur": 5, "offset": 4, "stream": 0, "effects": ["speed:2.0"]},
        {"src": None, "start": 20, "dur": 5, "offset": 0, "stream": 0},
        {"src": "V", "start": 25, "dur": 5, "offset": 0, "stream": 0, "effects": ["cut"]},
    ]],
    "a": [[{"src": "V", "start": 0, "dur": 10, "offset": 20, "stream": 0}]],
}  # fmt: skip


def test_timelines_of_auto_editor_are_read(video: Path) -> None:
    path = video.with_name("x.v3")
    path.write_text(json.dumps(V3).replace('"V"', json.dumps(video.name)))
    read = read_timeline(path)
    assert events(read.edit) == [(range(20, 30), range(10)), (range(8, 13), range(15, 20))]
    assert (read.edit.width, read.edit.events[0].sound[0].stream) == (1280, 0)
    assert "normal speed" in " ".join(read.notes)
    path = video.with_name("x.v1")
    chunks = [[0, 10, 99999], [10, 20, 1.0], [20, 30, 0], [30, 60, 2]]
    path.write_text(json.dumps({"version": "1", "source": str(video), "chunks": chunks}))
    read = read_timeline(path)
    assert events(read.edit) == [(range(10, 20), range(10)), (range(30, 60), range(10, 40))]
    assert read.notes == ("chunks of another speed are taken at normal speed",)
    for text, words in (
        ('{"version": "2"}', "that hl reads"),
        ('{"version": "1", "source": "x"}', "lacks its source or its chunks"),
        (
            json.dumps({"version": "1", "source": str(video), "chunks": [[0, 99, 1]]}),
            "which has 60",
        ),
        (json.dumps({"version": "1", "source": str(video), "chunks": [[0, 9]]}), "cannot read"),
    ):
        path.write_text(text)
        with pytest.raises(TimelineError, match=words):
            read_timeline(path)


def test_an_excerpt_keeps_what_lies_there() -> None:
    document = document_of(
        "/footage/a.mp4", STEREO, frame_rate=Fraction(25), spans=[(1.0, 2.0), (5.0, 7.0)]
    )
    edit = edit_of(document)
    part = excerpt(edit, edit.events[1].record)
    assert events(part) == [(range(125, 175), range(50))]
    assert part.events[0].markers == edit.events[1].markers
    part = excerpt(edit, range(20, 30))
    assert events(part) == [(range(45, 50), range(5)), (range(125, 130), range(5, 10))]


def test_each_moment_becomes_a_film(video: Path, tmp_path: Path) -> None:
    path = video.with_name("two.v1")
    chunks = [[0, 10, 0], [10, 16, 1], [16, 30, 0], [30, 34, 1]]
    path.write_text(json.dumps({"version": "1", "source": str(video), "chunks": chunks}))
    result = hl("render", path, "-o", tmp_path / "clips", "--each", "--size", "64x48")
    assert result.exit_code == 0, result.output
    made = sorted(one.name for one in (tmp_path / "clips").iterdir())
    assert made == ["two-01.mp4", "two-02.mp4"]
    assert "two-01.mp4: 6 frames" in result.stderr
    assert "two-02.mp4: 4 frames" in result.stderr
    result = hl("render", path, "-o", tmp_path / "reel.avi", "--each")
    assert result.exit_code == 2
