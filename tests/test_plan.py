"""How a file is read: from which keyframes, and in which pieces."""

from __future__ import annotations

import subprocess
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from media_factory import Image, make_video

from hlcli.media import decode_plan as plan_module
from hlcli.media.clips import ClipGrid
from hlcli.media.decode_plan import Clock, DecodePlan, plan_decoding
from hlcli.media.ffmpeg import find_ffmpeg
from hlcli.media.probe import probe


def planned(path: Path) -> DecodePlan:
    info = probe(path)
    with av.open(str(path)) as container:
        grid = ClipGrid.covering(info.duration_seconds, Fraction(1))
        return plan_decoding(container, container.streams.video[0], info, grid)


STEADY = (("x264-params", "scenecut=0"),)


@pytest.mark.parametrize("b_frames", [0, 2])
@pytest.mark.parametrize(("gop", "is_enough"), [(51, False), (53, True)])
def test_a_keyframe_may_lie_three_quarters_of_a_clip_from_its_middle(
    tmp_path: Path, gop: int, is_enough: bool, b_frames: int
) -> None:
    # Three seconds at 30: the third clip's middle, 2.5 s, is 0.8 or 0.73 s from a keyframe. The
    # index of an MP4 has decoding times, which B-frames make earlier.
    path = make_video(tmp_path, num_frames=90, gop=gop, b_frames=b_frames, options=STEADY)
    assert planned(path).keyframes_only is is_enough


def test_frames_that_a_cut_without_encoding_hides_say_nothing_about_the_clock(
    tmp_path: Path,
) -> None:
    # Such a file begins with frames that are decoded and not shown.
    whole = make_video(tmp_path, num_frames=90, gop=30, options=STEADY)
    cut = tmp_path / "cut.mp4"
    command = [find_ffmpeg().path, "-v", "error", "-ss", "1.5", "-i", whole, "-c", "copy", cut]
    subprocess.run(command, check=True)
    with av.open(str(cut)) as container:
        assert next(container.demux(video=0)).is_discard  # or this tells nothing
    assert planned(cut).clock is Clock.PTS


def noise(index: int, image: Image) -> None:
    image[:] = np.random.default_rng(index).integers(0, 255, image.shape, dtype=np.uint8)


def test_a_fragmented_file_is_not_judged_by_the_fragments_met_so_far(tmp_path: Path) -> None:
    # As for streaming: an index of fragments in front, and frames of each where it begins.
    flags = "frag_keyframe+empty_moov+default_base_moof+dash+global_sidx"
    recipe: dict[str, Any] = {
        "rate": Fraction(10),
        "num_frames": 200,
        "b_frames": 0,
        "paint": noise,
        "options": (("qp", "4"), ("preset", "ultrafast"), *STEADY),
        "container_options": (("movflags", flags),),
    }
    often, seldom = tmp_path / "often", tmp_path / "seldom"
    for folder in (often, seldom):
        folder.mkdir()
    path = make_video(often, gop=10, **recipe)
    with av.open(str(path)) as container:
        assert len(container.streams.video[0].index_entries) < 100  # or this tells nothing
    assert planned(path).keyframes_only
    # One keyframe in each of the fragments met so far, and few after that.
    assert not planned(make_video(seldom, gop=100, **recipe)).keyframes_only


def test_pieces_are_never_empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = make_video(tmp_path, num_frames=1000, rate=Fraction(25), gop=25, b_frames=0)
    pieces = planned(path).segments
    assert len(pieces) == 4
    edges = [piece.start_ticks for piece in pieces[1:]]
    assert edges == sorted(set(edges))
    assert [piece.end_ticks for piece in pieces[:-1]] == edges
    assert (pieces[0].start_ticks, pieces[-1].end_ticks) == (None, None)

    def stuck(container: Any, stream: Any, ticks: int) -> int | None:
        return edges[0]

    # Some files seek to the same keyframe again and again.
    monkeypatch.setattr(plan_module, "_first_keyframe_at", stuck)
    assert [piece.start_ticks for piece in planned(path).segments] == [None, edges[0]]
