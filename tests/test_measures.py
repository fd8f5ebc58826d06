"""Measurements of pictures: what is sharp, scrolls, freezes or is made of colour bars."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest

from hlcli.media.clips import ClipGrid
from hlcli.media.frames import read_pictures
from hlcli.media.measures import PictureMeasures
from hlcli.media.probe import probe
from tests.media_factory import Image, make_video

RATE = 12


def measure(path: Path, *, num_workers: int = 1) -> PictureMeasures:
    info = probe(path)
    grid = ClipGrid.covering(info.duration_seconds)
    with read_pictures(info, grid, picture_size=224, num_workers=num_workers) as reader:
        for _ in reader:
            pass
        return reader.signals.measures


def made(
    folder: Path,
    paint: Callable[[int, Image], None],
    *,
    seconds: int = 4,
    rotation_degrees: int = 0,
    pix_fmt: str = "yuv420p",
    codec: str = "libx264",
) -> PictureMeasures:
    path = make_video(
        folder,
        paint=paint,
        counter=False,
        b_frames=0,
        gop=5 * RATE,
        num_frames=seconds * RATE,
        rate=Fraction(RATE),
        width=320,
        height=180,
        rotation_degrees=rotation_degrees,
        pix_fmt=pix_fmt,
        codec=codec,
        name="video.mkv" if codec != "libx264" else "video.mp4",
    )
    return measure(path)


@lru_cache
def texture(height: int, width: int) -> Image:
    """Blocks of random grey, eight pixels wide: the same on every call."""
    rng = np.random.default_rng(5)
    small = rng.integers(0, 256, (height // 8 + 1, width // 8 + 1, 1))
    large: Image = np.repeat(np.repeat(small, 8, 0), 8, 1)[:height, :width].astype(np.uint8)
    return np.tile(large, (1, 1, 3))


def blurred(image: Image, size: int) -> Image:
    """Average over a box of `size` pixels both ways."""
    rows = image.astype(np.float64)
    for axis in (0, 1):
        rows = sum(np.roll(rows, shift, axis) for shift in range(size)) / size
    return rows.astype(np.uint8)


def test_the_sharpest_frame_of_each_clip_is_found(tmp_path: Path) -> None:
    def paint(index: int, image: Image) -> None:
        whole = texture(*image.shape[:2])
        # One frame of each second, at a quarter of it, is in focus.
        image[:] = whole if index % RATE == RATE // 4 else blurred(whole, 9)

    measures = made(tmp_path, paint)
    assert measures.sharpest_seconds_T.tolist() == pytest.approx([0.25, 1.25, 2.25, 3.25])
    soft = made(tmp_path, lambda index, image: np.copyto(image, blurred(texture(180, 320), 9)))
    assert measures.sharpness_T.min() > 2 * soft.sharpness_T.max()


def test_rolling_text_scrolls_and_a_still_text_is_frozen(tmp_path: Path) -> None:
    lines = np.zeros((900, 320, 3), np.uint8)
    lines[:, 60:260] = texture(900, 200)
    lines[(np.arange(900) % 24) >= 8] = 0

    def roll(index: int, image: Image) -> None:
        image[:] = lines[index * 3 : index * 3 + 180]

    rolling = made(tmp_path, roll)
    # Three pixels a frame at twelve frames a second, of 180.
    assert rolling.scroll_T == pytest.approx([0.2] * 4, abs=0.03)
    assert rolling.crawl_T == pytest.approx([0.0] * 4, abs=0.01)
    assert rolling.frozen_T.max() == 0
    assert rolling.shake_T.max() < 0.02
    still = made(tmp_path, lambda index, image: np.copyto(image, lines[:180]))
    assert still.scroll_T.tolist() == [0.0] * 4
    assert still.frozen_T.min() > 0.9


def test_a_crawl_and_a_turned_scroll_go_to_the_side_they_are_shown_at(tmp_path: Path) -> None:
    def crawl(index: int, image: Image) -> None:
        image[:] = np.roll(texture(*image.shape[:2]), -4 * index, axis=1)

    measures = made(tmp_path, crawl)
    assert measures.crawl_T == pytest.approx([4 * RATE / 320] * 4, abs=0.03)
    # Turned clockwise as shown, what moved to the left moves up.
    turned = made(tmp_path, crawl, rotation_degrees=90)
    assert turned.scroll_T == pytest.approx(measures.crawl_T, abs=1e-6)


def test_bars_are_told_from_stripes_and_from_a_picture(tmp_path: Path) -> None:
    colours = [(180, 180, 180), (180, 180, 16), (16, 180, 180), (16, 180, 16), (180, 16, 180),
               (180, 16, 16), (16, 16, 180)]  # fmt: skip

    def bars(index: int, image: Image) -> None:
        for place, colour in enumerate(colours):
            image[:130, place * 320 // 7 : (place + 1) * 320 // 7] = colour

    assert made(tmp_path, bars).bars_T.min() > 0.5

    def stripes(index: int, image: Image) -> None:
        for place in range(0, 320, 40):
            image[:, place : place + 20] = 220

    assert made(tmp_path, stripes).bars_T.max() == 0
    assert (
        made(
            tmp_path, lambda index, image: np.copyto(image, texture(*image.shape[:2]))
        ).bars_T.max()
        == 0
    )


@pytest.mark.parametrize(
    ("pix_fmt", "codec"), [("yuv420p", "libx264"), ("yuvj420p", "mjpeg"), ("yuv422p10le", "ffv1")]
)
def test_black_is_black_in_every_range_and_depth(tmp_path: Path, pix_fmt: str, codec: str) -> None:
    def halves(index: int, image: Image) -> None:
        image[:] = 0
        image[:, 192:] = 255

    measures = made(tmp_path, halves, pix_fmt=pix_fmt, codec=codec)
    assert measures.luma_T == pytest.approx([0.4] * 4, abs=0.02)
    assert measures.contrast_T == pytest.approx([0.49] * 4, abs=0.02)
    assert measures.background_T == pytest.approx([0.6] * 4, abs=0.03)
    assert measures.background_luma_T.max() < 0.03
    assert measures.saturation_T.max() < 0.03


def test_a_shaken_picture_is_told_from_a_steady_pan(tmp_path: Path) -> None:
    places = np.random.default_rng(2).integers(-12, 13, (60, 2))

    def shake(index: int, image: Image) -> None:
        image[:] = np.roll(texture(*image.shape[:2]), tuple(places[index].tolist()), axis=(0, 1))

    def pan(index: int, image: Image) -> None:
        image[:] = np.roll(texture(*image.shape[:2]), -3 * index, axis=1)

    assert made(tmp_path, shake).shake_T.min() > 4 * made(tmp_path, pan).shake_T.max()


def test_the_number_of_workers_changes_no_measurement(tmp_path: Path) -> None:
    def paint(index: int, image: Image) -> None:
        image[:] = np.roll(texture(*image.shape[:2]), (index, 3 * index), axis=(0, 1))

    path = make_video(
        tmp_path, paint=paint, num_frames=45 * RATE, rate=Fraction(RATE), gop=RATE * 5
    )
    alone, several = measure(path), measure(path, num_workers=3)
    for name in PictureMeasures.__dataclass_fields__:
        assert getattr(alone, name).tobytes() == getattr(several, name).tobytes(), name
    assert len(alone.luma_T) == 45
