"""Public benchmarks: from scores to spans, the table, how far luck goes; on made-up labels."""

from __future__ import annotations

import dataclasses
import json
import subprocess
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from hlcli.cli import app
from hlcli.errors import UsageError
from hlcli.evaluation.benchmarks.benchmark import Benchmark, Float64, LabelledVideo, StoredFeatures
from hlcli.evaluation.benchmarks.candidates import (
    READOUT_NAMES,
    Candidate,
    clock_candidates,
    stored_candidates,
)
from hlcli.evaluation.benchmarks.chance import chance_levels
from hlcli.evaluation.benchmarks.report import BenchmarkReport
from hlcli.evaluation.benchmarks.resample import clips_to_spans, rows_to_spans
from hlcli.evaluation.benchmarks.run import evaluate_benchmark
from hlcli.evaluation.bootstrap import bootstrap_over_strata
from hlcli.evaluation.metrics import best_first
from hlcli.evaluation.page import render_benchmark_page
from hlcli.media.ffmpeg import find_ffmpeg

MANDATORY = {
    *("random", "oracle", "centre-prior", "file-order"),
    *("deviation-from-mean", "temporal-difference", "loudness", "motion", "shot-length"),
}


def video(
    name: str,
    label_N: list[float],
    *,
    stratum: str = "s",
    parts: tuple[str, ...] = (),
    stored: StoredFeatures | None = None,
) -> LabelledVideo:
    """Make a video of one-second units whose metric is the label of the best-scored unit."""
    labels = np.array(label_N)
    starts = np.arange(len(labels), dtype=np.float64)

    def measure(scores_N: Float64, seed: int) -> Mapping[str, float]:
        best = best_first(scores_N, seed=seed)[0]
        return {"hit": float(labels[best]), "first": float(best == 0)}

    def measure_many(scores_RN: Float64, seed: int) -> Float64:
        return np.array([measure(scores_N, seed)["hit"] for scores_N in scores_RN])

    return LabelledVideo(
        name=name,
        stratum=stratum,
        spans_seconds_N2=np.stack([starts, starts + 1], axis=1),
        oracle_N=labels,
        measure=measure,
        measure_many=measure_many,
        parts=frozenset(parts),
        stored=stored,
    )


def stored(picture: list[float] | None, sound: list[float] | None) -> StoredFeatures:
    rows = picture or sound or []
    table = lambda values: None if values is None else np.array([[v, 1.0] for v in values])  # noqa: E731
    return StoredFeatures(
        times_seconds_T=np.arange(len(rows)) + 0.5,
        duration_seconds=float(len(rows)),
        picture_TD=table(picture),
        sound_TD=table(sound),
    )


def benchmark(*videos: LabelledVideo, **settings: object) -> Benchmark:
    plain = Benchmark(name="made", protocol="p", metrics=("hit", "first"), videos=videos)
    return dataclasses.replace(plain, **settings)  # type: ignore[arg-type]


def by_name(report: BenchmarkReport) -> dict[str, dict[str, object]]:
    return {row["name"]: row for row in report.to_json()["rows"]}


def test_rows_become_the_mean_inside_each_span_or_the_nearest() -> None:
    times = np.array([0.5, 1.5, 2.5, 3.5])
    scores = np.array([1.0, 2.0, 4.0, 8.0])
    spans = np.array([[0, 2], [1, 4], [2.5, 3.5], [1.6, 1.9], [2.1, 2.4], [9, 10]])
    assert rows_to_spans(times, scores, spans).tolist() == pytest.approx(
        [1.5, 14 / 3, 4.0, 2.0, 4.0, 8.0]
    )
    # Equal rows give equal means, also at the end of a long sum.
    equal = rows_to_spans(np.arange(1000.0), np.full(1000, 0.1), np.array([[0, 3], [600, 607]]))
    assert equal[0] == equal[1] == pytest.approx(0.1)
    with pytest.raises(ValueError, match="3 instants for 4 scores"):
        rows_to_spans(times[:3], scores, spans)


def test_clips_become_the_mean_weighted_by_overlap() -> None:
    scores = np.array([1.0, 3.0, 5.0])
    spans = np.array([[0, 2], [0.5, 1.5], [0.75, 1.75], [2.5, 4.0], [7, 9], [1.2, 1.3]])
    assert clips_to_spans(scores, spans, clip_seconds=1.0).tolist() == pytest.approx(
        [2.0, 2.0, 2.5, 5.0, 5.0, 3.0]
    )
    assert clips_to_spans(scores, np.array([[2.0, 4.0]]), clip_seconds=2.0).tolist() == [3.0]


def test_every_row_is_there_and_says_what_it_cannot() -> None:
    made = benchmark(video("one", [0, 0, 1, 0]), video("two", [1, 0, 0, 0]))
    rows = by_name(evaluate_benchmark(made, [*stored_candidates(made), *clock_candidates()]))
    assert set(rows) == MANDATORY
    assert rows["oracle"]["hit"] == 1.0
    # Of four units the first is always taken: an explicit falling score, no tie.
    assert rows["file-order"]["hit"] == 0.5
    assert rows["file-order"]["metrics"]["first"]["value"] == 1.0  # type: ignore[index]
    assert rows["random"]["runs"] == 100
    assert rows["random"]["note"] == "mean of 100 rankings"
    assert abs(float(str(rows["random"]["hit"])) - 0.25) < 0.1
    assert rows["motion"]["hit"] is None
    assert rows["motion"]["ci95"] is None
    assert rows["motion"]["n"] == 0
    assert rows["motion"]["note"] == "not computable: no motion stored"
    words = "not computable: no picture or sound features stored"
    assert rows["deviation-from-mean"]["note"] == words


def test_rows_look_at_the_picture_or_else_the_sound() -> None:
    odd = [0.0, 0.0, 9.0, 0.0]
    sound_only = benchmark(video("one", odd, stored=stored(None, odd)))
    rows = by_name(evaluate_benchmark(sound_only, stored_candidates(sound_only)))
    assert {name for name in rows if name in READOUT_NAMES} == set(READOUT_NAMES)
    for name in ("deviation-from-mean", *READOUT_NAMES):
        assert rows[name]["modality"] == "a"
        assert "stored sound features" in str(rows[name]["note"])
        assert rows[name]["hit"] == 9.0
    both = benchmark(video("one", odd, stored=stored(odd, [5.0, 0, 0, 0])))
    rows = by_name(evaluate_benchmark(both, stored_candidates(both)))
    assert rows["deviation-from-mean"]["modality"] == "v"
    assert rows["deviation-from-mean"]["hit"] == 9.0


def test_a_video_without_input_is_ranked_at_random_and_said() -> None:
    odd = [0.0, 0.0, 1.0, 0.0]
    made = benchmark(
        video("one", odd, stored=stored(odd, None)), *(video(f"v{i}", odd) for i in range(40))
    )
    row = by_name(evaluate_benchmark(made, stored_candidates(made)))["dmean"]
    assert row["n"] == 41
    assert str(row["note"]).endswith("40 videos lack what it looks at and are ranked at random")
    assert 0.1 < float(str(row["hit"])) < 0.5


def test_ties_are_broken_by_the_seed_never_by_index() -> None:
    made = benchmark(*(video(f"v{i}", [1.0] + [0.0] * 9) for i in range(200)))
    flat = Candidate(name="flat", looks="v", rank=lambda one: [np.zeros(one.num_units)])
    first, again, other = (
        by_name(evaluate_benchmark(made, [flat], seed=seed))["flat"]["hit"] for seed in (0, 0, 1)
    )
    assert first == again
    assert first != other
    assert 0.04 < float(str(first)) < 0.17


def test_strata_weigh_the_same_and_parts_stand_apart() -> None:
    made = benchmark(
        video("a1", [1.0], stratum="a", parts=("test",)),
        video("a2", [1.0], stratum="a"),
        video("a3", [1.0], stratum="a"),
        video("b1", [0.0], stratum="b", parts=("test",)),
        video("b2", [0.4], stratum="b"),
        other_parts=("test",),
    )
    report = evaluate_benchmark(made, clock_candidates())
    row = by_name(report)["oracle"]
    assert row["hit"] == pytest.approx(0.6)
    assert row["n"] == 5
    assert row["strata"] == {
        "a": {"value": 1.0, "ci95": [1.0, 1.0], "n": 3},
        "b": {"value": 0.2, "ci95": [0.0, 0.4], "n": 2},
    }
    test = row["parts"]["test"]["hit"]  # type: ignore[index]
    # One video a stratum: drawn over all videos, or the interval would have no width.
    assert test == {"value": 0.5, "ci95": [0.0, 1.0], "n": 2}
    with_part = dataclasses.replace(
        report, benchmark=dataclasses.replace(made, headline_part="test")
    )
    assert by_name(with_part)["oracle"]["hit"] == 0.5
    assert with_part.to_json()["headline"] == {"metric": "hit", "part": "test"}


def test_lone_videos_keep_their_weight() -> None:
    interval = bootstrap_over_strata([1.0, 0.0, 0.0, 0.0], strata=["a", "b", "b", "b"])
    assert interval.mean == 0.5
    assert interval.low == 0.0
    # Three times the lone video and one of the others: 1.5 of 1.5 + 1 / 6.
    assert interval.high == pytest.approx(0.9)
    assert interval.n == 4
    with pytest.raises(ValueError, match="differ in length"):
        bootstrap_over_strata([1.0], strata=["a", "b"])


def test_a_detector_is_compared_on_what_it_scored() -> None:
    made = benchmark(*(video(f"v{i}", [0.0, 0.5, 1.0, 0.2]) for i in range(6)))
    perfect = Candidate(
        name="mine",
        looks="v",
        is_baseline=False,
        rank=lambda one: None if one.name == "v5" else [one.oracle_N, one.oracle_N],
    )
    report = evaluate_benchmark(made, [perfect, *clock_candidates()])
    row = by_name(report)["mine"]
    assert (row["n"], row["runs"], row["run_sd"]) == (5, 2, 0.0)
    assert row["note"] == "1 videos are not scored"
    mine = next(one for one in report.rows if one.name == "mine")
    assert report.remark_on(mine) == "1 videos are not scored; sd 0.000 over the runs"
    (found,) = report.comparisons()
    assert (found.detector, found.baseline, found.verdict) == ("mine", "centre-prior", "detector")
    assert found.difference.n == 5
    page = render_benchmark_page(report)
    assert '<tr class="detector"><td>mine</td>' in page
    assert "minus centre-prior" in page


def test_a_benchmark_without_videos_is_refused() -> None:
    with pytest.raises(UsageError, match="made has no labelled video"):
        evaluate_benchmark(benchmark(), [])


def test_luck_grows_with_the_choice_and_shrinks_with_the_videos() -> None:
    few = tuple(
        video(f"{s}{i}", [1.0] + [0.0] * 3, stratum=s, parts=("test",) if i == 0 else ())
        for s in "abcd"
        for i in range(8)
    )
    everyone, test = chance_levels(benchmark(*few, other_parts=("test",)), seed=3)
    assert (everyone.part, everyone.num_videos, everyone.num_rankings) == ("all", 32, 2000)
    assert (test.part, test.num_videos) == ("test", 4)
    for chance in (everyone, test):
        # One unit of four is right, so the figure is a binomial share.
        share_sd = np.sqrt(0.25 * 0.75 / chance.num_videos)
        assert chance.mean == pytest.approx(0.25, abs=0.01)
        assert chance.sd == pytest.approx(share_sd, rel=0.1)
        assert chance.worth == pytest.approx(1.96 * np.sqrt(2) * chance.sd)
        assert chance.best_average[20] < chance.best_average[100] < chance.best_average[500]
        assert all(chance.best_each[n] > chance.best_average[n] for n in (20, 100))
        assert chance.last_checkpoint < chance.best_checkpoint < chance.best_checkpoint_each
    # With one video a category, somebody always guesses right.
    assert test.best_each[20] > 0.99
    assert everyone.best_each[20] < 0.75
    again, _ = chance_levels(benchmark(*few, other_parts=("test",)), seed=3)
    assert again == everyone
    words = everyone.sentence("hit")
    assert words.startswith("On all (32 videos) a ranking that knows nothing has a hit of 0.2")
    assert json.loads(json.dumps(everyone.to_json()))["best_of_n"].keys() == {"20", "100", "500"}


def label_file(data: Path, names: list[str], shots: int) -> None:
    folder = data / "labels" / "tvsum"
    folder.mkdir(parents=True)
    rows = [
        {
            "vid": name,
            "domain": "VT",
            "label": [[float(shot == 1), float(shot)] for shot in range(shots)],
        }
        for name in names
    ]
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (folder / "tvsum_val_release.jsonl").write_text(text, encoding="utf-8")


def make_video(path: Path, *, sound: bool) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    given = ["-f", "lavfi", "-i", "testsrc2=s=64x48:r=25"]
    if sound:
        given += ["-f", "lavfi", "-i", "sine=f=500"]
    subprocess.run([find_ffmpeg().path, "-v", "error", *given, "-t", "6.4", str(path)], check=True)


def test_real_files_through_the_real_pipeline(tmp_path: Path) -> None:
    data, videos = tmp_path / "data", tmp_path / "videos"
    label_file(data, ["loud", "mute", "broken", "absent"], shots=5)
    make_video(videos / "a" / "loud.mp4", sound=True)
    make_video(videos / "mute.mkv", sound=False)
    make_video(videos / "other.mp4", sound=True)
    (videos / "broken.mp4").write_bytes(b"no video at all")
    page = tmp_path / "page.html"
    result = CliRunner().invoke(
        app,
        [
            *("eval", "tvsum", "--data", str(data), "--videos", str(videos), "--model", "subspace"),
            *("--device", "cpu", "--json", "--html", str(page)),
        ],
    )
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    rows = {(row["name"], row["modality"]): row for row in report["rows"]}
    assert {name for name, _ in rows} >= MANDATORY | {"subspace", *READOUT_NAMES}
    assert rows["subspace", "v"]["n"] == 2
    assert rows["subspace", "v"]["baseline"] is False
    assert rows["subspace", "va"]["n"] == 1
    assert rows["subspace", "va"]["note"] == "1 videos are not scored"
    assert rows["motion", "v"]["n"] == 2
    assert rows["oracle", "labels"]["metrics"]["top5_map"]["n"] == 2
    assert set(rows["oracle", "labels"]["parts"]) == {"test"}
    assert report["missing"][0] == "absent"
    assert report["missing"][1].startswith("broken (")
    # Five shots of two seconds are labelled, the files last 6.4 seconds.
    assert sorted(report["remarks"]) == [
        "1 of 3 files have no sound",
        "the file of loud is 4 s shorter than its labels",
        "the file of mute is 4 s shorter than its labels",
    ]
    compared = ["subspace", "subspace", "rarity, held out", "background alone, held out"]
    assert [one["name"] for one in report["comparisons"]] == compared
    assert rows["rarity, held out", "v"]["baseline"] is False
    assert "2 of 4 videos are scored; missing: absent, broken (" in page.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ([], "no video in the folder"),
        (["other.mp4"], "belongs to tvsum"),
        (["loud.mp4", "b/loud.mkv"], "are both loud"),
        (["loud.mp4"], "can be read: loud ("),
    ],
)
def test_files_that_cannot_be_used(files: list[str], words: str, tmp_path: Path) -> None:
    data, videos = tmp_path / "data", tmp_path / "videos"
    label_file(data, ["loud"], shots=3)
    videos.mkdir()
    for name in files:
        (videos / name).parent.mkdir(exist_ok=True)
        (videos / name).write_bytes(b"no video at all")
    result = CliRunner().invoke(
        app,
        ["eval", "tvsum", "--data", str(data), "--videos", str(videos), "--model", "subspace"],
    )
    assert result.exit_code == 2
    assert words in result.stderr
    assert "hint: " in result.stderr


def test_luck_from_the_command_line(tmp_path: Path) -> None:
    label_file(tmp_path, ["one", "two"], shots=8)
    result = CliRunner().invoke(app, ["eval", "tvsum", "--data", str(tmp_path), "--trust"])
    assert result.exit_code == 0, result.output
    assert "luck alone: top5_map" in result.stdout
    assert "the best of 500, per category" in result.stdout
    result = CliRunner().invoke(
        app, ["eval", "tvsum", "--data", str(tmp_path), "--trust", "--json"]
    )
    trust = json.loads(result.stdout)["trust"]
    assert (trust["metric"], trust["seed"]) == ("top5_map", 0)
    assert [one["part"] for one in trust["sets"]] == ["all", "test"]
    assert len(trust["sentences"]) == 2
