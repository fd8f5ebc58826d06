"""A sample of scripts/prove-kills, which does the same with more videos and more kills."""

from __future__ import annotations

import importlib
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
