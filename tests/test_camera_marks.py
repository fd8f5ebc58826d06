"""Marks set while recording. No camera's own file could be had: boxes are written as described."""

from __future__ import annotations

import json
import struct
import subprocess
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import media_factory
import pytest
from cli_runner import hl
from document_factory import make_document
from finetune_factory import make_take
from media_factory import make_video
from render_factory import cuts, source_of

from hlcli.document import ScoresDocument, find_moments
from hlcli.errors import HlError
from hlcli.media.camera_marks import has_log, read_camera_marks
from hlcli.media.ffmpeg import find_ffmpeg
from hlcli.media.probe import probe
from hlcli.moments import Observation, Selection, with_votes
from hlcli.progress import Listener
from hlcli.timeline.build import Layout, build_edit_list
from hlcli.timeline.edit_list import Marker
from hlcli.timeline.formats import write_edit
from hlcli.workflows.report import ScoringChoice, scored_documents
from hlcli.workflows.score import marks_of_timelines


def box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(content), kind) + content


def hmmt(*milliseconds: int) -> bytes:
    """A count, the instants, and places that are not used."""
    words = [len(milliseconds), *milliseconds, *[0] * 10]
    return box(b"HMMT", struct.pack(f">{len(words)}I", *words))


def klv(key: bytes, kind: bytes, size: int, data: bytes) -> bytes:
    return (
        key + kind + struct.pack(">BH", size, len(data) // size) + data + b"\0" * (-len(data) % 4)
    )


def gpmf(*marks: tuple[int, bytes, float]) -> bytes:
    rows = b"".join(
        struct.pack(">IIIiif4sff", 1, 2, at, 0, 0, 0.0, kind, sure, 0.5) for at, kind, sure in marks
    )
    stream = klv(b"TYPE", b"c", 1, b"LLLllfFff") + klv(b"HLMT", b"?", 36, rows)
    device = klv(b"DVID", b"F", 4, b"HLMT") + klv(b"DVNM", b"c", 1, b"Highlights")
    device += klv(b"STRM", b"\0", 1, stream)
    return box(b"GPMF", klv(b"DEVC", b"\0", 1, device))


def with_user_data(path: Path, content: bytes) -> Path:
    """Put a `udta` at the end of the `moov`, which must be the last box of the file."""
    data = path.read_bytes()
    at = data.index(b"moov") - 4
    (size,) = struct.unpack_from(">I", data, at)
    assert at + size == len(data)
    added = box(b"udta", content)
    path.write_bytes(data[:at] + struct.pack(">I", size + len(added)) + data[at + 4 :] + added)
    return path


@pytest.fixture
def video(tmp_path: Path) -> Path:
    return media_factory.make_video(
        tmp_path, name="GX010001.MP4", rate=Fraction(25), num_frames=200, width=48, height=32
    )


def marks(path: Path) -> list[tuple[float, str, float]]:
    found, problems = read_camera_marks(probe(path))
    assert problems == []
    return [(float(mark.seconds), mark.name, mark.confidence) for mark in found]


def test_counted_hilights(video: Path) -> None:
    assert marks(video) == []
    with_user_data(video, box(b"FIRM", b"HD5") + hmmt(1500, 4000))
    assert marks(video) == [(1.5, "HiLight", 1.0), (4.0, "HiLight", 1.0)]


def test_structured_hilights_have_a_kind_and_a_confidence(video: Path) -> None:
    with_user_data(video, hmmt(1500) + gpmf((2500, b"MANL", 0.0), (6000, b"AACD", 0.75)))
    assert marks(video) == [(2.5, "HiLight", 1.0), (6.0, "HiLight AACD", 0.75)]


@pytest.mark.parametrize(
    "content",
    [
        box(b"HMMT", b""),
        box(b"GPMF", b"DEVC\0" + struct.pack(">BH", 255, 65535)),
        box(b"GPMF", klv(b"HLMT", b"?", 1, b"x" * 7)),
        struct.pack(">I4s", 2**31, b"HMMT"),
        hmmt(9_000_000),
    ],
)
def test_damaged_tags_cost_nothing_but_themselves(video: Path, content: bytes) -> None:
    with_user_data(video, content)
    found, problems = read_camera_marks(probe(video))
    assert found == []
    assert len(problems) <= 1
    if content == hmmt(9_000_000):
        assert problems == ["1 of 1 marks lie outside the video: left out"]


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_chapters(video: Path, tmp_path: Path, suffix: str) -> None:
    chapters = tmp_path / "c.ffmetadata"
    rows = [(0, 2000, "Start"), (2000, 5000, "Goal = 1"), (5000, 8000, "")]
    chapters.write_text(
        ";FFMETADATA1\n"
        + "".join(
            f"[CHAPTER]\nTIMEBASE=1/1000\nSTART={start}\nEND={end}\n"
            + (f"title={title.replace('=', chr(92) + '=')}\n" if title else "")
            for start, end, title in rows
        )
    )
    made = tmp_path / f"chapters{suffix}"
    command = [find_ffmpeg().path, "-v", "error", "-i", video, "-i", chapters, "-map_metadata", "1"]
    subprocess.run([*map(str, command), "-c", "copy", str(made)], check=True)
    assert [(at, name) for at, name, _ in marks(made)] == [(2.0, "Goal = 1"), (5.0, "Chapter 3")]


def test_a_log_beside_the_video(video: Path) -> None:
    log = video.with_name("GX010001.marks.txt")
    log.write_text('time what\n# mine\n00:00:03 great laugh\n0:04.5\n00:00:06:05, "a, b"\n')
    assert [(at, name) for at, name, _ in marks(video)] == [
        (3.0, "great laugh"),
        (4.5, "mark"),
        (6.2, "a, b"),
    ]
    log.write_text("00:00:03 one\nsoon\n")
    found, problems = read_camera_marks(probe(video))
    assert [mark.name for mark in found] == ["one"]
    assert "line 2 of GX010001.marks.txt begins with no time like 00:12:03" in problems[0]


def sony_xml(*packets: tuple[int, str]) -> str:
    """As public copies of such files show it; no camera's own was at hand."""
    rows = "".join(
        f'<KlvPacket key="060E2B34010101050301020A02000000" frameCount="{frame}" '
        f'lengthValue="{len(name.encode()):02X}{name.encode().hex().upper()}" status="spot"/>'
        for frame, name in packets
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        '<NonRealTimeMeta xmlns="urn:schemas-professionalDisc:nonRealTimeMeta:ver.2.20">'
        f'<Duration value="200"/><KlvPacketTable>{rows}</KlvPacketTable></NonRealTimeMeta>'
    )


def test_shot_marks_of_sony(video: Path) -> None:
    clip = video.rename(video.with_name("C0001.MP4"))
    beside = clip.with_name("C0001M01.XML")
    # The hexadecimal of a real file, for the start of the recording.
    assert "095F5265635374617274" in sony_xml((0, "_RecStart"))
    beside.write_text(
        sony_xml((0, "_RecStart"), (50, "_ShotMark1"), (75, "_ShotMark2"), (100, "Tor für uns"))
    )
    assert [(at, name) for at, name, _ in marks(clip)] == [
        (2.0, "Shot Mark 1"),
        (3.0, "Shot Mark 2"),
        (4.0, "Tor für uns"),
    ]
    assert has_log(clip)
    beside.rename(clip.with_name("C0002M01.XML"))
    assert marks(clip) == []
    assert not has_log(clip)
    card = clip.parent / "M4ROOT" / "CLIP"
    card.mkdir(parents=True)
    (card / "C0001M01.XML").write_text(sony_xml((125, "_ShotMark1")))
    assert [at for at, *_ in marks(clip)] == [5.0]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (sony_xml((0, "_RecStart"), (200, "_ShotMark1")), "1 of 2 marks lie outside the video"),
        (sony_xml((50, "_ShotMark1"))[:-30], "the marks of its Sony XML cannot be read: "),
        ("", "the marks of its Sony XML cannot be read: "),
        ('<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', "defines entities, which no camera does"),
        (sony_xml((50, "_ShotMark1")).replace('"50"', '"x"'), "has no frame or no name"),
        (sony_xml((50, "_ShotMark1")).replace('"0A', '"0Z'), "has no frame or no name"),
    ],
)
def test_a_sony_xml_that_does_not_fit_is_one_line(video: Path, text: str, said: str) -> None:
    video.with_name("GX010001.marks.txt").write_text("00:00:03 kept\n")
    video.with_name("GX010001M01.XML").write_text(text)
    found, problems = read_camera_marks(probe(video))
    assert [mark.name for mark in found] == ["kept"]
    assert len(problems) == 1
    assert said in problems[0]


def mark(at: float, sure: float = 1.0) -> Observation:
    return Observation(name="HiLight", start_seconds=at, end_seconds=at + 0.04, score=sure)


def test_marks_vote_for_what_lies_before_them() -> None:
    scores = [0.2] * 30
    weak = with_votes(scores, [mark(20.0)], clip_seconds=1.0, vote="weak")
    assert [clip for clip, score in enumerate(weak) if score > 0.2] == list(range(12, 22))
    assert weak[15] == pytest.approx(0.6)
    assert with_votes(scores, [mark(20.0)], clip_seconds=1.0, vote="strong")[15] > 0.9
    assert with_votes(scores, [mark(20.0)], clip_seconds=1.0, vote="ignore") == tuple(scores)
    assert with_votes(scores, [mark(20.0, 0.5)], clip_seconds=1.0, vote="weak")[15] == 0.4


def test_marks_choose_and_are_written_as_markers() -> None:
    document = make_document()
    at = document.video.duration_seconds - 3
    import dataclasses

    marked = dataclasses.replace(document, marks=(mark(at),))
    again = ScoresDocument.from_json(json.loads(marked.to_text()))
    assert again.marks == marked.marks
    (best,) = find_moments(again, Selection(top=1, marks="strong"))
    assert at - 8 <= best.peak_seconds <= at + 2
    assert find_moments(marked, Selection(top=1, marks="ignore")) == find_moments(
        document, Selection(top=1)
    )
    edit = build_edit_list([again], name="x", layout=Layout(markers_only=True))
    assert edit.events[0].markers[-1].name == "HiLight"
    assert edit.events[0].markers[-1].rank is None


def test_marks_are_shown_and_kept_with_the_scores(video: Path, tmp_path: Path) -> None:
    with_user_data(video, hmmt(5000))
    result = hl("score", video, "--json", "--visual-only", "--marks", "strong", "--top", 1)
    assert result.exit_code == 0, result.output
    assert "GX010001.MP4: marked at 0:05 HiLight" in result.stderr
    (found,) = json.loads(result.stdout)["marks"]
    assert (found["name"], found["start_seconds"]) == ("HiLight", 5.0)
    # A log that is written later counts, too.
    video.with_name("GX010001.marks.txt").write_text("00:00:02 a laugh\n")
    result = hl("score", video, "--json", "--visual-only", "--top", 1)
    names = [one["name"] for one in json.loads(result.stdout)["marks"]]
    assert names == ["a laugh", "HiLight"]
    # For a report and a search, too, which take stored scores.
    video.with_name("GX010001.marks.txt").write_text("00:00:02 a fall\n")
    choice = ScoringChoice(visual_only=True)
    (document,) = scored_documents([str(video)], None, choice, on=Listener())
    assert [one.name for one in document.marks or ()] == ["a fall", "HiLight"]


def test_marks_teach(tmp_path: Path) -> None:
    for number in range(3):
        take = make_take(tmp_path / "raw", number)
        take.with_name(f"take{number}.marks.txt").write_text("0:14 here\n")
    result = hl("finetune", tmp_path / "raw", "--name", "marked", "--from-marks", "--json")
    assert result.exit_code == 0, result.output
    (lesson,) = json.loads(result.stdout)["card"]["lessons"]
    assert lesson["num_kept"] == 3
    nothing = hl("finetune", make_take(tmp_path / "new", 7), "--name", "none", "--from-marks")
    assert nothing.exit_code == 7
    assert "nothing in the cuts and marks is about the footage" in nothing.stderr


@pytest.mark.parametrize("name", ["marked.otio", "marked.xml", "marked.fcpxml"])
def test_markers_of_a_timeline_are_marks_of_the_media_under_them(tmp_path: Path, name: str) -> None:
    """Frame 40 of the file, in a cut that begins at frame 30, stays at frame 40."""
    video = make_video(tmp_path, name="a.mp4", rate=Fraction(25), num_frames=100)
    edit = cuts([(source_of(video), 0, 10), (source_of(video), 30, 40)])
    markers = (
        Marker(frames=range(40, 41), name="great laugh", color="BLUE"),
        Marker(frames=range(50, 51), name="drop this", color="BLUE"),
        Marker(frames=range(60, 61), name="H01 0.92", comment="", color="GREEN"),
    )
    events = (edit.events[0], replace(edit.events[1], markers=markers))
    write_edit(tmp_path / name, replace(edit, events=events))
    told: list[str] = []
    listener = Listener()
    listener.remark = told.append  # type: ignore[method-assign]
    (marks,) = marks_of_timelines([tmp_path / name], [video], on=listener).values()
    assert [(mark.name, mark.start_seconds) for mark in marks] == [("great laugh", 40 / 25)]
    assert f"{name}: 1 markers count as marks of 1 files" in told


def test_markers_of_other_footage_are_said_and_bad_timelines_cost_nothing(tmp_path: Path) -> None:
    video = make_video(tmp_path, name="a.mp4", rate=Fraction(25), num_frames=30)
    (tmp_path / "other").mkdir()
    other = make_video(tmp_path / "other", name="b.mp4", rate=Fraction(25), num_frames=50)
    edit = cuts([(source_of(other), 0, 50)])
    marker = Marker(frames=range(5, 6), name="here", color="BLUE")
    write_edit(
        tmp_path / "cut.otio", replace(edit, events=(replace(edit.events[0], markers=(marker,)),))
    )
    (tmp_path / "bad.otio").write_text("{}")
    with pytest.raises(HlError, match=r"bad\.otio"):
        marks_of_timelines([tmp_path / "bad.otio"], [video])
    assert marks_of_timelines([tmp_path / "cut.otio"], [video]) == {}
