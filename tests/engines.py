"""The programs that render for the proofs: which are here, and which ran."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections import Counter
from functools import cache
from pathlib import Path

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


def _environment() -> dict[str, str]:
    # MLT's Qt module looks for a display, and then does without it.
    return {"DISPLAY": ":0"} | os.environ | {"QT_QPA_PLATFORM": "offscreen"}
