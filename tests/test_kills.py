"""A sample of scripts/prove-kills, which does the same with more videos and more kills."""

from __future__ import annotations

import importlib
import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks at processes by /proc")
def test_killed_runs_lose_nothing_and_do_nothing_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    monkeypatch.delenv("HL_CACHE_DIR")
    monkeypatch.setattr(sys, "path", list(sys.path))
    script = importlib.import_module("prove_kills")
    counts = script.prove(tmp_path, clips=6, kills=3, jobs=2, seed=4)
    assert counts["parents killed"] + counts["workers killed"] > 0


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks at processes by /proc")
@pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="Ray is not installed")
@pytest.mark.skipif(importlib.util.find_spec("pyarrow") is None, reason="pyarrow is not installed")
def test_a_cluster_that_loses_a_worker_and_a_node_loses_no_video(tmp_path: Path) -> None:
    # In a process of its own: Ray leaves open files to the end of its process.
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "prove_kills.py"), "--ray", "--clips", "8"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "clips 8, poison files 2, poisoned" in done.stdout
