"""Detectors on stored features: recipes fitted anew on a made-up benchmark."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from hlcli.cli import app
from hlcli.errors import CheckpointError, UnknownModelError, UsageError
from hlcli.evaluation.benchmarks import refit, tvsum
from hlcli.evaluation.benchmarks.benchmark import Benchmark, LabelledVideo, StoredFeatures
from hlcli.evaluation.benchmarks.cuts import cut_features
from hlcli.evaluation.benchmarks.refit import refitted_candidates, stored_corpus
from hlcli.evaluation.benchmarks.run import evaluate_benchmark
from hlcli.model.checkpoint import Checkpoint
from hlcli.model.config import RaslConfig
from hlcli.training.recipe import DataConfig, RaslRecipe, TrainingConfig

RARE = slice(12, 16)
SECONDS = 40


def stored(seed: int, *, sound: bool, shared: bool = True) -> StoredFeatures:
    """Two rows a second; four seconds are of another kind, in picture and sound."""
    random = np.random.default_rng(seed)
    kinds = np.random.default_rng(99).standard_normal((2, 2, 24))
    rows = 2 * SECONDS
    is_rare = np.zeros(rows, dtype=int)
    is_rare[2 * RARE.start : 2 * RARE.stop] = 1
    picture, heard = (
        kinds[side][is_rare] + 0.2 * random.standard_normal((rows, 24)) for side in range(2)
    )
    return StoredFeatures(
        times_seconds_T=np.arange(rows) / 2,
        duration_seconds=SECONDS - 0.5,
        picture_TD=picture,
        loudness_T=random.random(rows) if sound else None,
        shared_picture_TD=picture if shared else None,
        shared_sound_TD=heard if sound and shared else None,
    )


def made(*features: StoredFeatures | None, learnable: str = "") -> Benchmark:
    starts = np.arange(0, SECONDS, 2.0)
    labels = np.zeros((len(starts), 2))
    labels[RARE.start // 2 : RARE.stop // 2] = 1
    measure = tvsum.ShotMeasure(labels)
    videos = [
        LabelledVideo(
            name=f"v{i}",
            stratum="VT",
            spans_seconds_N2=np.stack([starts, starts + 2], axis=1),
            oracle_N=labels.mean(axis=1),
            measure=measure,
            measure_many=measure.many,
            stored=one,
        )
        for i, one in enumerate(features)
    ]
    metrics = ("top5_map", "top5_map_mininet", "tau", "rho")
    return Benchmark(
        name="made", protocol="p", metrics=metrics, videos=tuple(videos), learnable=learnable
    )


def tiny(name: str, progress: object) -> RaslRecipe:
    return RaslRecipe(
        name=name,
        data=DataConfig(sequence_clips=16, calibration_sequences=4, pseudo_categories=3),
        model=RaslConfig(input_dim=8, width=16, num_layers=1, num_heads=2, rasl_width=8),
        training=TrainingConfig(steps=3, batch_size=4),
    )


def test_cut_features_say_how_long_the_shot_is_and_how_near_the_cut() -> None:
    times = np.array([1.0, 6.0, 11.9])
    cuts = [np.array([4.0, 8.0]), np.array([])]
    got = cut_features(times, cuts, duration_seconds=12.0)
    assert got.shape == (3, 5)
    assert got[:, 0].tolist() == [0.0, 0.0, 0.0]
    # To the nearest of 0, 4, 8 and 12 seconds; an eighth of a second is the least.
    assert got[:, 1].tolist() == [0.0, 1.0, -3.0]
    assert got[:, 2].tolist() == [np.log2(3)] * 3
    assert got[:, 3].tolist() == pytest.approx([0.0, np.log2(6), -3.0])
    assert got[:, 4].tolist() == [2.0] * 3


def test_stored_rows_become_clips_of_a_second() -> None:
    corpus = stored_corpus(made(stored(0, sound=True), None, stored(1, sound=True)))
    assert corpus.names == ("v0", "v2")
    first = corpus.videos[0]
    source = stored(0, sound=True)
    assert first.num_clips == SECONDS
    assert source.picture_TD is not None
    assert first.visual_TV[3].tolist() == pytest.approx(source.picture_TD[6:8].mean(axis=0), 1e-5)
    assert first.audio_TA is not None
    assert source.shared_sound_TD is not None
    assert first.audio_TA[3].tolist() == pytest.approx(
        source.shared_sound_TD[6:8].mean(axis=0), 1e-5
    )
    assert corpus.spec.visual_encoder == "stored:made"


def test_without_sound_both_sides_learn_from_the_picture() -> None:
    (video,) = stored_corpus(made(stored(0, sound=False))).videos
    assert video.audio_TA is not None
    assert video.audio_TA.tolist() == video.visual_TV.tolist()


def test_the_closed_form_finds_what_is_rare_without_labels() -> None:
    benchmark = made(*(stored(seed, sound=True) for seed in range(4)), learnable="v sees, a hears")
    found = refitted_candidates(benchmark, ["subspace"], device="cpu")
    assert [(one.name, one.looks) for one in found] == [
        ("subspace, refitted", "v"),
        ("subspace, refitted", "a"),
        ("subspace, refitted", "va"),
    ]
    assert found[0].note == (
        "its recipe refitted, without labels, on these very videos; v sees, a hears"
    )
    report = evaluate_benchmark(benchmark, found)
    rows = [row for row in report.to_json()["rows"] if not row["baseline"]]
    assert [row["n"] for row in rows] == [4, 4, 4]
    assert [row["runs"] for row in rows] == [1, 1, 1]
    # The two rare shots come first of 20.
    assert rows[0]["top5_map"] == 1.0
    assert rows[2]["top5_map"] == 1.0


def test_a_picture_alone_is_scored_by_the_picture_alone() -> None:
    benchmark = made(*(stored(seed, sound=False) for seed in range(3)), stored(9, sound=False))
    lacking = dataclasses.replace(benchmark.videos[3], stored=stored(9, sound=False, shared=False))
    benchmark = dataclasses.replace(benchmark, videos=(*benchmark.videos[:3], lacking))
    (found,) = refitted_candidates(benchmark, ["subspace"], device="cpu")
    assert found.looks == "v"
    (row,) = (one for one in evaluate_benchmark(benchmark, [found]).rows if not one.is_baseline)
    assert row.note.endswith("1 videos are not scored")
    assert np.isfinite(row.values["top5_map"][:, 0]).tolist() == [True, True, True, False]  # type: ignore[index]


def test_a_network_is_trained_once_per_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refit, "_recipe_of", tiny)
    benchmark = made(*(stored(seed, sound=True) for seed in range(4)))
    steps = []
    found = refitted_candidates(
        benchmark,
        ["rasl"],
        num_seeds=2,
        device="cpu",
        progress=lambda stage, done, total: steps.append((stage, done, total)),
    )
    assert steps[0] == ("training rasl, 1 of 2", 1, 3)
    assert steps[-1] == ("training rasl, 2 of 2", 3, 3)
    assert "mean of 2 seeds, last checkpoint" in found[0].note
    first, second = found[0].rank(benchmark.videos[0]) or ()
    assert len(first) == len(second) == benchmark.videos[0].num_units
    assert first.tolist() != second.tolist()
    # The same seeds give the same numbers.
    again = refitted_candidates(benchmark, ["rasl"], num_seeds=1, device="cpu")
    (repeated,) = again[0].rank(benchmark.videos[0]) or ()
    assert repeated.tolist() == first.tolist()
    row = next(row for row in evaluate_benchmark(benchmark, found).rows if not row.is_baseline)
    assert row.num_runs == 2
    report = evaluate_benchmark(benchmark, found)
    both = row.values["top5_map"]
    assert both is not None
    assert report.run_sd(row) == pytest.approx(both.mean(axis=0).std(ddof=1))


def test_what_cannot_be_refitted(monkeypatch: pytest.MonkeyPatch) -> None:
    benchmark = made(stored(0, sound=True))
    assert refitted_candidates(benchmark, []) == []
    with pytest.raises(UsageError, match="made stores no features") as caught:
        refitted_candidates(made(None), ["subspace"])
    assert "--videos" in caught.value.hint
    with pytest.raises(UsageError, match="0 seeds train nothing"):
        refitted_candidates(benchmark, ["subspace"], num_seeds=0)
    with pytest.raises(UnknownModelError, match="yamnet is an encoder"):
        refitted_candidates(benchmark, ["yamnet"])
    read = Checkpoint.read
    monkeypatch.setattr(Checkpoint, "read", lambda path: dataclasses.replace(read(path), recipe={}))
    with pytest.raises(CheckpointError, match="does not say how it was trained"):
        refitted_candidates(benchmark, ["subspace"])


def test_from_the_command_line(tmp_path: Path) -> None:
    (tmp_path / "tvsum").mkdir()
    for index in range(3):
        random = np.random.default_rng(index)
        segments = {
            name: np.array([[0, 99], [100, 299], [300, 999]]) for name in tvsum._SEGMENTATIONS
        }
        np.savez(
            tmp_path / "tvsum" / f"v{index}.npz",
            vid=f"v{index}",
            category="GA",
            split="train",
            n_frames=1000,
            length=40.0,
            audio_vggish=random.random((80, 128)).astype(np.float16),
            audio_logmel=random.random((80, 128)).astype(np.float16),
            audio_frame_idx=np.arange(80) * 12,
            clip_labels=random.integers(1, 6, (20, 20)).astype(np.float32),
            **segments,
        )
    arguments = ["eval", "tvsum", "--data", str(tmp_path), "--model", "subspace", "--device", "cpu"]
    result = CliRunner().invoke(app, [*arguments, "--json"])
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    detectors = [row for row in report["rows"] if not row["baseline"]]
    assert [(row["name"], row["modality"], row["n"]) for row in detectors] == [
        ("subspace, refitted", "v", 3),
        ("subspace, refitted", "a", 3),
        ("subspace, refitted", "va", 3),
    ]
    assert "v looks at cuts alone" in detectors[0]["note"]
    assert len(report["comparisons"]) == 3
