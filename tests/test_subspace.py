"""The closed-form detector: maps, read-outs, fusions, model file."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from synthetic_features import AUDIO, SPEC, VISUAL, World, features_of

from hlcli.errors import CheckpointError, TrainingError
from hlcli.features.types import VideoFeatures
from hlcli.model.config import FusionConfig, SubspaceConfig
from hlcli.model.load import load_scorer, save_scorer
from hlcli.model.projection import ROWS_AT_ONCE, LinearMap, fit_projections, scale_features
from hlcli.model.readouts import dmean, knn, pc1, shared_deviation
from hlcli.model.subspace import SubspaceScorer, quieten_empty


def corpus_arrays(corpus: list[VideoFeatures]) -> tuple[np.ndarray, np.ndarray]:
    visual = np.concatenate([one.visual_TV for one in corpus])
    return visual, np.concatenate([one.audio_TA for one in corpus])  # type: ignore[misc]


def make_scorer(mode: str = "absolute", dim: int = 5) -> SubspaceScorer:
    world = World()
    corpus = [world.video([t] * 6 + [u] * 6, seed=10 * t + u) for t in range(6) for u in range(6)]
    visual, audio = corpus_arrays(corpus)
    config = SubspaceConfig(
        visual_size=VISUAL,
        audio_size=AUDIO,
        dim=dim,
        visual_pca=30,
        audio_pca=30,
        fusion=FusionConfig(mode=mode),  # type: ignore[arg-type]
    )
    maps = fit_projections(visual, audio, kind="pls", dim=dim, visual_pca=30, audio_pca=30)
    scorer = SubspaceScorer(config, maps, spec_digest=SPEC.digest())
    scorer.calibrate(corpus)
    return scorer


def test_pls_is_the_svd_of_the_cross_covariance() -> None:
    visual, audio = corpus_arrays(World().corpus(60))
    maps = fit_projections(visual, audio, kind="pls", dim=3, visual_pca=VISUAL, audio_pca=AUDIO)
    v, a = scale_features(visual).astype(float), scale_features(audio).astype(float)
    cross = (v - v.mean(0)).T @ (a - a.mean(0)) / len(v)
    left, _, right = np.linalg.svd(cross)
    for got, expected in ((maps.visual, left[:, :3]), (maps.audio, right[:3].T)):
        overlap = np.abs((got.weight_VD * expected).sum(axis=0))
        np.testing.assert_allclose(overlap, 1, atol=1e-4)
    np.testing.assert_allclose(
        maps.visual.weight_VD.T @ maps.visual.weight_VD, np.eye(3), atol=1e-5
    )
    projected = maps.visual(visual)
    np.testing.assert_allclose(projected, (v - v.mean(0)) @ maps.visual.weight_VD, atol=1e-3)
    assert abs(np.sqrt((projected**2).mean()) / maps.visual.rms - 1) < 1e-3


def test_pca_is_that_of_each_side_and_equal_on_both_gram_sides() -> None:
    visual, audio = corpus_arrays(World().corpus(60))
    few = fit_projections(visual[:40], audio[:40], kind="pca", dim=3)  # fewer clips than sizes
    v = scale_features(visual[:40]).astype(float)
    _, _, right = np.linalg.svd(v - v.mean(0))
    np.testing.assert_allclose(np.abs((few.visual.weight_VD * right[:3].T).sum(0)), 1, atol=1e-4)


def test_fitting_twice_gives_the_same_bits() -> None:
    visual, audio = corpus_arrays(World().corpus(40))
    one = fit_projections(visual, audio, kind="pls", dim=4)
    two = fit_projections(visual.copy(), audio.copy(), kind="pls", dim=4)
    np.testing.assert_array_equal(one.visual.weight_VD, two.visual.weight_VD)


def test_hopeless_corpora_are_refused() -> None:
    visual, audio = corpus_arrays(World().corpus(5))
    with pytest.raises(TrainingError, match="2 clips"):
        fit_projections(visual[:2], audio[:2], kind="pls", dim=4)
    same = np.repeat(visual[:1], len(visual), axis=0)
    with pytest.raises(TrainingError, match="the picture is the same"):
        fit_projections(same, audio, kind="pls", dim=4)


def test_readouts_are_their_formulas() -> None:
    x = np.random.default_rng(0).normal(size=(23, 5)).astype(np.float32)
    centred = x.astype(float) - x.astype(float).mean(0)
    np.testing.assert_allclose(dmean(x), np.linalg.norm(centred, axis=1), rtol=1e-5)
    inner = centred @ centred.T
    np.testing.assert_allclose(shared_deviation(x), np.sqrt((inner**2).mean(1)), rtol=1e-5)
    distance = np.linalg.norm(x[:, None] - x[None], axis=2) + np.diag(np.full(23, np.inf))
    nearest = np.sort(distance, axis=1)[:, :11].mean(1)
    np.testing.assert_allclose(knn(x), nearest, rtol=1e-4)
    along = pc1(x)
    _, vectors = np.linalg.eigh(inner)
    assert abs(np.corrcoef(along, vectors[:, -1])[0, 1]) > 0.9999


def test_pc1_counts_the_minority_positive() -> None:
    features = World().video([0] * 20 + [1] * 5, seed=0).visual_TV
    assert set(np.argsort(pc1(features))[-5:].tolist()) == {20, 21, 22, 23, 24}
    flipped = World().video([1] * 20 + [0] * 5, seed=0).visual_TV
    assert set(np.argsort(pc1(flipped))[-5:].tolist()) == {20, 21, 22, 23, 24}


@pytest.mark.parametrize("readout", [dmean, shared_deviation, knn, pc1])
def test_readouts_of_one_or_equal_clips_are_zero(readout: object) -> None:
    row = np.random.default_rng(0).normal(size=(1, 7)).astype(np.float32)
    assert readout(row).tolist() == [0.0]  # type: ignore[operator]
    equal = readout(np.repeat(row, 9, axis=0))  # type: ignore[operator]
    np.testing.assert_allclose(equal, 0, atol=1e-3)


def test_knn_of_two_hours_stays_small_and_a_longer_one_is_close() -> None:
    x = np.random.default_rng(0).normal(size=(7200, 8)).astype(np.float32)
    tracemalloc.start()
    exact = knn(x)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 150 * 2**20  # the whole matrix would take 415 MB
    sampled = knn(x, max_references=1800)
    assert np.corrcoef(exact, sampled)[0, 1] > 0.99
    assert abs(sampled.mean() / exact.mean() - 1) < 0.02


@pytest.mark.parametrize("mode", ["rank", "absolute"])
@pytest.mark.parametrize("modality", ["v", "a", "va"])
def test_rare_event_is_found(mode: str, modality: str) -> None:
    features = World().video([0] * 16 + [1] * 4 + [0] * 20, seed=3)
    scores = make_scorer(mode).score(features, modality=modality)  # type: ignore[arg-type]
    top = set(np.argsort(scores.raw_T)[-4:].tolist())
    assert len(top & {16, 17, 18, 19}) >= 3
    assert scores.score_T.min() >= 0
    assert scores.score_T.max() <= 1
    assert (scores.picture_T is None) == (modality == "a")
    assert (scores.sound_T is None) == (modality == "v")


def test_rank_fusion_is_the_written_mean_of_ranks() -> None:
    scorer = make_scorer("rank")
    features = World().video([0, 1, 2, 0, 0, 0, 4], seed=3)
    terms = scorer.compute_terms(features, ["picture_knn", "picture_edev1", "motion"])
    rank = {n: (np.argsort(np.argsort(t)) + 0.5) / 7 for n, t in terms.items()}
    expected = (rank["picture_knn"] + rank["picture_edev1"] + 0.5 * rank["motion"]) / 2.5
    raw = scorer.score(features, modality="v").raw_T
    np.testing.assert_allclose(raw, expected, rtol=1e-6)


def test_absolute_scores_compare_between_videos_and_ranks_do_not() -> None:
    world = World()
    eventful, dull = world.video([0] * 20 + [1] * 5, seed=3), world.video([0] * 25, seed=4)
    # The dull video: noise alone, at half the size.
    mean = dull.visual_TV.mean(axis=0)
    dull = features_of(mean + 0.5 * (dull.visual_TV - mean), motion_T=dull.motion_T)
    absolute, rank = make_scorer("absolute"), make_scorer("rank")
    best = [absolute.score(one, modality="v").raw_T.max() for one in (eventful, dull)]
    assert best[0] > 0.5
    assert best[1] < -0.5
    ranked = [rank.score(one, modality="v").raw_T.max() for one in (eventful, dull)]
    assert abs(ranked[0] - ranked[1]) < 0.25


def test_the_order_within_a_video_does_not_depend_on_the_batch_or_repeat() -> None:
    scorer = make_scorer()
    features = World().video([0, 1, 2, 0, 0], seed=3)
    np.testing.assert_array_equal(scorer.score(features).raw_T, scorer.score(features).raw_T)


def test_one_clip_silence_and_blackness_are_finite() -> None:
    scorer = make_scorer()
    for num_clips in (1, 2, 8):
        black = features_of(
            np.zeros((num_clips, VISUAL)),
            np.zeros((num_clips, AUDIO)),
            loudness_T=np.full(num_clips, -100, np.float32),
        )
        for modality in ("v", "a", "va"):
            scores = scorer.score(black, modality=modality)  # type: ignore[arg-type]
            assert np.isfinite(scores.raw_T).all()
            assert float(np.ptp(scores.raw_T)) < 1e-3


def test_other_weights_without_code() -> None:
    scorer = make_scorer("rank")
    features = World().video([0, 1, 2, 0, 0, 0, 4], seed=3)
    loud = scorer.with_fusion(FusionConfig(mode="rank", weights_va={"loudness": 1.0}))
    order = np.argsort(loud.score(features, modality="va").raw_T)
    np.testing.assert_array_equal(order, np.argsort(features.loudness_T))  # type: ignore[arg-type]


def test_terms_of_the_network_are_refused_here() -> None:
    with pytest.raises(ValueError, match="subspace has no term 'picture_rasl'"):
        SubspaceConfig(fusion=FusionConfig(weights_v={"picture_rasl": 1.0}))


def test_model_file_gives_the_same_scores_back(tmp_path: Path) -> None:
    scorer = make_scorer()
    path = tmp_path / "model.safetensors"
    save_scorer(scorer, path, feature_spec=SPEC, recipe={})
    loaded = load_scorer(path, kind="subspace", feature_spec=SPEC)
    features = World().video([0] * 10 + [2] * 3, seed=5)
    np.testing.assert_array_equal(scorer.score(features).score_T, loaded.score(features).score_T)
    with pytest.raises(CheckpointError, match="kind 'subspace', not 'rasl'"):
        load_scorer(path, kind="rasl")


def test_the_closed_form_needs_no_torch(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    save_scorer(make_scorer(), path, feature_spec=SPEC, recipe={})
    code = (
        "import sys; from pathlib import Path; from hlcli.model.load import load_scorer; "
        f"load_scorer(Path({str(path)!r}), kind='subspace'); "
        "sys.exit(3 if 'torch' in sys.modules else 0)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_an_empty_picture_does_not_stand_out_and_a_full_one_still_does() -> None:
    features = World().video([0] * 16 + [1] * 4 + [0] * 20, seed=3)
    visual = features.visual_TV.copy()
    # As a blank sky answers: in a direction of its own, and weakly.
    blank = np.random.default_rng(5).random(VISUAL).astype(np.float32)
    visual[30] = 0.3 * np.linalg.norm(visual[0]) * blank / np.linalg.norm(blank)
    features = dataclasses.replace(features, visual_TV=visual)
    scorer = make_scorer()
    gated = SubspaceScorer(
        dataclasses.replace(scorer.config, emptiness_power=2.0),
        scorer.projections,
        spec_digest=scorer.spec_digest,
        statistics=scorer.statistics,
    )
    [before], [after] = (
        one.compute_terms(features, ["picture_knn"]).values() for one in (scorer, gated)
    )
    calm = np.r_[0:16, 20:30, 31:40]
    assert before[30] > 1.5 * before[calm].max()
    assert after[30] < after[calm].max()
    assert after[16:20].min() > 2 * after[calm].max()


def test_a_day_of_video_is_calculated_with_in_blocks() -> None:
    rng = np.random.default_rng(3)
    wide = rng.normal(size=(8 * ROWS_AT_ONCE + 100, 256)).astype(np.float16)
    one = LinearMap(
        mean_V=np.zeros(256, np.float32),
        weight_VD=np.eye(256, 4, dtype=np.float32),
        rms=1.0,
    )
    tracemalloc.start()
    try:
        projected = one(wide)
        drawn = quieten_empty(projected, wide, power=1.0)
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    # One block in float64 and what is made of it, but never all rows in float32.
    assert peak_bytes < 0.85 * 4 * wide.size
    # Blocks change nothing: each row has what it has alone.
    for row in (0, ROWS_AT_ONCE - 1, ROWS_AT_ONCE, len(wide) - 1):
        np.testing.assert_allclose(projected[row], one(wide[row : row + 1])[0], atol=1e-5)
    assert drawn.shape == projected.shape


def test_half_width_rows_give_the_same_scores() -> None:
    video = World().video([0] * 30 + [1] * 5 + [0] * 30, seed=9)
    half = dataclasses.replace(
        video,
        visual_TV=video.visual_TV.astype(np.float16),
        audio_TA=video.audio_TA.astype(np.float16),
    )
    scorer = make_scorer()
    first, second = scorer.score(half), scorer.score(half.in_float32())
    assert first.raw_T.tobytes() == second.raw_T.tobytes()
    assert half.in_float32().visual_TV.dtype == np.float32
