"""TVSum: the protocol's worked values, its readers, and the known figures on the real labels."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import kendalltau, spearmanr

from hlcli.errors import UsageError
from hlcli.evaluation.benchmarks import tvsum
from hlcli.evaluation.benchmarks.candidates import clock_candidates, stored_candidates
from hlcli.evaluation.benchmarks.chance import chance_levels
from hlcli.evaluation.benchmarks.report import BenchmarkReport
from hlcli.evaluation.benchmarks.run import evaluate_benchmark
from hlcli.evaluation.metrics import top5_average_precision, trapezoid_area


@pytest.mark.parametrize(
    ("hits", "area"),
    [
        ([1, 0, 0, 0, 0], 1.0),
        ([0, 1, 0, 0, 0], 0.25),
        ([0, 0, 0, 0, 1], 0.1),
        ([1, 1, 0, 0, 1], 0.85),
        ([1, 0, 1, 0, 1], 0.711),
        ([0, 0, 1, 1, 1], 0.378),
        ([0, 0, 0, 0, 0], 0.0),
        ([1, 1], 1.0),
    ],
)
def test_worked_values(hits: list[int], area: float) -> None:
    assert trapezoid_area(np.array(hits)[:, None]) == pytest.approx([area], abs=5e-4)
    falling = np.arange(len(hits), 0, -1)
    assert top5_average_precision(hits, falling) == pytest.approx(area, abs=5e-4)


def test_the_median_is_the_lower_one_and_ties_with_it_are_negative() -> None:
    labels = np.array([[1.0, 2], [2, 2], [3, 2], [5, 2]])
    assert tvsum.above_lower_median(labels).tolist() == [
        [False, False],
        [False, False],
        [True, False],
        [True, False],
    ]
    assert tvsum.above_lower_median(labels[:3])[:, 0].tolist() == [False, False, True]


def test_the_better_half_takes_early_shots_among_equal_ones() -> None:
    labels = np.array([[1.0, 2], [2, 2], [3, 2], [5, 2], [3, 2]])
    assert tvsum.better_half(labels).T.tolist() == [
        [False, False, True, True, False],
        [True, True, False, False, False],
    ]


def test_top5_looks_at_five_shots_and_averages_annotators() -> None:
    labels = np.array([[5, 1], [1, 5], [1, 1], [1, 1], [1, 1], [5, 5], [5, 5]], dtype=float)
    measure = tvsum.ShotMeasure(labels)
    falling = np.arange(7.0, 0, -1)
    assert measure(falling, 0)["top5_map"] == (1.0 + 0.25) / 2
    many = np.array([falling, -falling, np.zeros(7)])
    assert measure.many(many, 3).tolist() == [measure(one, 3)["top5_map"] for one in many]


@pytest.mark.parametrize("seed", range(5))
def test_correlations_are_those_of_scipy(seed: int) -> None:
    random = np.random.default_rng(seed)
    labels = random.integers(1, 6, size=(30, 4)).astype(float)
    scores = np.round(random.random(30), 1)
    got = tvsum.ShotMeasure(labels)(scores, 0)
    tau = [kendalltau(scores, column).statistic for column in labels.T]
    rho = [spearmanr(scores, column).statistic for column in labels.T]
    assert got["tau"] == pytest.approx(np.mean(tau), abs=1e-6)
    assert got["rho"] == pytest.approx(np.mean(rho), abs=1e-9)


def test_an_annotator_who_likes_everything_the_same_correlates_with_nothing() -> None:
    measure = tvsum.ShotMeasure([[1, 3], [2, 3], [3, 3], [4, 3]])
    got = measure(np.arange(4.0), 0)
    assert (got["tau"], got["rho"]) == (0.5, pytest.approx(0.5))
    constant = measure(np.zeros(4), 0)
    assert (constant["tau"], constant["rho"]) == (0.0, 0.0)


def bundle(folder: Path, name: str, **changes: object) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    arrays: dict[str, object] = {
        "vid": name,
        "category": "GA",
        "split": "val",
        "n_frames": 200,
        "length": 8.0,
        "audio_vggish": np.eye(16, 4, dtype=np.float16),
        "audio_logmel": np.tile(np.arange(16, dtype=np.float16)[:, None], (1, 4)),
        "audio_frame_idx": np.arange(16) * 12,
        "clip_labels": np.arange(12, dtype=np.float32).reshape(4, 3),
        "kts_googlenet_1": np.array([[0, 99], [100, 199]]),
    } | changes
    np.savez(folder / f"{name}.npz", **arrays)


def test_bundles_are_read_and_fill_in_for_label_lines(tmp_path: Path) -> None:
    lines = tmp_path / "labels" / "tvsum"
    lines.mkdir(parents=True)
    rows = [
        {"vid": "one", "domain": "GA", "label": [[1, 2], [2, 1]]},
        {"vid": "two", "domain": "VT", "label": [[1, 2], [2, 1], [3, 3]]},
    ]
    text = "\n".join(json.dumps(row) for row in rows)
    (lines / "tvsum_train_release.jsonl").write_text(text, encoding="utf-8")
    bundle(tmp_path / "tvsum", "one")
    two, one = tvsum.load(tmp_path).videos
    assert (two.name, two.stratum, two.parts, two.stored) == ("two", "VT", frozenset(), None)
    assert two.spans_seconds_N2.tolist() == [[0, 2], [2, 4], [4, 6]]
    assert one.parts == {"test"}
    assert one.num_units == 4
    assert one.oracle_N.tolist() == [1, 4, 7, 10]
    assert one.stored is not None
    assert one.stored.times_seconds_T[:2].tolist() == [0, pytest.approx(0.48)]
    assert one.stored.shot_boundaries_seconds is not None
    assert one.stored.shot_boundaries_seconds.tolist() == [4.0]
    assert one.stored.loudness_T is not None
    assert one.stored.loudness_T.tolist() == list(range(16))


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("tvsum/one.npz", "no zip file", "one.npz is no TVSum bundle"),
        ("labels/tvsum/a.jsonl", "not JSON", "a.jsonl holds no TVSum labels"),
        ("labels/tvsum/a.jsonl", '{"vid": "one", "domain": "GA"}', "KeyError('label')"),
        ("labels/tvsum/a.jsonl", '{"vid": "x", "domain": "GA", "label": [1]}', "labels of x"),
        ("labels/tvsum/a.jsonl", '{"vid": "x", "domain": "GA", "label": []}', "labels of x"),
    ],
)
def test_damaged_labels_are_named(name: str, text: str, words: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.parent.mkdir(parents=True)
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError) as caught:
        tvsum.load(tmp_path)
    assert words in caught.value.message
    assert "--data takes a folder" in caught.value.hint


def test_a_bundle_without_labels_is_named(tmp_path: Path) -> None:
    (tmp_path / "tvsum").mkdir()
    np.savez(tmp_path / "tvsum" / "one.npz", vid="one")
    with pytest.raises(UsageError, match=r"one\.npz is no TVSum bundle"):
        tvsum.load(tmp_path)


def test_pickles_in_a_bundle_are_refused(tmp_path: Path) -> None:
    bundle(tmp_path / "tvsum", "one", clip_labels=np.array([{}, None], dtype=object))
    with pytest.raises(UsageError, match="allow_pickle=False"):
        tvsum.load(tmp_path)


@pytest.fixture(scope="module")
def real(shared_dir: Path) -> BenchmarkReport:
    benchmark = tvsum.load(shared_dir / "data")
    return evaluate_benchmark(benchmark, [*stored_candidates(benchmark), *clock_candidates()])


@pytest.mark.shared
def test_the_whole_label_set_parses(shared_dir: Path, tmp_path: Path) -> None:
    benchmark = tvsum.load(shared_dir / "data")
    assert len(benchmark.videos) == 50
    assert [sum(v.stratum == one for v in benchmark.videos) for one in tvsum.CATEGORIES] == [5] * 10
    assert sum("test" in v.parts for v in benchmark.videos) == 10
    assert all(v.stored is not None for v in benchmark.videos)
    # The label lines alone hold the same 50 videos and the same test part.
    (tmp_path / "labels").symlink_to(shared_dir / "data" / "labels")
    alone = tvsum.load(tmp_path)
    assert [(v.name, v.stratum, v.parts) for v in alone.videos] == [
        (v.name, v.stratum, v.parts) for v in benchmark.videos
    ]
    for one, other in zip(alone.videos, benchmark.videos, strict=True):
        assert one.oracle_N.tolist() == pytest.approx(other.oracle_N.tolist())


@pytest.mark.shared
def test_known_figures(real: BenchmarkReport) -> None:
    rows = {row["name"]: row for row in real.to_json()["rows"]}
    assert all(row["n"] == 50 for name, row in rows.items() if name != "motion")
    top5 = {
        name: row["metrics"]["top5_map"]["value"]
        for name, row in rows.items()
        if row["metrics"]["top5_map"] is not None
    }
    assert top5["random"] == pytest.approx(0.413, abs=0.02)
    assert top5["oracle"] == pytest.approx(0.809, abs=0.005)
    assert top5["file-order"] == pytest.approx(0.326, abs=0.005)
    assert top5["centre-prior"] == pytest.approx(0.457, abs=0.015)
    # What the twenty annotators of all 50 videos reach among each other, and a share of it.
    assert rows["human"]["tau"] == pytest.approx(0.177, abs=0.005)
    assert rows["human"]["share_of_human"] == 1
    assert rows["centre-prior"]["share_of_human"] == pytest.approx(0.099 / 0.177, abs=0.03)
    assert rows["random"]["metrics"]["top5_map_mininet"]["value"] == pytest.approx(0.574, abs=0.02)
    assert rows["file-order"]["metrics"]["top5_map_mininet"]["value"] == pytest.approx(
        0.579, abs=0.005
    )
    test = rows["oracle"]["parts"]["test"]
    assert test["top5_map"]["value"] == pytest.approx(0.843, abs=0.01)
    assert test["top5_map"]["n"] == 10
    assert abs(rows["random"]["metrics"]["tau"]["value"]) < 0.01
    # Of tau, the headline; that of top5_map is in test_known_luck.
    assert rows["random"]["run_sd"] == pytest.approx(0.005, abs=0.002)


@pytest.mark.shared
@pytest.mark.slow
def test_known_luck(shared_dir: Path) -> None:
    everyone, test = chance_levels(tvsum.load(shared_dir / "data"))
    assert everyone.mean == pytest.approx(0.415, abs=0.01)
    assert everyone.sd == pytest.approx(0.020, abs=0.002)
    assert everyone.sd_stratum == pytest.approx(0.065, abs=0.005)
    assert everyone.best_each[100] == pytest.approx(0.581, abs=0.01)
    assert everyone.best_each[500] == pytest.approx(0.610, abs=0.015)
    assert test.mean == pytest.approx(0.425, abs=0.01)
    assert test.sd == pytest.approx(0.051, abs=0.004)
    assert test.best_each[20] == pytest.approx(0.735, abs=0.015)
    assert test.best_each[100] == pytest.approx(0.805, abs=0.015)
    assert test.best_each[500] == pytest.approx(0.849, abs=0.015)
