"""The page of `hl review`: its checks, what is committed of it, and itself in a browser."""

from __future__ import annotations

import json
import math
import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from browser_pages import free_port, missing_node, run_script
from document_factory import make_document
from media_factory import AudioTrack, click_track, make_video, read_frame_number, shots

from hlcli import scores_cache
from hlcli.document import VideoRecord
from hlcli.media.identity import content_identity
from hlcli.media.probe import probe
from hlcli.media.still import read_stills
from hlcli.moments import Take
from hlcli.serve.page import page_files

REPOSITORY = Path(__file__).resolve().parents[1]
WEB = REPOSITORY / "web"
BUILT = REPOSITORY / "hlcli/serve/page_built"


def test_what_is_committed_is_a_whole_page() -> None:
    files = page_files()
    assert sorted(files) == ["", "review.css", "review.js"]
    page = files[""][1].decode()
    assert re.findall(r'(?:src|href)="([^"#]*)"', page) == ["data:,", "./review.js", "./review.css"]
    for kind, content in files.values():
        assert content, kind
        # Nothing is fetched from elsewhere: addresses in it are names of XML, or comments.
        assert not re.search(rb"https?://(?!www\.w3\.org|127\.0\.0\.1)", content), kind
    assert sum(len(content) for _, content in files.values()) < 200_000


def test_page_and_panel_share_their_client() -> None:
    sources = {path.name: path.read_text() for path in (WEB / "src").glob("*.ts")}
    users = {name for name, text in sources.items() if "../../plugins/premiere/panel/" in text}
    assert {"client.ts", "jobs.ts", "saver.ts"} <= users
    # All calls go through it.
    assert not any(
        re.search(r"(?<![#.\w])fetch\(|XMLHttpRequest", text) for text in sources.values()
    )


def test_the_lock_file_names_no_registry() -> None:
    lock = json.loads((WEB / "package-lock.json").read_text())
    package = json.loads((WEB / "package.json").read_text())
    for name, version in (package["dependencies"] | package["devDependencies"]).items():
        assert re.fullmatch(r"\d+\.\d+\.\d+", version)
        assert lock["packages"][f"node_modules/{name}"]["version"] == version
    for name, entry in lock["packages"].items():
        assert "resolved" not in entry
        assert not name or entry["integrity"].startswith("sha512-")


@pytest.mark.slow
def test_what_is_committed_is_what_the_sources_give() -> None:
    if why := missing_node(20, 19):
        pytest.skip(why)
    afresh = REPOSITORY / "build/review-page"
    done = subprocess.run(
        [str(REPOSITORY / "scripts/page"), str(afresh)],
        capture_output=True, text=True, timeout=500,
    )  # fmt: skip
    if done.returncode == 3:
        pytest.skip(f"npm could not fetch the packages: {done.stderr.strip()[-300:]}")
    assert done.returncode == 0, done.stdout + done.stderr
    names = sorted(path.name for path in BUILT.iterdir())
    assert names == sorted(path.name for path in afresh.iterdir())
    for name in names:
        assert (BUILT / name).read_bytes() == (afresh / name).read_bytes(), (
            f"{name} is not what web/ gives: run scripts/page and commit it"
        )


def scored_with_takes(folder: Path) -> Path:
    """Make a video whose stored scores have one moment with two other takes."""
    video = make_video(folder, name="takes.mp4", num_frames=600)
    document = make_document(
        path=str(video),
        num_frames=600,
        scores=[0.9 if 2 <= clip < 5 else 0.05 for clip in range(20)],
        identity=content_identity(video),
    )
    (moment,) = document.moments
    others = tuple(
        Take(start_seconds=start, end_seconds=start + 3, score=0.4) for start in (9.0, 15.0)
    )
    scores_cache.put(document.with_moments([replace(moment, alternatives=others)]))
    return video


@pytest.mark.slow
def test_the_page_in_a_browser_against_the_service(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("fastapi", reason="the extra [serve] is not installed")
    footage = tmp_path / "shots é"
    footage.mkdir()
    demo = footage / "big buck bunny.mp4"
    shutil.copyfile(REPOSITORY / "docs/demo/big-buck-bunny-excerpt.mp4", demo)
    # Where nothing is kept: see the steps before.
    (footage / "big buck bunny.srt").write_text(
        "1\n00:00:20,000 --> 00:00:22,000\nde eekhoorn (squirrel) kijkt\n"
    )
    # A codec and a container that no browser plays.
    other = make_video(
        footage, name="tape.mkv", num_frames=240, paint=shots(60), codec="mpeg2video"
    )
    cache = tmp_path / "cache"
    monkeypatch.setenv("HL_CACHE_DIR", str(cache))
    settings = {
        "takes": str(scored_with_takes(footage)),
        "python": sys.executable,
        "port": free_port(),
        "videos": [str(demo), str(other)],
        "folder": str(footage),
        "shots": os.environ.get("HL_REVIEW_SHOTS"),
    }
    seen = run_script(
        "review.js",
        settings,
        {"HL_OFFLINE": "1", "OMP_NUM_THREADS": "1"},
    )
    assert seen["console"] == []
    assert seen["axe"] == []
    # The ticket is used up and gone from the address.
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/review/#review=[0-9a-f]{16}", seen["address"])
    assert (seen["seeded"], seen["picture"]) == (2, 640)
    assert seen["strangers"] == 401

    steps = seen["steps"]
    assert steps["fits"] is True
    assert steps["addedByKey"] == 2
    # Twice a second, then the middle of the next frame of 25.
    assert steps["shiftArrow"] == pytest.approx(2.0)
    assert steps["arrow"] == pytest.approx(2.06, abs=0.05)
    assert (steps["fast"], steps["stopped"]) == (2, True)
    assert steps["in"] == pytest.approx(1.0, abs=0.11)
    assert steps["out"] == pytest.approx(0.0, abs=0.11)
    for name in ("undone", "redone", "dropped", "keptAgain", "pinned", "swapped", "stayed"):
        assert steps[name] is True, name
    assert (steps["split"], steps["merged"], steps["moved"]) == (1, 0, 1)
    assert steps["focus"] == ["Drop", "Swap"]
    assert steps["playsCut"] == ["true", "false"]
    assert (steps["ownOrder"], steps["avoided"], steps["added"]) == ("own", 1, 1)
    assert steps["jump"] < 0.5
    slider = steps["slider"]
    assert slider["atOnce"] is True
    assert slider["made"] == pytest.approx(slider["target"], abs=2.0)
    assert steps["drag"] == pytest.approx(0.7, abs=0.2)
    assert steps["undoDrag"] is True
    assert (steps["clickDrop"], steps["clickAdd"], steps["allowed"]) == (-1, 1, 0)
    assert (steps["clickPin"], steps["clickMove"]) == (True, "own")

    assert "squirrel" in steps["found"][0]
    assert steps["foundByKey"] == pytest.approx(0, abs=0.06)
    assert steps["foundByMark"] == pytest.approx(0, abs=0.06)
    assert (steps["foundAdded"], steps["foundCleared"]) == (1, True)

    assert (seen["exported"], seen["rendered"]) == (True, True)
    assert "cut.fcpxml is there already" in seen["refused"]
    assert "done" in seen["learnt"]
    assert seen["conflict"]["notice"].startswith("This review was changed in another tab")
    assert (seen["conflict"]["saved"], seen["conflict"]["loaded"]) == ("Not saved", True)
    assert "hl does not answer" in seen["unsaved"]
    assert seen["reopened"] == seen["afterKill"]
    assert seen["narrowFits"] is True
    first, *others = seen["takes"][::2]
    assert first == pytest.approx(1.5, abs=0.6)
    assert others == [9.0, 15.0, 9.0]
    assert seen["takes"][1::2] == [f"Take {number} of 3" for number in (1, 2, 3, 2)]
    assert seen["copy"]["width"] > 0
    assert seen["copy"]["position"] == pytest.approx(1.0, abs=0.2)


# What no browser plays, what plays at an uneven rate, and what some play without its sound.
UNEVEN = tuple(Fraction(n, 30) + Fraction(n % 3, 200) + Fraction(n > 10, 4) for n in range(30))
SOURCES: dict[str, tuple[str, dict[str, Any]]] = {
    "prores.mov": (
        "proxy",
        {
            "codec": "prores_ks",
            "pix_fmt": "yuv422p10le",
            "audio": (AudioTrack(click_track(1.0, (0.5,)), codec="pcm_s16le"),),
        },
    ),
    "screen.mp4": ("source", {"frame_times": UNEVEN}),
    "cinema.mp4": ("proxy", {"audio": (AudioTrack(click_track(1.0, (0.5,)), codec="ac3"),)}),
}


@pytest.mark.slow
def test_what_is_shown_is_the_frame_that_is_exported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("fastapi", reason="the extra [serve] is not installed")
    monkeypatch.setenv("HL_CACHE_DIR", str(tmp_path / "cache"))
    videos, frames = [], []
    for number, (name, (_, recipe)) in enumerate(SOURCES.items()):
        # Each counts its frames from another number, so that none is taken for another.
        changes = {"num_frames": 30, "first_number": 100 * number, **recipe}
        video = make_video(tmp_path, name=name, **changes)
        info = probe(video)
        document = make_document(
            num_frames=info.num_frames,
            frame_rate=info.frame_rate,
            scores=[0.9, 0.1][: math.ceil(info.duration_seconds)],
        )
        record = VideoRecord.from_media(info, content_identity(video))
        scores_cache.put(replace(document, video=record))
        stills = read_stills(info, [0, 1, 17], height=96)
        videos.append(str(video))
        frames.append([read_frame_number(still.rgb_HWC) for still in stills])
    settings = {
        "python": sys.executable,
        "port": free_port(),
        "videos": videos,
        "wanted": [wanted for wanted, _ in SOURCES.values()],
        "folder": str(tmp_path),
    }
    seen = run_script("sources.js", settings, {"HL_OFFLINE": "1", "OMP_NUM_THREADS": "1"})
    assert seen["console"] == []
    assert [one["frames"] for one in seen["videos"]] == frames
    assert [one["sound"] for one in seen["videos"]] == [True, False, True]
    # The small copy is for looking only.
    cut = json.dumps(json.loads((tmp_path / "sources.otio").read_text()))
    assert all(name in cut for name in SOURCES)
    assert str(tmp_path / "cache") not in cut
