"""Several processes train as one: the same losses, one writer, an end for all."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.distributed as dist
from test_training import make_corpus, make_recipe

from hlcli.errors import TrainingError
from hlcli.model.checkpoint import read_tensors
from hlcli.training.distributed import Ranks, device_name, joined, ranks_of_environment
from hlcli.training.forward import TrainedNetwork
from hlcli.training.recipe import RaslRecipe, read_recipe, to_toml
from hlcli.training.run import train_on
from hlcli.training.shard_index import ShardIndex, ShardVideo
from hlcli.training.shards import ShardedCorpus, ShardWriter

ROOT = Path(__file__).parents[1]
TOLERANCE = 1e-4  # of a loss, relative: sums are taken in another order (seen: 4e-7)


def write_shards(folder: Path) -> Path:
    corpus = make_corpus()
    folder.mkdir()
    writer = ShardWriter(folder, ShardIndex(corpus.spec))
    for number, (name, video) in enumerate(zip(corpus.names, corpus.videos, strict=True)):
        # Some videos are silent, so that the processes' shares of sound are uneven.
        video = video.without_audio() if number % 2 else video
        writer.add(
            ShardVideo(source=f"/{name}", size_bytes=1, changed_ns=1, identity=f"{number:016x}"),
            video,
        )
    writer.flush()
    return folder


def write_recipe(tmp_path: Path, name: str, shards: Path, **training: object) -> Path:
    recipe = make_recipe(tmp_path / name, **{"batch_size": 5, "ema_decay": 0.9, **training})
    path = tmp_path / f"{name}.toml"
    text = to_toml(recipe)
    path.write_text(
        text.replace('shards = ""', f"shards = {json.dumps(str(shards))}")
        # What is dropped would differ between one process and two.
        .replace("dropout = 0.1", "dropout = 0.0"),
        encoding="utf-8",
    )
    return path


def start(recipe: Path, *before: str, **variables: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", **variables}
    return subprocess.Popen(
        [sys.executable, *before, "-m", "hlcli", "train", str(recipe)],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def start_two(recipe: Path) -> list[subprocess.Popen[str]]:
    """Start both processes as torchrun does, without the time that it takes itself."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    meet = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "WORLD_SIZE": "2"}
    return [start(recipe, **meet, RANK=str(rank), LOCAL_RANK=str(rank)) for rank in range(2)]


def finish_two(processes: list[subprocess.Popen[str]]) -> tuple[list[int], list[str], list[str]]:
    ends = [process.communicate(timeout=120) for process in processes]
    return (
        [process.returncode for process in processes],
        [out for out, _ in ends],
        [err for _, err in ends],
    )


def losses(folder: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (folder / "losses.jsonl").read_text().splitlines()]


def assert_same_curve(one: Path, two: Path) -> None:
    rows, others = losses(one), losses(two)
    assert [row["step"] for row in rows] == [row["step"] for row in others]
    for row, other in zip(rows, others, strict=True):
        assert set(row) == set(other)
        for name, value in row.items():
            assert value == pytest.approx(other[name], rel=TOLERANCE, abs=1e-6), (row["step"], name)


@pytest.mark.slow
def test_two_processes_train_as_one_and_go_on_where_they_were(tmp_path: Path) -> None:
    shards = write_shards(tmp_path / "shards")
    both = start_two(write_recipe(tmp_path, "both", shards))
    alone = read_recipe(write_recipe(tmp_path, "alone", shards))
    train_on(ShardedCorpus.open(shards), alone)
    codes, outs, errs = finish_two(both)
    assert codes == [0, 0], errs
    # Only the first process speaks.
    assert outs == [f"{tmp_path / 'both' / 'model.safetensors'}\n", ""]
    assert "learning from 24 videos" in errs[0]
    assert "step 12 of 12" in errs[0]
    assert errs[1] == ""
    assert_same_curve(tmp_path / "alone", tmp_path / "both")
    one, _ = read_tensors(tmp_path / "alone" / "model.safetensors")
    two, _ = read_tensors(tmp_path / "both" / "model.safetensors")
    assert set(one) == set(two)
    for name, array in one.items():
        # Adam divides by the size of a gradient, so where that is rounding, so is the step.
        np.testing.assert_allclose(two[name], array, atol=2e-3, err_msg=name)
    # Another such run, started by torchrun and stopped as Ctrl-C does.
    broken = write_recipe(tmp_path, "broken", shards, save_every=1)
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    process = start(broken, *torchrun)
    log = tmp_path / "broken" / "losses.jsonl"
    deadline = time.monotonic() + 100
    while time.monotonic() < deadline and not (log.exists() and log.read_text().count("\n") > 2):
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=100)
    assert process.returncode != 0
    assert "unexpected" not in err
    assert not (tmp_path / "broken" / "model.safetensors").exists()
    codes, _, errs = finish_two(start_two(broken))
    assert codes == [0, 0], errs
    # The same two processes do the same sums in the same order.
    assert losses(tmp_path / "broken") == losses(tmp_path / "both")
    resumed, _ = read_tensors(tmp_path / "broken" / "model.safetensors")
    for name, array in two.items():
        np.testing.assert_array_equal(resumed[name], array, err_msg=name)


def test_an_error_ends_all_and_is_said_once(tmp_path: Path) -> None:
    shards = write_shards(tmp_path / "shards")
    recipe = write_recipe(tmp_path, "run", shards, learning_rate=1e30, warmup_share=0.0)
    codes, _, errs = finish_two(start_two(recipe))
    assert codes == [TrainingError.exit_code] * 2
    assert errs[0].count("no longer a number") == 1
    assert errs[1] == ""
    _, metadata = read_tensors(tmp_path / "run" / "state.safetensors")
    assert json.loads(metadata["hl"])["step"] == len(losses(tmp_path / "run"))


def test_rows_are_dealt_whole_and_in_order() -> None:
    for size in (1, 2, 3, 8):
        for rows in (0, 1, 2, 5, 64):
            bounds = Ranks(size=size).bounds(rows)
            assert bounds[0] == 0
            assert bounds[-1] == rows
            assert len(bounds) == size + 1
            shares = np.diff(bounds)
            assert shares.min() >= rows // size
            assert shares.max() <= -(-rows // size)


@contextlib.contextmanager
def alone_in_a_group(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    dist.init_process_group("gloo", init_method=f"file://{tmp_path}/meet", rank=0, world_size=1)
    try:
        yield
    finally:
        dist.destroy_process_group()


def test_gathering_keeps_the_gradient_and_unused_parameters_get_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    used, unused = torch.nn.Linear(3, 2), torch.nn.Linear(3, 2)
    rows = torch.randn(4, 3)
    with alone_in_a_group(monkeypatch, tmp_path):
        ranks = Ranks(rank=0, size=1)
        (ranks.gather(used(rows), 4) ** 2).sum().backward()
        found = used.weight.grad
        assert found is not None
        expected = torch.autograd.grad((used(rows) ** 2).sum(), used.weight)[0]
        torch.testing.assert_close(found, expected)
        ranks.sum_gradients([*used.parameters(), *unused.parameters()])
        torch.testing.assert_close(used.weight.grad, expected)
        assert unused.weight.grad is None


def test_the_environment_of_torchrun(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("WORLD_SIZE", "RANK", "LOCAL_RANK"):
        monkeypatch.delenv(name, raising=False)
    assert ranks_of_environment() == Ranks()
    with joined(Ranks(), torch.device("cpu")):
        assert not dist.is_initialized()
    monkeypatch.setenv("WORLD_SIZE", "4")
    monkeypatch.setenv("RANK", "3")
    assert ranks_of_environment() == Ranks(rank=3, size=4)
    monkeypatch.setenv("LOCAL_RANK", "1")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert device_name("auto") == "cuda:1"
    assert device_name("cpu") == "cpu"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert device_name("auto") == "auto"


def test_one_process_leaves_every_number_alone() -> None:
    from hlcli.model.detector import RaslNetwork

    recipe: RaslRecipe = make_recipe(Path("unused"))
    torch.manual_seed(0)
    network = RaslNetwork(recipe.model).eval()
    calls = TrainedNetwork(network, device=torch.device("cpu"))
    inputs, mask = torch.randn(2, 5, 4), torch.ones(2, 5, dtype=torch.bool)
    latent = network.encode("visual", inputs, mask)
    assert torch.equal(calls.encode("visual", inputs, mask), latent)
    assert torch.equal(calls.decode("visual", latent, mask), network.decode("visual", latent, mask))
    assert torch.equal(calls.embed("visual", latent), network.embed("visual", latent))
    assert torch.equal(
        calls.activate("visual", inputs, latent, mask)[..., 0], network.rasl(latent, mask)
    )
