"""Chapters: YouTube's rules, and FFmpeg reading back what it was given."""

from __future__ import annotations

import dataclasses
import itertools
import re
import subprocess
from fractions import Fraction
from pathlib import Path

import av
import pytest
from document_factory import make_document
from edit_list_factory import edit_of
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from media_factory import make_video

from hlcli.errors import UsageError
from hlcli.media.ffmpeg import find_ffmpeg
from hlcli.timeline.build import Layout
from hlcli.timeline.edit_list import EditList, Event, Marker, Source
from hlcli.timeline.formats import write_format
from hlcli.timeline.formats.chapters import chapters_of, write, youtube_chapters
from hlcli.timeline.formats.ffmetadata import ffmetadata_text

NTSC = Fraction(1000, 1001)
RATES = [24 * NTSC, Fraction(24), Fraction(25), 30 * NTSC, Fraction(30), Fraction(50), 60 * NTSC]


def read_youtube(text: str) -> list[tuple[int, str]]:
    """Read a description as YouTube does: seconds and title of each line."""
    found = []
    for line in text.splitlines():
        match = re.fullmatch(r"(?:(\d+):)?(\d\d):(\d\d) (\S.*)", line)
        assert match, line
        hours, minutes, seconds = (int(match[group] or 0) for group in (1, 2, 3))
        assert minutes < 60
        assert seconds < 60
        found.append(((hours * 60 + minutes) * 60 + seconds, match[4]))
    return found


# YouTube -------------------------------------------------------------------------------------


def test_one_line_for_each_moment(tmp_path: Path) -> None:
    document = make_document(
        frame_rate=30 * NTSC, num_frames=5400, spans=[(5.0, 20.0), (40.0, 55.5), (100.0, 112.0)]
    )
    write_format(tmp_path / "reel.txt", [document])
    assert (tmp_path / "reel.txt").read_bytes() == (
        b"00:00 Moment 1\n00:15 Moment 2\n00:30 Moment 3\n"
    )


def test_short_moments_are_joined(tmp_path: Path) -> None:
    spans = [(20.0, 24.0), (0.0, 4.0), (30.0, 50.0), (60.0, 69.9), (90.0, 102.0), (110.0, 111.0)]
    document = make_document(num_frames=4000, spans=spans)
    write(edit_of(document), tmp_path / "reel.txt")
    assert read_youtube((tmp_path / "reel.txt").read_text("utf-8")) == [
        (0, "Moments 1 to 3"),
        (28, "Moment 4"),
        (38, "Moments 5 and 6"),
    ]


def test_whole_source_has_a_first_chapter(tmp_path: Path) -> None:
    document = make_document(
        num_frames=30 * 4000, spans=[(100.0, 105.0), (3725.5, 3740.0), (600.0, 610.0)]
    )
    write(edit_of(document, markers_only=True), tmp_path / "a.txt")
    assert read_youtube((tmp_path / "a.txt").read_text("utf-8")) == [
        (0, "Start"),
        (100, "Moment 1"),
        (600, "Moment 2"),
        (3726, "Moment 3"),
    ]
    assert "\n1:02:06 Moment 3" in (tmp_path / "a.txt").read_text("utf-8")
    early = make_document(num_frames=30 * 300, spans=[(4.0, 6.0), (60.0, 70.0), (90.0, 95.0)])
    write(edit_of(early, markers_only=True), tmp_path / "b.txt")
    assert read_youtube((tmp_path / "b.txt").read_text("utf-8")) == [
        (0, "Moment 1"),
        (60, "Moment 2"),
        (90, "Moment 3"),
    ]


def test_a_viewer_reads_no_jargon(tmp_path: Path) -> None:
    spans = [(100.0, 115.0), (5.0, 20.0), (40.0, 55.5)]
    document = make_document(num_frames=4000, spans=spans)
    for order, suffix in itertools.product(("time", "rank"), (".txt", ".ffmetadata")):
        write_format(tmp_path / f"reel{suffix}", [document], layout=Layout(order=order))
        text = (tmp_path / f"reel{suffix}").read_text("utf-8")
        # As they come in the film, whatever their rank.
        assert re.findall(r"Moment \d", text) == ["Moment 1", "Moment 2", "Moment 3"]
        assert not re.search(r"H\d|0\.\d|stand|score", text)


def test_what_youtube_would_not_show_is_refused(tmp_path: Path) -> None:
    for spans in ([(0.0, 20.0), (30.0, 50.0)], [(float(t), t + 4.0) for t in (0, 10, 20, 30)]):
        document = make_document(spans=spans)
        with pytest.raises(UsageError, match="3 or more chapters of at least 10 seconds") as caught:
            write(edit_of(document), tmp_path / "x.txt")
        assert ".ffmetadata" in caught.value.hint
        assert not (tmp_path / "x.txt").exists()


@settings(max_examples=100, deadline=None)
@given(
    st.sampled_from(RATES),
    st.lists(st.tuples(st.floats(0, 60), st.floats(0.1, 40)), min_size=1, max_size=20),
    st.booleans(),
)
def test_youtube_accepts_every_list(rate: Fraction, gaps, markers_only: bool) -> None:
    spans, at = [], 0.0
    for gap, length in gaps:
        spans.append((at + gap, at + gap + length))
        at += gap + length
    document = make_document(frame_rate=rate, num_frames=int(at * rate) + 2, spans=spans)
    # Scores fall with each moment; more than nine would fall below 0.
    moments = tuple(dataclasses.replace(m, score=0.5) for m in document.moments)
    edit = edit_of(dataclasses.replace(document, moments=moments), markers_only=markers_only)
    chapters = chapters_of(edit)
    assert chapters[0].frames.start == 0
    assert chapters[-1].frames.stop == edit.num_frames
    for before, after in itertools.pairwise(chapters):
        assert before.frames.stop == after.frames.start
        assert len(before.frames) > 0
    try:
        kept = youtube_chapters(edit)
    except UsageError:
        assume(False)
    half = Fraction(1, 2)
    starts = [int(chapter.frames.start / edit.frame_rate + half) for chapter in kept]
    ends = [*starts[1:], int(edit.num_frames / edit.frame_rate)]
    assert starts[0] == 0
    assert len(kept) >= 3
    assert all(end - start >= 10 for start, end in zip(starts, ends, strict=True))
    assert {chapter.frames.start for chapter in kept} <= {c.frames.start for c in chapters}
    assert [n for c in kept for n in c.moments] == [n for c in chapters for n in c.moments]
    assert [n for c in kept for n in c.moments] == list(range(1, len(spans) + 1))


def test_words_of_other_programs() -> None:
    source = Source(path="/a <b>.mov", frame_rate=Fraction(25), num_frames=5000)
    marker = Marker(frames=range(500, 501), name="go\nal", comment="two = 1; #x \\ \u65e5\u672c")
    edit = EditList(
        name="x",
        frame_rate=Fraction(25),
        events=(
            Event(source=source, frames=range(0, 400), record=range(25, 425)),
            Event(source=source, frames=range(450, 950), record=range(425, 925), markers=(marker,)),
        ),
    )
    assert [(c.frames, c.title) for c in chapters_of(edit)] == [
        (range(0, 25), "Start"),
        (range(25, 475), "a <b>.mov"),
        (range(475, 925), "go al: two = 1; #x \\ \u65e5\u672c"),
    ]


# FFmpeg --------------------------------------------------------------------------------------


def test_the_file(tmp_path: Path) -> None:
    document = make_document(frame_rate=30 * NTSC, spans=[(1.0, 3.0), (10.0, 12.5)])
    write_format(tmp_path / "reel = 1.ffmetadata", [document])
    assert (tmp_path / "reel = 1.ffmetadata").read_text("utf-8") == (
        ";FFMETADATA1\n"
        "title=reel \\= 1\n"
        "[CHAPTER]\nTIMEBASE=1001/30000\nSTART=0\nEND=60\n"
        "title=Moment 1\n"
        "[CHAPTER]\nTIMEBASE=1001/30000\nSTART=60\nEND=135\n"
        "title=Moment 2\n"
    )


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_ffmpeg_puts_them_into_the_film(tmp_path: Path, rate: Fraction, suffix: str) -> None:
    document = make_document(
        frame_rate=rate, num_frames=100, spans=[(0.0, 0.4), (0.7, 1.0), (1.0, 1.6)]
    )
    edit = edit_of(document)
    marker = dataclasses.replace(
        edit.events[1].markers[0],
        name="a=b; #c \\ \u65e5\u672c 'q' \u00e4",
        comment="",
        rank=None,
    )
    second = dataclasses.replace(edit.events[1], markers=(marker,))
    edit = dataclasses.replace(
        edit, name="reel #1;\nx", events=(edit.events[0], second, edit.events[2])
    )
    film = make_video(tmp_path, name=f"reel{suffix}", rate=rate, num_frames=edit.num_frames)
    (tmp_path / "x.ffmetadata").write_text(ffmetadata_text(edit), "utf-8", newline="\n")
    result = tmp_path / f"out{suffix}"
    command = [
        find_ffmpeg().path, "-v", "error", "-i", film, "-i", tmp_path / "x.ffmetadata",
        "-map_metadata", "1", "-codec", "copy", result,
    ]  # fmt: skip
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    with av.open(str(result)) as container:
        found = [
            (
                chapter["start"] * chapter["time_base"],
                chapter["end"] * chapter["time_base"],
                chapter["metadata"]["title"],
            )
            for chapter in container.chapters()
        ]
        title = container.metadata["title"]
    chapters = chapters_of(edit)
    assert len(found) == len(chapters) == 3
    assert title == "reel #1;\nx"
    for (start, end, name), chapter in zip(found, chapters, strict=True):
        assert name == chapter.title
        for instant, frame in ((start, chapter.frames.start), (end, chapter.frames.stop)):
            # MP4 counts chapters in milliseconds, Matroska in nanoseconds.
            assert abs(instant - frame / rate) <= Fraction(1, 2000)
            assert round(instant * rate) == frame
