"""`hl contact-sheet`: the right frames in the right places, and every way it can go wrong."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from document_factory import make_document
from media_factory import is_upright, make_video, read_frame_number
from PIL import Image
from test_still import speckled
from typer.testing import CliRunner, Result

from hlcli import scores_cache
from hlcli.cli import app
from hlcli.document import ScoresDocument, write_documents
from hlcli.errors import UsageError
from hlcli.media.identity import content_identity
from hlcli.media.probe import probe
from hlcli.rendering.contact_sheet import SheetLook, write_contact_sheet
from hlcli.rendering.lettering import Lettering
from hlcli.rendering.sheet_plan import plan_sheet
from hlcli.timeline.build import Layout, build_edit_list
from hlcli.timeline.edit_list import EditList, Event, Source
from hlcli.workflows.outputs import write_outputs

NTSC = Fraction(30000, 1001)
# Of a sheet 1000 pixels wide with two columns: see SheetLook.
MARGIN, CELL, TOP, BOX = 10, 485, 38, 291
LABEL = 2 * (CELL // 18)


def sheet(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["contact-sheet", *map(str, arguments)])


def opened(path: Path) -> Image.Image:
    with Image.open(path) as picture:
        picture.load()
    return picture


def document_of(path: Path, spans: list[tuple[float, float]], **changes: object) -> ScoresDocument:
    info = probe(path)
    document = make_document(
        path=str(path),
        num_frames=info.num_frames,
        frame_rate=info.frame_rate,
        start_timecode=info.start_timecode,
        identity=content_identity(path),
        spans=spans,
        **changes,
    )
    return replace(document, video=replace(document.video, width=info.width, height=info.height))


def cell(picture: Image.Image, index: int, *, top: int = TOP) -> np.ndarray:
    row, column = divmod(index, 2)
    left = MARGIN + column * (CELL + MARGIN)
    top += row * (BOX + LABEL + MARGIN)
    return np.asarray(picture.crop((left, top, left + CELL, top + BOX)))


def draw(tmp_path: Path, documents: list[ScoresDocument], *options: object) -> Image.Image:
    write_documents(tmp_path / "scores.json", documents)
    output = tmp_path / "sheet.png"
    result = sheet(
        tmp_path / "scores.json", "-o", output, "--width", 1000, "--columns", 2, *options
    )
    assert result.exit_code == 0, result.stderr
    assert result.stderr == f"wrote {output}\n"
    return opened(output)


def test_shows_the_frame_of_each_peak_in_time_order(tmp_path: Path) -> None:
    video = make_video(tmp_path, rate=NTSC, num_frames=180, timecode="01:00:00;00")
    spans = [(4.004, 5.005), (0.5005, 1.5015), (2.002, 3.003)]
    document = document_of(video, spans)
    picture = draw(tmp_path, [document])
    assert (picture.mode, picture.width) == ("RGB", 1000)
    assert picture.height == TOP + 2 * (BOX + LABEL + MARGIN)
    cells = [cell(picture, index) for index in range(3)]
    assert [read_frame_number(one) for one in cells] == [30, 75, 135]
    assert all(is_upright(one) for one in cells)


def test_best_first(tmp_path: Path) -> None:
    video = make_video(tmp_path, num_frames=180)
    document = document_of(video, [(4.0, 5.0), (0.5, 1.5), (2.0, 3.0)])
    picture = draw(tmp_path, [document], "--order", "rank")
    assert [read_frame_number(cell(picture, index)) for index in range(3)] == [135, 30, 75]


def test_the_sharpest_frame_near_the_peak_is_drawn(tmp_path: Path) -> None:
    video = make_video(tmp_path, num_frames=90, counter=False, paint=speckled)
    picture = draw(tmp_path, [document_of(video, [(1.0, 2.3)])])
    grains = cell(picture, 0)[:, :, 1].astype(float)
    flat = draw(tmp_path, [document_of(video, [(1.6, 2.3)])])
    blurred = cell(flat, 0)[:, :, 1].astype(float)
    strong = [int((np.abs(np.diff(one)) > 25).sum()) for one in (grains, blurred)]
    assert strong[0] > 2 * strong[1], strong


def test_reasons_stand_below_the_timecode(tmp_path: Path) -> None:
    video = make_video(tmp_path, num_frames=90)
    document = document_of(video, [(1.0, 2.0)], reasons=("cheering", "like 0:40"))
    plain = draw(tmp_path, [document_of(video, [(1.0, 2.0)])])
    picture = draw(tmp_path, [document])
    extra = picture.height - plain.height
    assert extra == CELL // 18
    below = (MARGIN, TOP + BOX + LABEL, MARGIN + CELL, TOP + BOX + LABEL + extra)
    assert np.asarray(picture.crop(below)).std() > 1  # letters, where there was nothing
    [section] = plan_sheet([build_edit_list([document], name="cut")], order="time")
    assert section.shots[0].reasons == "cheering; like 0:40"


def test_plan_has_the_files_own_timecode_ranks_and_scores() -> None:
    document = make_document(
        frame_rate=NTSC, start_timecode="01:00:00;00", spans=[(58.058, 60.06), (2.002, 4.004)]
    )
    edit = build_edit_list([document], name="cut")
    [section] = plan_sheet([edit], order="time")
    shots = [(shot.frame, shot.timecode, shot.rank, shot.score) for shot in section.shots]
    # 1770 frames after 01:00:00;00; drop-frame leaves labels out at the full minute only.
    assert shots == [(90, "01:00:03;00", 2, 0.8), (1770, "01:00:59;00", 1, 0.9)]
    assert section.source.name == "match.mp4"


def test_plan_of_several_videos_has_one_section_each() -> None:
    first = make_document(path="/a.mp4", spans=[(1.0, 2.0)])
    second = make_document(path="/b.mp4", spans=[(1.0, 2.0), (5.0, 6.0)])
    first = first.with_moments([replace(first.moments[0], score=0.85)])
    edit = build_edit_list([first, second], name="cut")

    def names(order: str) -> list[tuple[str, list[int | None]]]:
        return [
            (section.source.name, [shot.rank for shot in section.shots])
            for section in plan_sheet([edit], order=order)  # type: ignore[arg-type]
        ]

    assert names("time") == [("a.mp4", [2]), ("b.mp4", [1, 3])]
    assert names("rank") == [("b.mp4", [1, 3]), ("a.mp4", [2])]


def test_plan_of_markers_and_of_timelines_that_say_nothing() -> None:
    document = make_document(spans=[(2.0, 4.0), (10.0, 12.0)])
    marked = build_edit_list([document], name="cut", layout=Layout(markers_only=True))
    [section] = plan_sheet([marked], order="time")
    assert [(shot.frame, shot.rank) for shot in section.shots] == [(90, 1), (330, 2)]

    source = Source(path="/x.mp4", frame_rate=Fraction(25), num_frames=100)
    other = EditList(
        name="cut",
        frame_rate=Fraction(25),
        events=(
            Event(source=source, frames=range(10, 20), record=range(10)),
            # Sound alone has no picture.
            Event(source=source, frames=range(50, 60), record=range(10, 20), video_track=None),
        ),
    )
    [section] = plan_sheet([other, other], order="rank")
    assert [(shot.frame, shot.timecode, shot.rank) for shot in section.shots] == [
        (15, "00:00:00:15", None)
    ]


def test_upright_pictures_of_a_phone_held_upright(tmp_path: Path) -> None:
    video = make_video(tmp_path, num_frames=60, rotation_degrees=90, counter=False)
    picture = draw(tmp_path, [document_of(video, [(0.5, 1.5)])])
    # 96 x 160 in a place that is never higher than wide.
    place = np.asarray(picture.crop((MARGIN, TOP, MARGIN + CELL, TOP + CELL)))
    width = round(CELL * 96 / 160)
    left = (CELL - width) // 2
    assert (place[:, : left - 1] == (38, 41, 48)).all()
    shown = place[:, left : left + width]
    # The white patch was painted in the upper left corner, before the turn.
    assert is_upright(np.rot90(shown, 1))
    assert not is_upright(shown)


def test_same_bytes_every_time_and_jpeg(tmp_path: Path) -> None:
    video = make_video(tmp_path)
    document_of(video, [(0.2, 1.0)]).write(tmp_path / "s.json")
    for name in ("1.png", "2.png", "x.JPG"):
        assert sheet(tmp_path / "s.json", "-o", tmp_path / name, "-q").exit_code == 0
    assert (tmp_path / "1.png").read_bytes() == (tmp_path / "2.png").read_bytes()
    assert opened(tmp_path / "x.JPG").format == "JPEG"
    assert opened(tmp_path / "1.png").width == 1600


def test_from_stored_scores(tmp_path: Path) -> None:
    video = make_video(tmp_path, num_frames=120)
    scores_cache.put(document_of(video, [(0.2, 1.0)]))
    moved = video.rename(tmp_path / "elsewhere.mp4")
    result = sheet(moved, "-o", tmp_path / "x.png", "--top", 1)
    assert result.exit_code == 0, result.stderr
    assert opened(tmp_path / "x.png").width == 1600


def test_from_a_timeline(tmp_path: Path) -> None:
    video = make_video(tmp_path, num_frames=180)
    document = document_of(video, [(4.0, 5.0), (0.5, 1.5)])
    write_outputs([tmp_path / "cut.otio"], [document])
    output = tmp_path / "x.png"
    result = sheet(
        tmp_path / "cut.otio", "-o", output, "--width", 1000, "--columns", 2, "--order", "rank"
    )
    assert result.exit_code == 0, result.stderr
    picture = opened(output)
    assert [read_frame_number(cell(picture, index)) for index in range(2)] == [135, 30]


@pytest.mark.parametrize("name", ["s.json", "cut.otio"])
def test_a_video_that_has_moved_is_searched_for(tmp_path: Path, name: str) -> None:
    video = make_video(tmp_path, num_frames=60)
    document = document_of(video, [(0.5, 1.5)])
    write_outputs([tmp_path / name], [document])
    (tmp_path / "new").mkdir()
    video.rename(tmp_path / "new" / video.name)
    assert sheet(tmp_path / name, "-o", tmp_path / "x.png").exit_code == 3
    result = sheet(tmp_path / name, "-o", tmp_path / "x.png", "--search", tmp_path / "new")
    assert result.exit_code == 0, result.stderr
    assert opened(tmp_path / "x.png").width == 1600


def test_a_damaged_timeline_does_not_stop_the_others(tmp_path: Path) -> None:
    video = make_video(tmp_path, num_frames=60)
    write_outputs([tmp_path / "cut.otio"], [document_of(video, [(0.5, 1.5)])])
    (tmp_path / "bad.otio").write_text("{")
    result = sheet(tmp_path / "bad.otio", tmp_path / "cut.otio", "-o", tmp_path / "x.png")
    assert result.exit_code != 0
    assert "bad.otio" in result.stderr
    assert "Traceback" not in result.stderr
    assert opened(tmp_path / "x.png").width == 1600


def test_progress_counts_the_pictures(tmp_path: Path) -> None:
    video = make_video(tmp_path, num_frames=120)
    edit = build_edit_list([document_of(video, [(0.5, 1.5), (2.0, 3.0)])], name="cut")
    [section] = plan_sheet([edit], order="time")
    reported: list[tuple[str, float, float]] = []
    write_contact_sheet(
        tmp_path / "x.png",
        [(section, probe(video))],
        look=SheetLook(),
        progress=lambda *step: reported.append(step),
    )
    assert reported == [("pictures", done, 2) for done in (0, 1, 2, 2)]


# What goes wrong -----------------------------------------------------------------------------


def test_a_video_that_is_gone_does_not_stop_the_others(tmp_path: Path) -> None:
    video = make_video(tmp_path, num_frames=60)
    gone = make_document(path=str(tmp_path / "gone.mp4"), spans=[(1.0, 2.0)])
    write_documents(tmp_path / "s.json", [gone, document_of(video, [(0.5, 1.5)])])
    result = sheet(tmp_path / "s.json", "-o", tmp_path / "x.png")
    assert result.exit_code == 3
    assert f"error: no such file: {tmp_path / 'gone.mp4'}" in result.stderr
    assert opened(tmp_path / "x.png").width == 1600


def test_nothing_is_written_when_all_are_gone(tmp_path: Path) -> None:
    make_document(path=str(tmp_path / "gone.mp4")).write(tmp_path / "s.json")
    result = sheet(tmp_path / "s.json", "-o", tmp_path / "x.png")
    assert result.exit_code == 3
    assert "wrote" not in result.stderr
    assert not (tmp_path / "x.png").exists()


@pytest.mark.parametrize(
    ("options", "words", "code"),
    [
        ((), "there is nothing to write", 2),
        (("-o", "x.gif"), "use one of .png, .jpg, .jpeg", 2),
        (("-o", "x"), "use one of .png", 2),
        (("-o", "no/x.png"), "does not exist", 6),
        (("-o", "x.png", "--columns", "0"), "--columns must be at least 1", 2),
        (("-o", "x.png", "--columns", "40"), "give --columns 16 or fewer", 2),
        (("-o", "x.png", "--width", "10"), "from 160 to 16000 pixels", 2),
        (("-o", "x.png", "--font", "scores.json"), "--font: cannot read", 2),
        (("-o", "x.png", "--threshold", "0.99"), "no moment to put on the timeline", 6),
        (("-o", "x.png", "--top", "0"), "top", 2),
    ],
)
def test_errors(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    options: tuple[str, ...],
    words: str,
    code: int,
) -> None:
    monkeypatch.chdir(tmp_path)
    video = make_video(tmp_path)
    document_of(video, [(0.2, 1.0)]).write(tmp_path / "scores.json")
    result = sheet("scores.json", *options)
    assert result.exit_code == code, result.stderr
    assert words in result.stderr
    assert not list(tmp_path.glob("x*"))


def test_never_over_a_video(tmp_path: Path) -> None:
    video = make_video(tmp_path)
    picture = tmp_path / "x.png"
    document_of(video, [(0.2, 1.0)]).write(tmp_path / "s.json")
    picture.hardlink_to(video)
    result = sheet(tmp_path / "s.json", "-o", picture)
    assert result.exit_code == 2
    assert "is one of the videos" in result.stderr
    assert picture.samefile(video)


def test_more_moments_than_a_picture_can_hold(tmp_path: Path) -> None:
    video = make_video(tmp_path)
    source = Source(path=str(video), frame_rate=Fraction(30), num_frames=10_000)
    events = tuple(
        Event(source=source, frames=range(at, at + 1), record=range(at, at + 1))
        for at in range(2000)
    )
    edit = EditList(name="cut", frame_rate=Fraction(30), events=events)
    [section] = plan_sheet([edit], order="time")
    with pytest.raises(UsageError, match="65500 at most"):
        write_contact_sheet(
            tmp_path / "x.png", [(section, probe(video))], look=SheetLook(columns=1)
        )
    assert not (tmp_path / "x.png").exists()


# Lettering -----------------------------------------------------------------------------------


def test_names_in_other_scripts_are_shown_as_far_as_they_go(tmp_path: Path) -> None:
    video = make_video(tmp_path, name="Caf\u00e9 \u65e5\u672c #1.mp4", num_frames=60)
    document_of(video, [(0.5, 1.5)]).write(tmp_path / "s.json")
    result = sheet(tmp_path / "s.json", "-o", tmp_path / "x.png")
    assert result.exit_code == 0, result.stderr
    warning, wrote = result.stderr.splitlines()
    assert warning.startswith(f"warning: the font has not all letters of {video.name}; --font")
    assert wrote.startswith("wrote")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("match 01.mp4", "match 01.mp4"),
        ("Cafe\u0301.mov", "Cafe.mov"),
        ("\u00c5ngstr\u00f6m", "Angstrom"),
        ("\u65e5\u672c", "??"),
        ("a\u00a0b", "a b"),
        ("\U0001f600", "?"),
        ("a\nb\u202e", "a?b?"),
    ],
)
def test_letters_that_the_font_lacks(text: str, shown: str) -> None:
    assert Lettering().shown(text) == shown


def test_long_names_lose_their_middle() -> None:
    lettering = Lettering()
    name = "a" * 200 + ".mp4"
    short = lettering.fitting(name, 20, 300)
    assert short.startswith("aaa")
    assert short.endswith(".mp4")
    assert lettering.width(short, 20) <= 300
    assert lettering.fitting("short.mp4", 20, 300) == "short.mp4"
