"""Each trivial baseline on features whose right answer is plain."""

from __future__ import annotations

import numpy as np
import pytest

from hlcli.evaluation import baselines
from hlcli.features.types import VideoFeatures


def features(
    *,
    odd_picture: int = 3,
    odd_sound: int | None = 5,
    boundaries: tuple[float, ...] = (2.0, 4.0),
    num_clips: int = 8,
) -> VideoFeatures:
    """Make features in which one clip differs from the rest, in picture and in sound."""
    visual = np.tile(np.array([1, 0, 0], dtype=np.float32), (num_clips, 1))
    visual[odd_picture] = [0, 1, 0]
    audio = None
    if odd_sound is not None:
        audio = np.tile(np.array([0, 2], dtype=np.float32), (num_clips, 1))
        audio[odd_sound] = [2, 0]
    return VideoFeatures(
        spec_digest="x",
        duration_seconds=num_clips - 0.5,
        visual_TV=visual,
        audio_TA=audio,
        events_TC=None,
        motion_T=np.arange(num_clips, dtype=np.float32) / 10,
        loudness_T=None if odd_sound is None else -np.arange(num_clips, dtype=np.float32),
        shot_boundaries_seconds=np.array(boundaries),
    )


def scores(name: str, of: VideoFeatures) -> np.ndarray:
    (baseline,) = [one for one in baselines.BASELINES if one.name == name]
    result = baseline.score(of)
    assert result is not None
    assert result.shape == (of.num_clips,)
    return result


def test_the_rows_that_every_table_holds() -> None:
    names = [baseline.name for baseline in baselines.BASELINES]
    assert names == [
        "file-order",
        "centre-prior",
        "deviation-from-mean",
        "sound-deviation-from-mean",
        "temporal-difference",
        "change over 4 s",
        "nearest 5 %, smoothed",
        "nearest 10 %, smoothed",
        "nearest 5 % of unit vectors, smoothed",
        "loudness",
        "motion",
        "motion, smoothed",
        "shot-length",
        "ranks(deviation, sound-deviation)",
        "ranks(loudness, motion)",
        "ranks(deviation, motion)",
        "ranks(deviation, sound-deviation, loudness, motion)",
    ]


def test_each_finds_what_it_looks_for() -> None:
    one = features()
    assert scores("file-order", one).argmax() == 0
    centre = scores("centre-prior", one)
    assert set(np.flatnonzero(centre == centre.max())) == {3, 4}
    assert scores("deviation-from-mean", one).argmax() == 3
    assert scores("sound-deviation-from-mean", one).argmax() == 5
    novelty = scores("temporal-difference", one)
    assert list(np.flatnonzero(novelty > 0.5)) == [3, 4]
    assert scores("loudness", one).argmax() == 0
    assert scores("motion", one).argmax() == 7


def test_deviation_ignores_the_length_of_a_feature() -> None:
    one = features()
    one.visual_TV[6] *= 100
    assert scores("deviation-from-mean", one).argmax() == 3


def test_shorter_shots_rank_higher_and_without_cuts_there_is_no_row() -> None:
    # Shots: 0-2, 2-4, 4-7.5 seconds.
    assert list(scores("shot-length", features())) == [-2, -2, -2, -2, -3.5, -3.5, -3.5, -3.5]
    assert baselines.shot_length(features(boundaries=())) is None


def test_without_sound_there_are_no_sound_rows() -> None:
    silent = features(odd_sound=None)
    missing = {one.name for one in baselines.BASELINES if one.score(silent) is None}
    assert missing == {
        "sound-deviation-from-mean",
        "loudness",
        "ranks(deviation, sound-deviation)",
        "ranks(loudness, motion)",
        "ranks(deviation, sound-deviation, loudness, motion)",
    }
    assert {one.name for one in baselines.BASELINES if "a" in one.looks} == missing


def test_ranks_share_ties() -> None:
    assert list(baselines.ranks([10.0, 30.0, 20.0])) == [0.0, 1.0, 0.5]
    assert baselines.ranks([5.0, 5.0, 1.0, 9.0]) == pytest.approx([0.5, 0.5, 0.0, 1.0])
    assert list(baselines.ranks([7.0])) == [0.5]


def test_rank_average_by_hand() -> None:
    # Motion rises 0..7, loudness falls 0..-7: the mean rank is the same everywhere.
    assert scores("ranks(loudness, motion)", features()) == pytest.approx(np.full(8, 0.5))
