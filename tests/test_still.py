"""Single frames, by the number painted on them."""

from __future__ import annotations

import subprocess
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from media_factory import AudioTrack, click_track, is_upright, make_video, read_frame_number

from hlcli.media.ffmpeg import find_ffmpeg
from hlcli.media.probe import probe
from hlcli.media.still import read_stills

RATES = [
    Fraction(24000, 1001), Fraction(24), Fraction(25), Fraction(30000, 1001), Fraction(30),
    Fraction(50), Fraction(60000, 1001), Fraction(60),
]  # fmt: skip


def numbers(path: Path, frames: list[int]) -> list[tuple[int, int]]:
    stills = read_stills(probe(path), frames, height=96)
    return [(still.frame, read_frame_number(still.rgb_HWC)) for still in stills]


@pytest.mark.parametrize("rate", RATES, ids=str)
def test_exact_at_every_rate(tmp_path: Path, rate: Fraction) -> None:
    path = make_video(tmp_path, rate=rate, num_frames=90, gop=30)
    wanted = [89, 0, 1, 29, 30, 31, 59, 60, 88]
    assert numbers(path, wanted) == [(number, number) for number in sorted(wanted)]


@pytest.mark.parametrize("name", ["a.mkv", "a.avi", "a.ts", "a.mov", "a.mp4"])
def test_exact_in_every_container(tmp_path: Path, name: str) -> None:
    b_frames = 0 if name.endswith("avi") else 3
    path = make_video(tmp_path, name=name, num_frames=75, gop=25, b_frames=b_frames)
    assert numbers(path, [0, 24, 25, 74]) == [(0, 0), (24, 24), (25, 25), (74, 74)]


def test_raw_stream_without_a_clock(tmp_path: Path) -> None:
    path = make_video(
        tmp_path, name="a.h264", format="h264", num_frames=50, rate=Fraction(25), b_frames=0
    )
    assert numbers(path, [0, 13, 49]) == [(0, 0), (13, 13), (49, 49)]


def test_container_clock_that_does_not_start_at_zero(tmp_path: Path) -> None:
    path = make_video(tmp_path, name="a.ts", num_frames=60, start_seconds=Fraction(10))
    assert numbers(path, [0, 30, 59]) == [(0, 0), (30, 30), (59, 59)]


def test_variable_rate_gives_what_is_on_screen(tmp_path: Path) -> None:
    # A second at 30, a second of standing picture, a second at 30.
    times = [Fraction(i, 30) for i in range(30)] + [Fraction(60 + i, 30) for i in range(30)]
    path = make_video(tmp_path, frame_times=tuple(times))
    info = probe(path)
    assert (info.is_variable_rate, info.frame_rate) == (True, 30)
    assert numbers(path, [10, 29, 45, 59, 60, 70]) == [
        (10, 10), (29, 29), (45, 29), (59, 29), (60, 30), (70, 40),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("turn", "shape"), [(0, (72, 120)), (90, (72, 43)), (180, (72, 120)), (270, (72, 43))]
)
def test_upright_and_in_shape(tmp_path: Path, turn: int, shape: tuple[int, int]) -> None:
    path = make_video(tmp_path, rotation_degrees=turn, counter=False)
    [still] = read_stills(probe(path), [7], height=72)
    assert still.rgb_HWC.shape == (*shape, 3)
    # The patch is painted before the turn.
    assert is_upright(np.rot90(still.rgb_HWC, turn // 90))


def test_pixels_that_are_not_square(tmp_path: Path) -> None:
    path = make_video(tmp_path, sample_aspect_ratio=Fraction(2))
    [still] = read_stills(probe(path), [0], height=48)
    assert still.rgb_HWC.shape == (48, 160, 3)


def test_cut_by_stream_copy(tmp_path: Path) -> None:
    whole = make_video(
        tmp_path,
        num_frames=90,
        gop=30,
        audio=(AudioTrack(click_track(3.0, (1.0,))),),
    )
    path = tmp_path / "cut.mp4"
    subprocess.run(
        [find_ffmpeg().path, "-v", "error", "-ss", "1.5", "-i", whole, "-c", "copy", path],
        check=True,
    )
    first = numbers(path, [0])[0][1]
    # The edit list hides what lies before the cut, or shows it: the probe says from where.
    assert first in (30, 45)
    assert numbers(path, [5, 20]) == [(5, first + 5), (20, first + 20)]


def test_what_lies_past_the_end_is_the_last_frame(tmp_path: Path) -> None:
    assert numbers(make_video(tmp_path, num_frames=30), [500]) == [(500, 29)]


def speckled(index: int, image: np.ndarray) -> None:
    """Paint squares, and frames 40 to 44 alone in focus."""
    grains = np.random.default_rng(1).integers(0, 2, (image.shape[0] // 8, image.shape[1] // 8))
    squares = np.kron(grains, np.full((8, 8), 200.0))
    for _ in range(0 if 40 <= index < 45 else 12):
        squares = (squares + np.roll(squares, 1, 0) + np.roll(squares, 1, 1)) / 3
    image[: squares.shape[0], : squares.shape[1]] = squares[..., None]


def test_the_sharpest_frame_beside_a_peak(tmp_path: Path) -> None:
    info = probe(make_video(tmp_path, num_frames=90, counter=False, paint=speckled))

    def shown(number: int, within: range | None) -> list[int]:
        chosen = None if within is None else {number: within}
        return [one.shown for one in read_stills(info, [number], height=96, within=chosen)]

    assert shown(50, range(90)) == [44]
    assert shown(50, None) == [50]
    assert shown(50, range(45, 90)) == [50]  # the sharp ones are of another moment
    assert shown(60, range(90)) == [60]  # further than half a second away
    assert shown(43, range(90)) == [43]  # nothing sharper: as it was


def test_a_sharper_frame_that_cannot_be_decoded_is_passed_over(tmp_path: Path) -> None:
    info = probe(make_video(tmp_path, num_frames=30))
    [still] = read_stills(info, [29], height=96, within={29: range(100)})
    assert still.frame == 29
