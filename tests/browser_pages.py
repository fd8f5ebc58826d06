"""Pages in a real Chromium, as a person would use them: the scripts of `tests/browser`."""

from __future__ import annotations

import functools
import hashlib
import json
import os
import re
import shutil
import socket
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from hlcli.lock import exclusive_lock

REPOSITORY = Path(__file__).resolve().parents[1]
SOURCE = REPOSITORY / "tests" / "browser"
# A copy, so that no node_modules lies beside sources; it is kept for later runs.
FOLDER = REPOSITORY / "build" / "browser"


def chromium() -> str:
    """Return the browser's program; skips where there is none."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        found = shutil.which(name)
        if found is not None:
            return found
    pytest.skip("Chromium is not installed")


@functools.cache
def missing_node(*oldest: int) -> str:
    """Return why node and npm cannot be used here, or nothing where they can.

    Args:
        oldest: The first version of node that will do, as 20, 19.
    """
    node = shutil.which("node")
    if node is None or shutil.which("npm") is None:
        return "node and npm are not installed"
    said = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout
    version = tuple(int(part) for part in re.findall(r"\d+", said)[:3])
    if version < oldest:
        return f"node {said.strip()} is too old, {oldest[0]} or later is needed"
    return ""


@functools.cache
def missing_packages(folder: Path) -> str:
    """Fetch what a folder's `package-lock.json` names; returns why that cannot be done here."""
    if why := missing_node(18):
        return why
    # Tests in other processes want them, too.
    with exclusive_lock(folder / ".lock", on_wait=lambda: None):
        return _fetch_packages(folder)


def _fetch_packages(folder: Path) -> str:
    digest = hashlib.sha256((folder / "package-lock.json").read_bytes()).hexdigest()
    stamp = folder / "node_modules" / f".installed-{digest[:16]}"
    if not stamp.is_file():
        done = subprocess.run(
            [shutil.which("npm") or "npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"],
            cwd=folder, capture_output=True, text=True, timeout=400,
        )  # fmt: skip
        if done.returncode != 0:
            return f"npm could not fetch the packages: {done.stderr.strip()[-300:]}"
        stamp.touch()
    return ""


@functools.cache
def _missing_driver() -> str:
    FOLDER.mkdir(parents=True, exist_ok=True)
    for path in SOURCE.iterdir():
        shutil.copyfile(path, FOLDER / path.name)
    return missing_packages(FOLDER)


def run_script(
    name: str, settings: Mapping[str, Any], environment: Mapping[str, str] | None = None
) -> Any:
    """Run a script of `tests/browser` and return what it saw; skips where it cannot run.

    Args:
        name: Of the script, as `visit.js`.
        settings: What it is told; the browser's program is added.
        environment: Variables beside those of this process.
    """
    program = chromium()
    if why := _missing_driver():
        pytest.skip(why)
    given = {"chromium": program, "slow": int(os.environ.get("HL_BROWSER_SLOW", "0")), **settings}
    done = subprocess.run(
        [shutil.which("node") or "node", name, json.dumps(given)],
        cwd=FOLDER,
        env={**os.environ, **(environment or {})},
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=900,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def free_port() -> str:
    """Return a port that nobody has."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


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
    settings = {
        "address": address, "widths": list(widths), "dark": dark,
        "shots": None if shots is None else str(shots), "name": name,
    }  # fmt: skip
    seen: list[dict[str, Any]] = run_script("visit.js", settings)
    return seen
