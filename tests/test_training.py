"""Training: sequences, reproducibility, resuming after a kill, losses that fall, hl train."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from synthetic_features import SPEC, World, make_corpus
from typer.testing import CliRunner

from hlcli.cli import app
from hlcli.errors import CheckpointError, OutputError, TrainingError, UsageError
from hlcli.model.checkpoint import Checkpoint, read_tensors
from hlcli.model.config import RaslConfig, SubspaceConfig
from hlcli.model.load import load_scorer
from hlcli.training.corpus import Corpus
from hlcli.training.dataset import SequenceSampler
from hlcli.training.distributed import Ranks
from hlcli.training.loop import StepReport, learning_rate
from hlcli.training.recipe import (
    LOSS_NAMES,
    DataConfig,
    ObjectiveConfig,
    RaslRecipe,
    SubspaceRecipe,
    TrainingConfig,
    read_recipe,
)
from hlcli.training.run import locked_output, train_on
from hlcli.training.segments import group_alike

DATA = DataConfig(sequence_clips=16, pseudo_categories=6, calibration_sequences=8)

pytestmark = pytest.mark.usefixtures("one_thread")


def make_recipe(output: Path, **training: object) -> RaslRecipe:
    settings: dict[str, object] = {"steps": 12, "batch_size": 4, "save_every": 4, **training}
    return RaslRecipe(
        output=str(output),
        data=DATA,
        model=RaslConfig(width=32, input_dim=4, rasl_width=16, embedding_width=16),
        training=TrainingConfig(**settings),  # type: ignore[arg-type]
    )


class Stop(BaseException):
    """What a test stops a run with; nothing catches it, as nothing catches Ctrl-C."""


def stop_at(step: int):  # type: ignore[no-untyped-def]
    def on_step(report: StepReport) -> None:
        if report.step == step:
            raise Stop

    return on_step


def losses(folder: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (folder / "losses.jsonl").read_text().splitlines()]


def test_a_run_leaves_model_recipe_and_losses(tmp_path: Path) -> None:
    recipe = make_recipe(tmp_path / "run")
    path = train_on(make_corpus(), recipe)
    assert path == tmp_path / "run" / "model.safetensors"
    assert read_recipe(tmp_path / "run" / "recipe.toml") == recipe
    rows = losses(tmp_path / "run")
    assert [row["step"] for row in rows] == list(range(1, 13))
    names = {"reconstruction", "budget", "masked", "scl", "kpoint", "planted", "total"}
    assert set(rows[0]) == names | {"step", "learning_rate", "grad_norm"}
    scorer = load_scorer(path, kind="rasl", feature_spec=SPEC)
    scores = scorer.score(World().video([0] * 9 + [1] * 2, seed=1))
    assert scores.raw_T.shape == (11,)
    header = Checkpoint.read(path)
    assert header.recipe["training"]["steps"] == 12
    assert header.config["input_dim"] == 4
    assert header.config["visual_size"] == SPEC.visual_size


@pytest.mark.parametrize("ema_decay", [0.0, 0.9])
def test_a_stopped_run_ends_as_the_uninterrupted_one(tmp_path: Path, ema_decay: float) -> None:
    corpus = make_corpus()
    whole = train_on(corpus, make_recipe(tmp_path / "whole", ema_decay=ema_decay))
    for stop in (3, 6, 11):
        broken = make_recipe(tmp_path / f"broken{stop}", ema_decay=ema_decay)
        with pytest.raises(Stop):
            train_on(corpus, broken, on_step=stop_at(stop))
        assert not (tmp_path / f"broken{stop}" / "model.safetensors").exists()
        torch.rand(3)  # the caller's own random state plays no part
        resumed = train_on(corpus, broken)
        assert resumed.read_bytes() == whole.read_bytes()
        assert losses(tmp_path / f"broken{stop}") == losses(tmp_path / "whole")


KILLED = """
import sys
from pathlib import Path
import torch
torch.set_num_threads(1)
sys.path.insert(0, {tests!r})
from test_training import make_corpus, make_recipe
from hlcli.training.run import train_on
train_on(make_corpus(), make_recipe(Path({output!r}), steps=400, save_every=2))
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
def test_a_killed_process_goes_on(tmp_path: Path) -> None:
    output = tmp_path / "killed"
    root = Path(__file__).parents[1]
    code = KILLED.format(tests=str(root / "tests"), output=str(output))
    process = subprocess.Popen([sys.executable, "-c", code], cwd=root)
    deadline = time.monotonic() + 120
    while not (output / "state.safetensors").exists() and time.monotonic() < deadline:
        assert process.poll() is None
        time.sleep(0.05)
    time.sleep(0.3)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    assert not (output / "model.safetensors").exists()
    # The state is whole, whatever the kill cut through.
    _, metadata = read_tensors(output / "state.safetensors")
    done = json.loads(metadata["hl"])["step"]
    assert done >= 2
    # Going on from there equals a run of the same recipe that was never killed.
    corpus = make_corpus()
    killed = make_recipe(output, steps=400, save_every=2)
    last = done + 4
    with pytest.raises(Stop):
        train_on(corpus, killed, on_step=stop_at(last))
    fresh = make_recipe(tmp_path / "fresh", steps=400, save_every=2)
    with pytest.raises(Stop):
        train_on(corpus, fresh, on_step=stop_at(last))
    assert losses(output) == losses(tmp_path / "fresh")
    one, two = output / "state.safetensors", tmp_path / "fresh" / "state.safetensors"
    assert one.read_bytes() == two.read_bytes()


def test_same_seed_same_bytes_other_seed_other_model(tmp_path: Path) -> None:
    corpus = make_corpus()
    one = train_on(corpus, make_recipe(tmp_path / "one")).read_bytes()
    two = train_on(corpus, make_recipe(tmp_path / "two")).read_bytes()
    other = train_on(corpus, make_recipe(tmp_path / "other", seed=1)).read_bytes()
    assert one == two
    assert one != other


def test_training_leaves_the_callers_random_state_alone(tmp_path: Path) -> None:
    torch.manual_seed(5)
    expected = torch.rand(4)
    torch.manual_seed(5)
    train_on(make_corpus(), make_recipe(tmp_path / "run", steps=1))
    torch.testing.assert_close(torch.rand(4), expected, rtol=0, atol=0)


def test_a_finished_run_is_not_trained_again(tmp_path: Path) -> None:
    corpus, recipe = make_corpus(), make_recipe(tmp_path / "run")
    before = train_on(corpus, recipe).read_bytes()
    seen: list[StepReport] = []
    after = train_on(corpus, recipe, on_step=seen.append).read_bytes()
    assert not seen
    assert before == after


def test_the_state_of_another_run_is_refused(tmp_path: Path) -> None:
    corpus, recipe = make_corpus(), make_recipe(tmp_path / "run")
    train_on(corpus, recipe)
    state = tmp_path / "run" / "state.safetensors"
    before = state.read_bytes()
    other = dataclasses.replace(recipe, objective=ObjectiveConfig(scl=0.0))
    with pytest.raises(TrainingError, match="another recipe or of other videos"):
        train_on(corpus, other)
    with pytest.raises(TrainingError, match="another recipe or of other videos"):
        train_on(make_corpus(20), recipe)
    assert state.read_bytes() == before
    state.write_bytes(before[:-50])
    with pytest.raises(TrainingError, match="is damaged"):
        train_on(corpus, recipe)


def test_a_loss_that_is_no_number_names_the_batch_and_keeps_the_good_steps(tmp_path: Path) -> None:
    corpus = make_corpus()
    recipe = make_recipe(
        tmp_path / "run", learning_rate=1e30, warmup_share=0.0, save_every=100, seed=2
    )
    with pytest.raises(TrainingError, match="no longer a number") as caught:
        train_on(corpus, recipe)
    good = losses(tmp_path / "run")
    assert good
    assert all(np.isfinite(list(row.values())).all() for row in good)
    step = len(good) + 1
    assert f"at step {step};" in caught.value.message
    sampler = SequenceSampler(corpus, DATA, seed=2)
    batch = sampler.batch(step, batch_size=4, objective=recipe.objective, period_clips=256)
    assert ", ".join(batch.names[:8]) in caught.value.message
    _, metadata = read_tensors(tmp_path / "run" / "state.safetensors")
    assert json.loads(metadata["hl"])["step"] == len(good)
    assert not (tmp_path / "run" / "model.safetensors").exists()


def test_features_that_are_no_numbers_name_the_video() -> None:
    corpus = make_corpus(4)
    spoilt = corpus.videos[2].visual_TV.copy()
    spoilt[3, 5] = np.nan
    videos = list(corpus.videos)
    videos[2] = dataclasses.replace(videos[2], visual_TV=spoilt)
    with pytest.raises(TrainingError, match=r"features of v2\.mp4 are not all numbers"):
        dataclasses.replace(corpus, videos=tuple(videos))


def test_learning_rate_warms_up_and_falls_to_nothing() -> None:
    training = TrainingConfig(steps=100, learning_rate=1.0, warmup_share=0.05)
    rates = [learning_rate(step, training) for step in range(1, 101)]
    assert rates[:5] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])
    assert rates[5] == pytest.approx(1.0)
    assert all(a >= b for a, b in itertools.pairwise(rates[5:]))
    assert 0 < rates[-1] < 0.001
    flat = TrainingConfig(steps=3, warmup_share=0.0, learning_rate=1.0)
    assert learning_rate(1, flat) == 1.0


def test_learning_finds_the_planted_events(tmp_path: Path) -> None:
    corpus = make_corpus(48)
    recipe = make_recipe(tmp_path / "run", steps=120, batch_size=8, save_every=1000)
    scorer = load_scorer(train_on(corpus, recipe))
    rows = losses(tmp_path / "run")
    for name in ("reconstruction", "masked", "scl", "kpoint", "planted"):
        first = np.mean([row[name] for row in rows[:10]])
        last = np.mean([row[name] for row in rows[-10:]])
        assert last < first, name
    # Unseen videos of known event types: the rare type gets the highest scores.
    for modality in ("v", "a", "va"):
        hits = 0
        for seed in range(10):
            features = World().video([seed % 6] * 25 + [(seed + 1) % 6] * 5, seed=500 + seed)
            raw = scorer.score(features, modality=modality).raw_T  # type: ignore[arg-type]
            hits += int(np.isin(np.argsort(raw)[-5:], np.arange(25, 30)).sum())
        assert hits >= 45, modality


def test_subspace_run(tmp_path: Path) -> None:
    corpus = make_corpus()
    recipe = SubspaceRecipe(
        output=str(tmp_path / "run"),
        data=DATA,
        model=SubspaceConfig(dim=5, visual_pca=20, audio_pca=20),
    )
    path = train_on(corpus, recipe)
    assert read_recipe(tmp_path / "run" / "recipe.toml") == recipe
    scorer = load_scorer(path, kind="subspace", feature_spec=SPEC)
    raw = scorer.score(World().video([0] * 25 + [1] * 5, seed=3), modality="v").raw_T
    assert len(set(np.argsort(raw)[-5:].tolist()) & set(range(25, 30))) >= 4
    again = train_on(corpus, dataclasses.replace(recipe, output=str(tmp_path / "again")))
    assert again.read_bytes() == path.read_bytes()


def test_corpora_without_sound_are_refused(tmp_path: Path) -> None:
    corpus = make_corpus(4)
    mute = dataclasses.replace(corpus, videos=tuple(v.without_audio() for v in corpus.videos))
    with pytest.raises(TrainingError, match="no video of the corpus has sound"):
        train_on(mute, make_recipe(tmp_path / "run"))
    with pytest.raises(TrainingError, match="no video to learn from"):
        Corpus(spec=SPEC, names=(), videos=())


def test_some_videos_without_sound_are_fine(tmp_path: Path) -> None:
    corpus = make_corpus()
    videos = tuple(v.without_audio() if i % 3 == 0 else v for i, v in enumerate(corpus.videos))
    path = train_on(dataclasses.replace(corpus, videos=videos), make_recipe(tmp_path / "run"))
    assert np.isfinite(load_scorer(path).score(videos[0]).raw_T).all()


def test_output_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot make the folder"):
        train_on(make_corpus(4), make_recipe(tmp_path / "file" / "run"))


HOLDING = """
import sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from test_training import make_recipe
from hlcli.training.run import locked_output
with locked_output(make_recipe(Path({output!r}))):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_two_runs_do_not_write_into_one_folder(tmp_path: Path) -> None:
    root, output = Path(__file__).parents[1], tmp_path / "run"
    recipe = make_recipe(output)
    code = HOLDING.format(tests=str(root / "tests"), output=str(output))
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-c", code], cwd=root, **pipes) as holder:  # type: ignore[call-overload]
        assert holder.stdout.readline() == "held\n"
        busy = pytest.raises(UsageError, match="another run is writing into")
        with busy as caught, locked_output(recipe):
            pytest.fail("two runs hold one folder")
        assert "--set output=FOLDER" in (caught.value.hint or "")
        with locked_output(make_recipe(tmp_path / "other")):
            pass  # other folders are free
        # Of processes that train together only the first one holds the folder.
        with locked_output(recipe, Ranks(rank=1, size=2)):
            pass
        holder.kill()
    # Whoever dies lets go.
    with locked_output(recipe):
        pass


def test_a_locked_folder_is_refused_before_any_video_is_read(tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(f'kind = "subspace"\noutput = "{(tmp_path / "run").as_posix()}"\n')
    with locked_output(read_recipe(recipe)):
        result = CliRunner().invoke(app, ["train", str(recipe)])
    assert result.exit_code == UsageError.exit_code
    assert "another run is writing into" in result.stderr
    assert result.stdout == ""


def test_sequences_are_composed_as_written() -> None:
    corpus = make_corpus(40)
    data = dataclasses.replace(DATA, sequence_clips=40)
    sampler = SequenceSampler(corpus, data, seed=3)
    by_category = {(s.video, s.start): s.category for s in sampler.segments}
    rng = np.random.default_rng(0)
    for _ in range(50):
        drawn = sampler.draw(rng, 40)
        lengths = [stop - start for _, start, stop in drawn.pieces]
        assert sum(lengths) == len(drawn.planted_T) == 40
        share = drawn.planted_T.mean()
        assert 0.05 <= share <= 0.42
        features = sampler.features(drawn)
        assert features.num_clips == 40
        position, inside, outside = 0, set(), set()
        for video, start, stop in drawn.pieces:
            part = slice(position, position + stop - start)
            np.testing.assert_array_equal(
                features.visual_TV[part], corpus.videos[video].visual_TV[start:stop]
            )
            flags = set(drawn.planted_T[part].tolist())
            assert len(flags) == 1
            (inside if flags == {True} else outside).add(by_category[video, 0])
            position = part.stop
        assert len(inside) == 1
        assert not inside & outside


def test_batches_depend_on_seed_and_step_only() -> None:
    corpus = make_corpus()
    objective = ObjectiveConfig()

    def draw(seed: int, step: int) -> torch.Tensor:
        sampler = SequenceSampler(corpus, DATA, seed=seed)
        return sampler.batch(step, batch_size=3, objective=objective, period_clips=256).visual_BTV

    assert torch.equal(draw(0, 5), draw(0, 5))
    assert not torch.equal(draw(0, 5), draw(0, 6))
    assert not torch.equal(draw(0, 5), draw(1, 5))


def test_long_videos_are_cropped() -> None:
    world = World()
    videos = (world.video([0] * 100, seed=0), world.video([1] * 90, seed=1))
    corpus = Corpus(spec=SPEC, names=("a", "b"), videos=videos)
    sampler = SequenceSampler(corpus, dataclasses.replace(DATA, crop_share=1.0), seed=0)
    rng = np.random.default_rng(0)
    for _ in range(10):
        drawn = sampler.draw(rng, 32)
        ((_, start, stop),) = drawn.pieces
        assert stop - start == 32
        assert not drawn.planted_T.any()


def test_alike_segments_are_grouped() -> None:
    rng = np.random.default_rng(0)
    centres = 10 * rng.normal(size=(4, 8))
    truth = np.repeat(np.arange(4), 20)
    points = (centres[truth] + rng.normal(size=(80, 8))).astype(np.float32)
    groups = group_alike(points, num_groups=4, seed=0)
    assert len({(int(t), int(g)) for t, g in zip(truth, groups, strict=True)}) == 4
    same = group_alike(np.ones((5, 8), np.float32), num_groups=4, seed=0)
    assert same.tolist() == [0] * 5


def test_a_model_of_other_features_is_refused(tmp_path: Path) -> None:
    path = train_on(make_corpus(), make_recipe(tmp_path / "run", steps=1))
    other = dataclasses.replace(SPEC, audio_encoder="other-ear")
    with pytest.raises(CheckpointError, match="audio_encoder differ"):
        load_scorer(path, feature_spec=other)


@pytest.mark.parametrize("name", LOSS_NAMES)
def test_each_loss_alone_trains(tmp_path: Path, name: str) -> None:
    weights = {loss: float(loss == name) for loss in LOSS_NAMES}
    recipe = dataclasses.replace(
        make_recipe(tmp_path / "run", steps=4), objective=ObjectiveConfig(**weights)
    )
    path = train_on(make_corpus(), recipe)
    rows = losses(tmp_path / "run")
    assert set(rows[0]) == {"step", "learning_rate", "grad_norm", "total", name}
    for row in rows:
        assert row["total"] == row[name] > 0
        assert row["grad_norm"] > 0
    scores = load_scorer(path).score(World().video([0] * 9 + [1] * 2, seed=1))
    assert np.isfinite(scores.raw_T).all()


def test_a_batch_without_anything_to_learn_from_is_passed_over(tmp_path: Path) -> None:
    corpus = make_corpus()
    # Four in five videos are silent, so most batches of two have no sound at all.
    videos = tuple(v if i % 5 == 0 else v.without_audio() for i, v in enumerate(corpus.videos))
    weights = {loss: float(loss == "scl") for loss in LOSS_NAMES}
    recipe = dataclasses.replace(
        make_recipe(tmp_path / "run", batch_size=2), objective=ObjectiveConfig(**weights)
    )
    train_on(dataclasses.replace(corpus, videos=videos), recipe)
    rows = losses(tmp_path / "run")
    nothing = [row for row in rows if row["scl"] == 0]
    assert 0 < len(nothing) < len(rows)
    assert {row["grad_norm"] for row in nothing} == {0.0}


def test_the_model_is_the_moving_average(tmp_path: Path) -> None:
    corpus, decay = make_corpus(), 0.75
    tracks: list[dict[str, np.ndarray]] = []
    for steps in range(1, 4):
        # The state after each step holds the weights, and what they averaged to.
        recipe = make_recipe(tmp_path / "run", steps=3, save_every=1, ema_decay=decay)
        with contextlib.suppress(Stop):
            train_on(corpus, recipe, on_step=stop_at(steps))
        arrays, _ = read_tensors(tmp_path / "run" / "state.safetensors")
        tracks.append(arrays)
    name = "branches.visual.embed.weight"
    average = None
    for before, after in itertools.pairwise(tracks):
        average = before[f"average.{name}"] * decay + after[f"model.{name}"] * (1 - decay)
        np.testing.assert_allclose(after[f"average.{name}"], average, atol=1e-6)
    path = train_on(corpus, make_recipe(tmp_path / "run", steps=3, save_every=1, ema_decay=decay))
    model, _ = read_tensors(path)
    np.testing.assert_array_equal(model[name], tracks[-1][f"average.{name}"])
    assert not np.array_equal(model[name], tracks[-1][f"model.{name}"])
