"""Opens pages in a real Chromium, as a person would: `tests/browser/visit.js`."""

from __future__ import annotations

import functools
import hashlib
import json
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

SOURCE = Path(__file__).resolve().parent / "browser"
FOLDER = SOURCE.parents[1] / "build" / "browser"


def chromium() -> str:
    """Return the browser's program; skips where there is none."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        found = shutil.which(name)
        if found is not None:
            return found
    pytest.skip("Chromium is not installed")


@functools.cache
def _node() -> tuple[str, str]:
    """Return node, with its packages beside the script under build/, or why there is none."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        return "", "node and npm are not installed"
    FOLDER.mkdir(parents=True, exist_ok=True)
    for path in SOURCE.iterdir():
        shutil.copyfile(path, FOLDER / path.name)
    digest = hashlib.sha256((FOLDER / "package-lock.json").read_bytes()).hexdigest()
    stamp = FOLDER / "node_modules" / f".installed-{digest[:16]}"
    if not stamp.is_file():
        done = subprocess.run(
            [npm, "ci", "--no-audit", "--no-fund", "--ignore-scripts"],
            cwd=FOLDER, capture_output=True, text=True, timeout=400,
        )  # fmt: skip
        if done.returncode != 0:
            return "", f"npm could not fetch the packages: {done.stderr.strip()[-300:]}"
        stamp.touch()
    return node, ""


def visit(
    address: str,
    *,
    widths: Sequence[int] = (1440, 390),
    dark: bool = False,
    shots: Path | None = None,
    name: str = "page",
) -> list[dict[str, Any]]:
    """Open a page at several widths; return what was seen, one entry a width and colour scheme.

    Args:
        address: Of the page, `file:` too.
        widths: Of the window, in pixels.
        dark: Whether to open it in the dark scheme as well.
        shots: Folder for a picture of each visit.
        name: What the pictures' names start with.
    """
    program = chromium()
    node, missing = _node()
    if missing:
        pytest.skip(missing)
    settings = {
        "chromium": program, "address": address, "widths": list(widths), "dark": dark,
        "shots": None if shots is None else str(shots), "name": name,
    }  # fmt: skip
    done = subprocess.run(
        [node, "visit.js", json.dumps(settings)],
        cwd=FOLDER, capture_output=True, text=True, encoding="utf-8", timeout=400,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    seen: list[dict[str, Any]] = json.loads(done.stdout)
    return seen
