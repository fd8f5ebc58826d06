"""`hl resolve-job`: what the plugin's scripts start, without the scripts."""

from __future__ import annotations

import os
import subprocess
import time
from fractions import Fraction
from pathlib import Path
from typing import Any

import opentimelineio
import pytest
from document_factory import make_document
from typer.testing import CliRunner

from hlcli.cli import app
from hlcli.cli.resolve_status import ALIVE_SECONDS, Status
from hlcli.document import ScoresDocument
from hlcli.errors import HlError, MediaUnreadableError
from hlcli.timeline.resolve_records import Record, parse_records, record, records_text


class Scores:
    """A pipeline that knows its answers; a file that it does not know is damaged."""

    documents: dict[str, ScoresDocument] = {}  # noqa: RUF012
    asked: list[tuple[str | None, str, bool]] = []  # noqa: RUF012

    def __init__(self, *, model_name: str | None, device: str) -> None:
        self.device = device
        self.settings = (model_name, device)

    def check_device(self) -> None:
        """Nothing is computed."""

    def score(self, path: Path, *, visual_only: bool, progress: Any, remark: Any) -> ScoresDocument:
        self.asked.append((*self.settings, visual_only))
        progress("looking", 30.0, 60.0)
        if str(path) not in self.documents:
            raise MediaUnreadableError(f"{path.name} is not a video", hint="choose another")
        return self.documents[str(path)]


@pytest.fixture
def scores(monkeypatch: pytest.MonkeyPatch) -> type[Scores]:
    monkeypatch.setattr("hlcli.workflows.score.Pipeline", Scores)
    monkeypatch.setattr(Scores, "documents", {})
    monkeypatch.setattr(Scores, "asked", [])
    return Scores


def ask(folder: Path, *records: Record) -> int:
    (folder / "request.txt").write_text(records_text(records), encoding="utf-8", newline="\n")
    return CliRunner().invoke(app, ["resolve-job", str(folder)]).exit_code


def said(folder: Path) -> dict[str, str]:
    fields = parse_records((folder / "status.txt").read_text(encoding="utf-8"))[0].fields
    assert int(fields.pop("process")) == os.getpid()
    assert abs(int(fields.pop("time")) - time.time()) < 60
    return fields


def plan(folder: Path, kind: str) -> list[dict[str, str]]:
    records = parse_records((folder / "plan.txt").read_text(encoding="utf-8"))
    return [one.fields for one in records if one.kind == kind]


def test_highlights_of_two_files_at_the_rate_of_the_project(
    tmp_path: Path, scores: type[Scores]
) -> None:
    scores.documents["/f/a.mp4"] = make_document(path="/f/a.mp4", frame_rate=Fraction(24))
    scores.documents["/f/b.mp4"] = make_document(path="/f/b.mp4", identity="c" * 64)
    job = record("job", kind="highlights", name="day \u00e4", frame_rate="29.97 DF")
    chosen = [record("option", name="top", value="1"), record("option", name="order", value="rank")]
    files = [record("file", path="/f/a.mp4"), record("file", path="/f/b.mp4")]
    assert ask(tmp_path, job, *files, *chosen) == 0
    assert said(tmp_path)["state"] == "done"
    (timeline,) = plan(tmp_path, "timeline")
    assert timeline["rate"] == "30000/1001"
    assert timeline["name"] == "day \u00e4"
    # FCPXML first: it comes in whole however Resolve finds the media.
    files = [Path(one["file"]) for one in plan(tmp_path, "import")]
    assert files == [tmp_path / "timeline.fcpxml", tmp_path / "timeline.otio"]
    assert '<project name="day \u00e4">' in files[0].read_text(encoding="utf-8")
    read = opentimelineio.adapters.read_from_file(str(files[1]))
    assert read.name == "day \u00e4"
    assert {item["exact"] for item in plan(tmp_path, "item")} == {"0"}
    # Pictures and sounds of one file each: as many clips as the timeline has.
    assert len(plan(tmp_path, "item")) == len(list(read.find_clips())) == 4
    assert scores.asked == [(None, "auto", False)] * 2


def test_rate_that_fcpxml_does_not_have_leaves_opentimelineio(
    tmp_path: Path, scores: type[Scores]
) -> None:
    scores.documents["/f/a.mp4"] = make_document(path="/f/a.mp4", frame_rate=Fraction(15))
    job = record("job", kind="highlights", name="x")
    assert ask(tmp_path, job, record("file", path="/f/a.mp4")) == 0
    assert [Path(one["file"]).name for one in plan(tmp_path, "import")] == ["timeline.otio"]


def test_marks_need_no_timeline_and_have_the_ids_of_the_cuts(
    tmp_path: Path, scores: type[Scores]
) -> None:
    scores.documents["/f/a.mp4"] = make_document(path="/f/a.mp4")
    ids = []
    for kind in ("highlights", "marks"):
        assert (
            ask(tmp_path, record("job", kind=kind, name="x"), record("file", path="/f/a.mp4")) == 0
        )
        ids.append({mark["id"] for mark in plan(tmp_path, "mark")})
    assert ids[0] == ids[1] != set()
    assert plan(tmp_path, "import") == []


def test_one_file_that_cannot_be_read_does_not_stop_the_other(
    tmp_path: Path, scores: type[Scores]
) -> None:
    scores.documents["/f/a.mp4"] = make_document(path="/f/a.mp4")
    job = record("job", kind="marks", name="x")
    wrong = record("file", path="/f/text.mp4")
    assert ask(tmp_path, job, wrong, record("file", path="/f/a.mp4")) == 0
    records = parse_records((tmp_path / "status.txt").read_text(encoding="utf-8"))
    assert records[1:] == [record("warning", text="text.mp4 is not a video")]
    assert [source["path"] for source in plan(tmp_path, "source")] == ["/f/a.mp4"]

    assert ask(tmp_path, job, wrong) == 3
    assert said(tmp_path) | {"stage": ""} == {
        "state": "failed",
        "message": "text.mp4 is not a video",
        "hint": "choose another",
        "code": "3",
        "stage": "",
        "file": "/f/text.mp4",
        "number": "1",
        "count": "1",
        "done": "30",
        "total": "60",
    }


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("top", "many", "options.txt: top 'many' is no number"),
        ("order", "sideways", "options.txt: order 'sideways' is unknown"),
        ("visual_only", "maybe", "options.txt: visual_only 'maybe'"),
        ("colour", "red", "options.txt: 'colour' is unknown"),
    ],
)
def test_options_that_are_wrong_are_named(
    tmp_path: Path, scores: type[Scores], name: str, value: str, message: str
) -> None:
    scores.documents["/f/a.mp4"] = make_document(path="/f/a.mp4")
    job = record("job", kind="marks", name="x")
    option = record("option", name=name, value=value)
    assert ask(tmp_path, job, record("file", path="/f/a.mp4"), option) == 2
    assert said(tmp_path)["message"] == message


def test_request_that_is_none(tmp_path: Path) -> None:
    assert ask(tmp_path, record("job", kind="dance"), record("file", path="/x")) == 2
    assert ask(tmp_path, record("file", path="/x")) == 2
    (tmp_path / "request.txt").write_text("hl-resolve\t9\nend\n", encoding="utf-8")
    assert CliRunner().invoke(app, ["resolve-job", str(tmp_path)]).exit_code == 2
    assert said(tmp_path)["hint"].startswith("run `hl plugins install resolve` again")


def test_job_at_work_is_left_alone(tmp_path: Path) -> None:
    with Status(tmp_path) as first:
        first.file(1, 1, "/f/a.mp4")
        assert first.is_ours
        assert ask(tmp_path, record("job", kind="marks"), record("file", path="/x")) == 0
        assert said(tmp_path)["state"] == "running"
        first.finish()
    assert said(tmp_path)["state"] == "done"


def test_job_that_died_is_taken_over(tmp_path: Path) -> None:
    old = record("status", state="running", time=int(time.time()) - ALIVE_SECONDS - 1)
    (tmp_path / "status.txt").write_text(records_text([old]), encoding="utf-8")
    with Status(tmp_path) as status:
        assert status.is_ours
        status.fail(HlError("over", hint="and out"))
    assert said(tmp_path) == {
        "state": "failed", "stage": "starting", "message": "over", "hint": "and out", "code": "1",
    }  # fmt: skip


def test_sign_of_life_comes_while_nothing_else_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hlcli.cli.resolve_status._BEAT_SECONDS", 0.02)
    with Status(tmp_path):
        (tmp_path / "status.txt").unlink()
        while not (tmp_path / "status.txt").exists():
            time.sleep(0.01)
        assert said(tmp_path)["state"] == "running"


@pytest.mark.parametrize(("exit_code", "state"), [(0, "done"), (7, "failed")])
def test_learning_from_a_cut_is_what_the_command_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, exit_code: int, state: str
) -> None:
    commands: list[list[str]] = []

    def run(command: list[str], **_: object) -> subprocess.CompletedProcess[bytes]:
        commands.append(command)
        return subprocess.CompletedProcess(command, exit_code)

    footage = str(tmp_path / "gone.mp4")
    job = record("job", kind="finetune", name="weddings", cut="/cuts/film.otio")
    with monkeypatch.context() as patch:
        patch.setattr("hlcli.cli.resolve_job.subprocess.run", run)
        assert ask(tmp_path, job, record("file", path=footage)) == exit_code
    assert said(tmp_path)["state"] == state
    (command,) = commands
    assert command[1:3] == ["-m", "hlcli"]
    # The real command understands every word of it: what it misses is the footage.
    answer = CliRunner().invoke(app, command[3:])
    assert answer.exit_code == 3
    assert footage in answer.output.replace("\n", "")
