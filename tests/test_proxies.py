"""Proxies beside their originals: found by name, checked by content, looked at instead."""

from __future__ import annotations

import dataclasses
import json
import shutil
from fractions import Fraction
from pathlib import Path

import media_factory
import pytest
from cli_runner import hl
from finetune_factory import write_cut

from hlcli.media.discover import find_videos
from hlcli.media.probe import probe
from hlcli.media.proxies import ProxyFinder, difference, original_of, without_proxies
from hlcli.timeline.read import read_timeline
from hlcli.tuning.cut import read_cut
from hlcli.tuning.footage import Footage

PAIRS = [
    ("GX010042.MP4", "GL010042.LRV"),
    ("GOPR0042.MP4", "GOPR0042.LRV"),
    ("DJI_0001.MP4", "DJI_0001.LRF"),
    ("A001.mov", "Proxy/A001.mov"),
    ("A001.mov", "ProxyMedia/A001.mp4"),
    ("A001.mxf", "Proxies/A001_Proxy.mov"),
    ("match.mp4", "match_proxy.mp4"),
    ("match.mp4", "match-PROXY.mov"),
    ("CLIP/C0001.MP4", "SUB/C0001S03.MP4"),
]
RATE = Fraction(25)


@pytest.mark.parametrize(("original", "proxy"), PAIRS)
def test_names_of_proxies(tmp_path: Path, original: str, proxy: str) -> None:
    files = [tmp_path / name for name in (original, proxy, "other.mp4", "Proxy/alone.mov")]
    for path in files:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    assert without_proxies(files) == [files[0], *files[2:]]
    assert ProxyFinder().candidates(files[0]) == [files[1]]
    assert ProxyFinder().candidates(files[1]) == []
    assert original_of(files[1]) == files[0]
    assert original_of(files[0]) is None
    assert original_of(files[3]) is None
    assert files[1] not in find_videos([str(tmp_path)])
    # A file that is named is meant.
    assert find_videos([str(files[1])]) == [files[1]]


def video(path: Path, *, width: int = 96, first: int = 0, **changes: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    values: dict[str, object] = {"rate": RATE, "num_frames": 75, "b_frames": 0} | changes
    return media_factory.make_video(
        path.parent,
        name=path.name,
        width=width,
        height=width * 2 // 3,
        first_number=first,
        **values,
    )  # type: ignore[arg-type]


def test_what_differs_is_no_proxy(tmp_path: Path) -> None:
    original = probe(video(tmp_path / "a.mp4", timecode="01:00:00:00"))
    assert difference(original, original) is None
    shorter = dataclasses.replace(original, num_frames=70)
    assert difference(original, shorter) == "has 70 frames, not 75"
    assert difference(original, dataclasses.replace(original, num_frames=74)) is None
    other = dataclasses.replace(original, frame_rate=Fraction(50))
    assert difference(original, other) == "runs at 50 frames per second, not 25"
    # Drones record 60 frames a second, and a proxy of 30.
    faster = dataclasses.replace(
        original, frame_rate=Fraction(50), num_frames=151, start_timecode="01:00:00:01"
    )
    assert difference(faster, original) == "runs at 25 frames per second, not 50"
    assert difference(faster, original, may_skip_frames=True) is None
    assert "not 25" in str(difference(original, faster, may_skip_frames=True))
    later = dataclasses.replace(faster, start_timecode="01:00:00:02")
    assert "starts at" in str(difference(later, original, may_skip_frames=True))
    longer = dataclasses.replace(faster, num_frames=160)
    assert difference(longer, original, may_skip_frames=True) == "has 75 frames, not 80"
    other = dataclasses.replace(original, start_timecode="01:00:00:05")
    assert difference(original, other) == "starts at 01:00:00:05, not 01:00:00:00"
    assert difference(original, dataclasses.replace(original, start_timecode=None)) is None
    other = dataclasses.replace(original, width=64)
    assert "another shape" in str(difference(original, other))


def test_the_proxy_is_looked_at_and_the_timeline_names_the_original(tmp_path: Path) -> None:
    original = video(tmp_path / "GX010001.MP4", width=192)
    video(tmp_path / "small.mp4", width=96).rename(tmp_path / "GL010001.LRV")
    timeline, scores = tmp_path / "cut.otio", tmp_path / "s.json"
    result = hl("score", tmp_path, "-o", timeline, "-o", scores, "--visual-only", "--top", 1)
    assert result.exit_code == 0, result.output
    assert "GX010001.MP4: its proxy GL010001.LRV is looked at instead" in result.stderr
    document = json.loads(scores.read_text())
    assert document["proxy"] == "GL010001.LRV"
    assert document["video"]["path"] == str(original)
    assert document["video"]["width"] == 192
    (source,) = read_timeline(timeline).edit.sources
    assert source.path == str(original)
    # Stored scores of the proxy do not stand for the original where that is asked for.
    result = hl("score", original, "-o", scores, "--visual-only", "--proxies", "off")
    assert result.exit_code == 0, result.output
    assert "proxy" not in json.loads(scores.read_text())


def test_a_proxy_of_another_take_is_refused_with_a_line(tmp_path: Path) -> None:
    original = video(tmp_path / "b.mp4")
    video(tmp_path / "Proxy" / "b.mp4", num_frames=50)
    result = hl("score", original, "--json", "--visual-only")
    assert result.exit_code == 0, result.output
    assert "b.mp4 is not taken for its proxy: it has 50 frames, not 75" in result.stderr
    assert "proxy" not in json.loads(result.stdout)
    (tmp_path / "Proxy" / "b.mp4").write_bytes(b"no video")
    result = hl("score", original, "--json", "--visual-only", "--no-cache")
    assert result.exit_code == 0, result.output
    assert "it cannot be read" in result.stderr


def test_timelines_of_proxies_find_their_originals(tmp_path: Path) -> None:
    original = video(tmp_path / "raw" / "c.mp4", width=192)
    proxy = video(tmp_path / "raw" / "Proxy" / "c.mov", width=96)
    cut = write_cut(tmp_path / "cut.otio", [(str(proxy), 1, 2)], rate=RATE, length=3.0)
    read = read_timeline(cut)
    assert [source.path for source in read.edit.sources] == [str(original)]
    assert read.notes == ("c.mov is a proxy: c.mp4 is taken",)
    footage = Footage([str(tmp_path / "raw")])
    assert [file.path for file in footage.files] == [original]
    elsewhere = write_cut(
        tmp_path / "other.otio", [("/old/c_proxy.mov", 1, 2)], rate=RATE, length=3.0
    )
    (span,) = read_cut(elsewhere, footage).spans
    assert span.file.path == original
    # A proxy of another take stays what it is.
    shutil.move(str(original), str(tmp_path / "x.mp4"))
    video(original, num_frames=50)
    read = read_timeline(cut)
    assert [source.path for source in read.edit.sources] == [str(proxy)]
    assert "c.mov is not the proxy of c.mp4: it has 75 frames, not 50" in read.notes
