"""Decoding on a graphics card: what holds without one, and what its frames look like."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest
from av.codec.hwaccel import hwdevices_available
from av.video.reformatter import VideoReformatter
from cli_runner import hl

from hlcli.document import read_documents
from hlcli.media import container
from hlcli.media.luma import luma_plane
from tests.media_factory import make_video


def test_without_a_card_the_processor_decodes_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if "cuda" not in hwdevices_available():
        pytest.skip("PyAV's libraries know no CUDA")
    video = make_video(tmp_path)
    plain, other = tmp_path / "plain.json", tmp_path / "other.json"
    assert hl("score", video, "-o", plain, "--no-cache").exit_code == 0
    monkeypatch.setenv("HL_HWACCEL", "cuda:7")
    container._say_once.cache_clear()
    result = hl("score", video, "-o", other, "--no-cache")
    assert result.exit_code == 0
    assert result.stderr.count("HL_HWACCEL=cuda:7: the processor decodes h264 pictures") == 1
    assert read_documents(other) == read_documents(plain)


@pytest.mark.parametrize("text", ["warp", "cuda:first", "cuda:-1"])
def test_what_is_no_card_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setenv("HL_HWACCEL", text)
    result = hl("score", make_video(tmp_path))
    assert result.exit_code == 2
    assert f"HL_HWACCEL: {text!r} is no kind of graphics card" in result.stderr
    assert "unset it" in result.stderr


@pytest.mark.parametrize(("decoded", "on_card"), [("yuv420p", "nv12"), ("yuv420p10le", "p010le")])
def test_frames_of_a_card_have_the_luma_of_the_others(decoded: str, on_card: str) -> None:
    rgb_HWC = np.random.default_rng(0).integers(0, 256, (64, 96, 3), dtype=np.uint8)
    reformatter = VideoReformatter()
    frame = reformatter.reformat(av.VideoFrame.from_ndarray(rgb_HWC), format=decoded)
    one, other = (
        luma_plane(shown, reformatter)
        for shown in (frame, reformatter.reformat(frame, format=on_card))
    )
    assert np.array_equal(one.samples(), other.samples())
    assert (one.black, one.white) == (other.black, other.white)
