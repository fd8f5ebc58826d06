"""SumMe: loader, measure and what our own machines' data must give."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hlcli.errors import UsageError
from hlcli.evaluation.benchmarks import summe
from hlcli.evaluation.benchmarks.candidates import clock_candidates
from hlcli.evaluation.benchmarks.run import evaluate_benchmark
from hlcli.evaluation.rank_correlation import kendall_tau, spearman_rho

FRAMES = 40


def arrays(**changes: Any) -> dict[str, Any]:
    kept = np.zeros((FRAMES, 3), dtype=np.uint8)
    kept[0:6, 0], kept[4:10, 1], kept[30:36, 2] = 1, 2, 1
    made: dict[str, Any] = {
        "n_frames": np.int64(FRAMES),
        "fps": np.float64(20.0),
        "dino_pca128": np.random.default_rng(0).normal(size=(10, 8)).astype(np.float32),
        "frame_idx": np.arange(0, FRAMES, 4),
        "user_score": kept,
        "segments": np.array([[0, 5], [6, 20], [21, 39]], dtype=np.int32),
    }
    return made | changes


def write(folder: Path, **changes: Any) -> Path:
    (folder / "summe").mkdir(exist_ok=True)
    path = folder / "summe" / "Some_Video.npz"
    np.savez(path, **arrays(**changes))
    return path


def test_a_video_is_read_as_frames(tmp_path: Path) -> None:
    write(tmp_path)
    benchmark = summe.load(tmp_path)
    (video,) = benchmark.videos
    assert benchmark.metrics[:2] == ("tau", "rho")
    assert benchmark.metrics[4:] == ("f1", "f1_mean")
    assert (video.name, video.num_units) == ("Some_Video", FRAMES)
    np.testing.assert_allclose(video.spans_seconds_N2[[0, -1]], [[0, 0.05], [1.95, 2.0]])
    assert video.oracle_N[[0, 5, 12]] == pytest.approx([1 / 3, 2 / 3, 0])
    assert video.stored is not None
    assert video.stored.times_seconds_T[:2] == pytest.approx([0.025, 0.225])
    assert video.stored.duration_seconds == pytest.approx(2.0)
    assert video.stored.shot_boundaries_seconds == pytest.approx([0.3, 1.05])
    assert video.stored.sound_TD is None


def test_the_measure_by_hand(tmp_path: Path) -> None:
    write(tmp_path)
    (video,) = summe.load(tmp_path).videos
    scores = np.zeros(FRAMES)
    scores[0:6] = 1.0
    figures = video.measure(scores, 0)
    # The summary is the first segment, frames 0 to 5: all of the first annotator's, two of the
    # second's, none of the third's.
    assert figures["f1"] == pytest.approx(1.0)
    assert figures["f1_mean"] == pytest.approx((1 + 2 * 2 / 12 + 0) / 3)
    many = np.array([scores, -scores, np.zeros(FRAMES)])
    alone = [video.measure(one, 3)["f1"] for one in many]
    assert video.measure_many(many, 3) == pytest.approx(alone)
    # 6 * 34 untied pairs on both sides; the second shares 2 frames: 2*30 agree, 4*4 do not.
    assert figures["tau"] == pytest.approx((1 + (2 * 30 - 16) / 204 + (0 - 36) / 204) / 3)
    assert figures["tau"] == pytest.approx(figures["rho"])


def test_correlations_with_kept_are_those_of_the_definitions() -> None:
    random = np.random.default_rng(3)
    scores = random.integers(0, 12, 300)
    kept = (random.random((300, 5)) < [0.1, 0.5, 0.9, 0.0, 1.0]).astype(float)
    tau, rho = summe.correlations_with_kept(scores, kept)
    for one in range(5):
        assert tau[one] == pytest.approx(kendall_tau(scores, kept[:, one]))
        assert rho[one] == pytest.approx(spearman_rho(scores, kept[:, one]))
    assert tau[3:].tolist() == [0.0, 0.0]
    flat_tau, flat_rho = summe.correlations_with_kept(np.ones(300), kept)
    assert flat_tau.tolist() == flat_rho.tolist() == [0.0] * 5


def test_humans_who_agree_are_perfect_and_who_do_not_are_not() -> None:
    kept = np.zeros((20, 3), dtype=bool)
    kept[:5] = True
    assert summe.humans(kept) == pytest.approx(dict.fromkeys(summe.METRICS, 1.0))
    kept[:, 2] = ~kept[:, 2]
    figures = summe.humans(kept)
    # Two see one like-minded annotator and one opposite; the third sees two opposites.
    assert figures["f1"] == pytest.approx((1 + 1 + 0) / 3)
    assert figures["f1_mean"] == pytest.approx((0.5 + 0.5 + 0) / 3)
    assert figures["tau"] == pytest.approx((0 + 0 - 1) / 3)


def test_learnable_features_are_centred_and_optional(tmp_path: Path) -> None:
    rows = np.random.default_rng(1).normal(loc=5.0, size=(10, 6))
    write(tmp_path, dino_b16_768=rows)
    (video,) = summe.load(tmp_path).videos
    assert video.stored is not None
    np.testing.assert_allclose(video.stored.shared_picture_TD, rows - rows.mean(axis=0))
    write(tmp_path)
    (video,) = summe.load(tmp_path).videos
    assert video.stored is not None
    assert video.stored.shared_picture_TD is None


def test_the_report_has_a_row_for_the_humans(tmp_path: Path) -> None:
    write(tmp_path)
    benchmark = summe.load(tmp_path)
    report = evaluate_benchmark(benchmark, clock_candidates())
    row = next(one for one in report.to_json()["rows"] if one["name"] == "human")
    expected = benchmark.videos[0].human
    assert expected is not None
    assert row["metrics"]["f1"]["value"] == pytest.approx(expected["f1"], abs=1e-4)
    assert row["metrics"]["tau"]["value"] == pytest.approx(expected["tau"], abs=1e-4)
    assert (row["modality"], row["baseline"], row["n"]) == ("labels", True, 1)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"n_frames": np.int64(39)}, "segments do not cover frames 0 to 38"),
        ({"n_frames": np.array([40, 40])}, "n_frames is not one number"),
        ({"n_frames": np.int64(0)}, "n_frames is not one number above zero"),
        ({"fps": np.float64("nan")}, "fps is not one number"),
        ({"segments": np.array([[0, 5], [7, 39]])}, "segments do not cover"),
        ({"segments": np.array([[0.0, 39.0]])}, "segments is not a table"),
        ({"user_score": np.ones((30, 3))}, "user_score has shape (30, 3), expected 40 frames"),
        ({"user_score": np.ones((40, 1))}, "at least two annotators"),
        ({"user_score": np.full((40, 3), np.nan)}, "user_score has a value"),
        ({"dino_pca128": np.ones((9, 8), np.float32)}, "not one frame per row"),
        ({"dino_pca128": np.full((10, 8), np.nan)}, "dino_pca128 has a value"),
        ({"frame_idx": np.arange(10) * 5}, "frame_idx does not rise within 40 frames"),
        ({"frame_idx": np.zeros(10, np.int64)}, "frame_idx does not rise"),
        ({"frame_idx": np.array(["a"] * 10)}, "frame_idx does not rise"),
        ({"dino_b16_768": np.ones((9, 6))}, "dino_b16_768 has shape (9, 6), expected 10 rows"),
        ({"dino_b16_768": np.full((10, 6), np.inf)}, "dino_b16_768 has a value that is not"),
        ({"segments": np.array([[0, {}]], dtype=object)}, "not a readable .npz file"),
    ],
)
def test_spoilt_bundles_are_named(tmp_path: Path, changes: dict[str, Any], words: str) -> None:
    path = write(tmp_path, **changes)
    with pytest.raises(UsageError) as caught:
        summe.load(tmp_path)
    assert caught.value.message.startswith(f"{path}: ")
    assert words in caught.value.message
    assert "docs/reference/eval.md" in caught.value.hint


def test_a_missing_array_and_a_cut_off_file_are_named(tmp_path: Path) -> None:
    path = write(tmp_path)
    whole = path.read_bytes()
    for length in (0, 100, len(whole) // 2, len(whole) - 30):
        path.write_bytes(whole[:length])
        with pytest.raises(UsageError) as caught:
            summe.load(tmp_path)
        assert str(path) in caught.value.message
    made = arrays()
    del made["segments"]
    np.savez(path, **made)
    with pytest.raises(UsageError, match="no array 'segments'"):
        summe.load(tmp_path)


def test_a_folder_without_summe_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        summe.load(tmp_path)
    assert caught.value.message == f"no .npz file in {tmp_path / 'summe'}"
    assert "summe/<name>.npz" in caught.value.hint


@pytest.fixture(scope="module")
def videos(shared_dir: Path) -> tuple[Any, ...]:
    return summe.load(shared_dir / "data").videos


@pytest.mark.shared
def test_all_25_videos_parse(videos: tuple[Any, ...]) -> None:
    assert len(videos) == 25
    assert all(video.stored.picture_TD.shape[1] == 128 for video in videos)
    assert sum(video.num_units for video in videos) == 109_820
    assert sum(video.stored.shared_picture_TD is not None for video in videos) == 14


@pytest.mark.shared
def test_the_bundles_hold_the_original_labels(videos: tuple[Any, ...], shared_dir: Path) -> None:
    scipy_io = pytest.importorskip("scipy.io")
    for video in videos:
        mat = scipy_io.loadmat(shared_dir / "data" / "labels" / "summe_gt" / f"{video.name}.mat")
        np.testing.assert_allclose(video.oracle_N, (mat["user_score"] > 0).mean(axis=1))


@pytest.mark.shared
def test_known_rows(videos: tuple[Any, ...]) -> None:
    human = {name: np.mean([one.human[name] for one in videos]) for name in summe.METRICS}
    # The annotators' own consistency, as first computed from these files.
    assert human["f1_mean"] == pytest.approx(0.311, abs=5e-4)
    # A second computation on 1-second steps gave 0.303.
    assert human["tau_consensus"] == pytest.approx(0.303, abs=0.01)
    random = np.random.default_rng(0)
    drawn = [
        np.mean([one.measure(random.random(one.num_units), seed)["f1"] for one in videos])
        for seed in range(40)
    ]
    # Random rankings are far from 0 because 15 to 18 annotators are tried and the best is kept.
    assert np.mean(drawn) == pytest.approx(0.403, abs=0.012)
    oracle = [one.measure(one.oracle_N, 0) for one in videos]
    assert np.mean([one["tau_consensus"] for one in oracle]) == pytest.approx(1.0)
    assert np.mean([one["f1"] for one in oracle]) > human["f1"] > np.mean(drawn)
