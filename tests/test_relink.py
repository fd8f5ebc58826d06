"""Media that has moved or changed: found by name and content, or said."""

from __future__ import annotations

import dataclasses
import os
import shutil
from fractions import Fraction
from pathlib import Path

import opentimelineio as otio
import pytest
from document_factory import make_document
from media_factory import make_video
from typer.testing import CliRunner, Result

from hlcli.cli import app
from hlcli.document import ScoresDocument, VideoRecord
from hlcli.errors import MediaError, MediaNotFoundError
from hlcli.media.identity import content_identity
from hlcli.media.probe import probe
from hlcli.timeline.build import Layout, build_edit_list
from hlcli.timeline.formats import write_format
from hlcli.timeline.formats.otio import write
from hlcli.timeline.read import read_timeline
from hlcli.timeline.relink import MissingMedia, Relinker
from hlcli.workflows.export import relink_document

RATE = Fraction(25)


@pytest.fixture
def footage(tmp_path: Path) -> Path:
    """Return a file of 100 frames in a folder of its own."""
    folder = tmp_path / "day 1"
    folder.mkdir()
    return make_video(folder, name="A001.mov", rate=RATE, num_frames=100, timecode="01:00:00:00")


def wanted(file: Path, *, identity: bool = True) -> MissingMedia:
    return MissingMedia(
        path=f"/gone/{file.name}",
        sha256_head=content_identity(file) if identity else None,
        frame_rate=RATE,
        num_frames=100,
        start_frame=90000,
    )


def document_of(file: Path, spans: list[tuple[float, float]]) -> ScoresDocument:
    video = VideoRecord.from_media(probe(file), content_identity(file))
    made = make_document(
        num_frames=video.num_frames, frame_rate=video.frame_rate, audio=0, spans=spans
    )
    return dataclasses.replace(made, video=video)


# Looking below folders ------------------------------------------------------------------------


@pytest.mark.parametrize("identity", [True, False])
def test_found_by_name_and_content(tmp_path: Path, footage: Path, identity: bool) -> None:
    asked = wanted(footage, identity=identity)
    assert Relinker([tmp_path]).find(asked) == footage
    assert Relinker([tmp_path / "day 1"]).find(asked) == footage
    other_case = dataclasses.replace(asked, path=r"D:\Footage\a001.MOV")
    assert Relinker([tmp_path]).find(other_case) == footage


def test_nothing_of_that_name(tmp_path: Path, footage: Path) -> None:
    assert Relinker([]).find(wanted(footage)) is None
    renamed = footage.rename(footage.with_name("other.mov"))
    assert Relinker([tmp_path]).find(dataclasses.replace(wanted(renamed), path="/x/A001.mov")) is (
        None
    )


def test_the_same_name_with_other_content_is_refused(tmp_path: Path, footage: Path) -> None:
    asked = wanted(footage)
    make_video(footage.parent, name="A001.mov", rate=RATE, num_frames=99)
    with pytest.raises(MediaNotFoundError, match="has other content") as error:
        Relinker([tmp_path]).find(asked)
    assert str(footage) in error.value.message


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"num_frames": 60}, "has 60 frames, not 100"),
        ({"rate": Fraction(30)}, "runs at 30 frames per second, not 25"),
        ({"timecode": "02:00:00:00"}, "starts at frame 180000 of its timecode, not 90000"),
    ],
)
def test_without_an_identity_length_rate_and_timecode_must_fit(
    tmp_path: Path, footage: Path, change: dict, words: str
) -> None:
    asked = wanted(footage, identity=False)
    recipe = {"rate": RATE, "num_frames": 100, "timecode": "01:00:00:00"} | change
    make_video(footage.parent, name="A001.mov", **recipe)
    with pytest.raises(MediaNotFoundError, match=words):
        Relinker([tmp_path]).find(asked)


def test_several_copies_are_listed(tmp_path: Path, footage: Path) -> None:
    asked = wanted(footage)
    copy = tmp_path / "backup" / "A001.mov"
    copy.parent.mkdir()
    shutil.copyfile(footage, copy)
    with pytest.raises(MediaError, match="is there 2 times") as error:
        Relinker([tmp_path]).find(asked)
    assert str(copy) in error.value.message
    assert str(footage) in error.value.message
    assert Relinker([tmp_path / "backup"]).find(asked) == copy
    # The one with other content does not count.
    make_video(copy.parent, name="A001.mov", rate=RATE, num_frames=50)
    assert Relinker([tmp_path]).find(asked) == footage


@pytest.mark.skipif(os.name == "nt", reason="links need rights on Windows")
def test_links_are_followed_once(tmp_path: Path, footage: Path) -> None:
    (footage.parent / "loop").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "again.d").mkdir()
    (tmp_path / "again.d" / "A001.mov").symlink_to(footage)
    (tmp_path / "again.d" / "broken").symlink_to(tmp_path / "nowhere")
    found = Relinker([tmp_path, tmp_path / "day 1"]).find(wanted(footage))
    assert found is not None
    assert found.samefile(footage)


def test_a_folder_that_is_not_there(tmp_path: Path, footage: Path) -> None:
    with pytest.raises(MediaNotFoundError, match="--search: there is no folder"):
        Relinker([tmp_path / "nowhere"]).find(wanted(footage))


@pytest.mark.parametrize("suffix", [".otio", ".xml", ".fcpxml", ".edl", ".mlt", ".kdenlive"])
def test_a_slip_in_a_folder_is_said_where_all_media_is_there(
    tmp_path: Path, footage: Path, suffix: str
) -> None:
    timeline = tmp_path / f"cut{suffix}"
    document = document_of(footage, [(1.0, 2.0)])
    write_format(timeline, [document])
    document.write(tmp_path / "cut.json")
    for command, output in (
        (("render", timeline), "film.mp4"),
        (("contact-sheet", timeline), "sheet.png"),
        (("export", tmp_path / "cut.json"), "out.otio"),
    ):
        words = [*map(str, command), "-o", str(tmp_path / output), "--search", "nowhere"]
        result = CliRunner().invoke(app, words)
        assert result.exit_code == 3, result.output
        assert result.stderr.startswith(
            "error: --search: there is no folder nowhere\nhint: name an"
        )
        assert result.stderr.count("error: ") == 1
        assert not (tmp_path / output).exists()


# Timelines ------------------------------------------------------------------------------------


def test_a_timeline_finds_its_media_again(tmp_path: Path, footage: Path) -> None:
    document = document_of(footage, [(0.4, 1.2)])
    path = tmp_path / "cut.otio"
    write(build_edit_list([document], name="cut", layout=Layout()), path)
    moved = tmp_path / "archive" / "A001.mov"
    moved.parent.mkdir()
    footage.rename(moved)

    offline = read_timeline(path)
    assert offline.edit.events[0].source.path == str(footage)
    online = read_timeline(path, search=[tmp_path])
    assert online.edit.events[0].source.path == str(moved)
    assert online.edit.events[0].frames == range(10, 30)
    assert online.notes == ()
    make_video(moved.parent, name="A001.mov", rate=RATE, num_frames=100)
    with pytest.raises(MediaNotFoundError, match="has other content"):
        read_timeline(path, search=[tmp_path])


def test_a_timeline_of_others_finds_a_clip_that_names_no_media(
    tmp_path: Path, footage: Path
) -> None:
    at = otio.opentime.TimeRange(
        otio.opentime.RationalTime(90010, 25), otio.opentime.RationalTime(10, 25)
    )
    track = otio.schema.Track(kind="Video")
    track.append(otio.schema.Clip(name="A001.mov", source_range=at))
    timeline = otio.schema.Timeline(name="x")
    timeline.tracks.append(track)
    path = tmp_path / "x.otio"
    path.write_text(timeline.to_json_string())
    [event] = read_timeline(path, search=[footage.parent]).edit.events
    assert (event.source.path, event.frames) == (str(footage), range(10, 20))


def test_a_file_that_was_shortened_is_measured(tmp_path: Path, footage: Path) -> None:
    document = document_of(footage, [(0.4, 1.2)])
    path = tmp_path / "cut.otio"
    write(build_edit_list([document], name="cut", layout=Layout()), path)
    make_video(footage.parent, name="A001.mov", rate=RATE, num_frames=40, timecode="01:00:00:00")
    read = read_timeline(path)
    assert read.edit.events[0].source.num_frames == 40
    assert read.edit.events[0].frames == range(10, 30)
    assert read.notes == (f"{footage} is not what it was when the timeline was written",)
    make_video(footage.parent, name="A001.mov", rate=RATE, num_frames=20, timecode="01:00:00:00")
    with pytest.raises(MediaError, match=r"A001\.mov, which is 0\.800 seconds long"):
        read_timeline(path)


# Scores documents -----------------------------------------------------------------------------


def test_a_document_whose_file_is_as_it_was(footage: Path) -> None:
    document = document_of(footage, [(0, 1)])
    present = relink_document(document, Relinker([]))
    assert (present.document, present.notes) == (document, ())


def test_a_document_whose_file_was_trimmed(footage: Path) -> None:
    document = document_of(footage, [(0.4, 1.2), (1.5, 2.5), (3.0, 3.8)])
    make_video(footage.parent, name="A001.mov", rate=RATE, num_frames=50, timecode="02:00:00:00")
    present = relink_document(document, Relinker([]))
    assert present.notes == (
        f"{footage} has changed since it was scored: its timecode was 01:00:00:00, is 02:00:00:00",
        "A001.mov: it is 2.000 seconds shorter, 1 moment past its end left out, "
        "1 moment cut short there",
    )
    fitted = present.document
    assert [(m.start_seconds, m.end_seconds) for m in fitted.moments] == [(0.4, 1.2), (1.5, 2.0)]
    assert fitted.video.num_frames == 50
    assert fitted.video.sha256_head == content_identity(footage)
    assert len(fitted.scores) == len(fitted.raw_scores) == 2
    edit = build_edit_list([fitted], name="cut", layout=Layout())
    assert [event.frames for event in edit.events] == [range(10, 30), range(38, 50)]
    # A document that was fitted can be written and read again.
    assert ScoresDocument.from_json(fitted.to_json()).video == fitted.video


def test_a_document_whose_file_has_become_longer(footage: Path) -> None:
    document = document_of(footage, [(3.0, 4.0)])
    make_video(footage.parent, name="A001.mov", rate=Fraction(50), num_frames=400)
    present = relink_document(document, Relinker([]))
    assert present.document.video.num_frames == 200
    assert present.document.moments == document.moments
    [note] = present.notes
    assert "its rate was 25, is 50" in note


def test_what_was_scored_is_preferred_to_what_has_its_place(tmp_path: Path, footage: Path) -> None:
    document = document_of(footage, [(0, 1)])
    kept = tmp_path / "kept" / "A001.mov"
    kept.parent.mkdir()
    shutil.copyfile(footage, kept)
    make_video(footage.parent, name="A001.mov", rate=RATE, num_frames=10)
    present = relink_document(document, Relinker([kept.parent]))
    assert present.document.video.path == str(kept)
    assert present.notes == ()


# The command ----------------------------------------------------------------------------------


def export(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["export", *map(str, arguments)])


def test_export_of_a_video_that_is_gone_says_so(tmp_path: Path, footage: Path) -> None:
    document = document_of(footage, [(0, 1)])
    scores, cut = tmp_path / "scores.json", tmp_path / "cut.otio"
    document.write(scores)
    moved = tmp_path / "archive" / "A001.mov"
    moved.parent.mkdir()
    footage.rename(moved)

    gone = export(scores, "-o", cut)
    assert gone.exit_code == 0
    assert f"warning: {footage} is not there" in gone.stderr
    table = export(scores, "-o", tmp_path / "cut.csv")
    assert "warning" not in table.stderr
    mapped = export(scores, "-o", cut, "--map-path", f"{footage.parent}=/Volumes/footage")
    assert "warning" not in mapped.stderr

    found = export(scores, "-o", cut, "--search", tmp_path)
    assert found.exit_code == 0
    assert [line.partition(": ")[0] for line in found.stderr.splitlines()] == [f"wrote {cut}"]
    assert read_timeline(cut).edit.events[0].source.path == str(moved)

    make_video(moved.parent, name="A001.mov", rate=RATE, num_frames=100)
    other = export(scores, "-o", cut, "--search", tmp_path)
    assert other.exit_code == 3
    assert "has other content" in other.stderr


def test_export_of_a_video_that_was_trimmed(tmp_path: Path, footage: Path) -> None:
    scores, cut = tmp_path / "scores.json", tmp_path / "cut.otio"
    document_of(footage, [(0.4, 1.2), (3.0, 3.8)]).write(scores)
    make_video(footage.parent, name="A001.mov", rate=RATE, num_frames=50)
    result = export(scores, "-o", cut)
    assert result.exit_code == 0
    assert "1 moment past its end left out" in result.stderr
    [event] = read_timeline(cut).edit.events
    assert (event.frames, event.source.num_frames) == (range(10, 30), 50)
    make_video(footage.parent, name="A001.mov", rate=RATE, num_frames=5)
    nothing = export(scores, "-o", cut)
    assert nothing.exit_code == 6
    assert "2 moments past its end left out" in nothing.stderr
