"""The Python script for DaVinci Resolve Studio, against the same fake and the published types."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from edit_list_factory import ODD_NAME
from fake_resolve import FakeTimeline, Media, World
from resolve_desk import (
    PLACES_30,
    PLUGIN,
    Desk,
    custom_data,
    make_program,
    posix,
    ready_clip,
)

from hlcli.timeline.resolve_records import HEADER, parse_records, record, records_text

SCRIPT = PLUGIN / "hl_highlights.py"


def load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("hl_highlights", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    import lupa.luajit21

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("HOME", str(tmp_path))
    return Desk(tmp_path, lupa.luajit21, World(media={}, product="DaVinci Resolve Studio"))


def press(desk: Desk, capsys: pytest.CaptureFixture[str]) -> str:
    module = load(desk.fusion / "Scripts" / "Utility" / "hl Highlights for Studio.py")
    vars(module).update(resolve=desk.world.resolve, POLL_SECONDS=0.1)
    module.main()
    assert desk.world.violations == []
    desk.lines = capsys.readouterr().out.splitlines()
    return desk.lines[-1]


def test_the_published_types_agree() -> None:
    checked = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--no-incremental", str(SCRIPT)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout


def test_the_types_are_looked_at(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.py"
    wrong.write_text(
        SCRIPT.read_text(encoding="utf-8").replace(".CreateEmptyTimeline(", ".CreateTimeline("),
        encoding="utf-8",
    )
    checked = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--no-incremental", str(wrong)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert '"MediaPool" has no attribute "CreateTimeline"' in checked.stdout


@posix
def test_clip_becomes_a_timeline_with_markers(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    ready_clip(desk)
    last = press(desk, capsys)
    assert last == "hl: 3 highlights on the timeline match highlights"
    (timeline,) = desk.world.timelines
    assert timeline.places("video") == timeline.places("audio") == PLACES_30
    ids = [
        "hl:aaaaaaaaaaaa-60-120",
        "hl:aaaaaaaaaaaa-300-375",
        "hl:aaaaaaaaaaaa-600-630",
    ]
    assert list(custom_data(timeline.markers).values()) == ids
    # Once more, under another name, and in the format that keeps markers on clips.
    desk.options("import otio")
    assert press(desk, capsys) == "hl: 3 highlights on the timeline match highlights 2"
    timeline = desk.world.timelines[-1]
    marks = [marker for item in timeline.tracks["video"][0] for marker in item.markers.values()]
    assert [mark["customData"] for mark in marks] == ids
    assert timeline.markers == {}


def shift(timeline: FakeTimeline) -> None:
    timeline.tracks["video"][0][1].start += 1


@posix
@pytest.mark.parametrize("exclusive", [True, False])
@pytest.mark.parametrize("refuses", [True, False])
def test_what_does_not_come_in_right_is_built(
    desk: Desk, capsys: pytest.CaptureFixture[str], exclusive: bool, refuses: bool
) -> None:
    ready_clip(desk)
    desk.world.exclusive_ends, desk.world.refuses_import = exclusive, refuses
    desk.world.damages_import = shift
    press(desk, capsys)
    (timeline,) = desk.world.timelines
    assert timeline.start == 108000
    assert timeline.places("video") == timeline.places("audio") == PLACES_30
    assert set(custom_data(timeline.markers).values()) == {
        "hl:aaaaaaaaaaaa-60-120",
        "hl:aaaaaaaaaaaa-300-375",
        "hl:aaaaaaaaaaaa-600-630",
    }


@posix
def test_neither_way_works(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    path = ready_clip(desk)
    desk.world.media[path] = Media(rate=Fraction(30), num_frames=310)
    last = press(desk, capsys)
    assert last.startswith("hl: the timeline could not be made: ")
    assert desk.world.timelines == []


@posix
def test_what_stops_it(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    make_program(desk, "status(state='failed', message='no picture', hint='')\n")
    assert press(desk, capsys).startswith("hl: select a clip in the media pool")
    ready_clip(desk)
    make_program(desk, "status(state='failed', message='no picture', hint='')\n")
    assert press(desk, capsys) == "hl: no picture"
    desk.world.project_name = "Untitled Project"
    assert press(desk, capsys) == "hl: save the project under a name first (File > Save Project)"
    desk.world.modal = "TranscribeAudio"
    assert press(desk, capsys) == "hl: Resolve does not answer: close the dialog that is open"


@posix
def test_job_of_the_lua_script_is_the_same_job(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    path = ready_clip(desk, ODD_NAME)
    desk.options("top 5", "handles 1s")
    desk.press("hl Highlights")
    press(desk, capsys)
    (job,) = desk.jobs
    assert (job / "starts").read_text() == "resolve-job\n" * 2
    assert record("file", path=path) in parse_records((job / "request.txt").read_text("utf-8"))


def test_records_are_those_of_hl() -> None:
    script: Any = load(SCRIPT)
    fields = {"a": "\\t\t\n\r=", "b": "\u00e4\u2028", "c": ""}
    ours = records_text([record("item", **fields)])
    assert script.records_text([("item", fields)]) == ours
    assert script.parse_records(ours) == [("item", fields)]
    for text in ("", "end\n", f"{HEADER}\na\tb=\\q\nend\n", f"{HEADER}\na\tb\nend\n"):
        with pytest.raises(ValueError):  # noqa: PT011
            script.parse_records(text)
