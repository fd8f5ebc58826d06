"""Marks: tables as spreadsheets write them, markers, and what they say about clips."""

from __future__ import annotations

from fractions import Fraction
from functools import partial
from pathlib import Path

import media_factory
import pytest
from finetune_factory import RATE, raw_file, write_cut

from hlcli.errors import TrainingError, UsageError
from hlcli.timeline.edit_list import EditList, Event, Marker, Source
from hlcli.timeline.formats import fcp7, fcpxml
from hlcli.timeline.read import read_timeline
from hlcli.tuning.footage import Footage, RawFile
from hlcli.tuning.marks import parse_instant, read_marks, verdict
from hlcli.tuning.spans import Annotations, MarkedSpan, check_contradictions, marks_of


def take(folder: Path, name: str = "take.mp4", *, number: int = 0, **changes: object) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    recipe = {"rate": RATE, "num_frames": 50, "width": 48, "height": 32, "b_frames": 0}
    recipe |= {"name": name, "first_number": 200 * number} | changes
    return media_factory.make_video(folder, **recipe)


def read(tmp_path: Path, data: bytes | str, *, name: str = "marks.csv") -> Annotations:
    if not (tmp_path / "raw").exists():
        take(tmp_path / "raw")
    path = tmp_path / name
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return read_marks(path, Footage([str(tmp_path / "raw")]))


def rows(annotation: Annotations) -> list[tuple[float, float, bool]]:
    return [(float(one.start), float(one.end), one.keep) for one in annotation.spans]


TABLE = "file,start,end,label\ntake.mp4,1,3.5,keep\ntake.mp4,5,7,drop\n"
WANTED = [(1.0, 3.5, True), (5.0, 7.0, False)]


@pytest.mark.parametrize(
    "data",
    [
        TABLE,
        "\ufeff" + TABLE.replace("\n", "\r\n"),
        TABLE.replace(",", " , "),
        TABLE.replace(",", ";").replace("3.5", "3,5"),
        TABLE.replace(",", "\t"),
        TABLE.replace(",", "\t").encode("utf-16"),
        TABLE.replace("keep", "Keep").replace("drop", "DROP").rstrip("\n"),
        "# mine\n\n" + TABLE.replace("\ntake", "\n\n# and\ntake"),
        'label,"end",start,note,file\nkeep,3.5,1,"a, b",take.mp4\ndrop,7,5,,take.mp4\n',
        TABLE.replace("take.mp4", "take").replace("3.5", "0:03.5"),
        TABLE.replace("take.mp4", "TAKE.MP4"),
    ],
)
def test_tables_as_people_write_them(tmp_path: Path, data: bytes | str) -> None:
    annotation = read(tmp_path, data)
    assert rows(annotation) == WANTED
    assert (annotation.way, annotation.num_kept, annotation.num_passed) == ("labels", 1, 1)
    assert next(one.where for one in annotation.spans).endswith("of marks.csv")


@pytest.mark.parametrize(
    ("data", "line", "words"),
    [
        ("", 1, "is empty"),
        ("file,start,stop,label\n", 1, "lacks end"),
        ("file,start,end,label,start\n", 1, "start twice"),
        (TABLE + "take.mp4,,2,keep\n", 4, "'' is neither seconds"),
        (TABLE + "take.mp4,1,2\n", 4, "3 values for 4 columns"),
        (TABLE + "take.mp4,1,2,maybe\n", 4, "'maybe', not keep or drop"),
        (TABLE + "take.mp4,1,two,keep\n", 4, "'two' is neither seconds"),
        (TABLE + "take.mp4,-1,2,keep\n", 4, "'-1' is neither"),
        (TABLE + "take.mp4,nan,2,keep\n", 4, "'nan' is neither"),
        (TABLE + "take.mp4,2,2,keep\n", 4, "not after its start"),
        (TABLE + "take.mp4,9,11.5,keep\n", 4, "leaves take.mp4, which is 10.00 s long"),
        (TABLE + "take.mp4,10,10.5,keep\n", 4, "leaves take.mp4"),
        (TABLE + ",1,2,keep\n", 4, "names no file"),
        (TABLE + "take.mp4,00:00:01:07,2,keep\n", 4, "not a timecode at 5"),
        (TABLE.encode() + b"t\xff.mp4,1,2,keep\n", 4, "not UTF-8"),
        (TABLE + "take\0.mp4,1,2,keep\n", 4, "null byte"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, data: bytes | str, line: int, words: str) -> None:
    with pytest.raises(TrainingError) as caught:
        read(tmp_path, data)
    assert words in caught.value.message
    if line > 1:
        assert f"line {line} of" in caught.value.message
    assert caught.value.exit_code == 7


@pytest.mark.parametrize(
    "data", ["file,label\ntake.mp4,keep\n", "file,start,end,label\ntake.mp4,,,keep\n"]
)
def test_a_line_without_times_is_about_the_whole_file(tmp_path: Path, data: str) -> None:
    assert rows(read(tmp_path, data)) == [(0.0, 10.0, True)]


def test_a_span_may_end_a_little_after_its_file(tmp_path: Path) -> None:
    assert rows(read(tmp_path, TABLE + "take.mp4,9,10.9,keep"))[2] == (9.0, 10.0, True)


def test_unknown_files_are_counted_and_the_others_used(tmp_path: Path) -> None:
    annotation = read(tmp_path, TABLE + "other.mp4,1,2,keep\nother.mp4,3,4,keep\n")
    assert rows(annotation) == WANTED
    assert annotation.num_unmatched == 2
    assert annotation.notes == ("2 marks are not used: no file of the footage is other.mp4",)


def test_no_such_file_and_unknown_ending(tmp_path: Path) -> None:
    take(tmp_path / "raw")
    footage = Footage([str(tmp_path / "raw")])
    with pytest.raises(UsageError, match="no such file of marks"):
        read_marks(tmp_path / "marks.csv", footage)
    (tmp_path / "marks.xlsx").write_bytes(b"")
    with pytest.raises(UsageError, match=r"extension \.xlsx is unknown"):
        read_marks(tmp_path / "marks.xlsx", footage)


def test_unicode_names_composed_or_not(tmp_path: Path) -> None:
    take(tmp_path / "raw", "Z\u00fcrich \u65e5\u672c.mp4")
    table = "file,start,end,label\nZu\u0308rich \u65e5\u672c.mp4,1,2,keep\n"
    assert rows(read(tmp_path, table)) == [(1.0, 2.0, True)]


def test_same_name_in_two_folders_is_told_apart_by_its_folder(tmp_path: Path) -> None:
    take(tmp_path / "raw" / "A", "C1.mp4", number=0)
    take(tmp_path / "raw" / "B", "C1.mp4", number=1)
    annotation = read(
        tmp_path, "file,start,end,label\nB/C1.mp4,1,2,keep\n/other/disk/A/C1.mp4,1,2,drop\n"
    )
    assert [one.file.path.parent.name for one in annotation.spans] == ["B", "A"]
    annotation = read(tmp_path, "file,start,end,label\nC1.mp4,1,2,keep\n")
    assert annotation.num_unmatched == 1
    assert "C1.mp4 is there 2 times" in annotation.notes[0]


def test_instants(tmp_path: Path) -> None:
    file = raw_file(take(tmp_path, rate=Fraction(30000, 1001), timecode="01:00:00;00"))
    assert file.info.start_timecode == "01:00:00;00"
    assert parse_instant("01:00:01;00", file) == Fraction(30 * 1001, 30000)
    assert parse_instant(" 12.25 ", file) == Fraction(49, 4)
    assert parse_instant("1:02:03.5", file) == Fraction(7447, 2)
    assert parse_instant("2:03", file) == 123
    with pytest.raises(ValueError, match=r"before the first frame of take\.mp4, 01:00:00;00"):
        parse_instant("00:59:59;29", file)
    for text in ("", "1:60", "1:2:3:4:5", "1e3", "inf", "0:61:00", "-3"):
        with pytest.raises(ValueError, match="neither seconds"):
            parse_instant(text, file)


def test_contradictions_are_listed(tmp_path: Path) -> None:
    annotation = read(tmp_path, TABLE + "take.mp4,3,4,drop\ntake.mp4,6.5,9,keep\n")
    with pytest.raises(TrainingError) as caught:
        check_contradictions([annotation])
    message = caught.value.message
    assert "take.mp4 from 3.00 s to 3.50 s (line 2 of marks.csv keeps it, line 4" in message
    assert "take.mp4 from 6.50 s to 7.00 s (line 5 of marks.csv keeps it, line 3" in message
    check_contradictions([read(tmp_path, TABLE + "take.mp4,3.5,5,drop\n")])


def span(file: RawFile, start: float, end: float, *, keep: bool = True) -> MarkedSpan:
    return MarkedSpan(
        file=file, start=Fraction(start), end=Fraction(end), keep=keep, where="line 1"
    )


def marks(file: RawFile, *annotations: tuple[str, list[MarkedSpan]]) -> str:
    made = [
        Annotations(way=way, file=Path("m"), spans=tuple(spans))  # type: ignore[arg-type]
        for way, spans in annotations
    ]
    letters = {1: "K", 0: ".", -1: "?"}
    return "".join(letters[int(one)] for one in marks_of(made, file, 10))


def test_clips_are_kept_from_half_on_and_edges_are_nobodys(tmp_path: Path) -> None:
    file = raw_file(take(tmp_path))
    assert marks(file, ("cut", [span(file, 2, 4)])) == "..KK......"
    assert marks(file, ("cut", [span(file, 1.5, 4.25)])) == ".KKK?....."
    assert marks(file, ("cut", [span(file, 1.6, 4.25)])) == ".?KK?....."
    # Two shots that meet within a clip fill it together; a few frames still count.
    assert marks(file, ("cut", [span(file, 2, 3.25), span(file, 3.25, 4)])) == "..KK......"
    assert marks(file, ("cut", [span(file, 2.5, 2.75)])) == "..K......."
    assert marks(file, ("cut", [])) == "??????????"


def test_marks_correct_cuts_and_keeps_alone_drop_the_rest(tmp_path: Path) -> None:
    file = raw_file(take(tmp_path))
    keep, drop = span(file, 2, 4), span(file, 6, 8, keep=False)
    assert marks(file, ("labels", [keep, drop])) == "??KK??..??"
    assert marks(file, ("labels", [keep])) == "..KK......"
    assert marks(file, ("labels", [drop])) == "??????..??"
    assert marks(file, ("cut", [span(file, 5, 9)]), ("labels", [keep, drop])) == "..KK.K..K."
    # What one cut uses is kept, although another passes over it.
    both = ("cut", [span(file, 0, 1)]), ("cut", [span(file, 8, 9)])
    assert marks(file, *both) == "K.......K."


def test_markers_of_a_timeline(tmp_path: Path) -> None:
    raw = take(tmp_path / "raw", num_frames=200)
    markers = [
        ("KEEP: the kiss", "BLUE", 1.0, 2.0),
        ("", "RED", 5.0, 1.0),
        ("", "GREEN", 10.0, 0.2),
        ("drop", "GREEN", 20.0, 3.0),
        ("ask Ann", "YELLOW", 30.0, 1.0),
        ("keepsake", "PINK", 30.0, 1.0),
    ]
    path = write_cut(tmp_path / "m.otio", [(str(raw), 0, 40)], markers=markers)
    annotation = read_marks(path, Footage([str(tmp_path / "raw")]))
    # One frame stands for four seconds around it.
    assert rows(annotation) == [
        (1.0, 3.0, True),
        (5.0, 6.0, False),
        (8.1, 12.1, True),
        (20.0, 23.0, False),
    ]
    assert annotation.notes[-1].startswith("2 markers say neither keep nor drop")


@pytest.mark.parametrize("suffix", [".fcpxml", ".xml"])
def test_a_format_without_colours_says_neither_keep_nor_drop(tmp_path: Path, suffix: str) -> None:
    source = Source(path="/raw/a.mp4", frame_rate=Fraction(25), num_frames=500, audio=())
    markers = tuple(
        Marker(frames=range(at, at + 1), name=name, color=color)
        for at, name, color in [
            (5, "the kiss", "RED"),
            (8, "keep it", "RED"),
            (12, "cake", "GREEN"),
        ]
    )
    event = Event(
        source=source, frames=range(100), record=range(100), video_track=0, markers=markers
    )
    edit = EditList(name="x", frame_rate=Fraction(25), events=(event,))
    path = tmp_path / f"cut{suffix}"
    write = fcpxml.write if suffix == ".fcpxml" else partial(fcp7.write, target="resolve")
    write(edit, path)
    read = read_timeline(path, known=[source]).edit.events[0].markers
    assert [(one.name, verdict(one)) for one in sorted(read, key=lambda one: one.frames.start)] == [
        ("the kiss", None), ("keep it", True), ("cake", None),
    ]  # fmt: skip
