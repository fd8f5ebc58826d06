"""The Blender add-on in Blender itself, with the real `hl`: what it lays is read from its render.

Without a window there is nothing to look at; where Xvfb is installed the panel is drawn too.
"""

from __future__ import annotations

import itertools
import json
import os
import shutil
import subprocess
import sys
import wave
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from engines import require, runs
from numbered_footage import (
    SAMPLE_RATE,
    Footage,
    make_footage,
    read_numbers,
    samples,
    sound_lag,
)
from typer.testing import CliRunner

from hlcli.cli import app
from hlcli.document import read_documents
from hlcli.timeline.build import build_edit_list

FIRST = 11
"""Where blender_addon.py puts the strip."""
RATES = {
    "30000/1001 DF": Footage(
        rate=Fraction(30000, 1001), timecode="00:59:58;10", seconds=Fraction(18)
    ),
    "25": Footage(rate=Fraction(25), seconds=Fraction(18)),
}


BLENDER = ["blender", "-b", "--factory-startup", "--python-exit-code", "3", "-P"]


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["blender", "bpy"])
@pytest.mark.parametrize("rate", RATES)
def test_addon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rate: str, engine: str) -> None:
    command = BLENDER
    if engine == "blender":
        require("blender")
    elif python := os.environ.get("HL_BPY_PYTHON"):
        # The package bpy is Blender too: the way to test other versions.
        command = [python]
    else:
        pytest.skip("HL_BPY_PYTHON names no Python with bpy: no second Blender is tested")
    footage = RATES[rate]
    video = make_footage(tmp_path, footage, name="day #2 50% \u00e4.mov")
    report, expected = use(tmp_path, monkeypatch, video, command)
    name = video.name
    assert report["file"].startswith(str(tmp_path / "user scripts/addons/hl_highlights"))
    assert "select a movie strip" in report["without a strip"]
    assert report["active without moments"] is False
    assert report["message"] == f"{len(expected.events)} moments"
    assert report["stages"][0] == "Starting"
    assert report["stages"][-1] == "100%"
    assert report["same again"] is True
    assert "hl is at work already" in report["busy"]
    assert report["cancelled"] == ["cancelled", False, True]
    assert "no-such-model" in report["unknown model"]

    # The scene starts at 24 frames a second, which is no rate of the footage.
    shown = f"{float(footage.rate):.5g} frames a second, the scene 24: set the scene's rate first"
    assert f"footage has {shown}" in report["other rate"]
    assert f"{name} has {shown}" in report["other rate, strips"]
    assert report["left behind"] == []
    nominal = round(footage.rate)
    assert report["rate"] == [nominal, round(nominal / float(footage.rate), 6)]
    assert report["set again"] is False

    events = expected.events
    names = [event.markers[0].name for event in events]
    starts = [FIRST + event.frames.start for event in events]
    visible = [pair for pair in zip(starts, names, strict=True) if pair[0] >= FIRST + 10]
    assert report["markers"] == sorted([list(pair) for pair in visible])

    blocks = report["score strip"]
    assert blocks[0][2] == FIRST + 10
    assert blocks[-1][3] == FIRST + footage.num_frames
    assert all(one[3] == other[2] for one, other in itertools.pairwise(blocks))
    assert all(is_muted and channel == 3 for _, channel, _, _, is_muted in blocks)

    for key, at, channel in (("playhead", 1000, 4), ("scene", 1, 1)):
        movies = [one for one in report[key] if one[0] == "MOVIE"]
        sounds = [one for one in report[key] if one[0] == "SOUND"]
        wanted = [
            [channel + 1, at + event.record.start, len(event.frames), event.frames.start]
            for event in events
        ]
        assert sorted(one[2:] for one in movies) == sorted(wanted)
        # Two strips of a scene never share a name: the sound has a number behind its own.
        scored = sorted(f"{name[:3]} {float(name[4:]):.0%}" for name in names)
        assert sorted(one[1].split(".")[0] for one in movies) == scored
        assert sorted(one[1].split(".")[0] for one in sounds) == scored
    assert report["range"] == [1, expected.num_frames, nominal]

    numbers = [number for event in events for number in event.frames]
    assert read_numbers(tmp_path / "rendered.mp4") == numbers
    heard = read_sound_of(tmp_path / "rendered.wav")
    for event in events:
        lag = sound_lag(
            heard,
            footage,
            track=0,
            source=samples(event.frames, footage.rate),
            record_start=samples(event.record, footage.rate).start,
        )
        assert lag is not None
        assert abs(lag) <= SAMPLE_RATE // 1000
    assert report["gone"] == [False, False, False, False]
    # Settings are the scene's: they outlive the add-on.
    assert report["on again"] == "count"


@pytest.mark.slow
def test_window(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    require("blender")
    if shutil.which("xvfb-run") is None:
        pytest.skip("Xvfb is not installed: the panel is not drawn here")
    video = make_footage(tmp_path, RATES["25"])
    install(tmp_path, monkeypatch)
    monkeypatch.setenv("LIBGL_ALWAYS_SOFTWARE", "1")
    said = subprocess.run(
        [
            "xvfb-run", "-a", "-s", "-screen 0 1400x900x24 +extension GLX",
            "blender", "--factory-startup", "--enable-event-simulate", "--window-geometry",
            "0", "0", "1400", "900", "-P", str(Path(__file__).with_name("blender_window.py")),
            "--", str(video), str(tmp_path),
        ],
        capture_output=True, text=True, errors="replace", timeout=300, check=False,
    )  # fmt: skip
    runs["blender"] += 1
    words = said.stdout + said.stderr
    assert "Traceback" not in words
    assert (tmp_path / "window.json").is_file(), words[-3000:]
    report = json.loads((tmp_path / "window.json").read_text(encoding="utf-8"))
    # Blender went on drawing while hl worked, and the panel said how far it is.
    assert report["drawn while working"] >= 3
    assert report["message"] == "2 moments"
    assert report["scene"] == "hl Highlights"
    assert report["settings"] == ["count", 2]
    assert report["strips"] == 4
    for name in report["pictures"]:
        assert (tmp_path / name).stat().st_size > 10_000


def read_sound_of(path: Path) -> npt.NDArray[np.float32]:
    """Return the first channel of a WAV file of 16 bits."""
    with wave.open(str(path)) as file:
        assert (file.getframerate(), file.getsampwidth()) == (SAMPLE_RATE, 2)
        data = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2")
        return (data[:: file.getnchannels()] / 32768).astype(np.float32)


def install(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put the add-on where only the Blender of this test looks, by `hl plugins`."""
    scripts = folder / "user scripts"
    scripts.mkdir()
    monkeypatch.setenv("BLENDER_USER_SCRIPTS", str(scripts))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    # The window's Python is Blender's own; hl runs by the one of these tests.
    monkeypatch.delenv("PYTHONPATH", raising=False)
    hl = Path(sys.executable).parent / ("hl.exe" if os.name == "nt" else "hl")
    if not hl.is_file():
        pytest.skip("hl is not installed beside this Python")
    assert CliRunner().invoke(app, ["plugins", "install", "blender"]).exit_code == 0


def use(
    folder: Path, monkeypatch: pytest.MonkeyPatch, video: Path, command: list[str]
) -> tuple[dict[str, Any], Any]:
    """Install the add-on, use it in Blender; returns its report and what hl says itself."""
    install(folder, monkeypatch)
    script = Path(__file__).with_name("blender_addon.py")
    said = subprocess.run(
        [*command, str(script), "--", str(video), str(folder)],
        capture_output=True, text=True, errors="replace", timeout=300, check=False,
    )  # fmt: skip
    runs["blender"] += command is BLENDER
    assert said.returncode == 0, said.stdout[-3000:] + said.stderr[-3000:]
    report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    scores = folder / "scores.json"
    result = CliRunner().invoke(app, ["score", str(video), "-o", str(scores), "--top", "3", "-q"])
    assert result.exit_code == 0, result.output
    return report, build_edit_list(read_documents(scores), name="reel")
