"""`hl finetune` that is killed, stopped or broken goes on to the model it would have made."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
import torch
from finetune_factory import make_parent, make_take
from test_finetune import MARKS, hl, labels

from hlcli.cli.finetune import _Display
from hlcli.paths import own_models_dir
from hlcli.training import loop
from hlcli.zoo.manifest import find_model
from hlcli.zoo.own import read_card

STEPS = 60


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    for number in range(4):
        make_take(tmp_path / "raw", number)
    make_parent(tmp_path / "run", tmp_path / "raw")
    return tmp_path / "raw"


def arguments(raw: Path, name: str, steps: int = STEPS) -> list[str]:
    words = ["finetune", str(raw), "--name", name, "--parent", "small"]
    return [*words, "--steps", str(steps), "--seed", "3"]


def work_of(name: str) -> list[Path]:
    return list((own_models_dir() / ".finetune").glob(f"{name}.*"))


def goes_on(raw: Path, name: str) -> None:
    """Run again; the state of step 20 and later is used, and the model is the whole run's."""
    assert len(work_of(name)) == 1
    assert not (own_models_dir() / name).exists()
    again = hl(*arguments(raw, name))
    assert again.exit_code == 0, again.output
    assert "step 18 of 60" not in again.stderr
    assert "step 60 of 60" in again.stderr
    assert work_of(name) == []
    assert hl(*arguments(raw, "whole")).exit_code == 0
    assert find_model(name).sha256 == find_model("whole").sha256
    (loss,) = (one for one in read_card(name).losses if one.name == "total")
    assert loss == next(one for one in read_card("whole").losses if one.name == "total")
    assert loss.num_steps == STEPS
    assert find_model(name).sha256 != find_model("small").sha256


def test_kill_and_again(raw: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "hlcli", *arguments(raw, "killed")],
        stderr=subprocess.PIPE,
        text=True,
        # The order of sums, and with it the last bit, goes with the number of threads.
        env=os.environ | {"OMP_NUM_THREADS": str(torch.get_num_threads())},
    )
    assert process.stderr is not None
    with process.stderr as words:
        for line in words:
            if line.startswith("step 30 of"):
                break
        process.kill()
    process.wait()
    goes_on(raw, "killed")


def test_ctrl_c_and_again(raw: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = _Display.on_step

    def stop(self: _Display, report: loop.StepReport) -> None:
        real(self, report)
        if report.step == 25:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(_Display, "on_step", stop)
        result = hl(*arguments(raw, "stopped"))
    assert result.exit_code == 130
    assert "run the same command to go on" in result.stderr
    goes_on(raw, "stopped")


def test_a_loss_that_is_no_number_names_its_batch_and_keeps_the_good_steps(
    raw: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, calls = loop.compute_losses, [0]

    def losses(*args: Any) -> dict[str, torch.Tensor]:
        found = real(*args)
        calls[0] += 1
        return found if calls[0] <= 30 else {k: v * float("nan") for k, v in found.items()}

    with monkeypatch.context() as patch:
        patch.setattr(loop, "compute_losses", losses)
        result = hl(*arguments(raw, "broken"))
    assert result.exit_code == 7
    assert "the loss is no longer a number" in result.stderr
    assert "at step 31; the batch was cut from take" in result.stderr
    assert "keeps the 30 good steps" in result.stderr
    goes_on(raw, "broken")


def test_other_marks_use_the_training_that_is_done(
    raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    marks = labels(tmp_path / "m.csv", *MARKS)
    words = [*arguments(raw, "taught"), "--labels", marks, "--adapt"]
    with monkeypatch.context() as patch:

        def stop(self: _Display, check: object) -> None:
            raise KeyboardInterrupt

        patch.setattr(_Display, "on_check", stop)
        assert hl(*words).exit_code == 130
    labels(marks, *MARKS, "take2.mp4,0,3,keep")
    result = hl(*words)
    assert result.exit_code == 0, result.output
    assert "step " not in result.stderr
    card = read_card("taught")
    assert [one.way for one in card.lessons] == ["footage", "labels"]
    # The taste of a parent is replaced, and its first parent's recipe goes on.
    words = ["finetune", raw, "--name", "next", "--parent", "taught", "--labels", marks]
    assert hl(*words).exit_code == 0
    assert find_model("next").parent == "taught"


@pytest.mark.slow
def test_two_processes_make_the_model_of_one(raw: Path) -> None:
    assert hl(*arguments(raw, "alone", steps=3)).exit_code == 0
    done = subprocess.run(
        [
            *(sys.executable, "-m", "torch.distributed.run", "--standalone"),
            *("--nproc-per-node=2", "-m", "hlcli", *arguments(raw, "both", steps=3)),
            *("--device", "cpu"),
        ],
        capture_output=True,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [str(own_models_dir() / "both")]
    one, two = (
        safetensors.numpy.load_file(own_models_dir() / name / "model.safetensors")
        for name in ("alone", "both")
    )
    assert one.keys() == two.keys()
    for name, array in one.items():
        # Sums of two processes are rounded in another order: 1.0e-5 on an Intel Xeon with AVX-512.
        np.testing.assert_allclose(two[name], array, atol=3e-5, err_msg=name)
