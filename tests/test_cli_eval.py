"""`hl eval` from the command line, on a small real collection with a fitted detector."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
from cli_runner import hl

from hlcli.evaluation import composite_plan as plan
from hlcli.evaluation.composite import read_manifest
from hlcli.evaluation.page import render_page
from hlcli.evaluation.report import Report, Row
from hlcli.media.ffmpeg import find_ffmpeg
from hlcli.training.split import assign_splits

COLOURS = {"Archery": "testsrc2", "ApplyLipstick": "color=c=gray"}


@pytest.fixture(scope="module")
def collection(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make 2 labels of 10 groups: moving patterns with a tone, and plain gray with silence."""
    folder = tmp_path_factory.mktemp("collection")
    rows = []
    for label, picture in COLOURS.items():
        joint = "=" if "=" not in picture else ":"
        source = folder / f"{label}.mp4"
        sound = "sine=f=500" if label == "Archery" else "anullsrc=r=44100"
        given = ["-f", "lavfi", "-i", f"{picture}{joint}s=64x48:r=25", "-f", "lavfi", "-i", sound]
        subprocess.run(
            [find_ffmpeg().path, "-v", "error", *given, "-t", "10.2", str(source)], check=True
        )
        rows += [
            {
                "file": source.name,
                "source": "made",
                "label": label,
                "group": f"g{group}",
                "duration_seconds": 10.2,
            }
            for group in range(20)
        ]
    (folder / "manifest.json").write_text(json.dumps(rows), encoding="utf-8")
    return folder


def run(*arguments: str) -> tuple[int, str, str]:
    result = hl("eval", *arguments)
    return result.exit_code, result.stdout, result.stderr


@pytest.mark.slow
def test_real_files_through_the_real_pipeline(
    collection: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A minute and more of video is what takes the time; a quarter of one shows the same.
    monkeypatch.setattr(plan, "MIN_VIDEO_SECONDS", 14.0)
    monkeypatch.setattr(plan, "MAX_VIDEO_SECONDS", 16.0)
    page = tmp_path / "report.html"
    code, out, err = run(
        *("composite", "--data", str(collection), "--kind", "action", "--videos-per-kind", "2"),
        *("--work", str(tmp_path / "work"), "--model", "subspace", "--device", "cpu"),
        *("--json", "--html", str(page)),
    )
    assert code == 0, err
    report = json.loads(out)
    assert report["dataset"] == "composite"
    assert report["headline_kinds"] == ["action"]
    rows = {(row["name"], row["modality"]): row for row in report["rows"]}
    assert {("subspace", "v"), ("subspace", "va"), ("random", "none"), ("oracle", "labels")} <= set(
        rows
    )
    assert all(row["n"] == 2 and set(row["kinds"]) == {"action"} for row in report["rows"])
    # Moving and loud against still and silent: these cannot miss, in picture and in sound.
    assert rows["oracle", "labels"]["map"] == 1.0
    assert rows["motion", "v"]["map"] > 0.95
    assert rows["loudness", "a"]["map"] > 0.95
    assert rows["random", "none"]["map"] < 0.45
    assert [one["name"] for one in report["comparisons"]] == ["subspace", "subspace"]
    videos = sorted(path.name for path in (tmp_path / "work" / "videos").iterdir())
    assert len(videos) == 4
    assert sum(name.endswith("-silent.mp4") for name in videos) == 2
    assert "deviation-from-mean" in page.read_text(encoding="utf-8")


def test_only_clips_of_the_asked_part_are_read(collection: Path, tmp_path: Path) -> None:
    # Without the files of other parts the evaluation must still start; one missing file stops it.
    rows = read_manifest(collection)
    parts = assign_splits(rows)
    for row, part in zip(rows, parts, strict=True):
        row["file"] = f"gone-{part}.mp4"
    (tmp_path / "manifest.json").write_text(json.dumps(rows), encoding="utf-8")
    for part in ("train", "dev", "test"):
        code, _, err = run(
            *("composite", "--data", str(tmp_path), "--split", part, "--kind", "action"),
            *("--work", str(tmp_path / "work"), "--model", "subspace"),
        )
        assert code == 3
        assert f"gone-{part}.mp4" in err


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("tvsum",), 2, "tvsum needs its labels"),
        (("tvsum", "--data", "nowhere"), 2, "there is no folder nowhere"),
        (("tvsum", "--data", "{data}"), 2, "no TVSum labels in"),
        (("tvsum", "--data", "{data}", "--kind", "rare"), 2, "--kind says nothing about tvsum"),
        (("charades",), 2, "unknown dataset 'charades'"),
        (("composite",), 2, "composites need labelled clips"),
        (("composite", "--data", "nowhere"), 2, "manifest.json"),
        (("composite", "--data", ".", "--split", "validation"), 2, "unknown part 'validation'"),
        (("composite", "--data", ".", "--videos-per-kind", "1"), 2, "has no interval"),
        (("composite", "--data", "{data}", "--kind", "odd"), 2, "unknown kind of composite 'odd'"),
        (("composite", "--data", "{data}", "--kind", "foreign"), 2, "cannot make a composite"),
        (("composite", "--data", "{data}", "--model", "none-such"), 4, "none-such"),
    ],
)
def test_wrong_command_lines(
    arguments: tuple[str, ...], code: int, words: str, collection: Path
) -> None:
    got, out, err = run(*(text.replace("{data}", str(collection)) for text in arguments))
    assert got == code
    assert words in err
    assert out == ""
    assert "Traceback" not in err


def test_page_escapes_names() -> None:
    kinds = ("a<b", "a<b")
    rows = (
        Row(name="<script>", looks="v", is_baseline=False, kinds=kinds, values=(0.5, 0.7)),
        Row(name="motion", looks="v", is_baseline=True, kinds=kinds, values=(0.1, 0.3)),
    )
    page = render_page(
        Report(dataset="composite", protocol="p & q", rows=rows, headline_kinds=kinds)
    )
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    assert "p &amp; q" in page
    assert f"{np.mean([0.5, 0.7]):.3f} <small>" in page
    assert "minus motion: +0.400 [+0.400, +0.400], winner: detector" in page
