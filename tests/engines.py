"""The programs that render for the proofs: which are here, and which ran."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections import Counter
from functools import cache
from pathlib import Path

import opentimelineio
import pytest
from numbered_footage import SAMPLE_RATE

NAMES = {"melt": "melt", "blender": "Blender"}
"""What people call each program, by its command."""
runs: Counter[str] = Counter()
"""How often each rendered in this test run, for the summary at its end."""


@cache
def version(program: str) -> str | None:
    """Return the version of an engine as it says it, None where it is not installed."""
    found = shutil.which(program)
    if found is None:
        return None
    said = subprocess.run(
        [found, "--version"], capture_output=True, text=True, check=False, env=_environment()
    )
    number = re.search(r"\d+\.\d+(?:\.\d+)?", said.stdout + said.stderr)
    return number[0] if number else "of unknown version"


def require(program: str) -> None:
    """Skip a test whose engine is not installed, and say so plainly."""
    if version(program) is None:
        pytest.skip(f"{NAMES[program]} is not installed: its renders are not checked here")


def summary() -> str:
    """Return one line on which engines rendered and which could not."""
    words = []
    for program, name in NAMES.items():
        if version(program) is None:
            words.append(f"{name} is not installed, NOT checked")
        elif program == "blender" and not runs[program] and not blender_reads_otio():
            words.append(f"{name} {version(program)} cannot read OpenTimelineIO, NOT checked")
        elif runs[program]:
            words.append(f"{name} {version(program)} rendered {runs[program]} timelines")
        else:
            words.append(f"{name} {version(program)} rendered nothing")
    return "engines: " + "; ".join(words)


def render_with_melt(project: Path, rendered: Path) -> None:
    """Render an MLT or Kdenlive project with `melt`, every frame, the sound uncompressed."""
    command = [
        "melt", "-silent", str(project),
        "-consumer", f"avformat:{rendered}", "real_time=-1", "terminate_on_pause=1",
        "vcodec=libx264", "preset=ultrafast", "crf=16", "g=1", "threads=1",
        "acodec=pcm_s16le", f"ar={SAMPLE_RATE}", "channels=2",
    ]  # fmt: skip
    runs["melt"] += 1
    subprocess.run(command, check=True, env=_environment(), timeout=60, capture_output=True)


@cache
def blender_reads_otio() -> bool:
    """Return whether Blender's Python can import the OpenTimelineIO of these tests.

    Blender brings or borrows a Python of its own, and the library has a compiled part: both must be
    of one version of Python.
    """
    if version("blender") is None:
        return False
    said = _blender("--python-expr", "import opentimelineio; print('otio', opentimelineio)")
    return "otio <module" in said.stdout


def require_blender() -> None:
    """Skip a test where Blender, or OpenTimelineIO inside it, is missing."""
    require("blender")
    if not blender_reads_otio():
        pytest.skip(
            f"Blender {version('blender')} cannot import this Python's OpenTimelineIO: "
            "its renders are not checked here"
        )


def render_with_blender(timeline: Path, rendered: Path) -> None:
    """Render an .otio with Blender's sequencer, pictures only; tests/blender_render.py."""
    script = Path(__file__).with_name("blender_render.py")
    said = _blender("-P", str(script), "--", str(timeline), str(rendered))
    if not rendered.exists():
        raise AssertionError(f"Blender rendered nothing:\n{said.stdout[-2000:]}{said.stderr}")
    runs["blender"] += 1


def _blender(*arguments: str) -> subprocess.CompletedProcess[str]:
    library = str(Path(opentimelineio.__file__).parents[1])
    command = ["blender", "-b", "--factory-startup", "--python-use-system-env", *arguments]
    return subprocess.run(
        command,
        capture_output=True, text=True, timeout=180, check=False,
        env=_environment() | {"PYTHONPATH": library},
    )  # fmt: skip


def _environment() -> dict[str, str]:
    # MLT's Qt module looks for a display, and then does without it.
    return {"DISPLAY": ":0"} | os.environ | {"QT_QPA_PLATFORM": "offscreen"}
