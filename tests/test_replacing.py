"""A file that is written again: what somebody changed in it is kept, what hl left is not."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from document_factory import make_document
from typer.testing import CliRunner, Result

from hlcli.cli import app
from hlcli.paths import written_dir
from hlcli.workflows import replacing

FORMATS = [".otio", ".xml", ".fcpxml", ".edl", ".mlt", ".kdenlive", ".csv", ".json", ".ffmetadata"]


@pytest.fixture(autouse=True)
def scores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    make_document(audio=False).write(Path("scores.json"))


def export(output: str, *options: str) -> Result:
    result = CliRunner().invoke(app, ["export", "scores.json", "-o", output, *options])
    assert result.exit_code == 0, result.stderr
    return result


def names() -> list[str]:
    return sorted(path.name for path in Path().iterdir() if path.name != "scores.json")


@pytest.mark.parametrize("suffix", FORMATS)
def test_what_was_edited_is_kept_and_said(suffix: str) -> None:
    output = f"cut{suffix}"
    export(output)
    # However often hl writes it, nothing is kept of what hl left.
    for count in ("2", "3", "2"):
        assert "kept" not in export(output, "--top", count).stderr
    assert names() == [output]
    edited = Path(output).read_bytes() + b"\n"
    Path(output).write_bytes(edited)
    said = export(output, "--top", "3", "-q").stderr
    assert f"{output} was not as hl had written it: what it was is kept as {output}.backup-1" in (
        said
    )
    assert names() == [output, f"{output}.backup-1"]
    assert Path(f"{output}.backup-1").read_bytes() == edited
    assert Path(output).read_bytes() != edited
    # A second time it gets another name.
    Path(output).write_bytes(edited + b"\n")
    assert f"kept as {output}.backup-2" in export(output).stderr
    assert Path(f"{output}.backup-1").read_bytes() == edited
    assert "kept" not in export(output).stderr


def test_a_file_of_others_is_kept() -> None:
    Path("cut.edl").write_text("TITLE: mine\n")
    export("cut.edl")
    assert Path("cut.edl.backup-1").read_text() == "TITLE: mine\n"


def test_a_copy_of_what_hl_wrote_needs_no_second_one() -> None:
    export("cut.otio")
    shutil.copy("cut.otio", "copy.otio")
    Path("cut.otio").rename("moved.otio")
    assert "kept" not in export("copy.otio", "--top", "2").stderr
    assert "kept" not in export("moved.otio", "--top", "3").stderr


def test_without_a_memory_one_is_kept_too_often_and_never_too_seldom(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    export("cut.otio")
    shutil.rmtree(written_dir())
    assert "kept as cut.otio.backup-1" in export("cut.otio", "--top", "2").stderr
    # The same content written again is none that is lost.
    shutil.rmtree(written_dir())
    assert "kept" not in export("cut.otio", "--top", "2").stderr
    # A cache that cannot be written is no reason not to write a timeline.
    (tmp_path / "blocked").write_text("")
    monkeypatch.setenv("HL_CACHE_DIR", str(tmp_path / "blocked"))
    export("new.otio")
    assert "kept as new.otio.backup-1" in export("new.otio", "--top", "3").stderr


@pytest.mark.skipif(os.name == "nt", reason="links need rights on Windows")
def test_behind_a_link_the_content_is_kept() -> None:
    Path("elsewhere").mkdir()
    Path("elsewhere/cut.otio").write_text("mine")
    Path("cut.otio").symlink_to("elsewhere/cut.otio")
    export("cut.otio")
    assert Path("cut.otio.backup-1").read_text() == "mine"
    assert Path("cut.otio").is_symlink()
    assert Path("elsewhere/cut.otio").read_text().startswith("{")


def test_where_there_are_no_links_it_is_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(source: object, target: object) -> None:
        raise PermissionError("no links here")

    monkeypatch.setattr(os, "link", refuse)
    Path("cut.otio").write_text("mine")
    Path("cut.otio.backup-1").write_text("older")
    assert "kept as cut.otio.backup-2" in export("cut.otio").stderr
    assert Path("cut.otio.backup-1").read_text() == "older"
    assert Path("cut.otio.backup-2").read_text() == "mine"


def test_when_writing_fails_the_file_stays_and_nothing_lies_beside_it() -> None:
    Path("cut.txt").write_text("my chapters")  # The cut is too short for YouTube's chapters.
    result = CliRunner().invoke(app, ["export", "scores.json", "-o", "cut.txt", "--top", "1"])
    assert result.exit_code == 2
    assert names() == ["cut.txt"]
    assert Path("cut.txt").read_text() == "my chapters"


def test_the_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replacing, "MOST_REMEMBERED", 3)
    for number in range(6):
        export(f"{number}.csv", "--top", str(1 + number))
    assert len(list(written_dir().iterdir())) == 3
    assert "kept" not in export("5.csv", "--top", "1").stderr
