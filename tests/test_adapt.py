"""Going on with the training on footage alone: what moves, what stays, how it is stopped."""

from __future__ import annotations

import dataclasses
import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from synthetic_features import SPEC, World
from test_training import DATA, Stop, make_corpus, make_recipe, stop_at

from hlcli.errors import CheckpointError, RecipeError, TrainingError, UsageError
from hlcli.features.types import VideoFeatures
from hlcli.model.checkpoint import read_tensors
from hlcli.model.config import RaslConfig
from hlcli.model.detector import RaslNetwork
from hlcli.model.rasl import RaslScorer
from hlcli.training.corpus import Corpus
from hlcli.training.dataset import SequenceSampler
from hlcli.training.distributed import ALONE, Ranks
from hlcli.training.loop import StepReport
from hlcli.training.objective import compute_losses
from hlcli.training.recipe import ObjectiveConfig, RaslRecipe, TrainingConfig
from hlcli.training.run import train_on
from hlcli.tuning.adapt import AdaptSettings, adapt, fast_precision, trained_with

CPU = torch.device("cpu")
ROOT = Path(__file__).parents[1]
SMALL = AdaptSettings(steps=8, batch_size=4, learning_rate=1e-3, average=0.5)

pytestmark = pytest.mark.usefixtures("one_thread")


def parent_recipe(activation: str = "standing", *, dropout: float = 0.1) -> dict[str, Any]:
    recipe = dataclasses.replace(
        make_recipe(Path("unused")),
        model=RaslConfig(
            width=32,
            input_dim=4,
            rasl_width=16,
            embedding_width=16,
            dropout=dropout,
            activation=activation,  # type: ignore[arg-type]
        ),
    )
    plain = dataclasses.asdict(recipe)
    # As in a model file.
    del plain["output"], plain["data"]["folders"], plain["data"]["manifest"]
    del plain["data"]["shards"]
    return plain


def make_parent(recipe: dict[str, Any], folder: Path) -> RaslScorer:
    from hlcli.model.load import load_scorer

    found = dataclasses.replace(trained_with(recipe), output=str(folder))
    scorer = load_scorer(train_on(make_corpus(), found))
    assert isinstance(scorer, RaslScorer)
    return scorer


@pytest.fixture(scope="module")
def recipe() -> dict[str, Any]:
    return parent_recipe()


@pytest.fixture(scope="module")
def parent(recipe: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> RaslScorer:
    return make_parent(recipe, tmp_path_factory.mktemp("parent"))


def footage(*, seed: int = 7, num_files: int = 3, with_sound: bool = True) -> Corpus:
    """Longer files of event types that the parent has not seen, each in turn."""
    world = World(num_types=4, seed=seed)
    videos = [
        world.video([i // 6 % 4 for i in range(48)], seed=100 + n, with_sound=with_sound)
        for n in range(num_files)
    ]
    return corpus_of(videos)


def corpus_of(videos: list[VideoFeatures]) -> Corpus:
    names = tuple(f"take{n}.mp4" for n in range(len(videos)))
    return Corpus(spec=SPEC, names=names, videos=tuple(videos))


def run(
    parent: RaslScorer,
    corpus: Corpus,
    work: Path,
    recipe: dict[str, Any],
    settings: AdaptSettings = SMALL,
    ranks: Ranks = ALONE,
    **more: Any,
) -> RaslScorer:
    work.mkdir(exist_ok=True)
    return adapt(
        parent,
        corpus,
        settings=settings,
        device=CPU,
        work=work,
        recipe=recipe,
        ranks=ranks,
        **more,
    )


def weights(scorer: RaslScorer) -> dict[str, np.ndarray[Any, Any]]:
    return {name: one.numpy().copy() for name, one in scorer.network.state_dict().items()}


def assert_same(one: RaslScorer, two: RaslScorer) -> None:
    first, second = weights(one), weights(two)
    assert set(first) == set(second)
    for name, array in first.items():
        np.testing.assert_array_equal(array, second[name], err_msg=name)


def loss_on(scorer: RaslScorer, corpus: Corpus, recipe: dict[str, Any]) -> float:
    """The whole objective on batches that no training has drawn."""
    sampler = SequenceSampler(corpus, trained_with(recipe).data, seed=99)
    objective = trained_with(recipe).objective
    with torch.no_grad():
        found = [
            compute_losses(
                scorer.network,
                sampler.batch(step, batch_size=8, objective=objective, period_clips=256),
                objective,
            )["total"].item()
            for step in range(1, 5)
        ]
    return float(np.mean(found))


def test_it_moves_towards_the_footage_and_the_average_part_of_the_way(
    parent: RaslScorer, recipe: dict[str, Any], tmp_path: Path
) -> None:
    corpus = footage()
    before = weights(parent)
    steps = dataclasses.replace(SMALL, steps=40)
    found = {
        share: run(
            parent, corpus, tmp_path / "run", recipe, dataclasses.replace(steps, average=share)
        )
        for share in (0.5, 1.0)
    }
    losses = [loss_on(one, corpus, recipe) for one in (parent, found[0.5], found[1.0])]
    assert losses[0] > losses[1] > losses[2]
    half, whole, start = weights(found[0.5]), weights(found[1.0]), weights(parent)
    moved = 0
    for name, array in start.items():
        np.testing.assert_array_equal(array, before[name], err_msg=name)
        np.testing.assert_allclose(half[name], (array + whole[name]) / 2, atol=1e-6, err_msg=name)
        moved += int(not np.array_equal(array, whole[name]))
        if "input_" in name:
            np.testing.assert_array_equal(array, whole[name], err_msg=name)
    assert moved > 20
    # The trained weights themselves, from the state, are what 1 gives.
    state, _ = read_tensors(tmp_path / "run" / "state.safetensors")
    for name, array in whole.items():
        np.testing.assert_array_equal(state[f"model.{name}"], np.atleast_1d(array), err_msg=name)


def test_average_0_is_the_parent_and_trains_nothing(
    parent: RaslScorer, recipe: dict[str, Any], tmp_path: Path
) -> None:
    seen: list[StepReport] = []
    none = dataclasses.replace(SMALL, average=0.0)
    same = run(parent, footage(), tmp_path / "run", recipe, none, on_step=seen.append)
    assert_same(same, parent)
    assert not seen
    assert list((tmp_path / "run").iterdir()) == []
    video = footage().videos[0]
    for side, one in parent.raw_scores(video, ("v", "a", "va")).items():
        np.testing.assert_array_equal(same.raw_scores(video, (side,))[side], one)


def test_what_is_not_weights_stays_the_parents(
    parent: RaslScorer, recipe: dict[str, Any], tmp_path: Path
) -> None:
    tuned = run(parent, footage(), tmp_path / "run", recipe)
    assert tuned.statistics == parent.statistics
    assert tuned.fusion == parent.fusion
    assert tuned.spec_digest == parent.spec_digest
    assert tuned.config == parent.config
    assert not tuned.network.training
    assert tuned.network is not parent.network


@pytest.mark.parametrize("stop", [2, 5])
def test_a_stopped_run_ends_as_the_uninterrupted_one(
    parent: RaslScorer,
    recipe: dict[str, Any],
    tmp_path: Path,
    stop: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("hlcli.tuning.adapt._SAVE_EVERY", 2)
    corpus = footage()
    whole = run(parent, corpus, tmp_path / "whole", recipe)
    with pytest.raises(Stop):
        run(parent, corpus, tmp_path / "broken", recipe, on_step=stop_at(stop))
    torch.rand(3)  # the caller's own random state plays no part
    seen: list[StepReport] = []
    resumed = run(parent, corpus, tmp_path / "broken", recipe, on_step=seen.append)
    # Steps that were saved are not done again.
    assert [one.step for one in seen] == list(range(stop // 2 * 2 + 1, 9))
    assert_same(whole, resumed)
    one, two = (tmp_path / name / "losses.jsonl" for name in ("whole", "broken"))
    assert one.read_text() == two.read_text()


def test_same_seed_same_weights_other_seed_others(
    parent: RaslScorer, recipe: dict[str, Any], tmp_path: Path
) -> None:
    corpus = footage()
    one = run(parent, corpus, tmp_path / "one", recipe)
    assert_same(one, run(parent, corpus, tmp_path / "two", recipe))
    other = run(parent, corpus, tmp_path / "three", recipe, dataclasses.replace(SMALL, seed=1))
    assert (
        weights(one)["standing.members.0.embed.weight"]
        != weights(other)["standing.members.0.embed.weight"]
    ).any()


def test_a_state_of_other_footage_or_settings_is_refused(
    parent: RaslScorer, recipe: dict[str, Any], tmp_path: Path
) -> None:
    work = tmp_path / "run"
    run(parent, footage(), work, recipe)
    state = (work / "state.safetensors").read_bytes()
    with pytest.raises(TrainingError, match="another recipe or of other videos"):
        run(parent, footage(seed=8), work, recipe)
    with pytest.raises(TrainingError, match="another recipe or of other videos"):
        run(parent, footage(), work, recipe, dataclasses.replace(SMALL, learning_rate=2e-3))
    changed = RaslScorer(
        RaslNetwork(parent.config), spec_digest=parent.spec_digest, statistics=parent.statistics
    )
    with pytest.raises(TrainingError, match="another recipe or of other videos"):
        run(changed, footage(), work, recipe)
    assert (work / "state.safetensors").read_bytes() == state


def test_a_loss_that_is_no_number_stops_it_and_keeps_the_last_good_state(
    parent: RaslScorer, recipe: dict[str, Any], tmp_path: Path
) -> None:
    work = tmp_path / "run"
    wild = dataclasses.replace(SMALL, learning_rate=1e30, steps=30)
    with pytest.raises(TrainingError, match="no longer a number") as caught:
        run(parent, footage(), work, recipe, wild)
    assert "take0.mp4, take1.mp4" in caught.value.message
    assert "leave these files out" in caught.value.hint
    _, metadata = read_tensors(work / "state.safetensors")
    step = json.loads(metadata["hl"])["step"]
    assert f"at step {step + 1};" in caught.value.message
    assert len((work / "losses.jsonl").read_text().splitlines()) == step
    for array in weights(parent).values():
        assert np.isfinite(array).all()


def test_silent_footage_leaves_what_is_sounds_own_alone(
    parent: RaslScorer, recipe: dict[str, Any], tmp_path: Path
) -> None:
    tuned = run(parent, footage(with_sound=False), tmp_path / "run", recipe)
    before, after = weights(parent), weights(tuned)
    for name, array in before.items():
        if name.startswith("branches.audio."):
            np.testing.assert_array_equal(after[name], array, err_msg=name)
    assert (
        before["standing.members.0.embed.weight"] != after["standing.members.0.embed.weight"]
    ).any()
    name = "branches.visual.embed.weight"
    assert (before[name] != after[name]).any()


def test_too_little_footage_is_said(
    parent: RaslScorer, recipe: dict[str, Any], tmp_path: Path
) -> None:
    three_seconds = corpus_of([World().video([0, 1, 2], seed=1)])
    with pytest.raises(TrainingError, match=r"^3 s of footage .* too little") as caught:
        run(parent, three_seconds, tmp_path / "short", recipe)
    assert "at least 32 s" in caught.value.hint
    still = World().video([0], seed=1)
    frozen = dataclasses.replace(
        still,
        duration_seconds=90.0,
        visual_TV=np.repeat(still.visual_TV, 90, axis=0),
        audio_TA=None,
        motion_T=np.zeros(90, np.float32),
        loudness_T=None,
    )
    with pytest.raises(TrainingError, match=r"^90 s of footage that all looks alike"):
        run(parent, corpus_of([frozen]), tmp_path / "still", recipe)
    assert not list(tmp_path.glob("*/*"))


def test_one_short_file_of_two_things_is_enough(
    parent: RaslScorer, recipe: dict[str, Any], tmp_path: Path
) -> None:
    file = World(num_types=2, seed=3).video([0] * 16 + [1] * 8, seed=1)
    tuned = run(parent, corpus_of([file]), tmp_path / "run", recipe)
    assert all(np.isfinite(array).all() for array in weights(tuned).values())


def test_parents_that_cannot_be_trained_on(
    parent: RaslScorer, recipe: dict[str, Any], tmp_path: Path
) -> None:
    from hlcli.model.config import SubspaceConfig
    from hlcli.training.fit_subspace import fit_subspace
    from hlcli.training.recipe import SubspaceRecipe

    closed = fit_subspace(SubspaceRecipe(data=DATA, model=SubspaceConfig(dim=4)), make_corpus())
    with pytest.raises(UsageError, match="'subspace' has no network"):
        run(closed, footage(), tmp_path / "run", recipe)  # type: ignore[arg-type]
    with pytest.raises(RecipeError, match="of kind 'subspace'"):
        run(parent, footage(), tmp_path / "run", {"kind": "subspace"})
    other = dataclasses.replace(SPEC, visual_sha256="3" * 64)
    corpus = dataclasses.replace(footage(), spec=other)
    with pytest.raises(CheckpointError, match="not those the parent was trained on"):
        run(parent, corpus, tmp_path / "run", recipe)


def test_the_recipe_of_a_tuned_parent_is_its_parents(recipe: dict[str, Any]) -> None:
    tuned = {"kind": "finetune", "parent_recipe": {"kind": "finetune", "parent_recipe": recipe}}
    assert trained_with(tuned) == trained_with(recipe)
    assert trained_with(tuned).data.sequence_clips == DATA.sequence_clips
    assert trained_with(None) == trained_with({"kind": "finetune"}) == RaslRecipe()


def test_objective_and_sequences_are_the_parents(
    parent: RaslScorer, recipe: dict[str, Any], tmp_path: Path
) -> None:
    seen: list[StepReport] = []
    only = {**recipe, "objective": dataclasses.asdict(ObjectiveConfig(scl=0.0, kpoint=0.0))}
    run(parent, footage(), tmp_path / "run", only, on_step=seen.append)
    assert [one.step for one in seen] == list(range(1, 9))
    assert set(seen[0].losses) == {"total", "reconstruction", "budget", "masked", "planted"}


@pytest.mark.parametrize(
    "wrong",
    [
        {"steps": 0},
        {"batch_size": 1},
        {"seed": -1},
        {"learning_rate": 0.0},
        {"average": 1.5},
        {"average": float("nan")},
    ],
)
def test_settings_out_of_range(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        AdaptSettings(**wrong)


def test_precision_is_what_the_device_is_fast_at(monkeypatch: pytest.MonkeyPatch) -> None:
    assert fast_precision(CPU) == "float32"
    assert fast_precision(torch.device("mps")) == "float32"
    for supported, precision in ((True, "bfloat16"), (False, "float16")):
        monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda yes=supported: yes)
        assert fast_precision(torch.device("cuda")) == precision
    assert TrainingConfig().precision == "float32"


RANK = """
import sys
from pathlib import Path
import torch
torch.set_num_threads(1)
sys.path.insert(0, {tests!r})
import numpy as np
from test_adapt import footage, run, weights
from test_adapt import parent_recipe
from hlcli.model.load import load_scorer
from hlcli.training.distributed import joined, ranks_of_environment

ranks = ranks_of_environment()
with joined(ranks, torch.device("cpu")):
    tuned = run(
        load_scorer(Path({model!r})), footage(), Path({work!r}), parent_recipe(dropout=0.0),
        ranks=ranks,
    )
np.savez(str(Path({work!r}) / f"rank{{ranks.rank}}.npz"), **weights(tuned))
"""


def test_two_processes_train_as_one(tmp_path: Path) -> None:
    # What is dropped would differ between one process and two.
    recipe = parent_recipe(dropout=0.0)
    parent = make_parent(recipe, tmp_path / "parent")
    model = tmp_path / "parent" / "model.safetensors"
    alone = run(parent, footage(), tmp_path / "alone", recipe)
    both = tmp_path / "both"
    both.mkdir()
    code = RANK.format(tests=str(ROOT / "tests"), model=str(model), work=str(both))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    environment |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "WORLD_SIZE": "2"}
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", code],
            cwd=ROOT,
            env={**environment, "RANK": str(rank), "LOCAL_RANK": str(rank)},
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    errors = [process.communicate(timeout=120)[1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], errors
    lines = (both / "losses.jsonl").read_text().splitlines()
    expected = (tmp_path / "alone" / "losses.jsonl").read_text().splitlines()
    assert len(lines) == len(expected) == SMALL.steps
    for line, other in zip(lines, expected, strict=True):
        assert json.loads(line) == pytest.approx(json.loads(other), rel=1e-4, abs=1e-6)
    with np.load(both / "rank0.npz") as first, np.load(both / "rank1.npz") as second:
        for name, array in weights(alone).items():
            np.testing.assert_array_equal(first[name], second[name], err_msg=name)
            # Adam divides by the size of a gradient, so where that is rounding, so is the step.
            np.testing.assert_allclose(first[name], array, atol=2e-3, err_msg=name)
