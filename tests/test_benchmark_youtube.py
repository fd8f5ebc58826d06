"""YouTube Highlights: loader, measure and the known values of its UMT test split."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hlcli.errors import UsageError
from hlcli.evaluation.benchmarks import youtube
from hlcli.evaluation.benchmarks.benchmark import Benchmark, LabelledVideo
from hlcli.evaluation.benchmarks.candidates import centre_prior

CLIPS = [[0.0, 100.0], [50.0, 150.0], [100.0, 200.0], [150.0, 246.0]]
# A test id of UMT's list, so that the part test is not empty.
TEST_ID = "fXx44D1sqUw"


def write(data: Path, value: Any = None, *, name: str = TEST_ID, info: Any = None) -> Path:
    folder = data / "labels" / "youtube_highlights" / "dog" / name
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "match_label.json"
    path.write_text(json.dumps([CLIPS, [-1, 1, 0, 1]] if value is None else value))
    stored = ["dog", None, ["x"], 10, "y"] if info is None else info
    (folder / "info.json").write_text(json.dumps(stored))
    return path


def write_lines(data: Path, split: str, *lines: str) -> Path:
    folder = data / "labels" / "youtube_highlight"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"youtube_highlight_{split}_release.jsonl"
    path.write_text("\n".join(lines))
    return path


def line(**changes: Any) -> str:
    made = {"vid": TEST_ID, "fps": 30.0, "clip": CLIPS, "match": [-1, 1, 0, 1]}
    return json.dumps(made | changes)


def test_zero_and_minus_one_are_negative(tmp_path: Path) -> None:
    write(tmp_path)
    benchmark = youtube.load(tmp_path)
    (video,) = benchmark.videos
    assert (benchmark.metrics, benchmark.headline_part) == (("map",), "test")
    assert benchmark.other_parts == ("all",)
    assert (video.name, video.stratum, video.parts) == (TEST_ID, "dog", {"all", "test"})
    assert video.oracle_N.tolist() == [0, 1, 0, 1]
    # Hits at ranks 2 and 4: (0 + 1/2)/2 * 1/2 + (1/3 + 1/2)/2 * 1/2.
    figures = video.measure(np.array([4.0, 3.0, 2.0, 1.0]), 0)
    assert figures == {"map": pytest.approx(1 / 8 + 5 / 24)}
    assert video.measure(video.oracle_N, 0) == {"map": 1.0}
    many = np.array([[4.0, 3.0, 2.0, 1.0], video.oracle_N, np.zeros(4)])
    assert video.measure_many(many, 3).tolist() == [video.measure(one, 3)["map"] for one in many]


def test_a_frame_rate_is_guessed_from_the_length_or_read_from_lighthouse(tmp_path: Path) -> None:
    write(tmp_path)
    write(tmp_path, name="unknown", info=["dog", None, [], 7])
    videos = {video.name: video for video in youtube.load(tmp_path).videos}
    # 246 frames in 10 s are near 25 per second; in 7 s they are near nothing common.
    assert videos[TEST_ID].spans_seconds_N2[0].tolist() == [0.0, 4.0]
    assert videos["unknown"].spans_seconds_N2[-1, 1] == pytest.approx(7.0)
    assert videos["unknown"].parts == {"all"}
    write_lines(tmp_path, "train", line(vid="unknown", fps=24.0))
    write_lines(tmp_path, "val", line(), "")
    benchmark = youtube.load(tmp_path)
    videos = {video.name: video for video in benchmark.videos}
    assert benchmark.other_parts == ("all", "lighthouse")
    assert videos[TEST_ID].spans_seconds_N2[-1].tolist() == [5.0, 8.2]
    assert videos[TEST_ID].parts == {"all", "test", "lighthouse"}
    assert videos["unknown"].spans_seconds_N2[-1].tolist() == [6.25, 10.25]


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ([CLIPS], "a list of clips and a list of labels"),
        ({"clip": CLIPS}, "a list of clips and a list of labels"),
        ([CLIPS, [1, 0, 1]], "4 clips, but not as many labels"),
        ([CLIPS, [1, 0, 1, 2]], "none of -1, 0 and 1"),
        ([CLIPS, [1, 0, 1, float("nan")]], "the list of labels has a number that is not finite"),
        ([CLIPS, [1, 0, 1, None]], "the list of labels holds something that is not a number"),
        ([CLIPS, [1, 0, 1, "1"]], "the list of labels holds something that is not a number"),
        ([[[0, 1], [2]], [1, 0]], "the list of clips has rows of different lengths"),
        ([[], []], "the list of clips is not a table of 2 columns"),
        ([[[5, 5]], [1]], "a clip ends before it starts"),
        ([[[0, 10**400]], [1]], "the list of clips holds something that is not a number"),
    ],
)
def test_spoilt_labels_are_named(tmp_path: Path, value: Any, words: str) -> None:
    path = write(tmp_path, value)
    with pytest.raises(UsageError) as caught:
        youtube.load(tmp_path)
    assert caught.value.message.startswith(f"{path}: ")
    assert words in caught.value.message
    assert "docs/reference/eval.md" in caught.value.hint


@pytest.mark.parametrize(
    ("spoilt", "words"),
    [
        (line()[:-5], "line 2: not JSON at column"),
        ("[1, 2]", "line 2: expected an object"),
        (line(fps=float("inf")), "line 2: fps is not a finite number"),
        (line(fps=0), "line 2: fps is not above zero"),
        (line(match=[1]), "line 2: 4 clips, but not as many labels"),
        (line(vid=None), "line 2: vid is missing or there twice"),
        (line(vid="other"), "line 2: vid is missing or there twice: 'other'"),
    ],
)
def test_spoilt_lines_are_named(tmp_path: Path, spoilt: str, words: str) -> None:
    write(tmp_path)
    path = write_lines(tmp_path, "train", line(vid="other"), spoilt)
    with pytest.raises(UsageError) as caught:
        youtube.load(tmp_path)
    assert caught.value.message.startswith(f"{path}, {words}")


def test_a_cut_off_file_and_missing_ones_are_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no match_label\.json in") as caught:
        youtube.load(tmp_path)
    assert str(tmp_path / "labels" / "youtube_highlights") in caught.value.message
    path = write(tmp_path)
    path.write_text(path.read_text()[:30])
    with pytest.raises(UsageError, match="not JSON at column"):
        youtube.load(tmp_path)
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match="cannot be read"):
        youtube.load(tmp_path)
    write(tmp_path)
    path.with_name("info.json").unlink()
    with pytest.raises(UsageError) as caught:
        youtube.load(tmp_path)
    assert caught.value.message == f"there is no file {path.with_name('info.json')}"
    for info in ([], {}, ["dog", None, [], "10"], ["dog", None, [], 0]):
        path.with_name("info.json").write_text(json.dumps(info))
        with pytest.raises(UsageError, match="duration"):
            youtube.load(tmp_path)


@pytest.fixture(scope="module")
def benchmark(shared_dir: Path) -> Benchmark:
    return youtube.load(shared_dir / "data")


def of_part(benchmark: Benchmark, part: str) -> list[LabelledVideo]:
    return [video for video in benchmark.videos if part in video.parts]


def mean_over_domains(videos: list[LabelledVideo], values: list[float]) -> dict[str, float]:
    found = {
        domain: float(
            np.mean([v for one, v in zip(videos, values, strict=True) if one.stratum == domain])
        )
        for domain in youtube.DOMAINS
    }
    return found | {"avg": float(np.mean(list(found.values())))}


@pytest.mark.shared
def test_both_label_sets_parse_whole(benchmark: Benchmark, shared_dir: Path) -> None:
    assert len(benchmark.videos) == 550
    folder = shared_dir / "data" / "labels" / "youtube_highlight"
    lighthouse = youtube.read_lighthouse(folder)
    assert len(lighthouse) == 385
    for video in benchmark.videos:
        if video.name in lighthouse:
            rate = lighthouse[video.name].frame_rate
            frames = video.spans_seconds_N2 * rate
            np.testing.assert_allclose(frames, np.round(frames), atol=1e-6)


@pytest.mark.shared
def test_the_umt_split_has_the_known_clips_and_positives(benchmark: Benchmark) -> None:
    test = of_part(benchmark, "test")
    assert len(of_part(benchmark, "lighthouse")) == 152
    found = {}
    for domain in youtube.DOMAINS:
        oracles = [video.oracle_N for video in test if video.stratum == domain]
        positive = np.concatenate(oracles)
        assert all(one.any() for one in oracles)
        found[domain] = len(oracles), len(positive), round(100 * positive.mean(), 1)
    assert found == {
        "dog": (17, 1024, 41.8),
        "gymnastics": (26, 1012, 64.9),
        "parkour": (11, 247, 43.7),
        "skating": (10, 443, 17.6),
        "skiing": (50, 3585, 60.2),
        "surfing": (43, 1542, 40.7),
    }


@pytest.mark.shared
def test_random_reaches_the_known_values(benchmark: Benchmark) -> None:
    test = of_part(benchmark, "test")
    random = np.random.default_rng(0)

    def measured(video: LabelledVideo, runs: int) -> float:
        draws = random.random((runs, video.num_units))
        return float(np.mean([video.measure(scores, 0)["map"] for scores in draws]))

    found = mean_over_domains(test, [measured(video, 40) for video in test])
    assert found["avg"] == pytest.approx(0.511, abs=0.008)
    known = dict(zip(youtube.DOMAINS, (0.466, 0.605, 0.519, 0.366, 0.608, 0.500), strict=True))
    for domain, value in known.items():
        assert found[domain] == pytest.approx(value, abs=0.015), domain
    lighthouse = of_part(benchmark, "lighthouse")
    found = mean_over_domains(lighthouse, [measured(video, 40) for video in lighthouse])
    assert found["avg"] == pytest.approx(0.506, abs=0.008)


@pytest.mark.shared
def test_the_centre_prior_reaches_the_known_values(benchmark: Benchmark) -> None:
    test = of_part(benchmark, "test")
    # The known figures give the earlier of two clips as far from the middle the better rank.
    earlier_first = [
        video.measure(centre_prior(video) - 1e-6 * np.arange(video.num_units), 0)["map"]
        for video in test
    ]
    found = mean_over_domains(test, earlier_first)
    known = dict(zip(youtube.DOMAINS, (0.440, 0.658, 0.532, 0.492, 0.666, 0.655), strict=True))
    for domain, value in known.items():
        assert found[domain] == pytest.approx(value, abs=6e-4), domain
    assert found["avg"] == pytest.approx(0.574, abs=6e-4)
    # We never break ties by index, which costs skating, with its ten videos, some points.
    seeded = [
        float(np.mean([video.measure(centre_prior(video), seed)["map"] for seed in range(20)]))
        for video in test
    ]
    assert mean_over_domains(test, seeded)["avg"] == pytest.approx(0.5705, abs=0.003)


@pytest.mark.shared
def test_file_order_reaches_the_known_value(benchmark: Benchmark) -> None:
    test = of_part(benchmark, "test")
    values = [video.measure(-np.arange(float(video.num_units)), 0)["map"] for video in test]
    assert mean_over_domains(test, values)["avg"] == pytest.approx(0.530, abs=6e-4)
