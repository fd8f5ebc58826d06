"""QVHighlights: loader, Moment-DETR's highlight metrics, and what the real labels must give."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hlcli.errors import UsageError
from hlcli.evaluation.benchmarks import qvhighlights
from hlcli.evaluation.benchmarks.benchmark import Benchmark
from hlcli.evaluation.benchmarks.candidates import clock_candidates
from hlcli.evaluation.benchmarks.run import evaluate_benchmark
from hlcli.evaluation.metrics import interpolated_average_precision


def line(**changes: Any) -> str:
    made = {
        "qid": 1,
        "query": "A dog runs.",
        "duration": 11,
        "vid": "abc_60.0_71.0",
        "relevant_clip_ids": [1, 2],
        "relevant_windows": [[2, 6]],
        "saliency_scores": [[4, 3, 2], [2, 4, 0]],
    }
    return json.dumps(made | changes)


def write(data: Path, *lines: str, part: str = "val") -> Path:
    folder = data / "labels" / "qvhighlights"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / qvhighlights.FILES[part]
    path.write_text("\n".join(lines) + "\n")
    return path


def test_an_entry_is_read_as_clips_of_two_seconds(tmp_path: Path) -> None:
    write(tmp_path, line(), line(qid=2))
    write(tmp_path, line(qid=3), part="test")
    benchmark = qvhighlights.load(tmp_path)
    assert benchmark.metrics == ("map", "hit1", "map_good", "hit1_good", "map_fair", "hit1_fair")
    assert (benchmark.headline_part, benchmark.other_parts) == ("val", ("test",))
    assert [video.parts for video in benchmark.videos] == [{"val"}, {"val"}, {"test"}]
    # Queries of one video share its name, so that the bootstrap draws them together.
    assert [video.name for video in benchmark.videos] == ["abc_60.0_71.0"] * 3
    first = benchmark.videos[0]
    assert first.spans_seconds_N2.tolist() == [[0, 2], [2, 4], [4, 6], [6, 8], [8, 10]]
    assert first.oracle_N == pytest.approx([0, 3, 2, 0, 0])


def test_the_measure_by_hand(tmp_path: Path) -> None:
    write(tmp_path, line())
    (entry,) = qvhighlights.load(tmp_path).videos
    scores = np.array([0.1, 0.2, 0.9, 0.4, 0.3])  # ranks: clips 2, 3, 4, 1, 0
    figures = entry.measure(scores, 0)
    # Very Good: rater 1 clip 1 (rank 4), rater 2 clip 2 (rank 1), rater 3 none.
    assert figures["map"] == pytest.approx((1 / 4 + 1 + 0) / 3)
    assert figures["hit1"] == 1.0
    # Good: rater 1 clip 1, rater 2 clips 1 and 2 (ranks 1 and 4), rater 3 none.
    assert figures["map_good"] == pytest.approx((1 / 4 + (1 + 2 / 4) / 2 + 0) / 3)
    # Fair: raters 1 and 2 both clips, rater 3 clip 1.
    assert figures["map_fair"] == pytest.approx((0.75 + 0.75 + 1 / 4) / 3)
    many = np.array([scores, -scores, np.zeros(5), np.round(scores)])
    alone = [entry.measure(one, 3)["map"] for one in many]
    assert entry.measure_many(many, 3) == pytest.approx(alone)
    worst = entry.measure(-scores, 0)
    assert (worst["hit1"], worst["hit1_fair"]) == (0.0, 0.0)


def test_interpolation_takes_the_best_precision_from_there_on() -> None:
    assert interpolated_average_precision([[0], [1], [1]]) == pytest.approx([2 / 3])
    assert interpolated_average_precision([[1], [0], [1]]) == pytest.approx([(1 + 2 / 3) / 2])
    assert interpolated_average_precision([[0, 1], [0, 1]]).tolist() == [0.0, 1.0]


@given(st.lists(st.booleans(), min_size=1, max_size=40))
@settings(max_examples=100, deadline=None)
def test_interpolated_ap_is_the_mean_over_recall_levels(hits: list[bool]) -> None:
    points = [(sum(hits[:k]), sum(hits[:k]) / k) for k in range(1, len(hits) + 1)]
    levels = range(1, sum(hits) + 1)
    expected = [max(p for found, p in points if found >= level) for level in levels]
    value = interpolated_average_precision(np.array(hits)[:, None])
    assert value == pytest.approx([np.mean(expected) if expected else 0.0])


def test_queries_of_one_video_are_drawn_together(tmp_path: Path) -> None:
    # Two videos; file order finds the highlight of all nine queries of the one at once, and that
    # of the other's single query last.
    first = {"relevant_clip_ids": [0], "relevant_windows": [[0, 2]], "saliency_scores": [[4] * 3]}
    last = {"relevant_clip_ids": [4], "relevant_windows": [[8, 10]], "saliency_scores": [[4] * 3]}
    lines = [line(qid=qid, vid="many", **first) for qid in range(9)]
    write(tmp_path, *lines, line(qid=9, vid="one", **last))
    report = evaluate_benchmark(qvhighlights.load(tmp_path), clock_candidates())
    row = next(one for one in report.to_json()["rows"] if one["name"] == "file-order")
    assert row["map"] == pytest.approx((9 * 1.0 + 0.2) / 10)
    # Drawn apart, ten queries would hardly ever all be the single bad one.
    assert (row["ci95"], row["n"]) == ([0.2, 1.0], 2)


@pytest.mark.parametrize(
    ("spoilt", "words"),
    [
        (line(qid=2)[:-9], "not JSON at column"),
        ("3", "expected an object"),
        (line(), "qid 1 is also in"),
        (line(qid=None), "qid is not a finite number"),
        (line(qid=2, vid=7), "vid is missing"),
        (line(qid=2, duration=float("nan")), "duration is not a finite number"),
        (line(qid=2, duration=1), "duration is below one clip"),
        (line(qid=2, relevant_clip_ids=[1, 5]), "twice or outside the 5 clips"),
        (line(qid=2, relevant_clip_ids=[1, 1]), "twice or outside the 5 clips"),
        (line(qid=2, relevant_clip_ids=[-1, 1]), "twice or outside the 5 clips"),
        (line(qid=2, relevant_clip_ids=[1.5, 2]), "not a list of whole numbers"),
        (line(qid=2, relevant_clip_ids=[1]), "1 rated clips, but 2 ratings"),
        (line(qid=2, saliency_scores=[[4, 3], [2, 4]]), "not a table of 3 columns"),
        (line(qid=2, saliency_scores=[[4, 3, 5], [2, 4, 0]]), "no whole number of 0 to 4"),
        (line(qid=2, saliency_scores=[[4, 3, 2.5], [2, 4, 0]]), "no whole number of 0 to 4"),
        (line(qid=2, saliency_scores=[[4, 3, float("nan")], [2, 4, 0]]), "not finite"),
        (line(qid=2, saliency_scores=None), "saliency_scores is not a table"),
        (line(qid=2, relevant_windows=[[6, 2]]), "a relevant window ends before it starts"),
        (line(qid=2, relevant_windows=[[2, 12]]), "a relevant window ends after 11"),
        ("[" * 100_000, "not JSON"),
    ],
)
def test_spoilt_lines_are_named(tmp_path: Path, spoilt: str, words: str) -> None:
    path = write(tmp_path, line(), spoilt)
    with pytest.raises(UsageError) as caught:
        qvhighlights.load(tmp_path)
    assert caught.value.message.startswith(f"{path}, line 2: ")
    assert words in caught.value.message
    assert "docs/reference/eval.md" in caught.value.hint


def test_missing_and_empty_files_are_named(tmp_path: Path) -> None:
    path = tmp_path / "labels" / "qvhighlights" / "highlight_val_release.jsonl"
    with pytest.raises(UsageError) as caught:
        qvhighlights.load(tmp_path)
    assert caught.value.message == f"there is no file {path}"
    write(tmp_path)
    with pytest.raises(UsageError) as caught:
        qvhighlights.load(tmp_path)
    assert caught.value.message == f"{path}: there is no query in it"


@pytest.fixture(scope="module")
def benchmark(shared_dir: Path) -> Benchmark:
    return qvhighlights.load(shared_dir / "data")


@pytest.mark.shared
def test_all_10310_entries_parse(benchmark: Benchmark) -> None:
    count = {
        part: sum(part in one.parts for one in benchmark.videos) for part in qvhighlights.FILES
    }
    assert count == {"train": 7218, "val": 1550, "test": 1542}
    assert len(benchmark.videos) == 10_310


@pytest.mark.shared
def test_rows_of_the_val_part(benchmark: Benchmark) -> None:
    entries = [one for one in benchmark.videos if "val" in one.parts]

    def mean(scores: list[np.ndarray]) -> dict[str, float]:
        rows = [one.measure(s, i) for i, (one, s) in enumerate(zip(entries, scores, strict=True))]
        return {name: float(np.mean([row[name] for row in rows])) for name in benchmark.metrics}

    random = np.random.default_rng(0)
    drawn = mean([random.random(one.num_units) for one in entries])
    # The share of clips that at least one rater takes as positive is the chance of a hit.
    ratings = [one.measure for one in entries]
    chance = np.mean([measure._positive_NK[:, :3].any(axis=1).mean() for measure in ratings])
    assert drawn["hit1"] == pytest.approx(chance, abs=0.04)
    assert drawn["map"] == pytest.approx(0.154, abs=0.01)
    oracle = mean([one.oracle_N for one in entries])
    assert oracle["hit1_fair"] == 1.0
    assert oracle["map_fair"] > 0.97
    assert drawn["map"] < drawn["map_good"] < drawn["map_fair"]
