"""HL_PROGRESS=json: what programs that start `hl` read on stderr."""

from __future__ import annotations

import json

import pytest

from hlcli.cli import console
from hlcli.cli.console import progress_bar
from hlcli.progress import silent


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Return the time that passes, in seconds, as a list of one."""
    now = [100.0]
    monkeypatch.setenv("HL_PROGRESS", "json")
    monkeypatch.setattr(console.time, "monotonic", lambda: now[0])
    return now


def test_ten_lines_a_second_and_the_last_one(
    clock: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    with progress_bar(quiet=False) as progress:
        for step in range(101):
            progress("\u00e4.mov: looking", step / 10, 10.0)
            clock[0] += 0.03125
        progress("writing", 0, 0)
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    looked = [line["done"] for line in lines if line["stage"] == "\u00e4.mov: looking"]
    # Every fourth step is the first one at least a tenth of a second after the last line.
    assert looked == [step / 10 for step in range(0, 101, 4)]
    assert lines[-1] == {"stage": "writing", "done": 0, "total": 0}
    assert len(lines) == len(looked) + 1


def test_the_end_of_a_stage_is_never_left_out(
    clock: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    with progress_bar(quiet=False) as progress:
        progress("a", 1.0, 2.0)
        progress("a", 1.5, 2.0)
        progress("a", 2.0, 2.0)
    lines = [json.loads(line)["done"] for line in capsys.readouterr().err.splitlines()]
    assert lines == [1.0, 2.0]


def test_quiet_is_quiet(clock: list[float]) -> None:
    with progress_bar(quiet=True) as progress:
        assert progress is silent
