"""`hl match` and what is built on it, on films that ffmpeg makes of made clips."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
from cli_runner import hl

import hlcli
from hlcli.errors import MediaNotFoundError, NothingFoundError, TrainingError, UsageError
from hlcli.matching.align import find_end, find_seam, fit_line
from hlcli.matching.geometry import find_placements
from hlcli.matching.match import MatchedShot, shared_speed
from hlcli.matching.search import PlaceSearch, Spread
from hlcli.matching.signature import picture_inside, resampled, signatures
from hlcli.media.ffmpeg import find_ffmpeg
from hlcli.media.grey import WHOLE, GreyReader
from hlcli.media.probe import probe
from hlcli.timeline.read import read_timeline
from hlcli.tuning.plan import FinetunePlan
from hlcli.zoo.manifest import list_models

RATE = 25
CLIPS = {
    "numbers.mp4": "testsrc2=size=320x180:rate=25",
    "zoom.mp4": "mandelbrot=size=320x180:rate=25:end_pts=200",
    "cells.mp4": "life=size=80x45:rate=25:mold=10:ratio=0.2:seed=3:life_color=#80ff40:"
    "death_color=#903030,scale=320:180:flags=bilinear",
}
FOREIGN = "cellauto=size=320x180:rate=25:rule=110:seed=5"
CUTS = (("numbers.mp4", 52, 50), ("cells.mp4", 40, 45), ("zoom.mp4", 71, 55))
"""Clip, first frame, frames."""


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def shared_cache(cache: Path, isolated_environment: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Read the footage once for all tests."""
    monkeypatch.setenv("HL_CACHE_DIR", str(cache))


def ffmpeg(*arguments: str) -> None:
    subprocess.run([find_ffmpeg().path, "-v", "error", "-y", *arguments], check=True)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three clips of 6 s, and a film of them: scaled, graded, letterboxed, with music."""
    folder = tmp_path_factory.mktemp("project")
    footage = folder / "footage"
    footage.mkdir()
    encoded = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p")
    for name, source in CLIPS.items():
        ffmpeg("-f", "lavfi", "-i", source, "-t", "6", *encoded, str(footage / name))
    ffmpeg("-f", "lavfi", "-i", FOREIGN, "-t", "4", *encoded, str(folder / "foreign.mp4"))
    inputs = [text for name, _, _ in CUTS for text in ("-i", str(footage / name))]
    parts = "".join(
        f"[{number}:v]trim=start_frame={start}:end_frame={start + count},setpts=PTS-STARTPTS,"
        f"crop=320:136,scale=480:204,eq=contrast=1.3:gamma=0.8,pad=480:270:0:33[p{number}];"
        for number, (_, start, count) in enumerate(CUTS)
    )
    joined = "".join(f"[p{number}]" for number in range(len(CUTS)))
    ffmpeg(
        *inputs, "-f", "lavfi", "-i", "sine=frequency=330",
        "-filter_complex", f"{parts}{joined}concat=n={len(CUTS)}[v]",
        "-map", "[v]", "-map", f"{len(CUTS)}:a", "-shortest", *encoded, str(folder / "film.mp4"),
    )  # fmt: skip
    return folder


def test_film_becomes_a_cut_of_its_footage(project: Path, tmp_path: Path) -> None:
    written = tmp_path / "conform.otio"
    result = hl(
        "match", project / "film.mp4", project / "footage", "--json", "--quiet",
        "-o", written, "-o", tmp_path / "conform.edl",
    )  # fmt: skip
    assert result.exit_code == 0, result.stderr
    values = json.loads(result.stdout)
    assert values["schema"] == "hl.match/1"
    assert values["unmatched"] == []
    assert [Path(one["path"]).name for one in values["shots"]] == [name for name, _, _ in CUTS]
    assert all(abs(one["speed"] - 1) < 0.01 for one in values["shots"])
    events = read_timeline(written).edit.events
    assert len(events) == len(CUTS)
    at = 0
    for event, (name, start, count) in zip(events, CUTS, strict=True):
        assert event.source.name == name
        assert abs(event.record.start - at) <= 1
        assert abs(event.frames.start - start) <= 1
        assert abs(event.frames.stop - (start + count)) <= 2
        at += count
    assert "* FROM CLIP NAME: cells.mp4" in (tmp_path / "conform.edl").read_text()


def test_foreign_film_is_refused(project: Path, tmp_path: Path) -> None:
    with pytest.raises(NothingFoundError, match=r"nothing of foreign\.mp4 is in the 3 files"):
        hlcli.match(project / "foreign.mp4", project / "footage", tmp_path / "conform.otio")
    assert not list(tmp_path.iterdir())


def test_film_among_its_footage_is_left_out(project: Path) -> None:
    film = project / "film.mp4"
    with pytest.raises(MediaNotFoundError, match="no footage beside the film"):
        hlcli.match(film, film)


def test_outputs_that_hold_scores_are_refused_at_once(project: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="it holds scores"):
        hlcli.match(project / "film.mp4", project / "footage", tmp_path / "conform.csv")


def test_line_is_found_to_the_frame_at_another_rate_and_speed() -> None:
    chance = np.random.default_rng(0)
    source = chance.normal(size=(200, 300)).astype(np.float32)
    source = np.stack([source[i : i + 3].mean(axis=0) for i in range(198)])
    source /= np.linalg.norm(source, axis=1, keepdims=True)
    # 60 frames at 25 a second of footage at 30, 4 % faster, from its second 1.5 on.
    places = np.floor(30 * (1.5 + 1.04 * (np.arange(60) + 0.5) / 25)).astype(int)
    line = fit_line(
        source[places] @ source.T, film_start=100, film_rate=25.0, source_start=0, source_rate=30.0
    )
    assert abs(line.source_seconds(4.0) - 1.5) < 1 / 30
    assert abs(line.source_seconds(6.4) - (1.5 + 1.04 * 2.4)) < 1 / 30
    assert line.alike_F.min() > 0.5


@pytest.mark.parametrize("speed", [0.5, 2.0, 1.97])
def test_line_of_slow_and_of_fast_motion(speed: float) -> None:
    source = np.random.default_rng(0).normal(size=(300, 300)).astype(np.float32)
    source /= np.linalg.norm(source, axis=1, keepdims=True)
    places = np.floor(25 * (2.0 + speed * (np.arange(60) + 0.5) / 25)).astype(int)
    line = fit_line(
        source[places] @ source.T, film_start=100, film_rate=25.0, source_start=0,
        source_rate=25.0, usual_speed=round(speed, 0) or 0.5,
    )  # fmt: skip
    assert line.speed == pytest.approx(speed, abs=0.02)
    assert abs(line.source_seconds(4.0) - 2.0) < 1.5 / 25
    assert line.alike_F.mean() > 0.9


def test_a_shot_at_half_speed_is_one_shot(project: Path, tmp_path: Path) -> None:
    numbers, cells = (str(project / "footage" / name) for name in ("numbers.mp4", "cells.mp4"))
    ffmpeg(
        "-i", numbers, "-i", cells, "-filter_complex",
        "[0:v]trim=start_frame=50:end_frame=90,setpts=2*(PTS-STARTPTS),fps=25[a];"
        "[1:v]trim=start_frame=20:end_frame=60,setpts=PTS-STARTPTS[b];[a][b]concat=n=2",
        "-c:v", "libx264", "-preset", "ultrafast", str(tmp_path / "slow.mp4"),
    )  # fmt: skip
    slow, normal = hlcli.match(tmp_path / "slow.mp4", project / "footage").found.shots
    assert slow.speed == pytest.approx(0.5, abs=0.005)
    assert slow.source_seconds(0.0) == pytest.approx(50 / RATE, abs=1.5 / RATE)
    assert abs(slow.film.stop - 80) <= 2
    assert normal.speed == pytest.approx(1, abs=0.01)


def matched(seconds: float, speed: float, alike: float = 0.95) -> MatchedShot:
    return MatchedShot(range(round(seconds * RATE)), 0, 0.0, speed, WHOLE, alike)


def test_a_speed_that_most_shots_share_is_that_of_the_film() -> None:
    faster = [matched(2.0, speed) for speed in (1.04, 1.043, 1.038, 1.041)]
    assert shared_speed(faster, RATE) == 1.0  # too few
    assert shared_speed([*faster, matched(2.0, 1.0), matched(3.0, 1.04)], RATE) == 1.04
    # Short shots and doubtful ones say nothing; a film of its own speed has none.
    assert shared_speed([*faster, matched(0.5, 1.04)], RATE) == 1.0
    assert shared_speed([*faster, matched(3.0, 1.04, alike=0.7)], RATE) == 1.0
    assert shared_speed([matched(2.0, 1.0)] * 5 + faster, RATE) == 1.0
    assert shared_speed([matched(2.0, 1.001)] * 9, RATE) == 1.0


def test_part_of_the_picture_is_found(project: Path) -> None:
    with GreyReader.open(probe(project / "footage" / "numbers.mp4")) as reader:
        source = reader.stretch(range(40, 60))
    rect = (0.2, 0.1, 0.9, 0.8)
    film = resampled(source[9:10], rect, 72, 128)[0].astype(np.uint8)
    found = find_placements(film, WHOLE, source, shapes=(16 / 9, 16 / 9))[0]
    assert found.correlation > 0.7
    assert found.rect == pytest.approx(rect, abs=0.04)


def test_grading_leaves_a_signature_as_it_is(project: Path) -> None:
    with GreyReader.open(probe(project / "footage" / "zoom.mp4")) as reader:
        source = reader.stretch(range(100, 101))
    graded = (255 * (source / 255) ** 0.7 * 0.8 + 20).astype(np.uint8)
    assert float((signatures(source, WHOLE) * signatures(graded, WHOLE)).sum()) > 0.9


def test_bars_are_no_picture() -> None:
    rows, columns = np.full(72, 200, np.uint8), np.full(128, 200, np.uint8)
    assert picture_inside(rows, columns) == WHOLE
    rows[:9] = rows[63:] = 16
    assert picture_inside(rows, columns) == pytest.approx((0, 10 / 72, 1, 62 / 72))


def test_places_of_all_files_compete() -> None:
    chance = np.random.default_rng(1)
    rows = chance.normal(size=(3, 50, 64)).astype(np.float16)
    spread = Spread()
    spread.add(rows.reshape(-1, 64))
    search = PlaceSearch(2 * rows[2, [20, 21]] + 0.1, spread)
    for file in range(3):
        search.look_in(file, rows[file])
    best = search.candidates([0, 1], np.array([3.0, 4.0]))[0]
    assert best.file == 2
    assert best.offset_seconds == pytest.approx(20.5 - 3)


def test_finetune_learns_from_a_film(project: Path) -> None:
    settings = hlcli.FinetuneSettings(
        name="from-film", footage=(str(project / "footage"),), films=(project / "film.mp4",)
    )
    plans: list[FinetunePlan] = []
    outcome = hlcli.finetune(settings, on_plan=plans.append)
    assert outcome is not None
    (found,) = plans[0].annotations
    assert found.way == "cut"
    assert found.num_unmatched == 0
    for span, (name, start, count) in zip(found.spans, CUTS, strict=True):
        assert span.file.path.name == name
        assert float(span.start) == pytest.approx(start / RATE, abs=0.05)
        assert float(span.end) == pytest.approx((start + count) / RATE, abs=0.09)


def test_finetune_learns_nothing_from_a_foreign_film(project: Path) -> None:
    settings = hlcli.FinetuneSettings(
        name="from-foreign", footage=(str(project / "footage"),), films=(project / "foreign.mp4",)
    )
    with pytest.raises(TrainingError, match="nothing is learned"):
        hlcli.finetune(settings)
    assert "from-foreign" not in {one.name for one in list_models()}


def test_shots_meet_in_the_middle_of_a_dissolve() -> None:
    chance = np.random.default_rng(2)
    before, after = chance.normal(size=(2, 40, 300)).astype(np.float32)
    share = np.clip((np.arange(40) - 11.5) / 16, 0, 1)[:, None].astype(np.float32)
    noise = chance.normal(size=(40, 300)).astype(np.float32)
    film = 1.4 * ((1 - share) * before + share * after) + 0.3 * noise
    assert find_seam(film, before, after) == 20
    cut = np.where(np.arange(40)[:, None] < 7, before, after)
    assert find_seam(cut, before, after) == 7


def test_shots_do_not_meet_where_something_else_is_shown() -> None:
    before, after, other = np.random.default_rng(3).normal(size=(3, 30, 300)).astype(np.float32)
    film = np.concatenate([before[:10], other[10:20], after[20:]])
    assert find_seam(film, before, after) is None
    assert find_seam(before, before, before) is None


def test_shot_ends_where_half_of_it_is_gone() -> None:
    shot, other = np.random.default_rng(4).normal(size=(2, 40, 300)).astype(np.float32)
    share = np.clip((np.arange(40) - 11.5) / 16, 0, 1)[:, None].astype(np.float32)
    assert abs(find_end(1.4 * (1 - share) * shot + share * other, shot) - 20) <= 1
    assert find_end(shot, shot) == 40
