"""The default detector: rare in its own video, and unlike ordinary video."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from synthetic_features import SPEC, VISUAL, World, features_of

from hlcli.errors import CheckpointError, RecipeError, TrainingError
from hlcli.evaluation.benchmarks.held_out import held_out_scores
from hlcli.features.types import VideoFeatures
from hlcli.model.config import FusionConfig, RarityConfig
from hlcli.model.load import load_scorer, save_scorer
from hlcli.model.rarity import USUAL_LOUDNESS, Background, RarityScorer, gaussian_smoothed
from hlcli.training.corpus import Corpus
from hlcli.training.fit_rarity import calibration_videos, fit_background, fit_rarity
from hlcli.training.recipe import DataConfig, RarityRecipe, parse_recipe
from hlcli.training.run import train_on
from hlcli.tuning.adapt import BACKGROUND_SHARE, adapt_background


def silent(types: list[int], *, seed: int, world: World | None = None) -> VideoFeatures:
    return (world or World()).video(types, seed=seed, with_sound=False)


def corpus(*, count: int = 8, length: int = 60) -> Corpus:
    """Silent videos of three ordinary kinds of scene, in takes of five seconds."""
    videos = [
        silent(
            np.repeat(np.random.default_rng(seed).integers(0, 3, length // 5), 5).tolist(),
            seed=seed,
        )
        for seed in range(count)
    ]
    return Corpus(spec=SPEC, names=tuple(f"v{i}" for i in range(count)), videos=tuple(videos))


def fitted(source: Corpus | None = None, **changes: object) -> RarityScorer:
    recipe = RarityRecipe(
        data=DataConfig(sequence_clips=48),
        model=RarityConfig(**changes),  # type: ignore[arg-type]
    )
    return fit_rarity(recipe, source or corpus())


def test_the_background_is_the_mean_direction_from_the_mean() -> None:
    rows = np.random.default_rng(0).gamma(2.0, size=(500, 7)).astype(np.float32)
    got = Background.fit(lambda: [rows[:200], rows[200:]])
    mean = rows.astype(float).mean(0)
    away = rows.astype(float) - mean
    expected = (away / np.linalg.norm(away, axis=1, keepdims=True)).mean(0)
    np.testing.assert_allclose(got.mean_V, mean, rtol=1e-6)
    np.testing.assert_allclose(got.direction_V, expected, atol=1e-7)
    np.testing.assert_allclose(got.distance(rows), -away @ expected, atol=1e-5)
    assert got.distance(rows.astype(np.float16)).dtype == np.float32
    # Where blocks end does not matter but for rounding.
    again = Background.fit(lambda: [rows])
    np.testing.assert_allclose(again.direction_V, got.direction_V, atol=1e-7)


def test_skewed_rows_lie_far_from_the_background_on_their_long_side() -> None:
    rows = np.random.default_rng(1).gamma(1.0, size=(2000, 5)).astype(np.float32)
    distance = Background.fit(lambda: [rows]).distance(rows)
    assert np.corrcoef(distance, rows.sum(axis=1))[0, 1] > 0.9


def test_a_corpus_without_differences_is_refused() -> None:
    with pytest.raises(TrainingError, match="do not differ"):
        Background.fit(lambda: [np.ones((9, 4), np.float32)])
    with pytest.raises(TrainingError, match="no video"):
        Background.fit(lambda: [])


def test_smoothing_weighs_the_ends_by_what_is_there() -> None:
    level = np.full(9, 3.5, np.float32)
    np.testing.assert_allclose(gaussian_smoothed(level, sigma=2.0), level, rtol=1e-6)
    peak = np.zeros(41, np.float32)
    peak[20] = 1
    smooth = gaussian_smoothed(peak, sigma=2.0)
    assert smooth.argmax() == 20
    assert smooth.sum() == pytest.approx(1, abs=1e-3)
    assert smooth[18] == pytest.approx(smooth[20] * np.exp(-0.5), rel=1e-5)
    assert gaussian_smoothed(peak, sigma=0.0).tolist() == peak.tolist()
    assert gaussian_smoothed(np.ones(1, np.float32), sigma=2.0).tolist() == [1]


def test_short_moments_rank_above_a_long_block_of_another_kind() -> None:
    types = [0] * 30 + [1] * 12 + [0] * 10 + [4] * 3 + [0] * 20 + [5] * 3 + [0] * 12
    # The made-up kinds of scene lie alike around their mean: no background tells them apart.
    alone = dataclasses.replace(RarityConfig().fusion, weights_v={"picture_knn": 1.0})
    scorer = fitted(smoothing_clips=0.0, fusion=alone)
    raw = scorer.score(silent(types, seed=77), modality="v").raw_T
    kinds = np.array(types)
    moments = raw[np.isin(kinds, [4, 5])].min()
    assert moments > raw[kinds == 1].max()
    assert moments > raw[kinds == 0].max()


def test_sound_is_an_aid_and_its_absence_no_obstacle() -> None:
    world, scorer = World(), fitted()
    assert scorer.statistics.terms["loudness"] == USUAL_LOUDNESS
    video = world.video([0, 1] * 20, seed=3)
    assert video.loudness_T is not None
    loud = dataclasses.replace(video, loudness_T=np.full(40, -40, np.float32))
    assert loud.loudness_T is not None
    loud.loudness_T[10:14] = -5
    both = scorer.score(loud, modality="va")
    alone = scorer.score(loud, modality="v")
    assert both.picture_T is not None
    assert both.picture_T.tolist() == alone.score_T.tolist()
    gain = both.raw_T - scorer.score(video, modality="v").raw_T
    assert gain[11:13].min() > gain[20:].max()
    assert both.sound_T is not None
    assert both.sound_T[11:13].min() > both.sound_T[20:].max()
    without = scorer.score(loud.without_audio(), modality="va")
    assert without.raw_T.tolist() == alone.raw_T.tolist()


def test_one_clip_and_a_still_video_have_finite_scores() -> None:
    scorer = fitted()
    for rows in (np.ones((1, VISUAL)), np.ones((50, VISUAL))):
        scores = scorer.score(features_of(rows.astype(np.float32)), modality="v").score_T
        assert np.isfinite(scores).all()
        assert scores.max() < 0.5


def test_a_model_file_gives_the_same_scores(tmp_path: Path) -> None:
    recipe = RarityRecipe(data=DataConfig(sequence_clips=48), output=str(tmp_path / "one"))
    path = train_on(corpus(), recipe)
    again = train_on(corpus(), dataclasses.replace(recipe, output=str(tmp_path / "two")))
    assert path.read_bytes() == again.read_bytes()
    scorer = load_scorer(path, kind="rarity", feature_spec=SPEC)
    video = silent([0] * 20 + [3] * 4 + [0] * 20, seed=5)
    expected = fit_rarity(recipe, corpus()).score(video, modality="v")
    assert scorer.score(video, modality="v").score_T.tolist() == expected.score_T.tolist()
    save_scorer(scorer, tmp_path / "copy.safetensors", feature_spec=SPEC, recipe={})
    copy = load_scorer(tmp_path / "copy.safetensors")
    assert copy.score(video).raw_T.tolist() == scorer.score(video).raw_T.tolist()


def test_a_background_of_another_size_is_refused(tmp_path: Path) -> None:
    scorer = fitted()
    short = Background(scorer.background.mean_V[:-1], scorer.background.direction_V[:-1])
    broken = scorer.with_background(short)
    save_scorer(broken, tmp_path / "m.safetensors", feature_spec=SPEC, recipe={})
    with pytest.raises(CheckpointError, match="wrong shapes background"):
        load_scorer(tmp_path / "m.safetensors")


def test_settings_that_mean_nothing_are_refused() -> None:
    for bad in ({"nearest_fraction": 0.0}, {"smoothing_clips": -1.0}, {"smoothing_clips": 1e9}):
        with pytest.raises(ValueError, match="lies in"):
            RarityConfig(**bad)
    with pytest.raises(ValueError, match="rarity has no term 'picture_rasl'"):
        RarityConfig(fusion=FusionConfig(weights_v={"picture_rasl": 1.0}))
    with pytest.raises(RecipeError, match="kind is 'rare'"):
        parse_recipe({"kind": "rare"})
    assert parse_recipe({"kind": "rarity"}) == RarityRecipe()


def test_calibration_takes_whole_videos_or_composes_them_where_all_are_short() -> None:
    data = DataConfig(sequence_clips=48, calibration_sequences=4)
    whole = calibration_videos(corpus(count=8), data, seed=0)
    assert [one.num_clips for one in whole] == [60] * 4
    composed = calibration_videos(corpus(count=12, length=10), data, seed=0)
    assert [one.num_clips for one in composed] == [96] * 4


def test_footage_moves_the_background_by_its_share() -> None:
    scorer = fitted()
    footage = Corpus(spec=SPEC, names=("a",), videos=(silent([4, 5] * 30, seed=9),))
    own = fit_background(footage)
    moved = adapt_background(scorer, footage).background
    expected = (1 - BACKGROUND_SHARE) * scorer.background.mean_V + BACKGROUND_SHARE * own.mean_V
    np.testing.assert_allclose(moved.mean_V, expected, rtol=1e-5)
    other = dataclasses.replace(SPEC, visual_encoder="another")
    with pytest.raises(CheckpointError, match="not those the parent was trained on"):
        adapt_background(scorer, dataclasses.replace(footage, spec=other))


def test_held_out_scores_see_nothing_of_their_own_category() -> None:
    videos = {f"{c}{i}": silent([i, 3] * 20, seed=10 * i + ord(c)) for c in "ab" for i in range(3)}
    strata = {name: name[0] for name in videos}
    before = held_out_scores(videos, strata)
    assert set(before) == {"rarity, held out", "background alone, held out"}
    assert set(before["rarity, held out"]) == set(videos)
    changed = videos | {"a1": silent([5] * 40, seed=1)}
    after = held_out_scores(changed, strata)
    for row in before:
        assert after[row]["a0"].tolist() == before[row]["a0"].tolist()
        assert after[row]["b0"].tolist() != before[row]["b0"].tolist()
    # One category only: the video itself is left out, and one video alone cannot be scored.
    single = held_out_scores(videos, dict.fromkeys(videos, "all"))
    assert set(single["rarity, held out"]) == set(videos)
    assert held_out_scores({"a0": videos["a0"]}, {"a0": "a"}) == {}
