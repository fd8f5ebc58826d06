"""`scripts/gpu-check`: what of it needs no GPU."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).resolve().parents[1]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(ROOT / "scripts/gpu_check.py"), *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=dict(os.environ, PYTHONPATH=str(ROOT), OMP_NUM_THREADS="1"),
    )


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_it_says_so_in_one_line() -> None:
    done = run()
    assert done.returncode == 5
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert "--device cpu" in done.stderr


@pytest.mark.slow
def test_the_short_form_on_the_cpu_goes_through_all_of_it() -> None:
    done = run("--device", "cpu")
    assert done.returncode == 0, done.stderr
    table = dict(line.strip("| ").rsplit(" | ", 1) for line in done.stdout.splitlines()[2:])
    # Against itself the CPU has no difference.
    assert table["largest difference of a score from the CPU's"] == "0.00000"
    assert float(table["training steps a second, float32"]) > 0
    assert float(table["training steps a second, bfloat16"]) > 0
    assert table["scores agree"] == "yes"
